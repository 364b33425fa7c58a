"""One gateway, several issuers."""
import importlib
import re
import urllib.parse

from kit.app import told
from kit.processes import Failed
from scene import DEEP

from . import check, feature


def other_kind(provider):
    """The provider that stands beside this one: one that needs nothing but its package."""
    name = "oidc_provider_mock" if provider.name == "oidc_provider" else "oidc_provider"
    return importlib.import_module(f"providers.{name}").PROVIDER


def chosen(scene, gateway, name, halt=None):
    """A browser whose person wanted a page, was asked where they have an account, and signed in there."""
    browser = scene.browser()
    browser.halt = halt
    browser.go(gateway.url(DEEP))
    choices = {text.strip(): href for href, text in browser.page().links}
    if name.capitalize() not in choices:
        raise Failed("no page to choose on: " + scene.seen(gateway, browser))
    browser.follow(choices[name.capitalize()])
    provider = scene.provider if name == "first" else scene.second
    provider.person(browser, lambda url: url.startswith(gateway.origin + "/"))
    return browser


@feature
def several(scene):
    """several issuers: chosen on a page, a callback each, no mix-up"""
    gateway = scene.started_with_two(other_kind(scene.provider))
    for name, provider in (("first", scene.provider), ("second", scene.second)):
        browser = chosen(scene, gateway, name)
        headers = scene.at_app(gateway, browser)
        check(headers.get("x-issuer") == provider.issuer, f"{name}: X-Issuer is {headers.get('x-issuer')}")
        own = urllib.parse.quote(f"{gateway.redirect_uri}/{name}", safe="")
        check(any(own in hop.url for hop in browser.hops), f"{name}: the redirect URI is not its own: " + browser.trail(9))
    # An answer that is opened at the other's address is refused before anything is redeemed.
    for name, other in (("first", "second"), ("second", "first")):
        browser = chosen(scene, gateway, name, lambda url: url.startswith(f"{gateway.redirect_uri}/"))
        answer, before = browser.url, redeemed(gateway)
        browser.halt = None
        browser.go(answer.replace(f"/callback/{name}", f"/callback/{other}"))
        check(browser.status == 400 and "carrier_mismatch" in browser.text, f"of {name} at {other}: " + scene.seen(gateway, browser))
        check(redeemed(gateway) == before, f"a code of {name} was redeemed at {other}")
        browser = chosen(scene, gateway, name)
        check(told(browser) and redeemed(gateway) == before + 1, f"{name} at its own: " + scene.seen(gateway, browser))


def redeemed(gateway):
    """How many codes the gateway has redeemed so far."""
    counts = re.findall(r'^zengate_provider_exchanges_total\{[^}]*exchange="redemption"[^}]*\} (\d+)', gateway.metrics(), re.M)
    return sum(map(int, counts))
