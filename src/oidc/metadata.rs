//! A provider's metadata: OpenID Connect Discovery 1.0 section 3, as carriers really write it.
//!
//! Lenient where it costs nothing (dossier 2.3 and 5: blanks for absent, numbers for strings, booleans in lists),
//! strict where a mistake would send a code, a secret or a browser to the wrong place.

use serde_json::{Map, Value};
use url::Url;

use super::json;

/// A member that is judged when somebody wants to use it: a fault in an address that is never asked ends no sign-in.
pub type Member<T> = Result<T, MetadataError>;

/// What we use of a provider's metadata. Not yet compared with any trust list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// `issuer`, byte for byte: the expected `iss` of ID tokens.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: Member<Url>,
    /// Where codes are redeemed.
    pub token_endpoint: Member<Url>,
    /// Where the keys are; absent or blank at some carriers (dossier 2.2).
    pub jwks_uri: Member<Option<Url>>,
    /// Where attributes are.
    pub userinfo_endpoint: Member<Option<Url>>,
    /// Where a browser is sent to end the session at the provider (RP-Initiated Logout 1.0, 2.1).
    pub end_session_endpoint: Member<Option<Url>>,
    /// Where authorization requests may be pushed (RFC 9126, 5).
    pub pushed_authorization_request_endpoint: Member<Option<Url>>,
    /// Where our server has a person asked on their phone; an old name of it is read where the new one is absent (dossier 20,
    /// row 34).
    pub server_initiated_authorization_endpoint: Member<Option<Url>>,
    /// Where such a question is taken back.
    pub server_initiated_cancel_endpoint: Member<Option<Url>>,
    /// Where the carrier says how long a person's number has been on its SIM (dossier 16): `usertrait_endpoint`, where
    /// `usertraits_supported` names `sim_tenure_24`.
    pub sim_tenure_endpoint: Member<Option<Url>>,
    /// `require_pushed_authorization_requests` (RFC 9126, 5); default false.
    pub requires_pushed_requests: bool,
    /// `authorization_response_iss_parameter_supported` (RFC 9207 section 3); default false.
    pub iss_parameter_supported: bool,
    /// Six ASCII digits: the carrier that was resolved, when the document says so (ZenKey).
    pub mccmnc: Member<Option<String>>,
    /// `token_endpoint_auth_methods_supported`; empty if absent, which means `client_secret_basic` (Discovery 3).
    pub token_auth_methods: Vec<String>,
    /// `code_challenge_methods_supported`; empty if absent. Informational: S256 is sent whatever it says (B07).
    pub code_challenge_methods: Vec<String>,
}

/// Why a metadata document is not usable. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A member that must be a plain absolute http(s) URL is something else: name of the member.
    #[error("`{0}` is not an absolute http or https URL without user, password and fragment")]
    BadUrl(&'static str),
    /// `mccmnc` is there and is neither six digits nor a number of at most six digits.
    #[error("`mccmnc` is not six digits")]
    Mccmnc,
    /// A required member is absent or blank: its name.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Not one JSON object, or members are repeated, or nested too deep.
    #[error("the document is not a JSON object with unique members")]
    NotAnObject,
}

impl ProviderMetadata {
    /// Reads a metadata document. The caller has capped its size.
    pub fn parse(body: &[u8]) -> Result<Self, MetadataError> {
        Self::pick(&json::object(body).ok_or(MetadataError::NotAnObject)?)
    }

    /// Picks our members out of an object that was already read; everything else in it is ignored.
    pub(crate) fn pick(document: &Map<String, Value>) -> Result<Self, MetadataError> {
        let issuer = text(document, "issuer").ok_or(MetadataError::Missing("issuer"))?;
        let parsed = endpoint("issuer", issuer)?;
        if parsed.query().is_some() {
            return Err(MetadataError::BadUrl("issuer"));
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: required(document, "authorization_endpoint"),
            token_endpoint: required(document, "token_endpoint"),
            jwks_uri: optional(document, "jwks_uri"),
            userinfo_endpoint: optional(document, "userinfo_endpoint"),
            end_session_endpoint: optional(document, "end_session_endpoint"),
            pushed_authorization_request_endpoint: optional(document, "pushed_authorization_request_endpoint"),
            server_initiated_authorization_endpoint: match optional(document, "server_initiated_authorization_endpoint")
            {
                Ok(None) => optional(document, "server_initiated_endpoint"),
                found => found,
            },
            server_initiated_cancel_endpoint: optional(document, "server_initiated_cancel_endpoint"),
            sim_tenure_endpoint: match names(document, "usertraits_supported", "sim_tenure_24") {
                true => optional(document, "usertrait_endpoint"),
                false => Ok(None),
            },
            requires_pushed_requests: document.get("require_pushed_authorization_requests").is_some_and(promised),
            iss_parameter_supported: document
                .get("authorization_response_iss_parameter_supported")
                .is_some_and(promised),
            mccmnc: document.get("mccmnc").map_or(Ok(None), mccmnc),
            token_auth_methods: list(document, "token_endpoint_auth_methods_supported"),
            code_challenge_methods: list(document, "code_challenge_methods_supported"),
        })
    }

    /// Whether this document is `issuer`'s own: exact equality, no trailing-slash forgiveness (Discovery 4.3).
    ///
    /// A document that may speak for another issuer lets one carrier name its own keys for another's people.
    pub fn is_for(&self, issuer: &str) -> bool {
        self.issuer == issuer
    }
}

/// A member that is a string and not blank.
fn text<'a>(document: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    document.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Whether a member names `word`: as one text, between blanks (dossier 2.2), or as an element of a list.
fn names(document: &Map<String, Value>, name: &str, word: &str) -> bool {
    match document.get(name) {
        Some(Value::String(words)) => words.split(' ').any(|found| found == word),
        Some(Value::Array(words)) => words.iter().any(|found| found.as_str() == Some(word)),
        _ => false,
    }
}

fn required(document: &Map<String, Value>, name: &'static str) -> Result<Url, MetadataError> {
    optional(document, name)?.ok_or(MetadataError::Missing(name))
}

fn optional(document: &Map<String, Value>, name: &'static str) -> Result<Option<Url>, MetadataError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(blank)) if blank.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => endpoint(name, text).map(Some),
        Some(_) => Err(MetadataError::BadUrl(name)),
    }
}

fn endpoint(name: &'static str, text: &str) -> Result<Url, MetadataError> {
    absolute_url(text).ok_or(MetadataError::BadUrl(name))
}

/// An absolute http(s) URL without user, password and fragment, at most 2 KiB.
///
/// The URL parser forgives backslashes, tabs, missing or extra slashes, encoded host names and surrounding blanks. What
/// it would have to forgive is refused, so that what an operator reads in a document is the host we talk to.
pub(crate) fn absolute_url(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let plain = text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if !web || !plain || authority.is_empty() || authority.contains(['@', '%']) {
        return None;
    }
    Url::parse(text).ok().filter(|url| url.has_host() && url.fragment().is_none())
}

/// `true`, also inside a one-element list (dossier 2.3) or as a string: whoever promises `iss` is held to it.
fn promised(value: &Value) -> bool {
    match value {
        Value::Bool(promise) => *promise,
        Value::String(word) => word.eq_ignore_ascii_case("true"),
        Value::Array(items) => matches!(items.as_slice(), [Value::Bool(true)]),
        _ => false,
    }
}

fn mccmnc(value: &Value) -> Result<Option<String>, MetadataError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(text.clone())),
        Value::Number(number) => match number.as_u64() {
            Some(code) if code <= 999_999 => Ok(Some(format!("{code:06}"))),
            _ => Err(MetadataError::Mccmnc),
        },
        _ => Err(MetadataError::Mccmnc),
    }
}

/// The strings of a list; a lone string counts as a list of one, anything else as nothing.
fn list(document: &Map<String, Value>, name: &str) -> Vec<String> {
    match document.get(name) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) if !one.trim().is_empty() => vec![one.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
