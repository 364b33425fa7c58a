//! The carriers' own refusals (dossier 9.1): each has a page in plain words, none of them the carrier's.

use super::{assert_refused, at_once, is_signed_in, starts, token_calls};
use crate::support::browser::Browser;
use crate::support::rig::Rig;

/// Every documented code, and what becomes of it.
const CODES: &[(&str, u16, &str)] = &[
    ("access_denied", 403, "access_denied"),
    ("account_selection_required", 403, "not_signed_in"),
    ("authentication_timed_out", 403, "authentication_timed_out"),
    ("consent_required", 403, "not_signed_in"),
    ("device_authentication_failure", 403, "access_denied"),
    ("device_unavailable", 403, "device_unavailable"),
    ("interaction_required", 403, "not_signed_in"),
    ("invalid_request", 502, "provider_refused"),
    ("invalid_request_object", 502, "provider_refused"),
    ("invalid_request_uri", 502, "provider_refused"),
    ("invalid_scope", 502, "provider_refused"),
    ("login_required", 403, "not_signed_in"),
    ("network_failure", 403, "network_failure"),
    ("registration_not_supported", 502, "provider_refused"),
    ("request_denied", 403, "access_denied"),
    ("request_not_supported", 502, "provider_refused"),
    ("request_uri_not_supported", 502, "provider_refused"),
    ("server_error", 503, "provider_unavailable"),
    ("temporarily_unavailable", 503, "provider_unavailable"),
    ("unauthorized_client", 502, "provider_refused"),
    ("unsupported_response_type", 502, "provider_refused"),
    ("user_unsupported", 403, "user_unsupported"),
    ("something_new", 403, "not_signed_in"),
];

/// What makes us ask anew who the carrier is.
const REDISCOVER: [&str; 3] = ["user_not_found", "invalid_login_hint", "invalid_login_hint_token"];

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_carrier_has_a_page_of_our_own() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for (error, status, code) in CODES {
        aurora.set(|rules| {
            rules.next_authorize_error = Some((*error).to_owned());
            rules.callback = [("error_description".to_owned(), "canary: the carrier's words".to_owned())].into();
        });
        let browser = Browser::new();
        let page = browser.go(rig.url("/app/x")).await;
        assert_eq!((page.status.as_u16(), page.body.contains(code)), (*status, true), "{error}: {}", page.body);
        assert_refused(&page, *status, code);
        assert!(!page.body.contains("canary") && !page.body.contains("told to answer"), "{error}: {}", page.body);
        // FD20: what the operator has to mend is no reason to begin again.
        let (href, label) = match *code {
            "provider_refused" => ("href=\"/\"", "Start page"),
            _ => ("href=\"/oauth2/start?rd=%2Fapp%2Fx\"", "Start again"),
        };
        assert!(page.body.contains(href) && page.body.contains(label), "{error}: {}", page.body);
        assert_eq!(page.headers.get("retry-after").is_some(), *status == 503, "{error}");
        assert!(starts(&browser) == 0 && !is_signed_in(&rig, &browser).await);
        aurora.set(|rules| rules.callback.clear());
        assert_eq!(browser.go(rig.url("/app/x")).await.status, 200, "trying again after {error}");
    }
    assert_eq!(token_calls(&rig), CODES.len() as u64);
    assert_eq!(rig.upstream.count(), CODES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_refusals_from_the_discovery_ui_have_the_same_pages() {
    let rig = Rig::start().await;
    for (error, status, code) in CODES {
        rig.simulator.ui().set(|rules| rules.next_error = Some((*error).to_owned()));
        let page = Browser::new().go(rig.url("/app/x")).await;
        assert_refused(&page, *status, code);
        assert!(!page.body.contains("told to answer"), "{}", page.body);
    }
    assert_eq!(rig.simulator.discovery().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_the_carrier_does_not_know_is_asked_for_their_carrier_once_more() {
    for error in REDISCOVER {
        let rig = Rig::start().await;
        at_once(&rig, "maya");
        let (ui, discovery) = (rig.simulator.ui(), rig.simulator.discovery());
        let aurora = rig.simulator.carrier("aurora").unwrap();
        // Once: the second question may be answered with another carrier, and then all is well.
        aurora.set(|rules| rules.next_authorize_error = Some(error.to_owned()));
        let page = Browser::new().go(rig.url("/app/x")).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{error}");
        assert_eq!(ui.count(), 2);
        let asked: Vec<_> =
            ui.requests().iter().map(|request| request.parameter("prompt").map(str::to_owned)).collect();
        assert_eq!(asked, [None, Some("true".to_owned())], "cookies of the first answer are ignored");
        // D14: anybody can write this error into a callback; what was learnt within the last minute is believed.
        assert_eq!(discovery.count(), 1);
        assert_eq!(aurora.count("token"), 1);
        // Twice: that is the end of it.
        aurora.set(|rules| rules.authorize_error = Some(error.to_owned()));
        let browser = Browser::new();
        let page = browser.go(rig.url("/app/x")).await;
        assert_refused(&page, 403, "user_not_found");
        assert_eq!((ui.count(), aurora.count("token")), (4, 1));
        assert_eq!(starts(&browser), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_question_may_lead_to_another_carrier() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    rig.simulator.carrier("aurora").unwrap().set(|rules| rules.authorize_error = Some("user_not_found".into()));
    rig.simulator.ui().set(|rules| rules.auto_choose = None);
    let browser = Browser::new();
    let ui = rig.begin(&browser, "/app/x").await;
    let again = browser.follow(rig.choose(&browser, &ui, "maya").await).await;
    assert_eq!(again.url.path(), "/ui/discovery-ui");
    let page = browser.follow(rig.choose(&browser, &again, "ines").await).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"));
    let issuer = rig.simulator.carrier("tangent").unwrap().issuer();
    assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), issuer);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_budget_holds_for_the_discovery_ui() {
    for error in REDISCOVER {
        let rig = Rig::start().await;
        at_once(&rig, "maya");
        rig.simulator.ui().set(|rules| rules.next_error = Some(error.to_owned()));
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        assert_eq!(rig.simulator.ui().count(), 2);
        // A discovery UI that says so whenever it is asked ends the sign-in, not in a loop.
        rig.simulator.ui().set(|rules| rules.callback = [("error".to_owned(), error.to_owned())].into());
        assert_refused(&Browser::new().go(rig.url("/app")).await, 403, "user_not_found");
        assert_eq!(rig.simulator.ui().count(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_hint_token_that_was_lost_on_the_way_is_fetched_again() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.hint_required = true);
    rig.simulator.ui().set(|rules| rules.callback_omit = vec!["login_hint_token".into()]);
    assert_refused(&Browser::new().go(rig.url("/app")).await, 403, "user_not_found");
    assert_eq!((aurora.count("authorize"), rig.simulator.ui().count()), (2, 2));
    let asked = aurora.last("authorize").unwrap();
    assert!(asked.query.iter().all(|(name, _)| name != "login_hint_token"), "never sent empty");
    rig.simulator.ui().set(|rules| {
        rules.callback_omit.clear();
        rules.callback = [("login_hint_token".to_owned(), "of.some.other.carriers.token".to_owned())].into();
    });
    assert_refused(&Browser::new().go(rig.url("/app")).await, 403, "user_not_found");
    rig.simulator.ui().set(|rules| rules.callback.clear());
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}
