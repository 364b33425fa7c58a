//! `routes.upstream`: the servers behind a route.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Time};
use crate::config::form::Written;
use crate::config::form::address::{TlsName, UpstreamHost, UpstreamUrl};
use crate::config::form::text::{FilePath, RoutePath};

/// One server, or all about several.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum UpstreamEntry {
    Url(Written<UpstreamUrl>),
    Full(Box<UpstreamFile>),
}

/// The servers behind a route.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamFile {
    /// One or more servers that answer the same requests: `http://host:port`, `https://host:port`, `unix:/path/of/socket`, or a
    /// mapping with more about it. All of them with TLS, or none. At most 64.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) servers: Option<List<ServerEntry>>,
    /// Who gets the next request: `round-robin` (each in turn), `least-requests` (whoever has the fewest under way), or `session`
    /// (the same server for the same session; without one, for the same client address).
    #[schemars(extend("default" = "round-robin"))]
    pub(crate) balance: Option<BalanceWord>,
    /// Speak HTTP/2: with TLS where the server agrees (ALPN), without it from the first byte (h2c). gRPC needs it. WebSockets go
    /// by HTTP/1.1 all the same, which a server of h2c alone does not take.
    #[schemars(extend("default" = false))]
    pub(crate) http2: Option<bool>,
    /// Which `Host` the app is told: `keep` (the one that the client asked for), `upstream` (host and port of the server), or a
    /// host of yours. `X-Forwarded-Host` says what the client asked for in any case.
    #[schemars(extend("default" = "keep"))]
    pub(crate) host: Option<Written<UpstreamHost>>,
    /// How TLS is spoken to `https` and to sockets.
    pub(crate) tls: Option<UpstreamTlsFile>,
    /// How long an idle connection to a server is kept; shorter than the server keeps it. What a server says itself
    /// (`Keep-Alive: timeout=`) is heeded too.
    #[schemars(extend("default" = "4s", "x-min" = "10ms", "x-max" = "1h"))]
    pub(crate) keepalive: Time,
    /// A request that must not be sent twice (POST, PATCH, a long body) takes an idle connection only if it was used so shortly
    /// before: the server may just be closing it, and then nobody knows whether it read the request.
    #[schemars(extend("default" = "500ms", "x-min" = "10ms", "x-max" = "1h"))]
    pub(crate) reuse_within: Time,
    /// Ask the servers whether they are well. Without it they are judged by the requests they get alone.
    pub(crate) health: Option<HealthFile>,
    /// When one of several servers that fails is left out for a while.
    pub(crate) ejection: Option<EjectionFile>,
    /// How long a server that came back gets fewer requests than its weight says, more from moment to moment. `0s`: not at all.
    #[schemars(extend("default" = "0s", "x-max" = "1h"))]
    pub(crate) slow_start: Time,
}

/// One server: its address, or all about it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum ServerEntry {
    Url(Written<UpstreamUrl>),
    Full(ServerFile),
}

/// One server.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerFile {
    /// Where it listens: `http://host:port`, `https://host:port` or `unix:/path/of/socket`.
    #[schemars(required)]
    pub(crate) url: Option<Written<UpstreamUrl>>,
    /// Its share of the requests beside the others'.
    #[schemars(extend("default" = 1), range(min = 1, max = 1000))]
    pub(crate) weight: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum BalanceWord {
    RoundRobin,
    LeastRequests,
    Session,
}

/// How TLS is spoken to the servers.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamTlsFile {
    /// Bundle of certificate authorities (PEM) that may have signed the servers' certificates, in place of the machine's.
    pub(crate) ca_file: Option<Written<FilePath>>,
    /// The name that certificates must have, and that is sent as SNI. Without it: each server's own host. Sockets need one.
    pub(crate) server_name: Option<Written<TlsName>>,
    /// Certificate (PEM, with its chain) that says who we are to the servers.
    pub(crate) certificate: Option<Written<FilePath>>,
    /// Its private key (PEM).
    pub(crate) key: Option<Written<FilePath>>,
    /// Whether certificates are checked. Without it, whoever sits between gateway and app reads and writes all of it.
    #[schemars(extend("default" = true))]
    pub(crate) verify: Option<bool>,
}

/// How servers are asked whether they are well.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthFile {
    /// Path that is asked for with GET.
    #[schemars(required)]
    pub(crate) path: Option<Written<RoutePath>>,
    /// How often each server is asked.
    #[schemars(extend("default" = "5s", "x-min" = "100ms", "x-max" = "1h"))]
    pub(crate) every: Time,
    /// How long an answer may take.
    #[schemars(extend("default" = "2s", "x-min" = "10ms", "x-max" = "1m"))]
    pub(crate) timeout: Time,
    /// The status of a server that is well. Without it: 200 to 399.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status: Option<u16>,
    /// So many good answers in a row bring a server back.
    #[schemars(extend("default" = 2), range(min = 1, max = 100))]
    pub(crate) healthy: Option<u32>,
    /// So many bad answers in a row leave a server out.
    #[schemars(extend("default" = 3), range(min = 1, max = 100))]
    pub(crate) unhealthy: Option<u32>,
}

/// When one of several servers that fails is left out for a while.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EjectionFile {
    /// So many connections in a row that failed, or ended without an answer. `0`: never.
    #[schemars(extend("default" = 3), range(min = 0, max = 1000))]
    pub(crate) failures: Option<u32>,
    /// How long it is left out; twice as long each further time in a row, up to eight times.
    #[schemars(extend("default" = "10s", "x-min" = "100ms", "x-max" = "1h"))]
    pub(crate) time: Time,
}
