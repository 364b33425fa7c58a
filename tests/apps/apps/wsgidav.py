"""A WebDAV client with a token: folders, locks, copies, moves, odd names, and a person who looks at the folder."""
import os
import urllib.parse

PACKAGE = "WsgiDAV 4.4.0 (PyPI)"
NAMES = ["plain.txt", "two words.txt", "café.txt", "100% sure.txt", "a+b&c=d.txt", "it's (1) [2].txt", "semi;colon.txt", "#hash?.txt", "tilde~.txt", "@at:.txt"]
LOCK = """<?xml version="1.0" encoding="utf-8"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>
<D:locktype><D:write/></D:locktype><D:owner>zengate</D:owner></D:lockinfo>"""


def use(scene):
    programs = scene.install(scene.cache.pip, "wsgidav", ["wsgidav==4.4.0", "cheroot==11.1.2", "lxml"])
    port = scene.port()
    files = scene.directory / "files"
    files.mkdir()
    scene.start([programs / "wsgidav", "--host=127.0.0.1", f"--port={port}", f"--root={files}", "--auth=anonymous", "--server=cheroot", "--no-config"], port)
    gate = scene.behind({8080: port})
    token = gate.token()

    def dav(method, path, body=None, **headers):
        return scene.program(method, path, body, token, **headers)

    def expect(what, answer, *wanted):
        scene.see(what, answer[0] in wanted, f"{answer[0]} {answer[2][:150]}")
        return answer

    expect("a folder", dav("MKCOL", "/d1/"), 201)
    expect("a file", dav("PUT", "/d1/a.txt", "one"), 201)
    data = os.urandom(40 << 20)
    expect("a file of 40 MiB in chunks", dav("PUT", "/d1/large.bin", (data[at:at + 65536] for at in range(0, len(data), 65536))), 201)
    scene.see("byte for byte", dav("GET", "/d1/large.bin")[2] == data)
    answer = dav("GET", "/d1/large.bin", Range="bytes=1000-1999")
    scene.see("a range of it", answer[0] == 206 and answer[2] == data[1000:2000], answer[0])
    answer = expect("PROPFIND", dav("PROPFIND", "/d1/", Depth="1"), 207)
    scene.see("which lists the files", b"/d1/a.txt" in answer[2] and b"/d1/large.bin" in answer[2], answer[2][:200])
    answer = expect("LOCK", dav("LOCK", "/d1/a.txt", LOCK, Content_Type="text/xml", Timeout="Second-60"), 200)
    lock = answer[1].get("lock-token", "")
    expect("a write without the lock's token is refused by the app", dav("PUT", "/d1/a.txt", "two"), 423)
    expect("with it", dav("PUT", "/d1/a.txt", "two", If=f"({lock})"), 204)
    expect("UNLOCK", dav("UNLOCK", "/d1/a.txt", Lock_Token=lock), 204)
    expect("COPY", dav("COPY", "/d1/a.txt", Destination=f"{gate.programs}/d1/b.txt"), 201)
    expect("MOVE", dav("MOVE", "/d1/b.txt", Destination=f"{gate.programs}/d1/c.txt"), 201)
    expect("MOVE of a folder", dav("MOVE", "/d1/", Destination=f"{gate.programs}/d2/"), 201)
    odd = []
    for name in NAMES:
        path = "/d2/" + urllib.parse.quote(name, safe="")
        stored, loaded = dav("PUT", path, name.encode()), dav("GET", path)
        if stored[0] != 201 or loaded[2] != name.encode() or not (files / "d2" / name).exists():
            odd.append(f"{name} {stored[0]} {loaded[0]}")
    scene.see(f"{len(NAMES)} files of odd names", not odd, odd)
    expect("DELETE", dav("DELETE", "/d2/large.bin"), 204)
    expect("a stranger is refused", scene.program("PROPFIND", "/d2/", Depth="1"), 401)
    page = gate.signed_in("/d2/")
    scene.see("a person sees the folder", page.status == 200 and "two words.txt" in page.text, f"{page.trail()} {page.text[:200]}")
