//! Notifications: who may send them, and what they may change.

use serde_json::json;

use super::Desk;

// CR-S02, T04, T05, T10
#[tokio::test(flavor = "multi_thread")]
async fn only_the_bearer_of_this_question_answers_it() {
    let desk = Desk::start().await;
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    let yes = desk.yes(&asked, "q-1", json!({})).await.to_string();
    let right = format!("Bearer {}", asked.bearer());
    let mut bent = right.clone();
    let last = if bent.pop() == Some('A') { 'B' } else { 'A' };
    bent.push(last);
    let unknown = "Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let id = format!("Bearer {}", asked.id);
    let mut bodies = Vec::new();
    for fields in [&[][..], &[unknown], &[&bent], &[&id], &["Basic eDp5"], &["Bearer "], &[&right[7..]]] {
        let (status, body) = desk.post_notice(fields, yes.clone()).await;
        assert_eq!(status, 401, "{fields:?}");
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies, [r#"{"error":"invalid_token"}"#], "one answer for all");
    assert_eq!(desk.post_notice(&[&right, &right], yes.clone()).await.0, 400);
    assert_eq!(desk.state(&asked).await, "waiting");
    // The twin.
    assert_eq!(desk.post_notice(&[&right], yes).await, (204, String::new()));
    assert_eq!(desk.state(&asked).await, "approved");
}

// CR-S03, CR-S26, T06
#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_answers_no_other_question() {
    let desk = Desk::start().await;
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    let other = desk.yes(&asked, "q-2", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &other).await.0, 401);
    assert_eq!((desk.state(&asked).await.as_str(), desk.notices("foreign_notice").await), ("waiting", 1));
    for state in [json!("x"), json!(""), json!(null)] {
        let mut bent = desk.yes(&asked, "q-1", json!({})).await;
        bent["state"] = state;
        assert_eq!(desk.notify(asked.bearer(), &bent).await.0, 400, "{bent}");
    }
    assert_eq!(desk.state(&asked).await, "waiting");
    let yes = desk.yes(&asked, "q-1", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &yes).await.0, 204);
    // A's bearer for B: what a carrier with one fixed bearer, or whoever recorded A, would send.
    let body = json!({ "auth_req_id": "q-b", "expires_in": 100 }).to_string();
    desk.aurora.set(|rules| drop(rules.body.insert("server_initiated".to_owned(), body)));
    let second = desk.ask(json!({})).await;
    let for_second = desk.yes(&second, "q-b", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &for_second).await.0, 401);
    assert_eq!(desk.state(&second).await, "waiting");
}

// CR-S05 and must-show 4: a notification before the acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_acknowledgement_is_kept_and_must_be_to_the_same_question() {
    let desk = Desk::start().await;
    desk.aurora.set(|rules| {
        rules.notify_first = true;
        rules.auto_consent = Some(zengate_simulator::AutoConsent::default());
    });
    let asked = desk.ask(json!({})).await;
    assert_eq!((&asked.body["state"], desk.notices("kept").await), (&json!("approved"), 1));
    desk.aurora.set(|rules| drop(rules.notification.insert("auth_req_id".into(), "another".into())));
    let asked = desk.ask(json!({})).await;
    assert_eq!((&asked.body["state"], &asked.body["code"]), (&json!("failed"), &json!("provider_invalid")));
    assert_eq!(desk.aurora.notified(), [Some(204), Some(204)]);
}

// CR-S06, CR-S07, T08, T09
#[tokio::test(flavor = "multi_thread")]
async fn the_first_ending_is_the_ending() {
    let desk = Desk::with(crate::support::rig::Choices::default(), "  pause_after_denial: 0s\n").await;
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    let yes = desk.yes(&asked, "q-1", json!({})).await;
    for _ in 0..2 {
        assert_eq!(desk.notify(asked.bearer(), &yes).await, (204, String::new()));
    }
    let no = Desk::no(&asked, "q-1", "access_denied");
    assert_eq!(desk.notify(asked.bearer(), &no).await.0, 204);
    assert_eq!((desk.state(&asked).await.as_str(), desk.notices("repeat").await), ("approved", 2));
    assert_eq!(desk.metric("zengate_approvals_total{outcome=\"approved\"}").await, 1);
    let asked = desk.ask(json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &Desk::no(&asked, "q-1", "access_denied")).await.0, 204);
    let yes = desk.yes(&asked, "q-1", json!({})).await;
    assert_eq!(desk.notify(asked.bearer(), &yes).await.0, 204);
    assert_eq!(desk.state(&asked).await, "declined");
}

// CR-S09, T13
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_has_two_readings_changes_nothing() {
    let desk = Desk::start().await;
    desk.by_hand(100);
    let asked = desk.ask(json!({})).await;
    let bearer = format!("Bearer {}", asked.bearer());
    let mut yes = desk.yes(&asked, "q-1", json!({})).await;
    yes["padding"] = "x".repeat(70 * 1024).into();
    assert_eq!(desk.post_notice(&[&bearer], yes.to_string()).await.0, 413);
    yes["padding"] = json!(null);
    let both = {
        let mut both = yes.clone();
        both["error"] = "access_denied".into();
        both.to_string()
    };
    let twice = yes.to_string().replacen('{', r#"{"state":"x","#, 1);
    let form = format!("auth_req_id=q-1&state={}&error=access_denied", asked.claims["state"].as_str().unwrap());
    for body in [both, twice, form, String::new(), "[]".to_owned()] {
        assert_eq!(desk.post_notice(&[&bearer], body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(desk.state(&asked).await, "waiting");
    assert_eq!(desk.post_notice(&[&bearer], yes.to_string()).await.0, 204, "the twin");
    assert_eq!(desk.state(&asked).await, "approved");
}

// CR-S10, CR-S11, T07
#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_of_this_person_for_this_question_approves() {
    let desk = Desk::start().await;
    desk.by_hand(100);
    let stranger = desk.aurora.subject(crate::support::rig::CLIENT_ID, super::person("tomas"));
    for (bend, code) in [
        (json!({ "nonce": "another" }), "provider_invalid"),
        (json!({ "aud": "ccid-another" }), "provider_invalid"),
        (json!({ "iss": "https://elsewhere.example" }), "provider_invalid"),
        (json!({ "iat": super::now() - 300 }), "provider_invalid"),
        (json!({ "exp": super::now() - 300 }), "provider_invalid"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "provider_invalid"),
        (json!({ "context": "Pay 7000 EUR to somebody else entirely" }), "provider_invalid"),
        (json!({ "acr": "a1" }), "acr_unmet"),
        (json!({ "acr": null }), "acr_unmet"),
        (json!({ "sub": stranger }), "other_person"),
    ] {
        let asked = desk.ask(json!({ "acr_values": ["a3"] })).await;
        let bent = desk.yes(&asked, "q-1", bend.clone()).await;
        assert_eq!(
            desk.notify(asked.bearer(), &bent).await,
            (400, r#"{"error":"invalid_request"}"#.to_owned()),
            "{bend}"
        );
        assert_eq!(desk.ending(&asked).await, ("failed".to_owned(), code.to_owned()), "{bend}");
        assert_eq!(desk.maya.open(desk.rig.url("/app")).await.status, 200, "the session is what it was");
    }
    let asked = desk.ask(json!({ "acr_values": ["a3"] })).await;
    let yes = desk.yes(&asked, "q-1", json!({ "context": &super::CONTEXT[..30] })).await;
    assert_eq!(desk.notify(asked.bearer(), &yes).await.0, 204, "the twin");
    assert_eq!(desk.state(&asked).await, "approved");
}

// T07: by a key that is none of the carrier's, and by the carrier's own methods of signing.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_carrier_did_not_sign_approves_nothing() {
    let desk = Desk::start().await;
    for signature in [
        zengate_simulator::Signature::Broken,
        zengate_simulator::Signature::ForeignKey,
        zengate_simulator::Signature::Hs256,
        zengate_simulator::Signature::None,
    ] {
        desk.aurora.set(|rules| rules.id_token_signature = signature);
        let asked = desk.ask(json!({})).await;
        desk.agree(&asked).await;
        assert_eq!(desk.ending(&asked).await, ("failed".to_owned(), "provider_invalid".to_owned()), "{signature:?}");
    }
    desk.aurora.set(|rules| rules.id_token_signature = zengate_simulator::Signature::Valid);
    let asked = desk.ask(json!({})).await;
    desk.agree(&asked).await;
    assert_eq!(desk.ending(&asked).await.0, "approved");
}
