//! What stands between the framework's connections and its proxy: requests of HTTP/2 go through a watch.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;

use super::watched::WatchedStream;
use crate::telemetry::Metrics;

/// The proxy `inner`, whose requests of HTTP/2 can be ended from outside one by one. Those of HTTP/1 are ended by their
/// connection, which has a watch already.
pub(in crate::gateway) struct Front<A> {
    inner: Arc<A>,
    metrics: Arc<Metrics>,
}

impl<A> Front<A> {
    /// In front of `inner`.
    pub(in crate::gateway) fn new(inner: Arc<A>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Front<A> {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let session = match session {
            ServerSession::H2(stream) => {
                ServerSession::new_custom(Box::new(WatchedStream::new(stream, Arc::clone(&self.metrics))))
            }
            other => other,
        };
        self.inner.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.inner.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.inner.server_options()
    }

    async fn http_cleanup(&self) {
        self.inner.http_cleanup().await;
    }
}
