"""The app that HTTP clients talk to: says what it got, and answers in every way that a client must be able to read."""
import gzip
import hashlib
import http.server
import json
import random
import threading
import time
import urllib.parse

SIZE = 8 << 20
DATA = random.Random(7).randbytes(SIZE)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/refuse":                            # before the body is read, as apps do that mind the type of a file
            return self.answer(json.dumps({"refused": True}).encode(), 415, Connection="close")
        body = self.body()
        if path == "/data":
            return self.data()
        if path == "/gzip":
            return self.answer(gzip.compress(b"compressed " * 1000), Content_Encoding="gzip", Content_Type="text/plain")
        if path == "/chunks":
            return self.pieces([b"piece %d " % n * 100 for n in range(50)], "text/plain")
        if path == "/events":
            return self.pieces([b"data: %d\n\n" % n for n in range(5)], "text/event-stream", 0.1)
        if path == "/moved":
            status = int(urllib.parse.parse_qs(query)["status"][0])
            return self.answer(b"", status, Location="/echo?moved=yes")
        if path == "/status":
            return self.answer(b"" if query in ("204", "304") else b"status", int(query), **({"ETag": '"one"'} if query == "304" else {}))
        got = {"method": self.command, "target": self.path, "length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "said_twice": self.headers.get_all("X-Twice", []),
               "authorization": self.headers.get("Authorization"), "type": self.headers.get("Content-Type"), "empty": self.headers.get("X-Empty")}
        return self.answer(json.dumps(got).encode(), Content_Type="application/json", X_Answer="a", Set_Cookie="flavour=oat; Path=/")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_PROPFIND = do_GET

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = []
        while (size := int(self.rfile.readline().split(b";")[0], 16)):
            out.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(out)

    def data(self):
        asked = self.headers.get("Range")
        if not asked:
            return self.answer(DATA, Accept_Ranges="bytes")
        first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
        return self.answer(DATA[first:last + 1], 206, Content_Range=f"bytes {first}-{last}/{SIZE}")

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pieces(self, pieces, kind, pause=0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever breaks off in the middle is none of the suite's business."""


class App:
    def __init__(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
