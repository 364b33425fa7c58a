//! The watch over one connection's heads: how long they take, where they end, and what of them the parser gets to see.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::chunks::ChunkScanner;
use super::head::{HeadFault, HeadScanner};

/// What is known of the head at hand.
pub(super) struct HeadWatch {
    pub(super) scanner: HeadScanner,
    pub(super) chunks: ChunkScanner,
    pub(super) armed: bool,
    pub(super) patience: Patience,
    /// When the wait at hand must end; unknown until somebody has to wait.
    pub(super) due: Option<Instant>,
    /// When the last request ended; `None` before the first.
    pub(super) idle_since: Option<Instant>,
    /// One timer for all waits of the connection. May fire early; re-armed lazily, because resetting a timer is the most
    /// expensive step here.
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    /// The parser was told that a refused head ends.
    pub(super) ended: bool,
    /// What the client sent before it was its turn (RFC 9112, 9.3.2): the parser would take it for a part of the request
    /// at hand.
    pub(super) ahead: Vec<u8>,
}

/// Most that a client may send ahead; what is more waits in its socket.
const MOST_AHEAD: usize = 16 * 1024;

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a whole head, from its first byte.
    pub(super) head: Duration,
    /// From the end of a request to the first byte of the next.
    pub(super) idle: Duration,
}

/// What a connection that waited too long was doing.
pub(super) enum Overdue {
    /// It sent a head.
    Head,
    /// Nothing.
    Idle,
}

impl HeadWatch {
    /// Polls the deadline of whatever is waited for: the rest of a head, or a next one. A client that has not asked
    /// for anything yet is the framework's to wait for.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Overdue> {
        let (begun, patience) = (self.scanner.has_begun(), self.patience);
        let Some(due) = self.due.or_else(|| match self.idle_since {
            _ if begun => Some(Instant::now() + patience.head),
            since => since.map(|since| since + patience.idle),
        }) else {
            return Poll::Pending;
        };
        self.due = begun.then_some(due);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= due {
                return Poll::Ready(if begun { Overdue::Head } else { Overdue::Idle });
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// The head was judged, and the parser asks for more of it: it forgives more than we do, or would not ask. It is told
    /// that the head ends here, once, so that the refusal can be written; after that there is nothing more to read. If it
    /// were given more, one bare line feed would switch off both the deadline and the limit (L01, L03).
    pub(super) fn end(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        const END: &[u8] = b"\r\n\r\n";
        if std::mem::replace(&mut self.ended, true) || buf.remaining() < END.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the request's head was refused"));
        }
        buf.put_slice(END);
        Ok(())
    }

    /// Looks at what was just read; a head over its limit is cut and ended for the parser.
    pub(super) fn look(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let in_line = self.scanner.in_request_line();
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let ends = ends_head(fresh);
        let rest = self.scanner.feed(fresh);
        if self.scanner.is_done() && self.scanner.is_chunked() {
            self.chunks.begin();
            self.chunks.feed(rest);
        } else if !rest.is_empty() && self.scanner.is_whole_request() {
            let whole = buf.filled().len() - rest.len();
            self.ahead.splice(0..0, rest.iter().copied());
            buf.set_filled(whole);
            return;
        }
        if in_line {
            hide_odd_signs(buf.filled_mut().get_mut(before..).unwrap_or_default());
        }
        let over = matches!(self.scanner.fault(), Some(HeadFault::TooLarge | HeadFault::TargetTooLong));
        if over && !ends {
            buf.set_filled(before);
            put_ending(buf, in_line && self.scanner.in_request_line());
        }
    }

    /// Takes what was sent ahead for what was just read; whether there was any.
    pub(super) fn take_ahead(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let length = self.ahead.len().min(buf.remaining());
        buf.put_slice(self.ahead.get(..length).unwrap_or_default());
        self.ahead.drain(..length);
        length > 0
    }

    /// Reads what a client sends while its request, which is whole, is under way. Ready at the end of the connection only.
    pub(super) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        mut inner: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.len() < MOST_AHEAD {
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(inner.as_mut().poll_read(cx, &mut piece))?;
            if piece.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.ahead.extend_from_slice(piece.filled());
        }
        Poll::Pending
    }

    /// The deadline has come: the head ends here for the parser, so that the client is told why.
    pub(super) fn give_up(&mut self, buf: &mut ReadBuf<'_>) {
        let in_line = self.scanner.in_request_line();
        self.scanner.give_up();
        put_ending(buf, in_line);
    }
}

/// Makes a whole head of what came before, for the parser; it is refused all the same.
fn put_ending(buf: &mut ReadBuf<'_>, in_line: bool) {
    let ending: &[u8] = if in_line { b" HTTP/1.1\r\nhost:x\r\n\r\n" } else { b"x:x\r\n\r\n" };
    if buf.remaining() >= ending.len() {
        buf.put_slice(ending);
    }
}

/// Puts a plain sign in the place of those which the parser takes in no target, or the framework has no form for. What
/// they stand in is a target that the scanner keeps as it came, and nobody reads the parser's.
fn hide_odd_signs(bytes: &mut [u8]) {
    // An empty line may come before the request line.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let line = bytes.get_mut(start..).unwrap_or_default();
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    for byte in line.get_mut(..end).unwrap_or_default() {
        if matches!(byte, b'"' | b'<' | b'>' | b'`') {
            *byte = b'_';
        }
    }
}

fn ends_head(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\r\n\r\n").is_some()
}
