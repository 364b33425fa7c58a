//! Single flight: whoever needs the same thing at the same time shares one piece of work.
//!
//! The work runs in a task of its own. A caller that gives up cancels its own wait and nobody else's (E11), and what
//! was found is kept even if nobody waits for it any more.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

/// Work under way, to be awaited by any number of callers.
pub type InFlight<V> = Shared<BoxFuture<'static, V>>;

/// Work under way, by what it is for.
pub struct SingleFlight<K, V> {
    in_flight: Mutex<HashMap<K, InFlight<V>>>,
}

impl<K, V> std::fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Nothing is under way.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { in_flight: Mutex::new(HashMap::new()) })
    }

    /// The work under way for `key`, if there is any.
    pub fn current(&self, key: &K) -> Option<InFlight<V>> {
        self.in_flight.lock().get(key).cloned()
    }

    /// How many pieces of work are under way.
    pub fn len(&self) -> usize {
        self.in_flight.lock().len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Joins the work under way for `key`, or starts it; says which (`true`: started on behalf of this caller). The work
    /// must put its result where `finished` looks before it ends: a caller who comes just after it then finds the result
    /// there and starts nothing. `lost` is the answer should the task die.
    pub fn join<F>(
        self: &Arc<Self>,
        key: &K,
        finished: impl FnOnce() -> Option<V>,
        start: impl FnOnce() -> F,
        lost: V,
    ) -> (InFlight<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut in_flight = self.in_flight.lock();
        if let Some(work) = in_flight.get(key) {
            return (work.clone(), false);
        }
        if let Some(value) = finished() {
            return (std::future::ready(value).boxed().shared(), false);
        }
        let removal = RemoveAtEnd { flights: Arc::clone(self), key: key.clone() };
        let work = start();
        let task = tokio::spawn(async move {
            let _removal = removal;
            work.await
        });
        let work = async move { task.await.unwrap_or(lost) }.boxed().shared();
        in_flight.insert(key.clone(), work.clone());
        (work, true)
    }
}

/// Takes work off the list however its task ends: done, panicked, or dropped with its runtime.
struct RemoveAtEnd<K: Eq + Hash, V> {
    flights: Arc<SingleFlight<K, V>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for RemoveAtEnd<K, V> {
    fn drop(&mut self) {
        self.flights.in_flight.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    // E11
    #[tokio::test]
    async fn who_comes_just_after_the_end_starts_nothing() {
        let flights = SingleFlight::<&str, u8>::new();
        let start = || -> Ready<u8> { unreachable!("the result is there") };
        let (work, started) = flights.join(&"key", || Some(7), start, 0);
        assert_eq!((work.await, started), (7, false));
        assert!(flights.current(&"key").is_none());
    }

    // E11
    #[tokio::test]
    async fn many_callers_share_one_piece_of_work_and_one_that_leaves_fails_nobody() {
        let flights = SingleFlight::<u8, u8>::new();
        let (runs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let join = || {
            let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
            let work = || async move {
                runs.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                7
            };
            flights.join(&1, || None, work, 0)
        };
        let (first, started) = join();
        let others: Vec<_> = (0..100).map(|_| join()).collect();
        assert!(started && others.iter().all(|(_, started)| !started));
        assert_eq!(flights.len(), 1);
        let left = tokio::spawn(first);
        left.abort();
        assert!(left.await.unwrap_err().is_cancelled());
        gate.notify_one();
        for (work, _) in others {
            assert_eq!(work.await, 7);
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn work_that_dies_is_answered_and_makes_room_for_the_next() {
        let flights = SingleFlight::<&str, u8>::new();
        let (work, started) = flights.join(&"key", || None, || async { panic!("on purpose") }, 9);
        assert_eq!((work.await, started), (9, true));
        let (work, started) = flights.join(&"key", || None, || ready(7), 9);
        assert_eq!((work.await, started), (7, true));
    }

    #[tokio::test]
    async fn work_for_one_key_does_not_hold_up_another() {
        let flights = SingleFlight::<u8, u8>::new();
        let (stuck, _) = flights.join(&1, || None, pending, 0);
        assert_eq!(flights.join(&2, || None, || ready(5), 0).0.await, 5);
        assert!(stuck.now_or_never().is_none());
    }
}
