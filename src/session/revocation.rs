//! Ends that the store has not heard of yet.
//!
//! Whoever signs out while the store is away is out here at once. Everybody else learns of it from the store, so the store
//! is told again until it has heard: if it were told only once, a sign-out during an outage would be forgotten, and whoever
//! holds the cookie would be in again on every other gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::StoreKey;
use super::seal::Sealer;
use super::sessions::Sessions;
use super::store::Kind;
use crate::ground::retry::Backoff;
use crate::ground::state_file;
use crate::ground::time::Timestamp;
use crate::secret::sha256;
use crate::telemetry::Metrics;

/// Told to the store at once.
const AT_ONCE: usize = 64;

/// Names of records in one line of the log.
const NAMES_IN_A_LINE: usize = 50;

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
    kept_in: Mutex<Option<PathBuf>>,
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

/// What is written to the state directory at the end of a process.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Name of the record, how far its end reaches, and until when it matters (milliseconds since 1970).
    revocations: Vec<([u8; 32], Reach, u64)>,
}

/// Name of the file in the state directory.
pub const FILE: &str = "revocations.sealed";

/// The place that the file's content is sealed to.
fn place() -> StoreKey {
    StoreKey(sha256(b"zengate pending revocations v1"))
}

/// The file lies beside us and needs no secret of its own: the operator key seals it.
const SECRET: &[u8; 32] = b"zengate pending revocations v1  ";

impl Sessions {
    /// Keeps what the store has not heard for the next process, sealed, in `directory`; without one, or if that fails, it is
    /// named in the log and counted.
    pub fn keep_unheard(&self, unheard: &BTreeSet<Revocation>, directory: Option<&Path>, now: SystemTime) {
        if unheard.is_empty() {
            self.pending.all_heard();
            return;
        }
        let until = Timestamp::of(now).plus(self.lifetimes.absolute).as_millis();
        let revocations = unheard.iter().map(|end| (end.key.0, end.reach, until)).collect();
        let written = directory.map(|directory| {
            let content = serde_json::to_vec(&Kept { revocations }).unwrap_or_default();
            let sealed = self.sealer.seal(Kind::Ended, place(), SECRET, &content, &*self.entropy);
            state_file::write(&directory.join(FILE), &sealed)
        });
        match written {
            Some(Ok(())) => {
                info!(
                    sessions = unheard.len(),
                    "Sign-outs that the session store did not hear are kept for the next start"
                );
            }
            Some(Err(fault)) => self.lost(unheard, &format!("they could not be written down: {}", fault.kind())),
            None => self.lost(unheard, "there is no state directory to keep them in"),
        }
    }

    fn lost(&self, unheard: &BTreeSet<Revocation>, why: &str) {
        self.metrics.revocations_lost.inc_by(u64::try_from(unheard.len()).unwrap_or(u64::MAX));
        let names: Vec<_> = unheard.iter().map(|end| end.key.to_hex()).collect();
        for some in names.chunks(NAMES_IN_A_LINE) {
            error!(
                sessions = some.len(),
                records = some.join(" "),
                why,
                "The session store never heard of sign-outs; delete these records, or people may still be signed in"
            );
        }
    }

    /// Takes up what an earlier process kept in `directory`. The file stays until the store has heard all of it: a process
    /// that is killed before loses nothing. A file that does not open is left out, and told.
    pub fn take_up_unheard(&self, directory: &Path, now: SystemTime) {
        let path = directory.join(FILE);
        let Ok(Some(sealed)) = state_file::read(&path) else { return };
        match opened(&self.sealer, &sealed) {
            Some(kept) => {
                *self.pending.kept_in.lock() = Some(path);
                for (key, reach, until) in kept.revocations {
                    let until = Timestamp::from_millis(until).to_system_time().unwrap_or(now);
                    let key = StoreKey(key);
                    self.cache.deny(key, until, now);
                    if !self.pending.keep(Revocation { key, reach }, until) {
                        self.lost(&BTreeSet::from([Revocation { key, reach }]), "too many are kept");
                    }
                }
            }
            None => {
                warn!(
                    file = FILE,
                    "The file of kept sign-outs does not open with the keys of this gateway; it is left out"
                );
            }
        }
    }
}

fn opened(sealer: &Sealer, sealed: &[u8]) -> Option<Kept> {
    let content = sealer.open(Kind::Ended, place(), SECRET, sealed).ok()?;
    serde_json::from_slice(&content).ok()
}
