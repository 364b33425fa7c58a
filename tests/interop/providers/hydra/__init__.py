"""Ory Hydra, in Go: no pages of its own, clients by its administrative interface."""
import json
import os
from pathlib import Path

from kit.processes import free_port, run, until
from provider import PERSON, Provider, Unsupported

from .pages import Pages

HERE = Path(__file__).resolve().parent


class Hydra(Provider):
    name = "hydra"
    package = "Ory Hydra v2.3.0 (Go: github.com/ory/hydra/v2)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", None)
    offline_scopes = ["offline_access"]
    assertion = {"assertion_audience": "token_endpoint"}
    pages = None

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.admin_port = free_port()

    def install(self):
        self.program = self.cache.go("hydra", HERE, "github.com/ory/hydra/v2", "sqlite,sqlite_omit_load_extension,json1")

    def start(self):
        self.pages = self.pages or Pages(self.admin, PERSON)
        config = {
            "dsn": f"sqlite://{self.directory / 'hydra.sqlite'}?_fk=true",
            "serve": {"public": {"host": "127.0.0.1", "port": self.port}, "admin": {"host": "127.0.0.1", "port": self.admin_port},
                      "cookies": {"same_site_mode": "Lax"}},
            "urls": {"self": {"issuer": self.issuer}, "login": f"{self.pages.url}/login", "consent": f"{self.pages.url}/consent",
                     "logout": f"{self.pages.url}/logout", "post_logout_redirect": f"{self.pages.url}/left"},
            "secrets": {"system": ["a-secret-of-hydra-of-more-than-32-characters"]},
            "oidc": {"subject_identifiers": {"supported_types": ["public"]}},
            "log": {"level": "warn"},
        }
        (self.directory / "hydra.yaml").write_text(json.dumps(config))
        environment = {"SQA_OPT_OUT": "true"}                 # sends nothing about its use to anybody
        options = ["-c", self.directory / "hydra.yaml"]
        run([self.program, "migrate", "sql", "-e", "--yes", *options], self.directory / "migrate.log",
            env={**os.environ, **environment, "DSN": config["dsn"]})
        self.spawn([self.program, "serve", "all", "--dev", *options], env=environment)
        until(self.ready, 60, "Hydra's keys")

    def ready(self):
        try:
            return self.discover() and self.get_json(f"{self.issuer}/.well-known/jwks.json")
        except (RuntimeError, OSError):
            return None

    def admin(self, method, path, value=None):
        return self.post_json(f"http://127.0.0.1:{self.admin_port}/admin{path}", value, method=method)

    def register(self, metadata):
        if metadata.get("audience"):
            raise Unsupported("ID tokens are for one client")
        if metadata["id_token_signed_response_alg"] != "RS256":
            raise Unsupported("one algorithm for all clients")
        client = {**metadata, "scope": "openid profile email offline_access", "client_name": "zengate"}
        client.pop("id_token_signed_response_alg")
        if metadata["token_endpoint_auth_method"] in ("client_secret_basic", "client_secret_post"):
            client.setdefault("client_secret", "hydra-secret-of-more-than-32-characters")
        got = self.admin("POST", "/clients", client)
        keys = {"client_id": got["client_id"]}
        if client.get("client_secret"):
            keys["client_secret"] = client["client_secret"]
        return keys

    def rotate_keys(self):
        self.admin("POST", "/keys/hydra.openid.id-token", {"alg": "RS256", "use": "sig", "kid": ""})

    def disable_person(self):
        self.admin("DELETE", f"/oauth2/auth/sessions/consent?subject={PERSON['username']}&all=true")

    def enable_person(self):
        pass


PROVIDER = Hydra
