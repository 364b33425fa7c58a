//! What a carrier tells services of a person's line: whether their number has been on its SIM for more than a day.
//!
//! The names are public, the forms are not: request and answer are our convention.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::call::Call;
use super::carrier::Carrier;
use super::mint::object;
use super::refusal::Refusal;
use super::rules::adjust;
use super::server_initiated::signed;
use super::{personas, userinfo};

/// Where it is asked.
pub(super) const PATH: &str = "/mangeEvntAttrService/v1/usertrait";

/// The endpoint.
pub(super) async fn usertrait(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("usertrait", &call);
    if let Some(response) = carrier.interfere("usertrait").await {
        return response;
    }
    let (client, claims) = match signed(&carrier, &call) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    if claims.get("usertraits").and_then(Value::as_str) != Some("sim_tenure_24") {
        return Refusal::request("invalid_request", "usertraits is not sim_tenure_24").into_response();
    }
    let hint = claims.get("login_hint").and_then(Value::as_str).unwrap_or_default();
    let subject = |person| userinfo::subject(carrier.brand, &client.client_id, person);
    let Some(person) = personas::personas().iter().find(|person| subject(person) == hint) else {
        return (StatusCode::NOT_FOUND, Json(json!({ "error": "user_not_found" }))).into_response();
    };
    let rules = carrier.rules.read();
    let settled = !rules.new_sims.iter().any(|id| id == person.id);
    let mut body = object(json!({ "sub": hint, "sim_tenure_24": settled }));
    adjust(&mut body, &rules.usertrait, &[]);
    Json(body).into_response()
}
