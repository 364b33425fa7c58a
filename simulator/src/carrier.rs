//! One simulated carrier: its state, its routes, and the handle by which tests hold it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};

use super::authorize::{self, AuthorizationRequest};
use super::call::{Call, Journal, Recorded};
use super::expiring::{ExpiringMap, random_text};
use super::keys::KeyRing;
use super::metadata::{self, Teller};
use super::mint::{Access, Grant};
use super::personas::Person;
use super::profile::{Brand, Profile};
use super::rules::{CarrierRules, Signature};
use super::server_initiated::{self, Push};
use super::settings::Registry;
use super::{consent, control, jwt, phone, token, userinfo, usertrait};

const HINT_LIFE: Duration = Duration::from_secs(600);
const TICKET_LIFE: Duration = Duration::from_secs(1800);
/// How long a second click on the same button is led where the first one was.
const DECIDED_LIFE: Duration = Duration::from_secs(60);
const CODE_LIFE: Duration = Duration::from_secs(120);
const TOKEN_LIFE: Duration = Duration::from_secs(1800);

/// Everything one carrier knows.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) brand: &'static Brand,
    pub(super) origin: String,
    pub(super) registry: Registry,
    pub(super) peers: Peers,
    pub(super) keys: KeyRing,
    pub(super) rules: RwLock<CarrierRules>,
    pub(super) journal: Journal,
    /// Login hint tokens this carrier handed to the discovery UI.
    pub(super) hints: ExpiringMap<Hint>,
    /// Authorization requests that wait for a person.
    pub(super) tickets: ExpiringMap<AuthorizationRequest>,
    /// Where a decision led, by its ticket: a second click is led there too.
    pub(super) decided: ExpiringMap<HeaderValue>,
    pub(super) codes: ExpiringMap<Grant>,
    pub(super) tokens: ExpiringMap<Access>,
    /// What refresh tokens stand for.
    pub(super) refreshes: ExpiringMap<Access>,
    /// Requests that servers began, waiting on a phone.
    pub(super) pushes: ExpiringMap<Push>,
    /// How clients answered notifications: a status, or nothing if they could not be reached.
    pub(super) notified: Mutex<Vec<Option<u16>>>,
    /// The `jti` values of client assertions seen.
    pub(super) assertions: ExpiringMap<()>,
}

/// The other carriers of the same simulation.
#[derive(Debug, Default)]
pub(super) struct Peers(RwLock<Vec<Weak<Carrier>>>);

impl Peers {
    pub(super) fn meet(&self, carriers: &[Arc<Carrier>]) {
        *self.0.write() = carriers.iter().map(Arc::downgrade).collect();
    }

    pub(super) fn carrier(&self, name: &str) -> Option<Arc<Carrier>> {
        let carriers = self.0.read();
        carriers.iter().filter_map(Weak::upgrade).find(|carrier| carrier.brand.name == name)
    }
}

/// Whom a login hint token means, and which authorization request has used it.
#[derive(Clone, Debug)]
pub(super) struct Hint {
    pub(super) client_id: String,
    pub(super) person: &'static Person,
    pub(super) used_by: Option<String>,
}

impl Carrier {
    /// The page on which people approve what a server began, if there is one.
    pub(super) fn phone(&self) -> Option<String> {
        self.brand.server_initiated.as_ref().map(|_| format!("{}/phone", self.origin))
    }

    pub(super) fn new(brand: &'static Brand, origin: String, registry: Registry) -> Self {
        Self {
            brand,
            origin,
            registry,
            peers: Peers::default(),
            keys: KeyRing::default(),
            rules: RwLock::default(),
            journal: Journal::default(),
            hints: ExpiringMap::new(HINT_LIFE),
            tickets: ExpiringMap::new(TICKET_LIFE),
            decided: ExpiringMap::new(DECIDED_LIFE),
            codes: ExpiringMap::new(CODE_LIFE),
            tokens: ExpiringMap::new(TOKEN_LIFE),
            refreshes: ExpiringMap::new(TOKEN_LIFE),
            pushes: ExpiringMap::new(Duration::from_secs(48 * 3600)),
            notified: Mutex::default(),
            assertions: ExpiringMap::new(Duration::from_secs(24 * 3600)),
        }
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}{}", self.origin, self.brand.issuer_path)
    }

    pub(super) fn authorization_endpoint(&self) -> String {
        format!("{}{}", self.origin, self.brand.authorize_path)
    }

    pub(super) fn token_endpoint(&self) -> String {
        format!("{}{}", self.origin, self.brand.token_path)
    }

    pub(super) fn rules(&self) -> CarrierRules {
        self.rules.read().clone()
    }

    /// A login hint token: five parts like a JWE, but nobody else could read it even with a key.
    pub(super) fn hint(&self, client_id: &str, person: &'static Person) -> String {
        // {"alg":"RSA-OAEP-256","enc":"A256GCM","typ":"JWE"}
        let head = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIiwidHlwIjoiSldFIn0";
        let token = format!("{head}.{}.{}.{}.{}", random_text(64), random_text(12), random_text(48), random_text(16));
        let hint = Hint { client_id: client_id.to_owned(), person, used_by: None };
        self.hints.put_as(token.clone(), hint);
        token
    }

    /// Waits, fails or answers nonsense if the rules say so for this endpoint.
    pub(super) async fn interfere(&self, endpoint: &str) -> Option<Response> {
        let (latency, status, body) = {
            let rules = self.rules.read();
            (
                rules.latency_ms.get(endpoint).copied(),
                rules.status.get(endpoint).copied(),
                rules.body.get(endpoint).cloned(),
            )
        };
        if let Some(latency) = latency {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        if status.is_none() && body.is_none() {
            return None;
        }
        let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
        let body = body.unwrap_or_else(|| r#"{"error":"temporarily_unavailable"}"#.to_owned());
        Some((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }
}

pub(super) fn router(carrier: Arc<Carrier>) -> Router {
    let brand = carrier.brand;
    let decision = format!("{}/decision", brand.authorize_path);
    let metadata = format!("{}/.well-known/openid-configuration", brand.issuer_path);
    let mut router = Router::new();
    if let Some(paths) = brand.server_initiated {
        router = router
            .route(paths.begin_path, post(server_initiated::begin))
            .route(paths.cancel_path, post(server_initiated::cancel))
            .route("/phone", get(phone::show))
            .route("/phone/decide", post(phone::decide));
    }
    router
        .route(&metadata, get(own_metadata))
        .route(brand.authorize_path, any(authorize::authorize))
        .route(&decision, post(consent::decide))
        .route(brand.token_path, any(token::token))
        .route(brand.userinfo_path, any(userinfo::userinfo))
        .route(usertrait::PATH, post(usertrait::usertrait))
        .route(brand.jwks_path, get(key_set))
        .with_state(Arc::clone(&carrier))
        .merge(control::carrier_routes(carrier))
}

async fn own_metadata(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("metadata", &call);
    if let Some(response) = carrier.interfere("metadata").await {
        return response;
    }
    let document = metadata::document(
        carrier.brand,
        &carrier.origin,
        carrier.brand.mccmnc,
        Teller::Carrier,
        &carrier.rules.read(),
    );
    axum::Json(document).into_response()
}

async fn key_set(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("jwks", &call);
    if let Some(response) = carrier.interfere("jwks").await {
        return response;
    }
    match carrier.keys.published().await {
        Ok(keys) => ([(header::CACHE_CONTROL, "max-age=300")], axum::Json(keys)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A running carrier, as tests hold it. Cloning gives another handle to the same carrier.
#[derive(Clone, Debug)]
pub struct CarrierHandle(pub(super) Arc<Carrier>);

impl CarrierHandle {
    /// `aurora`, `tangent` or `vireo`.
    pub fn name(&self) -> &'static str {
        self.0.brand.name
    }

    /// The name people know it by.
    pub fn title(&self) -> &'static str {
        self.0.brand.title
    }

    /// Whom it takes after.
    pub fn profile(&self) -> Profile {
        self.0.brand.profile
    }

    /// The code it gives out.
    pub fn mccmnc(&self) -> &'static str {
        self.0.brand.mccmnc
    }

    /// The issuer identifier, exactly as in its ID tokens.
    pub fn issuer(&self) -> String {
        self.0.issuer()
    }

    /// Where browsers are sent.
    pub fn authorization_endpoint(&self) -> String {
        self.0.authorization_endpoint()
    }

    /// Where codes are redeemed.
    pub fn token_endpoint(&self) -> String {
        self.0.token_endpoint()
    }

    /// Where attributes are read.
    pub fn userinfo_endpoint(&self) -> String {
        format!("{}{}", self.0.origin, self.0.brand.userinfo_path)
    }

    /// Where keys are published.
    pub fn jwks_uri(&self) -> String {
        format!("{}{}", self.0.origin, self.0.brand.jwks_path)
    }

    /// The page on which people approve what a server began, if this carrier offers that.
    pub fn phone_url(&self) -> Option<String> {
        self.0.phone()
    }

    /// How the client answered each notification so far: a status, or nothing if it could not be reached.
    pub fn notified(&self) -> Vec<Option<u16>> {
        self.0.notified.lock().clone()
    }

    /// The rules in force.
    pub fn rules(&self) -> CarrierRules {
        self.0.rules()
    }

    /// Changes the rules: `carrier.set(|rules| rules.pkce_ignored = true)`.
    pub fn set(&self, change: impl FnOnce(&mut CarrierRules)) {
        change(&mut self.0.rules.write());
    }

    /// Default rules, no counters, no recorded requests. Keys and grants stay.
    pub fn reset(&self) {
        *self.0.rules.write() = CarrierRules::default();
        self.0.journal.clear();
    }

    /// How often an endpoint was asked: `metadata`, `authorize`, `decision`, `token`, `userinfo`, `jwks`,
    /// `server_initiated`, `server_initiated_cancel`.
    pub fn count(&self, endpoint: &str) -> u64 {
        self.0.journal.count(endpoint)
    }

    /// The last request to an endpoint.
    pub fn last(&self, endpoint: &str) -> Option<Recorded> {
        self.0.journal.last(endpoint)
    }

    /// The last requests to any endpoint, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.0.journal.requests()
    }

    /// The subject under which this carrier knows a person at a client.
    pub fn subject(&self, client_id: &str, person: &Person) -> String {
        userinfo::subject(self.0.brand, client_id, person)
    }

    /// A login hint token for one of this carrier's people, as the discovery UI would get it.
    pub fn login_hint_token(&self, client_id: &str, person: &'static Person) -> String {
        self.0.hint(client_id, person)
    }

    /// Signs with a new key from now on and returns its `kid`; `None` if the machine could not make one.
    pub async fn rotate_keys(&self, keep_previous: bool) -> Option<String> {
        self.0.keys.rotate(keep_previous).await.ok()
    }

    /// Signs anything with the current key, for instance a port token. `alg` and `kid` are filled in unless given.
    pub async fn sign(&self, header: Map<String, Value>, claims: Map<String, Value>) -> Option<String> {
        let key = self.0.keys.current().await.ok()?;
        let mut full = Map::new();
        full.insert("alg".to_owned(), "RS256".into());
        full.insert("kid".to_owned(), key.kid.clone().into());
        full.extend(header);
        jwt::sign(&key, Signature::Valid, full, &claims).await.ok()
    }
}
