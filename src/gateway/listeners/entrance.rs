//! The way of a connection from its socket to the framework.

use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use pingora::protocols::{SocketDigest, Stream};

use super::connection::{Connection, Known};
use super::facts::ConnectionFacts;
use super::rewound::Rewound;
use super::socket::Socket;
use crate::gateway::connections::ConnectionSlot;

/// What lies between the sockets of one listener and the framework.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Entrance {}

impl Entrance {
    /// A connection of `address` that has its place, as the framework wants it; `None` if it ends here.
    pub(in crate::gateway) async fn enter(
        &self,
        socket: Socket,
        address: SocketAddr,
        slot: ConnectionSlot,
    ) -> Option<(Stream, ConnectionSlot)> {
        let facts = ConnectionFacts { peer: slot.peer().clone() };
        let descriptor = socket.as_raw_fd();
        let digest = SocketDigest::from_raw_fd(descriptor);
        // Fresh, so that nobody has set it.
        let _fresh = digest.peer_addr.set(Some(address.into()));
        let known = Known { descriptor, socket: Arc::new(digest), tls: None, alpn: None, facts: facts.kept()? };
        Some((Box::new(Connection::new(Rewound::new(Vec::new(), socket), known)), slot))
    }
}
