//! All routes, compiled: from a host and a normal target to the one route that judges them.
//!
//! The most specific path wins, never the order in the file: an operator who adds `/` for everybody below `/admin`
//! for the few must not open `/admin` by it (Q07). What no route covers is not found, and what is not found is
//! refused (H18).

#[cfg(test)]
mod conditions_tests;
mod folding;
mod one_rule;
mod prefixes;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use thiserror::Error;

pub use self::folding::FOLDINGS;
use self::folding::{Guarded, Segments, segments_of};
use self::prefixes::Prefixes;
use super::path::{NormalTarget, Reading, TargetFault};
use super::{Mount, RouteSettings, Traits};

/// The gateway's own prefix unless configured otherwise.
pub const RESERVED_PREFIX: &str = "/oauth2";

/// Why a list of routes cannot be used. Numbers are places in the list, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteFault {
    /// Two routes cover the same requests, and neither is more specific: which one judges would be chance.
    #[error(
        "routes[{second}] covers the same requests as routes[{first}]; remove one of them, or give it a condition more"
    )]
    Duplicate {
        /// The earlier of the two.
        first: usize,
        /// The later of the two.
        second: usize,
    },
    /// No host. There is no default host: a route answers only for the name it gives.
    #[error("routes[{index}].host is empty; name the host it is for")]
    EmptyHost {
        /// Which route.
        index: usize,
    },
    /// Not a host name as requests are compared with it: lower case, no port, no trailing dot, no wildcard but for the whole
    /// first label.
    #[error("routes[{index}].host is not a plain lower-case host name, `*.` and one, or [address] without a port")]
    HostNotPlain {
        /// Which route.
        index: usize,
    },
    /// A route that takes targets as they are, and another one below it with other rules: some reading of a target would
    /// lead around one of them.
    #[error(
        "routes[{first}].paths: `as-is` needs one set of rules below routes[{first}], and routes[{second}] lies there with \
         others; give both the same access, require, identity_headers and upstream, or a host of its own to one of them"
    )]
    OtherRulesBelow {
        /// The route that takes targets as they are.
        first: usize,
        /// The one below it.
        second: usize,
    },
    /// A path that no normal request could have, or with a query or path parameters.
    #[error("routes[{index}].path is not a plain path: {fault}")]
    PathNotNormal {
        /// Which route.
        index: usize,
        /// What is wrong with it.
        fault: TargetFault,
    },
    /// Under the gateway's own prefix, where no request ever reaches a route.
    #[error("routes[{index}].path lies under the gateway's own prefix; choose another path or another prefix")]
    Reserved {
        /// Which route.
        index: usize,
    },
}

/// One route of a compiled table. Reads as its settings: `route.access`, `route.upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What was configured, the path made normal and without a trailing slash.
    pub settings: RouteSettings,
    /// Place in the configuration, from 0: the key to what other rooms compile per route.
    pub index: usize,
    /// The path's bytes, percent-decoded; empty for `/`.
    prefix: Box<[u8]>,
    /// The path towards the app, where it is another one.
    pub mount: Option<Mount>,
    /// Whether it depends on a request's method which route of this host judges. What names another method to the app would
    /// then lead around a rule.
    pub by_method: bool,
}

impl Deref for Route {
    type Target = RouteSettings;

    fn deref(&self) -> &RouteSettings {
        &self.settings
    }
}

impl AsRef<Route> for Route {
    fn as_ref(&self) -> &Route {
        self
    }
}

/// The answer to "whose request is this?".
#[derive(Debug)]
pub enum Found<'a, R = Route> {
    /// This route judges it.
    Route(&'a Arc<R>),
    /// The host is ours, but no route covers the path, or two do, depending on how one reads it: 403.
    NoRoute,
    /// Nobody configured this host: 421, there is no default (H14).
    UnknownHost,
}

/// Routes by host. Immutable; a reload compiles another one. `R` is what a route is to whoever asks: its place and
/// settings alone, or with all that is compiled from them.
#[derive(Debug)]
pub struct RouteTable<R = Route> {
    routes: Box<[Arc<R>]>,
    /// By length and then by letters: most names are told apart by one number, and nothing is hashed.
    hosts: Hosts<R>,
    /// Those whose first label may be any, by the rest.
    wildcards: Hosts<R>,
    /// The gateway's own prefix, folded.
    reserved: Segments,
}

type Hosts<R> = Box<[(Box<str>, HostRoutes<R>)]>;

/// The routes of one host.
#[derive(Debug)]
struct HostRoutes<R> {
    prefixes: Prefixes<R>,
    guarded: Guarded<R>,
    by_method: bool,
}

impl RouteTable {
    /// Compiles routes beside the default reserved prefix, [`RESERVED_PREFIX`]. All faults come together.
    pub fn compile(settings: Vec<RouteSettings>) -> Result<Self, Vec<RouteFault>> {
        Self::compile_beside(RESERVED_PREFIX, settings)
    }

    /// Compiles routes beside another reserved prefix.
    pub fn compile_beside(reserved_prefix: &str, settings: Vec<RouteSettings>) -> Result<Self, Vec<RouteFault>> {
        let settings = settings.into_iter().map(|settings| (settings, ())).collect();
        Self::compile_with(reserved_prefix, settings, |route, ()| route)
    }
}

impl<R: AsRef<Route>> RouteTable<R> {
    /// Compiles routes, each with what belongs to it: `complete` makes one of both.
    pub fn compile_with<T>(
        reserved_prefix: &str,
        settings: Vec<(RouteSettings, T)>,
        complete: impl Fn(Route, T) -> R,
    ) -> Result<Self, Vec<RouteFault>> {
        let mut faults = Vec::new();
        let mut routes: Vec<Arc<R>> = Vec::with_capacity(settings.len());
        let by_method: HashSet<String> = settings
            .iter()
            .filter(|(settings, _)| !settings.conditions.methods.is_empty())
            .map(|(settings, _)| settings.host.clone())
            .collect();
        for (index, (settings, with)) in settings.into_iter().enumerate() {
            if let Some(fault) = host_fault(&settings.host, index) {
                faults.push(fault);
            }
            let route = match compile_route(settings, index, reserved_prefix) {
                Ok(route) => Route { by_method: by_method.contains(&route.settings.host), ..route },
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let known = routes.iter().map(|other| (**other).as_ref());
            let same = |other: &&Route| {
                other.host == route.host && other.prefix == route.prefix && other.conditions.clash(&route.conditions)
            };
            match known.into_iter().find(same) {
                Some(first) => faults.push(RouteFault::Duplicate { first: first.index, second: index }),
                None => routes.push(Arc::new(complete(route, with))),
            }
        }
        faults.extend(one_rule::faults(routes.iter().map(|route| (**route).as_ref())));
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut hosts: HashMap<Box<str>, Vec<Arc<R>>> = HashMap::new();
        for route in &routes {
            hosts.entry((**route).as_ref().host.as_str().into()).or_default().push(Arc::clone(route));
        }
        let (mut exact, mut wildcards) = (Vec::new(), Vec::new());
        for (host, routes) in hosts {
            let guarded = Guarded::new(&routes);
            let by_method = by_method.contains(&*host);
            let of_host = HostRoutes { prefixes: Prefixes::new(routes), guarded, by_method };
            match host.strip_prefix("*.") {
                Some(parent) => wildcards.push((parent.into(), of_host)),
                None => exact.push((host, of_host)),
            }
        }
        for hosts in [&mut exact, &mut wildcards] {
            hosts.sort_unstable_by(|(a, _), (b, _)| by_length(a, b));
        }
        let reserved = segments_of(reserved_prefix).into();
        Ok(Self { routes: routes.into(), hosts: exact.into(), wildcards: wildcards.into(), reserved })
    }

    /// The route of a request. `host` is lower case, without port and trailing dot, as in
    /// [`RequestView::host`](crate::web::RequestView::host); another spelling is an unknown host.
    ///
    /// Path parameters are where apps disagree: to a servlet container `/admin;x` is `/admin`, to others it is a name
    /// of its own. If the two readings lead to two routes, neither is taken; else a guest of `/` could be let into
    /// `/admin` by a semicolon.
    ///
    /// Where the route is weaker than a narrower one that some server would fold the path to (see [`FOLDINGS`]), the
    /// narrower one judges. Where the method counts, one in small letters is nobody's: some servers take it for the other.
    pub fn find(&self, host: &str, target: &NormalTarget, traits: Traits<'_>) -> Found<'_, R> {
        let Some(routes) = self.of_host(host) else {
            return Found::UnknownHost;
        };
        if routes.by_method && traits.method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Found::NoRoute;
        }
        if target.is_odd() {
            return routes.judge_odd(target, traits, &self.reserved).map_or(Found::NoRoute, Found::Route);
        }
        let prefixes = &routes.prefixes;
        let by = |reading| prefixes.find(&target.decoded_path(reading, prefixes.reach()), traits);
        let found = by(Reading::Plain);
        if target.has_parameters() && by(Reading::WithoutParameters).map(Arc::as_ptr) != found.map(Arc::as_ptr) {
            return Found::NoRoute;
        }
        found.and_then(|found| routes.guarded.judge(target, traits, found)).map_or(Found::NoRoute, Found::Route)
    }

    /// Whether the routes of `host` take `target`, which may be an odd one.
    ///
    /// # Errors
    /// What a strict route refuses it for.
    pub fn takes(&self, host: &str, target: &NormalTarget, traits: Traits<'_>) -> Result<(), TargetFault> {
        match self.of_host(host) {
            Some(routes) if target.is_odd() => routes.judge_odd(target, traits, &self.reserved).map(drop),
            None => target.odd().map_or(Ok(()), |odd| Err(odd.fault)),
            Some(_) => Ok(()),
        }
    }

    /// Whether a server that compares paths before it decodes them sees the client's spelling of `target` as what was
    /// judged. Only then may that spelling be forwarded.
    pub fn reads_as_sent(&self, host: &str, target: &NormalTarget) -> bool {
        self.of_host(host).is_none_or(|routes| routes.reads_as_sent(target))
    }

    /// Whether any route names `host`.
    pub fn serves(&self, host: &str) -> bool {
        self.of_host(host).is_some()
    }

    /// A host with routes of its own is judged by them alone, whatever a wildcard says.
    fn of_host(&self, host: &str) -> Option<&HostRoutes<R>> {
        let by = |hosts: &'_ Hosts<R>, name: &str| hosts.binary_search_by(|(known, _)| by_length(known, name)).ok();
        if let Some(place) = by(&self.hosts, host) {
            return self.hosts.get(place).map(|(_, routes)| routes);
        }
        let (label, parent) = host.split_once('.').filter(|_| !self.wildcards.is_empty())?;
        let place = by(&self.wildcards, parent).filter(|_| !label.is_empty())?;
        self.wildcards.get(place).map(|(_, routes)| routes)
    }

    /// The hosts that are served, in no order, but for those of [`RouteTable::wildcards`].
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|(host, _)| &**host)
    }

    /// Names of which all that lie one label below are served, but for those with routes of their own; in no order.
    pub fn wildcards(&self) -> impl Iterator<Item = &str> {
        self.wildcards.iter().map(|(parent, _)| &**parent)
    }

    /// All routes in the order of the configuration.
    pub fn routes(&self) -> &[Arc<R>] {
        &self.routes
    }
}

fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn compile_route(mut settings: RouteSettings, index: usize, reserved_prefix: &str) -> Result<Route, RouteFault> {
    let not_normal = |fault| RouteFault::PathNotNormal { index, fault };
    let target = NormalTarget::parse(settings.path.as_bytes()).map_err(not_normal)?;
    if target.query().is_some() || target.has_parameters() {
        return Err(not_normal(TargetFault::Parameter));
    }
    if target.is_under(reserved_prefix) {
        return Err(RouteFault::Reserved { index });
    }
    let mut prefix = target.decoded_path(Reading::Plain, usize::MAX).into_owned();
    if prefix.last() == Some(&b'/') {
        prefix.pop();
    }
    settings.path = match target.path().trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    let mount = settings.inner_path.as_ref().map(|inner| Mount::new(&settings.path, &prefix, inner));
    Ok(Route { settings, index, prefix: prefix.into(), by_method: false, mount })
}

fn host_fault(host: &str, index: usize) -> Option<RouteFault> {
    if host.is_empty() {
        return Some(RouteFault::EmptyHost { index });
    }
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let canonical = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == text);
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let plain = match address {
        Some(address) => canonical(address),
        None => host.len() <= 253 && host.split('.').all(label),
    };
    (!plain).then_some(RouteFault::HostNotPlain { index })
}
