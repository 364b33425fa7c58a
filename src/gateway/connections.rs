//! How many connections there may be, in all and from one network.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::adapt::TrustedProxies;
use super::context::Peer;
use super::head::HeadLimits;
use crate::ground::network::ClientNetwork;
use crate::telemetry::Metrics;

/// Limits of the public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Limits of one request's head.
    pub head: HeadLimits,
    /// Time for a whole head, from its first byte. Default 10 s.
    pub head_deadline: Duration,
    /// How long an idle client connection is kept. Default 75 s.
    pub keepalive: Duration,
    /// Open connections in total. Default 20,000.
    pub connections: usize,
    /// Open connections per client address; trusted proxies, which speak for many clients, are not counted. Default
    /// 1,000.
    pub connections_per_client: usize,
}

/// How many connections there are, and whose.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) limits: ListenerLimits,
    trusted: TrustedProxies,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_client: HashMap<ClientNetwork, usize>,
}

impl Connections {
    pub(super) fn new(limits: ListenerLimits, trusted: TrustedProxies, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limits, trusted, metrics, open: Mutex::default() })
    }

    /// A place for one more connection of `peer`, or none.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<ConnectionSlot> {
        let client = peer.address();
        let owner = ClientNetwork::of(client);
        let mut open = self.open.lock();
        let refused = if open.total >= self.limits.connections {
            Some("total")
        } else if open.by_client.get(&owner).copied().unwrap_or(0) >= self.limits.connections_per_client
            && !self.trusted.contains(client)
        {
            Some("client")
        } else {
            None
        };
        if let Some(reason) = refused {
            drop(open);
            self.metrics.connections_refused.with_label_values(&[reason]).inc();
            return None;
        }
        open.total += 1;
        *open.by_client.entry(owner).or_insert(0) += 1;
        self.metrics.connections.inc();
        Some(ConnectionSlot { connections: Arc::clone(self), peer })
    }

    /// How many are open now.
    pub(super) fn count(&self) -> usize {
        self.open.lock().total
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
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let owner = ClientNetwork::of(self.peer.address());
        let mut open = self.connections.open.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(count) = open.by_client.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                open.by_client.remove(&owner);
            }
        }
        self.connections.metrics.connections.dec();
    }
}
