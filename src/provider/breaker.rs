//! A circuit breaker: an issuer that answers nobody is left alone but for a probe now and then (security N09).

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{ErrorKind, ProviderError};

/// So many exchanges in a row without any answer open the breaker.
const FAILURES_IN_A_ROW: u32 = 10;

/// Time between probes while the breaker is open, and the wait we pass on to those who are turned away.
const PROBE_PAUSE: Duration = Duration::from_secs(5);

/// Reason of those who are turned away while the breaker is open.
const OPEN: &str = "issuer has not answered for a while";

/// Lets exchanges through while the issuer answers.
#[derive(Default)]
pub(super) struct CircuitBreaker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// Set while the breaker is open: when the next exchange may go out as a probe.
    next_probe: Option<Instant>,
}

impl CircuitBreaker {
    /// Whether an exchange may go out now.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](super::ErrorKind::Unavailable) while the breaker is open.
    pub(super) fn admit(&self) -> Result<(), ProviderError> {
        if self.state.lock().admits(Instant::now()) {
            return Ok(());
        }
        Err(ProviderError::unavailable(OPEN, Some(PROBE_PAUSE)))
    }

    /// Remembers whether an exchange that went out was answered.
    pub(super) fn record<T>(&self, outcome: &Result<T, ProviderError>) {
        self.state.lock().record(outcome, Instant::now());
    }
}

impl State {
    fn admits(&mut self, now: Instant) -> bool {
        match self.next_probe {
            Some(at) if now < at => false,
            Some(_) => {
                self.next_probe = Some(now + PROBE_PAUSE);
                true
            }
            None => true,
        }
    }

    /// Any answer of the issuer, be it a refusal, closes the breaker.
    fn record<T>(&mut self, outcome: &Result<T, ProviderError>, now: Instant) {
        match outcome {
            Err(error)
                if error.kind() == ErrorKind::Timeout
                    || (error.kind() == ErrorKind::Unavailable && error.retry_after().is_none()) =>
            {
                self.failures += 1;
                if self.failures >= FAILURES_IN_A_ROW {
                    self.next_probe = Some(now + PROBE_PAUSE);
                }
            }
            _ => *self = Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: ProviderError = ProviderError::unavailable("no connection", None);

    /// An exchange that ends in `outcome`.
    fn run(breaker: &CircuitBreaker, outcome: Result<(), ProviderError>) -> Result<(), ProviderError> {
        breaker.admit()?;
        breaker.record(&outcome);
        outcome
    }

    // N09
    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_never_answers_is_only_probed_until_it_does() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES_IN_A_ROW {
            assert_eq!(run(&breaker, Err(BROKEN)), Err(BROKEN));
        }
        let open = Err(ProviderError::unavailable(OPEN, Some(PROBE_PAUSE)));
        assert_eq!(run(&breaker, Ok(())), open);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(run(&breaker, Err(BROKEN)), Err(BROKEN));
        assert_eq!(run(&breaker, Ok(())), open);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(run(&breaker, Ok(())), Ok(()));
        assert_eq!(run(&breaker, Ok(())), Ok(()));
    }

    #[tokio::test]
    async fn refusals_are_answers() {
        let breaker = CircuitBreaker::default();
        for _ in 0..3 * FAILURES_IN_A_ROW {
            let refused = ProviderError::refused("invalid_grant");
            assert_eq!(run(&breaker, Err(refused.clone())), Err(refused));
        }
    }
}
