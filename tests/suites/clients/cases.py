"""What every client does. A client is a function: `ask(method, path, body=None, headers={}, follow=False)` gives `Answer`.

`body` is bytes, or an iterator of bytes for a body whose length is not known before.
"""
import collections
import hashlib
import json
import random
import time

Answer = collections.namedtuple("Answer", "status headers body version arrived")      # `arrived`: when each piece came, or nothing
SIZE = 8 << 20
DATA = random.Random(7).randbytes(SIZE)


def _echo(answer):
    return answer.status, json.loads(answer.body)


def get(ask):
    status, got = _echo(ask("GET", "/echo?a=1&b=%20&c=%2F"))
    return status == 200 and got["target"] == "/echo?a=1&b=%20&c=%2F" and got["authorization"] is None, got


def head(ask):
    answer = ask("HEAD", "/data")
    return answer.status == 200 and not answer.body and answer.headers.get("content-length") == str(SIZE), answer.headers


def post(ask):
    status, got = _echo(ask("POST", "/echo", DATA))
    return status == 200 and got["sha256"] == hashlib.sha256(DATA).hexdigest(), got


def post_in_pieces(ask):
    status, got = _echo(ask("POST", "/echo", (DATA[at:at + 65536] for at in range(0, SIZE, 65536))))
    return status == 200 and got["sha256"] == hashlib.sha256(DATA).hexdigest(), got


def post_nothing(ask):
    status, got = _echo(ask("POST", "/echo", b""))
    return status == 200 and got["length"] == 0, got


def methods(ask):
    seen = [_echo(ask(method, "/echo", b"x" if method != "DELETE" else None)) for method in ("PUT", "PATCH", "DELETE", "PROPFIND")]
    return [got["method"] for _, got in seen] == ["PUT", "PATCH", "DELETE", "PROPFIND"], seen


def download(ask):
    answer = ask("GET", "/data")
    return answer.body == DATA, (answer.status, len(answer.body))


def a_range(ask):
    answer = ask("GET", "/data", headers={"Range": "bytes=1000-1999"})
    return answer.status == 206 and answer.body == DATA[1000:2000], (answer.status, answer.headers)


def compressed(ask):
    answer = ask("GET", "/gzip", headers={"Accept-Encoding": "gzip"})
    return answer.body == b"compressed " * 1000, (answer.status, answer.headers)


def chunked(ask):
    answer = ask("GET", "/chunks")
    return answer.body == b"".join(b"piece %d " % n * 100 for n in range(50)), len(answer.body)


def events(ask):
    answer = ask("GET", "/events")
    apart = answer.arrived[-1] - answer.arrived[0] if answer.arrived else None
    return answer.body.count(b"data:") == 5 and (apart is None or apart > 0.2), (answer.body, apart)


def redirects(ask):
    seen = [_echo(ask(method, f"/moved?status={status}", body, follow=True)) for method, status, body in
            (("GET", 302, None), ("POST", 303, b"x"), ("POST", 307, b"kept"), ("PUT", 308, b"kept"))]
    return [(got["method"], got["length"]) for _, got in seen] == [("GET", 0), ("GET", 0), ("POST", 4), ("PUT", 4)], seen


def without_a_body(ask):
    seen = [ask("GET", f"/status?{status}") for status in (204, 304, 200)]
    return [(answer.status, answer.body) for answer in seen] == [(204, b""), (304, b""), (200, b"status")], seen


def statuses(ask):
    seen = [ask("GET", f"/status?{status}").status for status in (201, 400, 404, 409, 418, 429, 500, 503)]
    return seen == [201, 400, 404, 409, 418, 429, 500, 503], seen


def refused_early(ask):
    answer = ask("POST", "/refuse", b"x" * 1000)
    return answer.status == 415, answer.status


def header_fields(ask):
    answer = ask("GET", "/echo", headers={"X-Empty": "", "X-Twice": "a, b"})
    got = json.loads(answer.body)
    return got["empty"] == "" and got["said_twice"] == ["a, b"] and answer.headers.get("x-answer") == "a" and "flavour=oat" in answer.headers.get("set-cookie", ""), (got, answer.headers)


def bad_token(ask):
    answer = ask("GET", "/echo", headers={"Authorization": "Bearer nothing.of.value"})
    return answer.status == 401 and "bearer" in answer.headers.get("www-authenticate", "").lower(), (answer.status, answer.headers)


def many(ask):
    seen = [ask("POST" if n % 2 else "GET", "/echo", b"x" * n if n % 2 else None).status for n in range(60)]
    return seen == [200] * 60, seen


CASES = [get, head, post, post_in_pieces, post_nothing, methods, download, a_range, compressed, chunked, events, redirects, without_a_body, statuses, refused_early, header_fields,
         bad_token, many]


def run(ask, version):
    """Runs all cases, and prints a line of JSON for each."""
    for case in CASES:
        began = time.monotonic()
        try:
            ok, seen = case(ask)
            note = "" if ok else str(seen)[:300]
        except Exception as error:
            ok, note = False, f"{type(error).__name__}: {error}"[:300]
        print(json.dumps({"case": case.__name__, "ok": bool(ok), "note": note, "seconds": round(time.monotonic() - began, 2)}), flush=True)
    try:
        answer = ask("GET", "/echo")
        print(json.dumps({"case": f"HTTP version {version}", "ok": answer.version == version, "note": f"{answer.version}"}), flush=True)
    except Exception as error:
        print(json.dumps({"case": f"HTTP version {version}", "ok": False, "note": str(error)[:300]}), flush=True)
