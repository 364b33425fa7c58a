//! What the simulated counterparties refuse, and how.

use super::*;

#[tokio::test]
async fn an_unregistered_address_is_never_redirected_to() {
    let world = World::new().await;
    let query = request_with("redirect_uri", Some("https://apps.example.com/oauth2/callback/"));
    for url in [world.carrier("vireo").authorization_endpoint(), world.simulator.discovery_ui()] {
        let answer = world.get(&url, &query).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.text().await.unwrap().contains("redirect URI"));
        let stranger = world.get(&url, &request_with("client_id", Some("ccid-nobody"))).await;
        assert_eq!(stranger.status(), 400);
    }
}

#[tokio::test]
async fn a_bad_authorization_request_goes_back_with_its_error() {
    let world = World::new().await;
    let long = "x".repeat(281);
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("scope", Some("name email"), "invalid_scope"),
        ("correlation_id", Some("short"), "invalid_request"),
        ("correlation_id", Some("seventeen-letters"), "invalid_request"),
        ("context", Some(&long), "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("prompt", Some("none"), "interaction_required"),
        ("request_uri", Some("https://x.example"), "request_uri_not_supported"),
        ("request", Some("a.b.c"), "request_not_supported"),
        ("login_hint_token", Some(""), "invalid_login_hint_token"),
        ("login_hint_token", Some("made.up"), "invalid_login_hint_token"),
        ("state", None, "invalid_request"),
    ] {
        let url = world.carrier("tangent").authorization_endpoint();
        let answer = world.get(&url, &request_with(name, value)).await;
        assert_eq!(callback(&answer)["error"], error, "{name}={value:?}");
    }
}

#[tokio::test]
async fn a_hint_serves_one_request_at_its_own_carrier() {
    let world = World::new().await;
    let hint = world.choose("tomas").await["login_hint_token"].clone();
    let query = request_with("login_hint_token", Some(&hint));
    let elsewhere = world.get(&world.carrier("vireo").authorization_endpoint(), &query).await;
    assert_eq!(callback(&elsewhere)["error"], "invalid_login_hint_token");

    let aurora = world.carrier("aurora");
    world.ask(aurora, &query).await;
    let ticket = world.ask(aurora, &query).await;
    let mut other = query.clone();
    other.retain(|(name, _)| *name != "state");
    other.push(("state", "another"));
    let second = world.get(&aurora.authorization_endpoint(), &other).await;
    assert_eq!(callback(&second)["error"], "invalid_login_hint_token");
    let answer = world.decide(aurora, &[("ticket", &ticket), ("decision", "agree")]).await;
    assert!(answer.contains_key("code"));
    let late = world.get(&aurora.authorization_endpoint(), &query).await;
    assert_eq!(callback(&late)["error"], "invalid_login_hint_token");
}

#[tokio::test]
async fn the_person_can_refuse_or_fail_in_any_way() {
    let world = World::new().await;
    let carrier = world.carrier("aurora");
    let ticket = world.ask(carrier, &request()).await;
    let denied = world.decide(carrier, &[("ticket", &ticket), ("decision", "deny")]).await;
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "second-leg"));
    for error in ["user_not_found", "device_unavailable", "authentication_timed_out"] {
        let ticket = world.ask(carrier, &request()).await;
        let form = [("ticket", ticket.as_str()), ("decision", "error"), ("error", error)];
        let failed = world.decide(carrier, &form).await;
        assert_eq!(failed["error"], error);
        assert!(!failed.contains_key("code"));
        let url = format!("{}/decision", carrier.authorization_endpoint());
        assert_eq!(world.post(&url, &form).await.status(), 400, "a ticket is good once");
    }
}

#[tokio::test]
async fn a_wrong_verifier_has_another_name_at_each_carrier() {
    let world = World::new().await;
    let wrong = "x".repeat(43);
    for (name, error) in [("aurora", "request_denied"), ("tangent", "invalid_grant"), ("vireo", "invalid_grant")] {
        let carrier = world.carrier(name);
        for (verifier, error) in [(Some(wrong.as_str()), error), (None, "invalid_request")] {
            let code = world.code(carrier).await;
            let mut form = redemption(&code);
            form.retain(|(name, _)| *name != "code_verifier");
            form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
            let answer = world.redeem(carrier, &form).await;
            assert_eq!(answer.status(), 400);
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["error"], error);
        }
        carrier.set(|rules| rules.pkce_ignored = true);
        let code = world.code(carrier).await;
        let mut form = redemption(&code);
        form.retain(|(name, _)| *name != "code_verifier");
        assert_eq!(world.redeem(carrier, &form).await.status(), 200);
    }
}

#[tokio::test]
async fn a_code_used_twice_takes_its_token_back() {
    let world = World::new().await;
    let carrier = world.carrier("tangent");
    let code = world.code(carrier).await;
    let body: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap();
    let read = || world.http.get(carrier.userinfo_endpoint()).bearer_auth(token).send();
    assert_eq!(read().await.unwrap().status(), 200);
    let again: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    assert_eq!(again["error"], "invalid_grant");
    assert_eq!(read().await.unwrap().status(), 401);
}

#[tokio::test]
async fn redirect_uri_and_correlation_id_have_to_be_the_same_again() {
    let world = World::new().await;
    let other = "https://apps.example.com/other";
    world.simulator.register(Client::with_secret(CLIENT, SECRET).redirect_uri(BACK).redirect_uri(other));
    let carrier = world.carrier("vireo");
    for (name, value, error) in [
        ("redirect_uri", other, "invalid_grant"),
        ("correlation_id", "another-one", "invalid_request"),
        ("grant_type", "password", "unsupported_grant_type"),
    ] {
        let code = world.code(carrier).await;
        let mut form = redemption(&code);
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        let body: Value = world.redeem(carrier, &form).await.json().await.unwrap();
        assert_eq!(body["error"], error);
    }
}

#[tokio::test]
async fn each_carrier_has_its_own_opinion_on_client_authentication() {
    let world = World::new().await;
    for (name, id_beside_basic, secret_in_body) in [("aurora", 200, 401), ("tangent", 200, 200), ("vireo", 400, 200)] {
        let carrier = world.carrier(name);
        let code = world.code(carrier).await;
        let mut form = redemption(&code);
        form.push(("client_id", CLIENT));
        assert_eq!(world.redeem(carrier, &form).await.status(), id_beside_basic, "{name}");
        let code = world.code(carrier).await;
        let mut form = redemption(&code);
        form.push(("client_id", CLIENT));
        form.push(("client_secret", SECRET));
        assert_eq!(world.post(&carrier.token_endpoint(), &form).await.status(), secret_in_body, "{name}");
        let unencoded = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:{SECRET}"));
        let sent = world.http.post(carrier.token_endpoint()).header("authorization", format!("Basic {unencoded}"));
        assert_eq!(sent.send().await.unwrap().status(), 401, "{name}");
    }
}

#[tokio::test]
async fn userinfo_is_read_with_get_and_a_bearer_header_only() {
    let world = World::new().await;
    let carrier = world.carrier("aurora");
    let code = world.code(carrier).await;
    let body: Value = world.redeem(carrier, &redemption(&code)).await.json().await.unwrap();
    let token = body["access_token"].as_str().unwrap();
    let url = carrier.userinfo_endpoint();
    assert_eq!(world.http.post(&url).bearer_auth(token).send().await.unwrap().status(), 405);
    assert_eq!(world.get(&url, &[("access_token", token)]).await.status(), 401);
    let other = with_query(&url, &[("correlation_id", "another-one")]);
    assert_eq!(world.http.get(other).bearer_auth(token).send().await.unwrap().status(), 400);
}
