//! Nanoseconds of the steps of a signed-in request, without sockets: what to look at when the whole grows dearer.
//!
//! `cargo bench -p zengate-bench --bench micro` measures all; a word after `--` only the steps whose name holds it. Criterion says by how
//! much each moved since the last run on this machine; `-- --save-baseline before`, and later `-- --baseline before`,
//! compare with a run of one's choice.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on ends"
)]
#![allow(missing_docs, reason = "criterion's macro makes functions without")]

mod headers;
mod look_up;
mod routing;
mod sealing;
mod tokens;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Short turns: all steps take a minute, and neighbours on a shared machine disturb long ones as much.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(50)
        .without_plots()
}

criterion_group! {
    name = steps;
    config = settings();
    targets = look_up::steps, routing::steps, headers::steps, sealing::steps, tokens::steps
}
criterion_main!(steps);
