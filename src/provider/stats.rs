//! What happened towards providers, counted; shown with the metrics.
//!
//! No counter is named after anything a peer or a browser can choose (security R06).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::Count;

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
    /// Authorization requests that were pushed.
    pub pushes: Exchanges,
    /// Questions for people's phones, and those that were taken back.
    pub questions: Exchanges,
    /// Refresh tokens sent to token endpoints.
    pub refreshes: Exchanges,
    /// Questions how long people's numbers have been on their SIMs.
    pub sim_tenures: Exchanges,
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

impl ProviderStats {
    /// What `zengate_provider_exchanges_total` shows.
    pub fn exchanges(&self) -> Vec<Count> {
        vec![
            (&["discovery", "succeeded"], self.discovery.succeeded.get()),
            (&["discovery", "failed"], self.discovery.failed.get()),
            (&["metadata", "succeeded"], self.metadata.succeeded.get()),
            (&["metadata", "failed"], self.metadata.failed.get()),
            (&["key_set", "succeeded"], self.key_sets.succeeded.get()),
            (&["key_set", "failed"], self.key_sets.failed.get()),
            (&["redemption", "succeeded"], self.redemptions.succeeded.get()),
            (&["redemption", "failed"], self.redemptions.failed.get()),
            (&["push", "succeeded"], self.pushes.succeeded.get()),
            (&["push", "failed"], self.pushes.failed.get()),
            (&["question", "succeeded"], self.questions.succeeded.get()),
            (&["question", "failed"], self.questions.failed.get()),
            (&["refresh", "succeeded"], self.refreshes.succeeded.get()),
            (&["refresh", "failed"], self.refreshes.failed.get()),
            (&["sim_tenure", "succeeded"], self.sim_tenures.succeeded.get()),
            (&["sim_tenure", "failed"], self.sim_tenures.failed.get()),
            (&["userinfo", "succeeded"], self.userinfo.succeeded.get()),
            (&["userinfo", "failed"], self.userinfo.failed.get()),
        ]
    }

    /// What `zengate_provider_events_total` shows.
    pub fn events(&self) -> Vec<Count> {
        vec![
            (&["untrusted_configuration"], self.untrusted_configurations.get()),
            (&["stale_configuration"], self.stale_configurations.get()),
            (&["stale_key_set"], self.stale_key_sets.get()),
            (&["key_skipped"], self.keys_skipped.get()),
            (&["key_alarming"], self.keys_alarming.get()),
            (&["unknown_kid_found"], self.forced_found.get()),
            (&["unknown_kid_in_vain"], self.forced_in_vain.get()),
            (&["unknown_kid_failed"], self.forced_failed.get()),
            (&["unknown_kid_cool_down"], self.forced_suppressed.get()),
            (&["crowded_out"], self.crowded_out.get()),
            (&["invalid_client"], self.invalid_client.get()),
        ]
    }
}
