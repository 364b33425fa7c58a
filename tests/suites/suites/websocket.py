"""The Autobahn testsuite for WebSockets: its fuzzing client against its own server, directly and through the gateway."""
import json
import os
import shutil
import subprocess
from pathlib import Path

from bench import Unavailable

TITLE = "Autobahn testsuite 0.8.2"
ABOUT = """
Its fuzzing client against its own echo server (both of the package, which needs Python 2.7), once directly and once through the gateway.
A case counts as passed if the gateway's result is the one that the server has without it, or better. Left out for their length: 9.7, 9.8, and of
the 216 cases of compression those that repeat the first of their group with other sizes of the window (12.2 to 12.5, 13.2 to 13.7).
"""
LEFT_OUT = [f"{group}.*" for group in ("9.7", "9.8", "12.2", "12.3", "12.4", "12.5", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7")]
START = "import site, sys; site.addsitedir({0!r}); sys.path.insert(0, {0!r}); from autobahntestsuite.wstest import run; run()"
ORDER = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED"]


def python2():
    """A Python 2.7, for which this suite is written."""
    named = [os.environ.get("ZENGATE_PYTHON2"), shutil.which("python2.7"), *(Path.home() / ".pyenv/versions").glob("2.7*/bin/python")]
    for python in filter(None, named):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return str(python)
    raise Unavailable("no Python 2.7 with pip here (ZENGATE_PYTHON2 names one)")


def run(bench):
    python = python2()
    where = bench.install(bench.cache.pip_folder, "autobahn", python, ["autobahntestsuite==0.8.2"])
    start = [python, "-c", START.format(str(where))]
    port = bench.port()
    bench.start([*start, "-m", "testeeserver", "-w", f"ws://127.0.0.1:{port}"], port)
    gateway = bench.gateway([{"access": "anonymous", "websocket": True,
                              "upstream": {"servers": [f"http://127.0.0.1:{port}"], "host": "upstream"}}])      # its server minds the port
    addresses = {"direct": f"ws://127.0.0.1:{port}", "gateway": f"ws://127.0.0.1:{gateway.port}"}
    spec = {"outdir": str(bench.directory / "reports"), "options": {"failByDrop": False}, "cases": ["*"], "exclude-cases": LEFT_OUT,
            "exclude-agent-cases": {}, "servers": [{"agent": agent, "url": url, "options": {"version": 18}} for agent, url in addresses.items()]}
    (bench.directory / "spec.json").write_text(json.dumps(spec))
    with open(bench.directory / "client.log", "w") as log:
        subprocess.run([*start, "-m", "fuzzingclient", "-s", "spec.json"], cwd=bench.directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=3000)
    board = json.loads((bench.directory / "reports/index.json").read_text())
    groups = {"framing, pings, fragments, UTF-8, closing (1 to 7, 10)": lambda case: int(case.split(".")[0]) in (1, 2, 3, 4, 5, 6, 7, 10),
              "large and many messages (9)": lambda case: case.startswith("9."), "compression (12, 13)": lambda case: case[:3] in ("12.", "13.")}
    direct, through = board["direct"], board["gateway"]
    for what, belongs in groups.items():
        cases = [case for case in direct if belongs(case)]
        worse = [f"case {case}: {through.get(case, {}).get('behavior')}, closing {through.get(case, {}).get('behaviorClose')}; "
                 f"directly {direct[case]['behavior']}, closing {direct[case]['behaviorClose']}" for case in cases if is_worse(direct[case], through.get(case))]
        bench.row(what, len(cases) - len(worse), len(cases), worse)


def is_worse(direct, through):
    return not through or any(ORDER.index(through[key]) > ORDER.index(direct[key]) for key in ("behavior", "behaviorClose"))
