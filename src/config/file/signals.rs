//! `signals`: what issuers tell us of people.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Time;

/// Signals that issuers send about people who sign in here: security event tokens (RFC 8417) by POST at `{prefix}/signals`
/// (docs/ZENKEY.md). Without this key none are taken.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalsFile {
    /// What follows each event.
    pub(crate) events: Option<SignalEventsFile>,
    /// How old a signal may be; older ones are refused.
    #[schemars(extend("default" = "10m", "x-min" = "1m", "x-max" = "1d"))]
    pub(crate) max_age: Time,
}

/// What follows each event: `end` ends the sessions of the person; `reauthenticate` does, and the next one opens only if they
/// authenticate anew; `ignore` does nothing.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalEventsFile {
    /// The person does not want to be known here any more.
    #[schemars(extend("default" = "end"))]
    pub(crate) consent_revoked: Option<SignalActWord>,
    /// They sign in with another phone, or their credentials changed (CAEP `credential-change`).
    #[schemars(extend("default" = "reauthenticate"))]
    pub(crate) device_change: Option<SignalActWord>,
    /// The line goes to another carrier.
    #[schemars(extend("default" = "reauthenticate"))]
    pub(crate) line_port: Option<SignalActWord>,
    /// What the issuer knows of them changed: `end` has it read anew.
    #[schemars(extend("default" = "ignore"))]
    pub(crate) profile_change: Option<SignalActWord>,
    /// The issuer calls it a matter of security.
    #[schemars(extend("default" = "reauthenticate"))]
    pub(crate) security_event: Option<SignalActWord>,
    /// The issuer ended their sessions or their account (CAEP `session-revoked`, RISC `account-disabled`).
    #[schemars(extend("default" = "end"))]
    pub(crate) session_revoked: Option<SignalActWord>,
    /// Their number is on another SIM.
    #[schemars(extend("default" = "reauthenticate"))]
    pub(crate) sim_swap: Option<SignalActWord>,
    /// They go to another carrier.
    #[schemars(extend("default" = "end"))]
    pub(crate) user_port: Option<SignalActWord>,
}

/// What follows an event.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SignalActWord {
    End,
    Reauthenticate,
    Ignore,
}
