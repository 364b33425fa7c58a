//! The routes of one host, and which of them covers a path with the longest prefix.
//!
//! Prefixes are gathered by length, longest first. A path is cut at each length where a segment of it ends, and only
//! there is anything compared, by halving a sorted list: what a look-up costs grows with the number of *different
//! lengths*, hardly with the number of routes.

use std::sync::Arc;

use super::Route;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Prefixes<R>(Box<[SameLength<R>]>);

/// Routes whose prefixes are equally long.
#[derive(Debug)]
struct SameLength<R> {
    length: usize,
    /// The prefixes, sorted, one after another in one piece of memory.
    prefixes: Box<[u8]>,
    /// Their routes, in the same order.
    routes: Box<[Arc<R>]>,
}

impl<R: AsRef<Route>> Prefixes<R> {
    /// No two of `routes` have the same prefix.
    pub(super) fn new(mut routes: Vec<Arc<R>>) -> Self {
        let prefix = |route: &Arc<R>| (**route).as_ref().prefix.clone();
        routes.sort_by_cached_key(|route| (usize::MAX - prefix(route).len(), prefix(route)));
        let groups = routes.chunk_by(|a, b| prefix(a).len() == prefix(b).len()).map(|group| SameLength {
            length: group.first().map_or(0, |route| prefix(route).len()),
            prefixes: group.iter().flat_map(|route| prefix(route).into_vec()).collect(),
            routes: group.into(),
        });
        Self(groups.collect())
    }

    /// The route with the longest prefix that covers `path` (percent-decoded) by whole segments.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Arc<R>> {
        self.0.iter().find_map(|group| group.find(path))
    }

    /// How much of a path [`Prefixes::find`] looks at: the longest prefix, and the byte that must end it.
    pub(super) fn reach(&self) -> usize {
        self.0.first().map_or(0, |longest| longest.length) + 1
    }
}

impl<R> SameLength<R> {
    fn find(&self, path: &[u8]) -> Option<&Arc<R>> {
        let (head, rest) = path.split_at_checked(self.length)?;
        if rest.first().is_some_and(|next| *next != b'/') {
            return None;
        }
        let (mut low, mut high) = (0, self.routes.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.prefix(middle).cmp(head) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return self.routes.get(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn prefix(&self, place: usize) -> &[u8] {
        self.prefixes.get(place * self.length..(place + 1) * self.length).unwrap_or_default()
    }
}
