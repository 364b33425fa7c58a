//! A: a sign-in ends on the page that was asked for, and never on one of somebody else's choosing.

use reqwest::Method;

use super::{
    assert_begun_anew, assert_own_page, at_once, start_url, until, until_authorize, until_code, until_signed_in, value,
};
use crate::support::browser::{Browser, Page};
use crate::support::raw;
use crate::support::rig::{Choices, Rig};

/// What must never become a place to go. `app.test` is on the list of return origins, with `https` alone.
const EVIL: &[&str] = &[
    // A02
    "https://evil.test/",
    "http://evil.test",
    "HTTPS://EVIL.TEST/",
    // A03
    "//evil.test",
    "///evil.test",
    "////evil.test/%2f..",
    "/\\evil.test",
    "\\\\evil.test",
    "\\/evil.test",
    "/\\/evil.test",
    "//\\evil.test",
    "/.//evil.test",
    "/..//evil.test",
    "/x/../..//evil.test",
    "https:/evil.test",
    "https:evil.test",
    "http:\\\\evil.test",
    "https:///evil.test",
    // A04
    "/\t/evil.test",
    "/\n/evil.test",
    "/\r/evil.test",
    "/ /evil.test",
    " //evil.test",
    " https://evil.test",
    "\u{1}https://evil.test",
    "\u{0}//evil.test",
    "/%09/evil.test",
    "/%5cevil.test",
    "/%2fevil.test",
    "%2f%2fevil.test",
    "/\u{a0}/evil.test",
    "/\u{2028}/evil.test",
    // A05
    "https://app.test.evil.test",
    "https://evilapp.test",
    "https://evil.test?app.test",
    "https://evil.test#app.test",
    "https://evil.test/https://app.test",
    "https://app.test\\.evil.test",
    "https://app。test.evil.test",
    // A06
    "https://app.test@evil.test",
    "https://app.test:443@evil.test",
    "https://app.test%40evil.test",
    "https://user@app.test/",
    // A07
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://app.test/1",
    "file:///etc/passwd",
    "mailto:a@evil.test",
    // A08
    "http://app.test/",
    "https://app.test:8443/",
    "https://app.test:80/",
    "https://app.test./",
    // A09
    "/app\r\nSet-Cookie: a=b",
    "/app%0d%0aSet-Cookie: a=b",
    // A11
    "https://appXtest",
    "https://app-test",
    // A12
    "/oauth2/sign_out",
    "/oauth2/sign_out?rd=/",
    "/oauth2/",
    "/oauth2",
    "/oauth2/start?rd=/app",
    "/%6fauth2/sign_out",
    "/app/../oauth2/sign_out",
    // A fragment, nothing, or no path at all
    "/app#x",
    "app",
    "?x=1",
    "..",
    "*",
];

async fn rig() -> Rig {
    let sign_in = "  return_origins: ['https://app.test']\n".to_owned();
    Rig::with(Choices { sign_in, ..Choices::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_on_exactly_the_page_that_was_asked_for() {
    // A01
    let rig = rig().await;
    at_once(&rig, "maya");
    for page in ["/app?x=1", "/app", "/app/a/b?c=d&e=f", "/app?q=a%20b%26c", "/app?next=//evil.test", "/public", "/"] {
        let signed_in = until_signed_in(&Browser::new(), start_url(&rig, &[("rd", page)])).await;
        assert_eq!((signed_in.status.as_u16(), signed_in.raw_location()), (302, page));
    }
    for page in ["https://app.test/x?y=1", "https://app.test/"] {
        let signed_in = until_signed_in(&Browser::new(), start_url(&rig, &[("rd", page)])).await;
        assert_eq!(signed_in.raw_location(), page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_opened_can_be_returned_to_with_the_same_bytes() {
    // XS09, XS11
    let rig = rig().await;
    at_once(&rig, "maya");
    for page in ["/app/issues/new?body=a%0Ab", "/app?q=select%20*%0afrom%20t", "/app?x=%0D%0ASet-Cookie:%20a=b&y=%00"] {
        let arrived = until_signed_in(&Browser::new(), rig.url(page)).await;
        assert_eq!(arrived.raw_location(), page);
        assert!(!arrived.headers.contains_key("x") && arrived.set_cookies().iter().all(|c| c.starts_with("__Host-gw")));
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url(page)).await.status, 200);
        assert_eq!(rig.upstream.last().target(), page);
    }
    // Written by an app or a proxy with the origin that people see.
    for (rd, page) in [(rig.url("/app/x?y=1"), "/app/x?y=1"), (rig.url(""), "/")] {
        let arrived = until_signed_in(&Browser::new(), start_url(&rig, &[("rd", &rd)])).await;
        assert_eq!(arrived.raw_location(), page);
    }
    assert_eq!(rig.app().metrics().return_refused.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_return_address_leads_anywhere_but_home() {
    // A02–A09, A11, A12
    let rig = rig().await;
    at_once(&rig, "maya");
    for evil in EVIL {
        let signed_in = until_signed_in(&Browser::new(), start_url(&rig, &[("rd", evil)])).await;
        assert_eq!(signed_in.raw_location(), "/", "{evil:?}");
    }
    let refused = rig.app().metrics().return_refused.get();
    assert_eq!(refused, EVIL.len() as u64, "each is counted and logged as redirect_rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_others_and_signing_out_follow_the_same_rule() {
    // A13
    let rig = rig().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    for evil in EVIL {
        let out = browser.post(with_rd(&rig, evil), &[]).await;
        assert_eq!((out.status.as_u16(), out.raw_location()), (303, "/"), "{evil:?}");
        // The page that asks first must not carry it on either.
        let asked = browser.open(with_rd(&rig, evil)).await;
        assert_own_page(&asked);
        assert!(!asked.body.contains("evil") && !asked.body.contains("app.test"), "{evil:?}: {}", asked.body);
        let started = browser.open(start_url(&rig, &[("target_link_uri", evil)])).await;
        let arrived = until_signed_in(&browser, started.location().unwrap()).await;
        assert_eq!(arrived.raw_location(), "/", "{evil:?}");
    }
    for good in ["/app?x=1", "https://app.test/bye", "https://app.test/oauth2/v1/logout"] {
        let out = browser.post(with_rd(&rig, good), &[]).await;
        if good.starts_with('/') {
            assert_eq!((out.status.as_u16(), out.raw_location()), (303, good));
        } else {
            // XS03: no redirect may follow our form to another origin.
            let leads = format!("http-equiv=refresh content=\"0;url={good}\"");
            assert!(out.status == 200 && out.body.contains(&leads), "{}", out.body);
        }
        let arrived = until_signed_in(&Browser::new(), start_url(&rig, &[("target_link_uri", good)])).await;
        assert_eq!(arrived.raw_location(), good);
    }
}

fn with_rd(rig: &Rig, rd: &str) -> String {
    url::Url::parse_with_params(&rig.url("/oauth2/sign_out"), &[("rd", rd)]).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_in_a_return_address_make_no_header() {
    // A09: as they would stand on the wire, encoded once and twice.
    let rig = rig().await;
    for rd in ["/app%0d%0aSet-Cookie:%20a=b", "/app%250d%250aSet-Cookie:%20a=b", "%0d%0a%0d%0a<script>", "/%E2%98%A0"] {
        for path in ["/oauth2/start", "/oauth2/sign_out"] {
            let request = format!("GET {path}?rd={rd} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n");
            let answer = raw::exchange(rig.address, request.as_bytes()).await;
            let head = answer.text.split("\r\n\r\n").next().unwrap();
            let cookies = head.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
            assert!(cookies.clone().all(|cookie| cookie.contains("__Host-gwtx-")), "{head}");
            assert!(!answer.text.contains("<script>") && !answer.text.contains("a=b"), "{rd}: {}", answer.text);
        }
    }
}

// MV12
#[tokio::test(flavor = "multi_thread")]
async fn a_very_long_page_still_lets_a_person_sign_in() {
    // A10, XS12: as long as the listener takes (L04: beyond it, 414); and what people really do: open a long deep link.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let long = format!("/app?x={}", "a".repeat(8_000));
    assert_eq!(until_signed_in(&Browser::new(), start_url(&rig, &[("rd", &long)])).await.raw_location(), long);
    let kept = |outcome: &str| rig.app().metrics().return_pages.with_label_values(&[outcome]).get();
    let queries = [
        "a".repeat(1_900),
        "a".repeat(2_900),
        "a".repeat(7_000),
        "%26".repeat(2_500),
        "&".repeat(3_000),
        "(a:!t,b:'x')".repeat(210).replace('\'', "%27"),
        // To the byte what the listener takes.
        "a".repeat(8 * 1024 - "/app?".len()),
        "&".repeat(8 * 1024 - "/app?".len()),
    ];
    for query in queries {
        let page = format!("/app?{query}");
        let browser = Browser::new();
        let start = browser.open(rig.url(&page)).await;
        assert_eq!(start.status, 302);
        assert!(start.raw_location().len() <= 8 * 1024 + 128, "{} bytes", start.raw_location().len());
        let arrived = until_signed_in(&browser, start.location().unwrap()).await;
        assert_eq!(arrived.raw_location(), page);
        assert_eq!(browser.open(arrived.location().unwrap()).await.status, 200);
        assert_eq!(rig.upstream.last().target(), page);
        assert!(browser.cookie_header("localhost").len() < 4096);
    }
    assert!(kept("kept") > 0 && kept("found") > 0 && kept("lost") == 0);
    for beyond in [8 * 1024 + 1, 8 * 1024 + 100, 9 * 1024, 20 * 1024] {
        let page = Browser::new().open(rig.url(&format!("/{}", "a".repeat(beyond - 1)))).await;
        assert_eq!((page.status.as_u16(), page.body.contains("target_too_long")), (414, true), "{beyond}");
    }
    let beyond = format!("/oauth2/start?page=/{}", "a".repeat(8 * 1024 + 200));
    assert_eq!(Browser::new().open(rig.url(&beyond)).await.status, 414);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_pages_are_stored_for_browsers_that_keep_our_cookie_and_the_oldest_makes_room() {
    // XS12: whoever shows no cookie makes us store nothing, and ends on the start page.
    let sign_in = "  starts_per_minute: 0\n  max_kept_pages: 2\n".to_owned();
    let rig = Rig::with(Choices { sign_in, ..Choices::default() }).await;
    at_once(&rig, "maya");
    let kept = |outcome: &str| rig.app().metrics().return_pages.with_label_values(&[outcome]).get();
    let page_of = |n: usize| format!("/app/{n}?{}", "x".repeat(5_000));
    let without = [("accept", "text/html"), ("cookie", "")];
    let mut page = Browser::new().send(Method::GET, rig.url(&page_of(0)), None, &without).await;
    for _ in 0..3 {
        let next = page.location().unwrap();
        if next.host_str() != Some("localhost") || next.path() == "/ui/discovery-ui" {
            break;
        }
        page = Browser::new().send(Method::GET, next, None, &without).await;
    }
    assert_eq!(page.location().unwrap().path(), "/ui/discovery-ui", "its sign-in goes on without the page");
    assert_eq!(kept("kept"), 0);
    let people: Vec<_> = (0..3).map(|_| Browser::new()).collect();
    let mut callbacks = Vec::new();
    for (n, browser) in people.iter().enumerate() {
        callbacks.push(until_code(browser, rig.url(&page_of(n))).await);
    }
    assert_eq!(kept("kept"), 3);
    let ends = ["/".to_owned(), page_of(1), page_of(2)];
    for ((browser, callback), end) in people.iter().zip(&callbacks).zip(&ends) {
        assert_eq!(browser.open(callback).await.raw_location(), *end);
    }
    // Nobody else's browser is told where they went.
    assert_begun_anew(&Browser::new().open(&callbacks[2]).await, "/");
}

#[test]
fn return_origins_are_literals() {
    // A11
    for pattern in
        ["https://*.app.test", "https://app.test/.*", "^https://app\\.test$", "https://(a|b).test", "app.test"]
    {
        let text = format!(
            "public_url: http://localhost:1\nprovider:\n  oidc: {{ issuer: 'https://issuer.test', client_id: a, client_secret: b }}\n\
             sessions: {{ store: memory }}\nsign_in:\n  return_origins: ['{pattern}']\n\
             routes:\n  - {{ host: localhost, access: session, upstream: 'http://127.0.0.1:1' }}\n"
        );
        let read = |text: &str| zengate::config::Config::parse(text, "zengate.yaml", &|_| None);
        let refused = match read(&text) {
            Ok((config, _)) => zengate::app::faults(&config).join("\n"),
            Err(faults) => faults.to_string(),
        };
        assert!(refused.contains("return_origins"), "{pattern}: {refused}");
        let twin = read(&text.replace(pattern, "https://app.test")).map(|(config, _)| zengate::app::faults(&config));
        assert!(matches!(twin, Ok(faults) if faults.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_without_a_session_is_neither_kept_nor_sent_on() {
    // A14
    let rig = Rig::start().await;
    let browser = Browser::new();
    let posted = browser.post(rig.url("/app/transfer"), &[("amount", "canary-4711")]).await;
    assert_eq!((posted.status.as_u16(), posted.raw_location()), (401, ""));
    assert!(posted.set_cookies().is_empty() && !posted.body.contains("canary"));
    assert_own_page(&posted);
    let program = [("accept", "application/json"), ("content-type", "application/json")];
    let posted = browser.send(Method::POST, rig.url("/app"), Some("{}".into()), &program).await;
    assert_eq!((posted.status.as_u16(), posted.raw_location()), (401, ""));
    assert_eq!(posted.json()["error"], "unauthenticated");
    let arrived = rig.sign_in(&browser, "/app/transfer", "maya").await;
    assert_eq!(arrived.status, 200);
    let seen = rig.upstream.seen();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].head.starts_with("GET ") && seen[0].body.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_of_ours_repeats_a_post() {
    // A15
    let rig = Rig::start().await;
    let browser = Browser::new();
    for path in
        ["/app", "/oauth2/start", "/oauth2/sign_out?rd=/app", "/oauth2/sign_in", "/oauth2/callback?state=a&code=b"]
    {
        let answer = browser.post(rig.url(path), &[("a", "b")]).await;
        assert!(![307, 308].contains(&answer.status.as_u16()), "{path}");
        assert!(answer.status == 303 || answer.raw_location().is_empty(), "{path}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redirect_uri_is_the_configured_one_whatever_a_client_says() {
    // A16
    let rig = Rig::start().await;
    for path in ["/oauth2/start", "/oauth2/callback", "/oauth2/sign_out", "/app", "/public"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.test\r\nAccept: text/html\r\n\r\n");
        let answer = raw::exchange(rig.address, request.as_bytes()).await;
        assert_eq!(answer.status(), 421, "{path}: {}", answer.text);
        assert!(!answer.text.contains("evil.test"), "{}", answer.text);
    }
    rig.simulator.ui().set(|rules| rules.auto_choose = Some("maya".into()));
    let browser = Browser::new();
    let forged = [
        ("accept", "text/html"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.test"),
    ];
    let start = browser.send(Method::GET, rig.url("/oauth2/start"), None, &forged).await;
    let ui = start.location().unwrap();
    assert_eq!(value(&ui, "redirect_uri").unwrap(), rig.url("/oauth2/callback"));
    let authorize = until_authorize(&browser, ui).await;
    assert_eq!(value(&authorize, "redirect_uri").unwrap(), rig.url("/oauth2/callback"));
    assert_eq!(rig.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_ours_can_load_run_and_frame_nothing() {
    // A17
    let rig = Rig::start().await;
    let browser = Browser::new();
    for (path, status) in [
        ("/oauth2/sign_in", 200),
        ("/oauth2/sign_out", 200),
        ("/oauth2/callback", 400),
        ("/oauth2/nothing", 404),
        ("/nowhere", 403),
        ("/oauth2/start?iss=https://evil.test", 400),
    ] {
        let page = browser.open(rig.url(path)).await;
        assert_eq!(page.status.as_u16(), status, "{path}");
        assert_own_page(&page);
    }
    assert_own_page(&browser.post(rig.url("/oauth2/sign_out"), &[]).await);
    assert_own_page(&rig.sign_in(&browser, "/admin", "maya").await);
    let declined = Browser::new();
    let consent = rig.to_consent(&declined, "/app", "maya").await;
    let answer = rig.decide(&declined, &consent, &[("decision", "deny")]).await;
    assert_own_page(&until(&declined, answer.location().unwrap(), |page: &Page| page.status == 403).await);
}
