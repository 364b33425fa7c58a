//! From the app's question to the person's answer, through the simulated carrier.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::Method;
use serde_json::{Value, json};

use super::{APP, CONTEXT, Desk};
use crate::support::browser::Browser;
use crate::support::rig::{CLIENT_ID, Choices};

/// What an app does with a receipt, as docs/APPROVALS.md says.
pub(super) async fn checked(desk: &Desk, text: &str, typ: &str) -> Value {
    let set: JwkSet =
        desk.client.get(desk.rig.url("/oauth2/assertion-keys.json")).send().await.unwrap().json().await.unwrap();
    let header = jsonwebtoken::decode_header(text).unwrap();
    assert_eq!(header.typ.as_deref(), Some(typ));
    let key = DecodingKey::from_jwk(set.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["https://shop.example"]);
    validation.set_issuer(&[desk.rig.url("")]);
    jsonwebtoken::decode::<Value>(text, &key, &validation).unwrap().claims
}

// CR-S01, T02, T12; dossier 20, row 35
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_signed_in_approves_on_the_phone_and_the_app_gets_a_receipt() {
    let hook = "  audience: https://shop.example\n  webhook: UPSTREAM/hook\n";
    let desk = Desk::with(Choices::default(), hook).await;
    let before = desk.maya.open(desk.rig.url("/oauth2/session")).await.json();
    let asked = desk.ask(json!({ "reference": "order 17", "acr_values": ["a3"], "expires_in": 120 })).await;
    assert_eq!((&asked.body["state"], &asked.body["context"]), (&json!("waiting"), &json!(CONTEXT)));
    let told = &asked.claims;
    for (name, value) in [
        ("aud", json!(desk.aurora.issuer())),
        ("iss", json!(CLIENT_ID)),
        ("sub", json!(CLIENT_ID)),
        ("login_hint", desk.wanted()["subject"].clone()),
        ("response_type", json!("async_token")),
        ("context", json!(CONTEXT)),
        ("acr_values", json!("a3")),
        ("expires_in", json!(120)),
        ("notification_uri", json!(desk.rig.url("/oauth2/approvals/notify"))),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap() <= 300);
    assert!(told["correlation_id"].as_str().unwrap().len() <= 16);
    assert_ne!(asked.id, asked.bearer(), "the id answers nothing");
    let (agreed, seen) = tokio::join!(desk.agree(&asked), desk.look(&asked.id, 25));
    let () = agreed;
    assert_eq!(
        (&seen["state"], &seen["acr"], &seen["reference"]),
        (&json!("approved"), &json!("a3"), &json!("order 17"))
    );
    assert_eq!(desk.aurora.notified(), [Some(204)]);
    let receipt = checked(&desk, seen["receipt"].as_str().unwrap(), "zengate-approval+jwt").await;
    assert_eq!((&receipt["context"], &receipt["reference"]), (&json!(CONTEXT), &json!("order 17")));
    assert_eq!(
        receipt["sub_id"],
        json!({ "format": "iss_sub", "iss": desk.aurora.issuer(), "sub": told["login_hint"] })
    );
    let again = desk.look(&asked.id, 0).await;
    let again = checked(&desk, again["receipt"].as_str().unwrap(), "zengate-approval+jwt").await;
    assert_eq!(again["jti"], receipt["jti"], "an app takes it once, however often it asks");
    // The session is what it was.
    let after = desk.maya.open(desk.rig.url("/oauth2/session")).await;
    assert_eq!((&after.json()["acr"], after.gives_session()), (&before["acr"], false));
    // The app is told without asking, too.
    let event = loop {
        let seen = desk.rig.upstream.seen().into_iter().find(|seen| seen.target() == "/hook");
        match seen {
            Some(seen) => break serde_json::from_slice::<Value>(&seen.body).unwrap(),
            None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    };
    let event = checked(&desk, event["event"].as_str().unwrap(), "zengate-approval-event+jwt").await;
    assert_eq!((&event["state"], &event["approval"]), (&json!("approved"), &json!(asked.id)));
    assert_ne!(event["jti"], receipt["jti"]);
}

// CR-S13 and must-show 4: deny, time-out, device unavailable.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_not_agreed_to_ends_in_a_word_of_ours() {
    let desk = Desk::with(Choices::default(), "  pause_after_denial: 0s\n").await;
    for (form, state, code) in [
        (&[("decision", "deny")][..], "declined", "access_denied"),
        (&[("decision", "error"), ("error", "authentication_timed_out")], "expired", "authentication_timed_out"),
        (&[("decision", "error"), ("error", "device_unavailable")], "failed", "device_unavailable"),
        (&[("decision", "error"), ("error", "<b>x</b>")], "failed", "unknown"),
    ] {
        let asked = desk.ask(json!({})).await;
        desk.decide(&asked, form).await;
        assert_eq!(desk.ending(&asked).await, (state.to_owned(), code.to_owned()));
        assert!(desk.look(&asked.id, 0).await.get("receipt").is_none());
    }
    // One word for everything: the description decides, and is kept nowhere.
    desk.aurora.set(|rules| drop(rules.notification.insert("error_description".into(), "Waiting time expired".into())));
    let asked = desk.ask(json!({})).await;
    desk.decide(&asked, &[("decision", "error"), ("error", "authorization_error")]).await;
    assert_eq!(desk.ending(&asked).await, ("expired".to_owned(), "authentication_timed_out".to_owned()));
    assert!(!desk.look(&asked.id, 0).await.to_string().contains("Waiting"));
}

// CR-S13: nobody answers, and whoever answers too late changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_expires_and_a_late_answer_changes_nothing() {
    let desk = Desk::start().await;
    desk.by_hand(1);
    let asked = desk.ask(json!({})).await;
    assert_eq!(desk.ending(&asked).await, ("expired".to_owned(), "authentication_timed_out".to_owned()));
    let late = desk.yes(&asked, "q-1", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &late).await, (204, String::new()));
    assert_eq!((desk.state(&asked).await.as_str(), desk.notices("late").await), ("expired", 1));
    // The twin: in time.
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    let yes = desk.yes(&asked, "q-1", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &yes).await.0, 204);
    assert_eq!(desk.state(&asked).await, "approved");
}

// CR-S14, T03
#[tokio::test(flavor = "multi_thread")]
async fn what_the_carrier_does_not_take_leaves_nothing_behind() {
    let desk = Desk::start().await;
    for (status, body, expected) in [
        (403, r#"{"error":"authorization_error"}"#, (403, "user_unsupported")),
        (400, r#"{"error":"invalid_login_hint"}"#, (403, "user_not_found")),
        (400, r#"{"error":"invalid_request"}"#, (502, "provider_refused")),
        (200, r#"{"expires_in":60}"#, (502, "provider_invalid")),
        (200, r#"{"auth_req_id":"q"}"#, (502, "provider_invalid")),
        (302, "", (502, "provider_invalid")),
        (500, "", (502, "provider_invalid")),
    ] {
        desk.aurora.set(|rules| {
            rules.status.insert("server_initiated".into(), status);
            rules.body.insert("server_initiated".into(), body.into());
        });
        let (status, answer) = desk.try_ask(json!({})).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), expected, "{body}");
        let request = desk.aurora.last("server_initiated").unwrap();
        let claims = super::claims(request.parameter("request").unwrap());
        let bearer = claims["client_notification_token"].as_str().unwrap();
        let notice = json!({ "auth_req_id": "q", "state": claims["state"], "error": "access_denied" });
        assert_eq!(desk.notify(bearer, &notice).await.0, 401, "no record is left");
    }
    // The twin, and nobody is in the way of it.
    desk.aurora.set(|rules| {
        rules.status.clear();
        rules.body.clear();
    });
    desk.ask(json!({})).await;
}

// CR-S25, T12
#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_taken_back_once_and_a_later_answer_changes_nothing() {
    let desk = Desk::start().await;
    desk.aurora.set(|rules| rules.notify_after_cancel = true);
    let asked = desk.ask(json!({})).await;
    let query = format!("?id={}", asked.id);
    for _ in 0..2 {
        let (status, body) = desk.call_as(APP, Method::DELETE, &query, None).await;
        assert_eq!((status, &body["state"], &body["code"]), (200, &json!("failed"), &json!("cancelled")));
    }
    assert_eq!(desk.aurora.count("server_initiated_cancel"), 1);
    let withdrawal = super::claims(desk.aurora.last("server_initiated_cancel").unwrap().parameter("request").unwrap());
    assert_eq!((&withdrawal["aud"], &withdrawal["iss"]), (&json!(desk.aurora.issuer()), &json!(CLIENT_ID)));
    assert_ne!(withdrawal["jti"], asked.claims["jti"]);
    assert_eq!(desk.aurora.notified(), [Some(204)], "the carrier answered all the same");
    assert_eq!(desk.ending(&asked).await, ("failed".to_owned(), "cancelled".to_owned()));
}

// A retry is a new question.
#[tokio::test(flavor = "multi_thread")]
async fn asking_again_is_a_new_question_with_nothing_of_the_old_one() {
    let desk = Desk::start().await;
    let first = desk.ask(json!({ "reference": "order 17" })).await;
    let (status, body) = desk.call_as(APP, Method::POST, &format!("?id={}", first.id), None).await;
    assert_eq!((status, &body["reference"], &body["state"]), (201, &json!("order 17"), &json!("waiting")));
    let second = super::claims(desk.aurora.last("server_initiated").unwrap().parameter("request").unwrap());
    for name in ["jti", "nonce", "state", "client_notification_token"] {
        assert_ne!(second[name], first.claims[name], "{name}");
    }
    for name in ["context", "login_hint", "expires_in"] {
        assert_eq!(second[name], first.claims[name], "{name}");
    }
    assert_eq!(desk.ending(&first).await, ("failed".to_owned(), "cancelled".to_owned()));
}

// Dossier 20, row 34: the endpoint by its old name.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_names_its_endpoint_in_the_old_way_is_asked_too() {
    let desk = Desk::start().await;
    let tangent = desk.rig.simulator.carrier("tangent").unwrap().clone();
    desk.sign_in(&Browser::new(), "ines").await;
    let (status, body) = desk.call_as(APP, Method::POST, "", Some(&desk.wanted_of(&tangent, "ines"))).await;
    assert_eq!((status, tangent.count("server_initiated")), (201, 1), "{body}");
}

// CR-S27: a captured request is good for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_captured_request_is_refused_by_the_carrier() {
    let desk = Desk::start().await;
    let asked = desk.ask(json!({})).await;
    let sent = desk.aurora.last("server_initiated").unwrap();
    let to = format!("{}{}", url::Url::parse(&desk.aurora.issuer()).unwrap().origin().ascii_serialization(), sent.path);
    let again = json!({ "request": sent.parameter("request").unwrap() });
    let answer = desk.client.post(to).json(&again).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("used before"));
    assert_eq!(desk.state(&asked).await, "waiting");
}
