//! Ground: what the operator can see. Metrics with bounded labels, logs as sentences with fields.

mod elsewhere;
pub mod flood;
pub mod log;
pub mod metrics;
pub mod panics;

pub use elsewhere::Count;
pub use metrics::Metrics;
