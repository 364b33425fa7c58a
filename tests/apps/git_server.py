"""An HTTP server in front of `git http-backend`: `git_server.py PORT DIRECTORY`. Bodies are read as they come, chunked or not."""
import http.server
import os
import shutil
import subprocess
import sys
import tempfile


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as answer:
            self._body(body)
            size = body.tell()
            body.seek(0)
            environment = {**os.environ, "GIT_PROJECT_ROOT": sys.argv[2], "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command, "PATH_INFO": path,
                           "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(size),
                           "REMOTE_ADDR": self.client_address[0], "REMOTE_USER": self.headers.get("X-ZenKey-Sub", ""),
                           "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
            subprocess.run(["git", "http-backend"], stdin=body, stdout=answer, env=environment, check=False)
            length = answer.tell()
            answer.seek(0)
            status, fields = 200, []
            while (line := answer.readline().strip()):
                name, _, value = line.decode().partition(": ")
                if name.lower() == "status":
                    status = int(value.split()[0])
                else:
                    fields.append((name, value))
            self.send_response(status)
            for name, value in fields:
                self.send_header(name, value)
            self.send_header("Content-Length", str(length - answer.tell()))
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)

    do_POST = do_GET

    def _body(self, out):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            out.write(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            return
        while (size := int(self.rfile.readline().split(b";")[0], 16)):
            out.write(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
