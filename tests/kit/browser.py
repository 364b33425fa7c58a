"""A browser without a window: cookies with their rules, redirects, forms, and pages that submit themselves.

Cookies follow RFC 6265bis as browsers of today do: by host, whatever the port; `Secure` counts as met on loopback;
`SameSite` is judged by the page that began the navigation, so a form that another site posts brings no `Lax` cookie.
"""
import http.client
import re
import ssl
import urllib.parse
from email.utils import parsedate_to_datetime
from datetime import datetime, timezone

from .html_forms import Page

REDIRECTS = (301, 302, 303, 307, 308)
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Hop:
    """One request and the head of its answer."""

    def __init__(self, method, url, status, location, body=None):
        self.method, self.url, self.status, self.location, self.body = method, url, status, location, body

    def __repr__(self):
        return f"{self.method} {self.url.split('?')[0]} {self.status}"


def site(url):
    """Scheme and registrable name, as far as the names of a test go."""
    u = urllib.parse.urlsplit(url)
    host = u.hostname or ""
    return u.scheme, host if re.fullmatch(r"[\d.]+", host) else ".".join(host.split(".")[-2:])


class Browser:
    def __init__(self, ca_file=None, names=None):
        """`names`: hosts that are to be found on loopback, as a hosts file would say."""
        self.tls = ssl.create_default_context(cafile=ca_file) if ca_file else ssl.create_default_context()
        self.names = names or {}
        self.cookies = {}                       # (host, path, name) -> (value, secure, same_site, host_only)
        self.hops = []
        self.url = self.text = ""
        self.status, self.headers, self.problem = 0, {}, None
        self.halt = None                        # `halt(url)`: where the network fails, so that nobody is asked there

    # ------------------------------------------------------------------ one request

    def request(self, method, url, body=None, headers=None, initiator=None, frame=False):
        """One request, no redirect followed. `initiator` is the page that asked for it; `None`: the person.

        `frame`: it is loaded into a frame of that page.
        """
        url = url.split("#")[0]
        u = urllib.parse.urlsplit(url)
        same = initiator is None or site(initiator) == site(url)
        relation = "none" if initiator is None else "same-origin" if u[:2] == urllib.parse.urlsplit(initiator)[:2] \
            else "same-site" if same else "cross-site"
        head = {"Accept": HTML, "Accept-Language": "en", "User-Agent": "Mozilla/5.0 (scripted)", "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": relation, "Sec-Fetch-User": "?1"}
        if frame:
            head.update({"Sec-Fetch-Dest": "iframe", "Sec-Fetch-User": None})
        cookies = self._cookies_for(u, method, same, frame)
        if cookies:
            head["Cookie"] = cookies
        if body is not None:
            head["Content-Type"] = "application/x-www-form-urlencoded"
            if initiator:
                head["Origin"] = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(initiator))
        head.update(headers or {})
        head = {name: value for name, value in head.items() if value is not None}
        address = self.names.get(u.hostname, u.hostname)
        if u.scheme == "https":
            connection = _Https(address, u.port, u.hostname, self.tls)
        else:
            connection = http.client.HTTPConnection(address, u.port, timeout=60)
        head.setdefault("Host", u.netloc)
        try:
            connection.request(method, (u.path or "/") + ("?" + u.query if u.query else ""), body, head)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self._keep(u, value)
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        location = self.headers.get("location")
        self.hops.append(Hop(method, url, answer.status, location, body))
        self.url, self.status, self.text = url, answer.status, data.decode("utf-8", "replace")
        return self

    # ------------------------------------------------------------------ cookies

    def _cookies_for(self, u, method, same, frame):
        secure = u.scheme == "https" or u.hostname in ("localhost", "127.0.0.1")
        out = []
        for (host, path, name), (value, needs_tls, same_site, host_only) in self.cookies.items():
            if host != u.hostname and (host_only or not u.hostname.endswith("." + host)):
                continue
            if not ((u.path or "/") + "/").startswith(path.rstrip("/") + "/") or (needs_tls and not secure):
                continue
            if not same and (same_site == "strict" or (same_site == "lax" and (frame or method != "GET"))):
                continue
            out.append((len(path), f"{name}={value}"))
        return "; ".join(pair for _, pair in sorted(out, key=lambda entry: -entry[0]))

    def _keep(self, u, line):
        pair, *rest = line.split(";")
        name, _, value = pair.strip().partition("=")
        a = {}
        for part in rest:
            key, _, text = part.strip().partition("=")
            a[key.lower()] = text.strip()
        path = a.get("path") or ""
        if not path.startswith("/"):
            path = u.path.rsplit("/", 1)[0] or "/"
        domain = a.get("domain", "").lstrip(".").lower()
        if domain and domain != u.hostname and not u.hostname.endswith("." + domain):
            return
        if name.startswith("__Host-") and (domain or path != "/" or "secure" not in a):
            return
        key = (domain or u.hostname, path, name)
        if _over(a):
            self.cookies.pop(key, None)
        else:
            self.cookies[key] = (value, "secure" in a, a.get("samesite", "lax").lower(), not domain)

    def cookie(self, host, name):
        return next((c[0] for (h, _, n), c in self.cookies.items() if h == host and n == name), None)

    def forget(self, host):
        self.cookies = {key: value for key, value in self.cookies.items() if key[0] != host}

    # ------------------------------------------------------------------ navigation

    def go(self, url, method="GET", body=None, initiator=None, headers=None):
        """Follows redirects and pages that lead on by themselves."""
        for _ in range(30):
            if self.halt and self.halt(url):
                self.url, self.status, self.text = url, 0, ""
                return self
            self.request(method, url, body, headers, initiator)
            location = self.headers.get("location")
            if self.status in REDIRECTS and location:
                url = urllib.parse.urljoin(self.url, location)
                if self.status not in (307, 308):
                    method, body = "GET", None
                continue
            page = self.page()
            if page.forms and page.submits:
                initiator = self.url
                url, method, body = self._filled(page.forms[0], [])
                continue
            if page.refresh:
                initiator = self.url
                url, method, body = urllib.parse.urljoin(self.url, page.refresh), "GET", None
                continue
            return self
        self.problem = "too many redirects"
        return self

    def page(self):
        return Page(self.text if "html" in self.headers.get("content-type", "html") else "")

    def _filled(self, form, buttons):
        pairs = [(name, value or "") for name, _, value in form.fields if name]
        action = form.action
        for button in buttons:
            action = button.action or action
            if button.name:
                pairs.append((button.name, button.value))
        url = urllib.parse.urljoin(self.url, action)
        text = urllib.parse.urlencode(pairs)
        if form.method == "post":
            return url, "POST", text
        return url.split("?")[0] + "?" + text, "GET", None

    def press(self, form, button=None, **more):
        """Submits a form of the page that is open, as pressing this button (or Enter) does."""
        url, method, body = self._filled(form, [button] if button else [])
        return self.go(url, method, body, initiator=self.url, **more)

    def follow(self, href, **more):
        return self.go(urllib.parse.urljoin(self.url, href), initiator=self.url, **more)

    def trail(self, last=4):
        return " > ".join(map(repr, self.hops[-last:]))


def _over(attributes):
    if "max-age" in attributes:
        return re.fullmatch(r"0+|-\d+", attributes["max-age"]) is not None
    try:
        when = parsedate_to_datetime(attributes["expires"])
    except (KeyError, ValueError, TypeError):
        return False
    return when.replace(tzinfo=when.tzinfo or timezone.utc) <= datetime.now(timezone.utc)


class _Https(http.client.HTTPConnection):
    """TLS to an address, with the certificate of a name."""

    def __init__(self, address, port, name, tls):
        super().__init__(address, port or 443, timeout=60)
        self.name, self.tls = name, tls

    def connect(self):
        super().connect()
        self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.name)
