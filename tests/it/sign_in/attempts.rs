//! B: a sign-in belongs to the browser that began it, happens once, and proves it to the carrier.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::json;

use super::{
    assert_begun_anew, assert_refused, at_once, is_signed_in, only, start_url, starts, token_calls, until,
    until_authorize, until_code, until_signed_in, value, with,
};
use crate::support::browser::{Browser, Page};
use crate::support::raw;
use crate::support::rig::{CLIENT_ID, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_request_says_everything_and_nothing_twice() {
    // B01, B08
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let mut drawn = HashSet::new();
    for _ in 0..5 {
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_eq!(page.status, 200);
        let asked = aurora.last("authorize").unwrap();
        assert_eq!(only(&asked, "response_type").unwrap(), "code");
        assert_eq!(only(&asked, "client_id").unwrap(), CLIENT_ID);
        assert_eq!(only(&asked, "redirect_uri").unwrap(), rig.url("/oauth2/callback"));
        assert_eq!(only(&asked, "scope").unwrap(), "openid name email");
        assert_eq!(only(&asked, "acr_values").unwrap(), "a1 a3");
        assert_eq!(only(&asked, "code_challenge_method").unwrap(), "S256");
        assert_eq!(only(&asked, "prompt"), None);
        let ui = only(&rig.simulator.ui().last().unwrap(), "state").unwrap();
        let (state, nonce) = (only(&asked, "state").unwrap(), only(&asked, "nonce").unwrap());
        assert!(state.len() >= 22 && nonce.len() >= 22, "128 bits at least");
        let token = aurora.last("token").unwrap();
        let verifier = only(&token, "code_verifier").unwrap();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        assert!((43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved));
        let challenge = only(&asked, "code_challenge").unwrap();
        assert_eq!(challenge, URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())));
        assert_eq!(only(&token, "redirect_uri").unwrap(), rig.url("/oauth2/callback"));
        for one in [ui, state, nonce, verifier, challenge] {
            assert!(drawn.insert(one), "something was drawn twice");
        }
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_nobody_asked_for_reaches_no_carrier() {
    // B02, B03
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    browser.open(rig.url("/oauth2/start")).await;
    let random = "A".repeat(43);
    for query in [
        "",
        "?",
        "?&&&",
        "?code=a",
        "?state=&code=a",
        "?state=x&code=a",
        "?state=%00&code=a",
        "?state=../../x&code=a",
        &format!("?state={random}&code=a"),
        &format!("?state={random}&error=access_denied"),
        &format!("?state={random}&mccmnc=310410"),
        &format!("?state={random}&state={random}&code=a"),
        &format!("?state={random}&ticket={random}"),
        "?error=access_denied",
        "?mccmnc=310410",
        "?error=%3Cscript%3E",
        &format!("?state={}&code=a", "A".repeat(600)),
        &format!("?state={random}A&code=a"),
        &format!("?state={random}%3D&code=a"),
        "?state[]=a&code=b",
        "?STATE=a&code=b",
    ] {
        let page = browser.open(rig.url(&format!("/oauth2/callback{query}"))).await;
        // A state that is none of ours leads to the start page, and nowhere else.
        if page.status == 302 {
            assert!(query.contains("state="), "{query}");
            assert_begun_anew(&page, "/");
            continue;
        }
        let code = if page.body.contains("callback_malformed") { "callback_malformed" } else { "login_unknown" };
        assert_refused(&page, 400, code);
        assert!(!page.body.contains("script>") && !page.body.contains("AAAA"), "{query}: {}", page.body);
    }
    let huge = format!("GET /oauth2/callback?code=a&state={} HTTP/1.1\r\nHost: localhost\r\n\r\n", "A".repeat(100_000));
    let huge = raw::exchange(rig.address, huge.as_bytes()).await;
    assert!([414, 431].contains(&huge.status()), "{}", huge.text);
    assert_eq!((token_calls(&rig), rig.simulator.discovery().count(), rig.upstream.count()), (0, 0, 0));
    assert_eq!(browser.go(rig.url("/app")).await.status, 200, "and the gateway is alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_browser_cannot_finish_a_sign_in_and_its_owner_still_can() {
    // B04, B05, B18
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let (owner, thief, other) = (Browser::new(), Browser::new(), Browser::new());
    let callback = until_code(&owner, rig.url("/app/mine")).await;
    other.open(rig.url("/oauth2/start")).await;
    for thief in [&thief, &other] {
        assert_begun_anew(&thief.open(&callback).await, "/");
        assert!(!is_signed_in(&rig, thief).await);
    }
    assert_eq!(token_calls(&rig), 0);
    let arrived = owner.open(&callback).await;
    assert!(arrived.gives_session());
    assert_eq!(arrived.raw_location(), "/app/mine");
    // Also on the first leg.
    let (owner, thief) = (Browser::new(), Browser::new());
    let from_ui = until(&owner, rig.url("/app/mine"), |page: &Page| {
        page.location().is_some_and(|to| value(&to, "mccmnc").is_some())
    });
    let from_ui = from_ui.await.location().unwrap();
    let asked = rig.simulator.discovery().count();
    assert_begun_anew(&thief.open(&from_ui).await, "/");
    assert_eq!(rig.simulator.discovery().count(), asked);
    assert_eq!(owner.go(&from_ui).await.url.path(), "/app/mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_who_is_signed_in_cannot_be_signed_in_as_somebody_else() {
    // B04: login CSRF against a person who has a session.
    let rig = Rig::start().await;
    at_once(&rig, "tomas");
    let attacker = Browser::new();
    let trap = until_code(&attacker, rig.url("/app/trap?of=attacker")).await;
    at_once(&rig, "maya");
    let victim = Browser::new();
    assert_eq!(victim.go(rig.url("/app")).await.status, 200);
    let before = victim.cookies("localhost")["__Host-gw"].clone();
    let (calls, page) = (token_calls(&rig), victim.open(&trap).await);
    // It is treated as a late answer: to the start page, as herself, nothing redeemed. The page is the attacker's choice.
    assert!(!page.gives_session());
    assert_eq!((page.status.as_u16(), page.raw_location()), (302, "/"));
    assert_eq!((token_calls(&rig), victim.cookies("localhost")["__Host-gw"].clone()), (calls, before));
    assert!(attacker.open(&trap).await.gives_session(), "the attacker's own sign-in is still theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_callback_signs_nobody_in() {
    // B06
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    let second_window = browser.fork();
    assert!(browser.open(&callback).await.gives_session());
    let session = browser.cookies("localhost")["__Host-gw"].clone();
    // FD01, KC04, XS07: whoever is signed in goes to the page, anybody else into another sign-in for it.
    let page = browser.open(&callback).await;
    assert_eq!((page.status.as_u16(), page.raw_location(), page.gives_session()), (302, "/app", false));
    assert_begun_anew(&second_window.open(&callback).await, "/app");
    assert_eq!(token_calls(&rig), 1);
    assert_eq!(browser.cookies("localhost")["__Host-gw"], session);
    assert!(is_signed_in(&rig, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_callbacks_at_once_one_redeems_the_code() {
    // B06: the record is taken, not read.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    let windows: Vec<_> = (0..8).map(|_| browser.fork()).collect();
    let pages = futures_util::future::join_all(windows.iter().map(|window| window.open(&callback))).await;
    assert_eq!(pages.iter().filter(|page| page.gives_session()).count(), 1);
    assert_eq!(token_calls(&rig), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pkce_is_used_with_carriers_that_do_not_advertise_it() {
    // B07
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for advertised in [None, Some(json!(["plain"])), Some(json!([])), Some(json!("plain")), Some(json!(["S256"]))] {
        let rig = Rig::start().await;
        at_once(&rig, "maya");
        let aurora = rig.simulator.carrier("aurora").unwrap();
        aurora.set(|rules| {
            rules.metadata.extend(advertised.map(|value| ("code_challenge_methods_supported".to_owned(), value)));
        });
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        assert_eq!(aurora.last("authorize").unwrap().parameter("code_challenge_method"), Some("S256"));
    }
    // And a verifier is sent also where nobody looks at it.
    aurora.set(|rules| rules.pkce_ignored = true);
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert!(aurora.last("token").unwrap().parameter("code_verifier").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_and_the_nonce_never_meet_the_browser() {
    // B08
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let mut seen = String::new();
    let mut page = browser.open(rig.url("/app")).await;
    while let Some(next) = page.location() {
        seen += &format!("{:?}{}{next}", page.headers, page.body);
        page = browser.open(next).await;
    }
    assert_eq!(page.status, 200);
    let verifier = only(&rig.simulator.carrier("aurora").unwrap().last("token").unwrap(), "code_verifier").unwrap();
    assert!(!seen.contains(&verifier));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_an_error_is_no_sign_in_and_says_nothing_of_the_carriers() {
    // B11, B12
    let rig = Rig::start().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    at_once(&rig, "maya");
    for (error, status, code) in [
        ("access_denied", 403, "access_denied"),
        ("<script>alert(1)</script>", 403, "not_signed_in"),
        ("made_up", 403, "not_signed_in"),
        ("ACCESS_DENIED", 403, "not_signed_in"),
    ] {
        aurora.set(|rules| {
            rules.authorize_error = Some(error.to_owned());
            rules.callback = [("error_description".to_owned(), "canary <b>words</b>".to_owned())].into();
        });
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_refused(&page, status, code);
        assert!(!page.body.contains("canary") && !page.body.contains("alert"), "{}", page.body);
        assert!(!page.url.as_str().contains("canary") && !page.url.as_str().contains("alert"), "{}", page.url);
        assert_eq!(starts(&browser), 0, "the sign-in's cookie is gone");
    }
    aurora.set(|rules| rules.authorize_error = None);
    for callback in [[("error", "access_denied")], [("error", "<script>")]] {
        aurora.set(|rules| rules.callback = callback.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_refused(&Browser::new().go(rig.url("/app")).await, 400, "callback_malformed");
    }
    assert_eq!(token_calls(&rig), 0);
    aurora.set(|rules| rules.callback.clear());
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bent_code_is_not_redeemed_and_ends_the_sign_in() {
    // B13
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    for bent in ["", "a\r\nb", "a\0b", "a\u{e9}b", "a\nb"] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        let page = browser.open(with(&callback, "code", Some(bent))).await;
        assert_refused(&page, 400, "callback_malformed");
        assert_eq!(starts(&browser), 0, "its cookie is cleared");
        assert_begun_anew(&browser.open(&callback).await, "/app");
    }
    for doubled in ["code=a", "state=a", "iss=a&iss=b", "error=a", "mccmnc=310410&mccmnc=310411", "%63ode=x"] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        let page = browser.open(format!("{callback}&{doubled}")).await;
        assert_refused(&page, 400, "callback_malformed");
    }
    assert_eq!(token_calls(&rig), 0);
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    assert!(browser.open(with(&callback, "code", value(&callback, "code").as_deref())).await.gives_session());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_opened_and_not_posted() {
    // B14
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
        let page = browser.send(method.clone(), &callback, None, &[("accept", "text/html")]).await;
        assert_eq!(page.status, 405, "{method}");
        assert_eq!(page.headers["allow"], "GET");
        assert!(!page.gives_session());
    }
    assert_eq!(token_calls(&rig), 0);
    assert!(browser.open(&callback).await.gives_session());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sign_ins_begun_leave_few_cookies() {
    // B15
    let rig = Rig::start().await;
    let browser = Browser::new();
    for _ in 0..200 {
        browser.open(rig.url("/app")).await;
        browser.open(rig.url("/oauth2/start?rd=/app")).await;
        assert!(browser.cookies("localhost").len() <= 5);
        assert!(browser.cookie_header("localhost").len() < 4096);
    }
    at_once(&rig, "maya");
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_others_can_begin_a_sign_in_and_decide_nothing_about_it() {
    // B17
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    let bend = [
        ("iss", issuer.as_str()),
        ("login_hint", "someone"),
        ("target_link_uri", "/app/linked"),
        ("scope", "openid admin"),
        ("prompt", "none"),
        ("redirect_uri", "https://evil.test/"),
        ("acr_values", "a1"),
        ("state", "chosen"),
        ("nonce", "chosen"),
        ("client_id", "ccid-evil"),
        ("response_type", "token"),
        ("max_age", "0"),
    ];
    let browser = Browser::new();
    let authorize = until_authorize(&browser, start_url(&rig, &bend)).await;
    assert_eq!(value(&authorize, "scope").unwrap(), "openid name email");
    assert_eq!(value(&authorize, "redirect_uri").unwrap(), rig.url("/oauth2/callback"));
    assert_eq!(value(&authorize, "client_id").unwrap(), CLIENT_ID);
    assert_eq!(value(&authorize, "acr_values").unwrap(), "a1 a3");
    assert_eq!(value(&authorize, "prompt"), None);
    assert!(!authorize.as_str().contains("chosen") && !authorize.as_str().contains("someone"));
    assert_eq!(until_signed_in(&browser, authorize).await.raw_location(), "/app/linked");
    for foreign in ["https://evil.test", "", &format!("{issuer}/"), &issuer.to_uppercase(), "null"] {
        let page = Browser::new().open(start_url(&rig, &[("iss", foreign)])).await;
        assert_refused(&page, 400, "unknown_issuer");
        assert!(page.set_cookies().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_replaces_the_session_and_failing_to_keeps_it() {
    // B19, F02
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    browser.go(rig.url("/app")).await;
    let first = browser.fork();
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.next_authorize_error = Some("access_denied".into()));
    // KC12: whoever is signed in all the same goes to their page.
    let page = browser.go(start_url(&rig, &[("rd", "/app")])).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"));
    assert_eq!(first.cookies("localhost")["__Host-gw"], browser.cookies("localhost")["__Host-gw"]);
    assert!(is_signed_in(&rig, &browser).await, "a failure keeps what was there");
    at_once(&rig, "ines");
    browser.go(start_url(&rig, &[("rd", "/app")])).await;
    assert_ne!(first.cookies("localhost")["__Host-gw"], browser.cookies("localhost")["__Host-gw"]);
    assert!(!is_signed_in(&rig, &first).await, "the old id is dead");
    browser.open(rig.url("/app")).await;
    let issuer = rig.simulator.carrier("tangent").unwrap().issuer();
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer);
}
