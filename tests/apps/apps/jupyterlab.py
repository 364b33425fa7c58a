"""A kernel and a terminal over WebSockets, files by the contents API; sign-out ends them."""
import json
import os
import urllib.parse
import uuid

PACKAGE = "JupyterLab 4.6.6 (PyPI)"
SIZE = 30 << 20


def use(scene):
    programs = scene.install(scene.cache.pip, "jupyterlab", ["jupyterlab==4.6.6"])
    port = scene.port()
    work = scene.directory / "work"
    work.mkdir()
    scene.start([programs / "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={work}",
                 "--IdentityProvider.token=", "--ServerApp.allow_remote_access=True"], port,
                env={"HOME": str(scene.directory), "PATH": f"{programs}:{os.environ['PATH']}"})
    gate = scene.behind({8888: port})
    page = gate.signed_in("/lab")
    scene.see("the page of the lab", page.status == 200 and "jupyter-config-data" in page.text, page.trail())
    token = {"X_XSRFToken": page.cookie("localhost", "_xsrf") or ""}
    answer = scene.ask(page, "POST", "/api/kernels", json_body={"name": "python3"}, **token)
    if not scene.see("a kernel was started", answer.status == 201, f"{answer.status} {answer.text[:200]}"):
        return
    kernel = scene.websocket(page, f"/api/kernels/{json.loads(answer.text)['id']}/channels?session_id=one")
    message = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "one", "version": "5.3", "date": "2026-01-01T00:00:00Z"},
               "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
               "content": {"code": "print('it is', 6 * 7)", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}}
    kernel.send(json.dumps(message))
    scene.see("code was run over its WebSocket", kernel.until(lambda data: b"it is 42" in data, "the kernel's answer"))
    answer = scene.ask(page, "POST", "/api/terminals", "{}", Content_Type="application/json", **token)
    terminal = scene.websocket(page, f"/terminals/websocket/{json.loads(answer.text)['name']}")
    terminal.send(json.dumps(["stdin", "echo $((40 + 2))-seen\r"]))
    scene.see("a terminal over its WebSocket", terminal.until(lambda data: b"42-seen" in data, "the terminal's answer"))
    answer = scene.ask(page, "PUT", "/api/contents/large%20file.txt", json_body={"type": "file", "format": "text", "content": "x" * SIZE}, **token)
    on_disk = (work / "large file.txt")
    scene.see("a file of 30 MiB was saved", answer.status == 201 and on_disk.stat().st_size == SIZE, f"{answer.status} {answer.text[:200]}")
    answer = scene.ask(page, "GET", f"/files/large%20file.txt?_xsrf={urllib.parse.quote(token['X_XSRFToken'])}")
    scene.see("and loaded again", answer.status == 200 and len(answer.text) == SIZE, f"{answer.status} {len(answer.text)}")
    other = gate.browser()
    other.request("GET", gate.url("/api/contents"), headers={"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"})
    scene.see("a stranger gets nothing", other.status == 401, f"{other.status} {other.text[:100]}")
    scene.ends_with_sign_out(page, kernel)
    scene.see("and the terminal's", terminal.await_close(5) is not None)
