//! How many connections there may be, in all and from one network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::info;

use super::adapt::TrustedProxies;
use super::answer_rate::{AnswerRate, TooSlow};
use super::context::Peer;
use super::ended::Ended;
use super::head::HeadLimits;
use super::large_answers::{LargeAnswers, Seat};
use crate::ground::network::ClientNetwork;
use crate::telemetry::Metrics;

/// Limits of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Limits of one request's head.
    pub head: HeadLimits,
    /// Time for a whole head, from its first byte. Default 10 s.
    pub head_deadline: Duration,
    /// How long an idle client connection is kept. Default 75 s.
    pub keepalive: Duration,
    /// Open connections in total. Default 20,000, or what memory and descriptors allow.
    pub connections: usize,
    /// Open connections per client address (IPv6: /64; a /56 gets twice, a /48 four times as many); trusted proxies,
    /// which speak for many clients, are not counted. Default 1,000.
    pub connections_per_client: usize,
    /// Requests under way at once on one connection of HTTP/2. Default 100.
    pub streams: u32,
    /// Answers under way at once that may fill memory. Default: what memory allows.
    pub large_answers: usize,
    /// How fast a client must read.
    pub answer_rate: AnswerRate,
}

/// Which of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// For people and programs.
    Public,
    /// For whoever runs the gateway.
    Private,
}

/// How many connections there are, and whose.
#[derive(Debug)]
pub(super) struct Connections {
    side: Side,
    limits: ListenerLimits,
    large_answers: Arc<LargeAnswers>,
    trusted: TrustedProxies,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_client: HashMap<ClientNetwork, usize>,
}

impl Open {
    fn count(&mut self, client: IpAddr) {
        for network in ClientNetwork::all_of(client) {
            *self.by_client.entry(network).or_insert(0) += 1;
        }
    }

    fn discount(&mut self, client: IpAddr) {
        for network in ClientNetwork::all_of(client) {
            if let Some(count) = self.by_client.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    self.by_client.remove(&network);
                }
            }
        }
    }
}

impl Connections {
    pub(super) fn new(side: Side, limits: ListenerLimits, trusted: TrustedProxies, metrics: Arc<Metrics>) -> Arc<Self> {
        let large_answers = LargeAnswers::new(limits.large_answers, Arc::clone(&metrics));
        Arc::new(Self { side, limits, large_answers, trusted, metrics, open: Mutex::default() })
    }

    /// A place for one more connection of `peer`, or none.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<ConnectionSlot> {
        self.seat(peer, false)
    }

    /// The same for a balancer, which speaks for many clients, and has not said yet for whom it speaks now.
    pub(super) fn admit_balancer(self: &Arc<Self>, peer: Peer) -> Option<ConnectionSlot> {
        self.seat(peer, true)
    }

    fn seat(self: &Arc<Self>, peer: Peer, speaks_for_many: bool) -> Option<ConnectionSlot> {
        let client = peer.address();
        let mut open = self.open.lock();
        let refused = if open.total >= self.limits.connections {
            Some("total")
        } else if !speaks_for_many && self.is_crowded(&open, client) {
            Some("client")
        } else {
            None
        };
        if let Some(reason) = refused {
            drop(open);
            self.refuse(reason);
            return None;
        }
        open.total += 1;
        open.count(client);
        if self.side == Side::Public {
            self.metrics.connections.inc();
        }
        Some(ConnectionSlot { connections: Arc::clone(self), peer })
    }

    /// Whether `client` has as many connections as it may.
    fn is_crowded(&self, open: &Open, client: IpAddr) -> bool {
        let crowded = |network: ClientNetwork| {
            let most = self.limits.connections_per_client.saturating_mul(share(network));
            open.by_client.get(&network).is_some_and(|count| *count >= most)
        };
        ClientNetwork::all_of(client).any(crowded) && !self.trusted.contains(client)
    }

    /// Counts a connection that was refused.
    pub(super) fn refuse(&self, reason: &str) {
        let reason = if self.side == Side::Private { "private" } else { reason };
        self.metrics.connections_refused.with_label_values(&[reason]).inc();
    }

    /// How many are open now.
    pub(super) fn count(&self) -> usize {
        self.open.lock().total
    }
}

/// How many times one client's share a network of this prefix gets: many who share it, or one who owns all of it.
fn share(network: ClientNetwork) -> usize {
    match network.prefix() {
        48 => 4,
        56 => 2,
        _ => 1,
    }
}

/// One connection's place; given back when the connection goes.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    connections: Arc<Connections>,
    peer: Peer,
}

impl ConnectionSlot {
    /// Whose connection it is.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The same place for `client`, whom the balancer that held it speaks for; `None`, and counted, if it has as many as it may.
    pub(super) fn of_client(mut self, client: Peer) -> Option<Self> {
        let connections = Arc::clone(&self.connections);
        let mut open = connections.open.lock();
        if connections.is_crowded(&open, client.address()) {
            drop(open);
            connections.refuse("client");
            return None;
        }
        open.discount(self.peer.address());
        open.count(client.address());
        drop(open);
        self.peer = client;
        Some(self)
    }

    /// Limits of its listener.
    pub(super) fn limits(&self) -> &ListenerLimits {
        &self.connections.limits
    }

    /// A place for a large answer to it.
    pub(super) fn enter(&self) -> Seat {
        LargeAnswers::enter(&self.connections.large_answers, self.peer.address())
    }

    /// Counts and tells that the connection ends, and why.
    pub(super) fn ended(&self, why: TooSlow) {
        let reason = why.word();
        self.connections.metrics.connections_ended.with_label_values(&[reason]).inc();
        info!(reason, client = %self.peer.address(), "A connection was ended: its client reads too little");
    }
}

impl ConnectionSlot {
    /// Counts a stream that did not end by itself.
    pub(super) fn stream_ended(&self, why: Ended) {
        self.connections.metrics.streams_ended.with_label_values(&[why.word()]).inc();
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.total = open.total.saturating_sub(1);
        open.discount(self.peer.address());
        if self.connections.side == Side::Public {
            self.connections.metrics.connections.dec();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A connection of somebody's.
    pub(in crate::gateway) fn slot() -> ConnectionSlot {
        connections(10, 10).admit(Peer::new("192.0.2.1".parse().unwrap())).unwrap()
    }

    fn connections(total: usize, per_client: usize) -> Arc<Connections> {
        let limits = ListenerLimits {
            head: HeadLimits::default(),
            head_deadline: Duration::from_secs(10),
            keepalive: Duration::from_secs(75),
            connections: total,
            connections_per_client: per_client,
            streams: 100,
            large_answers: 10,
            answer_rate: AnswerRate { bytes_per_second: 0, window: Duration::from_secs(30) },
        };
        Connections::new(Side::Public, limits, TrustedProxies::default(), Arc::new(Metrics::new()))
    }

    /// How many of `addresses` get in, all at once.
    fn admitted(connections: &Arc<Connections>, addresses: impl Iterator<Item = String>) -> usize {
        let slots: Vec<_> = addresses.filter_map(|text| connections.admit(Peer::new(text.parse().unwrap()))).collect();
        slots.len()
    }

    #[test]
    fn one_network_of_ipv6_is_one_client_and_a_site_a_few() {
        // L02, FT21
        let connections = connections(10_000, 10);
        let of = |range: std::ops::Range<u32>, address: fn(u32) -> String| admitted(&connections, range.map(address));
        assert_eq!(of(0..100, |_| "192.0.2.1".into()), 10);
        assert_eq!(of(0..100, |_| "::ffff:192.0.2.1".into()), 10);
        assert_eq!(of(0..100, |n| format!("2001:db8::{n:x}")), 10);
        assert_eq!(of(0..200, |n| format!("2001:db8:0:{n:x}::1")), 20);
        assert_eq!(of(0..256, |n| format!("2001:db8:0:{n:x}00::1")), 40);
        // The twins: other addresses, other sites.
        assert_eq!(of(0..200, |n| format!("192.0.2.{n}")), 200);
        assert_eq!(of(0..200, |n| format!("2001:db8:{n:x}::1")), 200);
        // Everything was given back.
        assert_eq!((connections.count(), connections.open.lock().by_client.len()), (0, 0));
    }

    #[test]
    fn who_a_balancer_speaks_for_has_the_limit_and_not_the_balancer() {
        // W40
        let connections = connections(50, 10);
        let peer = |text: &str| Peer::new(text.parse().unwrap());
        let begun: Vec<_> = (0..30).filter_map(|_| connections.admit_balancer(peer("10.0.0.1"))).collect();
        assert_eq!(begun.len(), 30);
        let named: Vec<_> = begun.into_iter().filter_map(|slot| slot.of_client(peer("203.0.113.9"))).collect();
        assert_eq!((named.len(), connections.count()), (10, 10));
        assert_eq!(connections.metrics.connections_refused.with_label_values(&["client"]).get(), 20);
        // The twin: another client.
        let other = connections.admit_balancer(peer("10.0.0.1")).and_then(|slot| slot.of_client(peer("203.0.113.8")));
        assert!(other.is_some());
        drop((named, other));
        assert_eq!((connections.count(), connections.open.lock().by_client.len()), (0, 0));
    }

    #[test]
    fn there_is_a_limit_in_all() {
        let connections = connections(50, 10);
        assert_eq!(admitted(&connections, (0..200).map(|n| format!("192.0.2.{n}"))), 50);
        assert_eq!(connections.metrics.connections_refused.with_label_values(&["total"]).get(), 150);
    }
}
