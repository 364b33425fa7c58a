"""How the gateway identifies itself, and what it asks for."""
from kit.app import told
from kit.gateway import new_key
from kit.processes import Failed
from provider import Unsupported
from scene import authorization_request

from . import check, feature


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
    if gateway.await_said("the provider says `unauthorized_client`", 1) and "401" not in gateway.said(9):
        raise Unsupported("the provider does not say that it was the secret: " + gateway.said(1)[:120])
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
            "client_keys": [file], **scene.provider.assertion}
    scene.signed_in(scene.started(metadata, oidc))


@feature
def public_client(scene):
    """public client with PKCE"""
    scene.signed_in(scene.started({"token_endpoint_auth_method": "none"},
                                  {"token_endpoint_auth_method": "none", "client_secret": None}))



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
    if not browser.url.startswith(gateway.origin):
        raise Unsupported("asked again, the person does not leave the provider's own pages")
    scene.at_app(gateway, browser)



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
