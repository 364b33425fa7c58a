//! How long nothing has gone either way since an answer began (`timeouts.read`, `timeouts.stream_idle`).
//!
//! The framework's own limit is fixed before anybody knows what the answer will be, and an event stream may be silent for
//! longer than a page (W37). Whatever moves only counts up; the clock is read when the timer of the watch fires, so that a
//! limit is over at most one round of the watch too late.

use std::time::Duration;

use tokio::time::Instant;

/// The silence of the answer at hand.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Longest that is borne; `None` before the answer began.
    patience: Option<Duration>,
    moved: u32,
    seen: u32,
    since: Option<Instant>,
    client_is_late: bool,
}

impl Silence {
    /// The answer began.
    pub(super) fn begin(&mut self, patience: Duration) {
        (self.patience, self.since) = (Some(patience), None);
    }

    /// Something went one way or the other.
    pub(super) fn broken(&mut self) {
        self.moved = self.moved.wrapping_add(1);
    }

    /// Whether there is something to send for which the client has no room: then it is not the app that is silent, and
    /// other limits count.
    pub(super) fn client_is_late(&mut self, late: bool) {
        self.client_is_late = late;
    }

    /// When it is over at the earliest; `None` until it was looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since?.checked_add(self.patience?)
    }

    /// Looks whether it is over at `now`.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let Some(patience) = self.patience else { return false };
        if self.since.is_none() || self.moved != self.seen || self.client_is_late {
            (self.seen, self.since) = (self.moved, Some(now));
            return false;
        }
        self.since.is_some_and(|since| now.duration_since(since) >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_once_nothing_moved_for_all_of_its_time() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut silence = Silence::default();
        assert!(!silence.is_over(start + second * 100), "the answer has not begun");
        silence.begin(second * 3);
        assert_eq!((silence.is_over(start), silence.due()), (false, Some(start + second * 3)));
        silence.broken();
        assert!(!silence.is_over(start + second * 4));
        assert!(!silence.is_over(start + second * 6));
        silence.client_is_late(true);
        assert!(!silence.is_over(start + second * 9), "the client has no room");
        silence.client_is_late(false);
        assert!(!silence.is_over(start + second * 11));
        assert!(silence.is_over(start + second * 12));
    }
}
