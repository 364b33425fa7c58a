//! Who may ask the private listener, and for what.

use http::{HeaderMap, HeaderValue, header};

use crate::secret::{SecretString, constant_time_eq, sha256};

/// What a token of the private listener allows. What watches the gateway needs none: health and metrics are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// To read how the gateway does and what it was told to do.
    Read,
    /// To read and change to which account of the app people belong, and nothing else: for the app itself.
    Accounts,
    /// To ask people for approvals and to hear what they answered, and nothing else: for the app itself.
    Approvals,
    /// All of it.
    Operate,
}

impl Scope {
    /// Whether a token of this scope may have what is given for `wanted`.
    fn allows(self, wanted: Self) -> bool {
        self == wanted || self == Self::Operate
    }
}

/// One token and what it allows. What is kept is its digest: whoever reads our memory later cannot use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// Who it was given to, for the log.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    digest: [u8; 32],
}

impl AdminToken {
    /// Fewest characters of a token; `openssl rand -base64 32` makes 44.
    pub const SHORTEST: usize = 32;

    /// From its text.
    pub fn new(name: String, scope: Scope, text: &SecretString) -> Self {
        Self { name, scope, digest: sha256(text.expose().as_bytes()) }
    }

    /// Whether both were made of the same text.
    pub fn is_same_token(&self, other: &Self) -> bool {
        constant_time_eq(&self.digest, &other.digest)
    }
}

/// What becomes of somebody who asks for something that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// They may have it.
    Granted(&'a AdminToken),
    /// Nobody whom we know.
    Unknown,
    /// Somebody whose token allows less.
    Forbidden(&'a AdminToken),
}

/// Judges the one `Authorization` field of a request against the tokens there are.
pub(super) fn judge<'a>(tokens: &'a [AdminToken], headers: &HeaderMap, wanted: Scope) -> Entry<'a> {
    let Some(text) = bearer(headers) else { return Entry::Unknown };
    let digest = sha256(text.as_bytes());
    // All of them are compared, so that the time tells nothing about which came near.
    let mut known = None;
    for token in tokens {
        if constant_time_eq(&token.digest, &digest) {
            known = Some(token);
        }
    }
    match known {
        Some(token) if token.scope.allows(wanted) => Entry::Granted(token),
        Some(token) => Entry::Forbidden(token),
        None => Entry::Unknown,
    }
}

/// The token of exactly one `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::to_str);
    let (Some(Ok(field)), None) = (fields.next(), fields.next()) else { return None };
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, scope: Scope) -> AdminToken {
        AdminToken::new(name.to_owned(), scope, &SecretString::new(format!("token-of-{name}")))
    }

    fn ask(field: &str, wanted: Scope) -> &'static str {
        let tokens = [token("reader", Scope::Read), token("app", Scope::Accounts), token("operator", Scope::Operate)];
        let mut headers = HeaderMap::new();
        for field in field.split('|').filter(|field| !field.is_empty()) {
            headers.append(header::AUTHORIZATION, field.parse().unwrap());
        }
        match judge(&tokens, &headers, wanted) {
            Entry::Granted(_) => "granted",
            Entry::Unknown => "unknown",
            Entry::Forbidden(_) => "forbidden",
        }
    }

    #[test]
    fn a_token_allows_its_scope_and_what_is_below_it() {
        for (field, read, operate) in [
            ("Bearer token-of-reader", "granted", "forbidden"),
            ("Bearer token-of-app", "forbidden", "forbidden"),
            ("bearer token-of-operator", "granted", "granted"),
            ("", "unknown", "unknown"),
            ("Bearer", "unknown", "unknown"),
            ("Bearer ", "unknown", "unknown"),
            ("Bearer  token-of-reader", "unknown", "unknown"),
            ("Bearer token-of-reader ", "unknown", "unknown"),
            ("Bearer Token-of-reader", "unknown", "unknown"),
            ("Bearer token-of-reade", "unknown", "unknown"),
            ("Basic token-of-reader", "unknown", "unknown"),
            ("token-of-reader", "unknown", "unknown"),
            ("Bearer token-of-reader|Bearer token-of-reader", "unknown", "unknown"),
        ] {
            assert_eq!((ask(field, Scope::Read), ask(field, Scope::Operate)), (read, operate), "{field:?}");
        }
        for (name, accounts) in [("reader", "forbidden"), ("app", "granted"), ("operator", "granted")] {
            assert_eq!(ask(&format!("Bearer token-of-{name}"), Scope::Accounts), accounts, "{name}");
        }
    }

    #[test]
    fn without_tokens_nothing_is_granted() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Bearer ".parse().unwrap());
        assert_eq!(judge(&[], &headers, Scope::Read), Entry::Unknown);
        headers.insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        assert_eq!(judge(&[], &headers, Scope::Read), Entry::Unknown);
    }
}
