//! What was said on the wire: every request to a part of the simulation and its answer, without what would let anybody in.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::Value;

/// Exchanges that are kept.
const KEPT: usize = 100;
/// Longest body that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;
/// Longest value that is shown whole, in characters.
const SHOWN: usize = 120;

/// Parameters whose values open something, or will.
const SECRETS: [&str; 16] = [
    "access_token",
    "authorization",
    "client_assertion",
    "client_notification_token",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "login_hint_token",
    "nonce",
    "port_token",
    "refresh_token",
    "request",
    "state",
    "ticket",
    "x-authorization",
];

/// One request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// `browser` or `server`.
    pub(super) from: &'static str,
    /// The part that was asked.
    pub(super) to: &'static str,
    pub(super) request: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) status: u16,
    pub(super) answer: Vec<(String, String)>,
}

/// The record. Cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire(Arc<Mutex<VecDeque<Exchange>>>);

impl Wire {
    /// Everything, oldest first.
    pub(super) fn all(&self) -> Vec<Exchange> {
        self.0.lock().iter().cloned().collect()
    }

    /// Begins anew.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    fn note(&self, exchange: Exchange) {
        let mut kept = self.0.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(exchange);
    }
}

/// Writes an exchange with `part` down.
pub(super) async fn note(State((wire, part)): State<(Wire, &'static str)>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path.contains("/_control") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST).await else {
        return axum::response::IntoResponse::into_response(axum::http::StatusCode::PAYLOAD_TOO_LARGE);
    };
    let from = if parts.headers.contains_key("sec-fetch-mode") { "browser" } else { "server" };
    let line = format!("{} {path}", parts.method);
    let mut parameters = pairs(parts.uri.query().unwrap_or_default().as_bytes());
    parameters.extend(read(&parts.headers, &bytes));
    for name in ["authorization", "x-authorization"] {
        if let Some(value) = parts.headers.get(name).and_then(|value| value.to_str().ok()) {
            parameters.push((name.to_owned(), shown(name, value)));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let mut answer = read(&parts.headers, &bytes);
    if let Some(to) = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()) {
        let (place, query) = to.split_once('?').unwrap_or((to, ""));
        answer.push(("leads to".to_owned(), place.to_owned()));
        answer.extend(pairs(query.as_bytes()));
    }
    wire.note(Exchange { from, to: part, request: line, parameters, status: parts.status.as_u16(), answer });
    Response::from_parts(parts, Body::from(bytes))
}

/// What a body says: the members of JSON, or the fields of a form.
fn read(headers: &HeaderMap, body: &[u8]) -> Vec<(String, String)> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return pairs(body);
    }
    if !kind.contains("json") {
        return Vec::new();
    }
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.iter().map(|(name, value)| (name.clone(), shown(name, &text(value)))).collect()
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).map(|(name, value)| (name.to_string(), shown(&name, &value))).collect()
}

/// A value as it may be seen: of what opens something its beginning, of a token what it says, of long ones a part.
fn shown(name: &str, value: &str) -> String {
    if let Some(says) = claims(value) {
        return format!("(signed) {says}");
    }
    if SECRETS.contains(&name.to_ascii_lowercase().as_str()) {
        let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
        let value = value.strip_prefix(scheme).unwrap_or(value).trim_start();
        let start: String = value.chars().take(4).collect();
        return format!("{scheme} {start}… ({} characters)", value.chars().count()).trim_start().to_owned();
    }
    if value.chars().count() > SHOWN {
        return format!("{}…", value.chars().take(SHOWN).collect::<String>());
    }
    value.to_owned()
}

/// What a signed token says, without the signature by which it counts; in it, secrets are cut as well.
fn claims(token: &str) -> Option<String> {
    let mut parts = token.strip_prefix("Bearer ").unwrap_or(token).split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let members = claims.as_object()?.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {}", if name == "aka" { "(port token)".to_owned() } else { shown(name, &text) })
    });
    Some(members.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_something_is_never_shown_whole() {
        for name in SECRETS {
            let text = shown(name, "abcdefghijklmnop");
            assert!(!text.contains("abcdefgh") && text.contains("16 characters"), "{name}: {text}");
        }
        assert_eq!(shown("authorization", "Basic abcdefgh"), "Basic abcd… (8 characters)");
        assert_eq!(shown("scope", "openid"), "openid");
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"sub":"310-1","nonce":"abcdefghijk"}"#));
        let text = shown("id_token", &token);
        assert!(text.contains("sub: 310-1") && !text.contains("abcdefgh") && !text.contains("c2ln"), "{text}");
    }
}
