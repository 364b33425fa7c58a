//! The private listener: health for whoever restarts us, metrics for whoever watches us. Never on the public port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use super::head::HeadLimits;
use super::{AnswerRate, ListenerLimits, guarded_stream};
use crate::auth::Auth;
use crate::telemetry::Metrics;

/// How long readiness waits for the store.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// Descriptors that are kept for whoever watches the gateway, for when there are no others.
pub(super) const RESERVED_FILES: usize = 8;

/// Limits of the private listener: few and small, since whoever watches the gateway asks little.
pub(super) fn limits() -> ListenerLimits {
    ListenerLimits {
        head: HeadLimits { bytes: 8 * 1024, ..HeadLimits::default() },
        head_deadline: Duration::from_secs(5),
        keepalive: Duration::from_secs(5),
        connections: 64,
        connections_per_client: 64,
        large_answers: 16,
        answer_rate: AnswerRate { bytes_per_second: 1024, window: Duration::from_secs(10) },
    }
}

/// What the private listener tells.
pub(super) struct Admin {
    pub(super) auth: Arc<Auth>,
    pub(super) metrics: Arc<Metrics>,
    /// Set when the gateway begins to stop: no longer ready, still alive.
    pub(super) draining: Arc<AtomicBool>,
}

impl Admin {
    async fn ready(&self) -> (StatusCode, String) {
        if self.draining.load(Ordering::Acquire) {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
        }
        match tokio::time::timeout(STORE_PATIENCE, self.auth.store().ping()).await {
            Ok(Ok(())) => (StatusCode::OK, "ready\n".to_owned()),
            Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the session store does not answer\n".to_owned()),
        }
    }
}

#[async_trait]
impl ServeHttp for Admin {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        if let Some(watch) = session.stream().and_then(guarded_stream::of) {
            watch.judged(|_| ());
        }
        session.set_keepalive(None);
        let header = session.req_header();
        let head_only = header.method == Method::HEAD;
        let (status, body) = if header.method != Method::GET && !head_only {
            (StatusCode::METHOD_NOT_ALLOWED, String::new())
        } else {
            match header.uri.path() {
                "/metrics" => (StatusCode::OK, self.metrics.render()),
                "/livez" | "/ping" | "/healthz" => (StatusCode::OK, "alive\n".to_owned()),
                "/readyz" | "/ready" => self.ready().await,
                _ => (StatusCode::NOT_FOUND, "not here\n".to_owned()),
            }
        };
        let mut response = Response::new(Vec::new());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        headers
            .insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
        if !head_only {
            *response.body_mut() = body.into_bytes();
        }
        response
    }
}
