//! One server of a group: whether it is well, how much it has to do, and how much it may get.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::endpoints::Endpoints;
use crate::route::upstream::{EjectionSettings, ServerAddress, ServerSettings};

/// Longest an ejection gets, in times of the first.
const LONGEST_EJECTION: u32 = 8;

/// The least share, in hundredths, of a server that has just come back.
const LEAST_SHARE: u64 = 10;

/// How much sooner than the server we close an idle connection, in milliseconds.
const MARGIN: u64 = 1000;

/// One server and what is known of it. Times are milliseconds since the group was made.
#[derive(Debug)]
pub struct Server {
    settings: ServerSettings,
    /// Addresses of its name; `None` for a socket of this machine.
    endpoints: Option<Arc<Endpoints>>,
    /// Whether it answered when it was last asked how it is.
    well: AtomicBool,
    /// Good or bad answers in a row to that question, against what `well` says.
    contrary: AtomicU32,
    /// Connections in a row that failed.
    failures: AtomicU32,
    /// Ejections in a row.
    ejections: AtomicU32,
    /// When its ejection ends; 0 if there was none.
    ejected_until: AtomicU64,
    /// When it came back; 0 if it was never away.
    back_since: AtomicU64,
    /// Requests under way.
    under_way: AtomicUsize,
    /// How long the server says that it keeps an idle connection, in milliseconds; 0 if it does not say.
    keeps: AtomicU64,
}

impl Server {
    pub(super) fn new(settings: ServerSettings, endpoints: Option<Arc<Endpoints>>) -> Self {
        Self {
            settings,
            endpoints,
            well: AtomicBool::new(true),
            contrary: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            back_since: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            keeps: AtomicU64::new(0),
        }
    }

    /// Where it listens, as configured.
    pub fn at(&self) -> &ServerAddress {
        &self.settings.at
    }

    /// The addresses of its name; `None` for a socket of this machine.
    pub fn endpoints(&self) -> Option<&Arc<Endpoints>> {
        self.endpoints.as_ref()
    }

    /// It says that it keeps an idle connection so long (`Keep-Alive: timeout=`).
    pub fn says_it_keeps(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // Read first: all workers look at this word with every request.
        if self.keeps.load(Ordering::Relaxed) != time {
            self.keeps.store(time, Ordering::Relaxed);
        }
    }

    /// How long an idle connection may be kept if `ours` is the longest: shorter than the server keeps it.
    pub fn keepalive(&self, ours: Duration) -> Duration {
        match self.keeps.load(Ordering::Relaxed) {
            0 => ours,
            theirs => ours.min(Duration::from_millis(theirs - (theirs / 2).min(MARGIN))),
        }
    }

    /// Whether it should get requests at `now`.
    pub fn is_available(&self, now: u64) -> bool {
        self.well.load(Ordering::Relaxed) && self.ejected_until.load(Ordering::Relaxed) <= now
    }

    /// Its weight at `now`, in hundredths: less for `slow_start` after it came back.
    pub(super) fn weight(&self, now: u64, slow_start: Duration) -> u64 {
        let whole = u64::from(self.settings.weight) * 100;
        let slow = u64::try_from(slow_start.as_millis()).unwrap_or(u64::MAX);
        let back = self.back_since.load(Ordering::Relaxed).max(self.ejected_until.load(Ordering::Relaxed));
        if slow == 0 || back == 0 {
            return whole;
        }
        let share = (now.saturating_sub(back).saturating_mul(100) / slow).clamp(LEAST_SHARE, 100);
        (whole * share / 100).max(1)
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// It answered a request.
    pub(super) fn succeeded(&self) {
        // Looked at before it is written: all workers read these words, and a write takes them away from each other.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.ejections.load(Ordering::Relaxed) != 0 {
            self.ejections.store(0, Ordering::Relaxed);
        }
    }

    /// A connection to it failed, or ended without an answer. Says whether it is left out from now on.
    pub(super) fn failed(&self, now: u64, ejection: &EjectionSettings) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if ejection.failures == 0 || failures < ejection.failures || self.ejected_until.load(Ordering::Relaxed) > now {
            return false;
        }
        let before = self.ejections.fetch_add(1, Ordering::Relaxed);
        let times = 1_u64 << before.min(LONGEST_EJECTION.trailing_zeros());
        let time = u64::try_from(ejection.time.as_millis()).unwrap_or(u64::MAX).saturating_mul(times);
        self.ejected_until.store(now.saturating_add(time), Ordering::Relaxed);
        // One that fails again as soon as it is back is left out again at once.
        self.failures.store(ejection.failures.saturating_sub(1), Ordering::Relaxed);
        true
    }

    /// What it said when it was asked how it is. `Some` if that changes whether it gets requests: whether it does.
    pub(super) fn checked(&self, good: bool, now: u64, healthy: u32, unhealthy: u32) -> Option<bool> {
        if self.well.load(Ordering::Relaxed) == good {
            self.contrary.store(0, Ordering::Relaxed);
            return None;
        }
        let contrary = self.contrary.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if contrary < if good { healthy } else { unhealthy } {
            return None;
        }
        self.contrary.store(0, Ordering::Relaxed);
        if good {
            self.back_since.store(now.max(1), Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
        self.well.store(good, Ordering::Relaxed);
        Some(good)
    }
}
