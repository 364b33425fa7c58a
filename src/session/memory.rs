//! Records in process memory: for tests and demonstrations. A restart signs everybody out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::StoreKey;
use super::store::{Kind, Limits, RecordStore, Relation, StoreError, Swap};

/// A bounded map. Each kind has its own bound; when one is reached, what is over makes room first.
#[derive(Debug)]
pub struct MemoryStore {
    limits: Limits,
    sessions: Mutex<Table>,
    attempts: Mutex<Table>,
    ended: Mutex<Table>,
    keys: Mutex<Table>,
    spent: Mutex<Table>,
    provider: Mutex<Table>,
    pages: Mutex<Table>,
    links: Mutex<Table>,
    approvals: Mutex<Table>,
    sets: Mutex<HashMap<(Relation, StoreKey), Set>>,
}

/// Members of one set, with the end of their time (`None` as in [`Kept::until`]).
type Set = BTreeMap<StoreKey, Option<SystemTime>>;

/// The records of one kind, and which of them end first: a full table finds out in no more than a few steps whether
/// something on it is over.
#[derive(Debug, Default)]
struct Table {
    records: HashMap<StoreKey, Kept>,
    by_end: BTreeSet<(SystemTime, StoreKey)>,
}

#[derive(Debug)]
struct Kept {
    record: Vec<u8>,
    /// `None`: further away than the clock can say.
    until: Option<SystemTime>,
}

impl Kept {
    fn is_over(&self, now: SystemTime) -> bool {
        is_over(self.until, now)
    }
}

fn is_over(until: Option<SystemTime>, now: SystemTime) -> bool {
    until.is_some_and(|until| until <= now)
}

impl Table {
    fn insert(&mut self, key: StoreKey, record: &[u8], until: Option<SystemTime>) {
        self.remove(&key);
        self.records.insert(key, Kept { record: record.to_vec(), until });
        self.by_end.extend(until.map(|until| (until, key)));
    }

    fn remove(&mut self, key: &StoreKey) -> Option<Kept> {
        let kept = self.records.remove(key)?;
        if let Some(until) = kept.until {
            self.by_end.remove(&(until, *key));
        }
        Some(kept)
    }

    fn sweep(&mut self, now: SystemTime) {
        while let Some((_, key)) = self.by_end.first().copied().filter(|(until, _)| *until <= now) {
            self.remove(&key);
        }
    }

    /// Drops what is over, or else what would end first.
    fn make_room(&mut self, now: SystemTime) {
        let before = self.records.len();
        self.sweep(now);
        if self.records.len() == before
            && let Some((_, first)) = self.by_end.first().copied()
        {
            self.remove(&first);
        }
    }

    fn is_full(&self, limit: u64) -> bool {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX) >= limit
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            sessions: Mutex::default(),
            attempts: Mutex::default(),
            ended: Mutex::default(),
            keys: Mutex::default(),
            sets: Mutex::default(),
            spent: Mutex::default(),
            provider: Mutex::default(),
            pages: Mutex::default(),
            links: Mutex::default(),
            approvals: Mutex::default(),
        }
    }

    /// How many records of `kind` are kept, those that are over but not yet swept included.
    pub fn count(&self, kind: Kind) -> usize {
        self.table(kind).lock().records.len()
    }

    fn table(&self, kind: Kind) -> &Mutex<Table> {
        match kind {
            Kind::Session => &self.sessions,
            Kind::Attempt => &self.attempts,
            Kind::Ended => &self.ended,
            Kind::Keys => &self.keys,
            Kind::Spent => &self.spent,
            Kind::Provider => &self.provider,
            Kind::Page => &self.pages,
            Kind::Link => &self.links,
            Kind::Approval => &self.approvals,
        }
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
        let mut table = self.table(kind).lock();
        if keep.is_zero() {
            table.remove(&key);
            return Ok(());
        }
        if table.is_full(self.limits.of(kind)) && !table.records.contains_key(&key) {
            table.sweep(now);
            if table.is_full(self.limits.of(kind)) {
                return Err(StoreError::Full);
            }
        }
        table.insert(key, record, now.checked_add(keep));
        Ok(())
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.table(kind).lock();
        Ok(table.records.get(&key).filter(|kept| !kept.is_over(now)).map(|kept| kept.record.clone()))
    }

    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let taken = self.table(kind).lock().remove(&key);
        Ok(taken.filter(|kept| !kept.is_over(now)).map(|kept| kept.record))
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        self.table(kind).lock().remove(&key);
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
        let mut table = self.table(kind).lock();
        if table.records.get(&key).is_none_or(|kept| kept.is_over(now)) {
            return Ok(false);
        }
        if keep.is_zero() {
            table.remove(&key);
        } else {
            table.insert(key, record, now.checked_add(keep));
        }
        Ok(true)
    }

    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut table = self.table(kind).lock();
        if table.records.get(&key).is_some_and(|kept| !kept.is_over(now)) {
            return Ok(false);
        }
        if !keep.is_zero() {
            table.remove(&key);
            if table.is_full(self.limits.of(kind)) {
                if kind.makes_room() {
                    table.make_room(now);
                } else {
                    table.sweep(now);
                    if table.is_full(self.limits.of(kind)) {
                        return Err(StoreError::Full);
                    }
                }
            }
            table.insert(key, record, now.checked_add(keep));
        }
        Ok(true)
    }

    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], now: SystemTime) -> Result<bool, StoreError> {
        let mut table = self.table(kind).lock();
        let held = |swap: &Swap<'_>| table.records.get(&swap.key).filter(|kept| !kept.is_over(now));
        if swaps.iter().any(|swap| held(swap).map(|kept| kept.record.as_slice()) != swap.before) {
            return Ok(false);
        }
        table.sweep(now);
        let new = swaps.iter().filter(|swap| !table.records.contains_key(&swap.key)).count();
        let room = self.limits.of(kind).saturating_sub(u64::try_from(table.records.len()).unwrap_or(u64::MAX));
        if u64::try_from(new).unwrap_or(u64::MAX) > room {
            return Err(StoreError::Full);
        }
        for swap in swaps {
            table.insert(swap.key, swap.after, now.checked_add(swap.keep));
        }
        Ok(true)
    }

    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError> {
        let mut pushed_out = Vec::new();
        if keep.is_zero() {
            return Ok(pushed_out);
        }
        let mut sets = self.sets.lock();
        let set = sets.entry((relation, of)).or_default();
        if set.len() >= Relation::MOST {
            set.retain(|_, until| !is_over(*until, now));
        }
        let until = now.checked_add(keep);
        let known = set.get(&member).copied();
        let until =
            if known == Some(None) { None } else { until.map(|until| until.max(known.flatten().unwrap_or(until))) };
        if known.is_none()
            && set.len() >= Relation::MOST
            && let Some(first) = set.iter().min_by_key(|(_, until)| (until.is_none(), **until)).map(|(key, _)| *key)
        {
            set.remove(&first);
            pushed_out.push(first);
        }
        set.insert(member, until);
        Ok(pushed_out)
    }

    async fn members(&self, relation: Relation, of: StoreKey, now: SystemTime) -> Result<Vec<StoreKey>, StoreError> {
        let sets = self.sets.lock();
        let live = sets.get(&(relation, of)).into_iter().flatten().filter(|(_, until)| !is_over(**until, now));
        Ok(live.map(|(member, _)| *member).collect())
    }

    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError> {
        let mut sets = self.sets.lock();
        if let Some(set) = sets.get_mut(&(relation, of)) {
            set.remove(&member);
            if set.is_empty() {
                sets.remove(&(relation, of));
            }
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.sets.lock().retain(|_, set| {
            set.retain(|_, until| !is_over(*until, now));
            !set.is_empty()
        });
        Kind::ALL.into_iter().for_each(|kind| self.table(kind).lock().sweep(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::samples::noon;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key(n: u64) -> StoreKey {
        StoreKey(crate::secret::sha256(&n.to_le_bytes()))
    }

    // L13: a store that is full answers as quickly as one that is not.
    #[tokio::test]
    async fn a_full_store_is_no_slower_than_an_empty_one() {
        const MANY: u64 = 50_000;
        let store = MemoryStore::new(Limits { attempts: MANY, ..Limits::default() });
        for n in 0..MANY {
            store.put(Kind::Attempt, key(n), b"x", HOUR, noon()).await.unwrap();
        }
        let began = std::time::Instant::now();
        for n in MANY..MANY + 10_000 {
            assert_eq!(store.put(Kind::Attempt, key(n), b"x", HOUR, noon()).await, Err(StoreError::Full));
        }
        // A walk over all records each time would be half a billion steps.
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        store.put(Kind::Session, key(0), b"x", HOUR, noon()).await.unwrap();
        // The twin: when they are over, there is room again.
        store.put(Kind::Attempt, key(MANY), b"x", HOUR, noon() + HOUR).await.unwrap();
        assert_eq!(store.count(Kind::Attempt), 1);
    }

    #[tokio::test]
    async fn a_record_that_was_written_again_lives_by_its_last_end() {
        let store = MemoryStore::new(Limits { attempts: 2, ..Limits::default() });
        for keep in [HOUR, 3 * HOUR] {
            store.put(Kind::Attempt, key(1), b"x", keep, noon()).await.unwrap();
        }
        store.put(Kind::Attempt, key(2), b"x", Duration::MAX, noon()).await.unwrap();
        store.sweep(noon() + 2 * HOUR).await.unwrap();
        assert_eq!(store.count(Kind::Attempt), 2);
        store.sweep(noon() + 3 * HOUR).await.unwrap();
        assert_eq!(store.count(Kind::Attempt), 1, "what has no end stays");
    }
}
