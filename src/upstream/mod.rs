//! Where requests go: what is known of a route's upstream before any request is sent to it. Knows no HTTP and no session.

mod endpoints;
mod names;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use crate::route::RouteSettings;

pub use endpoints::Endpoints;
pub use names::{Listener, NameService, Pace, SystemNames, Unreachable, Upstreams, is_this_machine, reaches};

/// The upstream of one route, ready to connect to.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where to connect.
    pub endpoints: Arc<Endpoints>,
    /// Connections are shared only between requests whose upstreams have the same number: the very same server, used in
    /// the same way.
    pub group: u64,
    /// Whether upgrades to WebSocket are passed on.
    pub websocket: bool,
    /// Time to connect to one address.
    pub connect_timeout: Duration,
    /// Longest silence while reading.
    pub read_timeout: Duration,
    /// Longest silence while writing.
    pub write_timeout: Duration,
}

impl Upstream {
    /// The upstream of a route. Routes to the same host and port share what `upstreams` knows of its addresses.
    pub fn of(route: &RouteSettings, upstreams: &mut Upstreams) -> Self {
        let settings = &route.upstream;
        let mut group = DefaultHasher::new();
        (&settings.host, settings.port, route.websocket).hash(&mut group);
        Self {
            endpoints: upstreams.endpoints(&settings.host, settings.port),
            group: group.finish(),
            websocket: route.websocket,
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            write_timeout: settings.write_timeout,
        }
    }
}
