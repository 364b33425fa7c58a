//! `bearer`: whose access tokens are accepted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::routes::AssuranceWord;
use super::{AbsentWord, List, Size};
use crate::config::form::Written;
use crate::config::form::address::{AllowedHost, IssuerName, ProviderUrl};
use crate::config::form::text::{Algorithm, Audience};

/// Whose access tokens are accepted on routes with `access: bearer` or `session-or-bearer`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BearerFile {
    /// Issuers of access tokens in JWT form (RFC 9068).
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) issuers: Option<List<BearerIssuerFile>>,
    /// Good tokens that are held in memory for quick answers, until they end or their issuer's keys change.
    #[schemars(extend("default" = 100_000), range(min = 1, max = 10_000_000))]
    pub(crate) cache_entries: Option<u64>,
    /// Longest access token that is looked at, in bytes. Keycloak's of people in hundreds of groups have 20 KiB; such a request
    /// needs `limits.header_bytes` to match.
    #[schemars(extend("default" = "16KiB", "x-min" = "1KiB", "x-max" = "256KiB"))]
    pub(crate) max_token: Size,
    /// Forged tokens that one client may send in a minute (what a client is: see `sign_in.starts_per_minute`); beyond it
    /// 429, before any signature is looked at. Tokens found good before still pass.
    #[schemars(extend("default" = 60), range(min = 1, max = 60_000))]
    pub(crate) failures_per_minute: Option<u32>,
}

/// An issuer of access tokens, and which of its tokens are for us.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BearerIssuerFile {
    /// The issuer, exactly as it stands in its tokens. It may be the provider's.
    #[schemars(required)]
    pub(crate) issuer: Option<Written<IssuerName>>,
    /// Names of the APIs behind the gateway: a token must name one of them in `aud`. Without them a token for any other
    /// API would open these.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) audiences: Option<List<Written<Audience>>>,
    /// Audiences that may stand beside these, such as `account`; a token that names any other is refused.
    #[schemars(extend("default" = []))]
    pub(crate) trusted_audiences: Option<List<Written<Audience>>>,
    /// Where its keys are. Without it, `{issuer}/.well-known/openid-configuration` is asked.
    pub(crate) jwks_uri: Option<Written<ProviderUrl>>,
    /// Further hosts that its metadata may name for the keys, exact; its own is always allowed.
    #[schemars(extend("default" = []))]
    pub(crate) allowed_hosts: Option<List<Written<AllowedHost>>>,
    /// Signature algorithms that its tokens may have.
    #[schemars(extend("default" = ["RS256"], "minItems" = 1))]
    pub(crate) algorithms: Option<List<Written<Algorithm>>>,
    /// Accept tokens that do not call themselves `at+jwt`: whose `typ` is missing or `JWT`. Those with marks of an ID or
    /// logout token are refused even so.
    #[schemars(extend("default" = false))]
    pub(crate) accept_untyped: Option<bool>,
    /// Let e-mail addresses and phone numbers count although the issuer says that nobody verified them (`email_verified`
    /// or `phone_number_verified` is there and is not true). Without it they are left out: of headers, rules and
    /// `userinfo`. Whoever may type an address at the issuer is then whoever the app takes that address for.
    #[schemars(extend("default" = false))]
    pub(crate) accept_unverified_contacts: Option<bool>,
    /// What it means that the issuer does not say whether an e-mail address was verified: `unverified` (rules by
    /// `email_domains` are not met, though apps get the address), or `verified`, for issuers that never say so and where
    /// people cannot choose their address. A word that says no counts in any case.
    #[schemars(extend("default" = "unverified"))]
    pub(crate) email_verified_absent: Option<AbsentWord>,
    /// Claims in which several values stand in one text: the claim's name, and what stands between two values, such as `","`
    /// or `" "` (any white space); `json` where the text is a list in JSON.
    pub(crate) split_claims: Option<BTreeMap<String, String>>,
    /// What the issuer's words for authentication contexts (`acr`) assure: `{ gold: person }`, each word `network`, `device`,
    /// `person` or `strong`. Without it what is known of the provider with the same issuer; of other issuers' words nothing is
    /// known, and no route that demands an `assurance` takes their tokens.
    #[schemars(extend("minProperties" = 1))]
    pub(crate) assurance: Option<BTreeMap<String, AssuranceWord>>,
}
