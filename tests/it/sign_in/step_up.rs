//! A page that demands more of the way in which people sign in: whoever is signed in confirms as the same person, and is back
//! on the page; programs are told what to bring (RFC 9470); nothing is posted unseen, and nobody goes round in circles.

use reqwest::Method;
use serde_json::json;
use zengate_simulator::Factor;

use super::{assert_refused, at_once, is_signed_in, only, token_calls, until_code};
use crate::support::browser::Browser;
use crate::support::rig::{Choices, Rig};

pub(super) const ROUTES: &str = "  - { host: localhost, path: /pay, access: session, upstream: UPSTREAM,
      require: { assurance: person }, step_up: { context: 'Confirm a payment at %host%' },
      identity_headers: { map: { X-Sub: sub, X-Acr: acr, X-Assurance: assurance } } }
  - { host: localhost, path: /recent, access: session, upstream: UPSTREAM, require: { max_auth_age: 5m } }
  - { host: localhost, path: /finger, access: session, upstream: UPSTREAM, require: { amr: [hwk, [fpt, fid]] } }
  - { host: second.localhost, path: /, access: session, upstream: UPSTREAM, require: { assurance: person } }
  - { host: second.localhost, path: /open, access: session, upstream: UPSTREAM }
";

/// People of carriers who tap, and so sign in with `a1`.
pub(super) async fn rig() -> Rig {
    with(Choices::default()).await
}

async fn with(choices: Choices) -> Rig {
    let rig = Rig::with(Choices { routes: ROUTES.to_owned(), ..choices }).await;
    at_once(&rig, "maya");
    confirms_by(&rig, Factor::Approve);
    rig
}

/// How people confirm from now on.
pub(super) fn confirms_by(rig: &Rig, factor: Factor) {
    for carrier in rig.simulator.carriers() {
        carrier.set(|rules| rules.auto_consent.as_mut().unwrap().factor = factor);
    }
}

/// Who agrees at the carrier from now on, whoever is asked.
pub(super) fn agrees(rig: &Rig, person: Option<&str>) {
    let person = person.map(str::to_owned);
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.auto_consent.as_mut().unwrap().person = person);
}

pub(super) fn session_of(browser: &Browser) -> String {
    browser.cookies("localhost")["__Host-gw"].clone()
}

// Issue 11, item 4; dossier 8 and 15.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_confirms_in_place_and_is_back_on_the_page() {
    let embedded = Choices { sessions: "  store: embedded\n  path: DIR/sessions.redb\n".into(), ..Choices::default() };
    for rig in [rig().await, with(embedded).await] {
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/app")).await.status, 200);
        let before = session_of(&browser);
        confirms_by(&rig, Factor::Pin);
        let page = browser.go(rig.url("/pay/7?a=1&b=x%20y")).await;
        assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/pay/7", Some("a=1&b=x%20y")));
        let seen = rig.upstream.last();
        assert_eq!((seen.one("x-acr").as_deref(), seen.one("x-assurance").as_deref()), (Some("a3"), Some("person")));
        let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
        assert_eq!(only(&asked, "acr_values").unwrap(), "a3");
        assert_eq!(only(&asked, "prompt").unwrap(), "login");
        assert_eq!(only(&asked, "context").unwrap(), "Confirm a payment at localhost");
        // The session has another id, and the old one is over.
        assert_ne!(session_of(&browser), before);
        let old = Browser::new();
        old.plant("localhost", "__Host-gw", &before);
        assert!(!is_signed_in(&rig, &old).await);
        // What was enough once stays enough.
        let calls = token_calls(&rig);
        assert_eq!(browser.go(rig.url("/pay")).await.status, 200);
        assert_eq!(token_calls(&rig), calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_is_asked_for_all_of_it_at_once() {
    let rig = rig().await;
    confirms_by(&rig, Factor::Pin);
    let page = Browser::new().go(rig.url("/pay")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(token_calls(&rig), 1);
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!((only(&asked, "acr_values").unwrap(), only(&asked, "prompt")), ("a3".to_owned(), None));
    // A page that demands nothing asks for what every sign-in asks for.
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!((only(&asked, "acr_values").unwrap(), only(&asked, "context")), ("a1 a3".to_owned(), None));
}

// The twin of a step-up: everything is right but the person.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_confirms_changes_nothing() {
    let rig = rig().await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let before = session_of(&browser);
    confirms_by(&rig, Factor::Pin);
    agrees(&rig, Some("tomas"));
    let page = browser.go(rig.url("/pay")).await;
    assert_refused(&page, 403, "other_person");
    assert_eq!(session_of(&browser), before, "the session is the one that it was");
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    // Put right, it goes on.
    agrees(&rig, None);
    assert_eq!(browser.go(rig.url("/pay")).await.status, 200);
}

// Who says no is not asked again at once, and stays who they are.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_declines_is_told_so_and_stays_signed_in() {
    let rig = rig().await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let before = session_of(&browser);
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.authorize_error = Some("access_denied".to_owned()));
    let asked = rig.simulator.carrier("aurora").unwrap().count("authorize");
    assert_refused(&browser.go(rig.url("/pay")).await, 403, "access_denied");
    assert_eq!(rig.simulator.carrier("aurora").unwrap().count("authorize"), asked + 1);
    assert_eq!(session_of(&browser), before);
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
}

// What the operator wants of every sign-in is never undercut by what a page is content with.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_content_with_less_is_given_what_every_sign_in_must_be() {
    let routes =
        "  - { host: localhost, path: /tap, access: session, upstream: UPSTREAM, require: { assurance: device } }\n";
    let zenkey = "    scopes: [openid]\n    acr_values: [a3]\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), zenkey: zenkey.to_owned(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    confirms_by(&rig, Factor::Approve);
    assert_refused(&Browser::new().go(rig.url("/tap")).await, 403, "acr_unmet");
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!(only(&asked, "acr_values").unwrap(), "a3");
    confirms_by(&rig, Factor::Pin);
    assert_eq!(Browser::new().go(rig.url("/tap")).await.status, 200);
}

// Another spelling of a page that an app may take for it is as closed as the page.
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_demanding_page_demands_as_much() {
    let routes = "  - { host: localhost, path: /, access: session, upstream: UPSTREAM }\n".to_owned();
    let rig = Rig::with(Choices { routes: routes + ROUTES, ..Choices::default() }).await;
    at_once(&rig, "maya");
    confirms_by(&rig, Factor::Approve);
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let (headers, count) = ([("accept", "application/json")], rig.upstream.count());
    for spelling in ["/PAY", "/pay;x=1", "/RECENT/../pay", "/FINGER", "/pay%2e"] {
        let page = browser.send(Method::GET, rig.url(spelling), None, &headers).await;
        assert_ne!(page.status, 200, "{spelling}");
    }
    assert_eq!(rig.upstream.count(), count);
    assert_eq!(browser.send(Method::GET, rig.url("/payroll"), None, &headers).await.status, 200, "the twin");
}

// Whoever wants to be somebody else is not held to who they were.
#[tokio::test(flavor = "multi_thread")]
async fn another_account_is_no_step_up() {
    let rig = rig().await;
    let browser = Browser::new();
    confirms_by(&rig, Factor::Pin);
    assert_eq!(browser.go(rig.url("/pay")).await.status, 200);
    let before = rig.upstream.last().one("x-sub");
    agrees(&rig, Some("tomas"));
    let page = browser.go(rig.url("/oauth2/start?account=other&rd=/pay")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/pay"), "{}", page.body);
    assert_ne!(rig.upstream.last().one("x-sub"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_is_not_enough_ends_there_and_not_in_circles() {
    let rig = rig().await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let (before, calls) = (session_of(&browser), token_calls(&rig));
    // The carrier answers with a tap, whatever was asked.
    let weaker = json!("a1");
    rig.simulator.carrier("aurora").unwrap().set(|rules| drop(rules.id_token_claims.insert("acr".into(), weaker)));
    let page = browser.go(rig.url("/pay")).await;
    assert_refused(&page, 403, "acr_unmet");
    assert_eq!((session_of(&browser), token_calls(&rig)), (before.clone(), calls + 1));
    // A PIN is no finger.
    confirms_by(&rig, Factor::Pin);
    rig.simulator.carrier("aurora").unwrap().set(|rules| drop(rules.id_token_claims.remove("acr")));
    let page = browser.go(rig.url("/finger")).await;
    assert_refused(&page, 403, "acr_unmet");
    assert_eq!(session_of(&browser), before);
    confirms_by(&rig, Factor::Fingerprint);
    let page = browser.go(rig.url("/finger")).await;
    assert_eq!(page.status, 200, "{}", page.body);
}

// C26: what is too old, or of no known time, is asked for anew, and must then be recent.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_authentication_is_renewed_and_one_of_unknown_time_is_none() {
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let browser = Browser::new();
    let long_ago = json!(crate::bearer::now() - 3600);
    aurora.set(|rules| drop(rules.id_token_claims.insert("auth_time".into(), long_ago)));
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    // The carrier says the same time again: it may know no `max_age`, and the page goes by the time.
    let page = browser.go(rig.url("/recent")).await;
    assert_refused(&page, 403, "acr_unmet");
    let asked = aurora.last("authorize").unwrap();
    assert_eq!((only(&asked, "max_age").unwrap(), only(&asked, "prompt").unwrap()), ("300".into(), "login".into()));
    aurora.set(|rules| {
        rules.id_token_claims.clear();
        rules.id_token_omit.push("auth_time".to_owned());
    });
    assert_refused(&browser.go(rig.url("/recent")).await, 403, "acr_unmet");
    aurora.set(|rules| rules.id_token_omit.clear());
    let page = browser.go(rig.url("/recent")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/recent"), "{}", page.body);
}

// A POST is never lost silently, and never sent again; a program is told what to bring.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_is_not_passed_on_and_programs_are_told_what_to_bring() {
    let rig = rig().await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    let count = rig.upstream.count();
    let page = browser.post(rig.url("/pay"), &[("amount", "7")]).await;
    assert_refused(&page, 401, "insufficient_user_authentication");
    assert!(page.body.contains("was not passed on") && page.body.contains(">Confirm</a>"), "{}", page.body);
    assert_eq!(rig.upstream.count(), count);
    let headers = [("accept", "application/json")];
    let page = browser.send(Method::GET, rig.url("/pay"), None, &headers).await;
    assert_eq!((page.status.as_u16(), page.json()["error"].as_str()), (401, Some("insufficient_user_authentication")));
    assert_eq!(
        page.headers["www-authenticate"],
        "Bearer realm=\"localhost\", error=\"insufficient_user_authentication\", acr_values=\"a3\"",
        "RFC 9470, 3"
    );
    let page = browser.send(Method::GET, rig.url("/recent"), None, &headers).await;
    assert_eq!(page.status, 200, "they signed in just now");
}

// RFC 9470, 3, for programs in a person's browser: beside what to bring, the address at which the person can confirm.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_where_its_person_can_confirm() {
    let rig = rig().await;
    let browser = Browser::new();
    let second = |path: &str| rig.url(path).replace("://localhost", "://second.localhost");
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    assert_eq!(browser.go(second("/open")).await.status, 200);
    let (form, foreign) = (rig.url("/app/form?y=1"), "https://evil.test/pay".to_owned());
    let cases = [
        (Method::GET, rig.url("/pay?x=1"), None, rig.url("/oauth2/start?rd=%2Fpay%3Fx%3D1")),
        (Method::GET, second("/x"), None, second("/oauth2/start?rd=%2Fx")),
        // To what was sent nobody comes back by an address: to the page that it was sent from, if that is ours.
        (Method::POST, rig.url("/pay?x=1"), Some(&form), rig.url("/oauth2/start?rd=%2Fapp%2Fform%3Fy%3D1")),
        (Method::POST, rig.url("/pay?x=1"), Some(&foreign), rig.url("/oauth2/start?rd=%2F")),
        (Method::POST, rig.url("/pay?x=1"), None, rig.url("/oauth2/start?rd=%2F")),
    ];
    for (method, url, from, told) in cases {
        let mut headers = vec![("accept", "application/json"), ("sec-fetch-site", "same-origin")];
        headers.extend(from.map(|from| ("referer", from.as_str())));
        let page = browser.send(method.clone(), &url, None, &headers).await;
        assert_eq!(page.status, 401, "{method} {url}");
        assert_eq!(page.json()["login_url"], told, "{method} {url} from {from:?}");
    }
    confirms_by(&rig, Factor::Pin);
    let page = browser.go(rig.url("/oauth2/start?rd=%2Fpay%3Fx%3D1")).await;
    assert_eq!((page.status.as_u16(), page.url.path(), page.url.query()), (200, "/pay", Some("x=1")));
}

// An answer of a step-up is good once, in its own browser, like any other.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_step_up_opens_nothing_elsewhere() {
    let rig = rig().await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    confirms_by(&rig, Factor::Pin);
    let callback = until_code(&browser, rig.url("/pay")).await;
    let thief = Browser::new();
    assert!(!thief.open(&callback).await.gives_session());
    assert!(!is_signed_in(&rig, &thief).await);
    assert!(browser.open(&callback).await.gives_session());
    let again = browser.open(&callback).await;
    assert_eq!((again.raw_location(), again.gives_session()), ("/pay", false));
}

// A plain issuer steps up by the same code; what its words assure, the operator says.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_issuer_steps_up_by_the_operators_words() {
    let keys = "    scopes: [openid]\n    userinfo: false\n    assurance: { a1: device, a3: person, aal1: device, aal3: person }\n";
    let rig = with(Choices { plain: Some(keys.to_owned()), ..Choices::default() }).await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.auto_consent.as_mut().unwrap().factor = Factor::Pin);
    let page = browser.go(rig.url("/pay")).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/pay"), "{}", page.body);
    let asked = rig.simulator.carrier("aurora").unwrap().last("authorize").unwrap();
    assert_eq!((only(&asked, "acr_values").unwrap(), only(&asked, "context")), ("a3 aal3".into(), None));
    assert_eq!(rig.upstream.last().one("x-assurance").as_deref(), Some("person"));
}
