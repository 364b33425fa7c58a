//! Who may be asked, by whom, and how often.

use reqwest::Method;
use serde_json::json;

use super::{APP, Desk, OTHER, person};
use crate::support::browser::Browser;
use crate::support::rig::{CLIENT_ID, Choices};

// T01
#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_without_a_token_for_it() {
    let desk = Desk::start().await;
    let wanted = desk.wanted();
    assert_eq!(desk.call_as("somebody", Method::POST, "", Some(&wanted)).await.0, 401);
    assert_eq!(desk.call_as(OTHER, Method::POST, "", Some(&wanted)).await.0, 403);
    let asked = desk.ask(json!({})).await;
    let query = format!("?id={}", asked.id);
    for method in [Method::GET, Method::POST, Method::DELETE] {
        assert_eq!(desk.call_as(OTHER, method, &query, None).await.0, 403);
    }
    assert_eq!(desk.aurora.count("server_initiated"), 1);
    // What is no approval, or cannot be asked.
    for (query, status) in [
        ("?id=x", 404),
        ("?id=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 404),
        ("", 400),
        ("?id=x&id=x", 400),
        ("?other=1", 400),
        (&*format!("{query}&wait=26"), 400),
        (&*format!("{query}&wait=x"), 400),
    ] {
        assert_eq!(desk.call_as(APP, Method::GET, query, None).await.0, status, "{query}");
    }
    for (bend, word) in [
        (json!({ "context": "x".repeat(281) }), "body"),
        (json!({ "context": " " }), "body"),
        (json!({ "context": "Pay 7\n0" }), "body"),
        (json!({ "context": "Pay \u{202e}07" }), "body"),
        (json!({ "expires_in": 48 * 3600 + 1 }), "body"),
        (json!({ "expires_in": 1 }), "body"),
        (json!({ "acr_values": [] }), "body"),
        (json!({ "acr_values": ["a1 a3"] }), "body"),
        (json!({ "reference": "" }), "body"),
        (json!({ "sing_in": true }), "body"),
        (json!({ "issuer": format!("{}/", desk.aurora.issuer()) }), "unknown_issuer"),
    ] {
        let (status, body) = desk.try_ask(bend.clone()).await;
        assert_eq!((status, body["error"].as_str().unwrap()), (400, word), "{bend}");
    }
    assert_eq!(desk.aurora.count("server_initiated"), 1);
}

// RFC 10027 (BCP 247): authenticate, then ask.
#[tokio::test(flavor = "multi_thread")]
async fn only_somebody_who_is_signed_in_is_asked() {
    let desk = Desk::start().await;
    let tomas = json!({ "subject": desk.aurora.subject(CLIENT_ID, person("tomas")) });
    let (status, body) = desk.try_ask(tomas.clone()).await;
    assert_eq!((status, body["error"].as_str().unwrap()), (409, "not_signed_in"));
    assert_eq!(desk.aurora.count("server_initiated"), 0, "no phone rings");
    let browser = Browser::new();
    desk.sign_in(&browser, "tomas").await;
    desk.ask(tomas.clone()).await;
    // Signed out, they are asked no more.
    let maya = json!({});
    desk.maya.post(desk.rig.url("/oauth2/sign_out"), &[]).await;
    assert_eq!(desk.try_ask(maya).await.0, 409);
    // A carrier that is not asked in this way.
    let vireo = desk.rig.simulator.carrier("vireo").unwrap().clone();
    let them = zengate_simulator::personas().iter().find(|person| person.carrier == "vireo").unwrap();
    desk.sign_in(&Browser::new(), them.id).await;
    let (status, body) = desk.call_as(APP, Method::POST, "", Some(&desk.wanted_of(&vireo, them.id))).await;
    assert_eq!((status, body["error"].as_str().unwrap()), (409, "approvals_unsupported"));
}

// T11
#[tokio::test(flavor = "multi_thread")]
async fn one_person_is_bothered_by_one_question_at_a_time_and_few_in_an_hour() {
    let desk = Desk::with(Choices::default(), "  per_hour: 2\n").await;
    let first = desk.ask(json!({})).await;
    let refused = |word: &'static str| {
        let desk = &desk;
        async move {
            let request = desk.client.post(format!("http://{}/approvals", desk.rig.app().admin_address()));
            let answer = request.bearer_auth(APP).body(desk.wanted().to_string()).send().await.unwrap();
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert_eq!(answer.status(), 429);
            assert!(answer.text().await.unwrap().contains(word), "{word}");
            wait
        }
    };
    assert!((200..=301).contains(&refused("approval_under_way").await));
    desk.agree(&first).await;
    assert_eq!(desk.ending(&first).await.0, "approved");
    let second = desk.ask(json!({})).await;
    desk.agree(&second).await;
    assert_eq!(desk.ending(&second).await.0, "approved");
    assert!((3500..=3601).contains(&refused("too_many_approvals").await));
    assert_eq!(desk.aurora.count("server_initiated"), 2);
    // Somebody else has turns of their own.
    desk.sign_in(&Browser::new(), "tomas").await;
    let tomas = json!({ "subject": desk.aurora.subject(CLIENT_ID, person("tomas")) });
    let asked = desk.ask(tomas.clone()).await;
    desk.decide(&asked, &[("decision", "deny")]).await;
    assert_eq!(desk.ending(&asked).await.0, "declined");
    let (status, body) = desk.try_ask(tomas).await;
    assert_eq!((status, body["error"].as_str().unwrap()), (429, "approval_paused"), "they said no");
}
