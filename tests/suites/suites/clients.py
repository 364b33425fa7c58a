"""HTTP clients that others wrote: each does the same list of things through the gateway, with an access token."""
import json
import subprocess
import sys
from pathlib import Path

from app import App

TITLE = "HTTP clients"
ABOUT = """
Each client does the same list of things with an app through the gateway, signed in by an access token: every method, bodies of 8 MiB with and
without a length, downloads, ranges, compression, chunks, events as they come, redirects, answers without a body, refusals, many requests on a
connection. curl is Debian's, `fetch` that of Node.js, the others are of PyPI or Python's own.
"""
HERE = Path(__file__).resolve().parent.parent / "clients"
LIBRARIES = ["requests==2.34.2", "urllib3==2.8.0", "httpx[http2]==0.28.1", "aiohttp==3.14.5"]


def run(bench):
    programs = bench.install(bench.cache.pip, "clients", LIBRARIES)
    app = App()
    gateway = bench.gateway([{"access": "bearer", "upstream": f"http://127.0.0.1:{app.port}"}])
    address = f"http://127.0.0.1:{gateway.port}"
    for name in ("http.client", "urllib3", "requests", "httpx", "aiohttp"):
        client(bench, f"{name}, HTTP/1.1", [programs / "python", HERE / "python_clients.py", name, address, bench.token(), "1.1"])
    client(bench, "curl, HTTP/1.1", [sys.executable, HERE / "curl_client.py", address, bench.token(), "1.1"])
    client(bench, "fetch, HTTP/1.1", [sys.executable, HERE / "fetch_client.py", address, bench.token(), "1.1"])
    over_tls(bench, programs, app)


def over_tls(bench, programs, app):
    """The same with a listener that speaks TLS, where clients choose HTTP/2 if they can."""
    port = bench.port()
    bench.gateway([{"access": "bearer", "upstream": f"http://127.0.0.1:{app.port}"}], tls_port=port)
    authority, address = str(bench.authority()), f"https://localhost:{port}"
    for name in ("http.client", "urllib3", "requests", "aiohttp", "httpx"):
        client(bench, f"{name}, HTTP/1.1, TLS", [programs / "python", HERE / "python_clients.py", name, address, bench.token(), "1.1", authority])
    client(bench, "httpx, HTTP/2, TLS", [programs / "python", HERE / "python_clients.py", "httpx", address, bench.token(), "2", authority])
    client(bench, "curl, HTTP/1.1, TLS", [sys.executable, HERE / "curl_client.py", address, bench.token(), "1.1", authority])
    client(bench, "curl, HTTP/2, TLS", [sys.executable, HERE / "curl_client.py", address, bench.token(), "2", authority])
    client(bench, "fetch, HTTP/1.1, TLS", [sys.executable, HERE / "fetch_client.py", address, bench.token(), "1.1", authority])


def client(bench, what, command):
    """Runs a client, and notes a row of what it says."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [f"{case['case']}: {case['note']}" for case in cases if not case["ok"]]
    if done.returncode:
        failed.append(f"it ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    bench.row(what, sum(case["ok"] for case in cases), len(cases) or 1, failed)
