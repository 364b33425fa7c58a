"""One feature at one provider: a gateway of its own, a browser, and what came of it."""
import re
import shutil
import urllib.parse

from kit.app import told
from kit.browser import Browser
from kit.gateway import Gateway
from kit.processes import Failed, free_port
from kit import tls
from window import Window

DEEP = "/deep/page?x=1&y=two%20words"


class Scene:
    def __init__(self, provider, binary, app, directory):
        self.provider, self.binary, self.app, self.directory = provider, binary, app, directory
        self.gateways, self.fronts, self.windows, self.ca_file = [], [], [], None
        self.second = None                               # another provider, beside the one that this is about

    def end(self):
        for gateway in self.gateways:
            gateway.stop()
        for window in self.windows:
            window.close()
        for front in self.fronts:
            front.stop()
        if self.second:
            self.second.stop()

    # ------------------------------------------------------------------ the gateway

    def gateway(self, name="gate"):
        where = self.directory / f"{name}-{len(self.gateways)}"
        port = free_port() if self.provider.https else None
        gateway = Gateway(self.binary, where, self.app, port and f"https://gate.example.test:{port}")
        if port:
            if self.ca_file:                             # one authority for all gateways of a scene
                shutil.copytree(self.ca_file.parent, where / "tls", ignore=shutil.ignore_patterns("nginx*"))
            self.fronts.append(tls.front(where / "tls", {port: gateway.port}))
            self.ca_file = where / "tls" / "ca.pem"
        self.gateways.append(gateway)
        return gateway

    def window(self):
        self.windows.append(Window({"gate.example.test": "127.0.0.1"}))
        return self.windows[-1]

    def browser(self):
        return Browser(self.ca_file, {"gate.example.test": "127.0.0.1"})

    def started(self, metadata=None, oidc=None, provider=None, route=None, **rest):
        """A gateway whose client is registered with this metadata, and that has these further keys."""
        gateway = self.gateway()
        keys = self.registered(self.provider, gateway.redirect_uri, metadata(gateway) if callable(metadata) else metadata)
        keys.update(oidc(gateway) if callable(oidc) else oidc or {})
        keys = {key: value for key, value in keys.items() if value is not None}
        return gateway.configure(keys, provider, route, **rest).start()

    @staticmethod
    def registered(provider, redirect_uri, metadata=None):
        """The keys of `provider.oidc` for a client that is registered there with this metadata beside the usual."""
        asked = {"redirect_uris": [redirect_uri], "grant_types": ["authorization_code"], "response_types": ["code"],
                 "token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": provider.algorithms[0],
                 **(metadata or {})}
        asked = {key: value for key, value in asked.items() if value is not None}
        return {"issuer": provider.issuer, "scopes": provider.scopes, "algorithms": [asked["id_token_signed_response_alg"]],
                **provider.register(asked)}

    def started_with_two(self, kind):
        """A gateway with this provider as `first` and a fresh one of another kind as `second`."""
        self.second = kind(self.provider.cache, self.directory / "second")
        self.second.installed().start()
        gateway = self.gateway()
        two = {"first": self.provider, "second": self.second}
        return gateway.configure_several({name: self.registered(provider, f"{gateway.redirect_uri}/{name}") for name, provider in two.items()}).start()

    # ------------------------------------------------------------------ the person

    def sign_in(self, gateway, browser=None, path=DEEP, decline=False):
        """From the app's page through the provider and back; gives the browser, wherever it ended."""
        browser = browser or self.browser()
        self.to_provider(gateway, browser, path)
        self.provider.person(browser, lambda url: url.startswith(gateway.origin + "/"), decline)
        return browser

    def to_provider(self, gateway, browser, path=DEEP):
        """As far as the first page that the provider shows, or wherever it ends without one."""
        return browser.go(gateway.url(path))

    def signed_in(self, gateway, browser=None, path=DEEP):
        """Signs in, and `Failed` with what was seen if the app's page is not reached; gives browser and headers."""
        browser = self.sign_in(gateway, browser, path)
        return browser, self.at_app(gateway, browser, path)

    def at_app(self, gateway, browser, path=DEEP):
        headers = told(browser)
        if headers is None:
            raise Failed(self.seen(gateway, browser))
        if path and browser.url != gateway.url(path):
            raise Failed(f"ended at {browser.url}, not at the page that was asked for")
        return headers

    @staticmethod
    def seen(gateway, browser):
        if gateway.process and browser.url.startswith(gateway.origin):
            gateway.await_said(".", 1)
        text = re.sub(r"(?s)<(style|script).*?</\1>|<[^>]+>", " ", browser.text)
        text = re.sub(r"\s+", " ", text).strip()[:160]
        return f"{browser.status} at {browser.url.split('?')[0]}: {text} [{browser.trail()}] log: {gateway.said() or '-'}"


def authorization_request(browser, gateway=None):
    """The first request that this gateway (or any) sent to the provider, as the browser's history has it."""
    mine = urllib.parse.quote(gateway.redirect_uri, safe="") if gateway else ""
    return next(hop.url for hop in browser.hops if ("code_challenge=" in hop.url or "request_uri=" in hop.url) and mine in hop.url)


def callback_of(browser):
    """The last answer of the provider that came to the gateway's callback."""
    return [hop.url for hop in browser.hops if urllib.parse.urlsplit(hop.url).path == "/oauth2/callback"][-1]
