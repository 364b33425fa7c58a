//! What stands between connections and the framework's proxy: the requests of those that speak HTTP/2 go through a watch
//! each. Those of HTTP/1 are ended by their connection, which has a watch already, and go straight on.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;

use super::watched::WatchedStream;
use crate::telemetry::Metrics;

/// The proxy `A` for connections of both protocols.
pub(in crate::gateway) struct Front<A> {
    http1: Arc<A>,
    http2: Arc<Watched<A>>,
}

impl<A> Front<A> {
    /// In front of `proxy`.
    pub(in crate::gateway) fn new(proxy: Arc<A>, metrics: Arc<Metrics>) -> Self {
        Self { http2: Arc::new(Watched { proxy: Arc::clone(&proxy), metrics }), http1: proxy }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Front<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        match stream.selected_alpn_proto() {
            Some(ALPN::H2) => self.http2.process_new(stream, shutdown).await,
            _ => self.http1.process_new(stream, shutdown).await,
        }
    }

    async fn cleanup(&self) {
        self.http1.http_cleanup().await;
    }
}

/// The proxy, whose requests of HTTP/2 can be ended from outside one by one.
struct Watched<A> {
    proxy: Arc<A>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Watched<A> {
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
        self.proxy.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }
}
