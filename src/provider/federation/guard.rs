//! What every exchange with one issuer goes through: is it answering at all, and is there a place.

use std::future::Future;
use std::time::Duration;

use crate::provider::ProviderError;
use crate::provider::breaker::CircuitBreaker;
use crate::provider::bulkhead::{self, Bulkhead};

/// What each exchange with one issuer's token and userinfo endpoints goes through.
pub(super) struct IssuerGuard {
    breaker: CircuitBreaker,
    bulkhead: Bulkhead,
}

impl IssuerGuard {
    pub(super) fn new(patience: Duration) -> Self {
        Self { breaker: CircuitBreaker::default(), bulkhead: Bulkhead::new(bulkhead::PLACES, patience) }
    }

    /// Runs `exchange` when the issuer answers at all and there is a place.
    pub(super) async fn run<T>(
        &self,
        exchange: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        self.breaker.admit()?;
        let _place = self.bulkhead.place().await?;
        let outcome = exchange.await;
        self.breaker.record(&outcome);
        outcome
    }
}
