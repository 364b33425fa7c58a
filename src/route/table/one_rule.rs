//! Targets with several readings: taken only where every reading leads to the same rules.
//!
//! An app behind `paths: as-is` gets `%2F`, `//` and `%25` as its clients sent them. Servers disagree about where the
//! segments of such a path end, but not about how it begins: no reading of it holds a dot segment
//! ([`NormalTarget::read`]), so each begins with the segments of the route's prefix, which must stand there literally. So it
//! is enough that no route below that prefix has other rules.

use std::sync::Arc;

use super::folding::{Segments, covers, prefix_of, same_demands, segments_of};
use super::{HostRoutes, NormalTarget, Reading, Route, RouteFault, TargetFault, Traits};
use crate::route::path::rounds;
use crate::route::{Paths, RouteSettings};

/// Routes that take targets as they are, with others below them that have other rules.
pub(super) fn faults<'a>(routes: impl Iterator<Item = &'a Route> + Clone) -> Vec<RouteFault> {
    let as_is = routes.clone().filter(|route| route.paths == Paths::AsIs);
    let mut faults = Vec::new();
    for route in as_is {
        let prefix = segments_of(&prefix_of(route));
        for other in routes.clone().filter(|other| other.host == route.host && other.index != route.index) {
            if covers(&prefix, &segments_of(&prefix_of(other))) && !same_rules(route, other) {
                faults.push(RouteFault::OtherRulesBelow { first: route.index, second: other.index });
            }
        }
    }
    faults
}

/// Whether it does not matter to anybody which of two routes judges.
fn same_rules(a: &RouteSettings, b: &RouteSettings) -> bool {
    same_demands(a, b)
        && a.providers == b.providers
        && a.linked_account == b.linked_account
        && a.identity_headers == b.identity_headers
        && a.upstream == b.upstream
        && a.own_answer == b.own_answer
        && a.request_headers == b.request_headers
        && a.response_headers == b.response_headers
        // The app would get another path by the one than by the other.
        && a.inner_path.is_none()
        && b.inner_path.is_none()
        && a.pass_authorization == b.pass_authorization
}

impl<R: AsRef<Route>> HostRoutes<R> {
    /// The route that takes an odd target; the fault if none does.
    pub(super) fn judge_odd(
        &self,
        target: &NormalTarget,
        traits: Traits<'_>,
        reserved: &Segments,
    ) -> Result<&Arc<R>, TargetFault> {
        let odd = target.odd().ok_or(TargetFault::NotOriginForm)?;
        let found = self.prefixes.find(target.path().as_bytes(), traits).ok_or(odd.fault)?;
        let route = (**found).as_ref();
        // Where no route is weaker than another, what changes no segment leads nowhere else.
        let harmless = || !odd.only_as_is && self.guarded.is_even() && (!odd.dots || prefix_of(route).is_empty());
        let taken = route.paths == Paths::AsIs || harmless();
        let same = || self.guarded.judge(target, traits, found).is_some_and(|judge| Arc::ptr_eq(judge, found));
        if taken && !may_be_ours(target, reserved) && same() { Ok(found) } else { Err(odd.fault) }
    }

    pub(super) fn reads_as_sent(&self, target: &NormalTarget) -> bool {
        let read = |reading| target.decoded_path(reading, self.prefixes.reach());
        target.is_odd() || self.prefixes.cover_alike(&read(Reading::Plain), &read(Reading::Undecoded))
    }
}

/// Whether some server, or a proxy before us, could take an odd path for one under our own prefix (H13).
fn may_be_ours(target: &NormalTarget, reserved: &Segments) -> bool {
    let Some(rounds) = rounds(target.path().as_bytes()) else { return true };
    rounds.iter().any(|text| {
        let text = String::from_utf8_lossy(text);
        let mut segments = segments_of(&text);
        // `/;x/oauth2`: to whoever cuts parameters off the first segment is empty.
        segments.retain(|segment| !segment.starts_with([';', ':']));
        // `//host/oauth2`: to whoever reads a network path the first segment is a host.
        let network = text.starts_with("//") || text.starts_with("/\\");
        covers(reserved, &segments) || (network && covers(reserved, segments.get(1..).unwrap_or_default()))
    })
}
