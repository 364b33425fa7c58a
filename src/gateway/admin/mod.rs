//! The private listener: health for whoever restarts us, metrics for whoever watches us, and closed rooms for whoever
//! has a token. Never on the public port.

mod access;
mod approvals;
mod link_tickets;
mod links;
mod router;
mod table;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora::apps::{HttpServerApp, ReusedHttpStream};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::sync::Semaphore;

pub use self::access::{AdminToken, Scope};
use self::router::{Asked, Page, route};
use super::head::HeadLimits;
use super::stopping::Stopping;
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
    /// Time for a whole body. Default 1 min.
    pub body_deadline: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            tokens: Vec::new(),
            connections: 64,
            header_deadline: Duration::from_secs(5),
            body_deadline: Duration::from_secs(60),
        }
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
            streams: 1,
            large_answers: self.connections,
            answer_rate: AnswerRate { bytes_per_second: 1024, window: Duration::from_secs(10) },
        }
    }
}

/// What the private listener tells.
pub(super) struct Admin {
    pub(super) settings: AdminSettings,
    /// Largest table of links that is imported, in bytes.
    pub(super) import_bytes: usize,
    /// Held by an import: there is one at a time.
    pub(super) importing: Arc<Semaphore>,
    pub(super) auth: Arc<Auth>,
    pub(super) metrics: Arc<Metrics>,
    /// Set when the gateway begins to stop: no longer ready, still alive.
    pub(super) stopping: Arc<Stopping>,
}

impl Admin {
    /// What runs, with which configuration, and whether its store takes writes.
    async fn status(&self) -> String {
        let store = self.auth.sign_in_readiness(SystemTime::now()).await.store.is_ok();
        let status = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "configuration_generation": self.auth.snapshot().generation(),
            "store": if store { "answers" } else { "does not answer" },
            "stopping": self.stopping.has_begun(),
            "connections": self.metrics.connections.get(),
        });
        format!("{status}\n")
    }

    /// Whether requests may be sent here: from the start, when this listener answers, until the stop begins. Whether somebody
    /// could sign in is another question, asked by `verbose`, and with `strict` the answer decides: while the store is away,
    /// all replicas would leave the balancer, and nobody reached even what needs no store.
    async fn ready(&self, query: &str) -> (StatusCode, String) {
        if self.stopping.has_begun() {
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

/// An answer of this listener.
enum Answer {
    /// Ready to be written.
    Whole(Response<Vec<u8>>),
    /// Every link there is, bit by bit.
    Table,
}

impl Admin {
    async fn answer(&self, session: &mut ServerSession) -> Answer {
        let judged = session.stream().and_then(guarded_stream::of).map(|watch| watch.judged(|seen| seen.fault));
        if judged.flatten().is_some() {
            let words = "the request is malformed\n".to_owned();
            return Answer::Whole(answer(StatusCode::BAD_REQUEST, PLAIN, words, false));
        }
        let header = session.req_header();
        let head_only = header.method == Method::HEAD;
        let asked = Asked {
            method: &header.method,
            version: header.version,
            path: header.uri.path(),
            headers: &header.headers,
        };
        let (page, token) = match route(&self.settings, &self.metrics, &asked) {
            Ok((page, token)) => (page, token.unwrap_or_default()),
            Err(refused) => {
                let (status, words) = refused.words();
                let mut response = answer(status, PLAIN, words.to_owned(), head_only);
                if let Some(allowed) = refused.allowed() {
                    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                }
                return Answer::Whole(response);
            }
        };
        let (status, kind, body) = match page {
            Page::Live => (StatusCode::OK, PLAIN, "alive\n".to_owned()),
            Page::Metrics => (StatusCode::OK, METRICS, self.metrics.render()),
            Page::Ready => {
                let (status, body) = self.ready(header.uri.query().unwrap_or_default()).await;
                (status, PLAIN, body)
            }
            Page::Status => (StatusCode::OK, JSON, self.status().await),
            Page::Approvals => return Answer::Whole(self.approvals(session, token).await),
            Page::Links => return Answer::Whole(self.links(session, token).await),
            Page::LinkTickets => return Answer::Whole(self.link_ticket(session, token).await),
            Page::LinkTable => return self.link_table(session, token).await,
        };
        Answer::Whole(answer(status, kind, body, head_only))
    }

    /// The body of a request, if it is whole in time and no longer than `longest`; else what to answer.
    async fn body(&self, session: &mut ServerSession, longest: usize) -> Result<Vec<u8>, StatusCode> {
        let whole = async {
            let mut body = Vec::new();
            while let Some(part) = session.read_request_body().await.map_err(|_| StatusCode::BAD_REQUEST)? {
                if body.len() + part.len() > longest {
                    return Err(StatusCode::PAYLOAD_TOO_LARGE);
                }
                body.extend_from_slice(&part);
            }
            Ok(body)
        };
        let late = |_| Err(StatusCode::REQUEST_TIMEOUT);
        tokio::time::timeout(self.settings.body_deadline, whole).await.unwrap_or_else(late)
    }
}

#[async_trait]
impl HttpServerApp for Admin {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        _shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !matches!(session.read_request().await, Ok(true)) {
            return None;
        }
        // Whoever watches us comes a few times a minute; a connection kept in between would only take a place.
        session.set_keepalive(None);
        let written = match self.answer(&mut session).await {
            Answer::Whole(response) => write(&mut session, response).await,
            Answer::Table => self.write_table(&mut session).await,
        };
        if written.is_err() {
            // Whoever asked went away, or must see that what came is not all of it.
            session.shutdown().await;
            return None;
        }
        let _nobody_waits_for_more = session.finish().await;
        None
    }
}

async fn write(session: &mut ServerSession, response: Response<Vec<u8>>) -> pingora::Result<()> {
    let (parts, body) = response.into_parts();
    let head: ResponseHeader = parts.into();
    session.write_response_header(Box::new(head)).await?;
    if body.is_empty() { Ok(()) } else { session.write_response_body(body.into(), true).await }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

fn answer(status: StatusCode, kind: &'static str, body: String, head_only: bool) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"zengate\""));
    }
    if !head_only {
        *response.body_mut() = body.into_bytes();
    }
    response
}
