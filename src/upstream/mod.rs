//! Where requests go: what is known of a route's upstream before any request is sent to it. Knows no HTTP and no session.

mod endpoints;
mod group;
mod names;
mod server;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

pub use endpoints::Endpoints;
pub use group::{Group, UnderWay};
pub use names::{Listener, NameService, Pace, SystemNames, Unreachable, Upstreams, is_this_machine, reaches};
pub use server::Server;

use crate::route::RouteSettings;
use crate::route::upstream::UpstreamSettings;

/// The upstream of one route, ready to connect to. Reads as its settings.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The servers behind it.
    pub group: Arc<Group>,
    /// As configured.
    pub settings: UpstreamSettings,
    /// Whether upgrades to WebSocket are passed on.
    pub websocket: bool,
    /// What whoever connects keeps with it.
    pub prepared: Prepared,
}

impl Upstream {
    /// The upstream of a route. Routes to the same servers share what `upstreams` knows of them.
    pub fn of(route: &RouteSettings, upstreams: &mut Upstreams) -> Self {
        Self {
            group: upstreams.group(&route.upstream.group),
            settings: route.upstream.clone(),
            websocket: route.websocket.pass(),
            prepared: Prepared::default(),
        }
    }
}

/// A place for what is made of an upstream once, by a room that this one does not know.
#[derive(Clone, Default)]
pub struct Prepared(Arc<OnceLock<Box<dyn Any + Send + Sync>>>);

impl Prepared {
    /// What lies here, made by `make` if nothing does. `None` if somebody put something else here.
    pub fn get<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}
