//! What a request may ask of the connection that it came by, whatever the protocol.

use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use pingora::http::ResponseHeader;
use pingora::protocols::Digest;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::proxy::Session;

use crate::gateway::context::Peer;
use crate::gateway::stream_watch::StreamWatch;

/// What is known of a connection, or of one stream of a connection of HTTP/2.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct ConnectionFacts {
    /// The other end.
    pub(in crate::gateway) peer: Peer,
    /// Whether it is under TLS.
    pub(in crate::gateway) tls: bool,
    /// Whether its listener sends whoever comes by plain HTTP on to https.
    pub(in crate::gateway) redirects: bool,
    /// What ends the stream from outside; `None` of a connection.
    pub(in crate::gateway) watch: Option<Arc<Mutex<StreamWatch>>>,
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
    of_digest(session.digest()?)
}

fn of_digest(digest: &Digest) -> Option<&ConnectionFacts> {
    digest.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref()
}

/// What is known of a stream of the connection with `digest`, in the same form: the same, and its `watch`.
pub(in crate::gateway) fn of_stream(digest: &Digest, watch: &Arc<Mutex<StreamWatch>>) -> Option<Arc<ProxyDigest>> {
    let of_connection = of_digest(digest)?;
    ConnectionFacts { watch: Some(Arc::clone(watch)), ..of_connection.clone() }.kept()
}
