#!/usr/bin/env python3
"""Runs plans of the OpenID Foundation's conformance suite, which plays the provider, against the gateway.

    run.py --suite FOLDER [PLAN …] [--gateway FILE] [--only MODULE,…] [--write FILE] [--control]

PLAN is a name of plans.py; without one, all of them. For each module: it is created in the suite, the gateway is started
afresh with the module's issuer, a scripted browser signs in, and the suite's result is taken together with what the person
saw. Everything is on loopback, on ports that the kernel chooses. Whatever is started is ended.
"""
import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from kit.app import App                                           # noqa: E402
from kit.gateway import Gateway, UnknownKey, new_key                  # noqa: E402
from kit.processes import Failed, end_on_signals, free_port       # noqa: E402
from plans import CLIENT_ID, PLANS, SECRET, WAIT                  # noqa: E402
from suite import Suite                                           # noqa: E402
from verdict import verdict                                       # noqa: E402
from walk import Walk                                             # noqa: E402
import board                                                      # noqa: E402
import control                                                    # noqa: E402


class Runner:
    def __init__(self, suite, binary, home, port, origin, app):
        self.suite, self.binary, self.home, self.app = suite, binary, home, app
        self.port, self.origin = port, origin
        try:
            self.key, self.key_set = new_key(binary, home)
        except UnknownKey:
            self.key, self.key_set = "", {"keys": []}

    def client(self, plan):
        """The client's registration, as an operator would type it into the suite."""
        client = {"client_id": CLIENT_ID, "client_secret": SECRET, "redirect_uri": f"{self.origin}/oauth2/callback",
                  "id_token_signed_response_alg": "RS256", **plan.client(self.origin)}
        method = plan.variant.get("client_auth_type")
        if method == "private_key_jwt":
            client["jwks"] = self.key_set
        if method == "client_secret_jwt":
            client["client_secret_jwt_alg"] = "HS256"
        return client

    def plan(self, name, only):
        plan = PLANS[name]
        self.alias = "zengate-" + name.replace("_", "-")
        client = self.client(plan)
        made = self.suite.api("POST", "plan", {"planName": plan.plan, "variant": json.dumps(plan.variant)},
                              {"alias": self.alias, "description": "zengate as relying party", "waitTimeoutSeconds": WAIT, "client": client})
        print(f"== {plan.title}: {len(made['modules'])} modules", flush=True)
        rows = []
        for entry in made["modules"]:
            if only and not any(part in entry["testModule"] for part in only):
                continue
            row = self.module(plan, client, made["id"], entry)
            rows.append(row)
            print(f"{row['verdict']:8} {row['module']:60} {row.get('status')}/{row.get('result')} {row.get('reason') or ''}", flush=True)
            if row["verdict"] not in ("PASS", "MISSING"):
                print("         ", " | ".join([*row["suite"][:2], *row["notes"], *row["gateway"]])[:600], flush=True)
        return rows

    def module(self, plan, client, plan_id, entry):
        module = entry["testModule"]
        row = {"module": module, "suite": [], "notes": [], "gateway": []}
        signed_in = missing = trouble = gate = walk = None
        try:
            test = self.suite.api("POST", "runner", {"test": module, "plan": plan_id,
                                                     **({"variant": json.dumps(entry["variant"])} if entry.get("variant") else {})})["id"]
            info = self.suite.wait(test, ("WAITING", "FINISHED", "INTERRUPTED", "CONFIGURED"), 60)
            if info["status"] == "CONFIGURED":
                self.suite.api("POST", "runner/" + test)
                info = self.suite.wait(test, ("WAITING", "FINISHED", "INTERRUPTED"), 60)
            if info["status"] == "WAITING":
                gate = self.gateway(plan, client, entry, row)
                gate.start()
                walk = Walk(self.suite, self.origin)
                row["notes"] = walk.notes
                signed_in = walk.module(module, test)
                info = self.suite.wait(test, ("FINISHED", "INTERRUPTED"), WAIT + 5)
            row.update(status=info["status"], result=info.get("result"))
            if info["status"] not in ("FINISHED", "INTERRUPTED"):
                self.suite.api("DELETE", "runner/" + test)
                row["notes"].append("it never finished, and was cancelled")
            row["suite"] = failures(self.suite.api("GET", "log/" + test))
        except UnknownKey as key:
            missing = str(key)
            self.suite.api("DELETE", "runner/" + test)
        except Exception as error:                     # the runner's own trouble is told as such
            trouble = f"{type(error).__name__}: {error}"[:300]
        finally:
            if gate:
                gate.stop()
                row["gateway"] = [gate.said()] if hasattr(gate, "log") else []
        row["verdict"], row["reason"] = verdict(module, row.get("status"), row.get("result"), signed_in,
                                                 walk and walk.framed, missing, trouble)
        return row

    def gateway(self, plan, client, entry, row):
        module = entry["testModule"]
        gate = Gateway(self.binary, self.home / "gateways" / f"{self.alias}_{module}", self.app, self.origin, self.port)
        oidc = {"issuer": f"{self.suite.url}/test/a/{self.alias}/", "client_id": CLIENT_ID, "client_secret": SECRET,
                "scopes": ["openid", "profile", "email", "phone", "address"], "userinfo": True, **plan.oidc}
        if module.endswith("client-secret-basic"):        # this module is about one method, whatever the plan's is
            oidc.update(token_endpoint_auth_method="client_secret_basic", client_secret=SECRET)
        if oidc.get("token_endpoint_auth_method") == "private_key_jwt":
            oidc["client_keys"] = [self.key]
        if "es256" in module:
            oidc["algorithms"] = ["ES256"]
        full = {**plan.variant, **(entry.get("variant") or {})}
        if full.get("client_registration") == "dynamic_client" and "webfinger" not in module:
            oidc.update(self.register(client, full))
            row["notes"].append("registered by the runner, as an operator's tool would")
        oidc = {key: value for key, value in oidc.items() if value is not None}
        return gate.configure(oidc, {"ca_file": str(self.suite.ca_file)}, **plan.rest)

    def register(self, client, variant):
        ask = {"client_name": "zengate", "application_type": "web", "contacts": ["nobody@example.com"],
               "redirect_uris": [client["redirect_uri"]], "response_types": ["code"], "grant_types": ["authorization_code"],
               "id_token_signed_response_alg": "RS256", "token_endpoint_auth_method": variant.get("client_auth_type", "client_secret_basic"),
               **{key: client[key] for key in ("initiate_login_uri", "jwks") if key in client}}
        status, _, data = self.suite.call("POST", f"{self.suite.url}/test/a/{self.alias}/register", json.dumps(ask),
                                          {"Content-Type": "application/json"})
        if status != 201:
            raise Failed(f"registration: {status} {data[:200]!r}")
        got = json.loads(data)
        return {"client_id": got["client_id"], **({"client_secret": got["client_secret"]} if got.get("client_secret") else {})}


def failures(log):
    """What the suite found, worst first."""
    found = [entry for entry in log if entry.get("result") in ("FAILURE", "WARNING", "INTERRUPTED") and "DELETE" not in str(entry.get("msg"))]
    return [f"{entry['result']} {entry.get('src')}: {entry.get('msg')}" for entry in sorted(found, key=lambda entry: entry["result"])]


def main():
    end_on_signals()
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("plans", nargs="*", metavar="PLAN", help=", ".join(PLANS))
    arguments.add_argument("--suite", default=os.environ.get("SUITE"), help="the folder with the built suite")
    arguments.add_argument("--gateway", default=os.environ.get("ZENGATE", str(ROOT / "target/debug/zengate")))
    arguments.add_argument("--home", default=str(ROOT / "target/conformance-run"), help="where logs and what is built for it go")
    arguments.add_argument("--only", default="", help="only modules whose names hold one of these, with commas between")
    arguments.add_argument("--write", help="write the board into this page")
    arguments.add_argument("--add", action="store_true", help="keep what an earlier run found for other plans")
    arguments.add_argument("--control", action="store_true", help="also run the relying party that checks nothing")
    asked = arguments.parse_args()
    if not asked.suite:
        arguments.error("--suite (or SUITE) names the folder with the built suite; see tests/conformance/README.md")
    if unknown := [name for name in asked.plans if name not in PLANS]:
        arguments.error(f"no such plan: {', '.join(unknown)}")
    port, secure = free_port(), free_port()
    began, results, checked = time.monotonic(), {}, None
    home = Path(asked.home).resolve()
    suite = Suite(asked.suite, home, {secure: port})
    if asked.add and (home / "board.json").exists():
        results = json.loads((home / "board.json").read_text())
    try:
        suite.start()
        print(f"the suite ({suite.version}) is up after {time.monotonic() - began:.0f} s", flush=True)
        runner = Runner(suite, asked.gateway, home, port, f"https://localhost:{secure}", App())
        for name in asked.plans or PLANS:
            try:
                results[name] = runner.plan(name, [part for part in asked.only.split(",") if part])
            except Exception as error:
                print(f"== {name}: the plan could not be run: {error}", flush=True)
                results[name] = [{"module": "-", "verdict": "DRIVER", "reason": str(error)[:300], "notes": []}]
            (home / "board.json").write_text(json.dumps(results, indent=1))
        if asked.control:
            checked = control.run(suite, f"https://localhost:{secure}")
    finally:
        suite.stop()
    results = {name: results[name] for name in PLANS if name in results}
    text = board.render(results, checked, suite.version, asked.gateway)
    print(text)
    if asked.write:
        Path(asked.write).write_text(text)
    bad = [row for rows in results.values() for row in rows if re.fullmatch("FAIL|LETIN|NOTIN|STILLIN|DRIVER", row["verdict"])]
    return 1 if bad or (checked and not control.none_passed(checked)) else 0


if __name__ == "__main__":
    sys.exit(main())
