//! Names of upstreams, resolved in the background: a container that was made anew has another address, and a name that is
//! not known yet is no reason not to start.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::endpoints::Endpoints;
use super::group::Group;
use crate::route::upstream::GroupSettings;
use crate::telemetry::Metrics;

/// Pause between two rounds, however many connections fail.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Who is asked for the addresses of a name; an argument, so that a test can answer.
#[async_trait]
pub trait NameService: Send + Sync {
    /// The addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name is unknown or nobody answers.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The name service of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl NameService for SystemNames {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// How names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often all are asked for anew. Default 30 s.
    pub every: Duration,
    /// How long one question to the name service may take. Default 5 s.
    pub patience: Duration,
}

/// One of the gateway's own listeners: its configuration key and where it listens.
pub type Listener = (&'static str, SocketAddr);

/// Why an upstream cannot be reached now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The name service knows no address, or does not answer.
    #[error("the name \"{0}\" has no address")]
    NoAddress(String),
    /// Every address is one of the gateway's own listeners (its key): the public one would ask itself for ever, the
    /// private one would be opened to the public.
    #[error("the name \"{0}\" leads to the gateway's own {1}; name the app's address")]
    OwnListener(String, &'static str),
}

/// The upstreams of a configuration: each group of servers once, and each host and port once.
#[derive(Debug, Default)]
pub struct Upstreams {
    groups: Vec<Arc<Group>>,
    all: BTreeMap<(String, u16), Arc<Endpoints>>,
    asked_anew: Arc<Notify>,
    /// What could not be reached in the last round: it is told when it changes, not every time.
    told: Mutex<BTreeMap<(String, u16), Unreachable>>,
}

impl Upstreams {
    /// The group of these settings, made once for all routes that say the same.
    pub(super) fn group(&mut self, settings: &Arc<GroupSettings>) -> Arc<Group> {
        if let Some(known) = self.groups.iter().find(|group| group.settings() == settings) {
            return Arc::clone(known);
        }
        let group = Arc::new(Group::new(settings, |host, port| self.endpoints(host, port)));
        self.groups.push(Arc::clone(&group));
        group
    }

    /// Every group.
    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// What is known of the addresses of `host`.
    pub(super) fn endpoints(&mut self, host: &str, port: u16) -> Arc<Endpoints> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Arc::new(Endpoints::literal(SocketAddr::new(address, port)));
        }
        let entry = self.all.entry((host.to_owned(), port));
        Arc::clone(entry.or_insert_with(|| Arc::new(Endpoints::named(host, port, Arc::clone(&self.asked_anew)))))
    }

    /// Asks for every name once, all at the same time, each for `patience` at most. A name that has no address now keeps the
    /// ones it had. Returns what cannot be reached, by host and port.
    pub async fn resolve(
        &self,
        names: &dyn NameService,
        own: &[Listener],
        patience: Duration,
    ) -> BTreeMap<(String, u16), Unreachable> {
        let round = self.all.iter().map(|(key, endpoints)| async move {
            let answer = tokio::time::timeout(patience, names.addresses(&key.0, key.1)).await;
            let found = answer.ok().and_then(Result::ok).unwrap_or_default();
            (key, endpoints, found)
        });
        let mut unreachable = BTreeMap::new();
        for (key, endpoints, found) in join_all(round).await {
            let mut left = found;
            let mut why = Unreachable::NoAddress(key.0.clone());
            left.retain(|address| match own.iter().find(|(_, listener)| reaches(*address, *listener)) {
                Some((name, _)) => {
                    why = Unreachable::OwnListener(key.0.clone(), name);
                    false
                }
                None => true,
            });
            if left.is_empty() {
                if endpoints.address().is_none() {
                    unreachable.insert(key.clone(), why);
                }
            } else if endpoints.learn(left) {
                info!(upstream = key.0, port = key.1, "The addresses of an upstream changed");
            }
        }
        unreachable
    }

    /// One round, told in log and metrics.
    pub async fn refresh(&self, names: &dyn NameService, own: &[Listener], patience: Duration, metrics: &Metrics) {
        let unreachable = self.resolve(names, own, patience).await;
        metrics.upstreams_unreachable.set(i64::try_from(unreachable.len()).unwrap_or(i64::MAX));
        let before = std::mem::replace(&mut *self.told.lock(), unreachable.clone());
        for ((host, port), why) in unreachable.iter().filter(|(key, why)| before.get(key) != Some(why)) {
            let upstream = format!("http://{host}:{port}");
            warn!(upstream, reason = %why, "An upstream has no address yet; its requests are answered 502 until it has");
        }
        for (host, port) in before.keys().filter(|key| !unreachable.contains_key(*key)) {
            info!(upstream = format!("http://{host}:{port}"), "An upstream has an address now");
        }
    }

    /// Asks again at this pace, and soon after a connection failed; never ends.
    pub async fn keep(&self, names: &dyn NameService, own: &[Listener], pace: Pace, metrics: &Metrics) {
        if self.all.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(SHORTEST_PAUSE).await;
            let _either =
                tokio::time::timeout(pace.every.saturating_sub(SHORTEST_PAUSE), self.asked_anew.notified()).await;
            self.refresh(names, own, pace.patience, metrics).await;
        }
    }
}

/// Whether a connection to `address` ends at `listener` on this machine.
pub fn reaches(address: SocketAddr, listener: SocketAddr) -> bool {
    let (to, at) = (address.ip().to_canonical(), listener.ip().to_canonical());
    let local = to.is_loopback() || to.is_unspecified();
    address.port() == listener.port()
        && (to == at || (at.is_unspecified() && local) || (to.is_unspecified() && at.is_loopback()))
}

/// Whether `host` is this machine by its name alone (RFC 6761, 6.3).
pub fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}
