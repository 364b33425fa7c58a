//! What the benches share: parts that run as processes of their own, a small client, and sessions without sign-ins.

#![allow(dead_code, reason = "no bench needs all of it")]

pub mod bare;
pub mod client;
pub mod origin;
pub mod process;
pub mod role;
pub mod seed;

/// The middle value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The lowest and the highest value.
pub fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
}
