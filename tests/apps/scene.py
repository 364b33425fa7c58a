"""One app behind one gateway, and what is noted of it."""
import http.client
import json
import shutil
import urllib.parse

from kit.processes import Failed, Process, free_port
from kit.websocket import WebSocket


class Unavailable(Exception):
    """The app's package cannot be had here."""


class Scene:
    def __init__(self, name, stage, cache):
        self.name, self.stage, self.cache = name, stage, cache
        self.directory = stage.directory / name
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.seen, self.missed, self.processes, self.gate = [], [], [], None

    # ------------------------------------------------------------------ the app

    def install(self, how, *what):
        try:
            return how(*what)
        except (Failed, OSError) as why:
            raise Unavailable(str(why).strip().splitlines()[-1][:160]) from why

    def start(self, command, port=None, seconds=90, **more):
        """Starts a program of the app, and waits until it listens."""
        process = Process(command, self.directory / f"app-{len(self.processes)}.log", cwd=more.pop("cwd", self.directory), **more)
        self.processes.append(process)
        return process.listening(port, seconds) if port else process

    def port(self):
        return free_port()

    def behind(self, ports, page=None):
        """Puts a gateway with the block of the app's page in front of it."""
        self.gate = self.stage.gate(page or self.name, ports)
        return self.gate

    def end(self):
        if self.gate:
            self.gate.stop()
        while self.processes:
            self.processes.pop().stop()

    # ------------------------------------------------------------------ what is seen

    def see(self, what, holds, instead=""):
        """Notes that something was seen, or what was seen instead."""
        if holds:
            self.seen.append(what)
        else:
            self.missed.append(f"{what}: {instead}"[:400])
        return holds

    # ------------------------------------------------------------------ people and programs

    def ask(self, browser, method, path, body=None, json_body=None, **headers):
        """A request of the app's own page; gives the browser, with `status` and `text`."""
        head = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-User": None, "Accept": "*/*", "Origin": self.gate.origin}
        if json_body is not None:
            body, head["Content-Type"] = json.dumps(json_body), "application/json"
        head.update({name.replace("_", "-"): value for name, value in headers.items()})
        return browser.request(method, self.gate.url(path), body, head, initiator=self.gate.url("/"))

    def program(self, method, path, body=None, token=None, **headers):
        """A request of a program with an access token: status, headers, body."""
        u = urllib.parse.urlsplit(self.gate.programs)
        connection = http.client.HTTPConnection(u.hostname, u.port, timeout=60)
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            head["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def events(self, browser, path):
        """The lines of an event stream (`text/event-stream`) as they come."""
        connection = http.client.HTTPConnection(self.gate.address, self.gate.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": f"localhost:{self.gate.port}", "Cookie": self.gate.cookies(browser), "Accept": "text/event-stream"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise Failed(f"{path}: {answer.status} {answer.read(300)}")
            while (line := answer.readline()):
                yield line.decode().rstrip("\n")
        finally:
            connection.close()

    def websocket(self, browser, path, **headers):
        head = {"Host": f"localhost:{self.gate.port}", "Origin": self.gate.origin, "Cookie": self.gate.cookies(browser), "User-Agent": "Mozilla/5.0 (scripted)"}
        head.update({name.replace("_", "-"): value for name, value in headers.items()})
        return WebSocket((self.gate.address, self.gate.port), path, head)

    def ends_with_sign_out(self, browser, websocket):
        """Signs out, and sees that the open WebSocket is closed by it."""
        self.gate.sign_out(browser)
        try:
            code = websocket.await_close(5)
            self.see(f"sign-out closes the WebSocket ({code})", code is not None)
        except Failed as why:
            self.see("sign-out closes the WebSocket", False, str(why))
        finally:
            websocket.close()
