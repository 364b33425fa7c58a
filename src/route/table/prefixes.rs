//! The routes of one host, and which of them covers a path with the longest prefix.
//!
//! Prefixes are gathered by length, longest first. A path is cut at each length where a segment of it ends, and only
//! there is anything compared, by halving a sorted list: what a look-up costs grows with the number of *different
//! lengths*, hardly with the number of routes.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Route, Traits};

/// See the module's page.
#[derive(Debug)]
pub(super) struct Prefixes<R>(Box<[SameLength<R>]>);

/// Routes whose prefixes are equally long.
#[derive(Debug)]
struct SameLength<R> {
    length: usize,
    /// The prefixes, sorted, one after another in one piece of memory.
    prefixes: Box<[u8]>,
    /// Their routes, in the same order; of one prefix the most specific first.
    routes: Box<[Box<[Arc<R>]>]>,
}

impl<R: AsRef<Route>> Prefixes<R> {
    /// No two of `routes` with the same prefix clash.
    pub(super) fn new(mut routes: Vec<Arc<R>>) -> Self {
        let prefix = |route: &Arc<R>| (**route).as_ref().prefix.clone();
        let rank = |route: &Arc<R>| Reverse((**route).as_ref().conditions.rank());
        routes.sort_by_cached_key(|route| (usize::MAX - prefix(route).len(), prefix(route), rank(route)));
        let groups = routes.chunk_by(|a, b| prefix(a).len() == prefix(b).len()).map(|group| {
            let each: Vec<&[Arc<R>]> = group.chunk_by(|a, b| prefix(a) == prefix(b)).collect();
            SameLength {
                length: group.first().map_or(0, |route| prefix(route).len()),
                prefixes: each
                    .iter()
                    .filter_map(|same| same.first())
                    .flat_map(|route| prefix(route).into_vec())
                    .collect(),
                routes: each.into_iter().map(Into::into).collect(),
            }
        });
        Self(groups.collect())
    }

    /// The route that is meant by what is asked for at `path` (percent-decoded): of those whose prefix covers it by whole segments
    /// and whose conditions are met the one with the longest prefix, and of these the most specific.
    pub(super) fn find(&self, path: &[u8], traits: Traits<'_>) -> Option<&Arc<R>> {
        self.0.iter().find_map(|group| {
            let (routes, whole) = group.find(path)?;
            routes.iter().find(|route| {
                let conditions = &(***route).as_ref().conditions;
                (whole || !conditions.exact) && conditions.met_by(traits)
            })
        })
    }

    /// Whether the same prefix is the longest for both paths, so that whatever is asked for means the same route.
    pub(super) fn cover_alike(&self, a: &[u8], b: &[u8]) -> bool {
        let place = |path: &[u8]| {
            self.0.iter().find_map(|group| group.find(path)).map(|(routes, whole)| (routes.as_ptr(), whole))
        };
        place(a) == place(b)
    }

    /// How much of a path [`Prefixes::find`] looks at: the longest prefix, the byte that must end it, and the one that shows
    /// whether anything lies below `/`.
    pub(super) fn reach(&self) -> usize {
        self.0.first().map_or(0, |longest| longest.length) + 2
    }
}

impl<R> SameLength<R> {
    /// The routes of the prefix that covers `path`, and whether it is all of it.
    fn find(&self, path: &[u8]) -> Option<(&[Arc<R>], bool)> {
        let (head, rest) = path.split_at_checked(self.length)?;
        if rest.first().is_some_and(|next| *next != b'/') {
            return None;
        }
        let (mut low, mut high) = (0, self.routes.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.prefix(middle).cmp(head) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => {
                    let whole = rest.is_empty() || (self.length == 0 && rest == b"/");
                    return self.routes.get(middle).map(|routes| (&**routes, whole));
                }
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn prefix(&self, place: usize) -> &[u8] {
        self.prefixes.get(place * self.length..(place + 1) * self.length).unwrap_or_default()
    }
}
