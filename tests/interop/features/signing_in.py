"""Signing in, and what the app is told."""
from kit.app import told
from kit.processes import Failed
from provider import Unsupported

from . import check, feature


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
def nested(scene):
    """a claim inside another: header and rule"""
    if not scene.provider.nested:
        raise Unsupported("no such claim set up")
    claim, value, scope = scene.provider.nested
    route = {"identity_headers": {"map": {"X-Roles": claim}}, "require": {"claims": {claim: [value]}}}
    _, headers = scene.signed_in(scene.started(oidc={"scopes": scene.provider.scopes + ([scope] if scope else [])}, route=route))
    check(value in headers.get("x-roles", "").split(","), f"X-Roles is {headers.get('x-roles')}")


@feature
def many_groups(scene):
    """500 groups: a rule about the last one"""
    if not scene.provider.many_groups:
        raise Unsupported("no such claim set up")
    claim, value, scope = scene.provider.many_groups
    oidc = {"scopes": scene.provider.scopes + ([scope] if scope else [])}
    route = {"identity_headers": {"preset": "x-auth-request", "map": {"X-Groups": claim}}, "require": {"claims": {claim: [value]}}}
    gateway = scene.started(oidc=oidc, route=route)
    scene.signed_in(gateway)
    check(gateway.await_said(claim, 3), "the log does not say that the header could not hold them")


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
