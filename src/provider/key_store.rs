//! Key sets of each issuer, kept warm.
//!
//! Readers never wait for the network while a fresh key set is at hand, and take no lock. An unknown `kid` may trigger
//! one vain refresh per cool-down and issuer for all sign-ins together, and one for each of a few clients that send tokens:
//! forged ones neither make us hammer the provider (E03), nor keep people from signing in after their issuer changed its
//! keys (`fetch_budget.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::future::join_all;
use parking_lot::Mutex;
use url::Url;

use super::client::HttpClient;
use super::fetch_budget::{Asker, Forced, Throttle};
use super::key_memory::Keeper;
use super::loaded_keys::{Fetched, Loaded, load};
use super::stats::ProviderStats;
use super::{ProviderError, ProviderSettings};
use crate::ground::single_flight::{InFlight, SingleFlight};
use crate::ground::time::{Timestamp, distance};
use crate::oidc::jwks::KeySet;

/// Pause after a failed refresh; recovery is seen within it.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Most key sets kept; a hostile carrier that names a new `jwks_uri` each time pushes out the least used.
const MOST_ENTRIES: usize = 64;

/// Key sets by issuer and address.
pub struct KeyStore {
    client: Arc<HttpClient>,
    stats: Arc<ProviderStats>,
    /// After this age a set is refreshed before it is used again.
    refresh: Duration,
    /// After this age it is not used any more.
    max_stale: Duration,
    cooldown: Duration,
    entries: ArcSwap<Vec<Arc<Entry>>>,
    /// Serialises changes of `entries`, and owns each issuer's throttle. Issuers come from the trust list.
    throttles: Mutex<Vec<Arc<Throttle>>>,
    keeper: OnceLock<Arc<Keeper>>,
    flights: Arc<SingleFlight<String, Fetched>>,
}

/// One key set and its history.
struct Entry {
    id: String,
    issuer: String,
    uri: Url,
    loaded: ArcSwapOption<Loaded>,
    /// Seconds since 1970: no refresh before this, after a failure; zero after a success.
    retry_at: AtomicU64,
    /// Seconds since 1970, to the minute: last use.
    used: AtomicU64,
    throttle: Arc<Throttle>,
}

impl KeyStore {
    /// An empty store; nothing is fetched before somebody asks.
    pub fn new(client: Arc<HttpClient>, settings: &ProviderSettings, stats: Arc<ProviderStats>) -> Arc<Self> {
        Arc::new(Self {
            client,
            stats,
            refresh: settings.jwks_refresh,
            max_stale: settings.jwks_max_stale.max(settings.jwks_refresh),
            cooldown: settings.jwks_cooldown,
            entries: ArcSwap::from_pointee(Vec::new()),
            throttles: Mutex::new(Vec::new()),
            keeper: OnceLock::new(),
            flights: SingleFlight::new(),
        })
    }

    /// How long ago the newest key set of `issuer` that is at hand was fetched.
    pub fn age(&self, issuer: &str, now: SystemTime) -> Option<Duration> {
        let entries = self.entries.load();
        let loaded = entries.iter().filter(|entry| entry.issuer == issuer).filter_map(|entry| entry.loaded.load_full());
        loaded.map(|loaded| distance(now, loaded.fetched)).min()
    }

    /// The key set of `issuer` at `uri`, holding `kid` if it can be had.
    ///
    /// A set older than `jwks_refresh` is refreshed first, so that a withdrawn key is refused from then on (E07); if
    /// that fails the old one serves up to `jwks_max_stale` (E05). A set without `kid` is refreshed once per cool-down
    /// and then returned as it is: that the key is unknown is for the verifier to say.
    ///
    /// A token without `kid`, or one whose `kid` now names another key, shows only by its signature that keys were
    /// rotated. Its verifier may ask once more with an empty `kid`: no key has it, so the same rule applies.
    pub async fn keys(
        &self,
        issuer: &str,
        uri: &Url,
        kid: Option<&str>,
        asker: Asker,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let entry = self.entry(issuer, uri, now);
        let (loaded, newest) = self.current(&entry, now).await?;
        match kid {
            Some(kid) if !newest && !loaded.keys.has_kid(kid) => {
                Ok(Arc::clone(&self.force(&entry, loaded, kid, asker, now).await.keys))
            }
            _ => Ok(Arc::clone(&loaded.keys)),
        }
    }

    /// The key set of `issuer` at `uri`, if there is one that may still be used. Never waits.
    pub fn at_hand(&self, issuer: &str, uri: &Url, now: SystemTime) -> Option<Arc<KeySet>> {
        let entries = self.entries.load();
        let entry = entries.iter().find(|entry| entry.is(issuer, uri))?;
        entry.touch(now);
        let loaded = entry.loaded.load();
        let loaded = loaded.as_ref().filter(|loaded| distance(now, loaded.fetched) <= self.max_stale)?;
        Some(Arc::clone(&loaded.keys))
    }

    /// From now on each set is kept before it is used.
    pub(super) fn keep_with(&self, keeper: Arc<Keeper>) {
        // Asked once, when the federation is put together.
        let _set_before = self.keeper.set(keeper);
    }

    /// Asks for a newer set, however fresh the one at hand is; whether one came.
    pub(super) async fn refresh(&self, issuer: &str, uri: &Url, now: SystemTime) -> bool {
        let entry = self.entry(issuer, uri, now);
        self.fetch(&entry, entry.loaded.load_full().as_ref(), now).0.await.is_ok()
    }

    /// Puts a set there that was fetched before a restart; whether it was taken up. It counts as what it is: a set of
    /// that age; one from the future, or too old to be used, is none.
    pub(super) fn recall(&self, issuer: &str, uri: &Url, document: &str, fetched: SystemTime, now: SystemTime) -> bool {
        let usable = now.duration_since(fetched).is_ok_and(|age| age <= self.max_stale);
        let keys = KeySet::parse(document.as_bytes()).ok().filter(|keys| usable && keys.alarming() == 0);
        let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return false };
        let entry = self.entry(issuer, uri, now);
        if entry.loaded.load().is_none() {
            entry.loaded.store(Some(Arc::new(Loaded::new(keys, document.as_bytes(), fetched))));
        }
        true
    }

    /// Refreshes every set that is about to grow old, and forgets those nobody has used for `jwks_max_stale`.
    pub async fn refresh_due(&self, now: SystemTime) {
        self.forget_unused(now);
        let entries = self.entries.load_full();
        let due = entries.iter().filter(|entry| {
            let age = entry.loaded.load().as_ref().map(|loaded| distance(now, loaded.fetched));
            age.is_none_or(|age| age >= self.refresh / 5 * 4) && entry.may_retry(now)
        });
        join_all(due.map(|entry| self.fetch(entry, entry.loaded.load_full().as_ref(), now).0)).await;
    }

    /// Keeps the sets warm for ever; spawn it once. Dropping the future ends it.
    #[expect(clippy::disallowed_methods, reason = "a task for life: nobody is there to hand the moment down")]
    pub async fn run(self: Arc<Self>) {
        let pause = (self.refresh / 20).clamp(Duration::from_secs(1), RETRY_PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            self.refresh_due(SystemTime::now()).await;
        }
    }

    /// The set to use now, and whether it was fetched on behalf of this very call: nothing newer can be had then.
    async fn current(&self, entry: &Arc<Entry>, now: SystemTime) -> Result<(Arc<Loaded>, bool), ProviderError> {
        let seen = entry.loaded.load_full();
        let usable = seen.as_ref().filter(|loaded| distance(now, loaded.fetched) <= self.max_stale);
        let Some(old) = usable else {
            let (flight, started) = self.fetch(entry, seen.as_ref(), now);
            return Ok((flight.await?, started));
        };
        if distance(now, old.fetched) < self.refresh {
            return Ok((Arc::clone(old), false));
        }
        if entry.is_failing() {
            // The issuer is known to be in trouble: nobody waits for it, one task looks after it.
            if entry.may_retry(now) {
                drop(self.fetch(entry, Some(old), now));
            }
        } else {
            let (flight, started) = self.fetch(entry, Some(old), now);
            if let Ok(newer) = flight.await {
                return Ok((newer, started));
            }
        }
        self.stats.stale_key_sets.add(1);
        Ok((Arc::clone(old), false))
    }

    /// The newest set that can be had for the sake of an unknown `kid`: from a fetch under way, or by using up the
    /// cool-down; `seen` if neither brings one.
    async fn force(
        &self,
        entry: &Arc<Entry>,
        mut seen: Arc<Loaded>,
        kid: &str,
        asker: Asker,
        now: SystemTime,
    ) -> Arc<Loaded> {
        if let Some(flight) = self.flights.current(&entry.id)
            && let Ok(newer) = flight.await
        {
            if newer.keys.has_kid(kid) {
                return newer;
            }
            seen = newer;
        }
        if !entry.throttle.claim(asker, now, self.cooldown) {
            self.stats.forced_suppressed.add(1);
            // Whoever claimed it may have landed since.
            return entry.loaded.load_full().unwrap_or(seen);
        }
        match self.fetch(entry, Some(&seen), now).0.await {
            Ok(newer) => {
                // Without an id, news of any kind are what was looked for.
                let found = newer.keys.has_kid(kid) || (kid.is_empty() && !Arc::ptr_eq(&newer.keys, &seen.keys));
                if found {
                    self.stats.forced_found.add(1);
                    entry.throttle.settle(asker, Forced::Found, now, self.cooldown);
                } else {
                    self.stats.forced_in_vain.add(1);
                }
                newer
            }
            Err(_) => {
                self.stats.forced_failed.add(1);
                entry.throttle.settle(asker, Forced::Failed, now, self.cooldown);
                seen
            }
        }
    }

    /// Starts or joins the one fetch for `entry`, unless a set newer than `seen` is there by now; says whether it was
    /// started here. Whatever was at hand stays when it fails.
    fn fetch(&self, entry: &Arc<Entry>, seen: Option<&Arc<Loaded>>, now: SystemTime) -> (InFlight<Fetched>, bool) {
        let finished = || {
            let newer = entry.loaded.load_full()?;
            (!seen.is_some_and(|seen| Arc::ptr_eq(seen, &newer))).then_some(Ok(newer))
        };
        let start = || {
            let (client, stats, entry) = (Arc::clone(&self.client), Arc::clone(&self.stats), Arc::clone(entry));
            let keeper = self.keeper.get().cloned();
            async move {
                let outcome = load(&client, &stats, (&entry.issuer, &entry.uri), entry.loaded.load_full(), now).await;
                stats.key_sets.count(&outcome);
                match &outcome {
                    Ok(loaded) => {
                        entry.retry_at.store(0, Ordering::Relaxed);
                        if let Some(keeper) = keeper {
                            // First: what is acted upon from here on must not be forgotten by a restart.
                            keeper.keep(loaded.remembered(&entry.issuer, &entry.uri)).await;
                        }
                        entry.loaded.store(Some(Arc::clone(loaded)));
                    }
                    Err(error) => {
                        entry.retry_at.store(Timestamp::of(now + RETRY_PAUSE).as_secs().max(1), Ordering::Relaxed);
                        let issuer = entry.issuer.as_str();
                        tracing::warn!(issuer, %error, "The key set of `{issuer}` could not be fetched");
                    }
                }
                outcome
            }
        };
        let lost = Err(ProviderError::unavailable("fetch was abandoned", None));
        self.flights.join(&entry.id, finished, start, lost)
    }

    fn entry(&self, issuer: &str, uri: &Url, now: SystemTime) -> Arc<Entry> {
        let find = |entries: &[Arc<Entry>]| entries.iter().find(|entry| entry.is(issuer, uri)).cloned();
        let entry = find(&self.entries.load()).unwrap_or_else(|| {
            let mut throttles = self.throttles.lock();
            let entries = self.entries.load_full();
            find(&entries).unwrap_or_else(|| self.add(&mut throttles, &entries, issuer, uri, now))
        });
        entry.touch(now);
        entry
    }

    fn add(
        &self,
        throttles: &mut Vec<Arc<Throttle>>,
        entries: &[Arc<Entry>],
        issuer: &str,
        uri: &Url,
        now: SystemTime,
    ) -> Arc<Entry> {
        let known = throttles.iter().find(|throttle| throttle.issuer == issuer).cloned();
        let throttle = known.unwrap_or_else(|| {
            let new = Arc::new(Throttle::new(issuer));
            throttles.push(Arc::clone(&new));
            new
        });
        let entry = Arc::new(Entry {
            id: format!("{issuer} {uri}"),
            issuer: issuer.to_owned(),
            uri: uri.clone(),
            loaded: ArcSwapOption::empty(),
            retry_at: AtomicU64::new(0),
            used: AtomicU64::new(Timestamp::of(now).as_secs()),
            throttle,
        });
        let mut kept = entries.to_vec();
        if kept.len() >= MOST_ENTRIES {
            kept.sort_by_key(|entry| std::cmp::Reverse(entry.used.load(Ordering::Relaxed)));
            kept.truncate(MOST_ENTRIES - 1);
        }
        kept.push(Arc::clone(&entry));
        self.entries.store(Arc::new(kept));
        entry
    }

    fn forget_unused(&self, now: SystemTime) {
        let oldest = Timestamp::of(now).as_secs().saturating_sub(self.max_stale.as_secs().max(120));
        let is_used = |entry: &&Arc<Entry>| entry.used.load(Ordering::Relaxed) >= oldest;
        if self.entries.load().iter().all(|entry| is_used(&entry)) {
            return;
        }
        let _serialised = self.throttles.lock();
        let kept = self.entries.load().iter().filter(is_used).cloned().collect();
        self.entries.store(Arc::new(kept));
    }
}

impl Entry {
    fn is(&self, issuer: &str, uri: &Url) -> bool {
        self.issuer == issuer && self.uri == *uri
    }

    fn is_failing(&self) -> bool {
        self.retry_at.load(Ordering::Relaxed) != 0
    }

    fn may_retry(&self, now: SystemTime) -> bool {
        let at = self.retry_at.load(Ordering::Relaxed);
        // A pause that seems longer than it ever is means that the clock was set back.
        Timestamp::of(now).as_secs() >= at || at - Timestamp::of(now).as_secs() > RETRY_PAUSE.as_secs() + 1
    }

    /// Written once a minute at most, so that readers on other cores keep their cache line.
    fn touch(&self, now: SystemTime) {
        let now = Timestamp::of(now).as_secs();
        if now.abs_diff(self.used.load(Ordering::Relaxed)) >= 60 {
            self.used.store(now, Ordering::Relaxed);
        }
    }
}
