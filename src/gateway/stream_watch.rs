//! What ends a stream from outside: the end of the session or access token that it was opened under, and the stop.
//!
//! Which answer is going to last nobody knows when it begins, so every request is watched as if it would. That must cost
//! nothing: a connection has one timer, which is set when it fires and not when a request begins, and until it has fired
//! a request does no more than look whether it has. All streams of a session are asked about at the same moments, so that
//! the store hears one question of them (FT12).

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use http::{StatusCode, header};
use pingora::http::ResponseHeader;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::info;

use super::answer_deadline::{AnswerDeadline, Limit};
use super::context::RequestId;
use super::ended::Ended;
use super::grpc;
use super::silence::Silence;
use super::stopping::Stopping;
use super::websocket::Frames;
use crate::auth::{Auth, Permit};

/// How often it is asked whether what a stream was opened under still stands.
const PERIOD: Duration = Duration::from_millis(900);

/// The moment that the moments of all streams are counted from.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What is under way on a connection.
#[derive(Debug, Default)]
enum Kind {
    /// An answer that ends by itself, or has not begun.
    #[default]
    Answer,
    /// What lasts for as long as somebody listens: events (`text/event-stream`), a call of gRPC.
    Events,
    /// A WebSocket, and where its frames are.
    WebSocket(Frames),
}

/// Whom to ask.
#[derive(Clone)]
pub(super) struct Watchman {
    /// Whether a session still stands.
    pub(super) auth: Arc<Auth>,
    /// Whether the gateway stops.
    pub(super) stopping: Arc<Stopping>,
}

type Check = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The watch over the requests of one connection.
#[derive(Default)]
pub(super) struct StreamWatch {
    watchman: Option<Watchman>,
    /// As whom the request at hand passes; `None` if nobody stands behind it, or nothing is under way.
    permit: Option<(Permit, RequestId)>,
    begun: Option<Instant>,
    kind: Kind,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whoever has to be woken by the timer is known to it.
    registered: bool,
    check: Option<Check>,
    leave_at: Option<Instant>,
    deadline: AnswerDeadline,
    silence: Silence,
    /// Longest silence of an answer, and of what lasts.
    patience: (Duration, Duration),
    ended: Option<Ended>,
    told: bool,
}

impl StreamWatch {
    /// A request that was let in is passed on from now on; it began at `begun`.
    pub(super) fn begin(&mut self, watchman: &Watchman, permit: &Permit, id: RequestId, begun: Instant) {
        if self.watchman.is_none() {
            self.watchman = Some(watchman.clone());
        }
        self.permit = permit.names_somebody().then(|| (permit.clone(), id));
        self.begun = Some(begun);
        let settings = &permit.route().upstream().settings;
        self.deadline = AnswerDeadline::of(settings, begun);
        self.patience = (settings.read_timeout, settings.stream_idle);
    }

    /// The client sent more of its body at `now`.
    pub(super) fn asked_more(&mut self, now: Instant) {
        self.deadline.asked_more(now);
        self.silence.broken();
    }

    /// Bytes went one way or the other.
    pub(super) fn moved(&mut self) {
        self.silence.broken();
    }

    /// Whether the client has no room for what there is to send.
    pub(super) fn client_is_late(&mut self, late: bool) {
        self.silence.client_is_late(late);
    }

    /// The final answer is `response`, of which nothing was sent yet.
    pub(super) fn answered(&mut self, response: &ResponseHeader) {
        self.deadline.answered();
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            self.kind = Kind::WebSocket(Frames::behind_the_switch());
        } else if response.headers.get(header::CONTENT_TYPE).is_some_and(|media| lasts(media.as_bytes())) {
            self.kind = Kind::Events;
        }
        self.silence.begin(if self.lasts() { self.patience.1 } else { self.patience.0 });
    }

    /// Whether what is under way would not end by itself.
    fn lasts(&self) -> bool {
        !matches!(self.kind, Kind::Answer)
    }

    /// Whether the connection speaks another protocol from now on.
    pub(super) fn is_upgraded(&self) -> bool {
        matches!(self.kind, Kind::WebSocket(_))
    }

    /// The request is over.
    pub(super) fn end(&mut self) {
        (self.permit, self.begun, self.check, self.leave_at) = (None, None, None, None);
        self.kind = Kind::Answer;
        (self.deadline, self.silence) = (AnswerDeadline::default(), Silence::default());
    }

    /// Why the stream was ended, if it was.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Why the stream was ended, if it was, and whether nobody was told so before.
    pub(super) fn tell(&mut self) -> (Option<Ended>, bool) {
        (self.ended, self.ended.is_some() && !std::mem::replace(&mut self.told, true))
    }

    /// Whether a limit is over before the client was told anything.
    pub(super) fn owes_answer(&self) -> bool {
        matches!(self.ended, Some(Ended::Limit(_))) && self.deadline.awaits_head()
    }

    /// The client was sent `bytes` more.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.silence.broken();
        if let Kind::WebSocket(frames) = &mut self.kind {
            frames.sent(bytes);
        }
    }

    /// What the client is told of the end, if it can be told anything.
    pub(super) fn last_words(&self) -> Option<Vec<u8>> {
        match (&self.kind, self.ended) {
            (Kind::WebSocket(frames), Some(why)) if frames.may_interject() => Some(why.frame()),
            _ => None,
        }
    }

    /// Ready as soon as the stream must end; until then whoever polls is woken when it does.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if let Some(why) = self.ended {
            return Poll::Ready(why);
        }
        let Some(begun) = self.begun else { return Poll::Pending };
        let due = self.deadline.due().into_iter().chain(self.silence.due()).min();
        loop {
            if let Some(check) = &mut self.check {
                let stands = ready!(check.as_mut().poll(cx));
                self.check = None;
                if !stands {
                    return Poll::Ready(self.end_for(Ended::Session));
                }
            }
            if self.timer.is_none() {
                let next = next_moment(self.spread(), self.leave_at.into_iter().chain(due).min());
                self.timer = Some(Box::pin(sleep_until(next)));
            }
            let Some(timer) = &mut self.timer else { return Poll::Pending };
            if let Some(due) = due.filter(|due| timer.deadline() > *due) {
                timer.as_mut().reset(due);
                self.registered = false;
            }
            if self.registered && !timer.is_elapsed() {
                return Poll::Pending;
            }
            self.registered = true;
            ready!(timer.as_mut().poll(cx));
            self.registered = false;
            let (set_for, now) = (timer.deadline(), Instant::now());
            if let Some(limit) = self.limit_over(now) {
                return Poll::Ready(self.end_for(Ended::Limit(limit)));
            }
            if self.lasts() && self.leave_at.is_none() {
                self.leave_at = self.watchman.as_ref().and_then(|watchman| watchman.stopping.leave_at());
            }
            if self.leave_at.is_some_and(|moment| now >= moment) {
                return Poll::Ready(self.end_for(Ended::Stop));
            }
            let limits = self.deadline.due().into_iter().chain(self.silence.due());
            let next = next_moment(self.spread(), limits.chain(self.leave_at).min());
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(next);
            }
            // One that was set for an earlier request says nothing about this one, which has just been judged.
            if set_for > begun {
                self.check = self.question();
            }
        }
    }

    /// The limit of the route that is over at `now`.
    fn limit_over(&mut self, now: Instant) -> Option<Limit> {
        let silent = self.silence.is_over(now);
        let of_silence = if self.lasts() { Limit::StreamIdle } else { Limit::Read };
        self.deadline.hit(now).or_else(|| silent.then_some(of_silence))
    }

    fn end_for(&mut self, why: Ended) -> Ended {
        self.ended = Some(why);
        if let (Ended::Session, Some((_, id))) = (why, &self.permit) {
            info!(request_id = id.as_str(), outcome = "stream_ended", "A stream ended with its session");
        }
        why
    }

    fn question(&self) -> Option<Check> {
        let (Some(watchman), Some((permit, _))) = (&self.watchman, &self.permit) else { return None };
        let (auth, permit) = (Arc::clone(&watchman.auth), permit.clone());
        Some(Box::pin(async move { auth.still_stands(&permit, SystemTime::now()).await }))
    }

    /// What the moments of the request at hand are spread by: the same for all that end together.
    fn spread(&self) -> u64 {
        let by_begin = |begun: Instant| u64::try_from(begun.duration_since(*BEGINNING).as_millis()).unwrap_or(0);
        match &self.permit {
            Some((permit, _)) => permit.spread(),
            None => self.begun.map_or(0, by_begin),
        }
    }
}

impl fmt::Debug for StreamWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWatch").field("kind", &self.kind).field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Whether a type is that of answers which last until somebody ends them: events, calls of gRPC.
fn lasts(media: &[u8]) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    media.get(..EVENTS.len()).is_some_and(|start| start.eq_ignore_ascii_case(EVENTS)) || grpc::is_media(media)
}

/// The next of the moments at which streams with this `spread` are asked about, or `leave_at` if that comes before.
fn next_moment(spread: u64, leave_at: Option<Instant>) -> Instant {
    let now = Instant::now();
    let period = u64::try_from(PERIOD.as_millis()).unwrap_or(u64::MAX);
    let passed = u64::try_from(now.duration_since(*BEGINNING).as_millis()).unwrap_or(0);
    let into = (passed + period - spread % period) % period;
    let next = now + Duration::from_millis(period - into);
    leave_at.map_or(next, |leave_at| next.min(leave_at))
}
