//! D: which carrier a person has is found out by others, and believed only as far as the operator said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zengate_simulator::DiscoveryAnswer;

use super::{assert_begun_anew, assert_refused, at_once, only, starts, token_calls, until, until_code, value, with};
use crate::support::browser::{Browser, Page};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};
use crate::support::upstream::Upstream;

/// A rig in which Maya, an Aurora customer, signs in at once.
async fn rig() -> Rig {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_another_issuer_gets_no_code_redeemed() {
    // D01, D02
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let (own, other) = (aurora.issuer(), rig.simulator.carrier("tangent").unwrap().issuer());
    for issuer in ["https://evil.test", &other, &format!("{own}/"), &own.to_uppercase()] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        assert_refused(&browser.open(with(&callback, "iss", Some(issuer))).await, 400, "carrier_mismatch");
        assert!(starts(&browser) == 0);
        assert_begun_anew(&browser.open(&callback).await, "/app");
    }
    assert_eq!(token_calls(&rig), 0);
    let browser = Browser::new();
    let callback = until_code(&browser, rig.url("/app")).await;
    assert!(browser.open(with(&callback, "iss", Some(&own))).await.gives_session());

    let promising = self::rig().await;
    let aurora = promising.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| {
        rules.metadata.insert("authorization_response_iss_parameter_supported".into(), true.into());
    });
    assert_refused(&Browser::new().go(promising.url("/app")).await, 400, "carrier_mismatch");
    assert_eq!(token_calls(&promising), 0);
    aurora.set(|rules| rules.callback = [("iss".to_owned(), aurora.issuer())].into());
    assert_eq!(Browser::new().go(promising.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_to_the_carrier_that_was_asked_and_to_no_other() {
    // D03, D08
    let rig = rig().await;
    let (aurora, tangent) = (rig.simulator.carrier("aurora").unwrap(), rig.simulator.carrier("tangent").unwrap());
    let victim = Browser::new();
    let callback = until_code(&victim, rig.url("/app")).await;
    at_once(&rig, "ines");
    let foreign = value(&until_code(&Browser::new(), rig.url("/app")).await, "code").unwrap();
    let page = victim.open(with(&callback, "code", Some(&foreign))).await;
    assert_refused(&page, 502, "provider_refused");
    assert_eq!((aurora.count("token"), tangent.count("token")), (1, 0), "asked once, and nobody else afterwards");
    let sent = aurora.last("token").unwrap();
    assert_eq!(only(&sent, "code").unwrap(), foreign);
    assert!(only(&sent, "code_verifier").is_some());
    assert!(sent.header("authorization").unwrap().starts_with("Basic "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_callback_cannot_switch_the_carrier() {
    // D06; dossier 19, row 6
    let rig = rig().await;
    for mccmnc in ["310260", "311480", "999999"] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        let page = browser.open(with(&callback, "mccmnc", Some(mccmnc))).await;
        assert_refused(&page, 400, "carrier_mismatch");
    }
    assert_eq!(token_calls(&rig), 0);
    // Absent, or another code of the same carrier: nothing is switched.
    for mccmnc in [None, Some("310410")] {
        let browser = Browser::new();
        let callback = until_code(&browser, rig.url("/app")).await;
        assert!(browser.open(with(&callback, "mccmnc", mccmnc)).await.gives_session(), "{mccmnc:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_code_is_six_digits_before_it_goes_anywhere() {
    // D07
    let rig = rig().await;
    for bent in [
        "",
        "12345",
        "1234567",
        "31041a",
        "３１０４１０",
        "310 10",
        " 310410",
        "310410\n",
        "../../",
        "31041%30",
        "-31041",
    ] {
        rig.simulator.ui().set(|rules| rules.callback = [("mccmnc".to_owned(), bent.to_owned())].into());
        assert_refused(&Browser::new().go(rig.url("/app")).await, 400, "callback_malformed");
    }
    assert_eq!(rig.simulator.discovery().count(), 0);
    rig.simulator.ui().set(|rules| rules.callback.clear());
    // A code leg's parameters do not belong here.
    rig.simulator.ui().set(|rules| rules.callback = [("code".to_owned(), "x".to_owned())].into());
    assert_refused(&Browser::new().go(rig.url("/app")).await, 400, "callback_malformed");
    rig.simulator.ui().set(|rules| rules.callback.clear());
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert_eq!(token_calls(&rig), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_not_the_carriers_own_stops_that_carrier_alone() {
    // D04, D05, D09
    let trap = Upstream::start().await;
    let at_trap = format!("http://{}/x", trap.address);
    let tangent = |rig: &Rig| rig.simulator.carrier("tangent").unwrap().issuer();
    for (member, bent) in [
        ("issuer", json!("https://evil.test")),
        ("issuer", json!("TANGENT")),
        ("issuer", json!(7)),
        ("issuer", json!("")),
        ("token_endpoint", json!(at_trap)),
        ("authorization_endpoint", json!(at_trap)),
        ("jwks_uri", json!(at_trap)),
        ("userinfo_endpoint", json!(at_trap)),
        ("token_endpoint", json!("file:///etc/passwd")),
        ("token_endpoint", json!(null)),
        ("authorization_endpoint", json!("javascript:alert(1)")),
    ] {
        let rig = self::rig().await;
        let bent = if bent == "TANGENT" { json!(tangent(&rig)) } else { bent };
        rig.simulator.carrier("aurora").unwrap().set(|rules| drop(rules.metadata.insert(member.into(), bent.clone())));
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_refused(&page, 502, "provider_invalid");
        assert!(starts(&browser) == 0);
        at_once(&rig, "ines");
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "other carriers are not affected by {member}");
        assert_eq!(rig.simulator.carrier("aurora").unwrap().count("authorize"), 0);
    }
    assert_eq!(trap.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_discovery_are_read_narrowly() {
    // D14 and the dossier's section 5
    let rig = rig().await;
    let discovery = rig.simulator.discovery();
    for (answer, status, code) in [
        (DiscoveryAnswer::Malformed, 502, "provider_invalid"),
        (DiscoveryAnswer::Nested, 502, "provider_invalid"),
        (DiscoveryAnswer::Huge, 502, "provider_invalid"),
        (DiscoveryAnswer::Redirect, 502, "provider_invalid"),
        (DiscoveryAnswer::Error, 502, "provider_invalid"),
        (DiscoveryAnswer::Unavailable, 503, "provider_unavailable"),
    ] {
        discovery.set(|rules| rules.answer = answer);
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_eq!(page.status.as_u16(), status, "{answer:?}");
        assert_refused(&page, status, code);
        assert!(starts(&browser) == 0, "{answer:?}");
    }
    let all: u64 =
        rig.simulator.carriers().iter().map(|carrier| carrier.count("authorize") + carrier.count("metadata")).sum();
    assert_eq!(all, 0, "no redirect of discovery was followed");
    discovery.set(|rules| rules.answer = DiscoveryAnswer::Normal);
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_discovery_does_not_find_is_asked_for_once_more() {
    for as_200 in [false, true] {
        let rig = rig().await;
        rig.simulator.discovery().set(|rules| {
            rules.answer = DiscoveryAnswer::NotFound;
            rules.not_found_as_200 = as_200;
        });
        // Once: then the person chooses another phone. The same code would get the same answer for half a minute (D07).
        let browser = Browser::new();
        let second = until(&browser, rig.url("/app/x"), |page: &Page| {
            page.location().is_some_and(|to| value(&to, "prompt").as_deref() == Some("true"))
        });
        let second = second.await.location().unwrap();
        rig.simulator.discovery().set(|rules| rules.answer = DiscoveryAnswer::Normal);
        at_once(&rig, "ines");
        let page = browser.go(second).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"));
        // Always: that is the end of it.
        let rig = self::rig().await;
        rig.simulator
            .discovery()
            .set(|rules| (rules.answer, rules.not_found_as_200) = (DiscoveryAnswer::NotFound, as_200));
        assert_refused(&Browser::new().go(rig.url("/app")).await, 403, "user_not_found");
        assert_eq!(rig.simulator.ui().count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_can_send_a_person_to_the_configured_page_and_to_no_other() {
    let rig = rig().await;
    let ui = rig.simulator.discovery_ui();
    for foreign in [
        "https://evil.test/ui/discovery-ui",
        &ui.replace("/ui/discovery-ui", "@evil.test/"),
        &ui.replace("http://", "http://evil.test@"),
        &format!("{}.evil.test", ui.trim_end_matches("/ui/discovery-ui")),
        "//evil.test/ui/discovery-ui",
        "javascript:alert(1)",
        "",
    ] {
        rig.simulator.discovery().set(|rules| {
            rules.answer = DiscoveryAnswer::NotFound;
            rules.not_found_redirect_uri = Some(foreign.to_owned());
        });
        let page = Browser::new().go(rig.url("/app")).await;
        assert_refused(&page, 502, "provider_invalid");
        assert!(!page.body.contains("evil"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_hint_token_is_passed_on_if_and_only_if_there_was_one() {
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for (browser, hinted) in [(Browser::new(), true), (Browser::phone(), false)] {
        let from_ui = until(&browser, rig.url("/app"), |page: &Page| {
            page.location().is_some_and(|to| value(&to, "mccmnc").is_some() && value(&to, "code").is_none())
        });
        let from_ui = from_ui.await.location().unwrap();
        let token = value(&from_ui, "login_hint_token");
        assert_eq!(token.is_some(), hinted);
        assert_eq!(browser.go(from_ui).await.status, 200);
        let asked = aurora.last("authorize").unwrap();
        assert_eq!(only(&asked, "login_hint_token"), token);
        assert_eq!(asked.query.iter().any(|(name, _)| name == "login_hint_token"), hinted, "not even empty");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_correlation_id_runs_through_a_whole_sign_in_and_no_further() {
    let rig = rig().await;
    let mut drawn = std::collections::HashSet::new();
    for (person, carrier) in [("maya", "aurora"), ("ines", "tangent"), ("noor", "vireo"), ("tomas", "aurora")] {
        at_once(&rig, person);
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        let carrier = rig.simulator.carrier(carrier).unwrap();
        let ids =
            ["authorize", "token", "userinfo"].map(|leg| only(&carrier.last(leg).unwrap(), "correlation_id").unwrap());
        assert_eq!((&ids[0], &ids[1]), (&ids[1], &ids[2]));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        assert!((8..=16).contains(&ids[0].len()) && ids[0].bytes().all(plain), "{}", ids[0]);
        assert!(drawn.insert(ids[0].clone()), "each sign-in has its own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_secret_is_encoded_and_only_ever_in_its_header() {
    // D12
    let rig = rig().await;
    for (person, carrier) in [("maya", "aurora"), ("ines", "tangent"), ("noor", "vireo")] {
        at_once(&rig, person);
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        let sent = rig.simulator.carrier(carrier).unwrap().last("token").unwrap();
        let basic = STANDARD.decode(sent.header("authorization").unwrap().strip_prefix("Basic ").unwrap()).unwrap();
        let basic = String::from_utf8(basic).unwrap();
        let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
        assert_eq!(basic, format!("{CLIENT_ID}:{encoded}"));
        for unwanted in ["client_id", "client_secret", "client_assertion"] {
            assert_eq!(sent.parameter(unwanted), None);
        }
        assert!(sent.query.is_empty());
        assert_eq!(sent.header("content-type").unwrap(), "application/x-www-form-urlencoded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_carrier_away_is_no_outage_of_the_others() {
    // N01
    let rig = rig().await;
    let theirs = Browser::new();
    assert_eq!(theirs.go(rig.url("/app")).await.status, 200);
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora
        .set(|rules| rules.status = ["token", "userinfo", "jwks", "metadata"].map(|end| (end.to_owned(), 503)).into());
    let page = Browser::new().go(rig.url("/app")).await;
    assert_refused(&page, 503, "provider_unavailable");
    assert!(page.body.contains("The sign-in service cannot be reached"), "the page says who is at fault");
    at_once(&rig, "ines");
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert_eq!(theirs.open(rig.url("/app")).await.status, 200, "its sessions go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_in_trouble_is_asked_once_and_the_person_is_told_what_helps() {
    // N02, N03, N04
    // Long enough for a busy machine to make the simulated carrier's first key, short enough to wait for twice.
    let provider = "  connect_timeout: 1500ms\n  total_timeout: 1500ms\n".to_owned();
    let rig = Rig::with(Choices { provider, ..Choices::default() }).await;
    at_once(&rig, "maya");
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let error = |code: &str| Some(format!(r#"{{"error":"{code}","error_description":"canary"}}"#));
    for (status, body, page_status, code) in [
        (400, error("invalid_grant"), 502, "provider_refused"),
        (400, error("request_denied"), 502, "provider_refused"),
        (401, error("invalid_client"), 502, "provider_refused"),
        (401, None, 502, "provider_refused"),
        (302, None, 502, "provider_invalid"),
        (500, None, 502, "provider_invalid"),
        (429, None, 503, "provider_unavailable"),
        (503, None, 503, "provider_unavailable"),
    ] {
        aurora.set(|rules| {
            rules.status = [("token".to_owned(), status)].into();
            rules.body = body.clone().map(|body| ("token".to_owned(), body)).into_iter().collect();
        });
        let before = aurora.count("token");
        let page = Browser::new().go(rig.url("/app")).await;
        assert_eq!(page.status.as_u16(), page_status, "{status}: {}", page.body);
        assert_refused(&page, page_status, code);
        assert!(!page.body.contains("canary"));
        assert_eq!(aurora.count("token"), before + 1, "a code is never sent twice");
        if page_status == 503 {
            let after: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&after));
        }
    }
    aurora.set(|rules| (rules.status, rules.body) = Default::default());
    for endpoint in ["token", "userinfo"] {
        aurora.set(|rules| rules.latency_ms = [(endpoint.to_owned(), 6_000)].into());
        let before = aurora.count(endpoint);
        assert_refused(&Browser::new().go(rig.url("/app")).await, 504, "provider_timeout");
        assert_eq!(aurora.count(endpoint), before + 1);
    }
    aurora.set(|rules| rules.latency_ms.clear());
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
}
