"""git's smart HTTP: clone and push by the git program with a token; a large pack goes in chunks."""
import os
import sys
from pathlib import Path

from kit.processes import run

PACKAGE = "git smart HTTP (git http-backend)"
SERVER = Path(__file__).resolve().parent.parent / "git_server.py"


def use(scene):
    port = scene.port()
    repositories = scene.directory / "repositories"
    bare = repositories / "harbour.git"
    run(["git", "init", "-q", "--bare", "-b", "main", bare])
    run(["git", "-C", bare, "config", "http.receivepack", "true"])
    scene.start([sys.executable, SERVER, port, repositories], port)
    gate = scene.behind({3000: port})
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        environment.update({f"GIT_{who}_NAME": "Jun Park", f"GIT_{who}_EMAIL": "jun@example.org"})
    address, header = f"{gate.programs}/harbour.git", f"http.extraHeader=Authorization: Bearer {gate.token()}"

    def git(where, *what):
        return run(["git", "-c", header, *what], cwd=scene.directory / where, env=environment)

    git(".", "clone", "-q", address, "one")
    scene.see("an empty clone", (scene.directory / "one/.git").is_dir())
    for name, size in (("small", 1 << 10), ("large", 30 << 20)):
        (scene.directory / "one" / name).write_bytes(os.urandom(size))
        git("one", "add", name)
        git("one", "commit", "-q", "-m", name)
        git("one", "push", "-q", "origin", "HEAD:main")
        scene.see(f"a push of {size >> 10} KiB", git("one", "rev-parse", "HEAD") == run(["git", "-C", bare, "rev-parse", "main"]))
    git(".", "clone", "-q", address, "two")
    scene.see("a clone of both, byte for byte", all((scene.directory / one / "large").read_bytes() == (scene.directory / "one/large").read_bytes() for one in ("one", "two")))
    git(".", "clone", "-q", "--depth=1", address, "three")
    scene.see("a shallow clone", git("three", "rev-list", "--count", "HEAD").strip() == "1")
    try:
        run(["git", "-c", "credential.helper=", "ls-remote", address], env=environment)
        scene.see("without a token git is refused", False, "it was let in")
    except Exception as refused:
        scene.see("without a token git is refused", "Authentication failed" in str(refused) or "could not read Username" in str(refused) or "401" in str(refused), refused)
    page = gate.signed_in("/harbour.git/info/refs?service=git-upload-pack")
    scene.see("a person who is signed in reaches it as well", page.status == 200 and "refs/heads/main" in page.text, page.trail())
