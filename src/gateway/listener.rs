//! Sockets: bound before anything else starts, counted per client and in total, each watched while it waits for a head.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::server::{Fds, ListenFds, ShutdownWatch};

use super::connections::Connections;
use super::context::Peer;
use super::framework_error::FrameworkErrorReplacement;
use super::guarded_stream::GuardedStream;
use super::head_watch::Patience;

/// Binds `address` at once, so that a port in use is a clear fault at start and not a service that never answers.
pub(super) fn bind(address: SocketAddr) -> io::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((bound, listener))
}

/// Hands bound sockets to the framework under the names it will ask for.
pub(super) fn hand_over(listeners: impl IntoIterator<Item = (SocketAddr, TcpListener)>) -> ListenFds {
    let mut fds = Fds::new();
    for (address, listener) in listeners {
        fds.add(address.to_string(), listener.into_raw_fd());
    }
    Arc::new(Mutex::new(fds))
}

/// Puts every connection behind its guard before the proxy sees it.
pub(super) struct GuardedApp<A> {
    pub(super) inner: Arc<A>,
    pub(super) connections: Arc<Connections>,
    pub(super) replacement: Arc<FrameworkErrorReplacement>,
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServerApp for GuardedApp<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let peer =
            stream.get_socket_digest().and_then(|digest| digest.peer_addr().and_then(|peer| peer.as_inet().copied()));
        let peer = peer.map_or_else(Peer::default, |peer| Peer::new(peer.ip()));
        let slot = self.connections.admit(peer)?;
        let limits = &self.connections.limits;
        let replacement = Arc::clone(&self.replacement);
        let patience = Patience { head: limits.head_deadline, idle: limits.keepalive };
        let guarded = GuardedStream::new(stream, limits.head, patience, replacement, slot);
        self.inner.process_new(Box::new(guarded), shutdown).await
    }

    async fn cleanup(&self) {
        self.inner.cleanup().await;
    }
}
