"""The gateway under test: its configuration, its process, and what it says."""
import base64
import json
import os
import re
import signal
import subprocess
import urllib.request

from .processes import Failed, PortTaken, Process, free_port, until

SECRET = "a-secret-of-more-than-32-characters-0123456789"


class UnknownKey(Exception):
    """This build of the gateway does not know a configuration key, so it lacks the feature."""


class Gateway:
    """One running gateway with one issuer, in front of one app.

    The port is drawn before the start, because a provider must know the redirect URI first.
    """

    def __init__(self, binary, directory, app, public_url=None, port=None):
        self.binary, self.directory, self.app = binary, str(directory), app
        os.makedirs(directory, exist_ok=True)
        self.port, self.admin_port = port or free_port(), free_port()
        self.origin = public_url or f"http://localhost:{self.port}"
        self.host = re.sub(r"^https?://|:\d+$", "", self.origin)
        self.process = None
        self.starts = 0

    def url(self, path):
        return self.origin + path

    @property
    def redirect_uri(self):
        return self.url("/oauth2/callback")

    def configure(self, oidc, provider=None, route=None, **rest):
        """Writes the configuration: keys of `provider.oidc`, of `provider`, of the one protected route, and others."""
        if not isinstance(oidc.get("client_secret"), str):   # nothing to seal sessions with but a key of its own
            rest = self.with_session_key(rest)
        return self.write_configuration({"provider": self.block(oidc, provider)}, route, rest)

    def configure_several(self, several, route=None, **rest):
        """The same with several providers: their `oidc` by their ids, which are their names too."""
        blocks = [{"id": name, "name": name.capitalize(), **self.block(oidc, file=f"client_secret_{name}")} for name, oidc in several.items()]
        return self.write_configuration({"providers": blocks}, route, self.with_session_key(rest))

    def block(self, oidc, provider=None, file="client_secret"):
        oidc = dict(oidc)
        if isinstance(oidc.get("client_secret"), str):
            self.write(file, oidc["client_secret"] + "\n")
            oidc["client_secret"] = {"file": file}
        return {"allow_private_addresses": True, **(provider or {}), "oidc": oidc}

    def with_session_key(self, rest):
        self.write("session_key", base64.b64encode(os.urandom(32)).decode() + "\n")
        return {**rest, "sessions": {"keys": [{"file": "session_key"}], **rest.get("sessions", {})}}

    def write_configuration(self, providers, route, rest):
        headers = {"preset": ["x-auth-request", "remote-user"], "map": {"X-Issuer": "iss", "X-Subject": "sub", "X-Name": "name"}}
        protected = {"host": self.host, "access": "session", "upstream": f"http://{self.app.address}", "identity_headers": headers}
        protected.update(route or {})
        config = {
            "public_url": self.origin,
            "listen": f"127.0.0.1:{self.port}",
            "admin_listen": f"127.0.0.1:{self.admin_port}",
            **providers,
            "routes": [protected],
            "sessions": {"store": "memory"},
            "sign_in": {"starts_per_minute": 0},
            "trusted_proxies": ["127.0.0.0/8"] if self.origin.startswith("https") else [],
            "log": {"level": "debug"},
        }
        if "listeners" in rest:
            del config["listen"]
        for key, value in rest.items():
            config[key] = {**config[key], **value} if isinstance(config.get(key), dict) else value
        self.write("zengate.yaml", json.dumps(config, indent=1) + "\n")      # JSON is YAML
        return self

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
        return path

    def check(self):
        """Asks the gateway whether its configuration is without faults."""
        config = os.path.join(self.directory, "zengate.yaml")
        command = [self.binary, "check", "--offline", "--config", config]       # nobody's first request is a check's
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if checked.returncode:
            said = checked.stdout + checked.stderr
            unknown = re.findall(r"([\w.\[\]]+): unknown key", said)
            if unknown:
                raise UnknownKey(", ".join(unknown))
            raise Failed("the configuration is refused: " + said.strip()[-600:])
        return config

    def start(self):
        config = self.check()
        self.starts += 1
        self.log = os.path.join(self.directory, f"zengate-{self.starts}.log")
        open(self.log, "w").close()
        self.process = Process([self.binary, "serve", "--config", config], self.log)
        until(self.up, 20, f"{self.log}: the gateway is up")
        self.process.listening(self.port, 20)
        return self

    def up(self):
        """Whether it says that it is up: somebody listens on its port even where another program has it."""
        ended = self.process.child.poll() is not None
        with open(self.log, errors="replace") as file:
            said = file.read()
        if "Address already in use" in said:
            raise PortTaken(said[-300:])
        if ended:
            raise Failed(f"{self.log}: ended:\n{said[-1500:]}")
        return "The gateway is up" in said

    def stop(self):
        if self.process:
            self.process.signal(signal.SIGTERM)
            self.process.stop(5)
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def events(self):
        with open(self.log, errors="replace") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                yield event.get("level"), event.get("fields", event)

    def said(self, last=3):
        """The last lines that tell why something did not go well."""
        out = []
        for level, fields in self.events():
            if (level in ("WARN", "ERROR") or fields.get("reason")) and not fields.get("message", "").startswith((self.directory, "Memory or")):
                more = " ".join(f"{key}={value}" for key, value in fields.items() if key in ("code", "reason", "error", "description", "issuer", "address"))
                out.append(f"{fields.get('message', '')} {more}".strip())
        return " | ".join(out[-last:])

    def await_said(self, pattern, seconds=3):
        """Whether such a line is among those, or comes within so many seconds: the log is written behind the answers."""
        try:
            return until(lambda: re.search(pattern, self.said(20)), seconds, "")
        except Failed:
            return None

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def await_line(self, pattern, seconds=10):
        return until(lambda: re.search(pattern, open(self.log, errors="replace").read()), seconds, f"log line {pattern}")


def new_key(binary, directory):
    """A key for `private_key_jwt`, made as an operator makes one: its file, and the public half as a key set."""
    os.makedirs(directory, exist_ok=True)
    file = os.path.join(directory, "client-key.pem")
    if os.path.exists(file):
        os.remove(file)
    made = subprocess.run([binary, "keys", "--out", file], capture_output=True, text=True, timeout=60)
    if made.returncode:
        raise UnknownKey("the command zengate keys")
    return file, json.loads(made.stdout)
