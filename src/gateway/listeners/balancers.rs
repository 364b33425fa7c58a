//! Balancers of a listener, which say who the client is (PROXY protocol) before anything else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tracing::warn;

use super::proxy_protocol;
use super::rewound::Rewound;
use super::socket::Socket;
use crate::gateway::connections::ConnectionSlot;
use crate::gateway::context::Peer;
use crate::route::network::Network;

/// Why a connection was refused, in `zengate_connections_refused_total`.
const REFUSED: &str = "proxy_protocol";

/// Those whose word is taken. Whoever could say this freely could speak for any address, so that nobody else may connect.
#[derive(Debug, Clone)]
pub(super) struct Balancers {
    key: String,
    from: Vec<Network>,
}

impl Balancers {
    /// Those in `from`, of the listener whose address stands at `key`.
    pub(super) fn new(key: &str, from: Vec<Network>) -> Self {
        Self { key: format!("{}.proxy_protocol.from", key.trim_end_matches(".address")), from }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// The client of a connection of `address`, and the connection behind what says so. The place among all connections is the
    /// client's from then on. Where a balancer speaks for itself, it is the client.
    pub(super) async fn introduce(
        &self,
        mut socket: Socket,
        address: SocketAddr,
        slot: ConnectionSlot,
        deadline: Duration,
    ) -> Result<(Rewound<Socket>, SocketAddr, ConnectionSlot), Option<&'static str>> {
        if !self.contains(address.ip()) {
            return Err(Some(self.refuse(address, "not one of the balancers")));
        }
        let read = tokio::time::timeout(deadline, proxy_protocol::read(&mut socket)).await;
        let read = read.map_err(|_| Some(self.refuse(address, "not in time (`limits.header_deadline`)")))?;
        let (client, behind) = read.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Some(self.refuse(address, "does not begin with the PROXY protocol")),
            _ => None,
        })?;
        let stream = Rewound::new(behind, socket);
        let Some(client) = client else { return Ok((stream, address, slot)) };
        // If there is no place for it, that was counted.
        let slot = slot.of_client(Peer::new(client.ip())).ok_or(None)?;
        Ok((stream, client, slot))
    }

    fn refuse(&self, address: SocketAddr, reason: &'static str) -> &'static str {
        warn!(key = self.key, reason, peer = %address.ip(), "A connection was refused");
        REFUSED
    }
}
