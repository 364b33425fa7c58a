//! Ground: what the operator can see. Metrics with bounded labels, logs as sentences with fields.

pub mod events;
mod external_counters;
pub mod flood;
pub mod foreign_text;
pub mod log;
pub mod metrics;
pub mod panics;
pub mod writer;

pub use external_counters::Count;
pub use metrics::Metrics;
