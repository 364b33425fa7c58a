//! Sessions: which one an id names, from memory if it is at hand, else from the store.
//!
//! [`Sessions`] holds the cache, the sealer and the store, and outlives any change of configuration. How a session is
//! opened is in `opening.rs`, how it ends in `ending.rs`, and what becomes of an end that the store did not hear in
//! `revocation.rs`.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use tokio::sync::Semaphore;
use tracing::warn;

use super::account_of::Linked;
use super::cache::SessionCache;
use super::cached::{CachePolicy, CachedSession, Freshness};
use super::live::LiveSession;
use super::provider_check::{self, ProviderCheck, RecheckPolicy};
use super::revocation::PendingRevocations;
use super::seal::Sealer;
use super::store::{Kind, RecordStore, StoreError};
use super::{Lifetimes, SessionId, StoreKey};
use crate::ground::single_flight::SingleFlight;
use crate::ground::time::Timestamp;
use crate::identity::headers::HeaderPlan;
use crate::secret::Entropy;
use crate::telemetry::Metrics;

/// Writes of "last seen" and checks of copies that may be under way at once. One more is left out, and made up for at the
/// next time: were there no bound, a slow store would have a task for every session in use.
const MOST_IN_BACKGROUND: usize = 1024;

/// Why a session is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A person uses it: their idle time begins anew.
    Use,
    /// A page or a program merely asks about it. If that counted, a tab that asks every minute would keep its session
    /// alive for as long as the tab is open.
    Ask,
}

/// What a look-up led to.
#[derive(Debug)]
pub enum Lookup {
    /// A session, and the name of its record.
    SignedIn(Arc<CachedSession<LiveSession>>, StoreKey),
    /// No id was brought.
    Absent,
    /// An id that leads nowhere: wrong, over, signed out, of another host, or not openable. All look alike from outside.
    Dead,
    /// The store owes us the answer.
    StoreDown,
}

/// What sessions are made of.
pub struct Parts {
    /// Where records are kept.
    pub store: Arc<dyn RecordStore>,
    /// How records are sealed.
    pub sealer: Sealer,
    /// Sessions in memory.
    pub cache: SessionCache<LiveSession>,
    /// Random numbers.
    pub entropy: Arc<dyn Entropy>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// When copies in memory are looked at again.
    pub policy: CachePolicy,
    /// Most sign-outs that may wait for a store that is away.
    pub pending_revocations: usize,
    /// When the provider is asked again about a session; `None` for never.
    pub recheck: Option<RecheckPolicy>,
}

/// See the module's page.
pub struct Sessions {
    pub(super) store: Arc<dyn RecordStore>,
    pub(super) sealer: Sealer,
    pub(crate) cache: SessionCache<LiveSession>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lifetimes: Lifetimes,
    policy: CachePolicy,
    pub(super) pending: PendingRevocations,
    /// Checks of copies on behalf of streams, one a session at a time.
    checks: Arc<SingleFlight<StoreKey, Result<bool, StoreError>>>,
    background: Arc<Semaphore>,
    pub(super) recheck: Option<RecheckPolicy>,
    pub(super) check: OnceLock<Arc<dyn ProviderCheck>>,
    pub(super) links: Linked,
    /// Questions to the provider, one a session at a time.
    pub(super) rechecks: Arc<SingleFlight<StoreKey, provider_check::Outcome>>,
    /// Held by every task that must not be cut off half done.
    pub(super) under_way: Arc<()>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, sealer, cache, entropy, metrics, lifetimes, policy, pending_revocations, recheck } = parts;
        let pending = PendingRevocations::new(pending_revocations, Arc::clone(&metrics));
        Arc::new(Self {
            store,
            sealer,
            cache,
            entropy,
            metrics,
            lifetimes,
            policy,
            pending,
            checks: SingleFlight::new(),
            background: Arc::new(Semaphore::new(MOST_IN_BACKGROUND)),
            recheck,
            check: OnceLock::new(),
            links: Linked::default(),
            rechecks: SingleFlight::new(),
            under_way: Arc::new(()),
        })
    }

    /// Where records are kept: for readiness, and for sign-ins that are under way.
    pub fn store(&self) -> &Arc<dyn RecordStore> {
        &self.store
    }

    /// How records are sealed.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The source of random numbers.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// How long sessions live.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// The session of `id` on `host`, from memory if its copy may be served, else from the store, once for all who wait.
    /// `plans` are those whose headers are rendered if it is loaded.
    pub async fn look_up(
        self: &Arc<Self>,
        id: SessionId,
        host: &str,
        purpose: Purpose,
        plans: &Arc<[Arc<HeaderPlan>]>,
        now: SystemTime,
    ) -> Lookup {
        let key = id.store_key();
        let found = match self.at_hand(&id, key, purpose, now) {
            Ok(cached) => Lookup::SignedIn(cached, key),
            // In a box, like everything that is rare: each request carries the room for what it might have to wait for.
            Err(copy) => Box::pin(self.load(id.clone(), copy, purpose, plans, now)).await,
        };
        let found = match found {
            Lookup::SignedIn(cached, _) if self.is_recheck_due(&cached, now) => {
                Box::pin(self.rechecked(&id, cached, plans, now)).await
            }
            found => found,
        };
        self.on_host(found, host, now)
    }

    /// What was found, if it is anything on `host`.
    pub(super) fn on_host(&self, found: Lookup, host: &str, now: SystemTime) -> Lookup {
        match found {
            // A cookie that was carried to another of our hosts opens nothing there: each has sessions of its own.
            Lookup::SignedIn(cached, _) if cached.value().session().host() != host => Lookup::Dead,
            Lookup::SignedIn(cached, _) if self.has_lost_its_parent(&cached, now) => Lookup::Dead,
            found => found,
        }
    }

    /// Whether the session that this one was handed over from was ended here. While the store is away nobody can say which
    /// children that one has; each of them says it itself.
    fn has_lost_its_parent(&self, cached: &CachedSession<LiveSession>, now: SystemTime) -> bool {
        cached.value().session().parent().is_some_and(|parent| self.cache.is_denied(&parent, now))
    }

    /// The session from memory, if the copy there may be served. If not, the store is to be asked; the copy that may
    /// stand in for its answer comes back.
    fn at_hand(
        self: &Arc<Self>,
        id: &SessionId,
        key: StoreKey,
        purpose: Purpose,
        now: SystemTime,
    ) -> Result<Arc<CachedSession<LiveSession>>, Option<Arc<CachedSession<LiveSession>>>> {
        let cached = self.cache.get(&key).ok_or(None)?;
        // Compared many times: read once.
        let moment = Timestamp::of(now);
        let freshness = cached.freshness(moment, &self.policy);
        match freshness {
            Freshness::Fresh | Freshness::Revalidate => {}
            Freshness::Recheck => return Err(Some(cached)),
            Freshness::Stale => return Err(None),
        }
        // One that seems idle may have been used on another replica: the store has the last word.
        if !cached.value().session().is_live(moment, cached.last_used_at(), &self.lifetimes) {
            return Err(None);
        }
        if purpose == Purpose::Use {
            cached.touch(moment);
        }
        // However fresh the copy is: the store drops a session of whose uses it does not hear.
        if purpose == Purpose::Use && cached.claim_touch(moment, &self.policy) {
            self.write_use(&cached, id, now);
        } else if freshness == Freshness::Revalidate
            && cached.claim_check(moment, &self.policy)
            && let Some(permit) = self.background_permit()
        {
            let (sessions, cached) = (Arc::clone(self), Arc::clone(&cached));
            tokio::spawn(async move {
                let answer = sessions.still_is(&cached, key, now).await;
                sessions.learn(&cached, key, answer, now);
                drop(permit);
            });
        }
        Ok(cached)
    }

    /// The slow way: the session is not in memory, or its copy is too old to be served unasked. `copy` is what may
    /// still be served if the store does not answer.
    pub(super) async fn load(
        self: &Arc<Self>,
        id: SessionId,
        copy: Option<Arc<CachedSession<LiveSession>>>,
        purpose: Purpose,
        plans: &Arc<[Arc<HeaderPlan>]>,
        now: SystemTime,
    ) -> Lookup {
        let lookups = &self.metrics.session_lookups;
        if !self.sealer.has_made(&id) {
            lookups.none.inc();
            return Lookup::Dead;
        }
        let key = id.store_key();
        let (sessions, asked, known, plans) = (Arc::clone(self), id.clone(), copy.clone(), Arc::clone(plans));
        let fetch = || async move {
            let (record, same_account) = sessions.stored_beside(known.as_deref(), key, now).await?;
            let Some(record) = record else { return Ok(None) };
            // Between two pages of a person mostly nothing has changed: what was opened and rendered is good still.
            if let Some(known) = known.filter(|known| same_account && known.value().is_from(&record)) {
                return Ok(Some(known.value().clone()));
            }
            match sessions.sealer.open_session(&asked, &record) {
                Ok(session) => Ok(Some(sessions.live(session, &record, &plans, now).await?)),
                Err(reason) => {
                    warn!(reason = %reason, code = "session_corrupt", "A session record could not be opened");
                    Ok(None)
                }
            }
        };
        let relinked = self.relinked_so_far();
        let loaded = self.cache.load(key, now, fetch).await;
        self.forget_if_relinked(&key, relinked);
        self.count_cached_bytes();
        let (count, lookup) = match loaded {
            Ok(Some(cached)) if cached.value().session().is_live(now, cached.last_used(), &self.lifetimes) => {
                if purpose == Purpose::Use {
                    cached.touch(now);
                    // Somebody who comes every few minutes always lands here. If only the check of a copy told the
                    // store of uses, it would drop their session in the middle of their work.
                    if cached.claim_touch(now, &self.policy) {
                        self.write_use(&cached, &id, now);
                    }
                }
                (&lookups.store, Lookup::SignedIn(cached, key))
            }
            Ok(Some(_)) => {
                self.cache.remove(&key);
                (&lookups.none, Lookup::Dead)
            }
            Ok(None) => (&lookups.none, Lookup::Dead),
            Err(error) => {
                self.store_failed(&error, "The session store did not answer");
                match copy.filter(|_| !self.cache.is_denied(&key, now)) {
                    Some(cached) if cached.value().session().is_live(now, cached.last_used(), &self.lifetimes) => {
                        if purpose == Purpose::Use {
                            cached.touch(now);
                        }
                        (&lookups.grace, Lookup::SignedIn(cached, key))
                    }
                    _ => (&lookups.error, Lookup::StoreDown),
                }
            }
        };
        count.inc();
        lookup
    }

    /// Says how much memory sessions take. Called when one was put there, which no request of a cached session does.
    pub(super) fn count_cached_bytes(&self) {
        self.metrics.session_cache_bytes.set(i64::try_from(self.cache.bytes()).unwrap_or(i64::MAX));
    }

    /// Whether a session that a stream was opened under still stands at `now`. Traffic on a stream is no use of it. For a
    /// copy that is not fresh any more the store is asked once for all streams of the session; while the store is away,
    /// sessions in memory go on for their grace.
    pub async fn still_stands(
        self: &Arc<Self>,
        opened: &Arc<CachedSession<LiveSession>>,
        key: StoreKey,
        now: SystemTime,
    ) -> bool {
        // The copy at hand may have been replaced since the stream was opened, and hears of no use any more.
        let cached = self.cache.get(&key).unwrap_or_else(|| Arc::clone(opened));
        let is_live = cached.value().session().is_live(now, cached.last_used(), &self.lifetimes);
        if self.cache.is_denied(&key, now) || self.has_lost_its_parent(&cached, now) || !is_live {
            return false;
        }
        if self.is_unconfirmed(&cached, now) {
            return false;
        }
        if cached.vouches_for_streams(now, &self.policy) {
            return true;
        }
        let freshness = cached.freshness(now, &self.policy);
        let sessions = Arc::clone(self);
        let copy = Arc::clone(&cached);
        let ask = || async move { sessions.still_is(&copy, key, now).await };
        let lost = Err(StoreError::Unavailable("the check was lost".to_owned()));
        let (check, _) = self.checks.join(&key, || None, ask, lost);
        let answer = check.await;
        let stands = match &answer {
            Ok(stored) => *stored,
            Err(_) => freshness != Freshness::Stale,
        };
        self.learn(&cached, key, answer, now);
        stands
    }

    /// The record of a session; `None` also for one that ended here or elsewhere, whatever lies in its place. Asked of a
    /// store that others can write to, it is worth two questions in one round trip: a record that somebody copied before a
    /// sign-out and put back after it must open nothing.
    pub(super) async fn stored(&self, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let (record, ended) =
            tokio::join!(self.store.get(Kind::Session, key, now), self.store.get(Kind::Ended, key, now));
        let record = record?;
        if ended?.is_some() {
            if record.is_some() {
                warn!(code = "session_revived", "A session that had ended lay in the store again; it was not believed");
            }
            return Ok(None);
        }
        Ok(record)
    }

    fn background_permit(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.background).try_acquire_owned().ok()
    }

    /// Writes down in the background that a session is in use, for whoever claimed that.
    fn write_use(self: &Arc<Self>, cached: &Arc<CachedSession<LiveSession>>, id: &SessionId, now: SystemTime) {
        let Some(permit) = self.background_permit() else { return };
        let (sessions, cached, id) = (Arc::clone(self), Arc::clone(cached), id.clone());
        tokio::spawn(async move {
            let mut seen = cached.value().session().clone();
            seen.seen(seen.last_seen().max(cached.last_used()));
            let record = sessions.sealer.seal_session(&id, &seen, &*sessions.entropy);
            let keep = seen.keep_for(now, &sessions.lifetimes);
            let key = id.store_key();
            let (is_there, same_account) = tokio::join!(
                sessions.store.replace(Kind::Session, key, &record, keep, now),
                sessions.has_its_account(&cached, now)
            );
            let answer = is_there.and_then(|is_there| Ok(is_there && same_account?));
            sessions.learn(&cached, key, answer, now);
            drop(permit);
        });
    }

    /// Takes what the store said about a session, asked at `now`, to the copy at hand.
    fn learn(
        &self,
        cached: &CachedSession<LiveSession>,
        key: StoreKey,
        answer: Result<bool, StoreError>,
        now: SystemTime,
    ) {
        match answer {
            Ok(true) => cached.confirm(now),
            Ok(false) => self.cache.remove(&key),
            Err(error) => {
                self.store_failed(&error, "The session store did not answer; sessions in memory go on for their grace");
            }
        }
    }

    /// Counts and logs an answer that the store owes us.
    pub(crate) fn store_failed(&self, error: &StoreError, what: &'static str) {
        self.metrics.store_errors.inc();
        warn!(reason = %error, "{what}");
    }
}
