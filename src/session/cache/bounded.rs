//! A map that never outgrows its bound: for what may be forgotten at any time, such as verdicts on access tokens and
//! who failed lately. What is used least makes room.

use std::hash::Hash;

use quick_cache::sync::Cache;

/// See the module's page. Values come out as clones: let them be an `Arc` or something as small.
pub struct Bounded<K, V>(Cache<K, V>);

impl<K, V> std::fmt::Debug for Bounded<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, V: Clone> Bounded<K, V> {
    /// An empty map of at most `most` entries.
    pub fn new(most: usize) -> Self {
        Self(Cache::new(most.max(1)))
    }

    /// What is there under `key`.
    pub fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    /// Puts `value` there, in the place of what may have been.
    pub fn insert(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    /// Takes away what is there.
    pub fn remove(&self, key: &K) {
        self.0.remove(key);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_outgrows_its_bound() {
        let map = Bounded::new(100);
        for number in 0..10_000_u32 {
            map.insert(number, number);
            assert!(map.len() <= 100);
        }
        map.insert(1, 7);
        assert_eq!(map.get(&1), Some(7));
        map.remove(&1);
        assert_eq!(map.get(&1), None);
    }
}
