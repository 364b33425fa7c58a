"""The curl program: `curl_client.py ADDRESS TOKEN VERSION [AUTHORITY]`. Each request is a process, and `many` one with many addresses."""
import subprocess
import sys
import tempfile
import time

import cases
from cases import Answer

ADDRESS, TOKEN, VERSION = sys.argv[1:4]
AUTHORITY = sys.argv[4] if len(sys.argv) > 4 else None
WORDS = ["curl", "-sS", "--max-time", "30", "-N", "--path-as-is", "--compressed", "--http2" if VERSION == "2" and AUTHORITY else "--http2-prior-knowledge" if VERSION == "2" else "--http1.1"]
if AUTHORITY:
    WORDS += ["--cacert", AUTHORITY]


def ask(method, path, body=None, headers=None, follow=False):
    fields = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
    with tempfile.NamedTemporaryFile() as heads:
        command = [*WORDS, "-D", heads.name, "-w", "%{stderr}%{http_code} %{http_version}"]
        for name, value in fields.items():
            command += ["-H", f"{name}: {value}" if value else f"{name};"]
        if method == "HEAD":
            command.append("-I")
        elif not (follow and body is None):
            command += ["-X", method] if not follow or method == "PUT" else []
        if follow:
            command.append("-L")
        data = None
        if body is not None:
            command += ["--data-binary", "@-"] if isinstance(body, bytes) else ["-T", "-", "-H", "Expect: 100-continue"]
            data = body if isinstance(body, bytes) else b"".join(body)
        child = subprocess.Popen([*command, ADDRESS + path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if data is not None:
            try:
                child.stdin.write(data)
            except BrokenPipeError:
                pass
        try:
            child.stdin.close()
        except BrokenPipeError:
            pass
        arrived, out = [], []
        while (piece := child.stdout.read1(1 << 20)):
            arrived.append(time.monotonic())
            out.append(piece)
        said = child.stderr.read().decode()
        if child.wait():
            raise RuntimeError(f"curl ended with {child.returncode}: {said}")
        status, version = said.split()[-2:]
        last = [block for block in open(heads.name, newline="").read().split("\r\n\r\n") if block.startswith("HTTP/")][-1]
    answer = {}
    for line in last.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        answer[name.lower()] = value.strip()
    return Answer(int(status), answer, b"" if method == "HEAD" else b"".join(out), version, arrived)


cases.run(ask, VERSION)
