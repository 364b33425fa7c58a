//! How a client proves who it is at a token endpoint, and how each carrier wants it.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::call::{Call, only};
use super::carrier::Carrier;
use super::jwt;
use super::mint::seconds;
use super::profile::Profile;
use super::refusal::Refusal;
use super::settings::Client;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DAY: u64 = 24 * 3600;

/// The client that sends a token request.
pub(super) fn authenticate(carrier: &Carrier, call: &Call) -> Result<Client, Refusal> {
    let field = |name| only(&call.body, name);
    let body_id = field("client_id")?;
    let secret = field("client_secret")?;
    let assertion = field("client_assertion")?;
    let basic = call
        .header("authorization")
        .map(|value| basic_credentials(value).ok_or(Refusal::client("This is not HTTP Basic")))
        .transpose()?;
    let ways = [secret.is_some(), assertion.is_some(), basic.is_some()];
    if ways.into_iter().filter(|used| *used).count() > 1 {
        return Err(Refusal::request("invalid_request", "The client authenticates in more than one way"));
    }
    if let Some((client_id, client_secret)) = basic {
        if body_id.is_some() && carrier.brand.profile == Profile::Verizon {
            return Err(Refusal::request("invalid_request", "client_id must not be in the body beside HTTP Basic"));
        }
        if body_id.is_some_and(|body_id| body_id != client_id) {
            return Err(Refusal::request("invalid_request", "client_id differs"));
        }
        return with_secret(carrier, &client_id, &client_secret);
    }
    if let Some(assertion) = assertion {
        if field("client_assertion_type")? != Some(ASSERTION_TYPE) {
            return Err(Refusal::client("client_assertion_type is wrong"));
        }
        return with_assertion(carrier, body_id, assertion);
    }
    match (body_id, secret) {
        (Some(_), Some(_)) if carrier.brand.profile == Profile::Att => {
            Err(Refusal::client("client_secret_post is not supported"))
        }
        (Some(client_id), Some(secret)) => with_secret(carrier, client_id, secret),
        _ => Err(Refusal::client("The client does not authenticate")),
    }
}

/// RFC 6749, 2.3.1: each half is form-encoded before the two are joined.
fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (client_id, secret) = joined.split_once(':')?;
    Some((form_decode(client_id)?, form_decode(secret)?))
}

fn form_decode(value: &str) -> Option<String> {
    // What the encoding would have changed must not be there.
    if value.contains(['&', '=']) {
        return None;
    }
    let mut pairs = url::form_urlencoded::parse(value.as_bytes());
    Some(pairs.next().map(|(text, _)| text.into_owned()).unwrap_or_default())
}

fn with_secret(carrier: &Carrier, client_id: &str, secret: &str) -> Result<Client, Refusal> {
    let client = carrier.registry.find(client_id);
    client
        .filter(|client| client.client_secret.as_deref() == Some(secret))
        .ok_or(Refusal::client("The client or its secret is not known"))
}

fn with_assertion(carrier: &Carrier, body_id: Option<&str>, assertion: &str) -> Result<Client, Refusal> {
    let client_id = body_id.ok_or(Refusal::client("client_id is missing beside the assertion"))?;
    let client = carrier.registry.find(client_id).ok_or(Refusal::client("The client is not known"))?;
    let claims = client
        .jwks
        .as_ref()
        .and_then(|jwks| jwt::verify(assertion, jwks))
        .ok_or(Refusal::client("The assertion is not signed by this client"))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    for name in ["iss", "sub", "client_id"] {
        if text(name) != Some(client_id) {
            return Err(Refusal::client("iss, sub and client_id have to be the client"));
        }
    }
    if text("aud") != Some(&carrier.token_endpoint()) {
        return Err(Refusal::client("aud is not this token endpoint"));
    }
    let now = seconds(SystemTime::now());
    let number = |name: &str| claims.get(name).and_then(Value::as_u64).unwrap_or(0);
    if number("exp") <= now || number("iat") + DAY < now || number("iat") > now + 60 {
        return Err(Refusal::client("The assertion is not of this hour"));
    }
    let jti = text("jti").ok_or(Refusal::client("jti is missing"))?;
    let seen = format!("{client_id} {jti}");
    if carrier.assertions.get(&seen).is_some() {
        return Err(Refusal::client("The assertion was used before"));
    }
    carrier.assertions.put_as(seen, ());
    Ok(client)
}
