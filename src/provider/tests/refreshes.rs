//! Refresh tokens over HTTP: what is sent to which of several providers, and what each answer means.

use super::peer::{Play, answer, json_answer};
use super::*;

const TOKEN: &str = "/token";

async fn refresh(federation: &Federation, base: &str, token: &str) -> Result<RefreshResponse, ProviderError> {
    federation.refresh(&carrier(base), &SecretString::new(token), at(0)).await
}

// RFC 6749, 6: each provider has its own refresh tokens and its own client.
#[tokio::test]
async fn of_several_providers_each_is_asked_with_its_own_token_and_client() {
    let (a, b) = (Peer::start().await, Peer::start().await);
    let mut asked = Vec::new();
    for (peer, id) in [(&a, "client-a"), (&b, "client-b")] {
        peer.say(TOKEN, &json!({ "access_token": "at", "refresh_token": format!("next-{id}") }));
        let mut settings = plain(&peer.base);
        settings.client_id = id.to_owned();
        asked.push((Federation::new(settings).unwrap(), peer, id));
    }
    for (federation, peer, id) in &asked {
        let answer = refresh(federation, &peer.base, &format!("of&{id}")).await.unwrap();
        assert_eq!(answer.refresh_token.unwrap().expose(), format!("next-{id}"));
        let [heard] = peer.heard().try_into().unwrap();
        assert_eq!(heard.line, "POST /token HTTP/1.1");
        assert_eq!(heard.body, format!("grant_type=refresh_token&refresh_token=of%26{id}"));
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:secret"));
        assert_eq!(heard.header("authorization"), Some(format!("Basic {pair}").as_str()));
    }
    // The token of one never goes to the other, though both are configured.
    let (federation, ..) = &asked[0];
    let foreign = refresh(federation, &b.base, "of&client-a").await.unwrap_err();
    assert_eq!((foreign.kind(), b.heard().len()), (ErrorKind::Untrusted, 1));
}

// What ends a session is told from what says nothing of its person.
#[tokio::test]
async fn each_answer_to_a_refresh_has_its_meaning() {
    let peer = Peer::start().await;
    let error = |code: &str| serde_json::to_vec(&json!({ "error": code })).unwrap();
    let outcomes = [
        (400, error("invalid_grant"), ProviderError::refused("invalid_grant")),
        (400, error("invalid_request"), ProviderError::refused("invalid_request")),
        (403, error("account_locked"), ProviderError::refused("other")),
        (401, error("invalid_grant"), ProviderError::refused("invalid_client")),
        (400, error("unauthorized_client"), ProviderError::refused("unauthorized_client")),
        // Pages of something that stands in front of the provider.
        (400, b"<h1>Bad Request</h1>".to_vec(), ProviderError::invalid("unexpected status")),
        (403, b"{}".to_vec(), ProviderError::invalid("unexpected status")),
        (404, error("invalid_request"), ProviderError::invalid("unexpected status")),
        (413, b"".to_vec(), ProviderError::invalid("unexpected status")),
        (500, error("invalid_grant"), ProviderError::invalid("server error")),
        (503, error("invalid_grant"), ProviderError::unavailable("provider is overloaded", None)),
        (200, b"{}".to_vec(), ProviderError::invalid("refresh answer without usable tokens")),
        (200, error("invalid_grant"), ProviderError::refused("invalid_grant")),
    ];
    for (status, body, expected) in outcomes {
        let federation = Federation::new(plain(&peer.base)).unwrap();
        peer.play(TOKEN, Play::Say(answer(status, &[], &body)));
        let found = refresh(&federation, &peer.base, "r").await.unwrap_err();
        assert_eq!(found, expected, "{status} {}", String::from_utf8_lossy(&body));
    }
    let federation = Federation::new(plain(&peer.base)).unwrap();
    peer.play(TOKEN, Play::Say(json_answer(201, &json!({ "access_token": "at" }))));
    assert!(refresh(&federation, &peer.base, "r").await.is_ok());
}
