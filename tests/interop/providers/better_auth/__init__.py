"""better-auth with its OAuth provider, for Node.js: dynamic registration, signed pages of one's own, a memory."""
import subprocess
from pathlib import Path

from provider import PERSON, Provider, Unsupported


class BetterAuth(Provider):
    name = "better_auth"
    package = "better-auth and @better-auth/oauth-provider 1.7.5 (npm)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", None)
    offline_scopes = ["offline_access"]
    https = True

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.issuer = f"http://127.0.0.1:{self.port}/api/auth"

    def install(self):
        self.home = self.cache.npm(self.name, Path(__file__).resolve().parent)

    def start(self):
        self.spawn(["node", "--no-warnings", "server.mjs", self.port], cwd=self.home, stdin=subprocess.PIPE)

    def register(self, metadata):
        if metadata.get("backchannel_logout_uri"):
            raise Unsupported("the gateway's name is known to the browser of this suite only")
        for key in ("audience", "client_secret", "userinfo_signed_response_alg"):
            if metadata.get(key):
                raise Unsupported(f"registration knows no {key}")
        if metadata["id_token_signed_response_alg"] != "RS256":
            raise Unsupported("one algorithm for all clients")
        asked = {key: value for key, value in metadata.items() if key != "id_token_signed_response_alg"}
        return self.register_dynamically({**asked, "scope": "openid profile email offline_access"})

    def login_name(self):
        return PERSON["email"]

    def restart(self):
        raise Unsupported("it forgets its clients")


PROVIDER = BetterAuth
