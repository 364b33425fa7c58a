//! TLS of a listener.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::ALPN;
use pingora::protocols::tls::SslDigest;
use pingora::tls::{ServerTlsStream, TlsAcceptor};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ServerConnection, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::certificates::{CertificateFault, CertificateFiles, Certificates};
use super::rewound::Rewound;
use super::socket::Socket;
use crate::telemetry::Metrics;

/// TLS of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates; at least one, the first is for whoever asks for a name of none.
    pub certificates: Vec<CertificateFiles>,
    /// Whether TLS 1.2 is refused. Default no.
    pub only_tls13: bool,
    /// Whether HTTP/2 is offered. Default yes.
    pub http2: bool,
    /// Time for a handshake. Default 5 s.
    pub handshake_deadline: Duration,
    /// Certificates of clients; `None`: they are not asked for.
    pub client_certificates: Option<ClientCertificates>,
}

/// Certificates that clients show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Those who may have issued them; PEM.
    pub ca_file: PathBuf,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// Those who may have issued certificates of clients.
///
/// # Errors
/// If there is no certificate in `pem`.
pub fn client_roots(pem: &[u8]) -> Result<RootCertStore, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| CertificateFault::NoCertificate)?;
        roots.add(certificate).map_err(|_| CertificateFault::Malformed)?;
    }
    if roots.is_empty() { Err(CertificateFault::NoCertificate) } else { Ok(roots) }
}

/// TLS, ready for connections.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    pub(super) deadline: Duration,
    pub(super) certificates: Arc<Certificates>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. Blocks.
    pub(super) fn load(settings: &TlsSettings, metrics: &Metrics) -> Result<Self, CertificateFault> {
        let certificates = Arc::new(Certificates::load(&settings.certificates, metrics)?);
        let versions: &[&'static SupportedProtocolVersion] =
            if settings.only_tls13 { &[&version::TLS13] } else { &[&version::TLS13, &version::TLS12] };
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        // The provider knows both versions.
        let builder = builder.with_protocol_versions(versions).map_err(|_| CertificateFault::Malformed)?;
        let builder = match &settings.client_certificates {
            None => builder.with_no_client_auth(),
            Some(ClientCertificates { ca_file, required }) => {
                let pem = std::fs::read(ca_file)
                    .map_err(|error| CertificateFault::Unreadable { path: ca_file.clone(), kind: error.kind() })?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(client_roots(&pem)?), provider);
                let verifier = if *required { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().map_err(|_| CertificateFault::Malformed)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = if settings.http2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, deadline: settings.handshake_deadline, certificates })
    }

    /// The handshake; its deadline is the caller's to keep.
    pub(super) async fn accept(&self, stream: Rewound<Socket>) -> std::io::Result<ServerTlsStream<Rewound<Socket>>> {
        self.acceptor.accept(stream).await
    }
}

/// What the framework is told of a connection under TLS: that it is, and with what.
pub(super) fn digest(connection: &ServerConnection) -> Arc<SslDigest> {
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or_default();
    Arc::new(SslDigest::new(suite, version, None, None, Vec::new()))
}

/// The protocol that both sides agreed on.
pub(super) fn alpn(connection: &ServerConnection) -> ALPN {
    if connection.alpn_protocol() == Some(b"h2") { ALPN::H2 } else { ALPN::H1 }
}
