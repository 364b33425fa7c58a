"""h2spec: the frames, the compression and the meaning of HTTP/2, as a client that does not keep to the rules sends them."""
import re
import subprocess
import xml.etree.ElementTree

from app import App

TITLE = "h2spec 2.2.1"
ABOUT = """
Cases of RFC 7540 and RFC 7541, most of them with something that a client must not do, against the gateway's listener with TLS and the one
without (h2c).
"""
PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"


EXPLAINED = {"Sends invalid connection preface": "*Sends invalid connection preface* (3.5): a listener with `h2c` speaks HTTP/1.1 as well, so what does not begin "
             "as HTTP/2 is answered in HTTP/1.1; the suite waits for frames of HTTP/2, or the end of the connection."}


def run(bench):
    program = bench.install(bench.cache.go_install, PACKAGE)
    app = App()
    tls, plain = bench.port(), bench.port()
    bench.gateway([{"access": "anonymous", "upstream": f"http://127.0.0.1:{app.port}"}], tls_port=tls, h2c_port=plain)
    for what, port, more in (("TLS", tls, ["--tls", "--insecure"]), ("h2c", plain, [])):
        report = bench.directory / f"{what}.xml"
        with open(bench.directory / f"{what}.log", "w") as log:
            subprocess.run([program, "-h", "localhost", "-p", str(port), *more, "--path", "/echo", "--timeout", "3", "--strict", "--junit-report", report], stdout=log, stderr=log, timeout=900)
        cases = [(suite, case) for suite in xml.etree.ElementTree.parse(report).iter("testsuite") for case in suite.iter("testcase")]
        failed = [f"{suite.get('package')} {case.get('classname')}: {reason(case)}" for suite, case in cases if case.find("failure") is not None or case.find("error") is not None]
        skipped = sum(case.find("skipped") is not None for _, case in cases)
        bench.row(what, len(cases) - len(failed) - skipped, len(cases) - skipped, failed)


def reason(case):
    found = case.find("failure") if case.find("failure") is not None else case.find("error")
    return re.sub(r"\s+", " ", found.text or "")[:300]
