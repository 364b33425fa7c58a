"""What is tried at each provider: one function a feature. Its docstring is the line in the table.

A feature returns a note (or nothing) where all is well; it raises `Failed` with what was seen where it is not, and
`Unsupported` where the provider has no such thing.
"""
from kit.app import told
from kit.gateway import new_key
from kit.processes import Failed, until
from provider import Unsupported
from scene import DEEP, authorization_request, callback_of

FEATURES = []


def feature(function):
    FEATURES.append(function)
    return function


def check(truth, words):
    if not truth:
        raise Failed(words)


# ------------------------------------------------------------------ signing in

@feature
def sign_in(scene):
    """sign-in with consent, headers at the app"""
    gateway = scene.started()
    browser, headers = scene.signed_in(gateway)
    check(headers.get("x-issuer") == scene.provider.issuer, f"X-Issuer is {headers.get('x-issuer')}")
    check(headers.get("x-subject") and headers.get("x-auth-request-user"), "no subject")
    for claim, value in scene.provider.claims.items():
        name = {"email": "x-auth-request-email", "name": "x-name"}[claim]
        check(headers.get(name) == value.replace(" ", "%20") or headers.get(name) == value, f"{name} is {headers.get(name)}, not {value}")
    hops = len(browser.hops)
    browser.go(gateway.url("/again"))
    check(told(browser) and len(browser.hops) == hops + 1, "the session does not last")


@feature
def declined(scene):
    """the person says no"""
    gateway = scene.started()
    browser = scene.sign_in(gateway, decline=True)
    if told(browser):
        raise Unsupported("the pages of this provider offer no way to say no")
    if not browser.url.startswith(gateway.origin):
        raise Unsupported(f"stays at the provider's page ({browser.status})")
    check(browser.status == 403, scene.seen(gateway, browser))


@feature
def groups(scene):
    """groups: header and rule"""
    if not scene.provider.groups:
        raise Unsupported("no groups set up")
    claim, value, scope = scene.provider.groups
    oidc = {"scopes": scene.provider.scopes + ([scope] if scope else [])}
    route = {"identity_headers": {"map": {"X-Groups": claim}}, "require": {"claims": {claim: [value]}}}
    _, headers = scene.signed_in(scene.started(oidc=oidc, route=route))
    check(value in headers.get("x-groups", "").split(","), f"X-Groups is {headers.get('x-groups')}")
    gateway = scene.started(oidc=oidc, route=dict(route, require={"claims": {claim: ["nobody-is-in-this"]}}))
    browser = scene.sign_in(gateway)
    check(browser.status == 403, "a rule that is not met: " + scene.seen(gateway, browser))


@feature
def algorithms(scene):
    """algorithms of the ID token"""
    good, bad = [], []
    for algorithm in scene.provider.algorithms:
        try:
            scene.signed_in(scene.started({"id_token_signed_response_alg": algorithm}))
            good.append(algorithm)
        except Failed as why:
            bad.append(f"{algorithm}: {why}")
    check(not bad, f"good: {' '.join(good)}; " + "; ".join(bad))
    return " ".join(good)


# ------------------------------------------------------------------ the client

@feature
def hard_secret(scene):
    """a secret with signs in it"""
    secret = "aB3+/dEfGh1j=KlM:nOp%41 and forty signs+more"
    method = {"client_secret": secret, "token_endpoint_auth_method": "client_secret_basic"}
    try:
        scene.signed_in(scene.started(method, {"client_secret": secret}))
        return None
    except Failed:
        # Half of the providers do not decode Basic as RFC 6749 2.3.1 says; the way around it must work there.
        method["token_endpoint_auth_method"] = "client_secret_post"
        scene.signed_in(scene.started(method, {"client_secret": secret, "token_endpoint_auth_method": "client_secret_post"}))
        return "by client_secret_post only: the provider does not decode Basic as RFC 6749 2.3.1 says"


@feature
def wrong_secret(scene):
    """a wrong secret is refused, and the log says so"""
    gateway = scene.started(oidc={"client_secret": "another-secret-of-more-than-32-characters"})
    browser = scene.sign_in(gateway)
    if told(browser):
        raise Unsupported("this provider does not check the secret")
    check(browser.status == 502, scene.seen(gateway, browser))
    check(gateway.await_said("client id and secret|client_secret"), "the log does not point at the secret: " + gateway.said(9))


@feature
def client_secret_post(scene):
    """client_secret_post"""
    method = "client_secret_post"
    scene.signed_in(scene.started({"token_endpoint_auth_method": method}, {"token_endpoint_auth_method": method}))


@feature
def private_key_jwt(scene):
    """private_key_jwt"""
    file, keys = new_key(scene.binary, scene.directory)
    metadata = {"token_endpoint_auth_method": "private_key_jwt", "jwks": keys,
                "token_endpoint_auth_signing_alg": "ES256"}
    oidc = {"token_endpoint_auth_method": "private_key_jwt", "client_secret": None,
            "client_keys": [file]}
    scene.signed_in(scene.started(metadata, oidc))


@feature
def public_client(scene):
    """public client with PKCE"""
    scene.signed_in(scene.started({"token_endpoint_auth_method": "none"},
                                  {"token_endpoint_auth_method": "none", "client_secret": None}))


# ------------------------------------------------------------------ what is asked for

@feature
def pushed(scene):
    """pushed authorization requests"""
    if not scene.provider.discover().get("pushed_authorization_request_endpoint"):
        raise Unsupported("not offered")
    browser, _ = scene.signed_in(scene.started(oidc={"pushed_authorization_requests": "always"}))
    check("request_uri=" in authorization_request(browser), "the request was not pushed: " + browser.trail(9))


@feature
def prompt(scene):
    """prompt=login: asked again though signed in there"""
    browser, _ = scene.signed_in(scene.started())
    gateway = scene.started(oidc={"prompt": "login"})
    scene.to_provider(gateway, browser)
    check("prompt=login" in authorization_request(browser, gateway), "prompt was not sent")
    if told(browser):
        raise Unsupported("the provider does not look at it")
    scene.provider.person(browser, lambda url: url.startswith(gateway.origin + "/"))
    scene.at_app(gateway, browser)


# ------------------------------------------------------------------ tokens and claims

@feature
def further_audience(scene):
    """a further audience in the ID token"""
    audience = scene.provider.further_audience(scene)
    gateway = scene.started({"audience": audience}, {"trusted_audiences": [audience]})
    scene.signed_in(gateway)
    gateway = scene.started({"audience": audience})
    browser = scene.sign_in(gateway)
    check(browser.status == 502, "not listed: " + scene.seen(gateway, browser))


@feature
def signed_userinfo(scene):
    """userinfo as a signed JWT"""
    gateway = scene.started({"userinfo_signed_response_alg": scene.provider.algorithms[0]}, {"userinfo": True})
    scene.signed_in(gateway)


# ------------------------------------------------------------------ the way back

@feature
def back(scene):
    """Back after sign-in"""
    gateway = scene.started()
    browser, _ = scene.signed_in(gateway)
    browser.go(authorization_request(browser), initiator=None)
    scene.provider.person(browser, lambda url: url.startswith(gateway.origin + "/"))
    scene.at_app(gateway, browser)


@feature
def used_callback(scene):
    """the used callback again"""
    gateway = scene.started()
    browser, _ = scene.signed_in(gateway)
    browser.go(callback_of(browser))
    scene.at_app(gateway, browser)


@feature
def two_tabs(scene):
    """two tabs at once"""
    gateway = scene.started()
    first = scene.browser()
    scene.to_provider(gateway, first, "/first")
    if told(first):
        raise Unsupported("nobody is asked anything")
    second = scene.browser()
    second.cookies = first.cookies
    scene.signed_in(gateway, second, "/second")
    scene.provider.person(first, lambda url: url.startswith(gateway.origin + "/"))
    if not first.url.startswith(gateway.origin):
        raise Unsupported(f"the provider keeps the first tab ({first.status}): " + scene.seen(gateway, first)[:160])
    scene.at_app(gateway, first, "/first")


@feature
def form_post(scene):
    """response_mode=form_post"""
    if "form_post" not in scene.provider.discover().get("response_modes_supported", []):
        raise Unsupported("not offered")
    gateway = scene.started(oidc={"response_mode": "form_post"})
    browser, _ = scene.signed_in(gateway)
    posted = [hop for hop in browser.hops if hop.method == "POST" and hop.url.startswith(gateway.redirect_uri)]
    check(posted, "the answer came by another way: " + browser.trail(9))


# ------------------------------------------------------------------ its end

@feature
def provider_logout(scene):
    """sign-out ends the provider's session too"""
    if not scene.provider.discover().get("end_session_endpoint"):
        raise Unsupported("no end_session_endpoint")
    gateway = scene.started(lambda gateway: {"post_logout_redirect_uris": [gateway.url("/oauth2/signed_out")]},
                            sign_out={"provider": "always"})
    browser, _ = scene.signed_in(gateway)
    browser.go(gateway.url("/oauth2/sign_out"))
    for _ in range(4):
        form = next((form for form in browser.page().forms if form.method == "post"), None)
        if not form:
            break
        browser.press(form, form.buttons[0] if form.buttons else None)
    asked = [hop for hop in browser.hops if "post_logout_redirect_uri=" in hop.url]
    check(asked, "the provider was not asked to end the session: " + browser.trail())
    browser.go(gateway.url(DEEP))
    check(not told(browser), "still signed in without a password")


@feature
def backchannel_logout(scene):
    """back-channel logout"""
    if not scene.provider.discover().get("backchannel_logout_supported"):
        raise Unsupported("not offered")
    gateway = scene.started(lambda gateway: {"backchannel_logout_uri": gateway.url("/oauth2/backchannel_logout"),
                                             "backchannel_logout_session_required": True,
                                             "post_logout_redirect_uris": [gateway.url("/oauth2/signed_out")]})
    browser, _ = scene.signed_in(gateway)
    scene.provider.end_session(browser)
    hops = len(browser.hops)

    def over():
        browser.request("GET", gateway.url("/after"))
        return browser.status != 200
    until(over, 6, f"the session did not end ({browser.hops[hops - 1:hops]}); log: {gateway.said()}", every=0.5)


@feature
def recheck(scene):
    """re-check: somebody disabled is out"""
    gateway = scene.started({"grant_types": ["authorization_code", "refresh_token"]},
                            {"scopes": [*scene.provider.scopes, *scene.provider.offline_scopes]}, sessions={"recheck": "3s"})
    browser, _ = scene.signed_in(gateway)
    until(lambda: gateway.await_line("refresh|recheck", 8), 10, "no re-check")
    browser.request("GET", gateway.url("/still"))
    check(told(browser), "a good session ended at a re-check: " + scene.seen(gateway, browser))
    scene.provider.disable_person()
    try:
        def out():
            browser.request("GET", gateway.url("/after"))
            return browser.status != 200
        until(out, 12, "disabled, and still in", every=0.5)
    finally:
        scene.provider.enable_person()


# ------------------------------------------------------------------ changes at the provider

@feature
def key_rotation(scene):
    """the provider changes its keys"""
    gateway = scene.started()
    before, _ = scene.signed_in(gateway)
    scene.provider.rotate_keys()
    scene.signed_in(gateway)
    before.go(gateway.url("/again"))
    check(told(before), "the session from before ended")


@feature
def restart(scene):
    """the provider restarts in mid sign-in"""
    gateway = scene.started()
    browser = scene.browser()
    scene.to_provider(gateway, browser)
    if told(browser):
        raise Unsupported("nobody is asked anything")
    scene.provider.restart()
    scene.provider.person(browser, lambda url: url.startswith(gateway.origin + "/"))
    if not browser.url.startswith(gateway.origin):
        browser = scene.sign_in(gateway, browser)
        scene.at_app(gateway, browser)
        return "the provider forgot the page that was open; a new start works"
    scene.at_app(gateway, browser)


# ------------------------------------------------------------------ in a real browser

@feature
def chromium(scene):
    """in Chromium: sign-in, Back, sign-out, console"""
    gateway = scene.started()
    window = scene.window()
    window.go(gateway.url(DEEP))
    scene.provider.person(window, lambda url: url.startswith(gateway.origin + "/"))
    check(window.at_app() and window.url == gateway.url(DEEP), f"ended at {window.url}: {window.text[:120]}; log: {gateway.said()}")
    window.complaints()
    window.back()
    if not window.url.startswith(gateway.origin):        # the provider's own page: the person answers it once more
        scene.provider.person(window, lambda url: url.startswith(gateway.origin + "/"))
    came_back = window.url.startswith(gateway.origin)
    check(not came_back or window.at_app(), f"Back ended at {window.url.split('?')[0]}: {window.text[:120]}")
    window.go(gateway.url("/oauth2/sign_out"))
    for _ in range(3):
        form = next((form for form in window.page().forms if form.method == "post" and form.buttons), None)
        if not form:
            break
        window.press(form, form.buttons[0])
    blocked = [words for words in window.complaints() if "Content Security Policy" in words or "blocked" in words]
    check(not blocked, "the console says: " + blocked[0][:200] if blocked else "")
    check(window.url.startswith(gateway.origin), f"sign-out ended at {window.url}")
    return "" if came_back else "after Back the provider keeps the person at its own page"


__all__ = ["FEATURES"]
