"""The editor deploys a flow, hears of it over its WebSocket, and the flow answers."""
import json

PACKAGE = "Node-RED 4.1.15 (npm)"
FLOW = [
    {"id": "tab1", "type": "tab", "label": "one"},
    {"id": "in1", "type": "http in", "z": "tab1", "url": "/hello", "method": "get", "wires": [["say1"]]},
    {"id": "say1", "type": "template", "z": "tab1", "template": "hello {{req.headers.x-zenkey-name}}", "wires": [["out1", "log1"]]},
    {"id": "out1", "type": "http response", "z": "tab1", "wires": []},
    {"id": "log1", "type": "debug", "z": "tab1", "active": True, "tosidebar": True, "complete": "payload", "targetType": "msg", "wires": []},
]


def use(scene):
    modules = scene.install(scene.cache.npm_packages, "node-red", "node-red@4.1.15")
    port = scene.port()
    (scene.directory / "settings.js").write_text("module.exports = {uiHost: '127.0.0.1', credentialSecret: 'none', telemetry: {enabled: false}};\n")
    scene.start(["node", modules / "node-red/red.js", "-u", scene.directory, "-s", scene.directory / "settings.js", "-p", port], port)
    gate = scene.behind({1880: port})
    page = gate.signed_in("/")
    scene.see("the page of the editor", page.status == 200 and "Node-RED" in page.text, f"{page.trail()} {page.text[:200]}")
    comms = scene.websocket(page, "/comms")
    comms.send(json.dumps({"subscribe": "debug"}))
    answer = scene.ask(page, "POST", "/flows", json_body=FLOW)
    scene.see("a flow was deployed", answer.status == 204, f"{answer.status} {answer.text[:200]}")
    scene.see("its WebSocket tells of that", comms.until(lambda data: b"notification/runtime-deploy" in data, "word of the deployment"))
    answer = scene.ask(page, "GET", "/hello")
    scene.see("the flow greets the person by name", answer.status == 200 and "hello Jun Park" in answer.text, f"{answer.status} {answer.text[:200]}")
    scene.see("its output comes over the WebSocket", comms.until(lambda data: b"hello Jun Park" in data, "the flow's output"))
    scene.ends_with_sign_out(page, comms)
