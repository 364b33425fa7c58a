//! The provider ends sessions: by a signed token once, by a frame only where the operator wants it.

use super::*;

const APP: &str = "https://apps.example/app";
const SECOND: &str = "https://second.example/app";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn body(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// What an honest provider says, but for `change`.
fn token(story: &Story, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let now = story.now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": CARRIER, "aud": "ccid-a", "iat": now, "exp": now + 120, "jti": "t-1", "sub": "somebody", "sid": "sid-1",
        "events": { EVENT: {} },
    });
    change(&mut claims);
    let raw = RSA.token(&json!({ "alg": "RS256", "kid": "k", "typ": "logout+jwt" }), &claims);
    raw.expose().to_owned()
}

/// The provider's server posts `form`.
async fn posts(story: &Story, form: &str) -> Reply {
    let target = NormalTarget::parse(b"/oauth2/backchannel_logout").unwrap();
    let headers = HeaderMap::new();
    let view = RequestView {
        method: &Method::POST,
        host: "apps.example",
        target: &target,
        headers: &headers,
        client: std::net::IpAddr::from([192, 0, 2, 1]),
        request_id: "r",
        form: b"",
    };
    let snapshot = story.snapshot.clone().unwrap_or_else(|| story.auth.snapshot());
    assert!(story.auth.longest_body(&snapshot, &view).is_some_and(|longest| longest >= form.len()));
    story.auth.answer_body(&snapshot, &view, form.as_bytes(), story.now).await
}

async fn says(story: &Story, token: &str) -> u16 {
    posts(story, &format!("logout_token={token}")).await.status.as_u16()
}

/// Somebody is signed in on both hosts, in the session `sid-1` of the provider.
async fn signed_in() -> Story {
    let mut story = Story::begin();
    *story.provider.sid.lock() = Some("sid-1".to_owned());
    story.sign_in().await;
    ends::hand_over(&mut story).await;
    assert!(story.passes(APP).await && story.passes(SECOND).await);
    story
}

// PM07, F21, F24, F25
#[tokio::test]
async fn an_honest_token_ends_what_it_names_once() {
    for by in ["sid", "sub"] {
        let mut story = signed_in().await;
        let other = if by == "sid" { "sub" } else { "sid" };
        let honest = token(&story, |claims| drop(claims.as_object_mut().unwrap().remove(other)));
        let answer = posts(&story, &format!("logout_token={honest}")).await;
        assert_eq!((answer.status.as_u16(), body(&answer).as_str()), (200, ""), "{by}");
        assert!(answer.headers.iter().any(|(name, value)| name == "cache-control" && value == "no-store"));
        assert!(!story.passes(APP).await && !story.passes(SECOND).await, "{by}");
        // The same again ends nothing that was opened later.
        story.jar.clear();
        story.sign_in().await;
        assert_eq!(says(&story, &honest).await, 400);
        assert!(story.passes(APP).await, "{by}: a replay");
        let again = token(&story, |claims| claims["jti"] = "t-2".into());
        assert_eq!((says(&story, &again).await, story.passes(APP).await), (200, false), "{by}: the twin");
        // That there is nobody is fine.
        assert_eq!(says(&story, &token(&story, |claims| claims["jti"] = "t-3".into())).await, 200);
    }
}

// F24: an issuer may seal what it knows of a session into the identifier (idpyoidc: 332 letters).
#[tokio::test]
async fn a_long_session_identifier_ends_that_session_too() {
    let sid = "s".repeat(800);
    let mut story = Story::begin();
    *story.provider.sid.lock() = Some(sid.clone());
    story.sign_in().await;
    for (jti, sid, lives) in [("t-1", "s".repeat(799), true), ("t-2", sid, false)] {
        let token = token(&story, |claims| {
            claims["jti"] = jti.into();
            claims["sid"] = sid.into();
        });
        assert_eq!((says(&story, &token).await, story.passes(APP).await), (200, lives), "{jti}");
    }
}

// F25: all sessions of the person, and nobody else's.
#[tokio::test]
async fn a_token_with_a_subject_alone_ends_every_session_of_that_person() {
    let mut story = signed_in().await;
    let first = story.jar.clone();
    story.jar.clear();
    *story.provider.sid.lock() = Some("sid-2".to_owned());
    story.sign_in().await;
    let second = story.jar.clone();
    for (sub, lives) in [("somebody-else", true), ("somebody", false)] {
        let token = token(&story, |claims| {
            claims["jti"] = sub.into();
            claims["sub"] = sub.into();
            claims.as_object_mut().unwrap().remove("sid");
        });
        assert_eq!(says(&story, &token).await, 200);
        for jar in [&first, &second] {
            story.jar.clone_from(jar);
            assert_eq!(story.passes(APP).await, lives, "{sub}");
        }
    }
}

// F22, F23, F26
#[tokio::test]
async fn what_is_not_an_honest_token_ends_nothing() {
    let mut story = signed_in().await;
    let honest = token(&story, |_| {});
    let forged = crate::oidc::test_tokens::OTHER_RSA.token(
        &json!({ "alg": "RS256", "kid": "k" }),
        &json!({ "iss": CARRIER, "aud": "ccid-a", "iat": 1_790_000_000, "jti": "x", "sub": "somebody", "events": { EVENT: {} } }),
    );
    let with = |name: &'static str, value: serde_json::Value| token(&story, |claims| claims[name] = value);
    for (what, form) in [
        ("nothing", String::new()),
        ("JSON", format!("{{\"logout_token\":\"{honest}\"}}")),
        ("twice", format!("logout_token={honest}&logout_token={honest}")),
        ("forged", format!("logout_token={}", forged.expose())),
        ("another issuer's", format!("logout_token={}", with("iss", "https://evil.example".into()))),
        ("another client's", format!("logout_token={}", with("aud", "them".into()))),
        ("an ID token", format!("logout_token={}", with("nonce", "n".into()))),
        ("no event", format!("logout_token={}", with("events", json!({})))),
        ("no jti", format!("logout_token={}", with("jti", serde_json::Value::Null))),
        ("old", format!("logout_token={}", with("iat", json!(1_789_990_000)))),
    ] {
        let answer = posts(&story, &form).await;
        assert_eq!(answer.status.as_u16(), 400, "{what}");
        let words: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(words["error"], "invalid_request", "{what}");
        assert!(story.passes(APP).await, "{what}");
    }
    let get = story.get("https://apps.example/oauth2/backchannel_logout").await;
    assert_eq!(get.status.as_u16(), 405);
    assert_eq!((says(&story, &honest).await, story.passes(APP).await), (200, false), "the twin");
}

// F24: without a store nobody knows whether it was used.
#[tokio::test]
async fn while_the_store_is_away_the_provider_is_asked_to_come_again() {
    let mut story = signed_in().await;
    let honest = token(&story, |_| {});
    story.store.set_away(true);
    assert_eq!(says(&story, &honest).await, 503);
    story.store.set_away(false);
    assert!(story.passes(APP).await);
    assert_eq!((says(&story, &honest).await, story.passes(APP).await), (200, false), "with the very same token");
}

#[tokio::test]
async fn whoever_sends_forged_tokens_without_end_is_slowed_and_the_provider_is_not() {
    let story = signed_in().await;
    let mut refused = 0;
    while says(&story, "x").await == 400 {
        refused += 1;
        assert!(refused < 1000, "nobody slows them");
    }
    assert_eq!(says(&story, "x").await, 429);
}

// Front-Channel Logout 1.0
#[tokio::test]
async fn a_frame_ends_the_session_it_names_only_where_the_operator_wants_it() {
    let url = |iss: &str, sid: &str| {
        Url::parse_with_params("https://apps.example/oauth2/frontchannel_logout", [("iss", iss), ("sid", sid)]).unwrap()
    };
    for wanted in [false, true] {
        let mut story = signed_in().await;
        let mut settings = AuthSettings::clone(story.auth.snapshot().settings());
        settings.front_channel_logout = wanted;
        let (config, _) = Config::parse(CONFIG, "story.yaml", &|_| None).unwrap();
        story.snapshot = Some(Arc::new(Snapshot::compile(settings, config.routes).unwrap()));
        for (iss, sid) in [("https://evil.example", "sid-1"), (CARRIER, "sid-2"), (CARRIER, "")] {
            story.get(url(iss, sid).as_str()).await;
            assert!(story.passes(APP).await, "{iss} {sid}");
        }
        let jar = std::mem::take(&mut story.jar);
        let answer = story.get(url(CARRIER, "sid-1").as_str()).await;
        story.jar = jar;
        assert_eq!(answer.status.as_u16(), if wanted { 200 } else { 404 });
        assert_eq!(story.passes(APP).await, !wanted);
    }
}
