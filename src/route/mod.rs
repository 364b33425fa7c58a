//! Which route a request belongs to, and what the route says about it.
//!
//! A route is a host and a path prefix. Most specific wins whatever the order in the file; what no route names is
//! refused (unknown host 421, no route 403): nothing is open by default.

pub mod network;
pub mod path;

use std::net::SocketAddr;
use std::time::Duration;

use crate::identity::headers::IdentityHeaderSettings;
use crate::policy::Requirement;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; identity headers are removed from what the client sent all the same.
    Anonymous,
    /// A person with a live session.
    Session,
}

/// Where a route's requests go: one plain HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Host name or address, as configured.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Addresses the host resolved to at start, first one used; never empty.
    pub addresses: Vec<SocketAddr>,
    /// Time to connect. Default 2 s.
    pub connect_timeout: Duration,
    /// Longest silence while reading from the upstream. Default 60 s.
    pub read_timeout: Duration,
    /// Longest silence while writing to the upstream. Default 30 s.
    pub write_timeout: Duration,
}

/// One route as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// Name in logs and metrics; default `host/path`.
    pub name: String,
    /// Lower-case host name, exact.
    pub host: String,
    /// Path prefix, starts with `/`, matched by whole segments; `/` covers the host.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// What an identity must have beyond a session.
    pub require: Requirement,
    /// Where requests go.
    pub upstream: UpstreamSettings,
    /// Which identity headers the upstream gets.
    pub identity_headers: IdentityHeaderSettings,
    /// Largest request body in bytes. Default 64 MiB.
    pub max_body: u64,
    /// Whether the client's own `Authorization` header is passed on. Default no.
    pub pass_authorization: bool,
    /// Whether WebSocket upgrades are passed on. Default no.
    pub websocket: bool,
}
