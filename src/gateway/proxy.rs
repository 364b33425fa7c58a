//! The framework's phases, a short paragraph each. What is decided is decided in `auth/`; what is removed and written
//! is in `headers.rs`; this room only keeps the order.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::{HttpPeer, Peer as _};
use pingora::{Error, ErrorSource, ErrorType, Result};

use tokio::time::timeout;

use super::access_log::{AccessLog, Line};
use super::adapt::{Seen, Untranslatable, address, honest_nominations, refuse_head, refuse_target};
use super::answer_deadline::Limit;
use super::attempt::Request;
use super::body_rate::BodyPace;
use super::context::{Context, RequestId};
use super::edits::edit_answer;
use super::ended::Ended;
use super::headers::HeaderRules;
use super::listeners::facts;
use super::named_limits::NamedLimits;
use super::peer::longest_silence;
use super::stream_watch::Watchman;
use super::{GatewaySettings, answer_framing, grpc, guarded_stream, reply, request_watch, spelling};
use crate::auth::{Auth, Decision, Permit, Recipient, Refusal, RefusalExit, Refused};
use crate::route::Traits;
use crate::route::path::NormalTarget;
use crate::snapshot::AuthSettings;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::RequestOutcome;
use crate::web::{RequestView, wants_html};

/// Largest head of an upstream's answer, names and values. The framework's own limit is between one mebibyte and
/// twice that, by how the bytes happen to arrive (O06).
const MAX_ANSWER_HEAD: usize = 256 * 1024;

/// The proxy: shared parts, no state of its own.
pub(super) struct Gateway {
    pub(super) auth: Arc<Auth>,
    pub(super) exit: RefusalExit,
    pub(super) settings: GatewaySettings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ids: Arc<AtomicU64>,
    /// Who ends streams, and knows whether the gateway stops.
    pub(super) watchman: Watchman,
    /// `None` if requests get no line.
    pub(super) access_log: Option<Arc<AccessLog>>,
}

impl Gateway {
    /// Announces the end of a connection whose request was under way when the stop began: a client that was told to
    /// keep it would send its next request into a closed one.
    fn announce_stop(&self, session: &mut Session) {
        // Whoever sent requests ahead is told that the next one was not read; if that is known too late to tell, it is served.
        let ahead =
            session.stream().and_then(guarded_stream::of).is_some_and(guarded_stream::GuardedStream::has_sent_ahead);
        if ahead || self.watchman.stopping.has_begun() {
            session.set_keepalive(None);
        }
    }

    /// Limits of the connection for this request, then who asks for what. Sync, no I/O.
    fn admit(&self, session: &mut Session, context: &mut Context) -> Result<(), Untranslatable> {
        let watch = session.stream().and_then(guarded_stream::of);
        if let Some(watch) = watch {
            context.peer = watch.peer().clone();
            context.ready_headers = watch.take_ready_headers();
        } else if let Some(facts) = facts::of(session) {
            context.peer = facts.peer.clone();
        }
        let header = session.req_header();
        let (client, behind_proxy) = self.settings.trusted_proxies.client(context.peer.address(), &header.headers);
        context.client = client;
        context.behind_proxy = behind_proxy;
        let mut address = match watch {
            Some(watch) => watch
                .judged(|seen| address(header, Some(seen)).inspect_err(|_| context.note_refused(header, seen.target))),
            None => address(header, None).inspect_err(|_| context.note_refused(header, header.raw_path())),
        }?;
        let settled = context.snapshot.settle(
            &address.host,
            &mut address.target,
            Traits { method: &header.method, headers: &header.headers },
        );
        context.host = address.host;
        let target = context.target.insert(address.target);
        settled.map_err(refuse_target)?;
        // The watch takes what an address of ours may need; and where the connection is not watched (HTTP/2), nobody has
        // looked yet.
        if is_too_long(target, context.snapshot.settings()) {
            return Err(Untranslatable { refusal: Refusal::TargetTooLong, reason: "target_too_long" });
        }
        let length = target.as_str().len();
        let seen = Seen::of(&header.headers);
        if watch.is_none() {
            self.settings.limits.head.judge(seen.fields, seen.bytes + length).map_err(refuse_head)?;
        }
        context.announced = seen.announced;
        if seen.cookies > self.settings.max_cookie_bytes {
            return Err(Untranslatable { refusal: Refusal::HeadTooLarge, reason: "cookie_too_large" });
        }
        if seen.nominates {
            let said = honest_nominations(&header.headers)?;
            if said.rewritten.is_some() {
                said.apply(session.req_header_mut());
            }
        }
        Ok(())
    }

    /// Why a request that was let in was not answered by the app: for limits their key and size, else the framework's word.
    fn reason_of<'a>(&self, refusal: Refusal, error: &'a Error, context: &Context) -> Cow<'a, str> {
        match (refusal, error.etype()) {
            (Refusal::BodyTooLarge, _) => {
                over_max_body(context.permit.as_ref().map_or(0, |permit| permit.route().max_body)).into()
            }
            (Refusal::ClientTooSlow, ErrorType::HTTPStatus(_)) => {
                let rate = self.settings.body_rate.bytes_per_second;
                format!("the body came slower than `limits.body_min_rate` of {rate} bytes a second").into()
            }
            (Refusal::ClientTooSlow, _) => {
                let patience = self.settings.client_read_timeout;
                format!("silent for longer than `limits.read_timeout` of {patience:?}").into()
            }
            (_, kind) => kind.as_str().into(),
        }
    }

    /// Sends the session cookie again when a share of its life is gone, so that a browser keeps it while it is in use. Never
    /// with an answer that a shared cache may keep: that would hand it to others.
    fn renew_cookie(&self, session: &Session, response: &mut ResponseHeader, context: &Context) -> Result<()> {
        let Some(permit) = &context.permit else { return Ok(()) };
        let (snapshot, now) = (&context.snapshot, context.received_at);
        if !self.auth.is_cookie_due(snapshot, permit, now) || is_for_shared_caches(&response.headers) {
            return Ok(());
        }
        match self.auth.renewed_cookie(snapshot, permit, &session.req_header().headers, now) {
            Some(cookie) => response.append_header(header::SET_COOKIE, cookie).map(drop),
            None => Ok(()),
        }
    }
}

fn is_too_long(target: &NormalTarget, settings: &AuthSettings) -> bool {
    let length = target.as_str().len().max(target.forwarded().len());
    length > settings.longest_target && (length > settings.longest_own_target() || !target.is_under(&settings.prefix))
}

/// Largest body that the framework keeps to send it once more.
const KEPT_BODY: u64 = 64 << 10;

/// Whether a request may be sent a second time, and whether what it said would still be known then (RFC 9110, 9.2.2).
fn is_repeatable(session: &mut Session, announced: Option<u64>) -> bool {
    session.req_header().method.is_idempotent()
        && (announced.map_or_else(|| session.is_body_empty(), |length| length <= KEPT_BODY))
}

fn over_max_body(longest: u64) -> String {
    format!("over the route's `max_body` (else `limits.body`) of {longest} bytes")
}

/// The limit of the route that ended the request, if one did.
fn limit_of(session: &Session) -> Option<Limit> {
    match request_watch::of(session)?.ended() {
        Some(Ended::Limit(limit)) => Some(limit),
        _ => None,
    }
}

fn is_body_broken(session: &Session) -> bool {
    session.stream().and_then(guarded_stream::of).is_some_and(guarded_stream::GuardedStream::is_body_broken)
}

/// The whole body of a request; `None` if it is longer than `longest` bytes.
async fn read_body(session: &mut Session, longest: usize, patience: Duration) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    // On HTTP/2 the framework waits for ever.
    let late = |_| Error::explain(ErrorType::ReadTimedout, "the body did not come").into_down();
    while let Some(part) = timeout(patience, session.read_request_body()).await.map_err(late)?? {
        if body.len() + part.len() > longest {
            return Ok(None);
        }
        body.extend_from_slice(&part);
    }
    Ok(Some(body))
}

/// Whether the app lets caches that serve several people keep its answer (RFC 9111, 5.2.2).
fn is_for_shared_caches(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::CACHE_CONTROL).iter().chain(headers.get_all("surrogate-control"));
    fields.filter_map(|value| value.to_str().ok()).any(|value| {
        let mut directives = value.split([',', ' ', '=']).map(str::trim);
        directives.any(|word| word.eq_ignore_ascii_case("public") || word.eq_ignore_ascii_case("s-maxage"))
    })
}

/// What the rooms below need to see of a request that was admitted.
pub(super) fn view<'a>(session: &'a Session, context: &'a Context, target: &'a NormalTarget) -> RequestView<'a> {
    let header = session.req_header();
    RequestView {
        method: &header.method,
        host: &context.host,
        target,
        headers: &header.headers,
        client: context.client,
        request_id: context.request_id.as_str(),
        form: b"",
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    /// Boxed: the framework's own state, which holds it, is copied for each request.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Context::new(RequestId::next(&self.ids), self.auth.snapshot()))
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut Box<Context>) -> Result<()> {
        session.set_read_timeout(Some(self.settings.client_read_timeout));
        session.set_write_timeout(Some(self.settings.client_write_timeout));
        if let Err(fault) = self.admit(session, context) {
            if let Some(health) = self.health_without_host(session) {
                context.early = Some(health);
                return Ok(());
            }
            self.metrics.limit_hits.with_label_values(&[fault.reason]).inc();
            context.rule = Some(fault.reason);
            let html = wants_html(&session.req_header().headers);
            let named = NamedLimits::of(&self.settings, context.snapshot.settings().longest_target);
            let reason = named.explain(fault.reason);
            let refused = context.refused(fault.refusal, Some(&reason));
            context.early = Some(self.exit.refuse(refused, Recipient::Unjudged { html }).closing());
        } else {
            context.early = self.health(session, context).or_else(|| self.to_https(session, context));
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Box<Context>) -> Result<bool> {
        if let Some(refused) = context.early.take() {
            self.answer(session, context, refused).await?;
            return Ok(true);
        }
        let Some(target) = context.target.take() else {
            return Err(Error::explain(ErrorType::InternalError, "a request without a target was let in"));
        };
        if let Some(longest) = self.auth.longest_body(&context.snapshot, &view(session, context, &target)) {
            let body = read_body(session, longest, self.settings.client_read_timeout).await?;
            let seen = view(session, context, &target);
            let answer = match body {
                Some(body) => self.auth.answer_body(&context.snapshot, &seen, &body, context.received_at).await,
                None => {
                    let start = context.snapshot.start();
                    self.metrics.limit_hits.with_label_values(&["body"]).inc();
                    let reason = format!("over {longest} bytes (`sign_in.form_bytes`; for a logout token it is fixed)");
                    let refused = context.refused(Refusal::BodyTooLarge, Some(&reason));
                    self.exit.refuse(refused, Recipient::Anyone { view: &seen, start }).closing()
                }
            };
            self.announce_stop(session);
            self.answer(session, context, answer).await?;
            return Ok(true);
        }
        let decision = self.auth.decide(&context.snapshot, &view(session, context, &target), context.received_at).await;
        let decision = match decision {
            Decision::Forward(permit) if context.announced.is_some_and(|length| length > permit.route().max_body) => {
                self.metrics.limit_hits.with_label_values(&["body"]).inc();
                let reason = over_max_body(permit.route().max_body);
                let refused = context.refused(Refusal::BodyTooLarge, Some(&reason));
                let refused = Refused { route: Some(&permit.route().name), ..refused };
                let (view, start) = (view(session, context, &target), context.snapshot.start());
                Decision::Answer(self.exit.refuse(refused, Recipient::Anyone { view: &view, start }).closing())
            }
            Decision::Forward(permit) => self.judge_upgrade(session, context, &target, permit),
            decision => decision,
        };
        let decision = self.lead_inward(session, context, &target, decision);
        let decision = self.answer_itself(session, context, &target, decision);
        context.target = Some(target);
        match decision {
            Decision::Answer(answer) => {
                self.announce_stop(session);
                self.answer(session, context, answer).await?;
                Ok(true)
            }
            Decision::Forward(permit) => {
                if !permit.route().preserve_header_case {
                    spelling::forget(session.req_header_mut());
                }
                context.outcome = permit.outcome();
                if let Some(mut watch) = request_watch::of(session) {
                    watch.begin(&self.watchman, &permit, context.request_id, context.started.into());
                }
                context.trailers = grpc::takes_trailers(session.req_header());
                context.permit = Some(permit);
                Ok(false)
            }
        }
    }

    /// No permit, no upstream.
    async fn upstream_peer(&self, session: &mut Session, context: &mut Box<Context>) -> Result<Box<HttpPeer>> {
        let no_permit = || Error::explain(ErrorType::InternalError, "a request without a permit asked for an upstream");
        // Another try sends the body from its beginning, through the same count.
        context.body = 0;
        context.body_pace = BodyPace::default();
        let permit = context.permit.as_ref().ok_or_else(no_permit)?;
        let request = Request {
            client: context.client,
            upgraded: context.upgrade,
            repeatable: is_repeatable(session, context.announced),
        };
        context.attempts.next(permit, request, Instant::now())
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        peer: &HttpPeer,
        context: &mut Box<Context>,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if let Some(permit) = &context.permit {
            let (upstream, now) = (permit.route().upstream(), Instant::now());
            error.set_retry(context.attempts.connect_failed(upstream, peer.address(), now, &self.metrics));
        }
        error
    }

    /// What was sent once is sent again only if it may be, and only if the server closed a connection that had been kept.
    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Box<Context>,
        reused: bool,
    ) -> Box<Error> {
        if session.req_header().method.is_idempotent() && !session.as_ref().retry_buffer_truncated() {
            error.retry.decide_reuse(reused);
        } else {
            error.set_retry(false);
        }
        if let Some(permit) = &context.permit
            && session.response_written().is_none()
        {
            context.attempts.cut(permit.route().upstream(), &error, reused, Instant::now(), &self.metrics);
        }
        error
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        let mut ready = context.ready_headers.take();
        let prepared = HeaderRules::of(&context.snapshot).prepare(upstream, context, &mut ready, &self.metrics);
        context.ready_headers = ready;
        prepared
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut Box<Context>,
    ) -> Result<()> {
        if session.was_upgraded() {
            return Ok(());
        }
        // An empty last frame would be written as a second chunk terminator and desynchronise a pooled connection.
        if end_of_stream && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        context.body += body.as_ref().map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX));
        let late = body.as_ref().is_some_and(|body| {
            context.body_pace.is_too_slow(&self.settings.body_rate, body.len(), end_of_stream, Instant::now())
        });
        if late {
            self.metrics.limit_hits.with_label_values(&["body_rate"]).inc();
            return Err(Error::explain(ErrorType::HTTPStatus(408), "request body below its rate"));
        }
        if body.is_some()
            && let Some(mut watch) = request_watch::of(session)
        {
            watch.asked_more(Instant::now().into());
        }
        let limit = context.permit.as_ref().map_or(0, |permit| permit.route().max_body);
        if context.body > limit {
            self.metrics.limit_hits.with_label_values(&["body"]).inc();
            return Err(Error::explain(ErrorType::HTTPStatus(413), "request body over its limit"));
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        self.announce_stop(session);
        // The framework refuses a switch of protocols that only one side asked for, but passes one that nobody asked
        // for: whatever follows would be read as an answer of ours (O09).
        let may_switch = || session.is_upgrade_req() && context.upgrade;
        if response.status == StatusCode::SWITCHING_PROTOCOLS && !may_switch() {
            let mut error = Error::explain(ErrorType::InvalidHTTPHeader, "the upstream switched protocols unasked");
            error.as_up();
            return Err(error);
        }
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            session.set_read_timeout(
                context.permit.as_ref().map(|permit| longest_silence(&permit.route().upstream().settings)),
            );
        }
        let fields = response.headers.iter();
        if fields.map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_ANSWER_HEAD {
            let mut error = Error::explain(ErrorType::InvalidHTTPHeader, "the upstream's head is over its limit");
            error.as_up();
            return Err(error);
        }
        if !context.permit.as_ref().is_some_and(|permit| permit.route().preserve_header_case) {
            spelling::forget_answers(response)?;
        }
        // Before what it says of its connection is taken away.
        if let Some(permit) = context.permit.as_ref().filter(|_| !reply::is_interim(response)) {
            context.attempts.answered(permit.route().upstream(), response);
        }
        edit_answer(response, context)?;
        let client = session.req_header().version;
        let personal = context.permit.as_ref().is_some_and(Permit::names_somebody);
        HeaderRules::of(&context.snapshot).clean_response(response, client, personal, &self.metrics)?;
        self.lead_outward(response, session, context)?;
        if reply::is_interim(response) {
            return answer_framing::none(response);
        }
        if let Some(mut watch) = request_watch::of(session) {
            watch.answered(response);
        }
        self.renew_cookie(session, response, context)?;
        self.stay_with_https(session, response, context)?;
        answer_framing::settle(response)
    }

    fn suppress_error_log(&self, _session: &Session, _context: &Box<Context>, _error: &Error) -> bool {
        true
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Box<Context>) -> FailToProxy {
        let refusal = match (error.etype(), error.esource()) {
            (ErrorType::HTTPStatus(413), _) => Refusal::BodyTooLarge,
            (ErrorType::HTTPStatus(408), _) => Refusal::ClientTooSlow,
            // A chunk that is not as long as it says: where this request ends is anybody's guess (I08).
            (_, ErrorSource::Downstream) if is_body_broken(session) => Refusal::RequestMalformed,
            // Found out where the client is waited for, and the app's doing.
            (_, ErrorSource::Downstream) if limit_of(session).is_some() => Refusal::UpstreamTimeout,
            (kind, ErrorSource::Downstream) if kind.as_str() == "InvalidChunk" => Refusal::RequestMalformed,
            (
                ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout,
                ErrorSource::Upstream,
            ) => Refusal::UpstreamTimeout,
            (_, ErrorSource::Upstream) => Refusal::UpstreamUnavailable,
            (ErrorType::ReadTimedout, ErrorSource::Downstream) => Refusal::ClientTooSlow,
            (_, ErrorSource::Downstream) => {
                // Nobody's failure; and what we ended ourselves is none of the client's.
                if request_watch::of(session).is_none_or(|watch| watch.ended().is_none()) {
                    context.outcome = RequestOutcome::ClientGone;
                }
                return FailToProxy { error_code: 0, can_reuse_downstream: false };
            }
            (_, ErrorSource::Internal | ErrorSource::Unset) => Refusal::Internal,
        };
        let status = refusal.message().status;
        if refusal.is_upstreams() {
            context.outcome = RequestOutcome::UpstreamFailed;
        }
        let reason = match limit_of(session) {
            Some(limit) => limit.words().into(),
            None => self.reason_of(refusal, error, context),
        };
        let refused = context.refused(refusal, Some(&reason));
        if reply::has_begun(session) {
            self.exit.note(refused);
        } else {
            let start = context.snapshot.start();
            let seen = context.target.as_ref().map(|target| view(session, context, target));
            let recipient = match &seen {
                Some(view) => Recipient::Anyone { view, start },
                None => Recipient::Unjudged { html: false },
            };
            let answer = self.exit.refuse(refused, recipient);
            if self.answer(session, context, answer.closing()).await.is_err() {
                return FailToProxy { error_code: 0, can_reuse_downstream: false };
            }
        }
        FailToProxy { error_code: status.as_u16(), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, context: &mut Box<Context>) {
        self.metrics.requests.of(context.outcome).inc();
        let now = Instant::now();
        let took = now.duration_since(context.started);
        self.metrics.request_seconds.observe(took.as_secs_f64());
        if let Some(log) = &self.access_log {
            log.say(Line {
                at: context.received_at + took,
                request_id: context.request_id,
                client: context.client,
                method: session.req_header().method.clone(),
                host: std::mem::take(&mut context.host),
                target: context.target.take(),
                refused: context.rule.map(|rule| (rule, std::mem::take(&mut context.refused_path))),
                permit: context.permit.take(),
                status: reply::final_status(session, context.outcome),
                bytes: session.body_bytes_sent(),
                took,
            });
        }
        if let Some(stream) = session.stream().and_then(guarded_stream::of) {
            stream.arm(now.into(), context.ready_headers.take());
        }
    }
}
