"""Where programs that others wrote are installed: a folder outside the repository's files, filled once.

What is installed is pinned: by a lock file, or by a version that stands where it is asked for.
"""
import json
import os
import re
import shutil
import sys
import venv
import zipfile
from pathlib import Path

from .processes import Failed, run


class Cache:
    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def _fresh(self, directory, recipe):
        """Whether a folder was not made by exactly this recipe yet."""
        mark = directory / ".recipe"
        return not mark.exists() or mark.read_text() != recipe

    def _done(self, directory, recipe):
        (directory / ".recipe").write_text(recipe)

    def pip(self, name, requirements):
        """A virtual environment with these requirements; gives its `bin` folder."""
        where = self.path / "python" / name
        recipe = "\n".join([sys.version, *requirements])
        if self._fresh(where, recipe):
            shutil.rmtree(where, ignore_errors=True)
            venv.create(where, with_pip=True)
            run([where / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *requirements])
            self._done(where, recipe)
        return where / "bin"

    def pip_folder(self, name, python, requirements):
        """These requirements for a Python that has no virtual environments; gives the folder, for `site.addsitedir`."""
        where = self.path / "python" / name
        recipe = "\n".join([python, *requirements])
        if self._fresh(where, recipe):
            shutil.rmtree(where, ignore_errors=True)
            run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", where, *requirements])
            self._done(where, recipe)
        return where

    def npm(self, name, source):
        """The packages of a `package.json` with its lock, beside the folder's scripts; gives the folder."""
        where = self.path / "npm" / name
        where.mkdir(parents=True, exist_ok=True)
        for script in source.glob("*.mjs"):
            shutil.copy(script, where)
        recipe = (source / "package-lock.json").read_text()
        if self._fresh(where, recipe):
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, where)
            run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=where)
            self._done(where, recipe)
        return where

    def npm_packages(self, name, *packages, overrides=None):
        """Packages of npm, each with its version; gives their `node_modules`. `overrides`: versions of what they need."""
        where = self.path / "npm" / name
        described = json.dumps({"private": True, "overrides": overrides or {}})
        recipe = "\n".join([described, *packages])
        if self._fresh(where, recipe):
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir(parents=True)
            (where / "package.json").write_text(described)
            run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], cwd=where)
            self._done(where, recipe)
        return where / "node_modules"

    def maven(self, artifact, folder):
        """A zip archive of Maven Central, unpacked; `folder` is what it holds at its top."""
        where = self.path / "maven"
        where.mkdir(parents=True, exist_ok=True)
        if self._fresh(where / folder, artifact):
            shutil.rmtree(where / folder, ignore_errors=True)
            group, name, version, kind = artifact.split(":")
            run(["mvn", "-B", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={where}"])
            archive = where / f"{name}-{version}.{kind}"
            with zipfile.ZipFile(archive) as file:
                file.extractall(where)
            archive.unlink()
            for script in (where / folder).glob("bin/*.sh"):
                script.chmod(0o755)
            self._done(where / folder, artifact)
        return where / folder

    def go(self, name, source, package, tags=""):
        """A program of a Go module, built as a dependency of the small module in `source`; gives the program."""
        where = self.path / "go" / name
        where.mkdir(parents=True, exist_ok=True)
        recipe = "\n".join(file.read_text() for file in sorted(source.glob("*")) if file.suffix in (".go", ".mod", ".sum")) + package + tags
        if self._fresh(where, recipe):
            for file in source.glob("*"):
                if file.suffix in (".go", ".mod", ".sum"):
                    shutil.copy(file, where)
            run(["go", "build", "-tags", tags, "-o", name, package], cwd=where, timeout=3600)
            self._done(where, recipe)
        return where / name

    def go_program(self, name, address, tag, package):
        """A program of a Go repository whose releases the module proxy does not have: built from a clone of one tag."""
        where = self.path / "go" / name
        recipe = " ".join([address, tag, package])
        if self._fresh(where, recipe):
            shutil.rmtree(where, ignore_errors=True)
            where.mkdir(parents=True)
            run(["git", "clone", "-q", "-c", "advice.detachedHead=false", "--depth", "1", "--branch", tag, address, where / "source"])
            run(["go", "build", "-o", where / name, package], cwd=where / "source", timeout=3600)
            shutil.rmtree(where / "source")
            self._done(where, recipe)
        return where / name

    def debian(self, name, *packages):
        """Packages of Debian with what they need and this machine lacks, unpacked into a folder of their own.

        Nothing is installed on the machine: no service is set up, and no other program sees them.
        """
        where = self.path / "debian" / name
        recipe = " ".join(packages)
        if self._fresh(where, recipe):
            shutil.rmtree(where, ignore_errors=True)
            archives = where / "archives"
            (archives / "partial").mkdir(parents=True)
            fetch = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only",
                     "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1", *packages]
            try:
                run(fetch)
            except Failed:
                run(["apt-get", "update", "-qq"])
                run(fetch)
            for archive in archives.glob("*.deb"):
                run(["dpkg", "-x", archive, where])
            shutil.rmtree(archives)
            self._done(where, recipe)
        return where

    def go_install(self, package):
        """A program of a Go module, `package@version`; gives the program."""
        module, _, version = package.partition("@")
        name = module.rpartition("/")[2]
        where = self.path / "go" / re.sub(r"\W+", "-", module)
        if self._fresh(where, version):
            where.mkdir(parents=True, exist_ok=True)
            run(["go", "install", package], env={**os.environ, "GOBIN": str(where)}, timeout=3600)
            self._done(where, version)
        return where / name

    @staticmethod
    def debian_environment(where):
        """Where programs of such a folder find their libraries and Perl modules."""
        libraries = [where / "usr/lib/x86_64-linux-gnu", where / "usr/lib", where / "lib/x86_64-linux-gnu"]
        perl = [where / "usr/share/perl5", *where.glob("usr/lib/x86_64-linux-gnu/perl5/*")]
        return {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "PERL5LIB": ":".join(map(str, perl)),
                "PATH": f"{where / 'usr/bin'}:{os.environ['PATH']}"}
