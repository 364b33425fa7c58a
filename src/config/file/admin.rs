//! `admin`: who may do what on the private listener.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Time};
use crate::config::form::Written;
use crate::config::form::address::RouteHost;
use crate::config::form::text::Label;
use crate::config::secret_ref::SecretRef;

/// Who may do what on the private listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminFile {
    /// Names under which it may be asked, beside addresses and `localhost`. A request for any other gets 421: a page in
    /// somebody's browser could otherwise read it through a name of its own.
    #[schemars(extend("default" = []))]
    pub(crate) hosts: Option<List<Written<RouteHost>>>,
    /// Who may have what is not open to all: everything but health and metrics. Without any, nobody.
    pub(crate) tokens: Option<List<AdminTokenFile>>,
    /// Open connections on it.
    #[schemars(extend("default" = 64), range(min = 4, max = 10_000))]
    pub(crate) connections: Option<u32>,
    /// Time in which all headers of a request must have come.
    #[schemars(extend("default" = "5s", "x-min" = "1s", "x-max" = "5m"))]
    pub(crate) header_deadline: Time,
    /// Time in which the body of a request must have come.
    #[schemars(extend("default" = "1m", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) body_deadline: Time,
}

/// A token for the private listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminTokenFile {
    /// Who has it, for the log.
    #[schemars(required)]
    pub(crate) name: Option<Written<Label>>,
    /// The token, of at least 32 characters (`openssl rand -base64 32`), to be sent as `Authorization: Bearer …`.
    #[schemars(required)]
    pub(crate) token: Option<SecretRef>,
    /// What it allows: `read` (how the gateway does), `accounts` (to read and change links of people to accounts, and nothing
    /// else), `approvals` (to ask people for approvals, and nothing else), or `operate` (all of it).
    #[schemars(required)]
    pub(crate) scope: Option<ScopeWord>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum ScopeWord {
    Read,
    Accounts,
    Approvals,
    Operate,
}
