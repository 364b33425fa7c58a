#!/usr/bin/env python3
"""Walks through everything that the demo shows, in a real Chromium, as a person would: `make demo-walk`."""
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from kit.chromium import Chromium  # noqa: E402

# Something to click on that begins with what a person looks for.
FIND = """(() => {
  const all = [...document.querySelectorAll('button, a')];
  const found = all.find(one => new RegExp(%s, 'i').test((one.innerText || '').trim()));
  if (!found) return null;
  found.click();
  return found.innerText;
})()"""


class Walk:
    def __init__(self, port):
        self.base = f"http://localhost:{port}"
        self.browser = Chromium()
        self.failed = []

    def go(self, path):
        self.browser.go(self.base + path)

    def text(self, of=None):
        if of is None:
            return self.browser.text
        return self.browser.evaluate(f"(document.getElementById({json.dumps(of)}) || {{}}).innerText") or ""

    def click(self, what):
        clicked = self.browser.evaluate(FIND % json.dumps(what))
        self.browser.settle()
        return clicked

    def sign_in(self, person, factor="pin", keep_back=()):
        """Picks a phone if asked, and agrees on it, until the browser is back."""
        for _ in range(8):
            if self.browser.url.startswith(self.base):
                return
            for attribute in keep_back:
                self.browser.evaluate(f"(document.getElementById('share-{attribute}') || {{}}).checked = false")
            self.browser.evaluate(f"(document.querySelector('input[name=factor][value={factor}]') || {{}}).checked = true")
            if not self.click(f"^agree|^{person}"):
                return

    def see(self, what, holds):
        print(("seen     " if holds else "NOT SEEN ") + what, flush=True)
        if not holds:
            self.failed.append(what)
            print("         " + re.sub(r"\s+", " ", f"{self.browser.url}: {self.text()}")[:600], flush=True)

    def walk(self):
        self.go("/try")
        self.sign_in("maya", "approve", ["postal_code"])
        self.see("a sign-in with a tap", "Things to try" in self.text())
        self.go("/safe?drawer=3")
        self.sign_in("maya", "pin", ["postal_code"])
        self.see("a step-up, and back to the very page", self.browser.url.endswith("/safe?drawer=3") and "a3" in self.text("who"))
        self.go("/post-room")
        self.see("what a page needs, and what for", "The wiki sends your parcels there." in self.text())
        self.click("share it")
        self.sign_in("maya")
        self.see("the page, after it was shared", self.browser.url.endswith("/post-room") and "You are signed in" in self.text())
        self.go("/try")
        self.click("lend berth")
        self.see("a question in the browser", "Lend berth 12 to the Marlin" in self.text())
        self.click("go on to")
        self.sign_in("maya")
        self.see("its receipt", "approved" in self.text("said") and '"browser"' in self.text("receipt"))
        self.go("/try")
        self.click("open the fuel")
        self.see("a question on the phone, waiting", "waiting" in self.text("said"))
        self.browser.go(self.browser.evaluate("[...document.querySelectorAll('a')].find(one => one.innerText == 'The phone').href"))
        self.click("agree")
        for _ in range(20):
            self.go("/try/approval")
            if "approved" in self.text("said"):
                break
            time.sleep(0.2)
        self.see("its receipt", "approved" in self.text("said") and '"phone"' in self.text("receipt"))
        self.go("/try")
        self.click("link my account")
        self.sign_in("maya")
        self.click("link them")
        self.browser.settle()
        self.see("an account that is linked", self.text("x-harbour-account") == "harbour-7")
        person = self.text("x-harbour-person")
        self.go("/try")
        self.click("sign in by the app")
        self.see("an app on a phone", "x-zenkey-sub" in self.text("native"))
        self.go("/try")
        self.click("move to vireo")
        self.click("sign in with wyn")
        self.sign_in("wyn")
        self.see("the same account at another carrier", self.text("x-harbour-account") == "harbour-7")
        self.see("and the same person", person and self.text("x-harbour-person") == person)
        self.go("/try")
        self.click("swap my sim")
        self.see("a SIM swap, told", "answered 202" in self.text("said"))
        self.go("/tides")
        self.see("nobody is signed in by then", not self.browser.url.startswith(self.base))
        self.sign_in("wyn")
        self.see("a sign-in after it", "You are signed in" in self.text())
        self.go("/try/wire")
        wire = self.text()
        self.see("what was said on the wire", "code_verifier" in wire and "(signed)" in wire and "characters)" in wire)
        self.see("without the secret", "demo-secret" not in wire)
        # A refusal is a page, and its status is no fault of it.
        wrong = [line for line in self.browser.complaints() if "status of 403" not in line]
        self.see(f"nothing that the browser complains of {wrong}", not wrong)


def main():
    port = sys.argv[1] if len(sys.argv) > 1 else "42180"
    demo = subprocess.Popen([os.path.join(ROOT, "target/debug/zengate"), "demo", "--port", port], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in demo.stdout:
        if "Ctrl-C" in line:
            break
    else:
        sys.exit("the demo did not start")
    walk = Walk(port)
    try:
        walk.walk()
    finally:
        walk.browser.close()
        demo.terminate()
        demo.communicate(timeout=20)
    if walk.failed:
        sys.exit(f"not seen: {', '.join(walk.failed)}")
    print("all of it was seen")


if __name__ == "__main__":
    main()
