"""Negative control: a relying party that checks nothing. The suite must pass it in no module whose answer is wrong."""
import base64
import json
import re
import urllib.parse

from plans import CLIENT_ID, CODE, SECRET
from run import failures

RIGHT = "oidcc-client-test"
WRONG = ["invalid-iss", "missing-sub", "invalid-aud", "missing-iat", "nonce-invalid", "invalid-sig-rs256", "discovery-issuer-mismatch"]


def run(suite, origin):
    """Its rows: module, the suite's result, why."""
    alias = "zengate-control"
    client = {"client_id": CLIENT_ID, "client_secret": SECRET, "redirect_uri": f"{origin}/oauth2/callback", "id_token_signed_response_alg": "RS256"}
    plan = suite.api("POST", "plan", {"planName": "oidcc-client-test-plan", "variant": json.dumps(CODE)},
                     {"alias": alias, "waitTimeoutSeconds": 3, "client": client})["id"]
    rows = []
    for module in [RIGHT, *(f"{RIGHT}-{name}" for name in WRONG)]:
        test = suite.api("POST", "runner", {"test": module, "plan": plan})["id"]
        suite.wait(test, ("WAITING",), 10)
        sign_in(suite, f"{suite.url}/test/a/{alias}", client)
        info = suite.wait(test, ("FINISHED", "INTERRUPTED"), 8)
        why = next((found for found in failures(suite.api("GET", "log/" + test)) if found.startswith("FAILURE")), "")
        rows.append((module, info.get("result"), why))
        print(f"control  {module:50} {info['status']}/{info.get('result')} {why[:120]}", flush=True)
    return rows


def sign_in(suite, base, client):
    meta = json.loads(suite.call("GET", f"{base}/.well-known/openid-configuration")[2])
    ask = urllib.parse.urlencode({"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": client["redirect_uri"],
                                  "scope": "openid email", "state": "s", "nonce": "n"})
    _, headers, _ = suite.call("GET", f"{meta['authorization_endpoint']}?{ask}")
    to = next((value for name, value in headers if name.lower() == "location"), "")
    code = re.search(r"[?&]code=([^&]+)", to)
    if not code:
        return
    basic = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    body = urllib.parse.urlencode({"grant_type": "authorization_code", "code": urllib.parse.unquote(code.group(1)), "redirect_uri": client["redirect_uri"]})
    answer = suite.call("POST", meta["token_endpoint"], body, {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"})
    suite.call("GET", meta["userinfo_endpoint"], headers={"Authorization": f"Bearer {json.loads(answer[2])['access_token']}"})


def none_passed(rows):
    """Whether the suite passed the right module and no wrong one. It skips the one about signatures, which a relying party of
    the code flow need not look at by OpenID Connect Core 3.1.3.7."""
    return all((result == "PASSED") == (module == RIGHT) for module, result, _ in rows)
