//! `approvals`: asking people for approvals, on their phones or in their browsers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Time;
use crate::config::form::Written;
use crate::config::form::address::{Origin, ProviderUrl};

/// Asking people who are signed in for one thing, on their phones or in their browsers. The app asks on the private listener, with
/// a token of scope `approvals`. Without this key nobody is asked. Questions on the phone are taken by carriers from clients with
/// keys only (`client_keys`, RS256), which answer at `{prefix}/approvals/notify`: to be registered with them as notification URI.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalsFile {
    /// Origin of the app: who receipts and events are for, their `aud`. Without it: `public_url`.
    pub(crate) audience: Option<Written<Origin>>,
    /// How long a person has to answer, unless the app says otherwise.
    #[schemars(extend("default" = "5m", "x-min" = "10s", "x-max" = "48h"))]
    pub(crate) ttl: Time,
    /// How long a receipt or an event is good. The app gets a new receipt whenever it asks.
    #[schemars(extend("default" = "2m", "x-min" = "10s", "x-max" = "10m"))]
    pub(crate) receipt_ttl: Time,
    /// How long it is kept how an approval ended.
    #[schemars(extend("default" = "1h", "x-min" = "1m", "x-max" = "7d"))]
    pub(crate) keep: Time,
    /// Approvals that one person may be asked for on their phone in an hour; beyond it 429. One at a time in any case.
    #[schemars(extend("default" = 3), range(min = 1, max = 60))]
    pub(crate) per_hour: Option<u32>,
    /// Approvals that one person may be asked for in their browser in an hour; beyond it 429.
    #[schemars(extend("default" = 30), range(min = 1, max = 200))]
    pub(crate) in_browser_per_hour: Option<u32>,
    /// How long somebody who has said no is not asked again; `0s`: not at all.
    #[schemars(extend("default" = "15m", "x-min" = "0s", "x-max" = "1d"))]
    pub(crate) pause_after_denial: Time,
    /// Most approvals that are kept at once in a file or in memory; beyond it 507. Redis keeps as many as it has room for.
    #[schemars(extend("default" = 10_000), range(min = 1, max = 100_000))]
    pub(crate) max_kept: Option<u64>,
    /// Where the app is told how an approval ended: a signed event, by POST. `https`, or `http` on this machine. Without it the
    /// app asks.
    pub(crate) webhook: Option<Written<ProviderUrl>>,
}
