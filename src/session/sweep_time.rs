//! The time by which a store is swept: a clock that jumps forward must not empty it.
//!
//! A record that is over is not believed, whatever became of it; sweeping it only saves room, and can wait. If a sweep went
//! by whatever the clock says, a clock that was set a day ahead for a minute would drop every session for good. So a clock
//! that runs ahead of the time this process has measured itself is believed only when it has done so for a while.

use std::time::{Duration, SystemTime};

/// The clock may be ahead of our own measure by this much at once: it is put right a little now and then.
const TOLERANCE: Duration = Duration::from_secs(60);

/// A clock that has been ahead for this long is right: the machine slept, or the clock was wrong before.
const BELIEVED_AFTER: Duration = Duration::from_secs(60 * 60);

/// See the module's page.
#[derive(Debug)]
pub struct SweepTime {
    /// What the clock said, and how long the process had then been running.
    known: (SystemTime, Duration),
    ahead_since: Option<Duration>,
}

impl SweepTime {
    /// Begins with a clock that says `now`, when the process has been running for `running`.
    pub fn begin(now: SystemTime, running: Duration) -> Self {
        Self { known: (now, running), ahead_since: None }
    }

    /// The time to sweep by when the clock says `now` and the process has been running for `running`, a measure that
    /// nobody can set.
    pub fn at(&mut self, now: SystemTime, running: Duration) -> SystemTime {
        let (clock, then) = self.known;
        let measured = clock.checked_add(running.saturating_sub(then)).unwrap_or(clock);
        let ahead = now.duration_since(measured).unwrap_or_default();
        if ahead > TOLERANCE {
            let since = *self.ahead_since.get_or_insert(running);
            if running.saturating_sub(since) < BELIEVED_AFTER {
                return measured;
            }
        }
        *self = Self::begin(now, running);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::samples::noon;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    // RB20
    #[test]
    fn a_clock_that_jumps_ahead_sweeps_nothing_that_is_not_over() {
        let mut time = SweepTime::begin(noon(), MINUTE);
        assert_eq!(time.at(noon() + MINUTE, 2 * MINUTE), noon() + MINUTE);
        for minutes in 3..60 {
            let right = noon() + (minutes - 1) * MINUTE;
            assert_eq!(time.at(right + DAY, minutes * MINUTE), right);
        }
        // It was put right, within an hour.
        assert_eq!(time.at(noon() + 60 * MINUTE, 61 * MINUTE), noon() + 60 * MINUTE);
    }

    #[test]
    fn a_clock_that_stays_ahead_is_right() {
        let mut time = SweepTime::begin(noon(), MINUTE);
        let ahead = |minutes: u32| noon() + DAY + minutes * MINUTE;
        assert_eq!(time.at(ahead(2), 2 * MINUTE), noon() + MINUTE);
        assert_eq!(time.at(ahead(61), 61 * MINUTE), noon() + 60 * MINUTE);
        assert_eq!(time.at(ahead(62), 62 * MINUTE), ahead(62));
        assert_eq!(time.at(ahead(63), 63 * MINUTE), ahead(63));
    }

    #[test]
    fn a_clock_that_is_set_back_or_put_right_a_little_is_followed() {
        let mut time = SweepTime::begin(noon(), MINUTE);
        assert_eq!(time.at(noon() - DAY, 2 * MINUTE), noon() - DAY);
        let little = noon() - DAY + MINUTE + MINUTE / 2;
        assert_eq!(time.at(little, 3 * MINUTE), little);
    }
}
