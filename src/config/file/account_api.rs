//! An API that says whose an access token is, described in the configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use crate::config::form::Written;
use crate::config::form::address::{IssuerName, ProviderUrl};
use crate::config::form::text::{ClaimName, Label};

/// Addresses, fields and lists of an OAuth 2.0 provider's API. A field is named as it stands in the API's JSON; `a.b` is the
/// field `b` of the object `a`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountApiFile {
    /// What stands for the issuer in its people's identities. It is not asked.
    #[schemars(required)]
    pub(crate) issuer: Option<Written<IssuerName>>,
    /// Where browsers are sent to sign in.
    #[schemars(required)]
    pub(crate) authorization: Option<Written<ProviderUrl>>,
    /// Where codes are redeemed.
    #[schemars(required)]
    pub(crate) token: Option<Written<ProviderUrl>>,
    /// Where the account of an access token is: one JSON object.
    #[schemars(required)]
    pub(crate) account: Option<Written<ProviderUrl>>,
    /// How the gateway shows the provider who it is.
    #[schemars(extend("default" = "client_secret_post"))]
    pub(crate) token_endpoint_auth_method: Option<SecretMethodWord>,
    /// The field that is the subject: a text or an integer that the provider never gives to another account. A login that can
    /// be given up and taken by somebody else is none.
    #[schemars(required)]
    pub(crate) subject: Option<Written<Label>>,
    /// Claims, and the field that each is read from.
    pub(crate) claims: Option<BTreeMap<String, String>>,
    /// The account's e-mail address, where the account itself says whether it was verified.
    pub(crate) email: Option<EmailFieldsFile>,
    /// Lists beside the account, over several pages.
    pub(crate) lists: Option<List<AccountListFile>>,
}

/// Where the account has its e-mail address. It counts only if `verified` is `true`.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailFieldsFile {
    /// The field with the address.
    #[schemars(required)]
    pub(crate) field: Option<Written<Label>>,
    /// The field that is `true` if the address was verified.
    #[schemars(required)]
    pub(crate) verified: Option<Written<Label>>,
}

/// A list of an API: a JSON array of objects. Either its items are values of `claim`, read from `fields`; or it is one of
/// e-mail addresses (`email`, `primary`, `verified`), of which the primary one counts if it is verified.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountListFile {
    /// Where it is.
    #[schemars(required)]
    pub(crate) address: Option<Written<ProviderUrl>>,
    /// The claim that its items are values of.
    pub(crate) claim: Option<Written<ClaimName>>,
    /// The fields of an item that are its value, joined by `/`.
    #[schemars(extend("minItems" = 1))]
    pub(crate) fields: Option<List<Written<Label>>>,
    /// Whether it is the list of e-mail addresses.
    #[schemars(extend("default" = false))]
    pub(crate) addresses: Option<bool>,
    /// The parameter that says how many items a page has. The page itself is `page`, from 1.
    #[schemars(extend("default" = "per_page"))]
    pub(crate) page_size_parameter: Option<Written<Label>>,
    /// How many items are asked for in one page: no more than the API gives. At most 20 pages are read.
    #[schemars(extend("default" = 100), range(min = 1, max = 1000))]
    pub(crate) page_size: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum SecretMethodWord {
    ClientSecretBasic,
    ClientSecretPost,
}
