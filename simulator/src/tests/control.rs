//! The switches, from Rust and over HTTP.

use serde_json::json;

use super::super::{DiscoveryAnswer, Signature};
use super::*;

#[tokio::test]
async fn discovery_fails_in_every_recorded_way() {
    let world = World::new().await;
    let query = [("client_id", CLIENT), ("mccmnc", "123456")];
    let lost = world.discovery(&query).await;
    assert_eq!(lost.status(), 404);
    let lost: Value = lost.json().await.unwrap();
    assert_eq!(lost["redirect_uri"], world.simulator.discovery_ui());
    world.simulator.discovery().set(|rules| rules.not_found_as_200 = true);
    let lost = world.discovery(&query).await;
    assert_eq!(lost.status(), 200);
    assert_eq!(lost.json::<Value>().await.unwrap()["error"], "provider_not_found");

    let found = [("client_id", CLIENT), ("mccmnc", "310410")];
    let asked_again = [("client_id", CLIENT), ("mccmnc", "310410"), ("prompt", "true")];
    let again: Value = world.discovery(&asked_again).await.json().await.unwrap();
    assert_eq!(again["error"], "provider_not_found");
    let stranger = world.discovery(&[("client_id", "ccid-nobody"), ("mccmnc", "310410")]).await;
    assert_eq!(stranger.status(), 400);
    let answer = |answer| world.simulator.discovery().set(|rules| rules.answer = answer);
    answer(DiscoveryAnswer::Malformed);
    assert!(world.discovery(&found).await.json::<Value>().await.is_err());
    answer(DiscoveryAnswer::Nested);
    let nested: Value = world.discovery(&found).await.json().await.unwrap();
    assert!(nested.get("issuer").is_none() && nested["config"]["issuer"].is_string());
    answer(DiscoveryAnswer::Huge);
    assert!(world.discovery(&found).await.bytes().await.unwrap().len() > 2_000_000);
    answer(DiscoveryAnswer::Redirect);
    assert_eq!(world.discovery(&found).await.status(), 302);
    answer(DiscoveryAnswer::Unavailable);
    assert_eq!(world.discovery(&found).await.status(), 503);
    world.simulator.discovery().reset();
    assert_eq!(world.discovery(&found).await.status(), 200);
    assert_eq!(world.simulator.discovery().count(), 1);
}

#[tokio::test]
async fn keys_rotate_with_and_without_overlap() {
    let world = World::new().await;
    let carrier = world.carrier("vireo");
    let code = world.code(carrier).await;
    let old: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    let kid = carrier.rotate_keys(true).await.unwrap();
    assert!(world.claims(carrier, &old).await.is_some());
    let keys: Value = world.get(&carrier.jwks_uri(), &[]).await.json().await.unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kid"], kid.as_str());
    carrier.rotate_keys(false).await.unwrap();
    assert!(world.claims(carrier, &old).await.is_none());
}

#[tokio::test]
async fn an_id_token_is_wrong_in_the_way_asked_for() {
    let world = World::new().await;
    let carrier = world.carrier("tangent");
    for manner in [Signature::Broken, Signature::ForeignKey, Signature::Hs256, Signature::None] {
        carrier.set(|rules| rules.id_token_signature = manner);
        let code = world.code(carrier).await;
        let body = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
        assert!(world.claims(carrier, &body).await.is_none(), "{manner:?}");
    }
    carrier.set(|rules| {
        rules.id_token_signature = Signature::Valid;
        rules.id_token_claims.insert("acr".to_owned(), "a1".into());
        rules.id_token_omit.push("nonce".to_owned());
        rules.id_token_header.insert("typ".to_owned(), "at+jwt".into());
    });
    let code = world.code(carrier).await;
    let body: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    let claims = world.claims(carrier, &body).await.unwrap();
    assert_eq!(claims["acr"], "a1");
    assert!(!claims.contains_key("nonce"));
    let head = body["id_token"].as_str().unwrap().split('.').next().unwrap();
    let head = URL_SAFE_NO_PAD.decode(head).unwrap();
    assert!(String::from_utf8(head).unwrap().contains("at+jwt"));
}

#[tokio::test]
async fn an_outage_is_slow_or_loud_as_asked() {
    let world = World::new().await;
    let carrier = world.carrier("aurora");
    carrier.set(|rules| {
        rules.status.insert("jwks".to_owned(), 503);
        rules.latency_ms.insert("jwks".to_owned(), 50);
        rules.body.insert("metadata".to_owned(), "<html>".to_owned());
    });
    let before = std::time::Instant::now();
    assert_eq!(world.get(&carrier.jwks_uri(), &[]).await.status(), 503);
    assert!(before.elapsed().as_millis() >= 50);
    let own = format!("{}/.well-known/openid-configuration", carrier.issuer());
    assert_eq!(world.get(&own, &[]).await.text().await.unwrap(), "<html>");
}

#[tokio::test]
async fn errors_and_callbacks_are_set_for_once_or_for_good() {
    let world = World::new().await;
    let carrier = world.carrier("aurora");
    carrier.set(|rules| rules.next_authorize_error = Some("user_not_found".to_owned()));
    let url = carrier.authorization_endpoint();
    assert_eq!(callback(&world.get(&url, &request()).await)["error"], "user_not_found");
    assert_eq!(world.get(&url, &request()).await.status(), 200);
    carrier.set(|rules| {
        rules.callback.insert("mccmnc".to_owned(), "311480".to_owned());
        rules.callback_omit.push("state".to_owned());
        rules.auto_consent = Some(super::super::AutoConsent::default());
    });
    let answer = callback(&world.get(&url, &request()).await);
    assert_eq!(answer["mccmnc"], "311480");
    assert!(!answer.contains_key("state"));

    world.simulator.ui().set(|rules| rules.next_error = Some("server_error".to_owned()));
    let answer = callback(&world.get(&world.simulator.discovery_ui(), &ui_query()).await);
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("server_error", "first-leg"));
}

#[tokio::test]
async fn the_same_switches_are_there_over_http() {
    let world = World::new().await;
    let carrier = world.carrier("vireo");
    let origin = carrier.token_endpoint().replace("/vzauth/oauth2/ccid/access_token", "");
    let control = format!("{origin}/_control");
    let send = |path: &str, body: Value| world.http.post(format!("{control}{path}")).json(&body).send();

    let patch = json!({ "auto_consent": { "factor": "face", "share": ["email"] }, "withhold": ["name"] });
    let state: Value = send("", patch).await.unwrap().json().await.unwrap();
    assert_eq!(state["rules"]["auto_consent"]["factor"], "face");
    let answer = world.get(&carrier.authorization_endpoint(), &request()).await;
    assert_eq!(answer.status(), 302);
    world.redeem(carrier, &redemption(&callback(&answer)["code"])).await;

    let state: Value = world.get(&control, &[]).await.json().await.unwrap();
    assert_eq!(state["counters"]["token"], 1);
    let last = carrier.last("token").unwrap();
    assert_eq!(last.parameter("correlation_id"), Some("abcd-1234"));
    assert_eq!(last.parameter("client_id"), None);
    assert!(last.header("authorization").unwrap().starts_with("Basic "));

    let patched: Value = send("", json!({ "auto_consent": null })).await.unwrap().json().await.unwrap();
    assert_eq!((&patched["rules"]["auto_consent"], &patched["rules"]["withhold"]), (&Value::Null, &json!(["name"])));
    assert_eq!(send("", json!({ "no_such_rule": 1 })).await.unwrap().status(), 400);
    let rotated: Value = send("/rotate-keys", json!({})).await.unwrap().json().await.unwrap();
    assert!(rotated["kid"].as_str().unwrap().starts_with("ccid-"));
    let signed: Value = send("/sign", json!({ "header": { "typ": "port_token+jwt" }, "claims": { "sub": "old" } }))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let keys: Value = world.get(&carrier.jwks_uri(), &[]).await.json().await.unwrap();
    assert_eq!(jwt::verify(signed["jwt"].as_str().unwrap(), &keys).unwrap()["sub"], "old");
    send("/reset", json!({})).await.unwrap();
    assert_eq!(carrier.count("token"), 0);
    assert!(carrier.rules().withhold.is_empty());
    let bare = world.http.post(format!("{control}/reset")).send().await.unwrap();
    assert_eq!(bare.status(), 415, "a page of another origin cannot do it");
}
