//! Leaving, and coming back, in a real browser: to the provider and to the last hop, and over the end of the window.

use crate::support::chromium::Chromium;
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Upstream;

const KEYS: &str = "    scopes: [openid, name, email]\n";

/// What a provider's page does that ends a session: it leads back to where it was told.
const ENDED: &str = "<h1>Ended</h1><script>const asked = new URLSearchParams(location.search); \
    location.replace(asked.get('post_logout_redirect_uri') + '?state=' + encodeURIComponent(asked.get('state')))</script>";

// XS03, KC29, PM02, PF04
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_of_both_ends_on_the_page_that_was_asked_for() {
    let Some(chromium) = Chromium::start("signing out of both") else { return };
    // Sessions end on a host of the provider's that is not its issuer, under a path that is ours on our own host.
    let provider = Upstream::start().await;
    let (length, html) = (ENDED.len(), "Content-Type: text/html");
    provider.answer(&format!("HTTP/1.1 200 OK\r\n{html}\r\nContent-Length: {length}\r\n\r\n{ENDED}"));
    let plain = Some(format!("{KEYS}    allowed_hosts: ['{}']\n", provider.address));
    let mut rig = Rig::with(Choices { plain, ..Choices::default() }).await;
    let end = format!("http://{}/oauth2/logout", provider.address);
    let aurora = rig.simulator.carrier("aurora").unwrap().clone();
    aurora.set(|rules| drop(rules.metadata.insert("end_session_endpoint".to_owned(), end.into())));
    rig.restart().await;
    for (form, ends_there) in
        [("form[action*='provider=yes'] button", true), ("form:not([action*=provider]) button", false)]
    {
        let tab = chromium.tab();
        tab.open(&rig.url("/app/x"));
        tab.click("#agree");
        assert_eq!((tab.at().as_str(), tab.status()), ("/app/x", 200));
        let before = provider.count();
        tab.open(&rig.url("/oauth2/sign_out?rd=/public/bye"));
        tab.click(form);
        tab.until_at("/public/bye");
        assert_eq!(tab.policy_complaints(), Vec::<String>::new());
        assert_eq!(provider.count() > before, ends_there);
        tab.open(&rig.url("/app/x"));
        assert_eq!(tab.evaluate("document.querySelector('#agree') !== null"), true, "{}", tab.text());
    }
    let seen = provider.seen().into_iter().find(|seen| seen.target().starts_with("/oauth2/logout?")).unwrap();
    for part in ["id_token_hint=ey", "&client_id=", "&post_logout_redirect_uri=http%3A%2F%2Flocalhost", "&state="] {
        assert!(seen.target().contains(part), "{}", seen.target());
    }
}

// XM02
#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_window_unless_somebody_says_otherwise() {
    for (cookie, path, lives) in [
        ("persistent", "/app/x", true),
        ("browser", "/app/x", false),
        ("persistent", "/oauth2/start?rd=/app/x&device=shared", false),
    ] {
        let Some(chromium) = Chromium::start("the end of the window") else { return };
        let sessions = format!("  store: memory\n  cookie: {cookie}\n");
        let rig = Rig::with(Choices { plain: Some(KEYS.into()), sessions, ..Choices::default() }).await;
        let tab = chromium.tab();
        tab.open(&rig.url(path));
        tab.click("#agree");
        assert_eq!((tab.at().as_str(), tab.status()), ("/app/x", 200));
        let chromium = chromium.restart();
        let tab = chromium.tab();
        tab.open(&rig.url("/app/x"));
        let signed_in = tab.evaluate("document.querySelector('#agree') === null");
        assert_eq!(signed_in, lives, "{cookie} {path}: {}", tab.text());
    }
}
