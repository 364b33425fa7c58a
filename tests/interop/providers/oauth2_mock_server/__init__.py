"""oauth2-mock-server, for Node.js: knows no clients and asks nobody anything."""
import subprocess
from pathlib import Path

from provider import PERSON, Provider, Unsupported


class Oauth2MockServer(Provider):
    name = "oauth2_mock_server"
    package = "oauth2-mock-server 8.2.3 (npm)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", None)
    asks = False

    def install(self):
        self.home = self.cache.npm(self.name, Path(__file__).resolve().parent)

    def start(self):
        self.spawn(["node", "--no-warnings", "server.mjs", self.port], cwd=self.home, stdin=subprocess.PIPE)

    def register(self, metadata):
        for key in ("jwks", "audience", "userinfo_signed_response_alg", "backchannel_logout_uri"):
            if metadata.get(key):
                raise Unsupported("it knows no clients")
        keys = {"client_id": "gate"}
        if metadata["token_endpoint_auth_method"] != "none":
            keys["client_secret"] = "not-looked-at-but-more-than-32-characters"
        return keys

    def rotate_keys(self):
        self.restart()                              # its keys live as long as it does


PROVIDER = Oauth2MockServer
