"""What a person does for each module: signs in, opens what the suite asks for, signs out."""
import html
import re
import time
import urllib.parse

from kit.app import told
from kit.browser import Browser

PAGE = "/wiki/page?x=1"


class Walk:
    def __init__(self, suite, gate):
        self.suite, self.gate = suite, gate           # `gate`: the gateway's origin
        self.browser = Browser(suite.ca_file)
        self.notes, self.framed = [], None            # `framed`: how the gateway answered in a frame

    def signed_in(self):
        return told(self.browser) is not None

    def module(self, module, test):
        """Walks through one module; whether the person is signed in at its end (`None`: nobody was to sign in)."""
        if re.search("discovery-(openid-config|jwks-uri-keys)$", module):
            # These are over when the metadata (and the keys) have been asked for, which the gateway does as it starts;
            # any request after that counts against the relying party.
            time.sleep(1.5)
            self.notes.append("nobody signs in: the module ends at discovery, which the gateway does as it starts")
            return None
        if "3rd-party-init" in module:
            for url in self.suite.asks_to_visit(test)[:1]:
                self.suite.visited(test, url)
                self.browser.go(url)
            return self.signed_in()
        self.browser.go(self.gate + PAGE)
        self.notes.append("signed in" if self.signed_in() else f"ended {self.browser.status} at {self.browser.url.split('?')[0]}")
        if module.endswith("signing-key-rotation"):
            self.browser = Browser(self.suite.ca_file)
            self.browser.go(self.gate + PAGE)
        elif "frontchannel-opinit" in module:
            for url in self.suite.asks_to_visit(test)[:1]:
                self.suite.visited(test, url)
                self.browser.go(url)
                self.frame()
            self.afterwards()
        elif "logout" in module and self.signed_in():
            self.sign_out()
            self.afterwards()
        elif "refresh-token" in module:
            time.sleep(62)         # the shortest time after which the gateway asks the provider again is a minute
            for _ in range(3):     # not followed: another sign-in would ask for userinfo, which the suite takes for the refresh's
                self.browser.request("GET", self.gate + "/wiki/again")
                time.sleep(1)
        return self.signed_in()

    def sign_out(self):
        """Our sign-out page and its forms, as far as they lead, and the suite's page with a frame after it."""
        self.browser.go(self.gate + "/oauth2/sign_out")
        for _ in range(3):
            form = next((form for form in self.browser.page().forms if form.method == "post"), None)
            if not form or not self.browser.url.startswith(self.gate):
                break
            self.browser.press(form, form.buttons[0] if form.buttons else None)
        self.notes.append("sign-out led over " + self.browser.trail())
        self.frame()

    def frame(self):
        """The suite's page that loads our front-channel address in a frame, and then says so."""
        source = re.search(r"iframe\.src = '([^']+)'", self.browser.text)
        after = re.search(r"let url = '([^']+)'", self.browser.text)
        if not source or not after:
            return
        # The suite writes `&amp;` inside a script, and a sid that is not percent-encoded. Put right here, or no relying
        # party could find the session.
        address = re.sub(r"\\(.)", r"\1", html.unescape(source.group(1)))
        if "&sid=" in address:
            address, sid = address.split("&sid=", 1)
            address += "&sid=" + urllib.parse.quote(sid, safe="")
        page = self.browser.url
        self.browser.request("GET", address, initiator=page, frame=True)
        self.framed = self.browser.status
        self.notes.append(f"the frame was answered {self.framed}")
        self.suite.call("GET", after.group(1).replace("\\/", "/") + "?loaded=true")

    def afterwards(self):
        """Whether the session is over, asked without following: another authorization request would spoil the module."""
        self.browser.request("GET", self.gate + "/wiki/after")
        self.notes.append(f"afterwards the app's page answers {self.browser.status}")
