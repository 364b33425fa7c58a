"""Canaille, on Authlib, for Python: its own pages, open dynamic registration, a database in a file."""
import json
import os

from kit.processes import run
from provider import PERSON, Provider, Unsupported

VERSION = "0.3.6"


class Canaille(Provider):
    name = "canaille"
    package = f"Canaille {VERSION} (PyPI; Authlib)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", "groups")
    assertion = {"assertion_audience": "token_endpoint"}

    def install(self):
        self.bin = self.cache.pip(self.name, [f"canaille[front,oidc,server,sqlite]=={VERSION}"])

    def environment(self):
        return {**os.environ, "CANAILLE_CONFIG": str(self.directory / "canaille.toml")}

    def tell(self, *words):
        return run([self.bin / "canaille", *words], self.directory / "tell.log", env=self.environment(), cwd=self.directory)

    def start(self):
        if not (self.directory / "keys.json").exists():
            self.furnish()
        self.spawn([self.bin / "canaille", "run", "--bind", f"127.0.0.1:{self.port}"], env=self.environment())
        offered = self.discover()["id_token_signing_alg_values_supported"]
        self.algorithms = [name for name in ("RS256", "RS512", "PS256", "ES256") if name in offered]

    def furnish(self):
        self.configure([self.new_key("rsa"), self.new_key("ec")])
        self.tell("install")
        self.tell("create", "user", "--user-name", PERSON["username"], "--password", PERSON["password"], "--emails", PERSON["email"],
                  "--given-name", "Maya", "--family-name", "Lindqvist", "--formatted-name", PERSON["name"])
        self.tell("create", "group", "--display-name", "staff", "--members", PERSON["username"])

    def new_key(self, kind):
        text = self.tell("jwk", "create", kind)
        key = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
        return json.dumps({**key, "use": "sig", "alg": {"rsa": "RS256", "ec": "ES256"}[kind]})

    def configure(self, keys):
        (self.directory / "keys.json").write_text(json.dumps(keys))
        tables = ["{ " + ", ".join(f'{name} = "{value}"' for name, value in json.loads(key).items()) + " }" for key in keys]
        (self.directory / "canaille.toml").write_text(f"""
SECRET_KEY = "a-key-of-a-test-of-more-than-32-signs"
SERVER_NAME = "127.0.0.1:{self.port}"
PREFERRED_URL_SCHEME = "http"
SESSION_COOKIE_SECURE = false
[CANAILLE]
DATABASE = "sql"
TIMEZONE = "UTC"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{self.directory}/canaille.sqlite"
[CANAILLE_OIDC]
DYNAMIC_CLIENT_REGISTRATION_OPEN = true
ACTIVE_JWKS = [{', '.join(tables)}]
""")

    def register(self, metadata):
        for key in ("audience", "client_secret"):
            if metadata.get(key):
                raise Unsupported(f"registration knows no {key}")
        return self.register_dynamically({**metadata, "scope": "openid profile email groups"})

    def login(self, browser, page, form):
        """It asks for the name first, and for the password on the next page."""
        if super().login(browser, page, form):
            return True
        return any(name == "login" for name, _, _ in form.fields) and form.fill("login", PERSON["username"])

    def rotate_keys(self):
        self.stop()
        self.configure([self.new_key("rsa"), self.new_key("ec")])
        self.start()

    def disable_person(self):
        self.tell("set", "user", PERSON["username"], "--lock-date", "2020-01-01T00:00:00+00:00")

    def enable_person(self):
        self.tell("set", "user", PERSON["username"], "--lock-date", "2090-01-01T00:00:00+00:00")


PROVIDER = Canaille
