//! What a configuration names and a person's identity or headers do not hold whole: said once when somebody signs in, or an
//! access token is first seen. An app that misses a group, and a rule that is not met for want of one, look like a person
//! without it.

use std::fmt::Write as _;

use http::HeaderName;
use tracing::warn;

use super::refusal::{Denied, Refusal};
use crate::oidc::claims::LeftOut;
use crate::telemetry::Metrics;

/// Counts what was left out, and writes one line about all of it. The names are the configuration's, the reasons ours.
pub(super) fn say_left_out(metrics: &Metrics, left_out: &[LeftOut], issuer: &str, request_id: &str) {
    let mut reasons = String::new();
    for LeftOut { claim, why } in left_out {
        metrics.claims_left_out.with_label_values(&[why.as_str()]).inc();
        let between = if reasons.is_empty() { "" } else { "; " };
        // Writing to a text does not fail.
        let _ = write!(reasons, "{between}{claim}: {why}");
    }
    if !reasons.is_empty() {
        warn!(request_id, issuer, reason = %reasons, "Claims that the configuration names were left out or cut");
    }
}

/// Whoever has to have a header whole (`too_long: refuse`) that does not fit is refused.
pub(super) fn does_not_fit(header: &HeaderName) -> Denied {
    let reason = format_args!("the value of the identity header {header} is too long (too_long: refuse)");
    Denied::because(Refusal::PolicyUnmet, reason)
}
