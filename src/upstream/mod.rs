//! Where requests go: what is known of a route's upstream before any request is sent to it. Knows no HTTP and no session.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::time::Duration;

use crate::route::RouteSettings;

/// The upstream of one route, ready to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where to connect.
    pub address: SocketAddr,
    /// Connections are shared only between requests whose upstreams have the same number: the very same server, used in
    /// the same way.
    pub group: u64,
    /// Whether upgrades to WebSocket are passed on.
    pub websocket: bool,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while reading.
    pub read_timeout: Duration,
    /// Longest silence while writing.
    pub write_timeout: Duration,
}

impl Upstream {
    /// The upstream of a route. `None` if its host has no address.
    pub fn of(route: &RouteSettings) -> Option<Self> {
        let settings = &route.upstream;
        let mut group = DefaultHasher::new();
        (&settings.host, settings.port, route.websocket).hash(&mut group);
        Some(Self {
            address: settings.addresses.first().copied()?,
            group: group.finish(),
            websocket: route.websocket,
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            write_timeout: settings.write_timeout,
        })
    }
}
