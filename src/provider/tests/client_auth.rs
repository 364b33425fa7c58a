//! How we show a plain issuer who we are, and requests that are pushed to it.

use std::collections::BTreeMap;

use super::peer::{Heard, Play, json_answer};
use super::*;
use crate::oidc::client_auth::{AuthMethod, ClientKey};
use crate::secret::signing::{SigningAlgorithm, SigningKey};

/// An issuer that lists `methods`, and a gateway with what `bend` makes of its settings.
async fn issuer_listing(methods: &[&str], bend: impl FnOnce(&mut ProviderSettings)) -> (Peer, Federation) {
    let peer = Peer::start().await;
    let mut metadata = document(&peer.base);
    metadata["token_endpoint_auth_methods_supported"] = json!(methods);
    metadata["pushed_authorization_request_endpoint"] = json!(format!("{}/par", peer.base));
    peer.say("/.well-known/openid-configuration", &metadata);
    let tokens = json!({ "access_token": "at", "id_token": "a.b.c", "token_type": "Bearer" });
    peer.say("/token", &tokens);
    let mut settings = plain(&peer.base);
    bend(&mut settings);
    let federation = Federation::new(settings).unwrap();
    (peer, federation)
}

async fn redeemed(peer: &Peer, federation: &Federation) -> Heard {
    let carrier = federation.issuer(at(0)).await.unwrap();
    let grant = CodeGrant {
        code: &SecretString::new("code"),
        redirect_uri: "https://app.example/oauth2/callback",
        code_verifier: &SecretString::new("verifier"),
        correlation_id: "corr-1234",
        now: at(0),
    };
    federation.redeem(&carrier, &grant).await.unwrap();
    peer.heard().into_iter().rfind(|heard| heard.path() == "/token").unwrap()
}

fn form(heard: &Heard) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(heard.body.as_bytes()).into_owned().collect()
}

// PF03, XM01, PM01, XS27
#[tokio::test]
async fn the_secret_goes_in_the_body_where_nothing_else_is_listed_and_in_the_header_elsewhere() {
    let (peer, federation) = issuer_listing(&["client_secret_post"], |_| {}).await;
    let heard = redeemed(&peer, &federation).await;
    assert_eq!(heard.header("authorization"), None);
    assert_eq!((form(&heard)["client_id"].as_str(), form(&heard)["client_secret"].as_str()), ("client", "secret"));
    for listed in [&["client_secret_post", "client_secret_basic"][..], &[]] {
        let (peer, federation) = issuer_listing(listed, |_| {}).await;
        let heard = redeemed(&peer, &federation).await;
        assert!(heard.header("authorization").unwrap().starts_with("Basic "));
        assert!(!form(&heard).contains_key("client_secret") && !form(&heard).contains_key("client_id"));
    }
    // The operator's word goes before the list.
    let chosen = |settings: &mut ProviderSettings| settings.authentication.method = Some(AuthMethod::ClientSecretPost);
    let (peer, federation) = issuer_listing(&["client_secret_basic"], chosen).await;
    assert_eq!(redeemed(&peer, &federation).await.header("authorization"), None);
}

// XM15, PM05, PM09
#[tokio::test]
async fn a_key_signs_and_a_public_client_shows_its_id_alone() {
    let pem = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let key = ClientKey::from_pem(pem.expose().as_bytes()).unwrap();
    let keyed = ClientAuthentication { keys: vec![key], ..ClientAuthentication::default() };
    let (peer, federation) = issuer_listing(&["private_key_jwt"], |settings| settings.authentication = keyed).await;
    let first = form(&redeemed(&peer, &federation).await);
    assert_eq!(first["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let claims = first["client_assertion"].split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(
        (&claims["aud"], &claims["iss"], &claims["sub"]),
        (&json!(peer.base), &json!("client"), &json!("client"))
    );
    let second = form(&redeemed(&peer, &federation).await);
    assert_ne!(first["client_assertion"], second["client_assertion"], "one for each request");
    let (peer, federation) =
        issuer_listing(&[], |settings| settings.authentication = ClientAuthentication::default()).await;
    let heard = redeemed(&peer, &federation).await;
    assert_eq!((heard.header("authorization"), form(&heard)["client_id"].as_str()), (None, "client"));
    assert!(form(&heard).contains_key("code_verifier") && !form(&heard).contains_key("client_secret"));
}

// RFC 9126
#[tokio::test]
async fn a_request_is_pushed_with_our_credentials_and_comes_back_as_a_name() {
    let (peer, federation) = issuer_listing(&["client_secret_post"], |_| {}).await;
    let carrier = federation.issuer(at(0)).await.unwrap();
    let request = SecretString::new("client_id=client&state=s&nonce=n");
    let pushed = json!({ "request_uri": "urn:ietf:params:oauth:request_uri:x", "expires_in": 60 });
    peer.play("/par", Play::Say(json_answer(201, &pushed)));
    let name = federation.push(&carrier, &request, at(0)).await.unwrap();
    assert_eq!(name, "urn:ietf:params:oauth:request_uri:x");
    let heard = peer.heard().pop().unwrap();
    assert_eq!(heard.body, "client_id=client&state=s&nonce=n&client_secret=secret");
    for (status, body) in [
        (201, json!({ "request_uri": "two words" })),
        (201, json!({ "request_uri": "" })),
        (201, json!({})),
        (400, json!({ "error": "invalid_request" })),
        (401, json!({ "error": "invalid_client" })),
        (500, json!({})),
    ] {
        peer.play("/par", Play::Say(json_answer(status, &body)));
        assert!(federation.push(&carrier, &request, at(0)).await.is_err(), "{status} {body}");
    }
    // What a request holds goes to a host of the issuer's and nowhere else.
    let elsewhere = Peer::start().await;
    elsewhere.play("/par", Play::Say(json_answer(201, &pushed)));
    let mut bent = carrier.clone();
    bent.pushed_endpoint = Some(Url::parse(&format!("{}/par", elsewhere.base)).unwrap());
    assert!(federation.push(&bent, &request, at(0)).await.is_err_and(|error| error.kind() == ErrorKind::Untrusted));
    bent.pushed_endpoint = None;
    assert!(federation.push(&bent, &request, at(0)).await.is_err());
    assert!(elsewhere.heard().is_empty());
}
