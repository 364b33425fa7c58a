"""An OpenID provider of the PyPI package `idpyoidc` (Apache-2.0), behind Flask as in its own example.

    server.py PORT FOLDER      with who the person is in FOLDER/person.json; keys and clients lie in FOLDER

A line on standard input: `disable` takes the person's password and grants away, `enable` gives the password back.
"""
import json
import logging
import os
import sys
import threading
from pathlib import Path

from cryptojwt.key_jar import KeyJar
from flask import Flask, make_response, redirect, request
from idpyoidc.message.oauth2 import ResponseMessage
from idpyoidc.message.oidc import AccessTokenRequest, AuthorizationRequest
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.exception import ClientAuthenticationError, FailedAuthentication, UnAuthorizedClient
from idpyoidc.server.oidc.token import Token
from idpyoidc.server.session.grant import Grant

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
PERSON = json.loads((FOLDER / "person.json").read_text())
ISSUER = f"http://127.0.0.1:{PORT}"
CLIENTS = FOLDER / "clients.json"
METHODS = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
ALGORITHMS = ["RS256", "PS256", "ES256"]
PAGE = """<!doctype html><title>Sign in</title><form action="{{ action }}" method="post">
<input type="hidden" name="token" value="{{ token }}"><input name="username"><input name="password" type="password">
<input type="submit" value="{{ submit_btn }}"></form>"""
LEAVE = '<!doctype html><title>Sign out</title><form action="/rp_logout" method="post"><input type="hidden" name="sjwt" value="%s">' \
        '<button name="logout" value="all">Sign out</button></form>'


def endpoint(kind, path, **more):
    return {"path": path, "class": f"idpyoidc.server.oidc.{kind}", "kwargs": more}


def key(kind, use, **more):
    return {"type": kind, "use": [use], **more}


def configuration():
    (FOLDER / "private").mkdir(exist_ok=True)
    (FOLDER / "page.jinja2").write_text(PAGE)
    claims = {name: PERSON[name] for name in ("name", "email")}
    people = {PERSON["username"]: {"sub": PERSON["username"], **claims, "email_verified": True, "groups": ["staff"]}}
    (FOLDER / "people.json").write_text(json.dumps(people))
    (FOLDER / "passwords.json").write_text(json.dumps({PERSON["username"]: PERSON["password"]}))
    minting = {"authorization_code": {"supports_minting": ["access_token", "refresh_token", "id_token"], "max_usage": 1},
               "access_token": {}, "refresh_token": {"supports_minting": ["access_token", "refresh_token", "id_token"]}}
    return {
        "issuer": ISSUER, "entity_id": ISSUER, "template_dir": str(FOLDER), "httpc_params": {"verify": True, "timeout": 5},
        "keys": {"private_path": "private/keys.json", "key_defs": [key("RSA", "sig"), key("EC", "sig", crv="P-256")],
                 "read_only": False, "uri_path": "jwks"},
        "cookie_handler": {"class": "idpyoidc.server.cookie_handler.CookieHandler", "kwargs": {
            "keys": {"private_path": "private/cookies.json", "key_defs": [key("OCT", "enc", kid="enc"), key("OCT", "sig", kid="sig")],
                     "read_only": False},
            "name": {"session": "op", "register": "op_rp", "session_management": "op_sman"}, "flags": {"secure": False, "samesite": "Lax"}}},
        "token_handler_args": {
            "jwks_def": {"private_path": "private/tokens.json", "read_only": False, "key_defs": [
                key("oct", "enc", bytes=24, kid=kid) for kid in ("code", "token", "refresh")]},
            "code": {"kwargs": {"lifetime": 600}}, "refresh": {"kwargs": {"lifetime": 86400}},
            "token": {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 3600}},
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {"add_claims_by_scope": True}}},
        "preference": {"subject_types_supported": ["public"], "grant_types_supported": ["authorization_code", "refresh_token"],
                       "id_token_signing_alg_values_supported": ALGORITHMS, "userinfo_signing_alg_values_supported": ALGORITHMS},
        "scopes_to_claims": {"openid": ["sub"], "profile": ["name"], "email": ["email", "email_verified"], "groups": ["groups"],
                             "offline_access": []},
        "add_on": {"pkce": {"function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                            "kwargs": {"essential": True, "code_challenge_method": "S256"}}},
        "authz": {"class": "idpyoidc.server.authz.AuthzHandling",
                  "kwargs": {"grant_config": {"usage_rules": minting, "expires_in": 43200}}},
        "authentication": {"user": {
            "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:InternetProtocolPassword",
            "class": "idpyoidc.server.user_authn.user.UserPassJinja2", "kwargs": {
                "verify_endpoint": "verify/user", "template": "page.jinja2", "submit_btn": "Sign in",
                "db": {"class": "idpyoidc.server.util.JSONDictDB", "kwargs": {"filename": str(FOLDER / "passwords.json")}}}}},
        "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db_file": str(FOLDER / "people.json")}},
        "endpoint": {
            "provider_info": endpoint("provider_config.ProviderConfiguration", ".well-known/openid-configuration", client_authn_method=None),
            "registration": endpoint("registration.Registration", "registration", client_authn_method=None,
                                     client_secret_expiration_time=432000),
            "authorization": endpoint("authorization.Authorization", "authorization", client_authn_method=None, claims_parameter_supported=True,
                                      response_types_supported=["code"], response_modes_supported=["query", "form_post"]),
            "token": endpoint("token.Token", "token", client_authn_method=METHODS),
            "userinfo": endpoint("userinfo.UserInfo", "userinfo"),
            "end_session": endpoint("session.Session", "session", logout_verify_url="verify_logout", post_logout_uri_path="left",
                                    signing_alg="ES256", backchannel_logout_supported=True, backchannel_logout_session_supported=True),
        },
    }


# 5.0.0 tells its log about the keys of each new client, and fails where a client has none.
KeyJar.key_summary = lambda *_: ""
server = Server(OPConfiguration(conf=configuration(), base_path=str(FOLDER)), cwd=str(FOLDER))
context = server.get_context()
# Nobody identifies a client where a person signs out; 5.0.0 fails where it finds one and no token.
server.get_endpoint("session").client_authentication = lambda *_, **__: {}
app = Flask(__name__)
logging.basicConfig(level=logging.INFO)


def keep():
    """Writes the clients down; what it is asked for while it runs lies in memory."""
    CLIENTS.write_text(json.dumps({name: [client, context.keyjar.export_jwks(issuer_id=name)] for name, client in context.cdb.items()}))


def remember():
    for name, (client, keys) in json.loads(CLIENTS.read_text()).items() if CLIENTS.exists() else []:
        client["redirect_uris"] = [tuple(uri) for uri in client.get("redirect_uris", [])]
        context.cdb[name] = client
        context.keyjar.import_jwks(keys, name)
        if client.get("client_secret"):
            context.keyjar.add_symmetric(name, client["client_secret"])


def cookies(answer, told):
    for cookie in told if isinstance(told, list) else [told] if told else []:
        more = {name: value for name, value in cookie.items() if name in ("value", "max_age")}
        answer.set_cookie(cookie["name"], path="/", samesite="Lax", httponly=True, **more)
    return answer


def answered(where, asked, **told):
    info = where.do_response(request=asked, **told)
    if info.get("response_placement", where.response_placement) == "body":
        answer = make_response(info["response"], info.get("response_code", 400 if told.get("error") else 200))
    else:
        answer = redirect(info["response"])
    for name, value in info["http_headers"]:
        answer.headers[name] = value
    return cookies(answer, info.get("cookie"))


def problem(status, error, text):
    return make_response(json.dumps({"error": error, "error_description": text}), status, {"Content-Type": "application/json"})


def asked_at(name):
    where = server.get_endpoint(name)
    http = {"headers": {name: value for name, value in request.headers.items(lower=True) if name not in ("cookie", "user-agent")},
            "method": request.method, "url": request.url, "cookie": [{"name": name, "value": value} for name, value in request.cookies.items()]}
    body = request.args.to_dict() if request.method == "GET" else request.form.to_dict() or request.get_data(as_text=True)
    try:
        asked = where.parse_request(body, http_info=http)
        if isinstance(asked, ResponseMessage) and "error" in asked:
            status = 401 if asked["error"] in ("invalid_client", "unauthorized_client", "invalid_token") else 400
            return problem(status, asked["error"], asked.get("error_description", ""))
        told = where.process_request(AccessTokenRequest(**asked) if isinstance(where, Token) else asked, http_info=http)
    except (ClientAuthenticationError, UnAuthorizedClient) as error:
        return problem(401, "invalid_client", str(error))
    except Exception as error:                       # as the example of the package does
        app.logger.exception("at %s", name)
        return problem(400, "invalid_request", str(error))
    if "redirect_location" in told:
        return redirect(told["redirect_location"])
    if "http_response" in told:
        return cookies(make_response(told["http_response"], 200), told.get("cookie"))
    return answered(where, asked, **told)


@app.get("/.well-known/openid-configuration")
def provider_info():
    return asked_at("provider_config")


@app.get("/jwks")
def jwks():
    return context.keyjar.export_jwks()


@app.post("/registration")
def registration():
    answer = asked_at("registration")
    keep()
    return answer


@app.get("/authorization")
def authorization():
    return asked_at("authorization")


@app.post("/verify/user")
def verify_user():
    method = context.authn_broker.get_method_by_id("user")
    form = request.form.to_dict()
    try:
        name = method.verify(**form)
    except FailedAuthentication:
        return make_response("<p>This is not the password.", 403)
    told = method.unpack_token(form["token"])
    asked = AuthorizationRequest().from_urlencoded(told["query"])
    where = server.get_endpoint("authorization")
    session = where.create_session(asked, name, told["authn_class_ref"], told["iat"], method)
    args = where.authz_part2(request=asked, session_id=session)
    if isinstance(args, ResponseMessage) and "error" in args:
        return problem(400, args["error"], args.get("error_description", ""))
    return answered(where, asked, **args)


@app.post("/token")
def token():
    return asked_at("token")


@app.route("/userinfo", methods=["GET", "POST"])
def userinfo():
    return asked_at("userinfo")


@app.get("/session")
def end_session():
    return asked_at("session")


@app.get("/verify_logout")
def verify_logout():
    return LEAVE % request.args["sjwt"]


@app.post("/rp_logout")
def rp_logout():
    where = server.get_endpoint("session")
    told = where.unpack_signed_jwt(request.form["sjwt"])
    where.do_verified_logout(alla="logout" in request.form, **told)
    return cookies(redirect(told["redirect_uri"]), where.kill_cookies())


@app.get("/left")
def left():
    return "<p>Signed out."


def listen_to_words():
    file = FOLDER / "passwords.json"
    for line in sys.stdin:
        if line.strip() == "disable":
            file.write_text("{}")
            for grant in [node for node in context.session_manager.db.db.values() if isinstance(node, Grant)]:
                grant.revoke()
                for token in grant.issued_token:
                    token.revoke()
        if line.strip() == "enable":
            file.write_text(json.dumps({PERSON["username"]: PERSON["password"]}))
        print(line.strip(), flush=True)
    os._exit(0)


remember()
threading.Thread(target=listen_to_words, daemon=True).start()
app.run(host="127.0.0.1", port=PORT)
