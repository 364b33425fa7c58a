//! A request of HTTP/2 that can be ended from outside, in both directions, while all others of its connection go on.
//!
//! The framework waits for the client of such a request in three ways: for its body, for it to go away, and for room for
//! the answer. In each of them the watch is asked too, so that whatever ends the stream is found out by the one who waits,
//! and the request ends as any other does that its client broke off.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderMap;
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session;
use pingora::protocols::http::v2::server::HttpSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::{Error, ErrorType, Result};
use tokio::time::timeout;

use crate::gateway::grpc;
use crate::gateway::listeners::facts;
use crate::gateway::stream_watch::StreamWatch;
use crate::telemetry::Metrics;

/// Reason of a reset for what is no longer wanted (RFC 9113, 7).
const CANCEL: u32 = 8;

/// The stream of one request.
pub(super) struct WatchedStream {
    inner: HttpSession,
    watch: Arc<Mutex<StreamWatch>>,
    digest: Digest,
    read_timeout: Option<Duration>,
    metrics: Arc<Metrics>,
}

/// Which waits are over as soon as the stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Reading,
    /// All but the answer that says which limit is over.
    Writing,
}

/// The outcome of `work`, or that the stream was ended before it was done.
async fn unless_ended<T>(
    watch: &Mutex<StreamWatch>,
    waits: Waits,
    work: impl Future<Output = Result<T>>,
) -> Option<Result<T>> {
    let (mut work, lock) = (pin!(work), || watch.lock());
    std::future::poll_fn(|cx| {
        let mut watch = lock();
        let may_go_on = waits == Waits::Writing && watch.owes_answer();
        if !may_go_on && watch.poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        drop(watch);
        let outcome = work.as_mut().poll(cx);
        let mut watch = lock();
        if waits == Waits::Writing {
            watch.client_is_late(outcome.is_pending());
        }
        if outcome.is_ready() {
            watch.moved();
        }
        outcome.map(Some)
    })
    .await
}

impl WatchedStream {
    /// The watch over `inner`.
    pub(super) fn new(inner: HttpSession, metrics: Arc<Metrics>) -> Self {
        let watch = Arc::new(Mutex::default());
        let of_connection = inner.digest();
        let digest = Digest {
            ssl_digest: of_connection.and_then(|digest| digest.ssl_digest.clone()),
            timing_digest: Vec::new(),
            proxy_digest: of_connection.and_then(|digest| facts::of_stream(digest, &watch)),
            socket_digest: of_connection.and_then(|digest| digest.socket_digest.clone()),
        };
        Self { inner, watch, digest, read_timeout: None, metrics }
    }

    /// What is said instead of the outcome of something that was waited for.
    fn over(&mut self) -> Box<Error> {
        let (why, first) = self.watch.lock().tell();
        if let (Some(why), true) = (why, first) {
            self.metrics.streams_ended.with_label_values(&[why.word()]).inc();
            let begun = self.inner.response_written();
            if begun.is_some_and(|head| grpc::is_grpc(&head.headers)) {
                // Whoever has gone needs no words.
                let _told = self.inner.write_trailers(grpc::last_words(why));
            } else if begun.is_some() {
                self.inner.shutdown_with_reason(CANCEL.into());
            }
        }
        Error::explain(ErrorType::ConnectionClosed, "what the stream was opened under is over").into_down()
    }

    async fn read(&mut self, or_idle: Option<bool>) -> Result<Option<Bytes>> {
        // The framework waits for ever. Whoever was answered already may send when there is something to say, as in a call of
        // gRPC whose both sides stream.
        let awaited = or_idle != Some(true) && !self.inner.is_body_done() && self.inner.response_written().is_none();
        let patience = self.read_timeout.filter(|_| awaited && !grpc::is_call(self.inner.req_header()));
        let inner = &mut self.inner;
        let work = async {
            let read = async {
                match or_idle {
                    Some(no_body_expected) => inner.read_body_or_idle(no_body_expected).await,
                    None => inner.read_body_bytes().await,
                }
            };
            let late = |_| Error::explain(ErrorType::ReadTimedout, "the body did not come").into_down();
            match patience {
                Some(patience) => timeout(patience, read).await.map_err(late)?,
                None => read.await,
            }
        };
        match unless_ended(&self.watch, Waits::Reading, work).await {
            Some(outcome) => outcome,
            None => Err(self.over()),
        }
    }
}

/// Which is waited for is up to the framework; every wait for the client ends with the stream.
#[async_trait]
impl Session for WatchedStream {
    fn req_header(&self) -> &RequestHeader {
        self.inner.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner.req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        self.read(None).await
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        match unless_ended(&self.watch, Waits::Reading, self.inner.drain_request_body()).await {
            Some(outcome) => outcome,
            None => Err(self.over()),
        }
    }

    async fn write_response_header(&mut self, response: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.inner.write_response_header(response, end)
    }

    async fn write_response_header_ref(&mut self, response: &ResponseHeader, end: bool) -> Result<()> {
        self.inner.write_response_header_ref(response, end)
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        match unless_ended(&self.watch, Waits::Writing, self.inner.write_body(data, end)).await {
            Some(outcome) => outcome,
            None => Err(self.over()),
        }
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.inner.write_trailers(trailers)
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        match unless_ended(&self.watch, Waits::Writing, self.inner.response_duplex_vec(tasks)).await {
            Some(outcome) => outcome,
            None => Err(self.over()),
        }
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner.get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.inner.request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner.response_written()
    }

    async fn shutdown(&mut self, code: u32, _context: &str) {
        self.inner.shutdown_with_reason(code.into());
    }

    async fn abandon(&mut self, _context: &str) {
        self.inner.shutdown();
    }

    fn is_body_done(&mut self) -> bool {
        self.inner.is_body_done()
    }

    async fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }

    fn is_body_empty(&mut self) -> bool {
        self.inner.is_body_empty()
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        self.read(Some(no_body_expected)).await
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.digest)
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        Some(&mut self.digest)
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner.client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner.server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.inner.pseudo_raw_h1_request_header()
    }

    fn enable_retry_buffering(&mut self) {
        self.inner.enable_retry_buffering();
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.inner.retry_buffer_truncated()
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        self.inner.get_retry_buffer()
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    // Messages beside the body are of other protocols.

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
