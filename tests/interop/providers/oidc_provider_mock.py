"""oidc-provider-mock, on Authlib, for Python: a page that asks for a name, and no more."""
import json

from provider import PERSON, Provider, Unsupported

VERSION = "0.3.4"


class OidcProviderMock(Provider):
    name = "oidc_provider_mock"
    package = f"oidc-provider-mock {VERSION} (PyPI; Authlib)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    groups = ("groups", "staff", None)

    def install(self):
        self.bin = self.cache.pip(self.name, [f"oidc-provider-mock=={VERSION}"])

    def start(self):
        person = {"sub": PERSON["username"], "email": PERSON["email"], "email_verified": True, "name": PERSON["name"], "groups": ["staff"]}
        self.spawn([self.bin / "oidc-provider-mock", "--host", "127.0.0.1", "--port", self.port, "--require-registration", "true",
                    "--require-nonce", "true", "--user-claims", json.dumps(person)])

    def register(self, metadata):
        for key in ("jwks", "audience", "userinfo_signed_response_alg", "client_secret"):
            if metadata.get(key):
                raise Unsupported(f"registration knows no {key}")
        if metadata["token_endpoint_auth_method"] == "none":
            raise Unsupported("it registers public clients and then asks them for a secret")
        return self.register_dynamically(metadata)

    def login(self, browser, page, form):
        return form.fill("sub", PERSON["username"])

    def restart(self):
        raise Unsupported("it forgets its clients")


PROVIDER = OidcProviderMock
