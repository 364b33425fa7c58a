//! Certificates, and clients that speak TLS and HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate and its key, each in PEM; it vouches for itself.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Pair {
    /// One for `names`.
    pub fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// Writes it to `NAME.pem` and `NAME.key` in `dir`.
    pub fn write(&self, dir: &str, name: &str) {
        let dir = Path::new(dir);
        std::fs::write(dir.join(format!("{name}.pem")), &self.certificate).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), &self.key).unwrap();
    }

    /// The certificate itself.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}

/// What a client of TLS is like.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Those it believes.
    pub trusts: Vec<Pair>,
    /// What it shows of itself.
    pub shows: Option<Pair>,
    /// The protocols that it offers.
    pub alpn: Vec<&'static str>,
    /// Whether it knows TLS 1.2 alone.
    pub old: bool,
}

impl Client {
    /// One that believes in `pairs`.
    pub fn trusting(pairs: &[&Pair]) -> Self {
        super::init();
        Self { trusts: pairs.iter().map(|pair| (*pair).clone()).collect(), ..Self::default() }
    }

    /// The same, offering `alpn`.
    pub fn offering(self, alpn: &[&'static str]) -> Self {
        Self { alpn: alpn.to_vec(), ..self }
    }

    /// A connection to `address`, asking for `name`.
    pub async fn connect(&self, address: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        self.trusts.iter().for_each(|pair| roots.add(pair.der()).unwrap());
        let versions: &[&'static SupportedProtocolVersion] =
            if self.old { &[&rustls::version::TLS12] } else { rustls::ALL_VERSIONS };
        let builder = ClientConfig::builder_with_protocol_versions(versions).with_root_certificates(roots);
        let mut config = match &self.shows {
            Some(pair) => builder.with_client_auth_cert(vec![pair.der()], pair.key_der()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }

    /// A connection that speaks HTTP/2 to `address`, asking for `name`.
    pub async fn http2(&self, address: SocketAddr, name: &str) -> SendRequest<Bytes> {
        let stream = self.clone().offering(&["h2"]).connect(address, name).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        speak_http2(stream).await
    }
}

/// HTTP/2 over any stream.
pub async fn speak_http2(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    // It ends with its client.
    tokio::spawn(async move {
        let _ended = connection.await;
    });
    client
}

/// One answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// Sends `request` with `body` in these pieces, and an empty last one where there are any.
pub async fn ask(
    client: &SendRequest<Bytes>,
    request: Request<()>,
    body: &[&'static [u8]],
) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (answer, mut sender) = client.send_request(request, body.is_empty())?;
    for piece in body {
        sender.send_data(Bytes::from_static(piece), false)?;
    }
    if !body.is_empty() {
        sender.send_data(Bytes::new(), true)?;
    }
    let (parts, mut stream) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status: parts.status, body })
}
