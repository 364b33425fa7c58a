"""LemonLDAP::NG, for Perl: the portal of Debian's package with its accounts for demonstration."""
import json
import shutil
import subprocess

from provider import Provider, Unsupported

APP = """use Lemonldap::NG::Portal;
Lemonldap::NG::Portal->run({});
"""


class LemonLdap(Provider):
    name = "lemonldap"
    package = "LemonLDAP::NG 2.16.1 (Debian)"
    claims = {"email": "dwho@badwolf.org", "name": "Doctor Who"}
    groups = ("groups", "staff", "groups")
    offline_scopes = ["offline_access"]

    def __init__(self, cache, directory):
        super().__init__(cache, directory)
        self.clients = {}

    def install(self):
        self.home = self.cache.debian(self.name, "lemonldap-ng", "starman", "libplack-perl", "libcrypt-openssl-rsa-perl",
                                      "libcrypt-openssl-x509-perl", "libcrypt-jwt-perl", "libgd-securityimage-perl",
                                      "libimage-magick-perl", "libstring-random-perl", "libio-string-perl", "libmime-tools-perl",
                                      "libemail-sender-perl", "libdigest-hmac-perl", "libconvert-base32-perl", "libdatetime-format-rfc3339-perl")

    def start(self):
        if not self.clients:
            self.new_key()
            (self.directory / "portal.psgi").write_text(APP)
        self.configure()
        environment = {**self.cache.debian_environment(self.home), "LLNG_DEFAULTCONFFILE": str(self.directory / "lemonldap-ng.ini")}
        self.spawn(["starman", "--listen", f"127.0.0.1:{self.port}", "--workers", "2", "portal.psgi"], env=environment)

    def new_key(self):
        def openssl(*words):
            return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout
        self.private = openssl("genrsa", "2048")
        (self.directory / "key.pem").write_text(self.private)
        self.public = openssl("rsa", "-in", str(self.directory / "key.pem"), "-pubout")
        self.key_id = "key-" + str(len(self.clients))

    def configure(self):
        def folder(name):
            (self.directory / name).mkdir(exist_ok=True)
            return str(self.directory / name)
        shutil.rmtree(self.directory / "cache", ignore_errors=True)
        cache = {"namespace": "lemonldap-ng-sessions", "default_expires_in": 600, "directory_umask": "007", "cache_depth": 3, "cache_root": folder("cache")}
        config = {
            "cfgNum": 1, "cfgAuthor": "test", "cfgDate": 1, "portal": f"{self.issuer}/", "domain": "127.0.0.1", "cookieName": "lemonldap",
            "securedCookie": 0, "authentication": "Demo", "userDB": "Same", "passwordDB": "Demo", "registerDB": "Null", "portalMainLogo": "x.png",
            "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"}, "exportedVars": {}, "groups": {"staff": "1"}, "macros": {},
            "whatToTrace": "uid", "captcha_mail_enabled": 0, "captcha_register_enabled": 0, "captcha_login_enabled": 0, "locationRules": {"127.0.0.1": {"default": "accept"}}, "exportedHeaders": {}, "applicationList": {},
            "globalStorage": "Apache::Session::File", "globalStorageOptions": {"Directory": folder("sessions"), "LockDirectory": folder("sessions/lock"),
                                                                               "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"},
            "persistentStorage": "Apache::Session::File", "persistentStorageOptions": {"Directory": folder("psessions"), "LockDirectory": folder("psessions/lock")},
            "localSessionStorage": "Cache::FileCache", "localSessionStorageOptions": cache,
            "issuerDBOpenIDConnectActivation": 1, "oidcServiceMetaDataIssuer": self.issuer, "oidcServiceAllowAuthorizationCodeFlow": 1,
            "oidcServiceAllowOffline": 1, "oidcServicePrivateKeySig": self.private, "oidcServicePublicKeySig": self.public, "oidcServiceKeyIdSig": self.key_id,
            "oidcServiceIDTokenExpiration": 3600, "oidcServiceAccessTokenExpiration": 3600,
            "oidcRPMetaDataOptions": {name: options for name, options in self.clients.items()},
            "oidcRPMetaDataExportedVars": {name: {"email": "mail", "name": "cn", "groups": "groups"} for name in self.clients},
            "oidcRPMetaDataOptionsExtraClaims": {name: {"groups": "groups"} for name in self.clients},
            "oidcRPMetaDataScopeRules": {}, "oidcRPMetaDataMacros": {},
        }
        conf = folder("conf")
        (self.directory / "conf/lmConf-1.json").write_text(json.dumps(config))
        (self.directory / "lemonldap-ng.ini").write_text(f"""[all]
logLevel = notice
checkTime = 1
[configuration]
type = File
dirName = {conf}
[portal]
staticPrefix = /static
templateDir = {self.home}/usr/share/lemonldap-ng/portal/templates
languages = en
""")

    def register(self, metadata):
        method = metadata["token_endpoint_auth_method"]
        if method not in ("client_secret_basic", "client_secret_post", "none"):
            raise Unsupported(f"version 2.16 knows no {method}")
        name = "gate-" + metadata["redirect_uris"][0].split(":")[2].split("/")[0]
        secret = metadata.get("client_secret", "lemonldap-secret-of-more-than-32-characters")
        option = "oidcRPMetaDataOptions"
        options = {f"{option}ClientID": name, f"{option}ClientSecret": secret, f"{option}RedirectUris": " ".join(metadata["redirect_uris"]),
                   f"{option}IDTokenSignAlg": metadata["id_token_signed_response_alg"], f"{option}BypassConsent": 0, f"{option}DisplayName": "zengate",
                   f"{option}AllowOffline": 1, f"{option}IDTokenExpiration": 3600, f"{option}AuthRequired": 1,
                   f"{option}PostLogoutRedirectUris": " ".join(metadata.get("post_logout_redirect_uris", []))}
        if method == "none":
            options.update({f"{option}Public": 1, f"{option}RequirePKCE": 1, f"{option}AuthRequired": 0})
        if metadata.get("audience"):
            options[f"{option}AdditionalAudiences"] = metadata["audience"]
        if metadata.get("userinfo_signed_response_alg"):
            options[f"{option}UserInfoSignAlg"] = metadata["userinfo_signed_response_alg"]
        if metadata.get("backchannel_logout_uri"):
            raise Unsupported("version 2.16 has logout by frames only")
        self.clients[name] = options
        self.restart()
        return {"client_id": name, **({} if method == "none" else {"client_secret": secret})}

    def login_name(self):
        return "dwho"

    def login_password(self):
        return "dwho"

    def further_audience(self, scene):
        return "https://api.example.org"

    def rotate_keys(self):
        self.new_key()
        self.restart()


PROVIDER = LemonLdap
