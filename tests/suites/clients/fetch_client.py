"""`fetch` of Node.js, asked line by line: `fetch_client.py ADDRESS TOKEN VERSION [AUTHORITY]`."""
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import cases
from cases import Answer

ADDRESS, TOKEN, VERSION = sys.argv[1:4]
environment = {**os.environ, **({"NODE_EXTRA_CA_CERTS": sys.argv[4]} if len(sys.argv) > 4 else {})}
node = subprocess.Popen(["node", Path(__file__).with_name("fetch.mjs"), ADDRESS, TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def ask(method, path, body=None, headers=None, follow=False):
    pieces = body is not None and not isinstance(body, bytes)
    data = b"".join(body) if pieces else body
    asked = {"method": method, "path": path, "pieces": pieces, "headers": headers or {}, "follow": follow, "body": None if data is None else base64.b64encode(data).decode()}
    node.stdin.write(json.dumps(asked) + "\n")
    node.stdin.flush()
    answer = json.loads(node.stdout.readline())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return Answer(answer["status"], answer["headers"], base64.b64decode(answer["body"]), "1.1", answer["arrived"])


cases.run(ask, VERSION)
node.stdin.close()
node.wait(10)
