//! `listeners`: where people and programs reach the gateway.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Time};
use crate::config::form::Written;
use crate::config::form::address::{Listen, TrustedNetwork};
use crate::config::form::text::FilePath;

/// A public listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerFile {
    /// Where it listens: `:443` or `[::]:443` (every address of both families), `0.0.0.0:443` (IPv4 alone), `192.0.2.1:443`,
    /// `unix:/run/zengate/http.sock` (made with mode 0660), or a socket that systemd hands over: `fd:3` by number, `fd:web` by
    /// its `FileDescriptorName=`.
    #[schemars(required)]
    pub(crate) address: Option<Written<Listen>>,
    /// TLS on it; without it plain HTTP.
    pub(crate) tls: Option<ListenerTlsFile>,
    /// Without TLS: speak HTTP/2 to whoever begins with it (prior knowledge, RFC 9113, 3.3), HTTP/1.1 to all others. For proxies
    /// and programs; browsers do not.
    #[schemars(extend("default" = false))]
    pub(crate) h2c: Option<bool>,
    /// Send everybody who comes by plain HTTP on (308) to the same address at the scheme and port of `public_url`. Requests of which a
    /// trusted proxy says that they came by https (`X-Forwarded-Proto`) are served.
    #[schemars(extend("default" = false))]
    pub(crate) redirect_to_https: Option<bool>,
    /// Take who the client is from balancers that begin every connection with the PROXY protocol, version 1 or 2, within
    /// `limits.header_deadline`.
    pub(crate) proxy_protocol: Option<ProxyProtocolFile>,
}

/// The PROXY protocol of a listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyProtocolFile {
    /// Addresses or ranges of the balancers. They must begin with it; whoever else connects is turned away.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) from: Option<List<Written<TrustedNetwork>>>,
}

/// TLS of a listener.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerTlsFile {
    /// Certificates, chosen by the name that a client asks for (SNI): one that holds the name, else one with a wildcard for it,
    /// else the first. They are read anew when their files change; a pair that cannot be used leaves the one before.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) certificates: Option<List<CertificateFile>>,
    /// The oldest version that is spoken.
    #[schemars(extend("default" = "1.2"))]
    pub(crate) min_version: Option<TlsVersionWord>,
    /// Offer HTTP/2 (ALPN `h2`) beside HTTP/1.1.
    #[schemars(extend("default" = true))]
    pub(crate) http2: Option<bool>,
    /// Time in which a handshake must be done.
    #[schemars(extend("default" = "5s", "x-min" = "1s", "x-max" = "1m"))]
    pub(crate) handshake_deadline: Time,
    /// Ask clients for certificates of their own; without it none are asked for.
    pub(crate) client_certificates: Option<ClientCertificatesFile>,
}

/// A certificate and its key.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateFile {
    /// File with the certificate and behind it those that lead to its root, in PEM.
    #[schemars(required)]
    pub(crate) certificate: Option<Written<FilePath>>,
    /// File with its key, in PEM without a password.
    #[schemars(required)]
    pub(crate) key: Option<Written<FilePath>>,
}

/// Certificates that clients show.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificatesFile {
    /// File with the certificates of those who may have issued them, in PEM. Read at the start.
    #[schemars(required)]
    pub(crate) ca_file: Option<Written<FilePath>>,
    /// Turn away clients that show none, at the handshake.
    #[schemars(extend("default" = true))]
    pub(crate) required: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(crate) enum TlsVersionWord {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}
