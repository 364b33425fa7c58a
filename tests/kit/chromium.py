"""A real Chromium without a window, driven over a pipe by the DevTools protocol."""
import json
import os
import shutil
import tempfile
import time

from .processes import Failed, Process, until

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--remote-debugging-pipe", "--disable-dev-shm-usage"]


class Chromium:
    def __init__(self, names=None):
        """`names`: hosts that are to be found on loopback. Certificates are not looked at: this is about pages."""
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            raise Failed("no chromium on the path")
        self.home = tempfile.mkdtemp(prefix="chromium-")
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        rules = ",".join(f"MAP {name} {address}" for name, address in (names or {}).items())
        command = [program, *FLAGS, f"--user-data-dir={self.home}", "--ignore-certificate-errors", *([f"--host-resolver-rules={rules}"] if rules else [])]
        # The browser reads commands from descriptor 3 and writes to 4.
        shell = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
        self.process = Process(["bash", "-c", shell, "chromium", *command], os.path.join(self.home, "log"), pass_fds=(to_read, to_write))
        os.close(to_read)
        os.close(to_write)
        os.set_blocking(self.read_end, False)
        self.buffer, self.count, self.answers, self.events = b"", 0, {}, []
        page = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": page, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    # ------------------------------------------------------------------ the protocol

    def _receive(self):
        try:
            data = os.read(self.read_end, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            raise Failed("chromium ended: " + self.process.tail(400))
        self.buffer += data
        *whole, self.buffer = self.buffer.split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append(message)
        return True

    def call(self, method, parameters=None, session=None):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters or {}, **({"sessionId": session} if session else {})}
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        number = self.count

        def answered():
            while self._receive():
                pass
            return number in self.answers
        until(answered, 30, f"chromium's answer to {method}", every=0.02)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def ask(self, method, parameters=None):
        return self.call(method, parameters, self.session)

    # ------------------------------------------------------------------ what a person does and sees

    def evaluate(self, script):
        done = self.ask("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        return done["result"].get("value")

    def go(self, url):
        self.ask("Page.navigate", {"url": url})
        return self.settle()

    def back(self):
        history = self.ask("Page.getNavigationHistory")
        self.ask("Page.navigateToHistoryEntry", {"entryId": history["entries"][history["currentIndex"] - 1]["id"]})
        return self.settle()

    def settle(self, seconds=20):
        """Waits until the page is complete and its address has not changed for half a second."""
        last, since, end = None, time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                now = (self.evaluate("location.href"), self.evaluate("document.readyState"))
            except Failed:
                now = None
            if now != last:
                last, since = now, time.monotonic()
            elif now and now[1] == "complete" and time.monotonic() - since > 0.5:
                return self
            time.sleep(0.05)
        return self

    @property
    def url(self):
        return self.evaluate("location.href")

    @property
    def text(self):
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def complaints(self):
        """Errors of the console and blocked requests since the last call: a policy of the page that was broken, a script."""
        out = []
        for event in self.events:
            entry = event.get("params", {}).get("entry", {}) if event["method"] == "Log.entryAdded" else {}
            if entry.get("level") == "error" and "favicon" not in entry.get("url", ""):
                out.append(f"{entry.get('text')} {entry.get('url', '')}".strip())
            if event["method"] == "Runtime.exceptionThrown":
                out.append(str(event["params"]["exceptionDetails"].get("text")))
        self.events.clear()
        return out

    def close(self):
        self.process.stop(5)
        for end in (self.read_end, self.write_end):
            os.close(end)
        shutil.rmtree(self.home, ignore_errors=True)


