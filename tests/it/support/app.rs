//! An app behind the gateway that speaks HTTP/1.1 or HTTP/2, plain or with TLS, on a port or on a socket of this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1, or HTTP/2 where the client begins with it.
    Either,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
}

#[derive(Debug)]
struct Shared {
    name: String,
    connections: AtomicUsize,
    requests: AtomicUsize,
    well: Mutex<StatusCode>,
    accepting: Mutex<Vec<JoinHandle<()>>>,
}

/// The app. It answers `/echo` with the body it gets, `/slow` after a second, `/trailers` with trailers, `/health` as told, `/events` with an
/// event each 20 ms, and everything else with a line about what it saw. Ends when dropped.
#[derive(Debug)]
pub struct WebApp {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl WebApp {
    /// Plain, on a port of its own.
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, "127.0.0.1:0", Speaks::Either, None).await
    }

    /// On a port of `address`, with TLS if there is a configuration.
    pub async fn start_with(name: &str, address: &str, speaks: Speaks, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = shared(name);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let (of, acceptor) = (Arc::clone(&shared), acceptor.clone());
                    let task = tokio::spawn(async move {
                        match acceptor {
                            None => serve(stream, speaks, of).await,
                            Some(acceptor) => {
                                if let Ok(stream) = acceptor.accept(stream).await {
                                    serve(stream, speaks, of).await;
                                }
                            }
                        }
                    });
                    shared.accepting.lock().unwrap().push(task);
                }
            }
        });
        Self { address, shared, task }
    }

    /// Plain, on a socket of this machine.
    pub fn start_unix(name: &str, path: PathBuf, speaks: Speaks) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = shared(name);
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let task = tokio::spawn(serve(stream, speaks, Arc::clone(&shared)));
                    shared.accepting.lock().unwrap().push(task);
                }
            }
        });
        Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), shared, task }
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests that arrived, without those for `/health`.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// What `/health` answers from now on.
    pub fn is_well(&self, status: StatusCode) {
        *self.shared.well.lock().unwrap() = status;
    }
}

impl Drop for WebApp {
    fn drop(&mut self) {
        self.task.abort();
        for task in self.shared.accepting.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

fn shared(name: &str) -> Arc<Shared> {
    Arc::new(Shared {
        name: name.to_owned(),
        connections: AtomicUsize::new(0),
        requests: AtomicUsize::new(0),
        well: Mutex::new(StatusCode::OK),
        accepting: Mutex::default(),
    })
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, speaks: Speaks, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder = match speaks {
        Speaks::Either => builder,
        Speaks::Http1 => builder.http1_only(),
        Speaks::Http2 => builder.http2_only(),
    };
    let _the_client_may_leave = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/health") {
        return Ok(answer_of(*shared.well.lock().unwrap(), String::new()));
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let response = match path.rsplit('/').next().unwrap_or_default() {
        "echo" => {
            // What the gateway broke off ends here as well.
            let body = request.into_body().map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe));
            Response::new(UnsyncBoxBody::new(body))
        }
        "upload" => answer_of(StatusCode::OK, compare(request.into_body()).await),
        "download" => {
            let pieces = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
            let frames = futures_util::stream::iter(0..pieces).map(|number| Ok(Frame::data(piece(number))));
            Response::new(UnsyncBoxBody::new(StreamBody::new(frames)))
        }
        "slow" => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answer_of(StatusCode::OK, shared.name.clone())
        }
        "ws" => {
            // Bytes back as they come, as after any upgrade.
            let switched = hyper::upgrade::on(request);
            tokio::spawn(async move {
                let Ok(socket) = switched.await else { return };
                let (mut read, mut write) = tokio::io::split(TokioIo::new(socket));
                let _until_the_client_leaves = tokio::io::copy(&mut read, &mut write).await;
            });
            let mut response = answer_of(StatusCode::SWITCHING_PROTOCOLS, String::new());
            for (name, value) in [("connection", "Upgrade"), ("upgrade", "websocket")] {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
        "trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("42"));
            let frames = [Ok(Frame::data(Bytes::from_static(b"body"))), Ok(Frame::trailers(trailers))];
            let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(futures_util::stream::iter(frames))));
            response.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
            response
        }
        "events" => {
            let events = futures_util::stream::unfold(0_u32, |count| async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok(Frame::data(Bytes::from(format!("data: {count}\n\n")))), count + 1))
            });
            let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(events)));
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
            response
        }
        _ => {
            let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
            let host = host.or_else(|| request.uri().authority().map(ToString::to_string)).unwrap_or_default();
            let forwarded = request.headers().get("x-forwarded-host").map_or("", |host| host.to_str().unwrap());
            let (method, version, name) = (request.method(), request.version(), &shared.name);
            let text = format!("{name} {version:?} {method} {path} host={host} forwarded={forwarded}");
            if method == Method::HEAD {
                // The server would send a body over HTTP/2, which no answer to HEAD may have.
                let mut response = answer_of(StatusCode::OK, String::new());
                response.headers_mut().insert("content-length", HeaderValue::from(text.len()));
                return Ok(response);
            }
            answer_of(StatusCode::OK, text)
        }
    };
    Ok(response)
}

/// Piece `number` of a large body: 64 KiB, no two alike.
pub fn piece(number: usize) -> Bytes {
    let mut bytes = vec![0; 64 << 10];
    for (place, chunk) in bytes.chunks_mut(8).enumerate() {
        let value = (number as u64) << 32 | place as u64;
        chunk.copy_from_slice(&value.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes());
    }
    bytes.into()
}

/// Reads a large body and compares it byte for byte: how many whole pieces it had, or where it differs.
pub async fn compare(mut body: Incoming) -> String {
    let (mut number, mut rest) = (0, Bytes::new());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return format!("broken off in piece {number}") };
        let Ok(mut data) = frame.into_data() else { continue };
        while !data.is_empty() {
            if rest.is_empty() {
                rest = piece(number);
                number += 1;
            }
            let size = rest.len().min(data.len());
            if rest[..size] != data[..size] {
                return format!("something else in piece {number}");
            }
            rest = rest.slice(size..);
            data = data.slice(size..);
        }
    }
    if rest.is_empty() { format!("{number} pieces") } else { format!("the end in piece {number}") }
}

fn answer_of(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(UnsyncBoxBody::new(Full::from(text).map_err(|never| match never {})));
    *response.status_mut() = status;
    response
}
