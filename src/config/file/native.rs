//! `native`: sign-ins that apps on phones hand in.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Time};
use crate::config::form::Written;
use crate::config::form::address::RouteHost;
use crate::config::form::text::Resource;

/// Sign-ins that apps on phones make by themselves and hand in at `{prefix}/native` (docs/ZENKEY.md). Without this key there are
/// none.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NativeFile {
    /// Redirect URIs of your apps, exact, as registered with the carriers: a code counts only with the one that it was asked
    /// for with.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) redirect_uris: Option<List<Written<Resource>>>,
    /// Hosts on which apps hand in and use their session; it counts on the one where it was handed in. Without it: that of
    /// `public_url`.
    #[schemars(extend("minItems" = 1))]
    pub(crate) hosts: Option<List<Written<RouteHost>>>,
    /// How long a nonce lives that an app was given for one sign-in.
    #[schemars(extend("default" = "10m", "x-min" = "30s", "x-max" = "1h"))]
    pub(crate) nonce_ttl: Time,
    /// Requests that one client may make at these addresses in a minute, and twice as many at once; beyond it 429, `0` for no
    /// limit. Phones of one network may share an address.
    #[schemars(extend("default" = 600), range(min = 0, max = 1_000_000))]
    pub(crate) per_minute: Option<u32>,
    /// Refuse people who are linked to no account of the app (403 `unlinked_user`).
    #[schemars(extend("default" = false))]
    pub(crate) linked_account: Option<bool>,
}
