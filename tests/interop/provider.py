"""What every provider of the suite is: how it is installed, started, told of a client, and how a person signs in there."""
import collections
import json
import re
import threading
import urllib.request
from pathlib import Path

from kit.processes import Process, free_port

PERSON = {"username": "maya", "password": "correct-horse-7", "email": "maya@example.org", "name": "Maya Lindqvist"}

YES = re.compile(r"allow|accept|agree|approve|authori[sz]e|grant|consent|continue|confirm|permit|submit|yes|sign.?in|log.?in|next|ok", re.I)
LEAVE = re.compile(r"log.?out|sign.?out|yes|confirm|continue", re.I)
NO = re.compile(r"deny|cancel|reject|decline|refuse|\bno\b|abort|forgot|register|sign.?up|reset|logout|sign.?out|passkey|webauthn|delete", re.I)

INSTALLING = collections.defaultdict(threading.Lock)


class Unsupported(Exception):
    """The provider cannot do this, or is not set up for it. The text says why."""


class Provider:
    name = ""
    package = ""                                    # what it is and where it comes from, with its version
    scopes = ["openid", "profile", "email"]
    claims = {"email": PERSON["email"]}             # what the app must be told of the person
    algorithms = ["RS256"]
    groups = None                                   # (claim, a value that the person has, scope or None)
    asks = True                                     # whether it asks for a password at all
    assertion = {}                                  # keys that private_key_jwt needs here beside `client_keys`
    nested = None                                   # the same, for a claim inside another
    many_groups = None                              # the same, the last of five hundred values of 64 letters
    https = False                                   # whether it takes only https, and a name that is not loopback's

    def __init__(self, cache, directory):
        self.cache, self.directory = cache, Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.processes = []

    # ------------------------------------------------------------------ life

    def install(self):
        raise NotImplementedError

    def installed(self):
        """Installs it, if that is not done yet, while nobody else does: it may be another's second provider."""
        with INSTALLING[self.name]:
            self.install()
        return self

    def start(self):
        raise NotImplementedError

    def spawn(self, command, label=None, port=None, seconds=90, **more):
        """Starts a process of this provider and waits for its port."""
        process = Process(command, self.directory / f"{label or self.name}.log", cwd=more.pop("cwd", self.directory), **more)
        self.processes.append(process)
        return process.listening(port or self.port, seconds)

    def stop(self):
        while self.processes:
            self.processes.pop().stop()

    def restart(self):
        """Ends and starts it again, with what it knew."""
        self.stop()
        self.start()

    # ------------------------------------------------------------------ clients

    def register(self, metadata):
        """Makes a client of registration metadata (RFC 7591); gives the keys of `provider.oidc` that go with it."""
        return self.register_dynamically(metadata)

    def register_dynamically(self, metadata, headers=None):
        endpoint = self.discover()["registration_endpoint"]
        got = self.post_json(endpoint, {"client_name": "zengate", "application_type": "web", **metadata}, headers)
        keys = {"client_id": got["client_id"]}
        if got.get("client_secret") and metadata.get("token_endpoint_auth_method") not in ("none", "private_key_jwt"):
            keys["client_secret"] = got["client_secret"]
        return keys

    def discover(self):
        return self.get_json(self.issuer.rstrip("/") + "/.well-known/openid-configuration")

    @staticmethod
    def only(metadata, *supported, **values):
        """Refuses metadata that this provider's registration cannot express."""
        for key, value in metadata.items():
            if key not in supported and key not in ("redirect_uris", "grant_types", "response_types", "scope"):
                if values.get(key) is None or value not in values[key]:
                    raise Unsupported(f"cannot register {key}: {value}" if isinstance(value, str) else f"cannot register {key}")

    # ------------------------------------------------------------------ the person

    def login(self, browser, page, form):
        """Fills a form that asks who the person is; whether this was one."""
        kinds = form.types()
        if "password" in kinds:
            for entry in form.fields:
                if entry[1] in ("text", "email"):
                    entry[2] = self.login_name()
            form.fill("password", self.login_password())
            return True
        return False

    def login_name(self):
        return PERSON["username"]

    def login_password(self):
        return PERSON["password"]

    def person(self, browser, stop, decline=False):
        """Does what the pages of the provider ask for, until the browser is where `stop(url)` says."""
        for _ in range(8):
            if stop(browser.url):
                return browser
            page = browser.page()
            if not self.act(browser, page, decline):
                return browser
        return browser

    def act(self, browser, page, decline):
        """One page; whether there was something to do."""
        for form in page.forms:
            if self.login(browser, page, form):
                browser.press(form, button_of(form, YES))
                return True
        wanted, other = (NO, YES) if decline else (YES, NO)
        for form in page.forms:
            button = button_of(form, wanted, other)
            if button:
                browser.press(form, button)
                return True
        links = [href for href, text in page.links if decline and NO.search(text)]
        if links:
            browser.follow(links[0])
        return bool(links)

    # ------------------------------------------------------------------ what only some can do

    offline_scopes = []                             # what a refresh token must be asked for with
    offline = {}                                    # further keys of `provider.oidc` that it takes
    recheck = {}                                    # keys of `sessions` without which a re-check does not do here what it is for

    def further_audience(self, scene):
        """An audience that the provider can be told to put into ID tokens beside the client."""
        raise Unsupported("ID tokens are for one client")

    def end_session(self, browser):
        """The person signs out at the provider itself."""
        browser.go(self.discover()["end_session_endpoint"])
        for _ in range(3):
            form = next((form for form in browser.page().forms if button_of(form, LEAVE)), None)
            if not form:
                return
            browser.press(form, button_of(form, LEAVE))

    def rotate_keys(self):
        raise Unsupported("keys are not changed from outside")

    def disable_person(self):
        raise Unsupported("the person is not disabled from outside")

    # ------------------------------------------------------------------ its own interface

    @staticmethod
    def call(method, url, body=None, headers=None, timeout=60):
        request = urllib.request.Request(url, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {url}: {error.code} {error.read()[:400]!r}") from None

    def get_json(self, url, headers=None):
        return json.loads(self.call("GET", url, headers=headers))

    def post_json(self, url, value, headers=None, method="POST"):
        data = self.call(method, url, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})
        return json.loads(data) if data else None


def button_of(form, wanted, other=None):
    """The button that says yes (or no), by its label, name or value; the only one where a form has one."""
    def says(pattern, button):
        return any(pattern.search(text or "") for text in (button.label, button.value, button.name))
    for button in form.buttons:
        if says(wanted, button) and not (other and says(other, button)):
            return button
    if len(form.buttons) == 1 and not (other and says(other, form.buttons[0])):
        return form.buttons[0]
    return None
