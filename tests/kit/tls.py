"""TLS in front of servers that speak plain HTTP: a throw-away authority, one certificate for `localhost`, and nginx."""
import subprocess
from pathlib import Path

from .processes import Process

SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    {extra}
    location / {{
      proxy_pass http://127.0.0.1:{to};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port {port};
      proxy_set_header X-Ssl-Cipher $ssl_cipher;
      proxy_set_header X-Ssl-Protocol $ssl_protocol;
      proxy_set_header X-Ssl-Cert $ssl_client_cert;
    }}
  }}"""

CONFIG = """
worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  ssl_certificate {home}/server.pem;
  ssl_certificate_key {home}/server.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  proxy_read_timeout 120s;
  client_header_buffer_size 64k; large_client_header_buffers 4 64k;
  proxy_buffer_size 64k; proxy_buffers 8 64k;{servers}
}}
"""


def certificates(home):
    """An authority and a certificate for `localhost`, 127.0.0.1 and `*.example.test` in this folder; gives the authority's file."""
    home = Path(home)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "server.pem").exists():
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)
        (home / "extensions").write_text("subjectAltName=DNS:localhost,DNS:*.example.test,IP:127.0.0.1\n"
                                         "extendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
                "-subj", "/CN=authority of a test", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", "extensions", "-out", "server.pem")
    return home / "ca.pem"


def front(home, ports, extra=None):
    """nginx with TLS on these ports: {port: where it leads}. `extra`: {port: further lines of configuration}."""
    home = Path(home).resolve()
    certificates(home)
    servers = "".join(SERVER.format(port=port, to=to, extra=(extra or {}).get(port, "")) for port, to in ports.items())
    (home / "nginx.conf").write_text(CONFIG.format(home=home, servers=servers))
    return Process(["nginx", "-c", home / "nginx.conf", "-e", home / "error.log"], home / "nginx.log").listening(next(iter(ports)), 20)
