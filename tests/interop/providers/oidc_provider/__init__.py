"""oidc-provider, for Node.js: dynamic registration, every way a client can identify itself, many algorithms."""
import subprocess
from pathlib import Path

from kit.processes import until
from provider import PERSON, Provider, Unsupported

HERE = Path(__file__).resolve().parent


class OidcProvider(Provider):
    name = "oidc_provider"
    package = "oidc-provider 9.13.3 (npm)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
    groups = ("groups", "staff", "groups")
    nested = ("resource_access.wiki.roles", "writer", "groups")
    many_groups = ("many_groups", "group-499-".ljust(64, "x"), "many")
    offline_scopes = ["offline_access"]

    def install(self):
        self.home = self.cache.npm(self.name, HERE)

    def start(self):
        self.server = self.spawn(["node", "--no-warnings", "server.mjs", self.port, self.directory / "state.json"],
                                 cwd=self.home, stdin=subprocess.PIPE)

    def tell(self, word):
        count = self.server.tail(9999).count(word)
        self.server.child.stdin.write(f"{word}\n".encode())
        self.server.child.stdin.flush()
        until(lambda: self.server.tail(9999).count(word) > count, 5, word)

    def register(self, metadata):
        if metadata.get("client_secret"):
            raise Unsupported("registration draws the secret")
        if metadata.get("audience"):
            raise Unsupported("ID tokens are for one client")
        return self.register_dynamically(metadata)

    def rotate_keys(self):
        self.tell("rotate")

    def disable_person(self):
        self.tell("disable")

    def enable_person(self):
        self.tell("enable")


PROVIDER = OidcProvider
