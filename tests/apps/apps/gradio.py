"""An app that streams its answers as server-sent events, and knows the person."""
import json
import time

PACKAGE = "Gradio 6.31.0 (PyPI)"
SCRIPT = """import time
import gradio

def count(word, request: gradio.Request):
    for n in range(3):
        yield f"{word} {n} for {request.headers.get('x-zenkey-name', 'a stranger')}"
        time.sleep(0.4)

gradio.Interface(count, "text", "text", api_name="count").queue().launch(server_name="127.0.0.1", server_port=PORT, root_path=None, show_error=True)
"""


def use(scene):
    programs = scene.install(scene.cache.pip, "gradio", ["gradio==6.31.0"])
    port = scene.port()
    (scene.directory / "app.py").write_text(SCRIPT.replace("PORT", str(port)))
    scene.start([programs / "python", "app.py"], port, env={"HOME": str(scene.directory), "GRADIO_ANALYTICS_ENABLED": "False", "no_proxy": "127.0.0.1,localhost"})
    gate = scene.behind({7860: port})
    page = gate.signed_in("/")
    scene.see("the page", page.status == 200 and "gradio" in page.text, f"{page.trail()} {page.text[:200]}")
    answer = scene.ask(page, "POST", "/gradio_api/call/count", json_body={"data": ["boat"]})
    event = json.loads(answer.text)["event_id"]
    events = scene.events(page, f"/gradio_api/call/count/{event}")
    seen = []
    for line in events:
        if line.startswith("data:") and "boat" in line:
            seen.append((time.monotonic(), line))
        if "complete" in line:
            break
    scene.see("the script greets the person in its events", any("boat 2 for Jun Park" in line for _, line in seen), seen[-1:])
    apart = seen[-1][0] - seen[0][0] if len(seen) > 1 else 0
    scene.see(f"events come one by one ({apart:.1f} s from first to last)", apart > 0.5, seen)
