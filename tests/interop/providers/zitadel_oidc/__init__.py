"""The OpenID provider framework of ZITADEL, in Go, with its example pages and a storage in memory."""
import json
import subprocess
from pathlib import Path

from kit.processes import until
from provider import PERSON, Provider, Unsupported

HERE = Path(__file__).resolve().parent


class ZitadelOidc(Provider):
    name = "zitadel_oidc"
    package = "zitadel/oidc v3.52.0, framework and example (Go)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    offline_scopes = ["offline_access"]

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.issuer += "/"
        self.clients = []

    def install(self):
        self.program = self.cache.go("zitadel_oidc", HERE, ".")

    def start(self):
        users = {"1": {"ID": "1", "Username": PERSON["username"], "Password": PERSON["password"], "FirstName": "Maya",
                       "LastName": "Lindqvist", "Email": PERSON["email"], "EmailVerified": True, "IsAdmin": False}}
        (self.directory / "users.json").write_text(json.dumps(users))
        self.server = self.spawn([self.program, self.port, self.directory / "users.json"], stdin=subprocess.PIPE)
        for client in self.clients:
            self.tell(client)

    def tell(self, client):
        self.server.child.stdin.write(json.dumps(client).encode() + b"\n")
        self.server.child.stdin.flush()
        until(lambda: f"registered {client['id']}" in self.server.tail(99999), 10, "a client")

    def register(self, metadata):
        method = metadata["token_endpoint_auth_method"]
        if method not in ("client_secret_basic", "none"):
            raise Unsupported("the example knows clients with Basic and public ones")
        if metadata["id_token_signed_response_alg"] != "RS256" or metadata.get("audience") or metadata.get("userinfo_signed_response_alg"):
            raise Unsupported("the example has no such setting")
        redirect = metadata["redirect_uris"][0]
        client = {"id": "gate-" + redirect.split(":")[2].split("/")[0], "public": method == "none", "redirects": [redirect],
                  "secret": "" if method == "none" else metadata.get("client_secret", "zitadel-secret-of-more-than-32-characters")}
        self.clients.append(client)
        self.tell(client)
        return {"client_id": client["id"], **({"client_secret": client["secret"]} if client["secret"] else {})}

    def rotate_keys(self):
        self.restart()


PROVIDER = ZitadelOidc
