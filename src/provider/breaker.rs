//! A circuit breaker: an issuer that answers nobody is left alone but for a probe now and then (security N09).

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{ErrorKind, ProviderError};

/// So many exchanges in a row without any answer open the breaker.
const FAILURES_IN_A_ROW: u32 = 10;

/// Time between probes while the breaker is open, and the wait we pass on to those who are turned away.
pub(super) const PROBE_PAUSE: Duration = Duration::from_secs(5);

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
    /// Runs `exchange` and remembers whether it was answered.
    ///
    /// # Errors
    /// Those of `exchange`; [`ErrorKind::Unavailable`](super::ErrorKind::Unavailable) without running it while the breaker is open.
    pub(super) async fn run<T>(
        &self,
        exchange: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        if !self.state.lock().admits(Instant::now()) {
            return Err(ProviderError::unavailable(OPEN, Some(PROBE_PAUSE)));
        }
        let outcome = exchange.await;
        self.state.lock().record(&outcome, Instant::now());
        outcome
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

    /// Any answer of the issuer, be it a refusal, closes the breaker. Whoever found no place asked nothing.
    fn record<T>(&mut self, outcome: &Result<T, ProviderError>, now: Instant) {
        match outcome {
            Err(error) if error.reason() == super::bulkhead::CROWDED => {}
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
    use std::future::ready;

    use super::*;
    use crate::provider::bulkhead::CROWDED;

    const BROKEN: ProviderError = ProviderError::unavailable("no connection", None);

    // N09
    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_never_answers_is_only_probed_until_it_does() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES_IN_A_ROW {
            assert_eq!(breaker.run(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        }
        let open = Err(ProviderError::unavailable(OPEN, Some(PROBE_PAUSE)));
        assert_eq!(breaker.run(ready(Ok(()))).await, open);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(breaker.run(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        assert_eq!(breaker.run(ready(Ok(()))).await, open);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(breaker.run(ready(Ok(()))).await, Ok(()));
        assert_eq!(breaker.run(ready(Ok(()))).await, Ok(()));
    }

    #[tokio::test]
    async fn refusals_are_answers() {
        let breaker = CircuitBreaker::default();
        for _ in 0..3 * FAILURES_IN_A_ROW {
            let refused = ProviderError::refused("invalid_grant");
            assert_eq!(breaker.run(ready(Err::<(), _>(refused.clone()))).await, Err(refused));
        }
    }

    /// Otherwise a crowd in front of a dead issuer would close its breaker again and again.
    #[tokio::test]
    async fn who_found_no_place_tells_nothing_of_the_issuer() {
        let breaker = CircuitBreaker::default();
        let crowded = ProviderError::unavailable(CROWDED, Some(PROBE_PAUSE));
        for _ in 1..FAILURES_IN_A_ROW {
            assert_eq!(breaker.run(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        }
        assert_eq!(breaker.run(ready(Err::<(), _>(crowded.clone()))).await, Err(crowded));
        assert_eq!(breaker.run(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        let open = Err(ProviderError::unavailable(OPEN, Some(PROBE_PAUSE)));
        assert_eq!(breaker.run(ready(Ok(()))).await, open);
    }
}
