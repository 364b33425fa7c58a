//! An account as a provider's API described it: what an OAuth 2.0 provider has in place of an ID token.

use std::collections::BTreeMap;

use super::ClaimValue;

/// Who an access token belongs to, as an API of the provider said over TLS, asked at an address of the configuration with
/// the access token that our own code was redeemed for.
///
/// Nobody signed it, and nothing in it says how or when the person signed in. So it has no authentication context and no
/// time of authentication: a rule that wants either is never met by it, whatever the API says.
///
/// Rule: born where that API is asked, and nowhere else. Whoever could make one could name anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAccount {
    issuer: String,
    subject: String,
    claims: BTreeMap<String, ClaimValue>,
}

impl ApiAccount {
    /// `subject` is what the provider itself never gives to another account: an id, not a name that can be changed.
    pub(crate) fn fetched(issuer: String, subject: String, claims: BTreeMap<String, ClaimValue>) -> Self {
        Self { issuer, subject, claims }
    }

    /// The name that the configuration gives the provider.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The account's id at the provider.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What else is known of it.
    pub fn claims(&self) -> &BTreeMap<String, ClaimValue> {
        &self.claims
    }
}
