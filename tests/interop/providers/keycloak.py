"""Keycloak, for Java: clients by its admin interface, with mappers."""
import json

from kit.processes import until
from provider import PERSON, Provider

VERSION = "26.7.3"
REALM = "staff"
ADMIN = "admin"


class Keycloak(Provider):
    name = "keycloak"
    package = f"Keycloak {VERSION} (Maven: org.keycloak:keycloak-quarkus-dist)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
    groups = ("groups", "staff", None)
    nested = ("realm_access.roles", "writer", None)
    user = None

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.base = self.issuer
        self.issuer = f"{self.base}/realms/{REALM}"

    def install(self):
        self.home = self.cache.maven(f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip", f"keycloak-{VERSION}")

    def start(self):
        data = self.directory / "data"
        environment = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN,
                       "JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx640m"}
        self.spawn([self.home / "bin/kc.sh", "start-dev", f"--http-port={self.port}", "--http-host=127.0.0.1", "--cache=local",
                    "--http-management-port=0", f"--db-url=jdbc:h2:file:{data};NON_KEYWORDS=VALUE"], seconds=900, env=environment)
        until(lambda: self.answers(), 120, "Keycloak's first answer", every=1)
        if not self.user:
            self.furnish()

    def answers(self):
        try:
            return self.call("GET", f"{self.base}/realms/master", timeout=30)
        except (RuntimeError, OSError):
            return None

    # ------------------------------------------------------------------ its admin interface

    def admin(self, method, path, value=None):
        form = f"grant_type=password&client_id=admin-cli&username={ADMIN}&password={ADMIN}".encode()
        token = json.loads(self.call("POST", f"{self.base}/realms/master/protocol/openid-connect/token", form))["access_token"]
        return self.post_json(f"{self.base}/admin/realms{path}", value, {"Authorization": f"Bearer {token}"}, method)

    def furnish(self):
        """A realm with one person in one group. Few rounds of hashing: this is a test's machine."""
        self.admin("POST", "", {
            "realm": REALM, "enabled": True, "sslRequired": "none", "verifyEmail": False,
            "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1000)", "groups": [{"name": "staff"}], "roles": {"realm": [{"name": "writer"}]},
            "users": [{"username": PERSON["username"], "enabled": True, "email": PERSON["email"], "emailVerified": True,
                       "firstName": "Maya", "lastName": "Lindqvist", "groups": ["/staff"], "realmRoles": ["writer"],
                       "credentials": [{"type": "password", "value": PERSON["password"]}]}],
        })
        self.user = self.admin("GET", f"/{REALM}/users?username={PERSON['username']}")[0]["id"]

    def register(self, metadata):
        name = metadata["redirect_uris"][0].split(":")[2].split("/")[0]
        client = {
            "clientId": f"gate-{name}", "enabled": True, "redirectUris": metadata["redirect_uris"], "consentRequired": True,
            "standardFlowEnabled": True, "directAccessGrantsEnabled": False, "publicClient": False,
            "fullScopeAllowed": True,                       # or roles of the realm are left out
            "attributes": {"id.token.signed.response.alg": metadata["id_token_signed_response_alg"],
                           "pkce.code.challenge.method": "S256"},
            "protocolMappers": [mapper("groups", "oidc-group-membership-mapper",
                                       {"claim.name": "groups", "full.path": "false", "id.token.claim": "true"}),
                                mapper("roles", "oidc-usermodel-realm-role-mapper",
                                       {"claim.name": "realm_access.roles", "multivalued": "true", "id.token.claim": "true", "jsonType.label": "String"})],
        }
        keys = {"client_id": client["clientId"]}
        method = metadata["token_endpoint_auth_method"]
        if method == "none":
            client["publicClient"] = True
        elif method == "private_key_jwt":

            client["clientAuthenticatorType"] = "client-jwt"
            client["attributes"].update({"use.jwks.string": "true", "jwks.string": json.dumps(metadata["jwks"])})
        else:
            client["secret"] = keys["client_secret"] = metadata.get("client_secret", "keycloak-secret-of-more-than-32-characters")
        if metadata.get("userinfo_signed_response_alg"):
            client["attributes"]["user.info.response.signature.alg"] = metadata["userinfo_signed_response_alg"]
        if metadata.get("backchannel_logout_uri"):
            client["attributes"].update({"backchannel.logout.url": metadata["backchannel_logout_uri"],
                                         "backchannel.logout.session.required": "true"})
        if metadata.get("post_logout_redirect_uris"):
            client["attributes"]["post.logout.redirect.uris"] = "##".join(metadata["post_logout_redirect_uris"])
        if metadata.get("audience"):
            client["protocolMappers"].append(mapper("further", "oidc-audience-mapper",
                                                    {"included.custom.audience": metadata["audience"], "id.token.claim": "true"}))
        self.admin("POST", f"/{REALM}/clients", client)
        return keys

    # ------------------------------------------------------------------ what only some can do

    def further_audience(self, scene):
        return "https://api.example.org"

    def rotate_keys(self):
        """A further key of higher priority, as Keycloak's own instructions have it."""
        self.rotations = getattr(self, "rotations", 0) + 1
        self.admin("POST", f"/{REALM}/components", {
            "name": f"rsa-{self.rotations}", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [str(200 + self.rotations)], "algorithm": ["RS256"], "keySize": ["2048"]}})

    def disable_person(self):
        self.admin("PUT", f"/{REALM}/users/{self.user}", {"enabled": False})

    def enable_person(self):
        self.admin("PUT", f"/{REALM}/users/{self.user}", {"enabled": True})

    def end_session(self, browser):
        self.admin("POST", f"/{REALM}/users/{self.user}/logout")


def mapper(name, kind, config):
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


PROVIDER = Keycloak
