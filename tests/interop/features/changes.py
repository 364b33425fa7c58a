"""What ends and what changes at the provider."""
import time

from kit.app import told
from kit.processes import Failed, until
from provider import Provider, Unsupported
from scene import DEEP

from . import check, feature


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
    if told(browser) and not scene.provider.asks:
        return "asked to, but nobody is asked for a password there anyway"
    check(not told(browser), "still signed in without a password: " + browser.trail(8))


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
    if type(scene.provider).disable_person is Provider.disable_person:
        raise Unsupported("the person is not disabled from outside")
    gateway = scene.started({"grant_types": ["authorization_code", "refresh_token"]},
                            {"scopes": [*scene.provider.scopes, *scene.provider.offline_scopes], **scene.provider.offline},
                            sessions={"recheck": "1m", **scene.provider.recheck})
    browser, _ = scene.signed_in(gateway)
    time.sleep(62)                                       # the shortest that the gateway takes is a minute
    browser.go(gateway.url("/still"))
    check(told(browser), "a good session ended at a re-check: " + scene.seen(gateway, browser))
    scene.provider.disable_person()
    try:
        time.sleep(62)

        def out():
            browser.go(gateway.url("/after"))
            return not told(browser)
        try:
            until(out, 12, "disabled, and still in", every=1)
        except Failed as why:
            if not gateway.await_said("could not be asked", 1):
                raise Unsupported("the provider goes on giving tokens to somebody whom it disabled") from None
            raise Failed(f"{why}; log: {gateway.said()}") from None
    finally:
        scene.provider.enable_person()
    return "with " + ", ".join(f"{key}: {value}" for key, value in scene.provider.recheck.items()) if scene.provider.recheck else ""


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
