"""Glewlwyd, in C: an interface of JSON behind a page of scripts, so the person's clicks are requests here."""
import http.cookiejar
import json
import sqlite3
import subprocess
import urllib.parse
import urllib.request
import gzip

from provider import PERSON, Provider, Unsupported

SCOPES = ["openid", "profile", "email"]


class Glewlwyd(Provider):
    name = "glewlwyd"
    package = "Glewlwyd 2.7.5 (Debian)"
    claims = {"email": PERSON["email"], "name": PERSON["name"]}
    assertion = {"assertion_audience": "token_endpoint"}
    ready = False

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.base, self.keys = self.issuer, 0
        self.issuer = f"{self.base}/api/oidc"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def install(self):
        self.home = self.cache.debian(self.name, "glewlwyd", "dbconfig-no-thanks")

    def start(self):
        database = self.directory / "glewlwyd.sqlite3"
        if not database.exists():
            script = gzip.decompress((self.home / "usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz").read_bytes()).decode()
            with sqlite3.connect(database) as connection:
                connection.executescript(script)
        modules = "\n".join(f'{kind}_module_path="{self.home}/usr/lib/glewlwyd/{folder}"' for kind, folder in
                            [("user", "user"), ("user_middleware", "user_middleware"), ("client", "client"), ("user_auth_scheme", "scheme"), ("plugin", "plugin")])
        (self.home / "usr/lib/glewlwyd/user_middleware").mkdir(exist_ok=True)
        (self.directory / "glewlwyd.conf").write_text(f"""port={self.port}
bind_address="127.0.0.1"
external_url="{self.base}"
login_url="login.html"
api_prefix="api"
static_files_path="{self.home}/usr/share/glewlwyd/webapp/"
static_files_mime_types = ( {{ extension = ".html"; mime_type = "text/html"; compress = 0; }} )
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="GLEWLWYD2_SESSION_ID"
session_expiration=3600
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
{modules}
use_secure_connection=false
secure_connection_key_file="/none"
secure_connection_pem_file="/none"
secure_connection_ca_file="/none"
hash_algorithm="SHA512"
database = {{ type = "sqlite3"; path = "{database}"; }};
""")
        self.spawn([self.home / "usr/bin/glewlwyd", "--config-file", self.directory / "glewlwyd.conf"], env=self.cache.debian_environment(self.home))
        self.ask("POST", "/auth/", {"username": "admin", "password": "password"})
        if not self.ready:
            self.ready = True
            self.furnish()

    # ------------------------------------------------------------------ its interface

    def ask(self, method, path, value=None):
        request = urllib.request.Request(f"{self.base}/api{path}", value and json.dumps(value).encode(), {"Content-Type": "application/json"}, method=method)
        try:
            return self.opener.open(request, timeout=30).read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def plugin(self):
        """The plugin that speaks OpenID Connect, with a fresh key."""
        self.keys += 1
        private = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, text=True).stdout
        public = subprocess.run(["openssl", "rsa", "-pubout"], input=private, check=True, capture_output=True, text=True).stdout
        yes = ["allow-non-oidc", "auth-type-code-enabled", "auth-type-refresh-enabled", "pkce-allowed", "session-management-allowed", "jwks-show",
               "oauth-as-iss-id", "request-parameter-allow", "refresh-token-rolling", "back-channel-logout-allowed", "front-channel-logout-allowed"]
        no = ["auth-type-token-enabled", "auth-type-id-token-enabled", "auth-type-none-enabled", "auth-type-password-enabled", "auth-type-client-enabled",
              "auth-type-device-enabled", "auth-type-implicit-enabled", "pkce-method-plain-allowed", "introspection-revocation-allowed", "register-client-allowed"]
        return {"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "parameters": {
            "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": private, "cert": public, "default-kid": f"key-{self.keys}",
            "access-token-duration": 3600, "refresh-token-duration": 86400, "code-duration": 600, "session-cookie-name": "GLEWLWYD2_OIDC_SID",
            "session-cookie-expiration": 3600, "allowed-scope": SCOPES, "subject-type": "public", "refresh-token-one-use": "always",
            "name-claim": "on-demand", "name-claim-scope": ["profile"], "email-claim": "on-demand", "email-claim-scope": ["email"],
            "client-pubkey-parameter": "pubkey", "client-jwks-parameter": "jwks", "client-jwks_uri-parameter": "jwks_uri", "client-alg-parameter": "alg",
            **dict.fromkeys(yes, True), **dict.fromkeys(no, False)}}

    def furnish(self):
        for scope in SCOPES[1:]:
            self.ask("POST", "/scope/", {"name": scope, "display_name": scope, "description": scope, "password_required": False, "scheme": {}})
        self.ask("POST", "/user/", {"username": PERSON["username"], "password": PERSON["password"], "name": PERSON["name"], "email": PERSON["email"],
                                    "enabled": True, "scope": ["g_profile", *SCOPES]})
        self.ask("POST", "/mod/plugin/", self.plugin())

    def register(self, metadata):
        for key in ("audience", "userinfo_signed_response_alg"):
            if metadata.get(key):
                raise Unsupported(f"not set up for {key}")
        if metadata["id_token_signed_response_alg"] != "RS256":
            raise Unsupported("one algorithm for all clients")
        name, method = "gate-" + metadata["redirect_uris"][0].split(":")[2].split("/")[0], metadata["token_endpoint_auth_method"]
        secret = metadata.get("client_secret", "glewlwyd-secret-of-more-than-32-characters")
        client = {"client_id": name, "name": "zengate", "enabled": True, "confidential": method != "none", "redirect_uri": metadata["redirect_uris"],
                  "authorization_type": ["code", "refresh_token"], "token_endpoint_auth_method": [method], "scope": []}
        if method.startswith("client_secret"):
            client.update(password=secret, client_secret=secret)
        if metadata.get("jwks"):
            client["jwks"] = metadata["jwks"]
        for key in ("backchannel_logout_uri", "backchannel_logout_session_required"):
            if metadata.get(key):
                client[key] = metadata[key]
        if metadata.get("post_logout_redirect_uris"):
            client["post_logout_redirect_uri"] = metadata["post_logout_redirect_uris"][0]
        self.ask("POST", "/client/", client)
        return {"client_id": name, **({"client_secret": secret} if method.startswith("client_secret") else {})}

    # ------------------------------------------------------------------ the person

    def person(self, browser, stop, decline=False):
        """The page of scripts says where to go on; what its scripts would ask is asked here."""
        for _ in range(4):
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.url).query))
            if stop(browser.url) or "callback_url" not in query:
                return browser
            if not hasattr(browser, "cookies"):
                raise Unsupported("its page is an application of scripts, which this suite does not press")
            page, headers = browser.url, {"Content-Type": "application/json"}
            browser.request("POST", f"{self.base}/api/auth/", json.dumps({"username": PERSON["username"], "password": PERSON["password"]}), headers, page)
            if decline:
                raise Unsupported("its page lets nobody say no to the client")
            browser.request("PUT", f"{self.base}/api/auth/grant/{query['client_id']}", json.dumps({"scope": " ".join(SCOPES)}), headers, page)
            browser.go(query["callback_url"] + ("&" if "?" in query["callback_url"] else "?") + "g_continue", initiator=page)
        return browser

    def rotate_keys(self):
        self.ask("PUT", "/mod/plugin/oidc", self.plugin())
        self.ask("PUT", "/mod/plugin/oidc/reset/", None)

    def disable_person(self):
        self.ask("PUT", f"/user/{PERSON['username']}", {"name": PERSON["name"], "email": PERSON["email"], "enabled": False, "scope": ["g_profile", *SCOPES]})

    def enable_person(self):
        self.ask("PUT", f"/user/{PERSON['username']}", {"name": PERSON["name"], "email": PERSON["email"], "enabled": True, "scope": ["g_profile", *SCOPES]})


PROVIDER = Glewlwyd
