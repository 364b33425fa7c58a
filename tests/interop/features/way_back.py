"""The way back: Back, a used callback, tabs, an answer by a form, a real browser."""
import urllib.parse

from kit.app import told
from provider import Unsupported
from scene import DEEP, authorization_request, callback_of

from . import check, feature


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
    scene.sign_in(gateway, second, "/second")
    if scene.at_app(gateway, second, None) and second.url == gateway.url("/first"):
        raise Unsupported("the provider goes on with the first tab's request in the second tab")
    scene.at_app(gateway, second, "/second")
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
    browser = scene.sign_in(gateway)
    posted = [hop for hop in browser.hops if hop.method == "POST" and hop.url.startswith(gateway.redirect_uri)]
    check(posted, "the answer came by another way: " + browser.trail(9))
    said = urllib.parse.parse_qs(posted[0].body).get("iss")
    if said and said != [scene.provider.issuer]:
        check(browser.status == 400, scene.seen(gateway, browser))
        raise Unsupported(f"its form names the issuer `{said[0]}`, which is refused, rightly")
    scene.at_app(gateway, browser)



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
    blocked = [words for words in window.complaints() if gateway.origin in words and ("Content Security Policy" in words or "blocked" in words)]
    check(not blocked, "the console says: " + blocked[0][:200] if blocked else "")
    check(window.url.startswith(gateway.origin), f"sign-out ended at {window.url}")
    return "" if came_back else "after Back the provider keeps the person at its own page"
