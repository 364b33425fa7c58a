//! The gateway: sockets, HTTP and the framework, met here and nowhere else. It knows routes, permits and replies; of
//! tokens, claims and stores it knows nothing.

#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of sockets begin here, and the moment of a request, which is handed down"
)]

mod access_log;
mod adapt;
mod admin;
mod answer_deadline;
mod answer_framing;
mod answer_rate;
mod attempt;
mod body_rate;
pub mod capacity;
mod chunks;
mod connections;
mod context;
mod dropped;
mod edits;
mod ended;
mod framework_error;
mod grpc;
mod guarded_stream;
pub mod head;
mod head_watch;
mod headers;
mod health;
mod hop_by_hop;
mod http2;
mod large_answers;
mod listener;
mod listeners;
mod named_limits;
mod own_answers;
mod peer;
mod proxy;
mod readiness;
mod ready_headers;
mod reply;
mod request_watch;
mod rewriting;
mod scheme;
mod server;
mod silence;
mod spelling;
mod stopping;
mod stream_watch;
mod upgrade;
mod upgrade_connection;
mod websocket;

use std::time::Duration;

use http::HeaderValue;

use crate::telemetry::log::LogFormat;

pub use adapt::TrustedProxies;
pub use admin::{AdminSettings, AdminToken, Scope};
pub use answer_rate::AnswerRate;
pub use body_rate::BodyRate;
pub use connections::ListenerLimits;
pub use health::watch as watch_upstream;
pub use listeners::{
    BindFault, Certificate, CertificateFault, CertificateFiles, ClientCertificates, Descriptor, EntranceFault,
    Entrances, ListenAddress, ListenerSettings, Sockets, TlsSettings, client_roots,
};
pub use scheme::StrictTransport;
pub use server::{GatewayParts, RunningGateway, start};

/// Settings of the gateway.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Where the public listeners say whether they serve; `None`: nowhere.
    pub health_path: Option<String>,
    /// Limits of the public listener; lowered to what memory and descriptors allow.
    pub limits: ListenerLimits,
    /// What browsers are told that came by https; `None`: nothing.
    pub strict_transport: Option<HeaderValue>,
    /// The private listener.
    pub admin: AdminSettings,
    /// Largest table of links that is imported, in bytes.
    pub import_bytes: usize,
    /// Memory that the process may use, in bytes; `None`: what its container says.
    pub memory: Option<u64>,
    /// Largest `Cookie`, in bytes. Default 16 KiB.
    pub max_cookie_bytes: usize,
    /// Longest silence of a client that owes us a body. Default 60 s.
    pub client_read_timeout: Duration,
    /// How fast a client must send a body.
    pub body_rate: BodyRate,
    /// Longest time a client may not read. Default 60 s.
    pub client_write_timeout: Duration,
    /// Proxies in front of us that are believed.
    pub trusted_proxies: TrustedProxies,
    /// How each request's log line is written; `None` for no lines.
    pub access_log: Option<LogFormat>,
}
