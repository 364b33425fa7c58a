"""The OpenID Foundation's conformance suite as a server on loopback: its process, its database, TLS in front, its API."""
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import urllib.parse
import zipfile
from pathlib import Path

from kit import tls
from kit.processes import Failed, Process, free_port, run, until

HERE = Path(__file__).resolve().parent
MONGO = "de.bwaldvogel:mongo-java-server:1.47.0"
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>zengate.test</groupId><artifactId>mongo</artifactId><version>1</version>
<dependencies>
<dependency><groupId>de.bwaldvogel</groupId><artifactId>mongo-java-server</artifactId><version>1.47.0</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>2.0.17</version></dependency>
</dependencies></project>
"""


class Suite:
    """`built` is a folder with the built suite: its jar, or `classes` and `suite-lib`."""

    def __init__(self, built, home, gateway_ports):
        self.built, self.home = Path(built).resolve(), Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.port, self.mutual_port, self.plain, self.mongo_port = (free_port() for _ in range(4))
        self.url = f"https://127.0.0.1:{self.port}"       # another site than the gateway's https://localhost
        self.gateway_ports = gateway_ports                # {port with TLS: the gateway's port}
        self.ca_file = tls.certificates(self.home / "tls")
        self.context = ssl.create_default_context(cafile=self.ca_file)
        self.processes, self.jdk = [], None
        jars = [jar for jar in [*self.built.glob("*.jar"), *self.built.glob("target/*.jar")] if "test-suite" in jar.name]
        self.jar = jars[0] if jars else None
        if not self.jar and not (self.built / "classes").is_dir():
            raise Failed(f"{self.built} holds no built suite: neither its jar nor `classes` and `suite-lib` (tests/conformance/README.md)")

    def resource(self, name):
        if self.jar:
            with zipfile.ZipFile(self.jar) as jar:
                return jar.read("BOOT-INF/classes/" + name).decode()
        return (self.built / "classes" / name).read_text()

    @property
    def version(self):
        """What the suite was built from, as it says itself."""
        try:
            found = re.search(r"git.commit.id.abbrev=(\S+)", self.resource("git.properties"))
            return found.group(1)
        except (OSError, KeyError, AttributeError):
            return "unknown"

    # ------------------------------------------------------------------ processes

    def java(self):
        """A JDK of 21 or newer: JAVA_HOME_21, JAVA_HOME, the one on the path, or one that Debian installed."""
        if not self.jdk:
            homes = [os.environ.get("JAVA_HOME_21"), os.environ.get("JAVA_HOME"), *sorted(map(str, Path("/usr/lib/jvm").glob("*")))]
            for program in [shutil.which("java"), *(f"{home}/bin/java" for home in homes if home)]:
                if program and os.path.exists(program):
                    said = subprocess.run([program, "-version"], capture_output=True, text=True).stderr
                    found = re.search(r'version "(\d+)', said)
                    if found and int(found.group(1)) >= 21 and Path(program).with_name("javac").exists():
                        self.jdk = Path(program)
                        break
            else:
                raise Failed("no JDK of 21 or newer; JAVA_HOME_21 names one")
        return self.jdk

    def start(self):
        mongo = self.database()
        self.processes.append(Process([self.java(), "-Xmx512m", "-cp", f"{mongo}/classes:{mongo}/lib/*", "MongoMem", self.mongo_port],
                                      self.home / "mongo.log").listening(self.mongo_port, 60))
        mutual = {self.mutual_port: "ssl_verify_client optional_no_ca;"}
        self.processes.append(tls.front(self.home / "tls", {self.port: self.plain, self.mutual_port: self.plain, **self.gateway_ports}, mutual))
        program = ["-jar", self.jar] if self.jar else ["-cp", f"{self.built}/classes:{self.built}/suite-lib/*", "net.openid.conformance.Application"]
        keys = dict(re.findall(r"^fintechlabs\.(signingKey|privateLinkSigningKey)=(\S+)", self.resource("application-dev.properties"), re.M))
        nowhere = "https://127.0.0.1:9"                    # it would ask GitLab and Google for their metadata
        self.processes.append(Process(
            [self.java(), "-Xmx2g", "-XX:+UseSerialGC", "-Djdk.tls.maxHandshakeMessageSize=65536", *program,
             f"--server.port={self.plain}", "--server.address=127.0.0.1", "--fintechlabs.devmode=true", "--fintechlabs.startredir=false",
             f"--spring.mongodb.uri=mongodb://127.0.0.1:{self.mongo_port}/suite", f"--fintechlabs.base_url={self.url}",
             f"--fintechlabs.base_mtls_url=https://127.0.0.1:{self.mutual_port}", f"--oidc.gitlab.iss={nowhere}", f"--oidc.google.iss={nowhere}",
             *(f"--fintechlabs.{name}={value}" for name, value in keys.items())], self.home / "suite.log", cwd=self.home).listening(self.plain, 300))
        until(self.ready, 120, "the suite's first answer", every=1)
        return self

    def database(self):
        """An in-memory MongoDB of Maven Central, built once."""
        where = self.home / "mongo"
        if not (where / "classes" / "MongoMem.class").exists():
            (where / "classes").mkdir(parents=True, exist_ok=True)
            (where / "pom.xml").write_text(POM)
            run(["mvn", "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=where)
            run([self.java().with_name("javac"), "-cp", "lib/*", "-d", "classes", HERE / "MongoMem.java"], cwd=where)
        return where

    def ready(self):
        try:
            return self.call("GET", self.url + "/api/runner/available")[0] == 200
        except OSError:
            return False

    def stop(self):
        while self.processes:
            self.processes.pop().stop()

    # ------------------------------------------------------------------ its API

    def call(self, method, url, body=None, headers=None):
        u = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(u.hostname, u.port, context=self.context, timeout=60)
        try:
            connection.request(method, u.path + ("?" + u.query if u.query else ""), body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def api(self, method, path, query=None, value=None):
        url = f"{self.url}/api/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        status, _, data = self.call(method, url, None if value is None else json.dumps(value), {"Content-Type": "application/json"})
        if status >= 300:
            raise Failed(f"{method} {path}: {status} {data[:300]!r}")
        return json.loads(data) if data else None

    def wait(self, test, states, seconds):
        """How a module stands as soon as it is in one of these states, or after so many seconds."""
        info = {}

        def question():
            info.update(self.api("GET", "info/" + test))
            return info["status"] in states
        try:
            until(question, seconds, "", every=0.25)
        except Failed:
            pass
        return info

    def asks_to_visit(self, test, seconds=8):
        """Addresses that the module wants a person to open."""
        def question():
            told = self.api("GET", "runner/browser/" + test)
            return told.get("urls") or [entry["url"] for entry in told.get("urlsWithMethod", [])]
        try:
            return until(question, seconds, "", every=0.25)
        except Failed:
            return []

    def visited(self, test, url):
        self.api("POST", f"runner/browser/{test}/visit", {"url": url})
