//! What is taken of a contender round by round, each figure with the speed of the core while it was taken.

use std::collections::BTreeMap;

use crate::common::{median, spread};

/// A figure that was taken while the core was faster or slower than usual by more than this is dropped.
pub const DRIFT: f64 = 0.15;

/// What a figure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// CPU µs of an answer or a sign-in, the helper's among them.
    Cpu,
    /// The helper's part of it.
    Helper,
    /// CPU µs that the carriers spent on a sign-in.
    Carriers,
    /// The contender's and its helper's part of the CPU time that the servers spent on a sign-in.
    Share,
    /// Answers or sign-ins a second.
    Rate,
    /// The part of the time that the contender and its helper kept their core busy.
    Busy,
    /// Middle and 99th percentile of one connection, in µs.
    OneP50,
    OneP99,
    /// The same of the open loop.
    P50,
    P99,
    /// By the gateway's own count: look-ups in the store, and signatures verified, for each answer.
    LookUps,
    Signatures,
}

/// All that was taken of a contender.
#[derive(Default)]
pub struct Sheet(BTreeMap<Figure, Vec<(f64, f64)>>);

impl Sheet {
    /// Writes down `value`, taken while the probe took `probe`.
    pub fn add(&mut self, figure: Figure, value: f64, probe: f64) {
        self.0.entry(figure).or_default().push((value, probe));
    }

    /// What was taken while the core had its `usual` speed.
    pub fn kept(&self, usual: f64) -> Kept {
        let near = |probe: f64| (probe / usual - 1.0).abs() <= DRIFT;
        let keep =
            |all: &Vec<(f64, f64)>| all.iter().filter(|(_, probe)| near(*probe)).map(|(value, _)| *value).collect();
        Kept(self.0.iter().map(|(figure, all)| (*figure, keep(all))).collect())
    }
}

/// What is left of a [`Sheet`].
#[derive(Default)]
pub struct Kept(BTreeMap<Figure, Vec<f64>>);

impl Kept {
    /// Round by round.
    pub fn all(&self, figure: Figure) -> &[f64] {
        self.0.get(&figure).map(Vec::as_slice).unwrap_or_default()
    }

    /// The middle one; not a number if there is none.
    pub fn median(&self, figure: Figure) -> f64 {
        median(self.all(figure))
    }

    /// The lowest one; not a number if there is none.
    pub fn lowest(&self, figure: Figure) -> f64 {
        match self.all(figure) {
            [] => f64::NAN,
            all => spread(all).0,
        }
    }
}

/// The value below which `part` of the `sorted` ones are.
pub fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
