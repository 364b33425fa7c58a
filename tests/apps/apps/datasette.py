"""Pages, tables of odd names and JSON of a database."""
import json
import re
import sqlite3

PACKAGE = "Datasette 0.65.5 (PyPI)"


def use(scene):
    programs = scene.install(scene.cache.pip, "datasette", ["datasette==0.65.5"])
    port = scene.port()
    with sqlite3.connect(scene.directory / "harbour.db") as database:
        database.execute("create table boats (name text, length real)")
        database.executemany("insert into boats values (?, ?)", [("Marlin", 9.5), ("Tern & Tide", 12), ("Möwe", 7.25)])
        database.execute('create table "odd / name.1" (a text)')
        database.execute('insert into "odd / name.1" values (\'yes\')')
    database.close()
    scene.start([programs / "datasette", "serve", "harbour.db", "--host=127.0.0.1", f"--port={port}", "--setting", "force_https_urls", "off"], port)
    gate = scene.behind({8001: port})
    page = gate.signed_in("/harbour/boats?_sort=length")
    scene.see("the page of a table", page.status == 200 and "Möwe" in page.text, f"{page.trail()} {page.text[:200]}")
    answer = scene.ask(page, "GET", "/harbour/boats.json?_shape=array&name__contains=%26")
    scene.see("JSON, filtered by a sign that is escaped", [row["name"] for row in json.loads(answer.text)] == ["Tern & Tide"], answer.text[:200])
    page.request("GET", gate.url("/harbour"))
    link = next(iter(re.findall(r'href="(/harbour/odd[^"]*)"', page.text)), None)
    page.request("GET", gate.url(link or "/none"))
    scene.see(f"a table of an odd name, {link}", page.status == 200 and "yes" in page.text, f"{page.status} {page.url}")
    answer = scene.ask(page, "GET", "/harbour.json?sql=select+count(*)+as+n+from+boats+where+length+%3E+8&_shape=array")
    scene.see("a query in an address", json.loads(answer.text) == [{"n": 2}], answer.text[:200])
    scene.see("a page that is not there is the app's 404", scene.ask(page, "GET", "/none").status == 404)
    stranger = gate.browser().request("GET", gate.url("/harbour.db"))
    scene.see("a stranger is led to the sign-in", stranger.status in (302, 303) and stranger.headers["location"].startswith("/oauth2/start?"), stranger.headers)
