//! The framework's form of an upstream, with every deadline set.

use std::net::SocketAddr;
use std::time::Duration;

use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use crate::upstream::Upstream;

/// How long an idle connection to an upstream is kept: below the five seconds after which common servers close theirs,
/// so that a request is not sent into a connection that is just going away.
const IDLE: Duration = Duration::from_secs(4);

/// Longest silence on an upgraded connection.
pub(super) const WEBSOCKET_IDLE: Duration = Duration::from_secs(15 * 60);

/// The peer of one request at `address`; `upgraded` if it asks for a WebSocket and may have one.
pub(super) fn peer_of(upstream: &Upstream, address: SocketAddr, upgraded: bool) -> Box<HttpPeer> {
    let mut peer = Box::new(HttpPeer::new(address, false, String::new()));
    peer.group_key = upstream.group;
    let options = &mut peer.options;
    options.connection_timeout = Some(upstream.connect_timeout);
    options.total_connection_timeout = Some(upstream.connect_timeout.saturating_add(Duration::from_secs(1)));
    options.read_timeout = Some(if upgraded { WEBSOCKET_IDLE } else { upstream.read_timeout });
    options.write_timeout = Some(upstream.write_timeout);
    options.idle_timeout = Some(IDLE);
    options.http_upstream_request_policy = if upstream.websocket {
        HttpUpstreamRequestPolicy::standard()
    } else {
        HttpUpstreamRequestPolicy::deny_upgrades()
    };
    peer
}
