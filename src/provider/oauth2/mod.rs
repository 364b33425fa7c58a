//! OAuth 2.0 providers without ID tokens, as data: where their API says who somebody is, and which of its fields mean what.
//!
//! GitHub is the first. Another one is another [`AccountApi`], not another piece of code.

mod account;
mod github;

pub(super) use account::{Listed, read_account, read_page};

use url::Url;

use super::Carrier;
use crate::oidc::client_auth::AuthMethod;

/// Most pages of one list that are asked for. A list that goes on is used as far as it was read, and the log says so.
pub(super) const MOST_PAGES: usize = 20;

/// What a provider's API is, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountApi {
    /// What stands for `iss` in the identities of its people.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where the code is redeemed.
    pub token_endpoint: Url,
    /// Where the account of an access token is: one JSON object.
    pub account_endpoint: Url,
    /// How we show it who we are.
    pub auth_method: AuthMethod,
    /// The field that is the subject, as `id`: a text or an integer that the provider never gives to another account.
    pub subject: String,
    /// Claims and the fields that they are read from; `a.b` is the field `b` of the object `a`.
    pub claims: Vec<(String, String)>,
    /// The field with the e-mail address, and the one that is `true` if the address was verified: else it is not read.
    pub email: Option<(String, String)>,
    /// Lists that are asked for beside the account.
    pub lists: Vec<AccountList>,
}

impl AccountApi {
    /// The provider as one sign-in knows it. There are no keys, and nobody asks for any.
    pub(super) fn carrier(&self) -> Carrier {
        Carrier {
            issuer: self.issuer.clone(),
            authorization_endpoint: self.authorization_endpoint.clone(),
            token_endpoint: self.token_endpoint.clone(),
            userinfo_endpoint: None,
            end_session_endpoint: None,
            jwks_uri: self.account_endpoint.clone(),
            mccmnc: None,
            mccmnc_confirmed: false,
            iss_parameter_supported: false,
            auth_method: self.auth_method,
            pushed_endpoint: None,
            server_initiated_endpoint: None,
            server_initiated_cancel_endpoint: None,
            sim_tenure_endpoint: None,
            requires_pushed_requests: false,
        }
    }
}

/// A list that an API keeps beside the account, over several pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountList {
    /// Where it is. The size of a page and `page` are added to its query.
    pub endpoint: Url,
    /// What becomes of it.
    pub meaning: ListMeaning,
    /// The parameter that says how many items a page has.
    pub page_size_parameter: String,
    /// How many items are asked for in one page: 1 to 1,000. A page with another number of them is the last.
    pub page_size: usize,
}

/// What becomes of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListMeaning {
    /// Each item is a value of a claim: its fields, joined by `/`.
    Values {
        /// The claim.
        claim: String,
        /// The fields.
        fields: Vec<String>,
    },
    /// E-mail addresses with `email`, `primary` and `verified`: the primary one, if it is verified, is the claim `email`.
    Addresses,
}
