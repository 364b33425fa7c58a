//! One cached session: what it costs to keep it honest.
//!
//! A cached session is a copy, and the truth may have changed: the person signed out on another replica, the record ran
//! out, an administrator ended it. How old a copy may be before it is asked about is decided here, by a pure function.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use super::{Lifetimes, Session};
use crate::ground::time::Timestamp;

/// What can be kept in a [`super::cache::SessionCache`].
pub trait Cacheable {
    /// When the store last heard of its session being used: see [`Session::last_seen`].
    fn last_seen(&self) -> SystemTime;

    /// Bytes that it takes in memory, itself and all that it owns; the same at any time.
    fn bytes(&self) -> usize;
}

impl Cacheable for Session {
    fn last_seen(&self) -> SystemTime {
        Session::last_seen(self)
    }

    fn bytes(&self) -> usize {
        Session::bytes(self)
    }
}

/// How long a copy is trusted. See [`Freshness`] for what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicy {
    /// A copy younger than this is served without a question. Default 1 second.
    pub revalidate: Duration,
    /// A copy of this age or more is served only after the store was asked: the longest that a session ended elsewhere
    /// goes on here while the store answers, unless `revalidate` is longer. Default 2 seconds (security.md F07).
    pub revoked_within: Duration,
    /// How long a copy is served while the store does *not* answer. Default 60 seconds (security.md M01).
    pub grace: Duration,
    /// "Last seen" is written to the store at most this often. Default 60 seconds, and never more than a quarter of the
    /// idle time: a store that has not heard of a session for the idle time drops it.
    pub touch: Duration,
    /// A copy younger than this says whether a stream may go on without a question. Default 100 milliseconds: streams are
    /// asked about at moments of their own, a little less than a second apart, and the longest that a session ended
    /// elsewhere goes on in a stream is both together.
    pub of_streams: Duration,
}

impl CachePolicy {
    /// The defaults, fitted to `lifetimes`.
    pub fn for_lifetimes(lifetimes: &Lifetimes) -> Self {
        Self {
            revalidate: Duration::from_secs(1),
            revoked_within: Duration::from_secs(2),
            grace: Duration::from_secs(60),
            touch: Duration::from_secs(60).min(lifetimes.idle / 4),
            of_streams: Duration::from_millis(100),
        }
    }

    /// The same for a store that nobody but this process writes to. Whatever ends a session there has ended its copy
    /// here before, so nothing is waited for: a copy goes on for its grace, and from half of that on is compared with its
    /// record behind the request's back, which shows whether the store still answers.
    #[must_use]
    pub fn for_exclusive_store(self) -> Self {
        let half = self.touch.min(self.grace / 2);
        let revalidate = self.revalidate.max(half);
        Self { revalidate, revoked_within: self.revoked_within.max(self.grace), of_streams: revalidate, ..self }
    }
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self::for_lifetimes(&Lifetimes::default())
    }
}

/// What may be done with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Serve it.
    Fresh,
    /// Serve it; whoever wins [`CachedSession::claim_check`] asks the store in the background.
    Revalidate,
    /// Ask the store before serving. If the store does not answer, serve it: a person who is signed in outlives a short
    /// outage.
    ///
    /// A copy that nobody used for a while lands here, not in [`Freshness::Revalidate`]: if it were served first and
    /// checked later, a stolen cookie would be good for one more request, at any time after its owner signed out.
    Recheck,
    /// Ask the store before serving. If the store does not answer, answer 503.
    Stale,
}

/// A cached value and what is known about its age. Times are milliseconds since 1970, kept in atomics: a request writes
/// at most one of them, and only about once a second.
#[derive(Debug)]
pub struct CachedSession<V> {
    value: V,
    loaded_at: AtomicU64,
    check_claimed_at: AtomicU64,
    last_used: AtomicU64,
    touch_claimed_at: AtomicU64,
    /// When the cookie was last sent from here; 0 if that is not known.
    cookie_sent_at: AtomicU64,
    /// When the provider was last asked about it from here.
    recheck_claimed_at: AtomicU64,
}

/// Uses closer together than this are one use: requests of one session on many cores do not fight over a cache line.
const SAME_USE: u64 = 1000;

impl<V: Cacheable> CachedSession<V> {
    /// A copy of what the store said to a question that was asked at `asked_at`.
    ///
    /// The time of the question, not of the answer: a sign-out may have happened in between. Last used is what the
    /// store knows, not now: loading a session is no use of it, so one that was idle too long is still over (F05).
    pub fn new(value: V, asked_at: SystemTime) -> Self {
        let (asked, seen) = (Timestamp::of(asked_at).as_millis(), Timestamp::of(value.last_seen()).as_millis());
        Self {
            value,
            loaded_at: AtomicU64::new(asked),
            check_claimed_at: AtomicU64::new(asked),
            last_used: AtomicU64::new(seen),
            touch_claimed_at: AtomicU64::new(seen),
            // The cookie of a session that was opened this very moment is on its way. Of any other, only the gateway that
            // sent it knows when that was.
            cookie_sent_at: AtomicU64::new(if seen == asked { asked } else { 0 }),
            recheck_claimed_at: AtomicU64::new(0),
        }
    }

    /// A newer copy in place of `previous`, whose uses it inherits: the store hears of them only now and then.
    pub(super) fn succeeding(value: V, asked_at: SystemTime, previous: &Self) -> Self {
        let hot = Self::new(value, asked_at);
        hot.last_used.fetch_max(previous.last_used.load(Relaxed), Relaxed);
        hot.touch_claimed_at.fetch_max(previous.touch_claimed_at.load(Relaxed), Relaxed);
        hot.cookie_sent_at.fetch_max(previous.cookie_sent_at.load(Relaxed), Relaxed);
        hot.recheck_claimed_at.fetch_max(previous.recheck_claimed_at.load(Relaxed), Relaxed);
        hot
    }
}

impl<V> CachedSession<V> {
    /// The value.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// What may be done with this copy at `now`. Reads two atomics and changes nothing.
    ///
    /// A clock that was set back makes ages unknowable: then the store is asked first, and without it nothing is served.
    pub fn freshness(&self, now: impl Into<Timestamp>, policy: &CachePolicy) -> Freshness {
        let now = now.into().as_millis();
        let loaded = self.loaded_at.load(Relaxed);
        let Some(age) = age_of(loaded, now, policy) else { return Freshness::Stale };
        if age < policy.revalidate {
            Freshness::Fresh
        } else if age < policy.revoked_within {
            Freshness::Revalidate
        } else if age < policy.grace {
            Freshness::Recheck
        } else {
            Freshness::Stale
        }
    }

    /// Whether a stream of the session may go on at `now` without a question to the store.
    pub(super) fn vouches_for_streams(&self, now: impl Into<Timestamp>, policy: &CachePolicy) -> bool {
        let age = age_of(self.loaded_at.load(Relaxed), now.into().as_millis(), policy);
        age.is_some_and(|age| age < policy.of_streams)
    }

    /// Whether the caller is the one to ask the store now. At most one caller within [`CachePolicy::revalidate`] is
    /// told so, however many ask, and also while the store is down. A claim needs no giving back: if the one who won
    /// it is cancelled, the next is due after the same time.
    pub fn claim_check(&self, now: impl Into<Timestamp>, policy: &CachePolicy) -> bool {
        claim(&self.check_claimed_at, now.into(), policy.revalidate)
    }

    /// The store was asked at `asked_at` and still has the session.
    pub fn confirm(&self, asked_at: SystemTime) {
        let at = Timestamp::of(asked_at).as_millis();
        self.loaded_at.store(at, Relaxed);
        self.check_claimed_at.fetch_max(at, Relaxed);
    }

    /// The session was used at `now`. A use seen by another replica (the store's `last_seen`) is noted the same way.
    pub fn touch(&self, now: impl Into<Timestamp>) {
        let now = now.into().as_millis();
        if now >= self.last_used.load(Relaxed).saturating_add(SAME_USE) {
            self.last_used.fetch_max(now, Relaxed);
        }
    }

    /// When the session was last used here, up to a second early. Before refusing a session as idle, ask the store:
    /// another replica may have seen it since.
    pub fn last_used(&self) -> SystemTime {
        self.last_used_at().to_system_time().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The same moment as it is kept.
    pub(super) fn last_used_at(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Relaxed))
    }

    /// Whether the caller is the one to write "last seen" to the store now: one caller within [`CachePolicy::touch`].
    pub fn claim_touch(&self, now: impl Into<Timestamp>, policy: &CachePolicy) -> bool {
        claim(&self.touch_claimed_at, now.into(), policy.touch)
    }
    /// Whether the caller is the one to have the provider asked now: one caller within `every`.
    pub fn claim_recheck(&self, now: SystemTime, every: Duration) -> bool {
        claim(&self.recheck_claimed_at, Timestamp::of(now), every)
    }

    /// Whether the cookie was last sent longer ago than `every`. Reads one atomic.
    pub fn is_cookie_due(&self, now: SystemTime, every: Duration) -> bool {
        is_due(self.cookie_sent_at.load(Relaxed), Timestamp::of(now).as_millis(), every)
    }

    /// Whether the caller is the one to send the cookie again now: one caller within `every`.
    pub fn claim_cookie(&self, now: SystemTime, every: Duration) -> bool {
        claim(&self.cookie_sent_at, now.into(), every)
    }
}

/// Age of what was loaded at `loaded`; `None` when the clock was set back further than two requests may disagree.
fn age_of(loaded: u64, now: u64, policy: &CachePolicy) -> Option<Duration> {
    if now >= loaded {
        return Some(Duration::from_millis(now - loaded));
    }
    (loaded - now < SAME_USE && Duration::from_millis(loaded - now) < policy.revalidate).then_some(Duration::ZERO)
}

/// Compare-and-swap of the time of the last claim: true for one caller within `every`. A clock that was set back does
/// not silence claims for as long as it was set back.
fn claim(last: &AtomicU64, now: Timestamp, every: Duration) -> bool {
    let now = now.as_millis();
    let seen = last.load(Relaxed);
    is_due(seen, now, every) && last.compare_exchange(seen, now, Relaxed, Relaxed).is_ok()
}

fn is_due(seen: u64, now: u64, every: Duration) -> bool {
    Duration::from_millis(now.abs_diff(seen)) >= every
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::samples::noon;

    fn seen_at(at: SystemTime) -> Session {
        crate::session::samples::session_of("person", at)
    }

    fn after(millis: u64) -> SystemTime {
        noon() + Duration::from_millis(millis)
    }

    // F07, M01
    #[test]
    fn a_copy_is_trusted_for_a_second_and_goes_on_for_a_minute_without_the_store() {
        let (hot, policy) = (CachedSession::new(seen_at(noon()), noon()), CachePolicy::default());
        let at = |millis| hot.freshness(after(millis), &policy);
        assert_eq!((at(0), at(999)), (Freshness::Fresh, Freshness::Fresh));
        assert_eq!((at(1000), at(1999)), (Freshness::Revalidate, Freshness::Revalidate));
        assert_eq!((at(2000), at(59_999)), (Freshness::Recheck, Freshness::Recheck));
        assert_eq!((at(60_000), at(u64::MAX / 2)), (Freshness::Stale, Freshness::Stale));
        hot.confirm(after(60_000));
        assert_eq!(at(60_999), Freshness::Fresh);
    }

    // F07, M01: what nobody else can end need not be waited for; if the store fails, the grace is what it is elsewhere.
    #[test]
    fn a_store_for_exclusive_store_is_waited_for_only_when_the_grace_is_over() {
        let hot = CachedSession::new(seen_at(noon()), noon());
        let at = |millis, policy: &CachePolicy| hot.freshness(after(millis), policy);
        let alone = CachePolicy::default().for_exclusive_store();
        assert_eq!((at(0, &alone), at(29_999, &alone)), (Freshness::Fresh, Freshness::Fresh));
        assert_eq!((at(30_000, &alone), at(59_999, &alone)), (Freshness::Revalidate, Freshness::Revalidate));
        assert_eq!(at(60_000, &alone), Freshness::Stale);
        let short = CachePolicy { grace: Duration::from_secs(5), ..CachePolicy::default() }.for_exclusive_store();
        assert_eq!((at(2_499, &short), at(2_500, &short)), (Freshness::Fresh, Freshness::Revalidate));
        assert_eq!((at(4_999, &short), at(5_000, &short)), (Freshness::Revalidate, Freshness::Stale));
        let slower =
            CachePolicy { revalidate: Duration::from_secs(300), ..CachePolicy::default() }.for_exclusive_store();
        assert_eq!(at(299_999, &slower), Freshness::Fresh, "what was configured may be longer");
    }

    // F07: no history of uses makes a copy older than two seconds serve without the store having been asked.
    #[test]
    fn use_alone_never_keeps_a_copy_fresh() {
        let (hot, policy) = (CachedSession::new(seen_at(noon()), noon()), CachePolicy::default());
        for millis in (0..30_000).step_by(100) {
            hot.touch(after(millis));
            hot.claim_touch(after(millis), &policy);
            hot.claim_check(after(millis), &policy);
        }
        assert_eq!(hot.freshness(after(30_000), &policy), Freshness::Recheck);
    }

    // F07
    #[test]
    fn a_clock_set_back_does_not_keep_a_copy_fresh() {
        let (hot, policy) = (CachedSession::new(seen_at(noon()), after(3_600_000)), CachePolicy::default());
        assert_eq!(hot.freshness(noon(), &policy), Freshness::Stale);
        assert_eq!(hot.freshness(after(3_600_000 - 5), &policy), Freshness::Fresh, "requests may disagree a little");
        assert!(hot.claim_check(noon(), &policy));
        hot.confirm(noon());
        assert_eq!(hot.freshness(after(10), &policy), Freshness::Fresh);
    }

    #[test]
    fn of_many_callers_one_asks_the_store() {
        let (hot, policy) = (CachedSession::new(seen_at(noon()), noon()), CachePolicy::default());
        let winners = |now| {
            std::thread::scope(|scope| {
                let tasks: Vec<_> = (0..16).map(|_| scope.spawn(|| hot.claim_check(now, &policy))).collect();
                tasks.into_iter().map(|task| task.join().unwrap()).filter(|won| *won).count()
            })
        };
        assert_eq!(winners(after(999)), 0);
        assert_eq!(winners(after(1000)), 1);
        assert_eq!(winners(after(1999)), 0);
        assert_eq!(winners(after(2000)), 1, "the winner may have been cancelled");
    }

    #[test]
    fn last_seen_is_written_once_a_touch_interval() {
        let (hot, policy) = (CachedSession::new(seen_at(noon()), noon()), CachePolicy::default());
        let writes = (0..600_000).step_by(500).filter(|millis| hot.claim_touch(after(*millis), &policy)).count();
        assert_eq!(writes, 9);
    }

    #[test]
    fn a_use_is_noted_to_the_second_and_never_undone() {
        let hot = CachedSession::new(seen_at(noon()), noon());
        hot.touch(after(5_000));
        hot.touch(after(5_999));
        assert_eq!(hot.last_used(), after(5_000));
        hot.touch(noon());
        assert_eq!(hot.last_used(), after(5_000));
        hot.touch(after(6_000));
        assert_eq!(hot.last_used(), after(6_000));
    }

    // F05: what the store has not heard of for the idle time is not made live by loading it.
    #[test]
    fn loading_a_session_is_no_use_of_it() {
        let lifetimes = Lifetimes::default();
        let now = noon() + lifetimes.idle;
        let hot = CachedSession::new(seen_at(noon()), now);
        assert_eq!(hot.last_used(), noon());
        assert!(!hot.value().is_live(now, hot.last_used(), &lifetimes));
    }

    // F05: a session that is checked every few seconds still tells the store that it is in use.
    #[test]
    fn a_newer_copy_inherits_the_uses_of_the_older() {
        let policy = CachePolicy::default();
        let mut hot = CachedSession::new(seen_at(noon()), noon());
        let mut writes = 0;
        for millis in (0..180_500).step_by(5_000) {
            hot = CachedSession::succeeding(seen_at(noon()), after(millis), &hot);
            hot.touch(after(millis));
            writes += usize::from(hot.claim_touch(after(millis), &policy));
        }
        assert_eq!((writes, hot.last_used()), (3, after(180_000)));
        let elsewhere = CachedSession::succeeding(seen_at(after(200_000)), after(200_100), &hot);
        assert_eq!(elsewhere.last_used(), after(200_000), "another replica saw a later use");
        assert!(!elsewhere.claim_touch(after(240_000), &policy), "and has written it");
    }

    // XM02: the cookie is sent anew once in a while, by one request, and at once for a session that somebody else opened.
    #[test]
    fn a_cookie_is_sent_again_when_a_share_of_its_life_is_gone() {
        let every = Duration::from_secs(450);
        let opened = CachedSession::new(seen_at(noon()), noon());
        assert!(!opened.is_cookie_due(after(449_000), every));
        assert!(opened.is_cookie_due(after(450_000), every) && opened.claim_cookie(after(450_000), every));
        assert!(!opened.claim_cookie(after(450_000), every), "the other of two requests");
        let newer = CachedSession::succeeding(seen_at(after(452_000)), after(453_000), &opened);
        assert!(!newer.is_cookie_due(after(453_000), every), "a newer copy knows when it was sent");
        let loaded = CachedSession::new(seen_at(noon()), after(1_000));
        assert!(loaded.is_cookie_due(after(1_000), every), "after a restart nobody knows");
    }

    // F05: the store drops a session it has not heard of for the idle time, so it must hear of it in time.
    #[test]
    fn a_short_idle_time_shortens_the_touch_interval() {
        let minute = Lifetimes { idle: Duration::from_secs(60), ..Lifetimes::default() };
        assert_eq!(CachePolicy::for_lifetimes(&minute).touch, Duration::from_secs(15));
        assert_eq!(CachePolicy::default().touch, Duration::from_secs(60));
    }
}
