"""What every app of the suite is put behind: simulated carriers, an issuer of tokens for programs, and a gateway of its own.

The carriers are those of `zengate demo`. They know one address that they lead people back to, the demo gateway's on 127.0.0.1; the
gateways of the suite take its place on the same port of other loopback addresses, and the suite's browser finds `localhost` there.
"""
import itertools
import re
import socket
from pathlib import Path

from kit.browser import Browser
from kit.gateway import Gateway, UnknownKey
from kit.processes import Failed, Process, free_port, until
from kit.token_issuer import TokenIssuer

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "apps"
PERSON, NAME = "jun", "Jun Park"
AUDIENCE = "apps"
PORTS_OF_THE_DEMO = 9

COMMON = """public_url: http://localhost:{port}
listen: {address}:{port}
admin_listen: {address}:{admin_port}
provider:
  zenkey:
    client_id: ccid-demo0123456789ab
    client_secret: demo-secret-known-to-everybody
    discovery_issuer: http://127.0.0.1:{discovery}
    discovery_ui: http://127.0.0.1:{discovery_ui}/ui/discovery-ui
    trusted_issuers: ['http://127.0.0.1:{carrier}']
    scopes: [openid, name, email]
  allow_private_addresses: true
bearer:
  issuers:
    - {{ issuer: '{issuer}', audiences: [{audience}], jwks_uri: '{issuer}/keys' }}
sessions: {{ store: memory }}
sign_in: {{ starts_per_minute: 0 }}
"""


def block_of(page):
    """The `routes:` of a page, as an operator pastes them; what else the block sets comes with it."""
    text = (PAGES / f"{page}.md").read_text()
    blocks = [block for block in re.findall(r"^```yaml\n(.*?)^```", text, re.S | re.M) if re.search(r"^routes:", block, re.M)]
    if len(blocks) != 1:
        raise Failed(f"docs/apps/{page}.md: {len(blocks)} blocks with routes, not one")
    return blocks[0]


class Stage:
    def __init__(self, binary, directory):
        self.binary, self.directory = str(binary), Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = _free_row(PORTS_OF_THE_DEMO)
        log = self.directory / "carriers.log"
        log.write_text("")
        self.carriers = Process([self.binary, "demo", "--port", self.port], log)
        try:
            until(lambda: self._up(log), 60, f"{log}: the carriers are up")
        except Failed:
            self.carriers.stop()
            raise
        self.tokens = TokenIssuer(self.directory)
        self.addresses = (f"127.0.0.{last}" for last in itertools.count(2))

    def _up(self, log):
        if self.carriers.child.poll() is not None:
            raise Failed(f"{log}: ended: {self.carriers.tail(400)}")
        return "Ctrl-C" in log.read_text(errors="replace")

    def gate(self, page, ports):
        """A gateway with the block of a page; `ports` says where what the block names as its port really listens."""
        return Gate(self, page, ports).start()

    def check_pages(self):
        """Every page whose block the gateway refuses, with what it says."""
        faults = {}
        for page in sorted(file.stem for file in PAGES.glob("*.md") if file.stem != "README"):
            try:
                Gate(self, page, {}).check()
            except (Failed, UnknownKey) as fault:
                faults[page] = str(fault)
        return faults

    def stop(self):
        self.carriers.stop()


def _free_row(count):
    """The first of so many ports in a row that nobody listens on."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except (OSError, OverflowError):
            continue


class Gate(Gateway):
    def __init__(self, stage, page, ports):
        self.stage, self.address = stage, next(stage.addresses)
        super().__init__(stage.binary, stage.directory / page, None, public_url=f"http://localhost:{stage.port}", port=stage.port)
        self.programs = f"http://{self.address}:{self.port}"       # where programs find it: names of loopback are the browser's
        text = COMMON.format(port=self.port, address=self.address, admin_port=self.admin_port, discovery=self.port + 1,
                             discovery_ui=self.port + 2, carrier=self.port + 4, issuer=stage.tokens.issuer, audience=AUDIENCE)
        self.write("zengate.yaml", text + self._placed(block_of(page), ports))

    def _placed(self, block, ports):
        """The block with the hosts and ports of this machine: each route for people's browsers, and once more for programs."""
        for written, real in ports.items():
            if f"127.0.0.1:{written}" not in block:
                raise Failed(f"the block names no 127.0.0.1:{written}")
            block = block.replace(f"127.0.0.1:{written}", f"127.0.0.1:\0{real}")
        block = block.replace("\0", "")
        before, routes, after = re.fullmatch(r"(.*?^)routes:\n((?:[ \t#].*\n|\n)*)(.*)", block, re.S | re.M).groups()
        host = re.compile(r"[\w-]+\.example\.com")
        return f"{before}{after}routes:\n{host.sub('localhost', routes)}{host.sub(self.address, routes)}"

    def browser(self):
        """Somebody who is not signed in."""
        return Browser(names={"localhost": self.address})

    def signed_in(self, path="/"):
        """A browser whose person signed in on the way to this page."""
        browser = self.browser()
        browser.go(self.url(path))
        for _ in range(4):
            if browser.url.startswith(self.origin):
                break
            form = browser.page().forms[0]
            button = next((one for one in form.buttons if one.value == PERSON), None) or \
                next((one for one in form.buttons if re.match("agree", one.label, re.I)), None)
            if not button:
                raise Failed(f"nothing to press at {browser.url}: {form}")
            browser.press(form, button)
        if not browser.cookie("localhost", "__Host-gw"):
            raise Failed(f"nobody is signed in: {browser.trail()}: {browser.text[:300]}")
        return browser

    def token(self):
        """An access token for a program."""
        return self.stage.tokens.token("program-7", AUDIENCE)

    def cookies(self, browser):
        """The `Cookie` that this browser sends to the gateway."""
        return "; ".join(f"{name}={value[0]}" for (host, _, name), value in browser.cookies.items() if host == "localhost")

    def sign_out(self, browser):
        answer = browser.request("POST", self.url("/oauth2/sign_out"), "", {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}, initiator=self.url("/"))
        if answer.status not in (200, 302, 303):
            raise Failed(f"sign-out: {answer.status} {answer.text[:200]}")
