//! A carrier that does some things otherwise than the rest, by words of the configuration alone (issue 11, item 11; dossier 12.2).

use std::sync::LazyLock;

use serde_json::json;
use zengate_simulator::Client;

use super::{at_once, only};
use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_ID, CLIENT_SECRET, Choices, Rig};

const ROUTE: &str = "  - { host: localhost, path: /all, access: session, upstream: UPSTREAM, identity_headers: { map: {
      A-Email: email, A-Code: postal_code } } }\n";

const SCOPES: &str = "    scopes: [openid, email, postal_code]\n    acr_values: [a1, a3]\n";

/// A key of a gateway, made once; and its public half.
static KEY: LazyLock<(Home, String, serde_json::Value)> = LazyLock::new(|| {
    let home = Home::new();
    let path = home.path("key.pem").to_str().unwrap().to_owned();
    let made = Process::run(&["keys", "--algorithm", "RS256", "--out", &path]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let public = serde_json::from_str(&made.stdout).unwrap();
    (home, path, public)
});

/// With `differs` for Aurora alone.
async fn rig(differs: &str) -> Rig {
    let issuers = format!(
        "      - {{ issuer: AURORA, id: aurora, differs: {differs},\n          client: {{ client_keys: [{}], assertion_audience: token_endpoint }} }}\n      - TANGENT\n",
        KEY.1
    );
    let choices = Choices { issuers, zenkey: SCOPES.to_owned(), routes: ROUTE.to_owned(), ..Choices::default() };
    let rig = Rig::with(choices).await;
    let known = Client { jwks: Some(KEY.2.clone()), ..Client::with_secret(CLIENT_ID, CLIENT_SECRET) };
    rig.simulator.register(known.redirect_uri(rig.url("/oauth2/callback")));
    at_once(&rig, "maya");
    rig
}

// Dossier 20, row 32: the carrier checks the proof, in both spellings; its twin asks for it in vain.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_wants_a_proof_of_the_key_gets_one_in_its_spelling() {
    for (differs, is_hex) in [("{ key_proof: hex }", true), ("{ key_proof: base64url }", false)] {
        let rig = rig(differs).await;
        let aurora = rig.simulator.carrier("aurora").unwrap();
        aurora.set(|rules| rules.key_binding_required = true);
        assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200, "{differs}");
        assert_eq!(rig.upstream.last().one("a-email").as_deref(), Some("maya.okafor@example.com"));
        let asked = aurora.last("userinfo").unwrap();
        let proof = asked.header("x-authorization").unwrap();
        let claims = super::member_client::claims(proof);
        assert_eq!((&claims["ehts"], claims["edts"].as_str().unwrap().len() == 64), (&json!("authorization"), is_hex));
        assert!(claims["iat"].is_u64() && claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap() == 120);
        // Each has an id of its own.
        assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200);
        let next = aurora.last("userinfo").unwrap();
        assert_ne!(super::member_client::claims(next.header("x-authorization").unwrap())["jti"], claims["jti"]);
        // One that wants none gets none.
        at_once(&rig, "ines");
        assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200);
        let tangent = rig.simulator.carrier("tangent").unwrap().last("userinfo").unwrap();
        assert_eq!(tangent.header("x-authorization"), None);
    }
    let rig = rig("{ correlation_id: true }").await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.key_binding_required = true);
    assert_eq!(Browser::new().go(rig.url("/all")).await.status, 502, "without the proof this carrier answers nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_its_own_means_what_the_configuration_says() {
    let rig = rig("{ correlation_id: false, errors: { no_such_line: user_not_found } }").await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.next_authorize_error = Some("no_such_line".to_owned()));
    let before = aurora.count("authorize");
    // Asked anew which carrier it is, once, as after `user_not_found`.
    assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200);
    assert_eq!(aurora.count("authorize"), before + 2);
    assert_eq!(only(&aurora.last("authorize").unwrap(), "correlation_id"), None);
    // The twin: a carrier of which that is not said.
    at_once(&rig, "ines");
    let tangent = rig.simulator.carrier("tangent").unwrap();
    tangent.set(|rules| rules.next_authorize_error = Some("no_such_line".to_owned()));
    assert_ne!(Browser::new().go(rig.url("/all")).await.status, 200);
    assert_eq!(tangent.count("authorize"), 1);
    assert!(only(&tangent.last("authorize").unwrap(), "correlation_id").is_some());
}

// Issue 11, must show 5: a fourth carrier is a row of the simulator, an entry of the configuration, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_carrier_with_two_words_of_its_own_is_data() {
    let entry = |differs: &str| format!("      - {{ issuer: MERIDIAN{differs} }}\n      - AURORA\n");
    let with = |issuers: String| Choices {
        issuers,
        zenkey: SCOPES.to_owned(),
        routes: ROUTE.to_owned(),
        ..Choices::default()
    };
    let own = ", differs: { scopes: { postal_code: zip }, errors: { no_such_line: user_not_found } }";
    let rig = Rig::with(with(entry(own))).await;
    at_once(&rig, "lea");
    let meridian = rig.simulator.carrier("meridian").unwrap();
    meridian.set(|rules| rules.next_authorize_error = Some("user_not_found".to_owned()));
    assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200);
    assert_eq!(rig.upstream.last().one("a-code").as_deref(), Some("64105"));
    assert_eq!(meridian.count("authorize"), 2, "asked anew which carrier it is, once");
    assert_eq!(only(&meridian.last("authorize").unwrap(), "scope").as_deref(), Some("openid email zip"));
    // The twin: without its two words there is no postal code, and its error says nothing.
    let rig = Rig::with(with(entry(""))).await;
    at_once(&rig, "lea");
    assert_eq!(Browser::new().go(rig.url("/all")).await.status, 200);
    assert_eq!(rig.upstream.last().one("a-code"), None);
    let meridian = rig.simulator.carrier("meridian").unwrap();
    meridian.set(|rules| rules.next_authorize_error = Some("user_not_found".to_owned()));
    assert_ne!(Browser::new().go(rig.url("/all")).await.status, 200);
    assert_eq!(meridian.count("authorize"), 2);
}
