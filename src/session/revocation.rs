//! Ends that the store has not heard of yet.
//!
//! Whoever signs out while the store is away is out here at once. Everybody else learns of it from the store, so the store
//! is told again until it has heard: if it were told only once, a sign-out during an outage would be forgotten, and whoever
//! holds the cookie would be in again on every other gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::StoreKey;
use crate::ground::retry::Backoff;
use crate::ground::state_file;
use crate::telemetry::Metrics;

/// Told to the store at once.
const AT_ONCE: usize = 64;

/// One end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revocation {
    /// The record of the session.
    pub(super) key: StoreKey,
    /// How far it reaches.
    pub(super) reach: Reach,
}

/// How far an end reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Reach {
    /// The session alone.
    Alone,
    /// With all that were handed over from it.
    WithChildren,
    /// With the one that it was handed over from, and all that were handed over from either.
    WholeFamily,
}

/// What waits, in memory. Bounded.
#[derive(Debug)]
pub(super) struct PendingRevocations {
    most: usize,
    /// With the time at which no cookie of the session can live any more.
    waiting: Mutex<BTreeMap<Revocation, SystemTime>>,
    metrics: Arc<Metrics>,
    wake: Notify,
    /// The file of an earlier process that all this, or part of it, was taken from.
    pub(super) kept_in: Mutex<Option<PathBuf>>,
}

impl PendingRevocations {
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self { most, waiting: Mutex::default(), metrics, wake: Notify::new(), kept_in: Mutex::default() }
    }

    /// Keeps an end for later; `false` if as many are kept as may be.
    pub(super) fn keep(&self, revocation: Revocation, until: SystemTime) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.most && !waiting.contains_key(&revocation) {
            return false;
        }
        waiting.insert(revocation, until);
        self.count(waiting.len());
        drop(waiting);
        self.wake.notify_one();
        true
    }

    pub(super) fn done(&self, revocation: Revocation) {
        let mut waiting = self.waiting.lock();
        waiting.remove(&revocation);
        self.count(waiting.len());
    }

    /// Some of what waits; `None` if nothing does. What could end nothing any more is forgotten.
    pub(super) fn next_to_tell(&self, now: SystemTime) -> Option<Vec<Revocation>> {
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, until| now < *until);
        self.count(waiting.len());
        let some: Vec<_> = waiting.keys().take(AT_ONCE).copied().collect();
        (!some.is_empty()).then_some(some)
    }

    /// Everything was heard: the file of an earlier process is not needed any more.
    pub(super) fn all_heard(&self) {
        let kept_in = self.kept_in.lock().take();
        if let Some(path) = kept_in {
            state_file::remove(&path);
        }
    }

    /// Waits until something waits.
    pub(super) async fn wait(&self) {
        while self.len() == 0 {
            self.wake.notified().await;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    pub(super) fn all(&self) -> BTreeSet<Revocation> {
        self.waiting.lock().keys().copied().collect()
    }

    /// Pauses between two tries: a store that is back has heard everything within a second.
    pub(super) fn pause(&self) -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(1))
    }

    fn count(&self, waiting: usize) {
        self.metrics.revocations_pending.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
