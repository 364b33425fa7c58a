//! A carrier's authorization endpoint: what it accepts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answer::{ReturnAddress, agree_at_once, decline, refused};
use super::call::{Call, Repeated, only};
use super::carrier::Carrier;
use super::personas::{self, Person};
use super::profile::{Brand, Profile};
use super::settings::Client;
use super::{consent, jwt, page, userinfo};

/// The attributes a client may ask for, by the scope that asks for them.
pub(super) const ATTRIBUTES: [&str; 8] =
    ["name", "email", "phone", "postal_code", "address", "birthdate", "proofing", "last_4_social"];

pub(super) const CONTEXT_LIMIT: usize = 280;

/// An authorization request that this carrier is ready to show to its user.
#[derive(Clone, Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) client: Client,
    pub(super) to: ReturnAddress,
    pub(super) nonce: Option<String>,
    /// The scope as asked for.
    pub(super) scope: String,
    /// Which of [`ATTRIBUTES`] the scope means.
    pub(super) attributes: Vec<&'static str>,
    pub(super) acr_values: Vec<String>,
    pub(super) context: Option<String>,
    pub(super) code_challenge: Option<String>,
    pub(super) hint_token: Option<String>,
    pub(super) person: &'static Person,
}

/// Why a request is not shown to anybody.
#[derive(Debug)]
enum Refusal {
    /// Nobody can be redirected: the client or its address is not known.
    Page(&'static str),
    /// The client is told.
    Redirect { to: ReturnAddress, error: &'static str, description: &'static str },
}

impl ReturnAddress {
    fn refuse(&self, error: &'static str, description: &'static str) -> Refusal {
        Refusal::Redirect { to: self.clone(), error, description }
    }
}

/// The endpoint.
pub(super) async fn authorize(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("authorize", &call);
    if let Some(response) = carrier.interfere("authorize").await {
        return response;
    }
    if call.method != Method::GET && call.method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let request = match read(&carrier, &call) {
        Ok(request) => request,
        Err(Refusal::Page(reason)) => {
            return page::refusal(carrier.brand.name, carrier.brand.title, reason);
        }
        Err(Refusal::Redirect { to, error, description }) => {
            return refused(&carrier, &to, error, description);
        }
    };
    let imposed = {
        let mut rules = carrier.rules.write();
        rules.next_authorize_error.take().or_else(|| rules.authorize_error.clone())
    };
    if let Some(error) = imposed {
        return decline(&carrier, &request, &error);
    }
    let auto_consent = carrier.rules.read().auto_consent.clone();
    if let Some(auto) = auto_consent {
        return agree_at_once(&carrier, request, &auto);
    }
    let ticket = carrier.tickets.put(request.clone());
    consent::show(carrier.brand, &request, &ticket)
}

fn read(carrier: &Carrier, call: &Call) -> Result<AuthorizationRequest, Refusal> {
    let plain = call.parameters();
    let repeated = |Repeated| Refusal::Page("A parameter was sent twice.");
    let client = only(plain, "client_id")
        .map_err(repeated)?
        .and_then(|client_id| carrier.registry.find(client_id))
        .ok_or(Refusal::Page("This client is not registered."))?;
    let redirect_uri = only(plain, "redirect_uri")
        .map_err(repeated)?
        .filter(|asked| client.redirect_uris.iter().any(|known| known == asked))
        .ok_or(Refusal::Page("The redirect URI is not one that this client registered."))?
        .to_owned();
    let mut to = ReturnAddress {
        redirect_uri,
        state: None,
        correlation_id: None,
        mccmnc: carrier.brand.profile != Profile::Verizon,
        iss: false,
    };

    let mut parameters = plain.to_vec();
    if let Some(object) = only(plain, "request").map_err(repeated)? {
        overlay_request_object(&mut parameters, object, &client, carrier, &to)?;
    }
    let field = |name: &'static str| {
        only(&parameters, name).map_err(|Repeated| to.refuse("invalid_request", "A parameter was sent twice"))
    };
    let state = field("state")?.map(str::to_owned);
    let correlation_id = field("correlation_id")?.map(str::to_owned);
    // The central service asks carriers to name themselves when it has done the discovery.
    let by_service = field("discovered_by")?.is_some();
    to.mccmnc |= by_service;
    to.iss |= by_service;
    to.state = state;
    let field = |name: &'static str| {
        only(&parameters, name).map_err(|Repeated| to.refuse("invalid_request", "A parameter was sent twice"))
    };

    if to.state.is_none() {
        return Err(to.refuse("invalid_request", "state is missing"));
    }
    if correlation_id.as_deref().is_some_and(|id| !is_correlation_id(id)) {
        return Err(to.refuse("invalid_request", "correlation_id has the wrong form"));
    }
    if field("request_uri")?.is_some() {
        return Err(to.refuse("request_uri_not_supported", "request_uri is not supported"));
    }
    if field("response_type")? != Some("code") {
        return Err(to.refuse("unsupported_response_type", "Only code is supported"));
    }
    let scope = field("scope")?.unwrap_or_default().to_owned();
    if !scope.split(' ').any(|word| word == "openid") {
        return Err(to.refuse("invalid_scope", "openid is missing from scope"));
    }
    let prompt = field("prompt")?.unwrap_or_default();
    if prompt.split(' ').any(|word| word == "none") {
        return Err(to.refuse("interaction_required", "The user always has to approve"));
    }
    let context = field("context")?.map(str::to_owned);
    if context.as_deref().is_some_and(|text| text.chars().count() > CONTEXT_LIMIT) {
        return Err(to.refuse("invalid_request", "context is longer than 280 characters"));
    }
    let code_challenge = field("code_challenge")?.map(str::to_owned);
    if code_challenge.as_deref().is_some_and(|challenge| challenge.len() != 43)
        || code_challenge.is_some() != (field("code_challenge_method")? == Some("S256"))
    {
        return Err(to.refuse("invalid_request", "The code challenge is not an S256 one"));
    }
    let nonce = field("nonce")?.map(str::to_owned);
    let hint_token = field("login_hint_token")?.map(str::to_owned);
    // An empty login_hint_token is not the same as none: a client must not make one up.
    if hint_token.is_none() && parameters.iter().any(|(name, _)| name == "login_hint_token") {
        return Err(to.refuse("invalid_login_hint_token", "login_hint_token is empty"));
    }
    let person = match &hint_token {
        Some(token) => {
            let user = format!("{:?} {nonce:?}", to.state);
            hinted(carrier, &client, token, user).ok_or_else(|| {
                to.refuse("invalid_login_hint_token", "login_hint_token is not from this carrier, or was used before")
            })?
        }
        None if carrier.rules.read().hint_required && !call.is_phone() => {
            return Err(to.refuse("invalid_login_hint_token", "login_hint_token is missing"));
        }
        None => {
            // A bad login_hint does no harm in the browser.
            let hint = field("login_hint")?.unwrap_or_default();
            personas::personas()
                .iter()
                .filter(|person| person.carrier == carrier.brand.name)
                .find(|person| {
                    person.phone == hint || userinfo::subject(carrier.brand, &client.client_id, person) == hint
                })
                .or_else(|| personas::first_of(carrier.brand.name))
                .ok_or_else(|| to.refuse("user_not_found", "Nobody uses this carrier"))?
        }
    };
    let acr_values = field("acr_values")?.unwrap_or("a3").split(' ').map(str::to_owned).collect();
    to.correlation_id = correlation_id;
    Ok(AuthorizationRequest {
        attributes: attributes_of(carrier.brand, &scope),
        acr_values,
        client,
        to,
        nonce,
        scope,
        context,
        code_challenge,
        hint_token,
        person,
    })
}

/// Puts the claims of a signed request object over the plain parameters.
fn overlay_request_object(
    parameters: &mut Vec<(String, String)>,
    object: &str,
    client: &Client,
    carrier: &Carrier,
    to: &ReturnAddress,
) -> Result<(), Refusal> {
    let Some(jwks) = &client.jwks else {
        return Err(to.refuse("request_not_supported", "This client has no keys"));
    };
    let claims = jwt::verify(object, jwks)
        .filter(|claims| {
            claims.get("iss").and_then(Value::as_str) == Some(&client.client_id)
                && claims.get("aud").and_then(Value::as_str) == Some(&carrier.issuer())
        })
        .ok_or_else(|| to.refuse("invalid_request_object", "The request object is not valid"))?;
    for (name, value) in claims {
        // What the return address hangs on has been judged already, and must not differ.
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let differs = parameters.iter().any(|(known, plain)| *known == name && *plain != value);
        if differs && (name == "client_id" || name == "redirect_uri") {
            return Err(to.refuse("invalid_request_object", "The request object disagrees"));
        }
        parameters.retain(|(known, _)| *known != name);
        parameters.push((name, value));
    }
    Ok(())
}

/// Whom a login hint token means. It serves one authorization request; reloading its page is not a second one.
fn hinted(carrier: &Carrier, client: &Client, token: &str, user: String) -> Option<&'static Person> {
    carrier.hints.change(token, |hint| {
        let fresh = hint.used_by.as_ref().is_none_or(|used_by| *used_by == user);
        if hint.client_id != client.client_id || !fresh {
            return None;
        }
        hint.used_by = Some(user);
        Some(hint.person)
    })?
}

pub(super) fn is_correlation_id(id: &str) -> bool {
    (8..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Which attributes a scope means at a carrier.
pub(super) fn attributes_of(brand: &Brand, scope: &str) -> Vec<&'static str> {
    ATTRIBUTES.into_iter().filter(|name| scope.split(' ').any(|word| brand.scope(word) == Some(name))).collect()
}
