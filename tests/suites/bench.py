"""What every suite stands on: a gateway before an app, and rows of figures."""
import types

from kit.gateway import Gateway
from kit.processes import Failed, Process, free_port
from kit.tls import certificates
from kit.token_issuer import TokenIssuer

AUDIENCE = "suites"
NOBODY = types.SimpleNamespace(address="127.0.0.1:1")       # the routes name their apps


class Unavailable(Exception):
    """The suite, or something that it needs, cannot be had here."""


class Bench:
    def __init__(self, name, binary, cache, directory):
        self.name, self.binary, self.cache, self.directory = name, binary, cache, directory
        directory.mkdir(parents=True, exist_ok=True)
        self.rows, self.skipped, self.processes, self.gateways = [], [], [], []
        self.tokens = None

    def install(self, how, *what, **more):
        try:
            return how(*what, **more)
        except (Failed, OSError) as why:
            raise Unavailable(str(why).strip().splitlines()[-1][:160]) from why

    def start(self, command, port, seconds=60, **more):
        process = Process(command, self.directory / f"program-{len(self.processes)}.log", cwd=self.directory, **more)
        self.processes.append(process)
        return process.listening(port, seconds)

    def port(self):
        return free_port()

    def token(self):
        return self.tokens.token("program-7", AUDIENCE)

    def authority(self):
        """The authority of the certificate for `localhost` that TLS listeners have."""
        return certificates(self.directory / "tls")

    def gateway(self, routes, tls_port=None, h2c_port=None, **settings):
        """A gateway with these routes: plain HTTP/1.1 at its `port`, further listeners where they are asked for. Sign-ins lead nowhere."""
        self.tokens = self.tokens or TokenIssuer(self.directory)
        gateway = Gateway(self.binary, self.directory / f"gateway-{len(self.gateways)}", NOBODY)
        nowhere = "https://issuer.example.test"
        oidc = {"issuer": nowhere, "client_id": "suites", "client_secret": "of-nobody-at-all-0123456789abcdef",
                "endpoints": {"authorization": f"{nowhere}/a", "token": f"{nowhere}/t", "jwks": f"{nowhere}/k"}}
        bearer = {"issuers": [{"issuer": self.tokens.issuer, "audiences": [AUDIENCE], "jwks_uri": f"{self.tokens.issuer}/keys"}]}
        routes = [{"host": host, **route} for route in routes for host in ("localhost", "127.0.0.1")]
        limits = {"connections_per_client": 10000, "connections": 10000}
        if tls_port or h2c_port:
            self.authority()
            files = {"certificate": str(self.directory / "tls/server.pem"), "key": str(self.directory / "tls/server.key")}
            settings["listeners"] = [{"address": f"127.0.0.1:{gateway.port}"}]
            if tls_port:
                settings["listeners"].append({"address": f"127.0.0.1:{tls_port}", "tls": {"certificates": [files]}})
            if h2c_port:
                settings["listeners"].append({"address": f"127.0.0.1:{h2c_port}", "h2c": True})
        gateway.configure(oidc, routes=routes, bearer=bearer, limits=limits, log={"level": "info"}, **settings)
        self.gateways.append(gateway)
        return gateway.start()

    def row(self, what, passed, of, failed=()):
        self.rows.append((what, passed, of, list(failed)))

    def skip(self, why):
        self.skipped.append(why)

    def end(self):
        for gateway in self.gateways:
            gateway.stop()
        while self.processes:
            self.processes.pop().stop()
