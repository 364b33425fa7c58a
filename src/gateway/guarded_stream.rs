//! A downstream connection that is watched while it waits for a request's head, for its time and for what it says; and
//! while it waits for its client to read.
//!
//! The framework's read timeout starts anew with each byte, so a client that sends one byte a minute holds a connection
//! for hours. Here the clock starts with a head's first byte and is not stopped by further ones. How long a connection
//! may idle between requests is watched here too: the framework would set a timer anew for each of them. A head beyond its
//! limit is ended for the parser at that very point, so that it is answered (431, 414) instead of buffered. What is
//! written before a head was read to its end is the framework's own opinion of it, and is replaced by ours.

use std::any::Any;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use parking_lot::{Mutex, MutexGuard};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::tls::TlsRef;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufWriter, ReadBuf};
use tokio::time::Instant;

use super::answer_rate::AnswerPace;
use super::chunks::ChunkScanner;
use super::connections::ConnectionSlot;
use super::context::Peer;
use super::framework_error::FrameworkErrorReplacement;
use super::head::{HeadFault, HeadReportView, HeadScanner};
use super::head_watch::{HeadWatch, Overdue, Patience};
use super::ready_headers::ReadyHeaders;
use super::stream_watch::StreamWatch;

/// Largest piece that waits for more to come before it is written: about one packet.
const WRITE_BUFFER: usize = 1460;

/// The watched connection.
pub(super) struct GuardedStream {
    /// A head and a short body go out together. What is read goes straight to the framework, which has a buffer.
    inner: BufWriter<Stream>,
    head: Mutex<HeadWatch>,
    replacement: Arc<FrameworkErrorReplacement>,
    our_answer: Option<OurAnswer>,
    http2: bool,
    /// What ends the request at hand from outside.
    watch: Mutex<StreamWatch>,
    pace: Mutex<AnswerPace>,
    slot: ConnectionSlot,
    /// Our headers as the last request had them, for the next one.
    ready_headers: Mutex<Option<Box<ReadyHeaders>>>,
}

/// Our answer to a head that could not be read, on its way out.
struct OurAnswer {
    answer: Vec<u8>,
    written: usize,
}

impl GuardedStream {
    /// The watch over `inner`. On HTTP/2 there is no head to be watched: the connection has seen its preface, and the framework
    /// reads frames.
    pub(super) fn new(
        inner: Stream,
        replacement: Arc<FrameworkErrorReplacement>,
        slot: ConnectionSlot,
        http2: bool,
    ) -> Self {
        let limits = slot.limits();
        let patience = Patience { head: limits.head_deadline, idle: limits.keepalive };
        let watch = HeadWatch {
            scanner: HeadScanner::new(limits.head),
            chunks: ChunkScanner::default(),
            armed: !http2,
            patience,
            due: None,
            idle_since: None,
            timer: None,
            ended: false,
            ahead: Vec::new(),
        };
        let pace = Mutex::new(AnswerPace::new(limits.answer_rate));
        let inner = BufWriter::with_capacity(WRITE_BUFFER, inner);
        Self {
            inner,
            head: Mutex::new(watch),
            replacement,
            our_answer: None,
            http2,
            watch: Mutex::default(),
            pace,
            slot,
            ready_headers: Mutex::new(None),
        }
    }

    /// Whether `theirs` is what the framework says of a head that it could not read; then our words are made ready.
    fn replaces(&mut self, theirs: &[u8]) -> bool {
        let head = self.head.get_mut();
        if self.our_answer.is_none() && head.armed && head.scanner.has_begun() {
            let (fault, line) = (head.scanner.fault(), head.scanner.request_line());
            let answer = self.replacement.answer(self.slot.peer().address(), fault, line, theirs);
            self.our_answer = Some(OurAnswer { answer, written: 0 });
        }
        self.our_answer.is_some()
    }

    /// Writes our words; theirs are taken for written once ours are.
    fn poll_our_answer(&mut self, cx: &mut Context<'_>, theirs: usize) -> Poll<io::Result<usize>> {
        if let Some(OurAnswer { answer, written }) = &mut self.our_answer {
            while let Some(rest) = answer.get(*written..).filter(|rest| !rest.is_empty()) {
                match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => *written += count,
                }
            }
        }
        Poll::Ready(Ok(theirs))
    }

    /// Whether the client may go on as it does, after the socket took `outcome`.
    fn judge_reading<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(Ok(taken)) => {
                self.watch.get_mut().client_is_late(false);
                self.pace.get_mut().took(bytes(&taken));
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.watch.get_mut().client_is_late(true);
                let why = ready!(self.pace.get_mut().poll_full(cx, &self.slot));
                self.slot.ended(why);
                Poll::Ready(Err(why.into()))
            }
        }
    }

    /// Whether a piece of `bytes` may be written.
    fn may_write(&mut self, bytes: usize) -> io::Result<()> {
        self.pace.get_mut().may_write(bytes, &self.slot).map_err(|why| {
            self.slot.ended(why);
            why.into()
        })
    }

    /// The watch over what is under way.
    pub(super) fn watch(&self) -> MutexGuard<'_, StreamWatch> {
        self.watch.lock()
    }

    /// Fails once both directions must end; until then whoever polls is woken when they must.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let watch = self.watch.get_mut();
        let Poll::Ready(why) = watch.poll(cx) else { return Ok(()) };
        if watch.tell().1 {
            self.slot.stream_ended(why);
            if let Some(words) = watch.last_words() {
                // Said if there is room for it at once. Whoever does not read is not waited for.
                let _said = Pin::new(&mut self.inner).poll_write(cx, &words);
                let _on_its_way = Pin::new(&mut self.inner).poll_flush(cx);
            }
        }
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "what the stream was opened under is over"))
    }

    /// As [`Self::poll_end`], but for the answer that says so: a client that was told nothing yet is told which limit is over.
    fn poll_end_of_writing(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.watch.get_mut().owes_answer() { Ok(()) } else { self.poll_end(cx) }
    }

    /// The other end.
    pub(super) fn peer(&self) -> &Peer {
        self.slot.peer()
    }

    /// What the last request left for this one, which gives it back when it is over.
    pub(super) fn take_ready_headers(&self) -> Option<Box<ReadyHeaders>> {
        self.ready_headers.lock().take()
    }

    /// Ends the watch for this request; `judge` gets to see what it saw.
    pub(super) fn judged<T>(&self, judge: impl FnOnce(HeadReportView<'_>) -> T) -> T {
        let mut head = self.head.lock();
        head.armed = false;
        // A body that came along with the head is judged with it.
        let chunk = head.chunks.is_broken().then_some(HeadFault::BadChunk);
        judge(HeadReportView { fault: head.scanner.fault().or(chunk), target: head.scanner.target() })
    }

    /// Whether the request's body was found not to be one while it was read.
    pub(super) fn is_body_broken(&self) -> bool {
        self.head.lock().chunks.is_broken()
    }

    /// Whether the client has sent more than the request at hand.
    pub(super) fn has_sent_ahead(&self) -> bool {
        !self.head.lock().ahead.is_empty()
    }

    /// Begins the watch for the next request; the last one ended `now`, and leaves `ready_headers`.
    pub(super) fn arm(&self, now: Instant, ready_headers: Option<Box<ReadyHeaders>>) {
        *self.ready_headers.lock() = ready_headers;
        self.pace.lock().end();
        self.watch.lock().end();
        let mut head = self.head.lock();
        head.armed = true;
        head.due = None;
        head.idle_since = Some(now);
        head.ended = false;
        head.scanner.reset();
        head.chunks.stop();
    }
}

impl fmt::Debug for GuardedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedStream").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_end(cx)?;
        let head = this.head.get_mut();
        if head.armed && head.scanner.is_done() {
            return Poll::Ready(head.end(buf));
        }
        let before = buf.filled().len();
        if !head.armed && this.watch.get_mut().is_upgraded() {
            if head.take_ahead(buf) {
                return Poll::Ready(Ok(()));
            }
        } else if !head.armed && head.scanner.is_whole_request() {
            return head.poll_ahead(cx, Pin::new(&mut this.inner));
        }
        if !head.armed {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            this.watch.get_mut().moved();
            head.chunks.feed(buf.filled().get(before..).unwrap_or_default());
            if head.chunks.is_broken() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the chunked body is not one")));
            }
            return Poll::Ready(Ok(()));
        }
        if head.take_ahead(buf) {
            head.look(buf, before);
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(result) => {
                result?;
                head.look(buf, before);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => match ready!(head.poll_deadline(cx)) {
                Overdue::Head => {
                    head.give_up(buf);
                    Poll::Ready(Ok(()))
                }
                // To the framework as if the client had closed it, which is no fault either.
                Overdue::Idle => Poll::Ready(Ok(())),
            },
        }
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_end_of_writing(cx)?;
        if this.replaces(buf) {
            return this.poll_our_answer(cx, buf.len());
        }
        this.may_write(buf.len())?;
        let outcome = Pin::new(&mut this.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(taken)) = &outcome {
            this.watch.get_mut().sent(buf.get(..*taken).unwrap_or_default());
        }
        this.judge_reading(cx, outcome, |taken| *taken)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_flush(cx);
        if this.http2 && matches!(outcome, Poll::Ready(Ok(()))) {
            // Nobody says when an answer among many ends; a client that took all there is owes nothing.
            this.pace.get_mut().end();
        }
        this.judge_reading(cx, outcome, |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_end_of_writing(cx)?;
        if this.replaces(bufs.first().map_or(&[], |buf| buf)) {
            return this.poll_our_answer(cx, bufs.iter().map(|buf| buf.len()).sum());
        }
        this.may_write(bufs.iter().map(|buf| buf.len()).sum())?;
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(taken)) = &outcome {
            let mut left = *taken;
            for buf in bufs {
                let sent = buf.get(..left.min(buf.len())).unwrap_or_default();
                this.watch.get_mut().sent(sent);
                left -= sent.len();
            }
        }
        this.judge_reading(cx, outcome, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for GuardedStream {
    async fn shutdown(&mut self) {
        // What of an answer is there goes out, if the client takes it now: half an answer is told from none.
        let _whoever_does_not_read_does_not_mind = self.inner.flush().now_or_never();
        Shutdown::shutdown(&mut **self.inner.get_mut()).await;
    }
}

#[async_trait]
impl Peek for GuardedStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.get_mut().try_peek(buf).await
    }
}

impl UniqueID for GuardedStream {
    fn id(&self) -> UniqueIDType {
        self.inner.get_ref().id()
    }
}

impl Ssl for GuardedStream {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ref().get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ref().get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.get_ref().selected_alpn_proto()
    }
}

impl GetTimingDigest for GuardedStream {
    /// Nobody asks when a client's connection was made; the framework would keep a list of it for each request.
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for GuardedStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_ref().get_proxy_digest()
    }
}

impl GetSocketDigest for GuardedStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_ref().get_socket_digest()
    }
}

/// Finds the watch behind a connection of our public listener.
pub(super) fn of(stream: &Stream) -> Option<&GuardedStream> {
    let any: &dyn Any = (**stream).as_any();
    any.downcast_ref()
}
