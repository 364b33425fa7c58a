//! The simulation, walked through from outside with plain HTTP.

mod control;
mod flow;
mod refusals;
mod server_initiated;

use std::collections::HashMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client as Http, Response, redirect};
use serde_json::{Map, Value};
use url::Url;

use super::{CarrierHandle, Client, Simulator, SimulatorSettings, jwt};

const CLIENT: &str = "ccid-0123456789abcdef";
const SECRET: &str = "p@ss: w/ord+&=%";
const BACK: &str = "https://apps.example.com/oauth2/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Safari";

type Parameters = HashMap<String, String>;

/// A simulator, and a browser that follows no redirect.
struct World {
    simulator: Simulator,
    http: Http,
}

impl World {
    async fn new() -> Self {
        let client = Client::with_secret(CLIENT, SECRET).redirect_uri(BACK);
        let settings = SimulatorSettings { clients: vec![client], ..SimulatorSettings::default() };
        Self { simulator: Simulator::start(settings).await.unwrap(), http: browser() }
    }

    fn carrier(&self, name: &str) -> &CarrierHandle {
        self.simulator.carrier(name).unwrap()
    }

    async fn get(&self, url: &str, query: &[(&str, &str)]) -> Response {
        self.http.get(with_query(url, query)).send().await.unwrap()
    }

    async fn post(&self, url: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(url).header("content-type", FORM).body(encode(form)).send().await.unwrap()
    }

    async fn discovery(&self, query: &[(&str, &str)]) -> Response {
        let issuer = self.simulator.discovery_issuer();
        self.get(&format!("{issuer}/.well-known/openid_configuration"), query).await
    }

    /// Walks through the discovery UI; the parameters of the callback.
    async fn choose(&self, who: &str) -> Parameters {
        let page = self.get(&self.simulator.discovery_ui(), &ui_query()).await;
        assert_eq!(page.status(), 200);
        let ticket = ticket(&page.text().await.unwrap());
        let url = format!("{}/choose", self.simulator.discovery_ui());
        let form = [("ticket", ticket.as_str()), ("person", who), ("trust", "yes")];
        callback(&self.post(&url, &form).await)
    }

    /// Shows the consent page; its ticket.
    async fn ask(&self, carrier: &CarrierHandle, query: &[(&str, &str)]) -> String {
        let page = self.get(&carrier.authorization_endpoint(), query).await;
        assert_eq!(page.status(), 200);
        ticket(&page.text().await.unwrap())
    }

    async fn decide(&self, carrier: &CarrierHandle, form: &[(&str, &str)]) -> Parameters {
        let url = format!("{}/decision", carrier.authorization_endpoint());
        callback(&self.post(&url, form).await)
    }

    /// A code, by the shortest way.
    async fn code(&self, carrier: &CarrierHandle) -> String {
        carrier.set(|rules| rules.auto_consent = Some(super::AutoConsent::default()));
        let answer = self.get(&carrier.authorization_endpoint(), &request()).await;
        callback(&answer)["code"].clone()
    }

    async fn redeem(&self, carrier: &CarrierHandle, form: &[(&str, &str)]) -> Response {
        let sent = self.http.post(carrier.token_endpoint()).header("authorization", basic(CLIENT, SECRET));
        sent.header("content-type", FORM).body(encode(form)).send().await.unwrap()
    }

    /// The claims of an ID token that this carrier's published keys vouch for.
    async fn claims(&self, carrier: &CarrierHandle, body: &Value) -> Option<Map<String, Value>> {
        let keys: Value = self.get(&carrier.jwks_uri(), &[]).await.json().await.unwrap();
        jwt::verify(body["id_token"].as_str().unwrap(), &keys)
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn browser() -> Http {
    Http::builder().redirect(redirect::Policy::none()).cookie_store(true).no_proxy().build().unwrap()
}

fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn with_query(url: &str, query: &[(&str, &str)]) -> Url {
    let mut url = Url::parse(url).unwrap();
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn basic(client_id: &str, secret: &str) -> String {
    let half = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = format!("{}:{}", half(client_id), half(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(joined))
}

fn ui_query() -> Vec<(&'static str, &'static str)> {
    vec![("client_id", CLIENT), ("redirect_uri", BACK), ("state", "first-leg")]
}

fn challenge() -> &'static str {
    assert_eq!(
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes())),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
}

/// A good authorization request.
fn request() -> Vec<(&'static str, &'static str)> {
    vec![
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid name email phone postal_code"),
        ("state", "second-leg"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256"),
        ("correlation_id", "abcd-1234"),
    ]
}

/// The same with one parameter changed; `None` leaves it out.
fn request_with<'a>(name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut changed: Vec<(&str, &str)> = request();
    changed.retain(|(known, _)| *known != name);
    changed.extend(value.map(|value| (name, value)));
    changed
}

/// A good token request for a code.
fn redemption(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
        ("correlation_id", "abcd-1234"),
    ]
}

fn callback(answer: &Response) -> Parameters {
    assert!(answer.status().is_redirection(), "{answer:?}");
    let location = answer.headers()["location"].to_str().unwrap();
    let url = Url::parse(location).unwrap();
    assert!(location.starts_with(BACK), "{location}");
    url.query_pairs().into_owned().collect()
}

fn ticket(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"ticket\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}
