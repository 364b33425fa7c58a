//! The switches over HTTP: rules as JSON, counters, recorded requests.
//!
//! Every change is a JSON request, which no page of another origin can send without asking first.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::Journal;
use super::carrier::{Carrier, CarrierHandle};

/// A part that can be controlled.
pub(super) trait Controlled: Send + Sync + 'static {
    /// Its rules.
    type Rules: Clone + Default + DeserializeOwned + Serialize + Send + Sync;

    fn rules(&self) -> &RwLock<Self::Rules>;

    fn journal(&self) -> &Journal;
}

impl Controlled for Carrier {
    type Rules = super::rules::CarrierRules;

    fn rules(&self) -> &RwLock<Self::Rules> {
        &self.rules
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// The routes every part has.
pub(super) fn routes<P: Controlled>(part: Arc<P>) -> Router {
    Router::new()
        .route("/_control", get(show::<P>).post(merge::<P>))
        .route("/_control/reset", post(reset::<P>))
        .with_state(part)
}

/// The routes of a carrier.
pub(super) fn carrier_routes(carrier: Arc<Carrier>) -> Router {
    let own = Router::new()
        .route("/_control/rotate-keys", post(rotate_keys))
        .route("/_control/sign", post(sign))
        .with_state(Arc::clone(&carrier));
    routes(carrier).merge(own)
}

async fn show<P: Controlled>(State(part): State<Arc<P>>) -> Response {
    let rules = part.rules().read().clone();
    let body = json!({
        "rules": rules,
        "counters": part.journal().counters(),
        "requests": part.journal().requests(),
    });
    Json(body).into_response()
}

async fn merge<P: Controlled>(State(part): State<Arc<P>>, Json(patch): Json<Map<String, Value>>) -> Response {
    if let Err(reason) = merge_rules(&*part, patch) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": reason }))).into_response();
    }
    show(State(part)).await
}

fn merge_rules<P: Controlled>(part: &P, patch: Map<String, Value>) -> Result<(), String> {
    let mut rules = part.rules().write();
    let mut merged = serde_json::to_value(&*rules).map_err(|error| error.to_string())?;
    merge_patch(&mut merged, Value::Object(patch));
    *rules = serde_json::from_value(merged).map_err(|error| error.to_string())?;
    Ok(())
}

/// RFC 7396.
fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(target) = target {
        for (name, value) in patch {
            if value.is_null() {
                target.remove(&name);
            } else {
                merge_patch(target.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

async fn reset<P: Controlled>(State(part): State<Arc<P>>, Json(_): Json<Map<String, Value>>) -> Response {
    *part.rules().write() = P::Rules::default();
    part.journal().clear();
    show(State(part)).await
}

#[derive(Deserialize)]
struct Rotation {
    #[serde(default)]
    keep_previous: bool,
}

async fn rotate_keys(State(carrier): State<Arc<Carrier>>, Json(rotation): Json<Rotation>) -> Response {
    match CarrierHandle(carrier).rotate_keys(rotation.keep_previous).await {
        Some(kid) => Json(json!({ "kid": kid })).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct ToSign {
    #[serde(default)]
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

async fn sign(State(carrier): State<Arc<Carrier>>, Json(to_sign): Json<ToSign>) -> Response {
    let carrier = CarrierHandle(carrier);
    match carrier.sign(to_sign.header, to_sign.claims).await {
        Some(jwt) => Json(json!({ "jwt": jwt })).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
