//! What happened towards providers, counted; the owner turns it into metrics.
//!
//! No counter is named after anything a peer or a browser can choose (security R06).

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// How often it happened since start.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// Exchanges of one kind, by outcome.
#[derive(Debug, Default)]
pub struct Exchanges {
    /// Requests that were answered as the contract wants.
    pub succeeded: Counter,
    /// Requests that failed in any way, refusals included.
    pub failed: Counter,
}

impl Exchanges {
    pub(super) fn count<T, E>(&self, outcome: &Result<T, E>) {
        if outcome.is_ok() { self.succeeded.add(1) } else { self.failed.add(1) }
    }
}

/// Everything counted in this room.
#[derive(Debug, Default)]
pub struct ProviderStats {
    /// Questions to the discovery issuer.
    pub discovery: Exchanges,
    /// Fetches of an issuer's own metadata.
    pub metadata: Exchanges,
    /// Fetches of key sets, forced ones included.
    pub key_sets: Exchanges,
    /// Codes sent to token endpoints.
    pub redemptions: Exchanges,
    /// Questions to userinfo endpoints.
    pub userinfo: Exchanges,
    /// Configurations refused because issuer or endpoints are not trusted (D04, D05, D09, D15): worth an alert.
    pub untrusted_configurations: Counter,
    /// Answers from a last good configuration after a failed refresh.
    pub stale_configurations: Counter,
    /// Answers from a key set older than its refresh interval (E05): worth an alert when it goes on.
    pub stale_key_sets: Counter,
    /// Malformed or too weak keys left out of key sets (E08).
    pub keys_skipped: Counter,
    /// Symmetric or private keys found in key sets (E10): worth an alert.
    pub keys_alarming: Counter,
    /// Refreshes for an unknown `kid` that brought the key (E01, E02).
    pub forced_found: Counter,
    /// Refreshes for an unknown `kid` after which it was still unknown.
    pub forced_in_vain: Counter,
    /// Refreshes for an unknown `kid` that failed.
    pub forced_failed: Counter,
    /// Unknown `kid`s answered from memory because of the cool-down (E03).
    pub forced_suppressed: Counter,
    /// Exchanges that found no free place within the deadline (N11).
    pub crowded_out: Counter,
    /// `invalid_client` answers (N03): our registration is wrong, worth an alert.
    pub invalid_client: Counter,
}
