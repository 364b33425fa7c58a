//! The discovery issuer: from a mobile network code to a carrier's configuration.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use super::call::{Call, Journal, Recorded, only};
use super::carrier::Carrier;
use super::control::{self, Controlled};
use super::metadata::{self, Teller};
use super::rules::{DiscoveryAnswer, DiscoveryRules};
use super::settings::Registry;

const PADDING: usize = 2 * 1024 * 1024;

/// Everything the discovery issuer knows.
#[derive(Debug)]
pub(super) struct Discovery {
    carriers: Vec<Arc<Carrier>>,
    registry: Registry,
    /// Where browsers are sent when the carrier is not known.
    ui: String,
    rules: RwLock<DiscoveryRules>,
    journal: Journal,
}

impl Discovery {
    pub(super) fn new(ui: String, carriers: Vec<Arc<Carrier>>, registry: Registry) -> Self {
        Self { carriers, registry, ui, rules: RwLock::default(), journal: Journal::default() }
    }
}

impl Controlled for Discovery {
    type Rules = DiscoveryRules;

    fn rules(&self) -> &RwLock<DiscoveryRules> {
        &self.rules
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

pub(super) fn router(discovery: Arc<Discovery>) -> Router {
    Router::new()
        // With an underscore: that is how the central service spelled it.
        .route("/.well-known/openid_configuration", get(configuration))
        .with_state(Arc::clone(&discovery))
        .merge(control::routes(discovery))
}

async fn configuration(State(discovery): State<Arc<Discovery>>, call: Call) -> Response {
    discovery.journal.record("discovery", &call);
    let rules = discovery.rules.read().clone();
    if rules.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(rules.latency_ms)).await;
    }
    match rules.answer {
        DiscoveryAnswer::Normal => truth(&discovery, &rules, &call),
        DiscoveryAnswer::NotFound => not_found(&discovery, &rules),
        DiscoveryAnswer::Error => bad_request("server_error", "Told to answer this"),
        DiscoveryAnswer::Malformed => json_text("{\"issuer\": \"http://127.0.0.1\", \"mccmnc\": 3104"),
        DiscoveryAnswer::Nested => {
            let config = resolve(&discovery, &rules, &call).map(|(carrier, mccmnc)| document(carrier, &mccmnc));
            axum::Json(json!({ "config": config, "carrier": "att" })).into_response()
        }
        DiscoveryAnswer::Huge => {
            let mut object = resolve(&discovery, &rules, &call)
                .map(|(carrier, mccmnc)| document(carrier, &mccmnc))
                .unwrap_or_default();
            object.insert("padding".to_owned(), "x".repeat(PADDING).into());
            axum::Json(object).into_response()
        }
        DiscoveryAnswer::Redirect => {
            let to = discovery
                .carriers
                .first()
                .map(|carrier| format!("{}/.well-known/openid-configuration", carrier.issuer()));
            let location = [(header::LOCATION, to.unwrap_or_default())];
            (StatusCode::FOUND, location).into_response()
        }
        DiscoveryAnswer::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn truth(discovery: &Discovery, rules: &DiscoveryRules, call: &Call) -> Response {
    let Ok(client_id) = only(&call.query, "client_id") else {
        return bad_request("invalid_request", "A parameter was sent twice");
    };
    let client = client_id.and_then(|client_id| discovery.registry.find(client_id));
    if client.is_none() {
        return bad_request("unauthorized_client", "The client is not registered");
    }
    let Ok(mccmnc) = only(&call.query, "mccmnc") else {
        return bad_request("invalid_request", "A parameter was sent twice");
    };
    if mccmnc.is_some_and(|code| code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit())) {
        return bad_request("invalid_request", "mccmnc is not six digits");
    }
    match resolve(discovery, rules, call) {
        Some((carrier, mccmnc)) => {
            // Ten days, as recorded, beside the advice to ask again for every sign-in.
            let cache = [(header::CACHE_CONTROL, "max-age=864000")];
            (cache, axum::Json(document(carrier, &mccmnc))).into_response()
        }
        None => not_found(discovery, rules),
    }
}

/// The carrier and the code that led to it. `prompt=true` means: do not resolve.
fn resolve<'a>(discovery: &'a Discovery, rules: &DiscoveryRules, call: &Call) -> Option<(&'a Carrier, String)> {
    let field = |name| only(&call.query, name).ok().flatten();
    if field("prompt") == Some("true") {
        return None;
    }
    let by_code = |code: &str| {
        discovery
            .carriers
            .iter()
            .find(|carrier| carrier.brand.codes.contains(&code))
            .map(|carrier| (&**carrier, code.to_owned()))
    };
    if let Some(code) = field("mccmnc") {
        return by_code(code);
    }
    if let Some(subject) = field("sub") {
        return by_code(subject.split('-').next().unwrap_or_default());
    }
    field("ip")?;
    let name = rules.ip_carrier.as_deref()?;
    let carrier = discovery.carriers.iter().find(|carrier| carrier.brand.name == name)?;
    Some((carrier, carrier.brand.mccmnc.to_owned()))
}

fn document(carrier: &Carrier, mccmnc: &str) -> Map<String, Value> {
    metadata::document(carrier.brand, &carrier.origin, mccmnc, Teller::DiscoveryIssuer, &carrier.rules.read())
}

fn not_found(discovery: &Discovery, rules: &DiscoveryRules) -> Response {
    let status = if rules.not_found_as_200 { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let redirect_uri = rules.not_found_redirect_uri.as_ref().unwrap_or(&discovery.ui);
    let body = json!({ "error": "provider_not_found", "redirect_uri": redirect_uri });
    (status, axum::Json(body)).into_response()
}

fn bad_request(error: &str, description: &str) -> Response {
    let body = json!({ "error": error, "error_description": description });
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

fn json_text(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The running discovery issuer, as tests hold it.
#[derive(Clone, Debug)]
pub struct DiscoveryHandle(pub(super) Arc<Discovery>);

impl DiscoveryHandle {
    /// The rules in force.
    pub fn rules(&self) -> DiscoveryRules {
        self.0.rules.read().clone()
    }

    /// Changes the rules.
    pub fn set(&self, change: impl FnOnce(&mut DiscoveryRules)) {
        change(&mut self.0.rules.write());
    }

    /// Default rules, no counters, no recorded requests.
    pub fn reset(&self) {
        *self.0.rules.write() = DiscoveryRules::default();
        self.0.journal.clear();
    }

    /// How often it was asked.
    pub fn count(&self) -> u64 {
        self.0.journal.count("discovery")
    }

    /// The last request.
    pub fn last(&self) -> Option<Recorded> {
        self.0.journal.last("discovery")
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.0.journal.requests()
    }
}
