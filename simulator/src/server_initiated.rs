//! Sign-in that a server begins: a signed request in, a push to the phone, a notification out.
//!
//! What public material leaves open follows CIBA Core in its push mode, and is our convention.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::answer::{ReturnAddress, grant};
use super::authorize::{AuthorizationRequest, CONTEXT_LIMIT, attributes_of, is_correlation_id};
use super::call::{Call, only};
use super::carrier::Carrier;
use super::loopback;
use super::mint::{issue, object, seconds};
use super::personas;
use super::profile::Profile;
use super::refusal::Refusal;
use super::rules::{Factor, adjust};
use super::{jwt, userinfo};

const LONGEST: u64 = 48 * 3600;
const USUAL: u64 = 3600;

/// A request on its way to somebody's phone.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) request: AuthorizationRequest,
    notification_uri: String,
    bearer: String,
    expires_at: u64,
}

/// The endpoint that takes requests.
pub(super) async fn begin(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("server_initiated", &call);
    if let Some(response) = carrier.interfere("server_initiated").await {
        return response;
    }
    let push = match read(&carrier, &call) {
        Ok(push) => push,
        Err(refusal) => return refusal.into_response(),
    };
    let imposed = carrier.rules.write().next_authorize_error.take();
    if let Some(error) = imposed {
        let body = json!({ "error": error, "error_description": "Told to answer this" });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let life = push.expires_at.saturating_sub(seconds(SystemTime::now()));
    let correlation_id = push.request.to.correlation_id.clone();
    let auth_req_id = carrier.pushes.put(push);
    let auto_consent = carrier.rules.read().auto_consent.clone();
    if let Some(auto) = auto_consent.as_ref().filter(|_| carrier.rules.read().notify_first) {
        approve(&carrier, &auth_req_id, auto.factor).await;
    } else if let Some(auto) = auto_consent {
        let (carrier, auth_req_id) = (Arc::clone(&carrier), auth_req_id.clone());
        tokio::spawn(async move { approve(&carrier, &auth_req_id, auto.factor).await });
    }
    // Recorded as text, described as a number.
    let expires_in = match carrier.brand.profile {
        Profile::Att => Value::from(life.to_string()),
        Profile::Tmobile | Profile::Verizon => Value::from(life),
    };
    let mut body = object(json!({ "auth_req_id": auth_req_id, "expires_in": expires_in }));
    if let Some(correlation_id) = correlation_id {
        body.insert("correlation_id".to_owned(), correlation_id.into());
    }
    Json(body).into_response()
}

/// The endpoint that takes requests back.
pub(super) async fn cancel(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("server_initiated_cancel", &call);
    let claims = match signed(&carrier, &call) {
        Ok((_, claims)) => claims,
        Err(refusal) => return refusal.into_response(),
    };
    let named = claims.get("auth_req_id").and_then(Value::as_str);
    let Some(auth_req_id) = named else {
        return Refusal::request("invalid_request", "auth_req_id is missing").into_response();
    };
    if carrier.rules.read().notify_after_cancel {
        // What must never happen, on request.
        approve(&carrier, auth_req_id, Factor::Pin).await;
        return StatusCode::NO_CONTENT.into_response();
    }
    match carrier.pushes.take(auth_req_id) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The claims of the signed request object, and the client they are from.
pub(super) fn signed(carrier: &Carrier, call: &Call) -> Result<(super::settings::Client, Map<String, Value>), Refusal> {
    let bad = |description| Refusal::request("invalid_request_object", description);
    let token = only(&call.body, "request")?.ok_or(Refusal::request("invalid_request", "request is missing"))?;
    let client_id = jwt::unverified_claims(token)
        .and_then(|claims| claims.get("iss")?.as_str().map(str::to_owned))
        .ok_or(bad("iss is missing"))?;
    let client = carrier
        .registry
        .find(&client_id)
        .ok_or(Refusal::request("unauthorized_client", "The client is not registered"))?;
    let claims = client
        .jwks
        .as_ref()
        .and_then(|keys| jwt::verify(token, keys))
        .ok_or(bad("The request object is not signed by this client"))?;
    if claims.get("aud").and_then(Value::as_str) != Some(&carrier.issuer()) {
        return Err(bad("aud is not this issuer"));
    }
    let expires_at = claims.get("exp").and_then(Value::as_u64).unwrap_or(0);
    if expires_at <= seconds(SystemTime::now()) {
        return Err(bad("The request object has expired"));
    }
    if let Some(jti) = claims.get("jti").and_then(Value::as_str) {
        let seen = format!("request {client_id} {jti}");
        if carrier.assertions.get(&seen).is_some() {
            return Err(bad("The request object was used before"));
        }
        carrier.assertions.put_as(seen, ());
    }
    for (name, value) in &call.body {
        let conflict = claims
            .get(name)
            .is_some_and(|claim| claim.as_str().map_or_else(|| claim.to_string(), str::to_owned) != *value);
        if conflict {
            return Err(Refusal::request("invalid_request", "The body contradicts the request object"));
        }
    }
    Ok((client, claims))
}

fn read(carrier: &Carrier, call: &Call) -> Result<Push, Refusal> {
    let (client, claims) = signed(carrier, call)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let owned = |name: &str| text(name).map(str::to_owned);
    let bad = |description| Refusal::request("invalid_request", description);
    if text("client_id") != Some(&client.client_id) {
        return Err(bad("client_id is not the one who signed"));
    }
    if text("response_type") != Some("async_token") {
        return Err(Refusal::request("unsupported_response_type", "Only async_token is supported here"));
    }
    let scope = owned("scope").unwrap_or_default();
    if !scope.split(' ').any(|word| word == "openid") {
        return Err(Refusal::request("invalid_scope", "openid is missing from scope"));
    }
    let redirect_uri = owned("redirect_uri")
        .filter(|asked| client.redirect_uris.contains(asked))
        .ok_or(bad("redirect_uri is not registered"))?;
    let notification_uri = owned("notification_uri")
        .filter(|asked| client.notification_uris.contains(asked))
        .ok_or(bad("notification_uri is not registered"))?;
    let bearer = owned("client_notification_token")
        .filter(|token| !token.is_empty())
        .ok_or(bad("client_notification_token is missing"))?;
    let correlation_id = owned("correlation_id");
    if correlation_id.as_deref().is_some_and(|id| !is_correlation_id(id)) {
        return Err(bad("correlation_id has the wrong form"));
    }
    let context = owned("context");
    if context.as_deref().is_some_and(|text| text.chars().count() > CONTEXT_LIMIT) {
        return Err(bad("context is longer than 280 characters"));
    }
    let life = claims.get("expires_in").and_then(Value::as_u64).unwrap_or(USUAL);
    if life > LONGEST {
        return Err(bad("expires_in is longer than 48 hours"));
    }
    // In the browser a bad hint does no harm; here there is nobody else to ask.
    let hint = text("login_hint").unwrap_or_default();
    let person = personas::personas()
        .iter()
        .filter(|person| person.carrier == carrier.brand.name)
        .find(|person| userinfo::subject(carrier.brand, &client.client_id, person) == hint)
        .ok_or(Refusal::request("invalid_login_hint", "login_hint is nobody's subject"))?;
    let request = AuthorizationRequest {
        to: ReturnAddress { redirect_uri, state: owned("state"), correlation_id, mccmnc: false, iss: false },
        nonce: owned("nonce"),
        attributes: attributes_of(carrier.brand, &scope),
        scope,
        acr_values: text("acr_values").unwrap_or("a3").split(' ').map(str::to_owned).collect(),
        context,
        code_challenge: None,
        hint_token: None,
        person,
        client,
    };
    Ok(Push { request, notification_uri, bearer, expires_at: seconds(SystemTime::now()) + life })
}

/// The person agreed: tokens go to the client's notification URI.
pub(super) async fn approve(carrier: &Carrier, auth_req_id: &str, factor: Factor) {
    let Some(push) = carrier.pushes.take(auth_req_id) else {
        return;
    };
    let rules = carrier.rules();
    if let Some(error) = &rules.push_error {
        return notify(carrier, auth_req_id, &push, failure(error)).await;
    }
    let shared = push.request.attributes.clone();
    let grant = grant(&rules, push.request.clone(), factor, shared);
    let body = match issue(carrier, auth_req_id, grant).await {
        Ok(body) => body,
        Err(_) => failure("server_error"),
    };
    notify(carrier, auth_req_id, &push, body).await;
}

/// The person refused, or the phone failed.
pub(super) async fn fail(carrier: &Carrier, auth_req_id: &str, error: &str) {
    if let Some(push) = carrier.pushes.take(auth_req_id) {
        notify(carrier, auth_req_id, &push, failure(error)).await;
    }
}

fn failure(error: &str) -> Map<String, Value> {
    object(json!({ "error": error, "error_description": "The simulated carrier was told to answer this" }))
}

async fn notify(carrier: &Carrier, auth_req_id: &str, push: &Push, mut body: Map<String, Value>) {
    let rules = carrier.rules();
    let to = &push.request.to;
    body.insert("auth_req_id".to_owned(), auth_req_id.into());
    body.insert("scope".to_owned(), push.request.scope.clone().into());
    if let Some(state) = &to.state {
        body.insert("state".to_owned(), state.clone().into());
    }
    if let Some(correlation_id) = &to.correlation_id {
        body.insert("correlation_id".to_owned(), correlation_id.clone().into());
    }
    adjust(&mut body, &rules.notification, &rules.notification_omit);
    let bearer = rules.notify_bearer.as_ref().unwrap_or(&push.bearer);
    let body = Value::Object(body).to_string();
    for _ in 0..=rules.notify_again {
        let status = loopback::notify(&push.notification_uri, bearer, &body).await;
        tracing::debug!(?status, "The simulated carrier notified a client");
        carrier.notified.lock().push(status);
    }
}
