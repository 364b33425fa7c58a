//! A carrier's token endpoint: which code may be redeemed, and by whom.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::call::{Call, only};
use super::carrier::Carrier;
use super::client_auth::authenticate;
use super::mint::{Access, Grant, issue};
use super::profile::Profile;
use super::refusal::Refusal;
use super::settings::Client;

/// The endpoint.
pub(super) async fn token(State(carrier): State<Arc<Carrier>>, call: Call) -> Response {
    carrier.journal.record("token", &call);
    if let Some(response) = carrier.interfere("token").await {
        return response;
    }
    if call.method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match redeem(&carrier, &call).await {
        Ok(body) => ([(header::CACHE_CONTROL, "no-cache, no-store"), (header::PRAGMA, "no-cache")], axum::Json(body))
            .into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn redeem(carrier: &Carrier, call: &Call) -> Result<Map<String, Value>, Refusal> {
    let client = authenticate(carrier, call)?;
    let field = |name| only(&call.body, name);
    match field("grant_type")? {
        Some("authorization_code") => {}
        Some("refresh_token") if carrier.rules.read().refresh_tokens => {
            return refresh(carrier, &client, field("refresh_token")?).await;
        }
        Some(_) => {
            return Err(Refusal::request("unsupported_grant_type", "This grant_type is not supported"));
        }
        None => return Err(Refusal::request("invalid_request", "grant_type is missing")),
    }
    let code = field("code")?.ok_or(Refusal::request("invalid_request", "code is missing"))?;
    let grant = take_once(carrier, code)?;
    if grant.request.client.client_id != client.client_id {
        return Err(Refusal::request("invalid_grant", "The code was issued to another client"));
    }
    if field("redirect_uri")? != Some(&grant.request.to.redirect_uri) {
        return Err(Refusal::request("invalid_grant", "redirect_uri is not the one of the authorization request"));
    }
    check_verifier(carrier, &grant, field("code_verifier")?)?;
    let same = field("correlation_id")? == grant.request.to.correlation_id.as_deref();
    if !same && !carrier.rules.read().correlation_unchecked {
        return Err(Refusal::request("invalid_request", "correlation_id is not the one of the authorization request"));
    }
    Ok(issue(carrier, code, grant).await?)
}

/// RFC 6749, 6. A refresh token is good for one use, after which its successor is (RFC 9700, 4.14.2).
async fn refresh(carrier: &Carrier, client: &Client, token: Option<&str>) -> Result<Map<String, Value>, Refusal> {
    let token = token.ok_or(Refusal::request("invalid_request", "refresh_token is missing"))?;
    let unknown = Refusal::request("invalid_grant", "The refresh token is not known");
    let Access { code, mut grant } = carrier.refreshes.take(token).ok_or(unknown)?;
    if grant.request.client.client_id != client.client_id {
        return Err(Refusal::request("invalid_grant", "The refresh token was issued to another client"));
    }
    if carrier.rules.read().departed.iter().any(|id| id == grant.request.person.id) {
        return Err(Refusal::request("invalid_grant", "The person is a customer no more"));
    }
    // OpenID Connect Core 1.0, 12.2: no nonce, for there was no authentication.
    grant.request.nonce = None;
    Ok(issue(carrier, &code, grant).await?)
}

/// RFC 6749, 4.1.2: a code that comes twice gives nothing, and takes back what it gave.
fn take_once(carrier: &Carrier, code: &str) -> Result<Grant, Refusal> {
    let found = carrier.codes.change(code, |grant| {
        let before = grant.clone();
        grant.redeemed = true;
        before
    });
    match found {
        Some(grant) if grant.redeemed => {
            carrier.tokens.retain(|access| access.code != code);
            Err(Refusal::request("invalid_grant", "The code was used before"))
        }
        Some(grant) => Ok(grant),
        None => Err(Refusal::request("invalid_grant", "The code is not known")),
    }
}

fn check_verifier(carrier: &Carrier, grant: &Grant, verifier: Option<&str>) -> Result<(), Refusal> {
    let Some(challenge) = &grant.request.code_challenge else {
        return Ok(());
    };
    if carrier.rules.read().pkce_ignored {
        return Ok(());
    }
    let verifier = verifier.ok_or(Refusal::request("invalid_request", "code_verifier is missing"))?;
    let legal = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    if legal && URL_SAFE_NO_PAD.encode(hash) == *challenge {
        return Ok(());
    }
    let error = match carrier.brand.profile {
        // The name this carrier had for it.
        Profile::Att => "request_denied",
        Profile::Tmobile | Profile::Verizon => "invalid_grant",
    };
    Err(Refusal::request(error, "code_verifier does not match"))
}
