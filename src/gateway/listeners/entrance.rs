//! The way of a connection from its socket to the framework.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::{ALPN, SocketDigest, Stream};
use tokio::time::{Instant, timeout_at};

use super::balancers::Balancers;
use super::connection::{Connection, Known};
use super::facts::ConnectionFacts;
use super::rewound::Rewound;
use super::socket::Socket;
use super::tls::Tls;
use super::{preface, tls};
use crate::gateway::connections::ConnectionSlot;

/// What lies between the sockets of one listener and the framework.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct Entrance {
    pub(super) tls: Option<Tls>,
    /// Whether HTTP/2 is spoken without TLS, to whoever begins with it.
    pub(super) h2c: bool,
    /// Whether whoever comes by plain HTTP is sent on to https.
    pub(super) redirects: bool,
    /// Who speaks for clients, if somebody does; then nobody else may connect.
    pub(super) balancers: Option<Balancers>,
}

/// A connection that came in.
pub(in crate::gateway) struct Entered {
    pub(in crate::gateway) stream: Stream,
    pub(in crate::gateway) slot: ConnectionSlot,
    /// Whether HTTP/2 is spoken on it.
    pub(in crate::gateway) http2: bool,
}

impl Entrance {
    /// Whether `address` speaks for many clients.
    pub(in crate::gateway) fn is_balancer(&self, address: IpAddr) -> bool {
        self.balancers.as_ref().is_some_and(|balancers| balancers.contains(address))
    }

    /// A connection of `address` that has its place, as the framework wants it. `Err` if it ends here, with the word for why;
    /// no word if its client went away.
    pub(in crate::gateway) async fn enter(
        &self,
        socket: Socket,
        address: SocketAddr,
        slot: ConnectionSlot,
    ) -> Result<Entered, Option<&'static str>> {
        let head = slot.limits().head_deadline;
        let descriptor = socket.as_raw_fd();
        let (plain, address, slot) = match &self.balancers {
            None => (Rewound::new(Vec::new(), socket), address, slot),
            Some(balancers) => balancers.introduce(socket, address, slot, head).await?,
        };
        let facts = ConnectionFacts {
            peer: slot.peer().clone(),
            tls: self.tls.is_some(),
            redirects: self.redirects,
            watch: None,
        };
        let digest = SocketDigest::from_raw_fd(descriptor);
        // Fresh, so that nobody has set it.
        let _fresh = digest.peer_addr.set(Some(address.into()));
        let facts = facts.kept().ok_or(None)?;
        let mut known = Known { descriptor, socket: Arc::new(digest), tls: None, alpn: None, facts };
        let idle = slot.limits().keepalive;

        let Some(tls) = &self.tls else {
            if !self.h2c {
                return Ok(Entered { stream: Box::new(Connection::new(plain, known)), slot, http2: false });
            }
            let (is_http2, stream) = told_apart(plain, idle, head).await?;
            known.alpn = is_http2.then_some(ALPN::H2);
            return Ok(Entered { stream: Box::new(Connection::new(stream, known)), slot, http2: is_http2 });
        };
        let handshake = tokio::time::timeout(tls.deadline, tls.accept(plain)).await;
        let stream = handshake.map_err(|_| Some("handshake_deadline"))?.map_err(|_| Some("handshake"))?;
        let connection = stream.get_ref().1;
        (known.tls, known.alpn) = (Some(tls::digest(connection)), Some(tls::alpn(connection)));
        let stream = Rewound::new(Vec::new(), stream);
        if !matches!(known.alpn, Some(ALPN::H2)) {
            return Ok(Entered { stream: Box::new(Connection::new(stream, known)), slot, http2: false });
        }
        let (is_http2, stream) = told_apart(stream, idle, head).await?;
        // Both sides agreed on HTTP/2; whatever else it speaks now is nothing of what we know.
        if !is_http2 {
            return Err(Some("preface"));
        }
        Ok(Entered { stream: Box::new(Connection::new(stream, known)), slot, http2: true })
    }
}

/// Whether `stream` begins with HTTP/2, and the stream from its beginning. A client may say nothing for as long as an idle
/// connection is kept; once it has begun, for as long as a head may take.
async fn told_apart<S: tokio::io::AsyncRead + Unpin>(
    mut stream: Rewound<S>,
    idle: Duration,
    head: Duration,
) -> Result<(bool, Rewound<Rewound<S>>), Option<&'static str>> {
    // Nobody begins to speak to say nothing: one deadline for both.
    let deadline = Instant::now() + idle.min(head);
    let read = timeout_at(deadline, preface::read(&mut stream)).await;
    let (is_http2, read) = read.map_err(|_| Some("preface"))?.map_err(|_| None)?;
    if read.is_empty() {
        return Err(None);
    }
    Ok((is_http2, Rewound::new(read, stream)))
}
