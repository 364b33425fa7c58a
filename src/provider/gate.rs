//! The door to one issuer's token and userinfo endpoints: so many at a time, and nobody while it lies down.
//!
//! After an outage everybody signs in at once; a queue with an end keeps the herd from trampling the carrier that has
//! just stood up (security N11). An issuer that breaks every connection is left alone but for a probe (N09).

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::ProviderError;

/// Exchanges with one issuer at the same time.
const PLACES: usize = 64;

/// So many exchanges in a row without any answer mean that the issuer lies down.
const FAILURES_IN_A_ROW: u32 = 10;

/// Time between probes of an issuer that lies down, and the wait we pass on to those who are turned away.
const PROBE_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Gate {
    places: Semaphore,
    /// How long somebody waits for a place.
    patience: Duration,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    next_probe: Option<Instant>,
}

impl Gate {
    pub(super) fn new(patience: Duration) -> Self {
        Self::with_places(PLACES, patience)
    }

    pub(super) fn with_places(places: usize, patience: Duration) -> Self {
        Self { places: Semaphore::new(places), patience, health: Mutex::new(Health::default()) }
    }

    /// Runs `exchange` when there is a place, or says that there was none.
    pub(super) async fn pass<T>(
        &self,
        exchange: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        if !self.health.lock().admits(Instant::now()) {
            return Err(turned_away(LIES_DOWN));
        }
        let _place = self.place().await?;
        let outcome = exchange.await;
        self.health.lock().learn(&outcome, Instant::now());
        outcome
    }

    /// A place, to be held for the time of an exchange.
    pub(super) async fn place(&self) -> Result<SemaphorePermit<'_>, ProviderError> {
        match tokio::time::timeout(self.patience, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(turned_away(CROWDED)),
        }
    }
}

/// Reason of those who found no place.
pub(super) const CROWDED: &str = "too many exchanges at once";
const LIES_DOWN: &str = "issuer has not answered for a while";

fn turned_away(reason: &'static str) -> ProviderError {
    ProviderError::Unavailable { reason, retry_after: Some(PROBE_PAUSE) }
}

impl Health {
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

    /// Any answer, be it a refusal, shows that the issuer stands.
    fn learn<T>(&mut self, outcome: &Result<T, ProviderError>, now: Instant) {
        match outcome {
            Err(ProviderError::Timeout | ProviderError::Unavailable { retry_after: None, .. }) => {
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
    use std::future::{pending, ready};

    use super::*;

    const BROKEN: ProviderError = ProviderError::Unavailable { reason: "no connection", retry_after: None };

    // N11
    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_in_time_is_told_when_to_come_back() {
        let gate = Gate::new(Duration::from_secs(5));
        let crowd = futures_util::future::join_all((0..PLACES).map(|_| gate.pass(pending::<Result<(), _>>())));
        let late = gate.pass(ready(Ok(())));
        let outcome = tokio::select! { biased; _ = crowd => None, outcome = late => Some(outcome) };
        let expected = ProviderError::Unavailable { reason: CROWDED, retry_after: Some(PROBE_PAUSE) };
        assert_eq!(outcome, Some(Err(expected)));
        // Those who left gave their places back.
        assert_eq!(gate.pass(ready(Ok(()))).await, Ok(()));
    }

    // N09
    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_never_answers_is_only_probed_until_it_does() {
        let gate = Gate::new(Duration::from_secs(5));
        for _ in 0..FAILURES_IN_A_ROW {
            assert_eq!(gate.pass(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        }
        let away = Err(ProviderError::Unavailable { reason: LIES_DOWN, retry_after: Some(PROBE_PAUSE) });
        assert_eq!(gate.pass(ready(Ok(()))).await, away);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(gate.pass(ready(Err::<(), _>(BROKEN))).await, Err(BROKEN));
        assert_eq!(gate.pass(ready(Ok(()))).await, away);
        tokio::time::advance(PROBE_PAUSE).await;
        assert_eq!(gate.pass(ready(Ok(()))).await, Ok(()));
        assert_eq!(gate.pass(ready(Ok(()))).await, Ok(()));
    }

    #[tokio::test]
    async fn refusals_are_answers() {
        let gate = Gate::new(Duration::from_secs(5));
        for _ in 0..3 * FAILURES_IN_A_ROW {
            let refused = ProviderError::Refused("invalid_grant");
            assert_eq!(gate.pass(ready(Err::<(), _>(refused.clone()))).await, Err(refused));
        }
    }
}
