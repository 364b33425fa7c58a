//! The ordered stop, as requests and streams see it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Share of the grace over which streams are sent away: the last of them need time to say so.
const SPREAD_PERCENT: u32 = 80;

/// Whether, since when and for how long the gateway stops.
#[derive(Debug, Default)]
pub(super) struct Stopping {
    announced: AtomicBool,
    since: OnceLock<(Instant, Duration)>,
    turn: AtomicU64,
}

impl Stopping {
    /// A stop comes: whoever can go elsewhere shall.
    pub(super) fn announce(&self) {
        self.announced.store(true, Ordering::Relaxed);
    }

    /// The stop begins now; what is under way has `grace`.
    pub(super) fn begin(&self, grace: Duration) {
        self.announce();
        // Once is for ever.
        let _begun_before = self.since.set((Instant::now(), grace));
    }

    /// Whether it has begun, or was announced.
    pub(super) fn has_begun(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    /// When a stream that would not end by itself leaves; `None` before the stop. Each asks once, and gets a moment of its
    /// own: if all clients came back at once, they would be a flood for whoever serves them next (P09).
    pub(super) fn leave_at(&self) -> Option<Instant> {
        let (since, grace) = self.since.get()?;
        // Steps of the golden ratio fall evenly into the whole, however many there are.
        let step = self.turn.fetch_add(0x9e37_79b9, Ordering::Relaxed);
        let share = u32::try_from(step & 0xffff_ffff).unwrap_or(0) >> 12;
        Some(*since + grace.saturating_mul(SPREAD_PERCENT) / 100 * share / (1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_leave_one_after_the_other_within_the_grace() {
        // P09, FT10
        let stopping = Stopping::default();
        assert!(!stopping.has_begun() && stopping.leave_at().is_none());
        // Announced: streams go on.
        stopping.announce();
        assert!(stopping.has_begun() && stopping.leave_at().is_none());
        let grace = Duration::from_secs(25);
        stopping.begin(grace);
        stopping.begin(Duration::ZERO);
        let (since, _) = *stopping.since.get().unwrap();
        let mut after: Vec<_> = (0..1000).map(|_| stopping.leave_at().unwrap() - since).collect();
        after.sort();
        assert!(after.first().unwrap() < &Duration::from_millis(100), "{after:?}");
        assert!(after.last().unwrap() < &Duration::from_secs(20) && after.last().unwrap() > &Duration::from_secs(19));
        let widest = after.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest < Duration::from_millis(100), "{widest:?}");
    }
}
