//! The one contract of all stores (see [`super::store::RecordStore`]), kept by memory, file and Redis alike.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::embedded::EmbeddedStore;
use super::memory::MemoryStore;
use super::redis::server::{RedisServer, available};
use super::redis::{RedisSettings, RedisStore};
use super::samples::noon;
use super::store::{Kind, Limits, RecordStore, Relation, Swap};
use super::{StoreKey, sha256};
use crate::secret::SecretString;

/// How time passes for a store.
enum Clock {
    /// It is told the time.
    Told,
    /// It has its own.
    Own,
}

/// A store under test, with what must live as long as it does.
struct Bench {
    store: Arc<dyn RecordStore>,
    clock: Clock,
    _keep: Box<dyn std::any::Any>,
}

impl Bench {
    fn memory() -> Option<Self> {
        Some(Self { store: Arc::new(MemoryStore::default()), clock: Clock::Told, _keep: Box::new(()) })
    }

    fn embedded() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&directory.path().join("sessions"), Limits::default()).unwrap();
        Some(Self { store: Arc::new(store), clock: Clock::Told, _keep: Box::new(directory) })
    }

    fn redis() -> Option<Self> {
        available("the contract of the Redis store").then(|| {
            // As the user that docs/SECURITY.md describes, with those rights and no others.
            let page = include_str!("../../docs/SECURITY.md");
            let user = page.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER ")).unwrap();
            let user: Vec<&str> = ["--user"].into_iter().chain(user.split(' ')).collect();
            let server = RedisServer::start_on(0, &user);
            let url = format!("{}?user=zengate&pass=password", server.url().expose());
            // A busy machine must not make a contract fail; deadlines have their own tests.
            let settings = RedisSettings {
                response_timeout: Duration::from_secs(10),
                ..RedisSettings::new(SecretString::new(url))
            };
            let store = RedisStore::connect(settings).unwrap();
            Self { store: Arc::new(store), clock: Clock::Own, _keep: Box::new(server) }
        })
    }

    async fn put(&self, kind: Kind, key: StoreKey, record: &[u8], keep: Duration) {
        self.store.put(kind, key, record, keep, noon()).await.unwrap();
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Option<Vec<u8>> {
        self.store.get(kind, key, now).await.unwrap()
    }

    /// Returns when a record that was put with `keep` at noon is over, with the time it then is.
    async fn over(&self, kind: Kind, key: StoreKey, keep: Duration) -> SystemTime {
        if let Clock::Own = self.clock {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
            while self.get(kind, key, noon()).await.is_some() {
                assert!(tokio::time::Instant::now() < deadline, "the record is never over");
                tokio::task::yield_now().await;
            }
        }
        noon() + keep
    }
}

fn key(n: u32) -> StoreKey {
    StoreKey(sha256(&n.to_be_bytes()))
}

const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(40);

async fn what_was_put_is_got_until_it_is_put_again(bench: Bench) {
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None);
    bench.put(Kind::Session, key(1), b"one", MINUTE).await;
    bench.put(Kind::Session, key(2), b"two", MINUTE).await;
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await.as_deref(), Some(&b"one"[..]));
    bench.put(Kind::Session, key(1), b"", MINUTE).await;
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await.as_deref(), Some(&b""[..]));
    assert_eq!(bench.get(Kind::Session, key(2), noon()).await.as_deref(), Some(&b"two"[..]));
}

// F05
async fn a_record_is_over_when_its_time_is(bench: Bench) {
    for (n, kind) in (1..).zip(Kind::ALL) {
        bench.put(kind, key(n), b"record", MOMENT).await;
        bench.put(kind, key(n + 10), b"longer", MINUTE).await;
        if let Clock::Told = bench.clock {
            assert!(bench.get(kind, key(n), noon() + MOMENT - Duration::from_millis(1)).await.is_some());
        }
        let now = bench.over(kind, key(n), MOMENT).await;
        assert_eq!(bench.get(kind, key(n), now).await, None);
        assert_eq!(bench.store.take(kind, key(n), now).await.unwrap(), None, "nothing to take");
        assert!(!bench.store.replace(kind, key(n), b"back", MINUTE, now).await.unwrap(), "nothing to replace");
        assert_eq!(bench.get(kind, key(n), now).await, None);
        assert!(bench.get(kind, key(n + 10), now).await.is_some());
        bench.store.sweep(now).await.unwrap();
        assert!(
            bench.get(kind, key(n + 10), now).await.is_some(),
            "a sweep takes what is over, not what is next to it"
        );
    }
}

async fn a_second_put_gives_a_new_time(bench: Bench) {
    bench.put(Kind::Session, key(1), b"short", MOMENT).await;
    bench.put(Kind::Session, key(1), b"long", MINUTE).await;
    bench.put(Kind::Session, key(2), b"long", MINUTE).await;
    assert!(bench.store.replace(Kind::Session, key(2), b"short", MOMENT, noon()).await.unwrap());
    let now = bench.over(Kind::Session, key(2), MOMENT).await;
    bench.store.sweep(now).await.unwrap();
    assert_eq!(bench.get(Kind::Session, key(1), now).await.as_deref(), Some(&b"long"[..]));
    assert_eq!(bench.get(Kind::Session, key(2), now).await, None);
}

async fn a_record_kept_for_no_time_is_not_there(bench: Bench) {
    bench.put(Kind::Session, key(1), b"record", MINUTE).await;
    bench.put(Kind::Session, key(1), b"over", Duration::ZERO).await;
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None);
    bench.put(Kind::Session, key(2), b"record", MINUTE).await;
    assert!(bench.store.replace(Kind::Session, key(2), b"over", Duration::ZERO, noon()).await.unwrap());
    assert_eq!(bench.get(Kind::Session, key(2), noon()).await, None);
}

async fn a_record_may_be_kept_for_as_long_as_a_clock_can_say(bench: Bench) {
    bench.put(Kind::Session, key(1), b"record", Duration::MAX).await;
    assert!(bench.get(Kind::Session, key(1), noon() + MINUTE).await.is_some());
    assert!(bench.store.replace(Kind::Session, key(1), b"again", Duration::MAX, noon()).await.unwrap());
    assert!(bench.get(Kind::Session, key(1), noon() + MINUTE).await.is_some());
}

// RFC 9700, 4.7
async fn of_fifty_takers_one_gets_the_record(bench: Bench) {
    for round in 0..5 {
        bench.put(Kind::Attempt, key(round), b"attempt", MINUTE).await;
        let takers: Vec<_> = (0..50)
            .map(|_| {
                let store = Arc::clone(&bench.store);
                tokio::spawn(async move { store.take(Kind::Attempt, key(round), noon()).await.unwrap() })
            })
            .collect();
        let mut taken = Vec::new();
        for taker in takers {
            taken.extend(taker.await.unwrap());
        }
        assert_eq!(taken, [b"attempt"]);
        assert_eq!(bench.get(Kind::Attempt, key(round), noon()).await, None);
    }
}

// RFC 9700, 4.7: a state is used once, wherever it is brought.
async fn of_fifty_writers_one_is_the_first(bench: Bench) {
    for round in 0..5 {
        let writers: Vec<_> = (0..50_u8)
            .map(|n| {
                let store = Arc::clone(&bench.store);
                tokio::spawn(async move { store.insert(Kind::Spent, key(round), &[n], MINUTE, noon()).await.unwrap() })
            })
            .collect();
        let mut first = Vec::new();
        for (n, writer) in (0..).zip(writers) {
            first.extend(writer.await.unwrap().then_some(n));
        }
        assert_eq!(first.len(), 1);
        assert_eq!(bench.get(Kind::Spent, key(round), noon()).await, Some(first), "the others changed nothing");
    }
}

async fn what_is_over_or_removed_can_be_inserted_again(bench: Bench) {
    let insert = async |n, keep, now| bench.store.insert(Kind::Spent, key(n), b"mark", keep, now).await.unwrap();
    assert!(insert(1, MOMENT, noon()).await && !insert(1, MINUTE, noon()).await);
    let now = bench.over(Kind::Spent, key(1), MOMENT).await;
    assert!(insert(1, MINUTE, now).await && !insert(1, MINUTE, now).await);
    bench.store.remove(Kind::Spent, key(1)).await.unwrap();
    assert!(insert(1, Duration::ZERO, now).await, "for no time: nothing was there, and nothing is");
    assert!(insert(1, Duration::MAX, now).await && !insert(1, Duration::ZERO, now).await);
    assert!(insert(2, MINUTE, now).await, "the twin: another key");
}

// F06
async fn replacing_never_brings_back_what_was_removed(bench: Bench) {
    bench.put(Kind::Session, key(1), b"first", MINUTE).await;
    assert!(bench.store.replace(Kind::Session, key(1), b"seen", MINUTE, noon()).await.unwrap());
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await.as_deref(), Some(&b"seen"[..]));
    bench.store.remove(Kind::Session, key(1)).await.unwrap();
    assert!(!bench.store.replace(Kind::Session, key(1), b"late", MINUTE, noon()).await.unwrap());
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None);
}

// F06: whichever comes first, after both the session is gone.
async fn a_removal_wins_every_race_with_a_replacement(bench: Bench) {
    for round in 0..30 {
        bench.put(Kind::Session, key(round), b"first", MINUTE).await;
        let (one, other) = (Arc::clone(&bench.store), Arc::clone(&bench.store));
        let replacing =
            tokio::spawn(async move { one.replace(Kind::Session, key(round), b"late", MINUTE, noon()).await });
        let removing = tokio::spawn(async move { other.remove(Kind::Session, key(round)).await });
        replacing.await.unwrap().unwrap();
        removing.await.unwrap().unwrap();
        assert_eq!(bench.get(Kind::Session, key(round), noon()).await, None, "round {round}");
    }
}

async fn removing_what_is_not_there_is_fine(bench: Bench) {
    bench.store.remove(Kind::Session, key(1)).await.unwrap();
    bench.put(Kind::Session, key(1), b"record", MINUTE).await;
    bench.store.remove(Kind::Session, key(1)).await.unwrap();
    bench.store.remove(Kind::Session, key(1)).await.unwrap();
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None);
}

async fn kinds_do_not_mix(bench: Bench) {
    bench.put(Kind::Attempt, key(1), b"attempt", MINUTE).await;
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None);
    assert_eq!(bench.store.take(Kind::Session, key(1), noon()).await.unwrap(), None);
    assert!(!bench.store.replace(Kind::Session, key(1), b"session", MINUTE, noon()).await.unwrap());
    bench.store.remove(Kind::Session, key(1)).await.unwrap();
    bench.put(Kind::Session, key(1), b"session", MINUTE).await;
    assert_eq!(bench.get(Kind::Attempt, key(1), noon()).await.as_deref(), Some(&b"attempt"[..]));
    assert_eq!(bench.store.take(Kind::Attempt, key(1), noon()).await.unwrap().as_deref(), Some(&b"attempt"[..]));
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await.as_deref(), Some(&b"session"[..]));
}

async fn a_store_that_answers_says_so(bench: Bench) {
    bench.store.ping().await.unwrap();
    bench.store.sweep(noon()).await.unwrap();
}

async fn a_large_record_of_any_bytes_comes_back_whole(bench: Bench) {
    let record: Vec<u8> = (0..64 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bench.put(Kind::Session, key(1), &record, MINUTE).await;
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, Some(record.clone()));
    assert_eq!(bench.store.take(Kind::Session, key(1), noon()).await.unwrap(), Some(record));
}

async fn members_sorted(bench: &Bench, relation: Relation, of: u32, now: SystemTime) -> Vec<StoreKey> {
    let mut members = bench.store.members(relation, key(of), now).await.unwrap();
    members.sort_unstable();
    members
}

fn sorted(numbers: impl IntoIterator<Item = u32>) -> Vec<StoreKey> {
    let mut keys: Vec<_> = numbers.into_iter().map(key).collect();
    keys.sort_unstable();
    keys
}

// RB01
async fn a_set_has_the_members_that_were_added_and_not_taken_out(bench: Bench) {
    for relation in Relation::ALL {
        assert_eq!(members_sorted(&bench, relation, 1, noon()).await, []);
        for (of, member) in [(1, 10), (1, 11), (1, 10), (2, 12)] {
            let pushed_out = bench.store.add_member(relation, key(of), key(member), MINUTE, noon()).await.unwrap();
            assert_eq!(pushed_out, []);
        }
        assert_eq!(members_sorted(&bench, relation, 1, noon()).await, sorted([10, 11]));
        bench.store.remove_member(relation, key(1), key(10)).await.unwrap();
        bench.store.remove_member(relation, key(1), key(10)).await.expect("what is not there may be taken out");
        bench.store.remove_member(relation, key(3), key(10)).await.expect("from what is not there as well");
        assert_eq!(members_sorted(&bench, relation, 1, noon()).await, sorted([11]));
        assert_eq!(members_sorted(&bench, relation, 2, noon()).await, sorted([12]), "another set");
    }
    let other = Relation::ALL;
    bench.store.add_member(other[0], key(7), key(70), MINUTE, noon()).await.unwrap();
    for relation in &other[1..] {
        assert_eq!(members_sorted(&bench, *relation, 7, noon()).await, [], "another relation");
    }
    // A record under the same name is none of its business.
    bench.put(Kind::Session, key(7), b"record", MINUTE).await;
    bench.store.remove(Kind::Session, key(7)).await.unwrap();
    assert_eq!(members_sorted(&bench, other[0], 7, noon()).await, sorted([70]));
}

async fn a_member_lives_as_long_as_the_later_of_its_ends(bench: Bench) {
    let relation = Relation::Children;
    for (member, keeps) in [(10, [MOMENT, MOMENT]), (11, [MOMENT, MINUTE]), (12, [MINUTE, MOMENT])] {
        for keep in keeps {
            bench.store.add_member(relation, key(1), key(member), keep, noon()).await.unwrap();
        }
    }
    bench.store.add_member(relation, key(2), key(13), MOMENT, noon()).await.unwrap();
    bench.store.add_member(relation, key(3), key(14), Duration::ZERO, noon()).await.unwrap();
    assert_eq!(members_sorted(&bench, relation, 3, noon()).await, []);
    bench.put(Kind::Session, key(99), b"clock", MOMENT + Duration::from_millis(20)).await;
    let now = bench.over(Kind::Session, key(99), MOMENT + Duration::from_millis(20)).await;
    assert_eq!(members_sorted(&bench, relation, 1, now).await, sorted([11, 12]));
    assert_eq!(members_sorted(&bench, relation, 2, now).await, []);
    bench.store.sweep(now).await.unwrap();
    assert_eq!(members_sorted(&bench, relation, 1, now).await, sorted([11, 12]), "a sweep takes what is over");
    let pushed_out = bench.store.add_member(relation, key(1), key(15), Duration::MAX, now).await.unwrap();
    assert_eq!(pushed_out, []);
    assert_eq!(members_sorted(&bench, relation, 1, now).await, sorted([11, 12, 15]));
}

// RB01: a set is bounded, and nobody is lost from it unseen.
async fn what_a_full_set_has_no_room_for_is_given_back(bench: Bench) {
    let most = u32::try_from(Relation::MOST).unwrap();
    let add = async |member: u32, keep| {
        bench.store.add_member(Relation::Children, key(1), key(member), keep, noon()).await.unwrap()
    };
    assert_eq!(add(0, MINUTE).await, []);
    let all: Vec<_> = (1..most).collect();
    for some in all.chunks(50) {
        let added = futures_util::future::join_all(some.iter().map(|member| add(*member, 2 * MINUTE))).await;
        assert!(added.into_iter().all(|pushed_out| pushed_out.is_empty()));
    }
    assert_eq!(add(5, 2 * MINUTE).await, [], "one that is there needs no room");
    assert_eq!(add(most, 2 * MINUTE).await, [key(0)], "the one that would end first");
    let members = members_sorted(&bench, Relation::Children, 1, noon()).await;
    assert_eq!(members, sorted(1..=most));
}

fn swap<'a>(n: u32, before: Option<&'a [u8]>, after: &'a [u8]) -> Swap<'a> {
    Swap { key: key(n), before, after, keep: MINUTE }
}

async fn a_swap_is_made_whole_or_not_at_all(bench: Bench) {
    bench.put(Kind::Link, key(1), b"old", MINUTE).await;
    let swapped = async |swaps: &[Swap<'_>]| bench.store.swap(Kind::Link, swaps, noon()).await.unwrap();
    let held = async || (bench.get(Kind::Link, key(1), noon()).await, bench.get(Kind::Link, key(2), noon()).await);
    for wrong in [
        [swap(1, Some(b"older"), b"gone"), swap(2, None, b"new")],
        [swap(1, None, b"gone"), swap(2, None, b"new")],
        [swap(1, Some(b"old"), b"gone"), swap(2, Some(b""), b"new")],
        [swap(1, Some(b"old"), b"gone"), swap(2, Some(b"old"), b"new")],
    ] {
        assert!(!swapped(&wrong).await, "{wrong:?}");
        assert_eq!(held().await, (Some(b"old".to_vec()), None), "{wrong:?}");
    }
    assert!(swapped(&[swap(1, Some(b"old"), b"gone"), swap(2, None, b"new")]).await, "the twin");
    assert_eq!(held().await, (Some(b"gone".to_vec()), Some(b"new".to_vec())));
    assert!(swapped(&[swap(2, Some(b"new"), b"")]).await, "bytes of any kind, and none");
    assert!(swapped(&[swap(2, Some(b""), b"\xff\0new")]).await);
    assert_eq!(bench.get(Kind::Session, key(1), noon()).await, None, "kinds do not mix");
}

async fn of_fifty_swaps_from_one_state_one_is_made(bench: Bench) {
    bench.put(Kind::Link, key(1), b"old", MINUTE).await;
    let all = (2..52).map(|n| {
        let store = Arc::clone(&bench.store);
        tokio::spawn(async move {
            let swaps = [swap(1, Some(b"old"), b"gone"), swap(n, None, b"new")];
            store.swap(Kind::Link, &swaps, noon()).await.unwrap()
        })
    });
    let mut made = 0;
    for outcome in futures_util::future::join_all(all).await {
        made += usize::from(outcome.unwrap());
    }
    assert_eq!(made, 1);
    let mut there = 0;
    for n in 2..52 {
        there += usize::from(bench.get(Kind::Link, key(n), noon()).await.is_some());
    }
    assert_eq!(there, 1, "and the others left nothing behind");
}

macro_rules! contract {
    ($($promise:ident)*) => {
        contract! { @store memory $($promise)* }
        contract! { @store embedded $($promise)* }
        contract! { @store redis $($promise)* }
    };
    (@store $store:ident $($promise:ident)*) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(bench) = super::Bench::$store() {
                        super::$promise(bench).await;
                    }
                }
            )*
        }
    };
}

contract! {
    what_was_put_is_got_until_it_is_put_again
    a_record_is_over_when_its_time_is
    a_second_put_gives_a_new_time
    a_record_kept_for_no_time_is_not_there
    a_record_may_be_kept_for_as_long_as_a_clock_can_say
    of_fifty_takers_one_gets_the_record
    of_fifty_writers_one_is_the_first
    what_is_over_or_removed_can_be_inserted_again
    replacing_never_brings_back_what_was_removed
    a_removal_wins_every_race_with_a_replacement
    removing_what_is_not_there_is_fine
    kinds_do_not_mix
    a_store_that_answers_says_so
    a_large_record_of_any_bytes_comes_back_whole
    a_set_has_the_members_that_were_added_and_not_taken_out
    a_member_lives_as_long_as_the_later_of_its_ends
    what_a_full_set_has_no_room_for_is_given_back
    a_swap_is_made_whole_or_not_at_all
    of_fifty_swaps_from_one_state_one_is_made
}

// TM8: whoever begins sign-ins without end fills the shelf of sign-ins, not that of sessions.
#[tokio::test]
async fn each_kind_has_its_own_bound_and_what_is_over_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { sessions: 3, attempts: 2, ..Limits::default() };
    let embedded = EmbeddedStore::open(&directory.path().join("sessions"), limits).unwrap();
    for store in [&MemoryStore::new(limits) as &dyn RecordStore, &embedded] {
        let put = async |kind, n, keep, now| store.put(kind, key(n), b"record", keep, now).await;
        for n in 0..2 {
            put(Kind::Attempt, n, MINUTE, noon()).await.unwrap();
        }
        assert_eq!(put(Kind::Attempt, 2, MINUTE, noon()).await, Err(super::store::StoreError::Full));
        put(Kind::Attempt, 1, MINUTE, noon()).await.expect("one that is there is replaced");
        for n in 0..3 {
            put(Kind::Session, n, 2 * MINUTE, noon()).await.expect("the other kind has room");
        }
        assert_eq!(put(Kind::Session, 3, MINUTE, noon()).await, Err(super::store::StoreError::Full));
        put(Kind::Attempt, 2, MINUTE, noon() + MINUTE).await.expect("what is over makes room");
        assert!(store.get(Kind::Session, key(0), noon() + MINUTE).await.unwrap().is_some());
        store.remove(Kind::Session, key(0)).await.unwrap();
        put(Kind::Session, 3, MINUTE, noon()).await.expect("what was removed makes room");
    }
}

// RB07: a list that is full makes room at its old end, and never refuses.
#[tokio::test]
async fn what_is_inserted_pushes_out_what_would_end_first_and_no_other_kind() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { sessions: 3, attempts: 10, ..Limits::default() };
    let embedded = EmbeddedStore::open(&directory.path().join("sessions"), limits).unwrap();
    for store in [&MemoryStore::new(limits) as &dyn RecordStore, &embedded] {
        store.put(Kind::Session, key(0), b"record", MINUTE, noon()).await.unwrap();
        for n in 0..1_000 {
            let keep = MINUTE + Duration::from_millis(u64::from(n));
            assert!(store.insert(Kind::Attempt, key(n), b"record", keep, noon()).await.unwrap());
        }
        for n in 0..1_000 {
            let there = store.get(Kind::Attempt, key(n), noon()).await.unwrap().is_some();
            assert_eq!(there, n >= 990, "{n}");
        }
        assert!(store.get(Kind::Session, key(0), noon()).await.unwrap().is_some());
    }
}
