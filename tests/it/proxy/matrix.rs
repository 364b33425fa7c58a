//! Every protocol of a client with every protocol of an upstream: what goes in comes out, byte for byte.
//!
//! `ZENGATE_MATRIX_MIB` is how much each upload carries; `make matrix` says 1024.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::app::{Speaks, WebApp, compare, piece};
use crate::support::certificates::Authority;
use crate::support::rig::Rig;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Http1,
    Http2OverTls,
    H2c,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Sender {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Client) -> Self {
        let stream = TokioIo::new(stream);
        if client == Client::Http1 {
            let (sender, connection) = http1::handshake(stream).await.unwrap();
            tokio::spawn(connection.with_upgrades());
            return Self::Http1(sender);
        }
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        let sent = match self {
            Self::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await
            }
        };
        sent.unwrap()
    }
}

/// A connection of its own: what is tried is not whether one is kept.
async fn dial(client: Client, plain: SocketAddr, secure: SocketAddr, connector: &TlsConnector) -> Sender {
    if client != Client::Http2OverTls {
        return Sender::over(TcpStream::connect(plain).await.unwrap(), client).await;
    }
    let stream = TcpStream::connect(secure).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    Sender::over(stream, client).await
}

fn request(client: Client, port: u16, method: Method, path: &str, body: Body) -> Request<Body> {
    let uri = match client {
        Client::Http1 => path.to_owned(),
        Client::H2c => format!("http://localhost:{port}{path}"),
        Client::Http2OverTls => format!("https://localhost:{port}{path}"),
    };
    let builder = Request::builder().method(method).uri(uri);
    let builder = if client == Client::Http1 { builder.header(header::HOST, "localhost") } else { builder };
    builder.body(body).unwrap()
}

fn empty() -> Body {
    UnsyncBoxBody::new(Empty::new())
}

fn upload(pieces: usize) -> Body {
    let frames = futures_util::stream::iter(0..pieces).map(|number| Ok(Frame::data(piece(number))));
    UnsyncBoxBody::new(StreamBody::new(frames))
}

/// A WebSocket of the app called `name`; `None` if it has none.
async fn websocket(plain: SocketAddr, name: &str) -> Option<TokioIo<Upgraded>> {
    let mut sender = Sender::over(TcpStream::connect(plain).await.unwrap(), Client::Http1).await;
    let mut upgrade = request(Client::Http1, plain.port(), Method::GET, &format!("/{name}/ws"), empty());
    for (field, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        upgrade.headers_mut().insert(field, value.parse().unwrap());
    }
    let answer = sender.send(upgrade).await;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return None;
    }
    Some(TokioIo::new(hyper::upgrade::on(answer).await.unwrap()))
}

/// Sends 2 MiB and reads them back, byte for byte.
async fn echoes(mut socket: TokioIo<Upgraded>) -> std::io::Result<()> {
    for number in 0..32 {
        let sent = piece(number);
        let (mut read, mut write) = tokio::io::split(&mut socket);
        let mut back = vec![0; sent.len()];
        let (written, read) = tokio::join!(write.write_all(&sent), read.read_exact(&mut back));
        written?;
        read?;
        assert!(back == sent, "something else came back");
    }
    Ok(())
}

/// Most memory that this process had, in MiB: client, gateway and app together.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
}

// Issue: must show 2; W41, W60.
#[tokio::test(flavor = "multi_thread")]
async fn every_client_reaches_every_upstream() {
    let mib = std::env::var("ZENGATE_MATRIX_MIB").map_or(1, |mib| mib.parse::<usize>().unwrap());
    let pieces = mib * 16;
    let mut rig = Rig::start().await;
    let ours = Authority::new("ours");
    let leaf = ours.leaf(&["127.0.0.1", "localhost"]);
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = format!("{}/{name}", rig.dir());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let (ca, certificate, key) =
        (file("ca.pem", ours.pem()), file("own.pem", &leaf.certificate), file("own.key", &leaf.key));
    let socket = format!("{}/app.sock", rig.dir());
    let h1 = WebApp::start_with("h1", "127.0.0.1:0", Speaks::Http1, None).await;
    let h2c = WebApp::start_with("h2c", "127.0.0.1:0", Speaks::Http2, None).await;
    let tls = WebApp::start_with("tls", "127.0.0.1:0", Speaks::Either, Some(leaf.server(&["http/1.1"], None))).await;
    let h2 = WebApp::start_with("h2", "127.0.0.1:0", Speaks::Either, Some(leaf.server(&["h2"], None))).await;
    let _unix = WebApp::start_unix("unix", socket.clone().into(), Speaks::Http1);
    let upstreams = [
        ("h1", format!("{{ servers: ['http://{}'] }}", h1.address), false),
        ("h2c", format!("{{ servers: ['http://{}'], http2: true }}", h2c.address), true),
        ("tls", format!("{{ servers: ['https://{}'], tls: {{ ca_file: {ca} }} }}", tls.address), false),
        ("h2", format!("{{ servers: ['https://{}'], http2: true, tls: {{ ca_file: {ca} }} }}", h2.address), true),
        ("unix", format!("{{ servers: ['unix:{socket}'] }}"), false),
    ];
    for (name, upstream, _) in &upstreams {
        rig.choices.routes.push_str(&format!(
            "  - {{ host: localhost, path: /{name}, access: anonymous, max_body: 4GiB, upstream: {upstream} }}\n"
        ));
    }
    let listeners = format!(
        "listeners:\n  - {{ address: '127.0.0.1:0', h2c: true }}\n  - {{ address: '127.0.0.1:0', tls: {{ certificates: [{{ certificate: {certificate}, key: {key} }}] }} }}\n"
    );
    let node = rig.node_listening(&listeners).await;
    let addresses: Vec<_> = node.addresses().iter().filter_map(|address| address.to_string().parse().ok()).collect();
    let [plain, secure]: [SocketAddr; 2] = addresses.try_into().unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(ours.roots()).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));

    for client in [Client::Http1, Client::H2c, Client::Http2OverTls] {
        for (name, _, upstream_is_h2) in &upstreams {
            let case = format!("{client:?} to {name}");
            let port = if client == Client::Http2OverTls { secure.port() } else { plain.port() };
            let is_h2 = client != Client::Http1;

            let answer = dial(client, plain, secure, &connector)
                .await
                .send(request(client, port, Method::GET, &format!("/{name}/who"), empty()))
                .await;
            assert_eq!(answer.status(), StatusCode::OK, "{case}");
            assert_eq!(answer.version(), if is_h2 { Version::HTTP_2 } else { Version::HTTP_11 });
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let version = if *upstream_is_h2 { "HTTP/2.0" } else { "HTTP/1.1" };
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert!(text.starts_with(&format!("{name} {version} GET /{name}/who host=localhost")), "{case}: {text}");

            let answer = dial(client, plain, secure, &connector)
                .await
                .send(request(client, port, Method::HEAD, &format!("/{name}/who"), empty()))
                .await;
            assert_eq!(answer.status(), StatusCode::OK, "{case}");
            let body = answer.into_body().collect().await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert!(body.to_bytes().is_empty(), "{case}");

            let post = request(client, port, Method::POST, &format!("/{name}/upload"), upload(pieces));
            let answer = dial(client, plain, secure, &connector).await.send(post).await;
            let found = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(found, format!("{pieces} pieces"), "{case}");
            let get = request(client, port, Method::GET, &format!("/{name}/download?{pieces}"), empty());
            let answer = dial(client, plain, secure, &connector).await.send(get).await;
            assert_eq!(compare(answer.into_body()).await, format!("{pieces} pieces"), "{case}");
            // Both at once, as streams of gRPC go. Over HTTP/1 the framework does not read while it writes.
            if is_h2 && *upstream_is_h2 {
                let post = request(client, port, Method::POST, &format!("/{name}/echo"), upload(pieces));
                let answer = dial(client, plain, secure, &connector).await.send(post).await;
                assert_eq!(compare(answer.into_body()).await, format!("{pieces} pieces"), "{case}");
            }

            let answer = dial(client, plain, secure, &connector)
                .await
                .send(request(client, port, Method::GET, &format!("/{name}/trailers"), empty()))
                .await;
            let announced = answer.headers().contains_key("trailer");
            let whole = answer.into_body().collect().await.unwrap();
            let sum = whole.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
            // Between two sides that speak HTTP/2; elsewhere nothing promises what does not come.
            assert_eq!(sum.is_some(), is_h2 && *upstream_is_h2, "{case}");
            assert!(sum.is_some() || !announced, "{case}");
            assert_eq!(whole.to_bytes(), "body", "{case}");

            let answer = dial(client, plain, secure, &connector)
                .await
                .send(request(client, port, Method::GET, &format!("/{name}/events"), empty()))
                .await;
            let mut events = answer.into_body();
            let mut heard = Vec::new();
            while heard.len() < 27 {
                let frame = tokio::time::timeout(Duration::from_secs(5), events.frame()).await;
                heard.extend_from_slice(&frame.expect(&case).unwrap().unwrap().into_data().unwrap());
            }
            // The stream never ends, and still they are here.
            assert!(heard.starts_with(b"data: 0\n\ndata: 1\n\ndata: 2\n\n"), "{case}");
            drop(events);
        }
    }
    // WebSockets: HTTP/1.1 on both sides.
    for (name, _, upstream_is_h2) in upstreams.iter().filter(|(name, ..)| *name != "h2c") {
        // An app that speaks nothing but HTTP/2 has none.
        if *upstream_is_h2 {
            assert!(websocket(plain, name).await.is_none(), "{name}");
            continue;
        }
        echoes(websocket(plain, name).await.expect(name)).await.expect(name);
    }
    let peak = peak();
    println!("{mib} MiB each way, {} combinations; most memory of client, gateway and apps together: {peak} MiB", 15);
    // Whatever the size: were a body kept, a run with 1024 MiB would show it.
    assert!(mib < 1024 || peak < 512, "{peak} MiB");
    node.stop(Duration::ZERO).await;
}
