//! The seam between what we remember and where: one trait, one contract, three stores.
//!
//! A store sees hashes and sealed bytes, never an id, a person or a key. The contract every store keeps is the test
//! suite in `contract.rs`.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::StoreKey;

/// Which of the kinds of record a key belongs to; also part of what a record is sealed to, so that a record of one
/// kind can never be passed off as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A signed-in person's session.
    Session,
    /// A sign-in that is under way.
    Attempt,
}

impl Kind {
    /// The word used in store keys, in sealing and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Session => "session",
            Kind::Attempt => "attempt",
        }
    }
}

/// The store could not answer. Callers fail closed with 503; nobody is signed out by it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer in time, or no connection.
    #[error("the session store is not available: {0}")]
    Unavailable(String),
    /// More records than the configured limit.
    #[error("the session store is full")]
    Full,
}

/// Keeps sealed records for a bounded time.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Writes or replaces a record that lives for `keep` from `now` on.
    async fn put(&self, kind: Kind, key: StoreKey, record: &[u8], keep: Duration, now: SystemTime) -> Result<(), StoreError>;

    /// Reads a record that is not yet over.
    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes a record out, atomically: of any number of callers, on any number of replicas, exactly one gets it.
    ///
    /// RFC 9700, 4.7. If a sign-in attempt could be read twice, a captured callback URL would open a second session
    /// for whoever holds it.
    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes a record; removing what is not there is fine.
    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError>;

    /// Replaces a record only if it is still there: a session that was signed out elsewhere is never brought back by
    /// a late "last seen". Returns whether it was there.
    async fn replace(&self, kind: Kind, key: StoreKey, record: &[u8], keep: Duration, now: SystemTime) -> Result<bool, StoreError>;

    /// Whether the store answers now: for readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Drops what is over; stores that expire by themselves do nothing. Called from time to time in the background.
    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError>;
}
