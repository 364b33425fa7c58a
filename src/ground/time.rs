//! Moments and lengths of time: one type for what is written down and compared, with arithmetic that stops at the ends
//! of its range instead of overflowing.
//!
//! Moments come in as [`SystemTime`] arguments. A wall clock may be set back, so every difference here has an answer
//! for moments in either order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in whole milliseconds since 1970: the unit of records, stores, caches and limits. Earlier moments are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment of a clock.
    pub fn of(at: SystemTime) -> Self {
        Self(millis_of(at.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }

    /// The moment that [`Timestamp::as_millis`] wrote down.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment so many seconds after 1970.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Whole seconds since 1970 as a `NumericDate` (RFC 7519, 2), which is signed.
    pub fn as_numeric_date(self) -> i64 {
        i64::try_from(self.as_secs()).unwrap_or(i64::MAX)
    }

    /// As a clock says it; `None` if the clock of this machine cannot say it.
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }

    /// So much later, at the latest the last moment there is.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(time)))
    }

    /// So much earlier, at the earliest 1970.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(time)))
    }

    /// Time from `earlier` until this moment; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How far apart two moments are, whichever is earlier.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(at: SystemTime) -> Self {
        Self::of(at)
    }
}

/// A length of time in whole milliseconds, held at the end of the range.
pub fn millis_of(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}

/// How far apart two moments of a clock are. Where age is judged by it, a clock that was set back makes a thing look
/// old, never young.
pub fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        let at = UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        let moment = Timestamp::of(at);
        assert_eq!((moment.as_millis(), moment.as_secs()), (1_790_000_000_123, 1_790_000_000));
        assert_eq!(Timestamp::from_millis(moment.as_millis()).to_system_time(), Some(at));
        assert_eq!(Timestamp::from_secs(moment.as_secs()).as_numeric_date(), 1_790_000_000);
    }

    #[test]
    fn no_clock_and_no_length_overflows() {
        assert_eq!(Timestamp::of(UNIX_EPOCH - SECOND), Timestamp::default());
        let last = Timestamp::from_millis(u64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(Timestamp::from_secs(u64::MAX), last);
        assert_eq!(Timestamp::default().plus(Duration::MAX), last);
        assert_eq!(millis_of(Duration::MAX), u64::MAX);
        assert_eq!(Timestamp::default().since(last), Duration::ZERO);
    }

    #[test]
    fn a_difference_has_an_answer_in_either_order() {
        let (early, late) = (Timestamp::from_secs(10), Timestamp::from_secs(13));
        assert_eq!((late.since(early), early.since(late)), (3 * SECOND, Duration::ZERO));
        assert_eq!((late.distance(early), early.distance(late)), (3 * SECOND, 3 * SECOND));
        let (early, late) = (UNIX_EPOCH, UNIX_EPOCH + SECOND);
        assert_eq!((distance(late, early), distance(early, late)), (SECOND, SECOND));
    }
}
