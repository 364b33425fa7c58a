//! Waits between tries of something that failed: each about twice as long as the last, up to a bound, and never the
//! same for two who failed at the same moment.

use std::time::Duration;

use crate::secret::Entropy;

/// Exponential backoff with jitter.
///
/// The n-th wait is drawn between `2^(n-1)` and `2^n` times the shortest wait, so no wait is shorter than the shortest
/// and none longer than the longest. Without the draw, replicas that lost the same server would all come back to it in
/// the same instant, again and again.
#[derive(Debug, Clone)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    /// The upper end of the next draw.
    ceiling: Duration,
}

impl Backoff {
    /// Waits of at least `shortest` (a millisecond, if that is nothing) and at most `longest`.
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let shortest = shortest.max(Duration::from_millis(1));
        let longest = longest.max(shortest);
        Self { shortest, longest, ceiling: Self::first(shortest, longest) }
    }

    /// How long to wait before the next try.
    pub fn next_delay(&mut self, entropy: &dyn Entropy) -> Duration {
        let floor = (self.ceiling / 2).max(self.shortest);
        let mut drawn = [0; 4];
        entropy.fill(&mut drawn);
        let part =
            self.ceiling.saturating_sub(floor).mul_f64(f64::from(u32::from_be_bytes(drawn)) / f64::from(u32::MAX));
        let delay = floor.saturating_add(part).min(self.longest);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.longest);
        delay
    }

    /// Something worked: the next failure waits shortly again.
    pub fn reset(&mut self) {
        self.ceiling = Self::first(self.shortest, self.longest);
    }

    fn first(shortest: Duration, longest: Duration) -> Duration {
        shortest.saturating_mul(2).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemEntropy;

    const SECOND: Duration = Duration::from_secs(1);

    /// An entropy source that always draws the same.
    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, into: &mut [u8]) {
            into.fill(self.0);
        }
    }

    fn waits(entropy: &dyn Entropy, count: usize) -> Vec<u64> {
        let mut backoff = Backoff::new(SECOND, 30 * SECOND);
        (0..count).map(|_| backoff.next_delay(entropy).as_secs()).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_shorter_than_the_shortest() {
        assert_eq!(waits(&Always(0x00), 8), [1, 2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(waits(&Always(0xff), 8), [2, 4, 8, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn two_who_failed_together_come_back_apart() {
        let mut backoff = Backoff::new(SECOND, 30 * SECOND);
        let (mut one, mut other) = (backoff.clone(), backoff.clone());
        assert_ne!(one.next_delay(&SystemEntropy), other.next_delay(&SystemEntropy));
        for _ in 0..100 {
            let delay = backoff.next_delay(&SystemEntropy);
            assert!((SECOND..=30 * SECOND).contains(&delay), "{delay:?}");
        }
    }

    #[test]
    fn after_a_success_the_first_wait_is_short_again() {
        let mut backoff = Backoff::new(SECOND, 30 * SECOND);
        for _ in 0..10 {
            backoff.next_delay(&Always(0x80));
        }
        backoff.reset();
        assert!(backoff.next_delay(&Always(0x80)) <= 2 * SECOND);
    }

    #[test]
    fn lengths_of_any_size_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, SECOND);
        assert_eq!(backoff.next_delay(&Always(0xff)), Duration::MAX);
        let mut backoff = Backoff::new(Duration::ZERO, Duration::MAX);
        assert_eq!(backoff.next_delay(&Always(0xff)), Duration::from_millis(2), "never a loop without a wait");
        for _ in 0..200 {
            backoff.next_delay(&Always(0xff));
        }
        assert!(backoff.next_delay(&Always(0xff)) > Duration::MAX / 4);
    }
}
