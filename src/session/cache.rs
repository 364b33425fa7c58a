//! Sessions in memory, by store key.
//!
//! # What a signed-in request costs
//!
//! One SHA-256 of the cookie value (80–100 ns), one sharded map lookup under a read lock that no request holds across
//! anything (30–150 ns, performance.md section 4), one `Arc` count up and down, two atomic loads. No await is taken, the
//! store is not asked, nothing is copied. About once a minute one request of a session has "last seen" written. Where
//! other gateways write to the store as well, about one a second starts a background check (see `cached.rs`), and a request
//! whose session was not used here for two seconds or more waits for one round trip to the store, as does the first one
//! after a restart.
//!
//! # A miss
//!
//! Of any number of requests with the same unknown cookie one asks the store and all get its answer, be it a session,
//! nothing or a failure. Only sessions are kept: "not found" and failures are forgotten with the last caller, so random
//! ids cannot fill memory, and the number of loads under way at once is bounded.
//!
//! This is not `ground/single_flight.rs`, whose work runs in a task of its own: here the load runs within the request of
//! whoever asks first, and another one takes over if that one leaves. A person who comes every few seconds has their copy
//! checked on each visit, and a task would cost that request two more turns of the scheduler.
//!
//! # A sign-out
//!
//! [`SessionCache::deny`] outlives the removal from the store: if the store forgets the removal (a failover that lost the
//! last second of writes, security.md M08) or a load that began before it comes back after it (F06), the session stays
//! dead on this node.

pub mod bounded;

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use tokio::sync::{OnceCell, Semaphore};

use super::StoreKey;
use super::cached::{Cacheable, CachedSession};
use super::store::StoreError;
use crate::ground::time::Timestamp;

/// Bounds of a [`SessionCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Sessions kept in process; the least useful one makes room. Default 100,000 (about 50 MiB).
    pub sessions: usize,
    /// Bytes that they may take together: each counts for what it takes, and for no less than a session's share of all.
    /// Default 244 MiB, [`CacheLimits::SESSION_BYTES`] a session.
    pub bytes: usize,
    /// Loads from the store under way at once for ids this node does not know; more wait a moment for their turn and
    /// are then refused. Sessions that are only checked again have as many places of their own. Default 256.
    pub loads: usize,
    /// Signed-out ids remembered; the one that would end first makes room. Default 200,000 (about 30 MiB).
    pub denied: usize,
    /// Ids remembered that were signed out while the store did not say whether there is such a session: anybody can make
    /// those up, so they have a list of their own. Default 10,000.
    pub doubtful: usize,
}

impl CacheLimits {
    /// Room for a session unless the configuration says otherwise, in bytes: four times what most take.
    pub const SESSION_BYTES: usize = 2560;
}

impl Default for CacheLimits {
    fn default() -> Self {
        let (sessions, bytes) = (100_000, 100_000 * Self::SESSION_BYTES);
        Self { sessions, bytes, loads: 256, denied: 200_000, doubtful: 10_000 }
    }
}

/// How long a load for an unknown id waits for its turn.
const TURN: Duration = Duration::from_millis(100);

/// What a load may fail with.
pub trait LoadError: Clone {
    /// Too many loads were under way.
    fn crowded() -> Self;
}

impl LoadError for StoreError {
    fn crowded() -> Self {
        StoreError::Unavailable("too many unknown sessions are asked for at once".to_owned())
    }
}

type Answer<V, E> = Result<Option<Arc<CachedSession<V>>>, E>;
type Flight<V, E> = Arc<OnceCell<Answer<V, E>>>;
type Hash = BuildHasherDefault<FirstEight>;

/// See the module's page. `V` is whatever the caller wants at hand for a session, `E` what a load may fail with.
pub struct SessionCache<V, E = StoreError> {
    sessions: Cache<StoreKey, Arc<CachedSession<V>>, Memory, Hash>,
    denied: RwLock<Denied>,
    /// Loads under way. The standard hasher: unlike the keys of sessions that exist, these are chosen by anybody.
    flights: Mutex<HashMap<StoreKey, Flight<V, E>>>,
    /// Places for ids that are not cached: anybody can make those up.
    unknown: Semaphore,
    /// Places for sessions that are: whoever floods us with made-up ids does not stand in front of people (L11).
    known: Semaphore,
}

impl<V, E> std::fmt::Debug for SessionCache<V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCache").finish_non_exhaustive()
    }
}

impl<V: Cacheable, E: LoadError> SessionCache<V, E> {
    /// An empty cache.
    pub fn new(limits: CacheLimits) -> Self {
        let sessions = limits.sessions.max(1);
        // With this much at least for each, so many sessions are the bound on bytes: one count bounds both.
        let least = u64::try_from((limits.bytes / sessions).max(1)).unwrap_or(u64::MAX);
        Self {
            sessions: Cache::with(
                sessions,
                least.saturating_mul(u64::try_from(sessions).unwrap_or(u64::MAX)),
                Memory { least },
                Hash::default(),
                DefaultLifecycle::default(),
            ),
            denied: RwLock::new(Denied {
                known: DenyList::new(limits.denied.max(1)),
                doubtful: DenyList::new(limits.doubtful.max(1)),
            }),
            flights: Mutex::new(HashMap::new()),
            unknown: Semaphore::new(limits.loads.clamp(1, Semaphore::MAX_PERMITS)),
            known: Semaphore::new(limits.loads.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// The cached session, if there is one. Whether it may be served is for [`CachedSession::freshness`] and
    /// [`super::Session::is_live`] to say. A denied session is never found.
    pub fn get(&self, key: &StoreKey) -> Option<Arc<CachedSession<V>>> {
        self.sessions.get(key)
    }

    /// Keeps a session that the store was asked for (or given) at `asked_at`. `None` if it was signed out meanwhile.
    pub fn insert(&self, key: StoreKey, value: V, asked_at: SystemTime) -> Option<Arc<CachedSession<V>>> {
        let hot = match self.sessions.peek(&key) {
            Some(previous) => CachedSession::succeeding(value, asked_at, &previous),
            None => CachedSession::new(value, asked_at),
        };
        let hot = Arc::new(hot);
        // Held until the session is in: if it were put in after `deny` has looked, it would outlive the sign-out.
        let denied = self.denied.read();
        if denied.holds(&key, asked_at) {
            return None;
        }
        self.sessions.insert(key, Arc::clone(&hot));
        Some(hot)
    }

    /// Forgets a session: the store no longer has it. It may be loaded again.
    pub fn remove(&self, key: &StoreKey) {
        self.sessions.remove(key);
    }

    /// Signs a session out on this node, whatever the store says, until `until`: the time by which it would have ended
    /// anyway (its creation plus [`super::Lifetimes::absolute`]).
    pub fn deny(&self, key: StoreKey, until: SystemTime, now: SystemTime) {
        self.denied.write().known.add(key, Timestamp::of(until).as_millis(), Timestamp::of(now).as_millis());
        self.sessions.remove(&key);
    }

    /// As [`SessionCache::deny`], for an id of which nobody knows whether it is a session's: the store does not answer.
    /// It pushes no session that is known to have been signed out off the list, however many are made up.
    pub fn deny_doubtful(&self, key: StoreKey, until: SystemTime, now: SystemTime) {
        self.denied.write().doubtful.add(key, Timestamp::of(until).as_millis(), Timestamp::of(now).as_millis());
        self.sessions.remove(&key);
    }

    /// Whether the session was signed out on this node. Long-lived streams ask, and background checks before they
    /// confirm.
    pub fn is_denied(&self, key: &StoreKey, now: SystemTime) -> bool {
        self.denied.read().holds(key, now)
    }

    /// How many sessions are cached.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Bytes that the cached sessions count for: see [`CacheLimits::bytes`].
    pub fn bytes(&self) -> usize {
        usize::try_from(self.sessions.weight()).unwrap_or(usize::MAX)
    }

    /// Whether no session is cached.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The cached session, or what `load` finds in the store. `now` is when the question is asked.
    ///
    /// Of many callers with the same key one runs its `load`; all get the answer. If that one goes away (the browser hung
    /// up), another takes over with its own `load`; nobody is failed by it.
    pub async fn get_or_load<F, L>(&self, key: StoreKey, now: SystemTime, load: F) -> Answer<V, E>
    where
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<V>, E>>,
    {
        match self.get(&key) {
            Some(hot) => Ok(Some(hot)),
            None => self.load(key, now, load).await,
        }
    }

    /// Like [`SessionCache::get_or_load`], but always asks the store: for [`super::cached::Freshness::Recheck`] and
    /// [`super::cached::Freshness::Stale`]. What `load` finds replaces the cached session; if it finds nothing, the cached
    /// session is removed; if it fails, the cached session stays.
    pub async fn load<F, L>(&self, key: StoreKey, now: SystemTime, load: F) -> Answer<V, E>
    where
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<V>, E>>,
    {
        if self.is_denied(&key, now) {
            return Ok(None);
        }
        let shared = SharedLoad::new(self, key);
        let answer = shared.flight.get_or_init(|| self.ask(key, now, load)).await.clone();
        match answer {
            // Signed out between the answer and here.
            Ok(Some(_)) if self.is_denied(&key, now) => Ok(None),
            answer => answer,
        }
    }

    async fn ask<F, L>(&self, key: StoreKey, now: SystemTime, load: F) -> Answer<V, E>
    where
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<V>, E>>,
    {
        // The semaphores are never closed; if one were, loading without a permit only loses the bound.
        let _permit = if self.sessions.peek(&key).is_some() {
            self.known.acquire().await.ok()
        } else {
            match tokio::time::timeout(TURN, self.unknown.acquire()).await {
                Ok(permit) => permit.ok(),
                Err(_) => return Err(E::crowded()),
            }
        };
        match load().await? {
            Some(value) => Ok(self.insert(key, value, now)),
            None => {
                self.remove(&key);
                Ok(None)
            }
        }
    }
}

/// What a session counts for.
#[derive(Debug, Clone)]
struct Memory {
    least: u64,
}

impl<V: Cacheable> Weighter<StoreKey, Arc<CachedSession<V>>> for Memory {
    fn weight(&self, _: &StoreKey, session: &Arc<CachedSession<V>>) -> u64 {
        // With what lies around it: its counts and times, its key, its place in the map.
        let around = size_of::<CachedSession<V>>() - size_of::<V>() + 2 * size_of::<StoreKey>();
        u64::try_from(session.value().bytes() + around).unwrap_or(u64::MAX).max(self.least)
    }
}

/// A caller's part in a load that several callers share. The last one to leave takes it out of `flights`, also when
/// cancelled.
struct SharedLoad<'a, V, E> {
    flights: &'a Mutex<HashMap<StoreKey, Flight<V, E>>>,
    key: StoreKey,
    flight: Flight<V, E>,
}

impl<'a, V, E> SharedLoad<'a, V, E> {
    fn new(cache: &'a SessionCache<V, E>, key: StoreKey) -> Self {
        let mut flights = cache.flights.lock();
        let flight = flights.entry(key).or_default();
        if flight.initialized() {
            // It has finished: its answer is older than this question.
            *flight = Flight::default();
        }
        Self { flights: &cache.flights, key, flight: Arc::clone(flight) }
    }
}

impl<V, E> Drop for SharedLoad<'_, V, E> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // Two owners: `flights` and we. New ones are made under the lock that we hold.
        if flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
            && (self.flight.initialized() || Arc::strong_count(&self.flight) == 2)
        {
            flights.remove(&self.key);
        }
    }
}

/// Everything that is denied.
struct Denied {
    known: DenyList,
    doubtful: DenyList,
}

impl Denied {
    fn holds(&self, key: &StoreKey, now: SystemTime) -> bool {
        self.known.holds(key, now) || self.doubtful.holds(key, now)
    }
}

/// Signed-out sessions and when they may be forgotten, in milliseconds since 1970.
struct DenyList {
    most: usize,
    until: HashMap<StoreKey, u64>,
    by_end: BTreeSet<(u64, StoreKey)>,
}

impl DenyList {
    fn new(most: usize) -> Self {
        Self { most, until: HashMap::new(), by_end: BTreeSet::new() }
    }

    fn holds(&self, key: &StoreKey, now: SystemTime) -> bool {
        !self.until.is_empty() && self.until.get(key).is_some_and(|until| Timestamp::of(now).as_millis() < *until)
    }

    fn add(&mut self, key: StoreKey, until: u64, now: u64) {
        let until = match self.until.insert(key, until) {
            Some(earlier) => {
                self.by_end.remove(&(earlier, key));
                earlier.max(until)
            }
            None => until,
        };
        self.until.insert(key, until);
        self.by_end.insert((until, key));
        while let Some(first) = self.by_end.first().copied()
            && (first.0 <= now || self.until.len() > self.most)
        {
            self.by_end.remove(&first);
            self.until.remove(&first.1);
        }
    }
}

/// The key is a SHA-256 already: its first eight bytes are as good a hash as any, and cost nothing.
///
/// Whoever grinds ids whose hashes begin alike gains nothing: only sessions that exist are in this map.
#[derive(Default)]
struct FirstEight(u64);

impl Hasher for FirstEight {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that slices hash before their bytes.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
