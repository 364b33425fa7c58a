//! What was found out and may be forgotten: a bounded cache whose entries end by themselves.
//!
//! For answers outside the way of a request that is signed in. How old an answer may be to be served is for its owner
//! to say, by the moment it was asked at; the cache's own clock only frees memory. What is asked for least makes room:
//! whoever names many keys once does not push out what people ask for every minute.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

/// See the module's page.
pub struct TtlCache<K, V>(Cache<K, Arc<V>>);

impl<K, V> std::fmt::Debug for TtlCache<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TtlCache").finish_non_exhaustive()
    }
}

impl<K, V> TtlCache<K, V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// An empty cache of at most `most` entries, each forgotten `keep` after it was written. A `keep` beyond a thousand
    /// years is a thousand years.
    pub fn new(most: u64, keep: Duration) -> Self {
        const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);
        Self(Cache::builder().max_capacity(most).time_to_live(keep.min(LONGEST)).build())
    }

    /// What is there under `key`.
    pub fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.get(key)
    }

    /// Puts `value` there, in the place of what may have been.
    pub fn insert(&self, key: K, value: V) {
        self.0.insert(key, Arc::new(value));
    }

    /// Takes away what is there.
    pub fn remove<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.invalidate(key);
    }

    /// Replaces what is there by what `change` makes of it, if it makes something; nobody else writes there meanwhile.
    /// What was put there, if anything was.
    pub fn update<Q>(&self, key: &Q, change: impl FnOnce(&V) -> Option<V>) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let changed = self.0.entry_by_ref(key).and_compute_with(|entry| {
            let changed = entry.and_then(|entry| change(entry.value()));
            changed.map_or(Op::Nop, |value| Op::Put(Arc::new(value)))
        });
        match changed {
            CompResult::ReplacedWith(entry) => Some(entry.into_value()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn cache(most: u64, keep: Duration) -> TtlCache<String, u32> {
        TtlCache::new(most, keep)
    }

    #[test]
    fn what_was_put_in_is_found_changed_and_removed() {
        let cache = cache(10, Duration::MAX);
        cache.insert("a".to_owned(), 1);
        assert_eq!(cache.get("a").as_deref(), Some(&1));
        assert_eq!(cache.update("a", |old| Some(old + 1)).as_deref(), Some(&2));
        assert_eq!(cache.update("a", |_| None), None);
        assert_eq!(cache.update("b", |old| Some(old + 1)), None);
        assert_eq!((cache.get("a").as_deref(), cache.get("b")), (Some(&2), None));
        cache.remove("a");
        assert_eq!(cache.get("a"), None);
    }

    #[test]
    fn it_never_outgrows_its_bound_and_what_is_asked_for_stays() {
        let cache = cache(100, HOUR);
        for number in 0..50 {
            cache.insert(format!("carrier {number}"), number);
        }
        for _ in 0..10 {
            assert!((0..50).all(|number| cache.get(&format!("carrier {number}")).is_some()));
            cache.0.run_pending_tasks();
        }
        for number in 0..10_000 {
            cache.insert(format!("made up {number}"), number);
        }
        cache.0.run_pending_tasks();
        assert!(cache.0.entry_count() <= 100);
        let kept = (0..50).filter(|number| cache.get(&format!("carrier {number}")).is_some()).count();
        assert!(kept >= 45, "{kept}");
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let cache = cache(10, Duration::from_millis(1));
        cache.insert("a".to_owned(), 1);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while cache.get("a").is_some() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
    }
}
