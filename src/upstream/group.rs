//! The servers of one upstream, and who of them gets a request.
//!
//! Where no server is available, all are asked as if all were: a wrong opinion about them must not take an app away that
//! answers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::endpoints::Endpoints;
use super::server::Server;
use crate::route::upstream::{Balance, GroupSettings, HealthSettings, ServerAddress};

/// Servers that answer the same requests.
#[derive(Debug)]
pub struct Group {
    settings: Arc<GroupSettings>,
    servers: Box<[Server]>,
    number: u64,
    made: Instant,
    turn: AtomicU64,
}

/// A step that spreads neighbouring numbers apart (golden ratio of 2^64).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Group {
    #[expect(
        clippy::disallowed_methods,
        reason = "the zero of the clock by which servers are ejected; nothing is decided by it"
    )]
    pub(super) fn new(
        settings: &Arc<GroupSettings>,
        mut endpoints_of: impl FnMut(&str, u16) -> Arc<Endpoints>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let servers = settings.servers.iter().map(|server| {
            let endpoints = match &server.at {
                ServerAddress::Tcp { host, port } => Some(endpoints_of(host, *port)),
                ServerAddress::Unix(_) => None,
            };
            Server::new(server.clone(), endpoints)
        });
        Self {
            servers: servers.collect(),
            settings: Arc::clone(settings),
            // Twice as many numbers as groups: each has two sets of connections.
            number: LAST.fetch_add(2, Ordering::Relaxed) + 2,
            made: Instant::now(),
            turn: AtomicU64::new(0),
        }
    }

    /// As configured.
    pub fn settings(&self) -> &Arc<GroupSettings> {
        &self.settings
    }

    /// Connections are shared only between requests whose groups have the same number, which is even: the very same servers,
    /// used in the same way. The odd number after it is the group's too.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// All servers, in the order of the configuration.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// One of them.
    pub fn server(&self, place: usize) -> Option<&Server> {
        self.servers.get(place)
    }

    /// Whether there is anybody to choose among. If not, nothing is counted.
    pub fn has_choice(&self) -> bool {
        self.servers.len() > 1
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.made).as_millis()).unwrap_or(u64::MAX)
    }

    /// Who gets a request at `now`, among those whose bit is not set in `tried`. `key` says whose it is, for
    /// [`Balance::Session`]. `None` if all were tried.
    pub fn pick(&self, tried: u64, key: impl FnOnce() -> u64, now: Instant) -> Option<usize> {
        if !self.has_choice() {
            return (tried & 1 == 0).then_some(0);
        }
        let now = self.millis(now);
        let fit = |all: bool| {
            let servers = self.servers.iter().enumerate();
            servers.filter(move |(place, server)| is_untried(tried, *place) && (all || server.is_available(now)))
        };
        let all = fit(false).next().is_none();
        let weight = |server: &Server| server.weight(now, self.settings.slow_start);
        match self.settings.balance {
            Balance::RoundRobin => {
                let sum: u64 = fit(all).map(|(_, server)| weight(server)).sum();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed).wrapping_mul(SPREAD);
                let mut left = u64::try_from((u128::from(turn) * u128::from(sum)) >> 64).unwrap_or(0);
                let mut chosen = None;
                for (place, server) in fit(all) {
                    chosen = Some(place);
                    match left.checked_sub(weight(server)) {
                        Some(rest) => left = rest,
                        None => break,
                    }
                }
                chosen
            }
            Balance::LeastRequests => {
                let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
                let count = self.servers.len();
                // Compared as fractions: requests, with this one, by weight. Who is asked first takes turns among equals.
                let least = fit(all).min_by(|(a, one), (b, other)| {
                    let load = |server: &Server| server.under_way() as u128 + 1;
                    let (one_by, other_by) = (u128::from(weight(other)), u128::from(weight(one)));
                    let place = |place: usize| (place + turn) % count;
                    (load(one) * one_by, place(*a)).cmp(&(load(other) * other_by, place(*b)))
                });
                least.map(|(place, _)| place)
            }
            Balance::Session => {
                // Rendezvous hashing: a server that comes or goes moves only the sessions that are its own.
                let key = key();
                let score = |place: usize, server: &Server| {
                    let mut hash = DefaultHasher::new();
                    (key, place).hash(&mut hash);
                    #[expect(clippy::cast_precision_loss, reason = "a share of 2^64; the last bits do not matter")]
                    let (share, weight) =
                        ((hash.finish() as f64 + 1.0) / (u64::MAX as f64 + 2.0), weight(server) as f64);
                    -weight / share.ln()
                };
                let best = fit(all).max_by(|(a, one), (b, other)| score(*a, one).total_cmp(&score(*b, other)));
                best.map(|(place, _)| place)
            }
        }
    }

    /// Whether there is a server whose bit is not set in `tried`.
    pub fn has_left(&self, tried: u64) -> bool {
        (0..self.servers.len()).any(|place| is_untried(tried, place))
    }

    /// A request to the server at `place` began; it is counted until the guard is dropped. `None` where nobody counts.
    pub fn begin(self: &Arc<Self>, place: usize) -> Option<UnderWay> {
        if !self.has_choice() || self.settings.balance != Balance::LeastRequests {
            return None;
        }
        self.server(place)?.begin();
        Some(UnderWay { group: Arc::clone(self), place })
    }

    /// The server at `place` answered.
    pub fn succeeded(&self, place: usize) {
        if self.has_choice()
            && let Some(server) = self.server(place)
        {
            server.succeeded();
        }
    }

    /// A connection to the server at `place` failed at `now`, or ended without an answer. Says whether it is left out from now
    /// on.
    pub fn failed(&self, place: usize, now: Instant) -> bool {
        self.has_choice()
            && self.server(place).is_some_and(|server| server.failed(self.millis(now), &self.settings.ejection))
    }

    /// What the server at `place` said at `now` when it was asked how it is. `Some` if that changes whether it gets requests.
    pub fn checked(&self, place: usize, good: bool, now: Instant, health: &HealthSettings) -> Option<bool> {
        self.server(place)?.checked(good, self.millis(now), health.healthy, health.unhealthy)
    }

    /// Whether the server at `place` gets requests at `now`.
    pub fn is_available(&self, place: usize, now: Instant) -> bool {
        self.server(place).is_some_and(|server| server.is_available(self.millis(now)))
    }
}

fn is_untried(tried: u64, place: usize) -> bool {
    u32::try_from(place).ok().and_then(|place| tried.checked_shr(place)).is_some_and(|rest| rest & 1 == 0)
}

/// A request under way to one server, counted until this is dropped.
#[derive(Debug)]
pub struct UnderWay {
    group: Arc<Group>,
    place: usize,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(server) = self.group.server(self.place) {
            server.end();
        }
    }
}
