//! A key of ours that one carrier alone knows, beside the secret that all the others share.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zengate_simulator::Client;

use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

/// Aurora knows us by a key; the others by the secret that they share. `more` goes into the block of the key.
async fn rig(home: &Home, more: &str) -> (Rig, Value) {
    let path = home.path("aurora.pem");
    let path = path.to_str().unwrap();
    let made = Process::run(&["keys", "--algorithm", "RS256", "--out", path]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let public: Value = serde_json::from_str(&made.stdout).unwrap();
    let issuers = format!(
        "      - issuer: AURORA
        id: aurora
        client: {{ client_keys: [{path}]{more} }}
      - TANGENT
      - VIREO
"
    );
    let rig = Rig::with(Choices { issuers, ..Choices::default() }).await;
    let known = Client { jwks: Some(public.clone()), ..Client::with_secret(CLIENT_ID, CLIENT_SECRET) };
    rig.simulator.register(known.redirect_uri(rig.url("/oauth2/callback")));
    (rig, public)
}

pub(super) fn claims(assertion: &str) -> Value {
    let claims = assertion.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

// D11, K10
#[tokio::test(flavor = "multi_thread")]
async fn one_carrier_knows_us_by_a_key_of_its_own_and_the_others_by_the_secret() {
    let home = Home::new();
    let (rig, public) = rig(&home, ", assertion_audience: token_endpoint").await;
    let aurora = rig.simulator.carrier("aurora").unwrap().clone();
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(rig.sign_in(&Browser::new(), "/app", "maya").await.status, 200);
        let redeemed = aurora.last("token").unwrap();
        assert!(!redeemed.headers.iter().any(|(name, _)| name == "authorization"), "no secret beside the assertion");
        assert_eq!(redeemed.parameter("client_id"), Some(CLIENT_ID));
        let claims = claims(redeemed.parameter("client_assertion").unwrap());
        for name in ["iss", "sub", "client_id"] {
            assert_eq!(claims[name], CLIENT_ID, "{name}");
        }
        assert_eq!(claims["aud"], aurora.token_endpoint());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        seen.push(claims["jti"].as_str().unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1], "an assertion is made for one request");
    // The twin: another carrier gets the secret, and never sees the key.
    assert_eq!(rig.sign_in(&Browser::new(), "/app", "ines").await.status, 200);
    let tangent = rig.simulator.carrier("tangent").unwrap();
    let redeemed = tangent.last("token").unwrap();
    assert!(redeemed.headers.iter().any(|(name, value)| name == "authorization" && value.starts_with("Basic ")));
    assert_eq!((redeemed.parameter("client_assertion"), redeemed.parameter("client_id")), (None, None));
    // The key stands in the set of its carrier and in no other.
    let browser = Browser::new();
    assert_eq!(browser.open(rig.url("/oauth2/jwks.json?m=aurora")).await.json(), public);
    for other in ["", "?m=tangent", "?m=", "?m=aurora&m=aurora"] {
        assert_eq!(browser.open(rig.url(&format!("/oauth2/jwks.json{other}"))).await.status, 404, "{other}");
    }
}

// D11: by itself the audience is the issuer. A carrier that insists on its token endpoint refuses that, and nobody is in.
#[tokio::test(flavor = "multi_thread")]
async fn the_audience_is_the_issuer_unless_the_configuration_says_otherwise() {
    let home = Home::new();
    let (rig, _) = rig(&home, "").await;
    let page = rig.sign_in(&Browser::new(), "/app", "maya").await;
    super::assert_refused(&page, 502, "provider_refused");
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let claims = claims(aurora.last("token").unwrap().parameter("client_assertion").unwrap());
    assert_eq!(claims["aud"], aurora.issuer());
}
