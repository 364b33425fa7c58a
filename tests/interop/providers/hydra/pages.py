"""Hydra has no pages of its own: these two ask for a password and for consent, by real forms."""
import html
import http.server
import threading
import urllib.parse


class Pages:
    def __init__(self, admin, person, port=0):
        """`admin(method, path, value)` asks Hydra's administrative interface."""
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                pages.show(self)

            def do_POST(self):
                size = int(self.headers.get("Content-Length") or 0)
                pages.pressed(self, dict(urllib.parse.parse_qsl(self.rfile.read(size).decode())))

            def log_message(self, *_):
                pass

        self.admin, self.person, self.disabled = admin, person, False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def challenge(request):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))
        kind = next((kind for kind in ("login", "consent", "logout") if f"{kind}_challenge" in query), None)
        return kind, query.get(f"{kind}_challenge")

    def show(self, request):
        kind, challenge = self.challenge(request)
        if not kind:
            return self.page(request, "<p>Signed out, or something went wrong: " + html.escape(request.path))
        asked = self.admin("GET", f"/oauth2/auth/requests/{kind}?{kind}_challenge={challenge}")
        if kind == "logout":
            return self.page(request, '<form method="post"><button name="answer" value="yes">Sign out</button></form>')
        if asked.get("skip"):
            return self.accept(request, kind, challenge, asked)
        if kind == "login":
            return self.page(request, '<form method="post"><input name="username"><input name="password" type="password">'
                                      '<button name="answer" value="yes">Sign in</button></form>')
        self.page(request, '<form method="post"><button name="answer" value="yes">Allow access</button>'
                           '<button name="answer" value="no">Deny access</button></form>')

    def pressed(self, request, form):
        kind, challenge = self.challenge(request)
        asked = self.admin("GET", f"/oauth2/auth/requests/{kind}?{kind}_challenge={challenge}")
        if kind == "login" and (form.get("username"), form.get("password")) != (self.person["username"], self.person["password"]):
            return self.show(request)
        if form.get("answer") != "yes":
            return self.lead_on(request, self.admin("PUT", f"/oauth2/auth/requests/{kind}/reject?{kind}_challenge={challenge}",
                                                    {"error": "access_denied", "error_description": "The person said no"}))
        self.accept(request, kind, challenge, asked)

    def accept(self, request, kind, challenge, asked):
        value = {"login": {"subject": self.person["username"], "remember": True, "remember_for": 3600}, "logout": {}}.get(kind)
        if kind == "consent":
            claims = {"email": self.person["email"], "email_verified": True, "name": self.person["name"], "groups": ["staff"]}
            value = {"grant_scope": asked["requested_scope"], "grant_access_token_audience": asked["requested_access_token_audience"],
                     "remember": True, "session": {"id_token": claims}}
        self.lead_on(request, self.admin("PUT", f"/oauth2/auth/requests/{kind}/accept?{kind}_challenge={challenge}", value))

    @staticmethod
    def lead_on(request, answer):
        request.send_response(303)
        request.send_header("Location", answer["redirect_to"])
        request.send_header("Content-Length", "0")
        request.end_headers()

    @staticmethod
    def page(request, body):
        data = f"<!doctype html><title>Hydra</title>{body}".encode()
        request.send_response(200)
        request.send_header("Content-Type", "text/html; charset=utf-8")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
