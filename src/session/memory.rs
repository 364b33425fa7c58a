//! Records in process memory: for tests and demonstrations. A restart signs everybody out.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::StoreKey;
use super::store::{Kind, Limits, RecordStore, StoreError};

/// A bounded map. Each kind has its own bound; when one is reached, what is over makes room first.
#[derive(Debug)]
pub struct MemoryStore {
    limits: Limits,
    records: Mutex<HashMap<(Kind, StoreKey), Kept>>,
}

#[derive(Debug)]
struct Kept {
    record: Vec<u8>,
    /// `None`: further away than the clock can say.
    until: Option<SystemTime>,
}

impl Kept {
    fn is_over(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, records: Mutex::default() }
    }

    /// How many records of `kind` are kept, those that are over but not yet swept included.
    pub fn count(&self, kind: Kind) -> usize {
        self.records.lock().keys().filter(|(of, _)| *of == kind).count()
    }

    fn is_full(&self, kind: Kind, records: &HashMap<(Kind, StoreKey), Kept>) -> bool {
        let count = records.keys().filter(|(of, _)| *of == kind).count();
        u64::try_from(count).unwrap_or(u64::MAX) >= self.limits.of(kind)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut records = self.records.lock();
        if keep.is_zero() {
            records.remove(&(kind, key));
            return Ok(());
        }
        // Counting is a walk; only a store that may be full takes it.
        if u64::try_from(records.len()).unwrap_or(u64::MAX) >= self.limits.of(kind)
            && !records.contains_key(&(kind, key))
            && self.is_full(kind, &records)
        {
            records.retain(|_, kept| !kept.is_over(now));
            if self.is_full(kind, &records) {
                return Err(StoreError::Full);
            }
        }
        records.insert((kind, key), Kept { record: record.to_vec(), until: now.checked_add(keep) });
        Ok(())
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let records = self.records.lock();
        Ok(records.get(&(kind, key)).filter(|kept| !kept.is_over(now)).map(|kept| kept.record.clone()))
    }

    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let taken = self.records.lock().remove(&(kind, key));
        Ok(taken.filter(|kept| !kept.is_over(now)).map(|kept| kept.record))
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        self.records.lock().remove(&(kind, key));
        Ok(())
    }

    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut records = self.records.lock();
        let Some(kept) = records.get_mut(&(kind, key)).filter(|kept| !kept.is_over(now)) else { return Ok(false) };
        if keep.is_zero() {
            records.remove(&(kind, key));
        } else {
            *kept = Kept { record: record.to_vec(), until: now.checked_add(keep) };
        }
        Ok(true)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.records.lock().retain(|_, kept| !kept.is_over(now));
        Ok(())
    }
}
