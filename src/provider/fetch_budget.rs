//! How often an issuer is asked for its keys because of a `kid` that nobody has seen: the budget of sign-ins, and of each of
//! a few clients. It lives in this process and depends on nothing that can fail (E04).

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::ground::network::ClientNetwork;
use crate::ground::time::distance;

/// On whose behalf a key is looked for that is not at hand. Each has a budget of their own: whoever sends tokens of
/// their own making spends what they have, and neither a person's sign-in nor another client waits for it.
#[derive(Debug, Clone, Copy)]
pub enum Asker {
    /// A sign-in, whose ID token came from the issuer itself.
    SignIn,
    /// Whoever sent an access token: anybody.
    Client(ClientNetwork),
}

impl Asker {
    /// The client at `address`, by the widest of its networks.
    pub fn client(address: IpAddr) -> Self {
        Self::Client(ClientNetwork::all_of(address).last().unwrap_or(ClientNetwork::of(address)))
    }
}

/// So many clients may each cause one fetch within a cool-down, because of a `kid` that nobody has seen.
const CLIENTS: usize = 4;

/// When an issuer may be asked again because of an unknown `kid`.
pub(super) struct Throttle {
    pub(super) issuer: String,
    sign_in: Mutex<Budget>,
    /// At most [`CLIENTS`].
    clients: Mutex<Vec<(ClientNetwork, Budget)>>,
}

/// How a forced refresh ended that did not come in vain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forced {
    /// It brought the key.
    Found,
    /// It brought no answer.
    Failed,
}

/// One refresh in a cool-down. One that brought what was looked for costs nothing: only the issuer can change its keys, and
/// it may do so again. One that failed costs a moment, twice as long after each, and never more than the cool-down: an
/// issuer that is back is seen within seconds.
#[derive(Clone, Copy, Default)]
struct Budget {
    /// When it was claimed, and how long it is used up from then on.
    claimed: Option<(SystemTime, Duration)>,
    failures: u32,
}

/// Pause after the first failed refresh.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);

impl Budget {
    fn is_free(&self, now: SystemTime) -> bool {
        self.claimed.is_none_or(|(since, length)| distance(now, since) >= length)
    }

    fn settle(&mut self, forced: Forced, now: SystemTime, cooldown: Duration) {
        match forced {
            Forced::Found => *self = Self::default(),
            Forced::Failed => {
                let pause = FAILURE_PAUSE.saturating_mul(1 << self.failures.min(10)).min(cooldown);
                self.failures = self.failures.saturating_add(1);
                self.claimed = Some((now, pause));
            }
        }
    }
}

impl Throttle {
    /// One of which nothing is used up.
    pub(super) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), sign_in: Mutex::new(Budget::default()), clients: Mutex::new(Vec::new()) }
    }

    /// Whether `asker` may cause a fetch now; if so, none for the next `cooldown`, unless [`Throttle::settle`] says
    /// otherwise.
    pub(super) fn claim(&self, asker: Asker, now: SystemTime, cooldown: Duration) -> bool {
        let network = match asker {
            Asker::SignIn => {
                let mut budget = self.sign_in.lock();
                let free = budget.is_free(now);
                if free {
                    budget.claimed = Some((now, cooldown));
                }
                return free;
            }
            Asker::Client(network) => network,
        };
        let mut clients = self.clients.lock();
        // What failed is remembered for as long as what came in vain, so that its pauses grow.
        clients.retain(|(_, budget)| budget.claimed.is_some_and(|(since, _)| distance(now, since) < cooldown));
        if let Some((_, budget)) = clients.iter_mut().find(|(known, _)| *known == network) {
            let free = budget.is_free(now);
            if free {
                budget.claimed = Some((now, cooldown));
            }
            return free;
        }
        let free = clients.len() < CLIENTS;
        if free {
            clients.push((network, Budget { claimed: Some((now, cooldown)), failures: 0 }));
        }
        free
    }

    /// How the fetch ended that `asker` was allowed.
    pub(super) fn settle(&self, asker: Asker, forced: Forced, now: SystemTime, cooldown: Duration) {
        match asker {
            Asker::SignIn => self.sign_in.lock().settle(forced, now, cooldown),
            Asker::Client(network) => {
                let mut clients = self.clients.lock();
                if forced == Forced::Found {
                    clients.retain(|(known, _)| *known != network);
                } else if let Some((_, budget)) = clients.iter_mut().find(|(known, _)| *known == network) {
                    budget.settle(forced, now, cooldown);
                }
            }
        }
    }
}
