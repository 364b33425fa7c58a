//! A store that can be away.

use super::*;
use crate::session::store::Swap;

/// A store that can be away, and counts how often it is asked for sessions.
pub(super) struct Switch {
    pub(super) store: MemoryStore,
    pub(super) away: AtomicBool,
    pub(super) asked: AtomicUsize,
}

impl Switch {
    pub(super) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn answers(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) { Err(StoreError::Unavailable("away".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl RecordStore for Switch {
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        r: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.answers()?;
        self.store.put(kind, key, r, keep, now).await
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        if kind == Kind::Session {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        self.answers()?;
        self.store.get(kind, key, now).await
    }

    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        self.answers()?;
        self.store.take(kind, key, now).await
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        self.answers()?;
        self.store.remove(kind, key).await
    }

    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.replace(kind, key, record, keep, now).await
    }

    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.insert(kind, key, record, keep, now).await
    }

    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], now: SystemTime) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.swap(kind, swaps, now).await
    }

    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError> {
        self.answers()?;
        self.store.add_member(relation, of, member, keep, now).await
    }

    async fn members(&self, relation: Relation, of: StoreKey, now: SystemTime) -> Result<Vec<StoreKey>, StoreError> {
        self.answers()?;
        self.store.members(relation, of, now).await
    }

    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError> {
        self.answers()?;
        self.store.remove_member(relation, of, member).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.answers()
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.store.sweep(now).await
    }
}
