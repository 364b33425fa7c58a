//! One registered callback for many hosts: a sign-in that begins on a second host ends there, under its own cookie, and
//! nobody else can bring it.

use std::collections::BTreeMap;

use url::Url;

use super::{assert_begun_anew, assert_refused, at_once, token_calls, until, value, with};
use crate::support::browser::{Browser, Page};
use crate::support::rig::{Choices, Rig};

const SECOND: &str = "127.0.0.1";

/// A rig with a second host.
async fn rig() -> Rig {
    let routes = format!(
        "  - {{ host: {SECOND}, path: /app, access: session, upstream: 'UPSTREAM' }}\n\
         \x20 - {{ host: {SECOND}, path: /public, access: anonymous, upstream: 'UPSTREAM' }}\n"
    );
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

fn there(rig: &Rig, path: &str) -> String {
    format!("http://{SECOND}:{}{path}", rig.address.port())
}

/// The redirect that brings the ticket to the second host.
async fn until_ticket(browser: &Browser, url: impl AsRef<str>) -> Url {
    let carries = |page: &Page| page.location().is_some_and(|to| value(&to, "ticket").is_some());
    until(browser, url, carries).await.location().unwrap()
}

async fn is_in(rig: &Rig, browser: &Browser, host: &str) -> bool {
    browser.open(format!("http://{host}:{}/oauth2/session", rig.address.port())).await.status == 200
}

fn session(browser: &Browser, host: &str) -> Option<String> {
    browser.cookies(host).get("__Host-gw").cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_begun_on_a_second_host_ends_there() {
    let rig = rig().await;
    let browser = Browser::new();
    let page = browser.go(there(&rig, "/app/x?y=1")).await;
    assert_eq!((page.status.as_u16(), page.url.as_str()), (200, there(&rig, "/app/x?y=1").as_str()));
    assert_eq!(rig.upstream.last().target(), "/app/x?y=1");
    let (here, second) = (session(&browser, "localhost").unwrap(), session(&browser, SECOND).unwrap());
    assert_ne!(here, second, "each host has an id of its own");
    assert_eq!(token_calls(&rig), 1);
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!(asked.parameter("redirect_uri"), Some(rig.url("/oauth2/callback").as_str()), "one registered callback");
    // Whoever is signed in at the first host is handed over without being asked again.
    let browser = Browser::new();
    browser.go(rig.url("/app")).await;
    assert_eq!(browser.go(there(&rig, "/app/again")).await.url.path(), "/app/again");
    assert_eq!(token_calls(&rig), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_worth_nothing_to_anybody_else() {
    // B04, B05: login CSRF and theft, across hosts.
    let rig = rig().await;
    let (victim, bystander) = (Browser::new(), Browser::new());
    // The victim is led to the attacker's ticket: without and with a sign-in of their own under way.
    bystander.open(there(&rig, "/oauth2/start")).await;
    for browser in [&victim, &bystander] {
        let attacker = Browser::new();
        let ticket = until_ticket(&attacker, there(&rig, "/app/trap")).await;
        assert_begun_anew(&browser.open(&ticket).await, "/");
        assert!(!is_in(&rig, browser, SECOND).await);
        // The ticket is burned with it: it was in hands that it was not made for.
        assert_refused(&attacker.open(&ticket).await, 400, "login_unknown");
        // The twin: the owner, whose ticket nobody else brought.
        let ticket = until_ticket(&attacker, there(&rig, "/app/trap")).await;
        assert_eq!(attacker.open(&ticket).await.raw_location(), "/app/trap");
    }

    // A stolen ticket, brought with a sign-in of the thief's own.
    let owner = Browser::new();
    let stolen = until_ticket(&owner, there(&rig, "/app")).await;
    let thief = Browser::new();
    let started = thief.open(there(&rig, "/oauth2/start")).await.location().unwrap();
    let own_state = value(&started, "hand_off").unwrap();
    let page = thief.open(with(&stolen, "state", Some(&own_state))).await;
    assert_refused(&page, 400, "login_unknown");
    assert!(!is_in(&rig, &thief, SECOND).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_made_for_a_leaked_state_opens_nothing() {
    // Attacks, class C: the state stands in addresses. Without the browser's mark, whoever knows it could have a ticket of
    // their own session made for it, and sign the victim in as themselves.
    let rig = rig().await;
    at_once(&rig, "tomas");
    let attacker = Browser::new();
    assert_eq!(attacker.go(rig.url("/app")).await.status, 200);
    let mark = "A".repeat(43);
    let foreign = attacker.open(there(&rig, "/oauth2/start")).await.location().unwrap();
    let foreign = value(&foreign, "browser").unwrap();
    for forged in [&mark, &foreign, ""] {
        let victim = Browser::new();
        let asked = victim.open(there(&rig, "/oauth2/start?rd=/app/mine")).await.location().unwrap();
        let trap = attacker.open(with(&asked, "browser", Some(forged))).await.location().unwrap();
        assert!(value(&trap, "ticket").is_some(), "the twin: whoever is signed in gets a ticket");
        let page = victim.open(&trap).await;
        assert_refused(&page, 400, "login_unknown");
        assert!(!is_in(&rig, &victim, SECOND).await);
    }
    // The twin: with its own mark the victim's browser is signed in, as whoever that browser is.
    at_once(&rig, "maya");
    let victim = Browser::new();
    let asked = victim.open(there(&rig, "/oauth2/start?rd=/app/mine")).await.location().unwrap();
    let ticket = until_ticket(&victim, asked).await;
    assert_eq!(victim.open(&ticket).await.raw_location(), "/app/mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_once_for_its_state_and_on_its_host() {
    let rig = rig().await;
    // Replay.
    let browser = Browser::new();
    let ticket = until_ticket(&browser, there(&rig, "/app")).await;
    let window = browser.fork();
    assert!(browser.open(&ticket).await.gives_session());
    let page = browser.open(&ticket).await;
    assert_eq!((page.raw_location(), page.gives_session()), ("/app", false), "who is signed in goes to the page");
    assert_begun_anew(&window.open(&ticket).await, "/app");
    // Another state of the very same browser.
    let browser = Browser::new();
    let other = browser.open(there(&rig, "/oauth2/start")).await.location().unwrap();
    let ticket = until_ticket(&browser, there(&rig, "/app")).await;
    let page = browser.open(with(&ticket, "state", value(&other, "hand_off").as_deref())).await;
    assert_refused(&page, 400, "login_unknown");
    assert_refused(&browser.open(&ticket).await, 400, "login_unknown");
    // Bent, missing, on the wrong host.
    for bent in [None, Some(""), Some("x"), Some(&*"A".repeat(43))] {
        let browser = Browser::new();
        let ticket = until_ticket(&browser, there(&rig, "/app")).await;
        let page = browser.open(with(&ticket, "ticket", bent)).await;
        assert_eq!((page.status.as_u16(), page.gives_session()), (400, false), "{bent:?}");
        assert!(!is_in(&rig, &browser, SECOND).await);
    }
    let browser = Browser::new();
    let mut ticket = until_ticket(&browser, there(&rig, "/app")).await;
    ticket.set_host(Some("localhost")).unwrap();
    for (name, value) in browser.cookies(SECOND) {
        browser.plant("localhost", &name, &value);
    }
    let page = browser.open(&ticket).await;
    assert_eq!((page.status.as_u16(), page.raw_location()), (302, "/"), "to whom it is signed in here");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_wrong_with_a_callback_its_ticket_is_burned() {
    // B04: a ticket that was seen in a wrong place is worth nothing in the right one.
    let rig = rig().await;
    type Bend = fn(&Url) -> Url;
    let bends: [(&str, Bend); 5] = [
        ("no state", |url| with(url, "state", None)),
        ("a state of nobody", |url| with(url, "state", Some(&"A".repeat(43)))),
        ("a state twice", |url| Url::parse(&format!("{url}&state=x")).unwrap()),
        ("a ticket twice", |url| Url::parse(&format!("{url}&ticket=x&code=a&code=b")).unwrap()),
        ("a code that cannot be read", |url| Url::parse(&format!("{url}&code=%00")).unwrap()),
    ];
    for (what, bend) in bends {
        let (owner, other) = (Browser::new(), Browser::new());
        let ticket = until_ticket(&owner, there(&rig, "/app")).await;
        let page = other.open(bend(&ticket)).await;
        assert!([302, 400].contains(&page.status.as_u16()) && !page.gives_session(), "{what}: {}", page.status);
        let page = owner.open(&ticket).await;
        assert_eq!((page.status.as_u16(), page.gives_session()), (400, false), "{what}");
    }
    // The twin: a callback that names no ticket burns none.
    let (owner, other) = (Browser::new(), Browser::new());
    let ticket = until_ticket(&owner, there(&rig, "/app")).await;
    other.open(with(&ticket, "ticket", None)).await;
    assert!(owner.open(&ticket).await.gives_session());
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_go_to_hosts_of_ours_and_nowhere_else() {
    let rig = rig().await;
    let browser = Browser::new();
    browser.go(rig.url("/app")).await;
    let state = "A".repeat(43);
    for host in [
        "evil.test",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1@evil.test",
        "127.0.0.1/x",
        "",
        "127.0.0.1.evil.test",
        "LOCALHOST",
        "2130706433",
        "127.1",
    ] {
        let pairs = [("hand_off", state.as_str()), ("host", host), ("browser", state.as_str())];
        let url = Url::parse_with_params(&rig.url("/oauth2/start"), pairs).unwrap();
        let page = browser.open(url).await;
        let to = page.location().unwrap();
        assert!(
            value(&to, "ticket").is_none() && to.as_str().starts_with(&rig.simulator.discovery_ui()),
            "{host}: {to}"
        );
    }
    let mark = state.clone();
    let url = |state: &str| {
        let pairs = [("hand_off", state), ("host", SECOND), ("browser", &mark)];
        Url::parse_with_params(&rig.url("/oauth2/start"), pairs).unwrap()
    };
    for state in ["", "x", &"A".repeat(44), "../../x"] {
        let to = browser.open(url(state)).await.location().unwrap();
        assert!(value(&to, "ticket").is_none(), "{state}");
    }
    assert!(value(&browser.open(url(&state)).await.location().unwrap(), "ticket").is_some(), "the twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_second_host_leaves_the_first_as_well() {
    // F06: otherwise the next visit would sign in again by itself.
    let rig = rig().await;
    let browser = Browser::new();
    browser.go(there(&rig, "/app")).await;
    assert!(is_in(&rig, &browser, "localhost").await && is_in(&rig, &browser, SECOND).await);
    let first = browser.fork();
    let out = browser.post(there(&rig, "/oauth2/sign_out"), &[]).await;
    assert_eq!(out.status, 200);
    assert!(!is_in(&rig, &first, SECOND).await && !is_in(&rig, &first, "localhost").await);
    // Twin: another person's session on the first host is not touched.
    let other = Browser::new();
    other.go(there(&rig, "/app")).await;
    browser.post(there(&rig, "/oauth2/sign_out"), &[]).await;
    assert!(is_in(&rig, &other, "localhost").await && is_in(&rig, &other, SECOND).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_first_host_leaves_the_second_as_well() {
    // F06, F07: whoever signs out where they signed in is signed out.
    let rig = rig().await;
    let browser = Browser::new();
    browser.go(there(&rig, "/app")).await;
    let stolen = browser.fork();
    browser.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert!(!is_in(&rig, &browser, "localhost").await);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while is_in(&rig, &stolen, SECOND).await {
        assert!(std::time::Instant::now() < deadline, "still signed in at the second host");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_two_hosts_never_mix() {
    let rig = rig().await;
    let browser = Browser::new();
    browser.go(there(&rig, "/app")).await;
    let all: BTreeMap<_, _> = [("localhost", browser.cookies("localhost")), (SECOND, browser.cookies(SECOND))].into();
    for (host, cookies) in all {
        assert!(cookies.keys().all(|name| name.starts_with("__Host-")), "{host}: {cookies:?}");
    }
}
