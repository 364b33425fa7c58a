//! A bulkhead: so many exchanges at a time, and a queue with an end.
//!
//! After an outage everybody signs in at once; without a bound the crowd would bring down the issuer that has just come
//! back (security N11).

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::ProviderError;

/// Exchanges with one issuer at the same time.
pub(super) const PLACES: usize = 64;

/// The wait we pass on to those who found no place.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Reason of those who found no place.
pub(super) const CROWDED: &str = "too many exchanges at once";

/// Bounds how many exchanges run at the same time.
pub(super) struct Bulkhead {
    places: Semaphore,
    /// How long somebody waits for a place.
    patience: Duration,
}

impl Bulkhead {
    /// A bulkhead with `places`, for each of which one waits up to `patience`.
    pub(super) fn new(places: usize, patience: Duration) -> Self {
        Self { places: Semaphore::new(places), patience }
    }

    /// A place, to be held for the time of an exchange.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](super::ErrorKind::Unavailable) with [`CROWDED`], when none became free in time.
    pub(super) async fn place(&self) -> Result<SemaphorePermit<'_>, ProviderError> {
        match tokio::time::timeout(self.patience, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ProviderError::unavailable(CROWDED, Some(RETRY_AFTER))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    // N11
    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_in_time_is_told_when_to_come_back() {
        let bulkhead = Bulkhead::new(PLACES, Duration::from_secs(5));
        let hold = || async {
            let _place = bulkhead.place().await;
            pending::<()>().await;
        };
        let crowd = futures_util::future::join_all((0..PLACES).map(|_| hold()));
        let outcome = tokio::select! { biased; _ = crowd => None, late = bulkhead.place() => Some(late.map(drop)) };
        let expected = ProviderError::unavailable(CROWDED, Some(RETRY_AFTER));
        assert_eq!(outcome, Some(Err(expected)));
        // Those who left gave their places back.
        assert!(bulkhead.place().await.is_ok());
    }
}
