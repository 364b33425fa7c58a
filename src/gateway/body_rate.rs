//! How slowly a client may send a body: one byte a second would hold a connection to an app, which apps have few of, as
//! long as the client likes.

use std::time::{Duration, Instant};

/// The slowest body that is taken (L07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRate {
    /// Bytes a second, on average over a window. 0 for no limit. Default 500.
    pub bytes_per_second: u64,
    /// The window. Default 30 s.
    pub window: Duration,
}

/// What came in the window at hand.
///
/// The clock starts with the body's first bytes, so that a client that waits for `100 Continue` is not late. The rate is
/// measured on arrival, so a slow upstream does not count against the client. A silent client is caught by the read
/// timeout. The last chunk is never refused.
#[derive(Debug, Default)]
pub(super) struct BodyPace {
    window: Option<(Instant, u64)>,
}

impl BodyPace {
    /// Counts `bytes` that came `now`; whether the window that is over brought too few.
    pub(super) fn is_too_slow(&mut self, rate: &BodyRate, bytes: usize, last: bool, now: Instant) -> bool {
        if rate.bytes_per_second == 0 {
            return false;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let (since, sum) = self.window.get_or_insert((now, 0));
        *sum = sum.saturating_add(bytes);
        let took = now.saturating_duration_since(*since);
        if took < rate.window {
            return false;
        }
        let owed = u128::from(rate.bytes_per_second) * took.as_millis() / 1000;
        let late = u128::from(*sum) < owed;
        self.window = Some((now, 0));
        late && !last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: BodyRate = BodyRate { bytes_per_second: 500, window: Duration::from_secs(30) };

    /// Whether a body of `chunk` bytes every `pause` is cut within ten minutes, and after how many seconds.
    fn cut_after(rate: &BodyRate, chunk: usize, pause: Duration) -> Option<u64> {
        let (mut pace, start) = (BodyPace::default(), Instant::now());
        let mut at = Duration::ZERO;
        while at < Duration::from_secs(600) {
            if pace.is_too_slow(rate, chunk, false, start + at) {
                return Some(at.as_secs());
            }
            at += pause;
        }
        None
    }

    #[test]
    fn a_body_below_the_rate_is_cut_after_one_window() {
        // L07
        let second = Duration::from_secs(1);
        assert_eq!(cut_after(&RATE, 1, second), Some(30));
        assert_eq!(cut_after(&RATE, 400, second), Some(30));
        assert_eq!(cut_after(&RATE, 510, second), None);
        assert_eq!(cut_after(&RATE, 64 * 1024, 100 * second), None);
        assert_eq!(cut_after(&BodyRate { bytes_per_second: 0, ..RATE }, 1, second), None);
    }

    #[test]
    fn the_last_bytes_are_never_late() {
        let (mut pace, start) = (BodyPace::default(), Instant::now());
        assert!(!pace.is_too_slow(&RATE, 1, false, start));
        assert!(!pace.is_too_slow(&RATE, 1, true, start + Duration::from_secs(60)));
    }
}
