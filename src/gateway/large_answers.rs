//! Answers under way that may fill memory, kept as few as there is memory for.
//!
//! The framework reads ahead of the client: an answer that comes from the app in large pieces, or whose client does not
//! read, holds more than half a mebibyte. A thousand of them would get a small container killed. Where one more than fits
//! begins, another is ended: of the network that has most of them the one whose client has not read for longest. So
//! whoever stalls many connections loses their own, and somebody with one slow download keeps it. Small answers take no
//! place here and are served all the same.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::ground::network::ClientNetwork;
use crate::telemetry::Metrics;

/// All large answers of one listener.
#[derive(Debug)]
pub(super) struct LargeAnswers {
    most: usize,
    metrics: Arc<Metrics>,
    /// Counts the times a socket was full.
    clock: AtomicU64,
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    next: u64,
    seats: BTreeMap<u64, Arc<State>>,
    by_client: HashMap<ClientNetwork, usize>,
}

/// One answer as others see it.
#[derive(Debug)]
struct State {
    client: ClientNetwork,
    /// When its socket was full, by the clock of [`LargeAnswers`]; 0 while the client reads.
    full_since: AtomicU64,
    /// Its place went to another.
    lost: AtomicBool,
    waker: AtomicWaker,
}

/// One answer's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    answers: Arc<LargeAnswers>,
    number: u64,
    state: Arc<State>,
}

impl LargeAnswers {
    /// Room for `most`, at least one.
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), metrics, clock: AtomicU64::new(1), under_way: Mutex::default() })
    }

    /// A place for one more answer to `client`, perhaps at somebody's expense; it may be lost at once. Whoever holds a
    /// whole site of IPv6 is one client here.
    pub(super) fn enter(answers: &Arc<Self>, client: IpAddr) -> Seat {
        let client = ClientNetwork::all_of(client).last().unwrap_or(ClientNetwork::of(client));
        let state = Arc::new(State {
            client,
            full_since: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let mut under_way = answers.under_way.lock();
        let number = under_way.next;
        under_way.next += 1;
        under_way.seats.insert(number, Arc::clone(&state));
        *under_way.by_client.entry(client).or_insert(0) += 1;
        let loser = (under_way.seats.len() > answers.most).then(|| under_way.take_one()).flatten();
        answers.show(&under_way);
        drop(under_way);
        if let Some(loser) = loser {
            loser.lost.store(true, Ordering::Release);
            loser.waker.wake();
        }
        Seat { answers: Arc::clone(answers), number, state }
    }

    fn show(&self, under_way: &UnderWay) {
        self.metrics.large_answers.set(i64::try_from(under_way.seats.len()).unwrap_or(i64::MAX));
    }
}

impl UnderWay {
    /// Takes a place away: in the network with most of them that of the client that has not read for longest, or the
    /// newest if all read. Where everybody has one, whoever has not read for longest, or the newest.
    fn take_one(&mut self) -> Option<Arc<State>> {
        let (crowd, count) = self.by_client.iter().max_by_key(|(_, count)| **count)?;
        let crowd = (*count > 1).then_some(*crowd);
        let candidates = || self.seats.iter().filter(|(_, state)| crowd.is_none_or(|crowd| state.client == crowd));
        let full = candidates().filter_map(|(number, state)| match state.full_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some((since, *number)),
        });
        let number = full.min().map(|(_, number)| number).or_else(|| candidates().next_back().map(|(n, _)| *n))?;
        self.leave(number)
    }

    fn leave(&mut self, number: u64) -> Option<Arc<State>> {
        let state = self.seats.remove(&number)?;
        if let Some(count) = self.by_client.get_mut(&state.client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&state.client);
            }
        }
        Some(state)
    }
}

impl Seat {
    /// The socket is full.
    pub(super) fn full(&self) {
        if self.state.full_since.load(Ordering::Relaxed) == 0 {
            self.state.full_since.store(self.answers.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            self.answers.metrics.connections_stalled.inc();
        }
    }

    /// The client reads again.
    pub(super) fn read(&self) {
        if self.state.full_since.swap(0, Ordering::Relaxed) != 0 {
            self.answers.metrics.connections_stalled.dec();
        }
    }

    /// Whether the place went to another; if not, whoever polls is woken when it does.
    pub(super) fn poll_lost(&self, cx: &mut Context<'_>) -> bool {
        self.state.waker.register(cx.waker());
        self.is_lost()
    }

    /// Whether the place went to another.
    pub(super) fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::Acquire)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.read();
        let mut under_way = self.answers.under_way.lock();
        under_way.leave(self.number);
        self.answers.show(&under_way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn stalled(answers: &Arc<LargeAnswers>, client: &str) -> Seat {
        let seat = LargeAnswers::enter(answers, network(client));
        seat.full();
        seat
    }

    // FT21
    #[test]
    fn whoever_stalls_most_loses_first_and_a_single_slow_reader_stays() {
        let metrics = Arc::new(Metrics::new());
        let answers = LargeAnswers::new(4, Arc::clone(&metrics));
        let person = stalled(&answers, "192.0.2.1");
        let crowd: Vec<_> = (0..50).map(|_| stalled(&answers, "198.51.100.7")).collect();
        assert!(!person.is_lost());
        // A newcomer pushes out the one that has not read for longest.
        assert_eq!(crowd.iter().filter(|seat| !seat.is_lost()).count(), 3);
        assert!(!crowd[49].is_lost());
        assert_eq!(metrics.large_answers.get(), 4);
        // Whoever is done gives the place back, whether or not it was lost.
        drop(crowd);
        assert_eq!((metrics.large_answers.get(), metrics.connections_stalled.get()), (1, 1));
        let others: Vec<_> = (1..=3).map(|n| stalled(&answers, &format!("203.0.113.{n}"))).collect();
        assert!(!person.is_lost() && !others.iter().any(Seat::is_lost));
        drop((person, others));
        assert_eq!((metrics.large_answers.get(), metrics.connections_stalled.get()), (0, 0));
        assert!(answers.under_way.lock().by_client.is_empty());
    }

    #[test]
    fn whoever_reads_keeps_the_place_before_whoever_does_not() {
        let answers = LargeAnswers::new(3, Arc::new(Metrics::new()));
        let (first, second, third) =
            (stalled(&answers, "192.0.2.1"), stalled(&answers, "192.0.2.1"), stalled(&answers, "192.0.2.1"));
        first.read();
        second.read();
        second.full();
        let fourth = LargeAnswers::enter(&answers, network("192.0.2.9"));
        assert_eq!([&first, &second, &third, &fourth].map(Seat::is_lost), [false, false, true, false]);
        // All read: the newest of the crowd waits for better days, whoever came.
        second.read();
        let fifth = LargeAnswers::enter(&answers, network("192.0.2.9"));
        assert_eq!([&first, &second, &fourth, &fifth].iter().filter(|seat| seat.is_lost()).count(), 1);
        assert!(!first.is_lost() && (second.is_lost() || fifth.is_lost()));
    }

    #[test]
    fn one_site_of_ipv6_is_one_crowd() {
        let answers = LargeAnswers::new(2, Arc::new(Metrics::new()));
        let person = stalled(&answers, "2001:db8:1::1");
        let crowd: Vec<_> = (0..9).map(|n| stalled(&answers, &format!("2001:db8:2:{n}::1"))).collect();
        assert!(!person.is_lost());
        assert_eq!(crowd.iter().filter(|seat| !seat.is_lost()).count(), 1);
    }
}
