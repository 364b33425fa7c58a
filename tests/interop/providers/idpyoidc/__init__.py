"""idpyoidc, for Python: dynamic registration, every way a confidential client can identify itself, no page of consent."""
import json
import subprocess
from pathlib import Path

from kit.processes import until
from provider import PERSON, Provider, Unsupported

HERE = Path(__file__).resolve().parent


class Idpyoidc(Provider):
    name = "idpyoidc"
    package = "idpyoidc 5.0.0 behind Flask, as in its example (PyPI)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    algorithms = ["RS256", "PS256", "ES256"]
    groups = ("groups", "staff", "groups")
    offline_scopes = ["offline_access"]
    offline = {"prompt": "consent"}
    assertion = {"assertion_audience": "token_endpoint"}
    requirements = ["idpyoidc==5.0.0", "flask==3.1.3"]

    def install(self):
        self.bin = self.cache.pip(self.name, self.requirements)

    def start(self):
        (self.directory / "person.json").write_text(json.dumps(PERSON))
        self.server = self.spawn([self.bin / "python", HERE / "server.py", self.port, self.directory], stdin=subprocess.PIPE)

    def tell(self, word):
        count = self.server.tail(9999).count(word)
        self.server.child.stdin.write(f"{word}\n".encode())
        self.server.child.stdin.flush()
        until(lambda: self.server.tail(9999).count(word) > count, 5, word)

    def register(self, metadata):
        if metadata["token_endpoint_auth_method"] == "none":
            raise Unsupported("with public clients allowed it looks at nobody's secret")
        for key in ("audience", "client_secret"):
            if metadata.get(key):
                raise Unsupported(f"registration knows no {key}")
        after = metadata.get("post_logout_redirect_uris", [None])[0]              # its registration knows one, by a name of its own
        return self.register_dynamically({**metadata, **({"post_logout_redirect_uri": after} if after else {})})

    def rotate_keys(self):
        self.stop()
        (self.directory / "private" / "keys.json").unlink()
        self.start()

    def disable_person(self):
        self.tell("disable")

    def enable_person(self):
        self.tell("enable")


PROVIDER = Idpyoidc
