//! Where a route's requests go, as configured: servers, how they are chosen among, and how they are spoken to.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::SecretString;

/// Where a route's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// What is behind it; equal for two routes if they mean the very same servers, used in the same way.
    pub group: Arc<GroupSettings>,
    /// Which `Host` the app is told.
    pub host: HostRule,
    /// Time to connect to one address. Default 2 s.
    pub connect_timeout: Duration,
    /// From the end of the request's head to the end of the answer's. Default: as `read_timeout`.
    pub first_byte_timeout: Duration,
    /// Longest silence of an answer that has begun. Default 60 s.
    pub read_timeout: Duration,
    /// Longest silence, in both directions, of a WebSocket, an event stream or a call of gRPC. Default 15 min.
    pub stream_idle: Duration,
    /// Longest silence while writing to the upstream. Default 30 s.
    pub write_timeout: Duration,
    /// Longest time from a request's first byte to the last byte of its answer. `None`, the default, for no limit.
    pub total_timeout: Option<Duration>,
}

impl UpstreamSettings {
    /// Of a route without an app: no server, so that no request gets anywhere.
    pub fn nowhere() -> Self {
        let group = GroupSettings {
            servers: Vec::new(),
            balance: Balance::RoundRobin,
            tls: None,
            http2: false,
            keepalive: Duration::ZERO,
            reuse_within: Duration::ZERO,
            health: None,
            ejection: EjectionSettings { failures: 0, time: Duration::ZERO },
            slow_start: Duration::ZERO,
        };
        Self {
            group: Arc::new(group),
            host: HostRule::Keep,
            connect_timeout: Duration::ZERO,
            first_byte_timeout: Duration::ZERO,
            read_timeout: Duration::ZERO,
            stream_idle: Duration::ZERO,
            write_timeout: Duration::ZERO,
            total_timeout: None,
        }
    }
}

/// Servers that answer the same requests. What is learnt of them while the gateway runs is shared by all routes that name the
/// same group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// At least one, at most [`MOST_SERVERS`]; all of them with TLS or none. None for a route without an app.
    pub servers: Vec<ServerSettings>,
    /// Who gets the next request.
    pub balance: Balance,
    /// How TLS is spoken; `None` for plain connections.
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 is spoken: with TLS where the server agrees (ALPN), else from the first byte (RFC 9113, 3.3).
    pub http2: bool,
    /// How long an idle connection is kept. Default 4 s, below the five after which common servers close theirs.
    pub keepalive: Duration,
    /// A request that must not be sent twice takes an idle connection only if it was used so shortly before. Default 500 ms.
    pub reuse_within: Duration,
    /// How the servers are asked whether they are well; `None` if they are not.
    pub health: Option<HealthSettings>,
    /// When a server that fails is left out.
    pub ejection: EjectionSettings,
    /// How long a server that came back gets fewer requests, more from moment to moment. Zero for not at all.
    pub slow_start: Duration,
}

impl GroupSettings {
    /// One server with nothing said about it. A test holds it equal to what the configuration says by default.
    pub fn of(server: ServerSettings, tls: Option<TlsSettings>) -> Self {
        Self {
            servers: vec![server],
            balance: Balance::RoundRobin,
            tls,
            http2: false,
            keepalive: Duration::from_secs(4),
            reuse_within: Duration::from_millis(500),
            health: None,
            ejection: EjectionSettings { failures: 3, time: Duration::from_secs(10) },
            slow_start: Duration::ZERO,
        }
    }
}

impl fmt::Display for GroupSettings {
    /// Its servers, as the configuration has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https://" } else { "http://" };
        for (place, server) in self.servers.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let scheme = if matches!(server.at, ServerAddress::Tcp { .. }) { scheme } else { "" };
            write!(f, "{comma}{scheme}{}", server.at)?;
        }
        Ok(())
    }
}

/// Servers of one group at most: a request marks those it tried in one word.
pub const MOST_SERVERS: usize = 64;

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it listens.
    pub at: ServerAddress,
    /// Its share of the requests beside the others'. From 1 to 1000.
    pub weight: u32,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// Host name or address, as configured, and TCP port.
    Tcp {
        /// Host.
        host: String,
        /// Port.
        port: u16,
    },
    /// The path of a socket of this machine.
    Unix(PathBuf),
}

impl ServerAddress {
    /// As it stands in a `Host` field: without the port that its scheme has anyway (RFC 9110, 4.2.3).
    pub fn authority(&self, tls: bool) -> String {
        let text = self.to_string();
        match text.strip_suffix(if tls { ":443" } else { ":80" }) {
            Some(host) if matches!(self, Self::Tcp { .. }) => host.to_owned(),
            _ => text,
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Who gets the next request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each server in turn, by weight.
    #[default]
    RoundRobin,
    /// The server with the fewest requests under way, by weight.
    LeastRequests,
    /// The same server for the same session; without one, for the same client address.
    Session,
}

impl Balance {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastRequests => "least-requests",
            Self::Session => "session",
        }
    }
}

/// How TLS is spoken to a group of servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The name that certificates must have, and that is sent as SNI; `None`: each server's own host.
    pub server_name: Option<String>,
    /// Authorities that may have signed them, in DER, in place of the machine's; `None` for the machine's.
    pub authorities: Option<Vec<Vec<u8>>>,
    /// Who we are to them.
    pub client: Option<ClientCertificate>,
    /// Whether certificates are checked at all. Default yes.
    pub verify: bool,
}

/// A certificate of ours, shown to servers.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain in DER, ours first. At least one.
    pub chain: Vec<Vec<u8>>,
    /// Its private key, in PEM.
    pub key: SecretString,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// How servers are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// Path that is asked for with GET.
    pub path: String,
    /// How often. Default 5 s.
    pub every: Duration,
    /// How long one answer may take. Default 2 s.
    pub timeout: Duration,
    /// The status of a server that is well; `None`: 200 to 399.
    pub status: Option<u16>,
    /// So many good answers in a row bring a server back. Default 2.
    pub healthy: u32,
    /// So many bad ones in a row leave it out. Default 3.
    pub unhealthy: u32,
}

/// When a server that fails requests is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EjectionSettings {
    /// So many connections in a row that failed or ended without an answer. 0 for never. Default 3.
    pub failures: u32,
    /// For how long; twice as long each further time in a row, up to eight times. Default 10 s.
    pub time: Duration,
}

/// Which `Host` the app is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostRule {
    /// The one that the client asked for.
    #[default]
    Keep,
    /// Host and port of the server as configured.
    Server,
    /// This one.
    Fixed(String),
}
