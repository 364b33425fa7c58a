"""An issuer of access tokens for programs (RFC 9068): a key, its key set at an address, and tokens on request."""
import base64
import http.server
import json
import subprocess
import threading
import time
import uuid
from pathlib import Path

from .processes import Failed, run


def _text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenIssuer:
    def __init__(self, directory):
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.key = directory / "token-issuer.pem"
        run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key])
        modulus = run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"]).strip().rpartition("=")[2]
        keys = {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": _text(bytes.fromhex(modulus)), "e": "AQAB"}]}
        text = json.dumps(keys).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/jwk-set+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def token(self, subject, audience, **claims):
        now = int(time.time())
        head = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
        body = {"iss": self.issuer, "sub": subject, "aud": audience, "client_id": "program", "iat": now, "exp": now + 3600, "jti": str(uuid.uuid4()), **claims}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, body))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=signed.encode(), capture_output=True)
        if done.returncode:
            raise Failed("openssl: " + done.stderr.decode())
        return f"{signed}.{_text(done.stdout)}"
