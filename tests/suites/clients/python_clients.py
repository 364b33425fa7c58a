"""Python's HTTP clients: `python_clients.py NAME ADDRESS TOKEN VERSION [AUTHORITY]`."""
import asyncio
import sys
import time
import urllib.parse
import urllib.request

import cases
from cases import Answer

NAME, ADDRESS, TOKEN, VERSION = sys.argv[1:5]
AUTHORITY = sys.argv[5] if len(sys.argv) > 5 else None


def lower(headers):
    return {name.lower(): value for name, value in headers}


def with_token(headers):
    return {"Authorization": f"Bearer {TOKEN}", **(headers or {})}


def http_client():
    import http.client
    import ssl
    u = urllib.parse.urlsplit(ADDRESS)
    tls = {"context": ssl.create_default_context(cafile=AUTHORITY)} if AUTHORITY else {}
    kind = http.client.HTTPSConnection if AUTHORITY else http.client.HTTPConnection
    connection = kind(u.hostname, u.port, timeout=30, **tls)

    def ask(method, path, body=None, headers=None, follow=False):
        connection.request(method, path, body, with_token(headers))
        answer = connection.getresponse()
        fields = lower(answer.getheaders())
        arrived, out = [], []
        while (piece := answer.read1(1 << 20)):
            arrived.append(time.monotonic())
            out.append(piece)
        answer.read()
        if follow and answer.status in (302, 303, 307, 308):
            kept = answer.status in (307, 308)
            return ask(method if kept else "GET", fields["location"], body if kept else None, headers)
        text = b"".join(out)
        if fields.get("content-encoding") == "gzip":
            import gzip
            text = gzip.decompress(text)
        return Answer(answer.status, fields, text, "1.1" if answer.version == 11 else "1.0", arrived)
    return ask


def requests():
    import requests as library
    session = library.Session()
    session.verify, session.trust_env = AUTHORITY or True, False

    def ask(method, path, body=None, headers=None, follow=False):
        answer = session.request(method, ADDRESS + path, data=body, headers=with_token(headers), allow_redirects=follow, stream=True, timeout=30)
        arrived, out = [], []
        for piece in answer.iter_content(None):
            arrived.append(time.monotonic())
            out.append(piece)
        return Answer(answer.status_code, lower(answer.headers.items()), b"".join(out), {10: "1.0", 11: "1.1", 20: "2"}[answer.raw.version], arrived)
    return ask


def urllib3():
    import urllib3 as library
    pool = library.PoolManager(ca_certs=AUTHORITY) if AUTHORITY else library.PoolManager()

    def ask(method, path, body=None, headers=None, follow=False):
        answer = pool.request(method, ADDRESS + path, body=body, headers=with_token(headers), redirect=follow, preload_content=False, timeout=30, retries=5 if follow else False)
        arrived, out = [], []
        for piece in answer.stream(1 << 16):
            arrived.append(time.monotonic())
            out.append(piece)
        answer.release_conn()
        return Answer(answer.status, lower(answer.headers.items()), b"".join(out), {10: "1.0", 11: "1.1", 20: "2"}[answer.version], arrived)
    return ask


def httpx():
    import httpx as library
    client = library.Client(http2=VERSION == "2", http1=VERSION != "2", verify=AUTHORITY or True, timeout=30)

    def ask(method, path, body=None, headers=None, follow=False):
        with client.stream(method, ADDRESS + path, content=body, headers=with_token(headers), follow_redirects=follow) as answer:
            arrived, out = [], []
            for piece in answer.iter_bytes():
                arrived.append(time.monotonic())
                out.append(piece)
        return Answer(answer.status_code, lower(answer.headers.items()), b"".join(out), answer.http_version.removeprefix("HTTP/"), arrived)
    return ask


def aiohttp():
    import ssl
    import aiohttp as library
    import yarl
    loop = asyncio.new_event_loop()
    tls = ssl.create_default_context(cafile=AUTHORITY) if AUTHORITY else True

    async def open_session():
        return library.ClientSession()
    session = loop.run_until_complete(open_session())

    async def later(pieces):
        for piece in pieces:
            yield piece

    async def one(method, path, body, headers, follow):
        data = body if body is None or isinstance(body, bytes) else later(body)
        async with session.request(method, yarl.URL(ADDRESS + path, encoded=not follow), data=data, headers=with_token(headers), allow_redirects=follow, ssl=tls) as answer:
            arrived, out = [], []
            async for piece in answer.content.iter_any():
                arrived.append(time.monotonic())
                out.append(piece)
            return Answer(answer.status, lower(answer.headers.items()), b"".join(out), f"{answer.version.major}.{answer.version.minor}", arrived)

    def ask(method, path, body=None, headers=None, follow=False):
        return loop.run_until_complete(one(method, path, body, headers, follow))
    return ask


cases.run({"http.client": http_client, "requests": requests, "urllib3": urllib3, "httpx": httpx, "aiohttp": aiohttp}[NAME](), VERSION)
