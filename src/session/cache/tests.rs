use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::*;
use crate::secret::sha256;
use crate::session::samples::noon;

impl Cacheable for u32 {
    fn last_seen(&self) -> SystemTime {
        noon()
    }

    /// The number says how heavy it is, in KiB, from a thousand on.
    fn bytes(&self) -> usize {
        usize::try_from(*self).unwrap().saturating_sub(999) * 1024
    }
}

type Numbers = SessionCache<u32, &'static str>;

impl LoadError for &'static str {
    fn crowded() -> Self {
        "crowded"
    }
}

fn cache() -> Arc<Numbers> {
    Arc::new(Numbers::new(CacheLimits::default()))
}

fn key(n: u32) -> StoreKey {
    StoreKey(sha256(&n.to_be_bytes()))
}

fn later(seconds: u64) -> SystemTime {
    noon() + Duration::from_secs(seconds)
}

/// Waits until `wanted` callers have boarded the flight for `key`.
async fn boarded(cache: &Numbers, key: &StoreKey, wanted: usize) {
    let enough = || cache.flights.lock().get(key).map_or(0, Arc::strong_count) > wanted;
    tokio::time::timeout(Duration::from_secs(10), async {
        while !enough() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("callers board");
}

#[test]
fn a_key_hashes_to_its_first_eight_bytes() {
    let key = key(1);
    assert_eq!(Hash::default().hash_one(key), u64::from_le_bytes(*key.0.first_chunk().unwrap()));
}

#[test]
fn what_was_put_in_is_found_until_it_is_removed() {
    let cache = cache();
    cache.insert(key(1), 1, noon());
    assert_eq!((cache.get(&key(1)).map(|hot| *hot.value()), cache.get(&key(2)).is_none()), (Some(1), true));
    assert_eq!((cache.len(), cache.is_empty()), (1, false));
    cache.remove(&key(1));
    assert!(cache.get(&key(1)).is_none());
}

#[test]
fn the_number_of_sessions_is_bounded() {
    let cache = Numbers::new(CacheLimits { sessions: 100, ..CacheLimits::default() });
    for n in 0..10_000 {
        cache.insert(key(n), n % 100, noon());
    }
    assert!((90..=128).contains(&cache.len()), "{}", cache.len());
}

// Sessions of people in many groups are as heavy as fifty others: what they weigh is bounded, not only how many there are.
#[test]
fn the_memory_of_sessions_is_bounded() {
    let mib = |mib: usize| mib << 20;
    let cache = Numbers::new(CacheLimits { sessions: 10_000, bytes: mib(8), ..CacheLimits::default() });
    for n in 0..10_000 {
        // 32 KiB each: all of them would be 320 MiB.
        cache.insert(key(n), 1_031, noon());
        assert!(cache.bytes() <= mib(8), "{}", cache.bytes());
    }
    assert!((150..=256).contains(&cache.len()), "{}", cache.len());
    // The twin: light ones have room as before.
    let cache = Numbers::new(CacheLimits { sessions: 10_000, bytes: mib(8), ..CacheLimits::default() });
    for n in 0..10_000 {
        cache.insert(key(n), 0, noon());
    }
    assert!((8_000..=10_000).contains(&cache.len()), "{}", cache.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_cause_one_load() {
    let (cache, loads, gate) = (cache(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (cache, loads, gate) = (cache.clone(), loads.clone(), gate.clone());
            tokio::spawn(async move {
                let load = || async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    Ok(Some(7))
                };
                cache.get_or_load(key(1), noon(), load).await
            })
        })
        .collect();
    boarded(&cache, &key(1), 100).await;
    gate.notify_one();
    for caller in callers {
        assert_eq!(*caller.await.unwrap().unwrap().unwrap().value(), 7);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert!(cache.flights.lock().is_empty());
    let again = cache.get_or_load(key(1), noon(), || async { Err("asked again") }).await;
    assert_eq!(*again.unwrap().unwrap().value(), 7);
}

// F04, TM8: one cookie that is no session, sent a hundred times at once, is one question, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_and_failure_are_shared_but_not_kept() {
    for answer in [Ok(None), Err("down")] {
        let (cache, loads, gate) = (cache(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (cache, loads, gate) = (cache.clone(), loads.clone(), gate.clone());
                tokio::spawn(async move {
                    let load = || async {
                        loads.fetch_add(1, Ordering::SeqCst);
                        gate.notified().await;
                        answer
                    };
                    cache.get_or_load(key(1), noon(), load).await.map(|found| found.is_some())
                })
            })
            .collect();
        boarded(&cache, &key(1), 100).await;
        gate.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), answer.map(|found: Option<u32>| found.is_some()));
        }
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        assert!(cache.is_empty() && cache.flights.lock().is_empty());
        let next = cache.get_or_load(key(1), noon(), || async { Ok(Some(1)) }).await;
        assert_eq!(*next.unwrap().unwrap().value(), 1, "the next question is asked anew");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_fails_nobody() {
    let cache = cache();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load(key(1), noon(), std::future::pending).await }
    });
    boarded(&cache, &key(1), 1).await;
    let follower = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load(key(1), noon(), || async { Ok(Some(2)) }).await }
    });
    boarded(&cache, &key(1), 2).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    assert_eq!(*follower.await.unwrap().unwrap().unwrap().value(), 2);
    assert!(cache.flights.lock().is_empty());
}

#[tokio::test]
async fn a_load_that_everybody_left_leaves_nothing_behind() {
    let cache = cache();
    let caller = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load(key(1), noon(), std::future::pending).await }
    });
    boarded(&cache, &key(1), 1).await;
    caller.abort();
    let _ = caller.await;
    assert!(cache.flights.lock().is_empty());
    assert!(cache.get_or_load(key(1), noon(), || async { Ok(Some(1)) }).await.unwrap().is_some());
}

#[tokio::test]
async fn loads_under_way_are_bounded() {
    let cache = Arc::new(Numbers::new(CacheLimits { loads: 3, ..CacheLimits::default() }));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..50)
        .map(|n| {
            let (cache, running, most) = (cache.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let load = || async {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(None)
                };
                cache.get_or_load(key(n), noon(), load).await
            })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap().unwrap().is_none());
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_recheck_replaces_removes_or_keeps() {
    let cache = cache();
    cache.insert(key(1), 1, noon());
    let answer = cache.load(key(1), later(5), || async { Err("down") }).await;
    assert_eq!((answer.unwrap_err(), *cache.get(&key(1)).unwrap().value()), ("down", 1));
    cache.load(key(1), later(5), || async { Ok(Some(2)) }).await.unwrap();
    let hot = cache.get(&key(1)).unwrap();
    assert_eq!(
        (*hot.value(), hot.freshness(later(5), &Default::default())),
        (2, super::super::cached::Freshness::Fresh)
    );
    assert!(cache.load(key(1), later(6), || async { Ok(None) }).await.unwrap().is_none());
    assert!(cache.get(&key(1)).is_none());
}

// F06, M08: the store lost the removal, so it still finds the session.
#[tokio::test]
async fn a_signed_out_session_stays_dead_though_the_store_brings_it_back() {
    let cache = cache();
    cache.insert(key(1), 1, noon());
    cache.insert(key(2), 2, noon());
    cache.deny(key(1), later(3600), noon());

    assert!(cache.get(&key(1)).is_none());
    assert!(cache.insert(key(1), 1, later(10)).is_none());
    assert!(cache.get_or_load(key(1), later(10), || async { Ok(Some(1)) }).await.unwrap().is_none());
    assert!(cache.is_denied(&key(1), later(3599)) && cache.get(&key(1)).is_none());
    assert!(cache.get(&key(2)).is_some(), "nobody else is signed out");
    assert!(cache.insert(key(1), 1, later(3600)).is_some(), "it would have ended by then anyway");
}

// F06: the question was asked before the sign-out, the answer comes after it.
#[tokio::test]
async fn a_load_that_began_before_a_sign_out_does_not_undo_it() {
    let cache = cache();
    let (answer, answered) = oneshot::channel::<()>();
    let leader = tokio::spawn({
        let cache = cache.clone();
        async move {
            let load = || async {
                answered.await.map_err(|_| "gone")?;
                Ok(Some(1))
            };
            cache.get_or_load(key(1), noon(), load).await
        }
    });
    boarded(&cache, &key(1), 1).await;
    let follower = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_or_load(key(1), noon(), || async { Ok(Some(1)) }).await }
    });
    boarded(&cache, &key(1), 2).await;
    cache.deny(key(1), later(3600), noon());
    answer.send(()).unwrap();
    assert!(leader.await.unwrap().unwrap().is_none());
    assert!(follower.await.unwrap().unwrap().is_none());
    assert!(cache.get(&key(1)).is_none());
}

// F06: whichever comes first, after both the session is not in the cache.
#[test]
fn a_sign_out_wins_every_race_with_an_insert() {
    let cache = cache();
    for n in 0..2000 {
        std::thread::scope(|scope| {
            scope.spawn(|| cache.insert(key(n), n, noon()));
            scope.spawn(|| cache.deny(key(n), later(3600), noon()));
        });
        assert!(cache.get(&key(n)).is_none(), "round {n}");
    }
}

#[test]
fn the_deny_list_is_bounded_and_forgets_what_is_over() {
    let mut denied = DenyList::new(10);
    for n in 0..100 {
        denied.add(key(n), 1000 + u64::from(n), 0);
    }
    assert_eq!((denied.until.len(), denied.by_end.len()), (10, 10));
    assert!(denied.until.contains_key(&key(99)) && !denied.until.contains_key(&key(89)));
    denied.add(key(200), 5000, 1099);
    assert_eq!((denied.until.len(), denied.by_end.len()), (1, 1));
    denied.add(key(200), 10, 1099);
    assert_eq!((denied.until.get(&key(200)), denied.by_end.len()), (Some(&5000), 1), "never shortened");
}

#[tokio::test(start_paused = true)]
async fn made_up_ids_do_not_stand_in_front_of_people() {
    // L11
    let cache = Arc::new(Numbers::new(CacheLimits { loads: 1, ..CacheLimits::default() }));
    cache.insert(key(1), 1, noon());
    let stuck = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.load(key(2), noon(), std::future::pending).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(cache.load(key(3), noon(), || async { Ok(Some(3)) }).await.err(), Some("crowded"));
    let known = cache.load(key(1), noon(), || async { Ok(Some(1)) }).await;
    assert_eq!(known.map(|hot| hot.map(|hot| *hot.value())), Ok(Some(1)));
    stuck.abort();
}

// L11, F06: ids that anybody can make up push nobody off the list.
#[test]
fn made_up_ids_do_not_bring_a_signed_out_session_back() {
    let cache: Numbers = SessionCache::new(CacheLimits { denied: 2, doubtful: 3, ..CacheLimits::default() });
    cache.deny(key(1), later(3600), noon());
    for n in 10..1_000 {
        cache.deny_doubtful(key(n), later(7200), noon());
    }
    assert!(cache.is_denied(&key(1), noon()));
    assert_eq!((10..1_000).filter(|n| cache.is_denied(&key(*n), noon())).count(), 3, "so many, and no more");
    // The twin: in one list with them it would have been forgotten.
    for n in 10..20 {
        cache.deny(key(n), later(7200), noon());
    }
    assert!(!cache.is_denied(&key(1), noon()));
}
