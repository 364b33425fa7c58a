//! Optimized discovery (dossier 7): one redirect, and an answer that says whose code it brings.

use serde_json::Value;
use url::Url;
use zengate_simulator::Client;

use super::{assert_refused, at_once, token_calls, until_code, value, with};
use crate::support::browser::Browser;
use crate::support::process::{Home, Process};
use crate::support::rig::{CLIENT_ID, Choices, Rig};

/// Long enough for a busy machine to make a simulated carrier's first key.
const PATIENT: &str = "  total_timeout: 30s\n";

/// A gateway whose people are found on the way, and the public half of its key, which stands in `home`.
pub(super) fn choices(home: &Home) -> (Choices, Value) {
    let path = home.path("client.pem");
    let path = path.to_str().unwrap();
    let made = Process::run(&["keys", "--algorithm", "RS256", "--out", path]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let public: Value = serde_json::from_str(&made.stdout).unwrap();
    let issuers = "      - { issuer: AURORA, networks: [310-410, 310-150] }
      - { issuer: TANGENT, networks: [310-260] }
      - { issuer: VIREO, networks: [311-480] }
"
    .to_owned();
    let zenkey = format!(
        "    scopes: [openid, name, email]
    acr_values: [a1, a3]
    find: [optimized]
    optimized_discovery: UI_ORIGIN/v1/auth
    client_keys: [{path}]
    token_endpoint_auth_method: private_key_jwt
    assertion_audience: token_endpoint
"
    );
    (Choices { issuers, zenkey, provider: PATIENT.to_owned(), ..Choices::default() }, public)
}

/// Has the carriers know the gateway by its key.
pub(super) fn register(rig: &Rig, public: Value) {
    rig.simulator.register(Client::with_keys(CLIENT_ID, public).redirect_uri(rig.url("/oauth2/callback")));
}

/// A rig whose people are found on the way; the key stands in `home`.
async fn rig(home: &Home) -> Rig {
    let (choices, public) = choices(home);
    let rig = Rig::with(choices).await;
    register(&rig, public);
    at_once(&rig, "maya");
    rig
}

/// The callback of a new sign-in, not yet opened.
async fn callback(rig: &Rig, browser: &Browser) -> Url {
    until_code(browser, rig.url("/app")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_every_carrier_sign_in_by_one_redirect_and_a_key() {
    let home = Home::new();
    let rig = rig(&home).await;
    for (person, carrier) in [("maya", "aurora"), ("ines", "tangent"), ("noor", "vireo")] {
        at_once(&rig, person);
        let carrier = rig.simulator.carrier(carrier).unwrap();
        let page = Browser::new().go(rig.url("/app/x?y=1")).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/x"), "{}", page.body);
        assert_eq!(rig.upstream.last().one("x-auth-issuer").unwrap(), carrier.issuer());
        let (asked, redeemed) = (carrier.last("authorize").unwrap(), carrier.last("token").unwrap());
        for name in ["nonce", "state", "code_challenge", "login_hint_token"] {
            assert!(asked.parameter(name).is_some(), "{name}");
        }
        for name in ["client_assertion", "code_verifier"] {
            assert!(redeemed.parameter(name).is_some(), "{name}");
        }
        assert!(redeemed.header("authorization").is_none(), "no secret goes to a carrier that an answer named");
        assert_eq!(rig.simulator.ui().last().unwrap().path, "/v1/auth");
    }
}

// D08, dossier 7: whatever does not agree is refused before anything is redeemed, or even asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_agree_with_itself_gets_no_code_redeemed() {
    let home = Home::new();
    let rig = rig(&home).await;
    let (aurora, tangent) = (rig.simulator.carrier("aurora").unwrap(), rig.simulator.carrier("tangent").unwrap());
    let (own, foreign) = (aurora.issuer(), tangent.issuer());
    for (name, bent, status, code) in [
        // Swapped: a listed network of another carrier.
        ("mccmnc", Some("310260"), 400, "carrier_mismatch"),
        // A network that nobody listed, though discovery would lead it to this very carrier.
        ("mccmnc", Some("310170"), 400, "carrier_mismatch"),
        ("mccmnc", Some("999999"), 400, "carrier_mismatch"),
        ("mccmnc", Some("31026"), 400, "callback_malformed"),
        ("mccmnc", None, 400, "callback_malformed"),
        ("iss", None, 400, "carrier_mismatch"),
        ("iss", Some(foreign.as_str()), 400, "carrier_mismatch"),
        ("iss", Some("https://evil.test"), 400, "carrier_mismatch"),
        ("iss", Some(&format!("{own}/")), 400, "carrier_mismatch"),
    ] {
        let browser = Browser::new();
        let bent = with(&callback(&rig, &browser).await, name, bent);
        assert_refused(&browser.open(&bent).await, status, code);
        assert!(!browser.open(bent).await.gives_session(), "and the attempt is over");
    }
    assert_eq!((token_calls(&rig), rig.simulator.discovery().count()), (0, 0));
    // The twin: what agrees, by another listed network too.
    for network in ["310410", "310150"] {
        let browser = Browser::new();
        let callback = callback(&rig, &browser).await;
        assert_eq!(value(&callback, "iss").as_deref(), Some(own.as_str()));
        assert!(browser.open(with(&callback, "mccmnc", Some(network))).await.gives_session(), "{network}");
    }
}

// D08: whoever bends all of it has the code brought to a carrier that did not give it, where verifier and assertion are worth
// nothing for it, and nothing that was sent there is good anywhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_brought_to_another_carrier_opens_nothing() {
    let home = Home::new();
    let rig = rig(&home).await;
    let (aurora, tangent) = (rig.simulator.carrier("aurora").unwrap(), rig.simulator.carrier("tangent").unwrap());
    let browser = Browser::new();
    let bent = with(&callback(&rig, &browser).await, "mccmnc", Some("310260"));
    let bent = with(&bent, "iss", Some(&tangent.issuer()));
    assert_refused(&browser.open(bent).await, 502, "provider_refused");
    assert_eq!((aurora.count("token"), tangent.count("token")), (0, 1));
    // A code of somebody else's sign-in at the right carrier: the nonce is not ours, nor is the verifier.
    aurora.set(|rules| (rules.pkce_ignored, rules.correlation_unchecked) = (true, true));
    let foreign = value(&callback(&rig, &Browser::new()).await, "code").unwrap();
    let victim = Browser::new();
    let bent = with(&callback(&rig, &victim).await, "code", Some(&foreign));
    assert_refused(&victim.open(bent).await, 502, "provider_invalid");
    // An error that somebody unknown signs for is nobody's.
    for (iss, status, code) in
        [("https://evil.test", 400, "carrier_mismatch"), (&aurora.issuer(), 403, "access_denied")]
    {
        let browser = Browser::new();
        let said = with(&with(&callback(&rig, &browser).await, "code", None), "error", Some("access_denied"));
        assert_refused(&browser.open(with(&said, "iss", Some(iss))).await, status, code);
    }
}
