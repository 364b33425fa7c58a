"""django-oauth-toolkit, for Python: a Django site with its consent page."""
import json
import subprocess
from pathlib import Path

from kit.processes import Failed
from provider import PERSON, Provider, Unsupported

HERE = Path(__file__).resolve().parent


class DjangoSite(Provider):
    """A provider that is a Django site in one file, with a database in a file."""

    requirements = []
    site = None

    def install(self):
        self.bin = self.cache.pip(self.name, self.requirements)

    def tell(self, verb, value=None):
        done = subprocess.run([self.bin / "python", self.site, verb], env=self.environment(), text=True, capture_output=True,
                              input=json.dumps(value), timeout=120)
        if done.returncode:
            raise Failed(f"{verb}: {done.stderr[-800:]}")

    def environment(self):
        return {"PATH": "/usr/bin:/bin", "STATE": str(self.directory), "PORT": str(self.port), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self):
        if not (self.directory / "key.pem").exists():
            self.new_key()
            self.tell("migrate")
            self.tell("person", PERSON)
        self.spawn([self.bin / "python", self.site, "runserver", "--noreload", f"127.0.0.1:{self.port}"], env=self.environment())

    def new_key(self):
        subprocess.run(["openssl", "genrsa", "-out", self.directory / "key.pem", "2048"], check=True, capture_output=True)

    def rotate_keys(self):
        self.stop()
        self.new_key()
        self.start()

    def disable_person(self):
        self.tell("disable")

    def enable_person(self):
        self.tell("enable")

    def register(self, metadata):
        method = metadata["token_endpoint_auth_method"]
        if method not in ("client_secret_basic", "client_secret_post", "none"):
            raise Unsupported(f"knows no {method}")
        for key in ("audience", "userinfo_signed_response_alg"):
            if metadata.get(key):
                raise Unsupported(f"registration knows no {key}")
        keys = {"client_id": "gate-" + metadata["redirect_uris"][0].split(":")[2].split("/")[0]}
        if method != "none":
            keys["client_secret"] = metadata.get("client_secret", "django-secret-of-more-than-32-characters")
        self.tell("client", {**metadata, **keys})
        return keys


class DjangoOauthToolkit(DjangoSite):
    name = "django_oauth_toolkit"
    package = "django-oauth-toolkit 3.4.1 on Django 5.2 (PyPI)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", "groups")
    requirements = ["django-oauth-toolkit==3.4.1", "django==5.2.19"]
    site = HERE / "site.py"

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.issuer += "/o"


PROVIDER = DjangoOauthToolkit
