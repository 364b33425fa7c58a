"""Dex, in Go: clients and people in its configuration, read at its start, and what it was told of in a SQLite file."""
import json
import sqlite3

from provider import PERSON, Provider, Unsupported

ADDRESS, VERSION = "https://github.com/dexidp/dex", "v2.45.1"
HASH = "$2a$10$2f6eaVl/7xYBH6UMcOrJrOvTzgCDYqNGJ0Q3QOt81uwiQTnXryfcy"     # bcrypt of the person's password

IDS = ["08a8684b-db88-4b73-90a9-3cd1661f5466", "5a3ffb0e-1c0a-4a3f-8d6a-6c7b4c1d9e11"]


class Dex(Provider):
    name = "dex"
    package = f"Dex {VERSION} (Go, from its repository)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", "groups")
    offline_scopes = ["offline_access"]
    recheck = {"recheck_grace": "1s"}               # about somebody who is gone it says what it says when it is broken: 500

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.issuer += "/dex"
        self.clients, self.user_id = [], IDS[0]

    def install(self):
        self.program = self.cache.go_program("dex", ADDRESS, VERSION, "./cmd/dex")

    def start(self):
        person = {"email": PERSON["email"], "hash": HASH, "username": PERSON["username"], "name": PERSON["name"],
                  "preferredUsername": PERSON["username"], "emailVerified": True, "groups": ["staff"],
                  "userID": self.user_id}
        config = {
            "issuer": self.issuer, "web": {"http": f"127.0.0.1:{self.port}"},
            "storage": {"type": "sqlite3", "config": {"file": str(self.directory / "dex.sqlite")}},
            "staticClients": self.clients, "enablePasswordDB": True, "staticPasswords": [person],
        }
        (self.directory / "dex.yaml").write_text(json.dumps(config))
        self.spawn([self.program, "serve", self.directory / "dex.yaml"])

    def register(self, metadata):
        method = metadata["token_endpoint_auth_method"]
        if method not in ("client_secret_basic", "client_secret_post", "none"):
            raise Unsupported(f"knows no {method}")
        for key in ("audience", "userinfo_signed_response_alg"):
            if metadata.get(key):
                raise Unsupported(f"its clients have no {key}")
        redirect = metadata["redirect_uris"][0]
        keys = {"client_id": "gate-" + redirect.split(":")[2].split("/")[0]}
        if method != "none":
            keys["client_secret"] = metadata.get("client_secret", "dex-secret-of-more-than-32-characters")
        self.clients.append({"id": keys["client_id"], "name": "zengate", "redirectURIs": metadata["redirect_uris"],
                             **({"public": True} if method == "none" else {"secret": keys["client_secret"]})})
        self.restart()
        return keys

    def login_name(self):
        return PERSON["email"]

    def rotate_keys(self):
        self.stop()
        with sqlite3.connect(self.directory / "dex.sqlite") as database:
            database.execute("DELETE FROM keys")
        database.close()
        self.start()

    def disable_person(self):
        """The account goes, and its address to somebody new. With nobody at the address, a refresh waits in its storage for ever."""
        self.user_id = IDS[1]
        self.restart()

    def enable_person(self):
        self.user_id = IDS[0]
        self.restart()


PROVIDER = Dex
