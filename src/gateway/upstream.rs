//! Where requests go: one peer a route, built once with every deadline set.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use crate::route::{Route, UpstreamSettings};

/// How long an idle connection to an upstream is kept: below the five seconds after which common servers close theirs,
/// so that a request is not sent into a connection that is just going away.
const IDLE: Duration = Duration::from_secs(4);

/// Longest silence on an upgraded connection.
pub(super) const WEBSOCKET_IDLE: Duration = Duration::from_secs(15 * 60);

/// The peer a route's requests are sent to; cloned for each of them. `None` if the route has no address at all.
pub(super) fn peer_of(route: &Route) -> Option<HttpPeer> {
    let settings: &UpstreamSettings = &route.upstream;
    let address = settings.addresses.first().copied()?;
    let mut peer = HttpPeer::new(address, false, String::new());
    // Connections are shared only between requests that mean the very same upstream.
    let mut key = DefaultHasher::new();
    (&settings.host, settings.port, route.websocket).hash(&mut key);
    peer.group_key = key.finish();
    let options = &mut peer.options;
    options.connection_timeout = Some(settings.connect_timeout);
    options.total_connection_timeout = Some(settings.connect_timeout + Duration::from_secs(1));
    options.read_timeout = Some(settings.read_timeout);
    options.write_timeout = Some(settings.write_timeout);
    options.idle_timeout = Some(IDLE);
    options.http_upstream_request_policy = if route.websocket {
        HttpUpstreamRequestPolicy::standard()
    } else {
        HttpUpstreamRequestPolicy::deny_upgrades()
    };
    Some(peer)
}
