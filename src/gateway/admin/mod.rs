//! The private listener: health for whoever restarts us, metrics for whoever watches us, and closed rooms for whoever
//! has a token. Never on the public port.

mod access;
mod router;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

pub use self::access::{AdminToken, Scope};
use self::router::{Asked, Page, route};
use super::head::HeadLimits;
use super::{AnswerRate, ListenerLimits, guarded_stream};
use crate::auth::Auth;
use crate::telemetry::Metrics;

/// Descriptors that are kept for whoever watches the gateway, for when there are no others.
pub(super) const RESERVED_FILES: usize = 8;

/// Settings of the private listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Names under which it may be asked, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Who may have what is not open.
    pub tokens: Vec<AdminToken>,
    /// Open connections. Default 64.
    pub connections: usize,
    /// Time for a whole head. Default 5 s.
    pub header_deadline: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { hosts: Vec::new(), tokens: Vec::new(), connections: 64, header_deadline: Duration::from_secs(5) }
    }
}

impl AdminSettings {
    /// Limits of the listener: small, since whoever watches the gateway asks little.
    pub(super) fn limits(&self) -> ListenerLimits {
        ListenerLimits {
            head: HeadLimits { bytes: 8 * 1024, ..HeadLimits::default() },
            head_deadline: self.header_deadline,
            keepalive: self.header_deadline,
            connections: self.connections,
            connections_per_client: self.connections,
            large_answers: self.connections,
            answer_rate: AnswerRate { bytes_per_second: 1024, window: Duration::from_secs(10) },
        }
    }
}

/// What the private listener tells.
pub(super) struct Admin {
    pub(super) settings: AdminSettings,
    pub(super) auth: Arc<Auth>,
    pub(super) metrics: Arc<Metrics>,
    /// Set when the gateway begins to stop: no longer ready, still alive.
    pub(super) draining: Arc<AtomicBool>,
}

impl Admin {
    /// What runs, with which configuration, and whether its store takes writes.
    async fn status(&self) -> String {
        let store = self.auth.sign_in_readiness(SystemTime::now()).await.store.is_ok();
        let status = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "configuration_generation": self.auth.snapshot().generation(),
            "store": if store { "answers" } else { "does not answer" },
            "stopping": self.draining.load(Ordering::Acquire),
            "connections": self.metrics.connections.get(),
        });
        format!("{status}\n")
    }

    /// Whether requests may be sent here: from the start, when this listener answers, until the stop begins. Whether somebody
    /// could sign in is another question, asked by `verbose`, and with `strict` the answer decides: while the store is away,
    /// all replicas would leave the balancer, and nobody reached even what needs no store.
    async fn ready(&self, query: &str) -> (StatusCode, String) {
        if self.draining.load(Ordering::Acquire) {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
        }
        let asked = |word: &str| query.split('&').any(|part| part.split('=').next() == Some(word));
        if !asked("verbose") && !asked("strict") {
            return (StatusCode::OK, "ready\n".to_owned());
        }
        let found = self.auth.sign_in_readiness(SystemTime::now()).await;
        let (status, word) = match asked("strict") && !found.is_ready() {
            true => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            false => (StatusCode::OK, "ready"),
        };
        (status, format!("{word}\n{}", found.words()))
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let judged = session.stream().and_then(guarded_stream::of).map(|watch| watch.judged(|seen| seen.fault));
        // Whoever watches us comes a few times a minute; a connection kept in between would only take a place.
        session.set_keepalive(None);
        if judged.flatten().is_some() {
            return answer(StatusCode::BAD_REQUEST, PLAIN, "the request is malformed\n".to_owned(), false);
        }
        let header = session.req_header();
        let head_only = header.method == Method::HEAD;
        let asked = Asked {
            method: &header.method,
            version: header.version,
            path: header.uri.path(),
            headers: &header.headers,
        };
        let (status, kind, body) = match route(&self.settings, &self.metrics, &asked) {
            Ok(Page::Live) => (StatusCode::OK, PLAIN, "alive\n".to_owned()),
            Ok(Page::Metrics) => (StatusCode::OK, METRICS, self.metrics.render()),
            Ok(Page::Ready) => {
                let (status, body) = self.ready(header.uri.query().unwrap_or_default()).await;
                (status, PLAIN, body)
            }
            Ok(Page::Status) => (StatusCode::OK, "application/json", self.status().await),
            Err(refused) => {
                let (status, words) = refused.words();
                (status, PLAIN, words.to_owned())
            }
        };
        answer(status, kind, body, head_only)
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn answer(status: StatusCode, kind: &'static str, body: String, head_only: bool) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"zengate\""));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        _ => {}
    }
    if !head_only {
        *response.body_mut() = body.into_bytes();
    }
    response
}
