//! Single flight: whoever needs the same thing at the same time shares one fetch.
//!
//! The fetch runs in a task of its own. A browser that gives up cancels its own wait and nobody else's (E11), and what
//! was fetched is kept even if nobody waits for it any more.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

/// A fetch under way, to be awaited by any number of callers.
pub type Flight<V> = Shared<BoxFuture<'static, V>>;

/// Fetches under way, by what they fetch.
pub struct Flights<V> {
    open: Mutex<HashMap<String, Flight<V>>>,
}

impl<V: Clone + Send + Sync + 'static> Flights<V> {
    /// Nothing is under way.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(HashMap::new()) })
    }

    /// The fetch under way for `key`, if there is one.
    pub fn current(&self, key: &str) -> Option<Flight<V>> {
        self.open.lock().get(key).cloned()
    }

    /// Joins the fetch under way for `key`, or starts one; says which (`true`: started on behalf of this caller). The
    /// fetch must put its result where `landed` looks before it ends: a caller who comes just after it then finds the
    /// result there and starts no second fetch. `lost` is the answer should the task die.
    pub fn join<F>(
        self: &Arc<Self>,
        key: &str,
        landed: impl FnOnce() -> Option<V>,
        start: impl FnOnce() -> F,
        lost: V,
    ) -> (Flight<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut open = self.open.lock();
        if let Some(flight) = open.get(key) {
            return (flight.clone(), false);
        }
        if let Some(value) = landed() {
            return (std::future::ready(value).boxed().shared(), false);
        }
        let farewell = Farewell { flights: Arc::clone(self), key: key.to_owned() };
        let fetch = start();
        let task = tokio::spawn(async move {
            let _farewell = farewell;
            fetch.await
        });
        let flight = async move { task.await.unwrap_or(lost) }.boxed().shared();
        open.insert(key.to_owned(), flight.clone());
        (flight, true)
    }
}

/// Takes a flight off the list however its task ends: done, panicked, or dropped with its runtime.
struct Farewell<V> {
    flights: Arc<Flights<V>>,
    key: String,
}

impl<V> Drop for Farewell<V> {
    fn drop(&mut self) {
        self.flights.open.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;

    // E11
    #[tokio::test]
    async fn who_comes_just_after_the_landing_starts_no_second_fetch() {
        let flights = Flights::<u8>::new();
        let start = || -> Ready<u8> { unreachable!("the result is there") };
        let (flight, started) = flights.join("key", || Some(7), start, 0);
        assert_eq!((flight.await, started), (7, false));
        assert!(flights.current("key").is_none());
    }

    #[tokio::test]
    async fn a_fetch_that_dies_is_answered_and_makes_room_for_the_next() {
        let flights = Flights::<u8>::new();
        let (flight, started) = flights.join("key", || None, || async { panic!("on purpose") }, 9);
        assert_eq!((flight.await, started), (9, true));
        let (flight, started) = flights.join("key", || None, || ready(7), 9);
        assert_eq!((flight.await, started), (7, true));
    }
}
