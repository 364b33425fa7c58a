"""A script whose page is drawn over a WebSocket, and which knows the person."""

PACKAGE = "Streamlit 1.67 (PyPI)"
SCRIPT = "import streamlit as st\nst.write('Ahoy, ' + st.context.headers.get('X-ZenKey-Name', 'stranger'))\n"
RERUN = b"\x5a\x00"                                  # BackMsg { rerun_script: {} }


def use(scene):
    programs = scene.install(scene.cache.pip, "streamlit", ["streamlit==1.67.0"])
    port = scene.port()
    (scene.directory / "page.py").write_text(SCRIPT)
    scene.start([programs / "streamlit", "run", "page.py", "--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true",
                 "--browser.gatherUsageStats=false", "--browser.serverAddress=localhost"], port, env={"HOME": str(scene.directory)})
    gate = scene.behind({8501: port})
    page = gate.signed_in("/")
    scene.see("the page", page.status == 200 and "Streamlit" in page.text, f"{page.trail()} {page.text[:200]}")
    answer = scene.ask(page, "GET", "/_stcore/health")
    scene.see("its health", answer.status == 200 and answer.text == "ok", f"{answer.status} {answer.text[:100]}")
    stream = scene.websocket(page, "/_stcore/stream", Sec_WebSocket_Protocol="streamlit")
    stream.send(RERUN)
    scene.see("the script greets the person over its WebSocket", stream.until(lambda data: b"Ahoy, Jun Park" in data, "the greeting"))
    scene.ends_with_sign_out(page, stream)
