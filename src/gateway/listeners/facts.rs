//! What a request may ask of the connection that it came by, whatever the protocol.

use std::sync::Arc;

use http::StatusCode;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::proxy::Session;

use crate::gateway::context::Peer;

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct ConnectionFacts {
    /// The other end.
    pub(in crate::gateway) peer: Peer,
}

impl ConnectionFacts {
    /// In the one form that the framework keeps beside every request, of HTTP/1 as of HTTP/2. It was meant for what a proxy on
    /// the way to an upstream said; a client's connection has none.
    pub(super) fn kept(self) -> Option<Arc<ProxyDigest>> {
        let empty = ResponseHeader::build(StatusCode::OK, Some(0)).ok()?;
        Some(Arc::new(ProxyDigest::new(Box::new(empty), Some(Box::new(self)))))
    }
}

/// What is known of the connection of a request.
pub(in crate::gateway) fn of(session: &Session) -> Option<&ConnectionFacts> {
    session.digest()?.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref()
}
