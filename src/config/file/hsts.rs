//! `hsts`: browsers that came by https are to stay there.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Time;

/// `Strict-Transport-Security` (RFC 6797) on every answer, of apps and of our own, that goes out by https: over a listener with
/// `tls`, or through a trusted proxy that says so (`X-Forwarded-Proto: https`). What an app says of it is replaced. Without this key
/// apps speak for themselves.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HstsFile {
    /// For how long after an answer browsers use https alone; `0s` takes it back. Begin with minutes.
    #[schemars(required, extend("x-max" = "3650d"))]
    pub(crate) max_age: Time,
    /// For every name below the hosts too, whoever serves it.
    #[schemars(extend("default" = false))]
    pub(crate) include_subdomains: Option<bool>,
    /// Consent to the lists that browsers are built with. Takes a year to take back, and needs `include_subdomains` and `max_age` of a
    /// year.
    #[schemars(extend("default" = false))]
    pub(crate) preload: Option<bool>,
}
