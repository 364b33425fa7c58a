//! What a program is told to bring (`WWW-Authenticate`; RFC 9110, 11.6.1; RFC 6750, 3).

use http::HeaderValue;

use super::refusal::Refusal;
use crate::snapshot::{CompiledRoute, Snapshot};

/// A bearer token, with the public host as `realm`: some clients of container registries do without a challenge that has
/// none. `None` if what it says fits into no header.
pub(super) fn bearer(snapshot: &Snapshot, parameters: &str) -> Option<HeaderValue> {
    let realm = snapshot.public_host();
    let sign = if parameters.is_empty() { "" } else { ", " };
    HeaderValue::try_from(format!("Bearer realm=\"{realm}\"{sign}{parameters}")).ok()
}

/// What a program is told that was refused.
pub(super) fn challenge(snapshot: &Snapshot, refusal: Refusal, scopes: &[String]) -> Option<HeaderValue> {
    let scopes_missing;
    let parameters = match refusal {
        Refusal::PolicyUnmet => "error=\"insufficient_scope\"",
        Refusal::ScopeMissing => {
            scopes_missing = format!("error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "));
            &scopes_missing
        }
        Refusal::SeveralCredentials => "error=\"invalid_request\"",
        Refusal::TokenInvalid => "error=\"invalid_token\"",
        // RFC 6750, 3.1: who did not try is not told of an error.
        Refusal::TokenMissing => "",
        _ => return None,
    };
    bearer(snapshot, parameters)
}

/// What a program is told to bring for `route`: a token, or a session, of a stronger or more recent sign-in (RFC 9470, 3).
pub(super) fn stronger(snapshot: &Snapshot, route: &CompiledRoute) -> Option<HeaderValue> {
    let mut parameters = "error=\"insufficient_user_authentication\"".to_owned();
    let words = route.stronger_words();
    if !words.is_empty() {
        parameters.push_str(&format!(", acr_values=\"{words}\""));
    }
    if let Some(age) = route.require.max_auth_age {
        parameters.push_str(&format!(", max_age=\"{}\"", age.as_secs()));
    }
    bearer(snapshot, &parameters)
}
