//! The one question: may this request pass, and if not, what is the answer?
//!
//! A request goes down once and comes up once. For a hot session the whole way is: one cookie scan, one hash, one
//! look-up, one comparison of times. Nothing waits, nothing is formatted, nothing is copied that can be shared.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Method, StatusCode};
use tracing::warn;

use super::authorization::{Presented, presented};
use super::bearer::LiveToken;
use super::login::LOOP_COOKIE;
use super::refusal::{Recipient, Refusal, Refused};
use super::{LiveSession, RelyingParty, cors};
use crate::identity::headers::HeaderSet;
use crate::route::path::MAX_RETURN;
use crate::route::path::ReturnTo;
use crate::route::{Access, Found};
use crate::session::hot::{Freshness, Hot};
use crate::session::store::{Kind, StoreError};
use crate::session::{SessionId, StoreKey};
use crate::snapshot::{CompiledRoute, Snapshot};
use crate::telemetry::metrics::RequestOutcome;
use crate::web::cookie::{clear_cookie, find_cookie};
use crate::web::page::{Action, ErrorPage, error_page};
use crate::web::{Reply, RequestView};

/// The answer to the one question.
#[derive(Debug)]
pub enum Decision {
    /// Pass it on.
    Forward(Permit),
    /// Answer it ourselves.
    Answer(Reply),
}

/// Proof that a request may go to its route's upstream, and as whom. Born here and nowhere else; without one the
/// gateway has no peer to connect to.
#[derive(Debug, Clone)]
pub struct Permit {
    route: Arc<CompiledRoute>,
    holder: Holder,
}

/// As whom a request passes.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Nobody,
    /// With the headers that the route's upstream gets, and where the session's record lies.
    Session(Arc<Hot<LiveSession>>, HeaderSet, StoreKey),
    Token(Arc<LiveToken>, HeaderSet),
}

impl Permit {
    /// The route.
    pub fn route(&self) -> &Arc<CompiledRoute> {
        &self.route
    }

    /// The identity headers the upstream gets; `None` on anonymous routes.
    pub fn identity_headers(&self) -> Option<&HeaderSet> {
        match &self.holder {
            Holder::Nobody => None,
            Holder::Session(_, headers, _) | Holder::Token(_, headers) => Some(headers),
        }
    }

    /// What stands behind it, for its one count.
    pub fn outcome(&self) -> RequestOutcome {
        match self.holder {
            Holder::Nobody => RequestOutcome::Anonymous,
            Holder::Session(..) => RequestOutcome::Session,
            Holder::Token(..) => RequestOutcome::Bearer,
        }
    }

    /// Whether anybody stands behind it whose time may run out: a session or an access token.
    pub fn names_somebody(&self) -> bool {
        !matches!(self.holder, Holder::Nobody)
    }

    /// As whom, as it was when the request was judged.
    pub(super) fn holder(&self) -> &Holder {
        &self.holder
    }
}

/// Why a session is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A person uses it: their idle time begins anew.
    Use,
    /// A page or a program merely asks about it. If that counted, a tab that asks every minute would keep its session
    /// alive for as long as the tab is open (F05).
    Peek,
}

/// What the session cookie led to.
pub(super) enum Visitor {
    /// Signed in.
    SignedIn(Arc<Hot<LiveSession>>, StoreKey),
    /// No cookie of ours.
    NoCookie,
    /// A cookie that leads nowhere: wrong, over, signed out, or not openable. All look alike from outside (R09).
    DeadCookie,
    /// The store owes us the answer.
    StoreDown,
}

/// Longest address of ours that a browser is sent to; well within what our own listener takes.
const LONGEST_START: usize = 6 * 1024;

/// The address that begins a sign-in and returns to `target`. One that would be too long to be asked for begins a
/// sign-in all the same, and returns to the start page: a 414 would keep the person out.
fn start_for(start: &str, target: &str) -> String {
    if target.len() <= MAX_RETURN {
        let rd: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        if rd.len() <= LONGEST_START {
            return format!("{start}?rd={rd}");
        }
    }
    start.to_owned()
}

impl RelyingParty {
    /// Decides one request. Runs once per request, never on a retry.
    pub async fn decide(self: &Arc<Self>, snapshot: &Snapshot, view: &RequestView<'_>, now: SystemTime) -> Decision {
        let host_is_ours = view.host == snapshot.public_host();
        if let Some(endpoint) = self.own_endpoint(view.target) {
            if snapshot.serves(view.host) {
                return Decision::Answer(Box::pin(self.endpoint(endpoint, view, now)).await);
            }
            return self.refuse(Refusal::UnknownHost, view);
        }
        let route = match snapshot.find(view.host, view.target) {
            Found::Route(route) => route,
            Found::NoRoute => return self.refuse(Refusal::NoRoute, view),
            Found::UnknownHost if host_is_ours => return self.refuse(Refusal::NoRoute, view),
            Found::UnknownHost => return self.refuse(Refusal::UnknownHost, view),
        };
        if route.access == Access::Anonymous {
            return Decision::Forward(Permit { route: Arc::clone(route), holder: Holder::Nobody });
        }
        if let Some(reply) = cors::preflight(view, route) {
            return Decision::Answer(reply);
        }
        let holder = match route.access {
            Access::Anonymous => Ok(Holder::Nobody),
            Access::Bearer => self.by_token(presented(view.headers), route, snapshot, view, now).await,
            Access::Session => self.by_session(route, view, now).await,
            Access::SessionOrBearer => match presented(view.headers) {
                Presented::Nothing => self.by_session(route, view, now).await.map_err(|mut reply| {
                    if reply.status == StatusCode::UNAUTHORIZED {
                        reply.set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                    }
                    reply
                }),
                there => self.by_token(there, route, snapshot, view, now).await,
            },
        };
        match holder {
            Ok(holder) => Decision::Forward(Permit { route: Arc::clone(route), holder }),
            Err(reply) => Decision::Answer(cors::expose(reply, view, route)),
        }
    }

    async fn by_session(
        self: &Arc<Self>,
        route: &CompiledRoute,
        view: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<Holder, Reply> {
        match self.session_of(view, Look::Use, now).await {
            Visitor::SignedIn(live, key) => match route.require.check(live.value().session.identity()) {
                Ok(()) => {
                    let headers = live.value().headers(route.headers());
                    Ok(Holder::Session(live, headers, key))
                }
                Err(unmet) => {
                    let (route, reason) = (Some(route.name.as_str()), format!("{unmet:?}"));
                    let refused = Refused { route, reason: Some(&reason), ..Refused::of(Refusal::PolicyUnmet, view) };
                    let start = format!("{}/start", self.settings.prefix);
                    Err(self.exit.refuse(refused, Recipient::Anyone { view, start: &start }))
                }
            },
            Visitor::NoCookie => Err(self.unauthenticated(view, false)),
            Visitor::DeadCookie => Err(self.unauthenticated(view, true)),
            Visitor::StoreDown => Err(self.refusal(Refusal::StoreUnavailable, view)),
        }
    }

    /// The session the request's cookie names, from memory if it is hot, else from the store, once for all who wait.
    pub(super) async fn session_of(self: &Arc<Self>, view: &RequestView<'_>, look: Look, now: SystemTime) -> Visitor {
        let Some(value) = find_cookie(view.headers, &self.settings.cookies.session) else { return Visitor::NoCookie };
        let Some(id) = SessionId::parse(value) else { return Visitor::DeadCookie };
        let key = id.store_key();
        match self.at_hand(&id, key, look, now) {
            Ok(hot) => Visitor::SignedIn(hot, key),
            // In a box, like everything that is rare: each request carries the room for what it might have to wait for.
            Err(copy) => Box::pin(self.load(id, copy, look, now)).await,
        }
    }

    /// The session from memory, if the copy there may be served. If not, the store is to be asked; the copy that may
    /// stand in for its answer comes back.
    fn at_hand(
        self: &Arc<Self>,
        id: &SessionId,
        key: StoreKey,
        look: Look,
        now: SystemTime,
    ) -> Result<Arc<Hot<LiveSession>>, Option<Arc<Hot<LiveSession>>>> {
        let hot = self.cache.get(&key).ok_or(None)?;
        let policy = &self.settings.cache_policy;
        let freshness = hot.freshness(now, policy);
        match freshness {
            Freshness::Fresh | Freshness::Revalidate => {}
            Freshness::Recheck => return Err(Some(hot)),
            Freshness::Stale => return Err(None),
        }
        // One that seems idle may have been used on another replica: the store has the last word.
        if !hot.value().session.is_live(now, hot.last_used(), &self.settings.lifetimes) {
            return Err(None);
        }
        if look == Look::Use {
            hot.touch(now);
        }
        // However fresh the copy is: the store drops a session of whose uses it does not hear (F05).
        if look == Look::Use && hot.claim_touch(now, policy) {
            let (party, hot, id) = (Arc::clone(self), Arc::clone(&hot), id.clone());
            tokio::spawn(async move { party.learn(&hot, &id, party.tell_use(&hot, &id, now).await, now) });
        } else if freshness == Freshness::Revalidate && hot.claim_check(now, policy) {
            let (party, hot, id) = (Arc::clone(self), Arc::clone(&hot), id.clone());
            tokio::spawn(async move { party.learn(&hot, &id, party.ask_about(&id, now).await, now) });
        }
        Ok(hot)
    }

    /// The slow way: the session is not in memory, or its copy is too old to be served unasked. `copy` is what may
    /// still be served if the store does not answer.
    async fn load(
        self: &Arc<Self>,
        id: SessionId,
        copy: Option<Arc<Hot<LiveSession>>>,
        look: Look,
        now: SystemTime,
    ) -> Visitor {
        let key = id.store_key();
        let (party, asked, known) = (Arc::clone(self), id.clone(), copy.clone());
        let fetch = || async move {
            let Some(record) = party.store.get(Kind::Session, key, now).await? else { return Ok(None) };
            // Between two pages of a person mostly nothing has changed: what was opened and rendered is good still.
            if let Some(known) = known.filter(|known| known.value().is_from(&record)) {
                return Ok(Some(known.value().clone()));
            }
            match party.sealer.open_session(&asked, &record) {
                Ok(session) => Ok(Some(party.enliven(session, &record))),
                Err(reason) => {
                    warn!(reason = %reason, code = "session_corrupt", "A session record could not be opened");
                    Ok(None)
                }
            }
        };
        let lookups = &self.metrics.session_lookups;
        let (count, visitor) = match self.cache.load(key, now, fetch).await {
            Ok(Some(hot)) if hot.value().session.is_live(now, hot.last_used(), &self.settings.lifetimes) => {
                if look == Look::Use {
                    hot.touch(now);
                    // Somebody who comes every few minutes always lands here. If only the check of a copy told the
                    // store of uses, it would drop their session in the middle of their work (F05).
                    if hot.claim_touch(now, &self.settings.cache_policy) {
                        let (party, hot) = (Arc::clone(self), Arc::clone(&hot));
                        tokio::spawn(async move { party.learn(&hot, &id, party.tell_use(&hot, &id, now).await, now) });
                    }
                }
                (&lookups.store, Visitor::SignedIn(hot, key))
            }
            Ok(Some(_)) => {
                self.cache.remove(&key);
                (&lookups.none, Visitor::DeadCookie)
            }
            Ok(None) => (&lookups.none, Visitor::DeadCookie),
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not answer");
                match copy {
                    Some(hot) if hot.value().session.is_live(now, hot.last_used(), &self.settings.lifetimes) => {
                        if look == Look::Use {
                            hot.touch(now);
                        }
                        (&lookups.grace, Visitor::SignedIn(hot, key))
                    }
                    _ => (&lookups.error, Visitor::StoreDown),
                }
            }
        };
        count.inc();
        visitor
    }

    /// Whether the store still has a session that is at hand. An answer that does not come changes nothing: nobody is
    /// signed out by an outage.
    async fn ask_about(&self, id: &SessionId, now: SystemTime) -> Result<bool, StoreError> {
        self.store.get(Kind::Session, id.store_key(), now).await.map(|record| record.is_some())
    }

    /// Writes down that the session is in use; whether it was still there.
    async fn tell_use(&self, hot: &Hot<LiveSession>, id: &SessionId, now: SystemTime) -> Result<bool, StoreError> {
        let mut seen = hot.value().session.clone();
        seen.seen(seen.last_seen().max(hot.last_used()));
        let record = self.sealer.seal_session(id, &seen, &*self.entropy);
        let keep = seen.keep_for(now, &self.settings.lifetimes);
        self.store.replace(Kind::Session, id.store_key(), &record, keep, now).await
    }

    /// Takes what the store said about a session, asked at `now`, to the copy at hand.
    fn learn(&self, hot: &Hot<LiveSession>, id: &SessionId, answer: Result<bool, StoreError>, now: SystemTime) {
        match answer {
            Ok(true) => hot.confirm(now),
            Ok(false) => self.cache.remove(&id.store_key()),
            Err(error) => {
                self.metrics.store_errors.inc();
                warn!(reason = %error, "The session store did not answer; sessions in memory go on for their grace");
            }
        }
    }

    /// No session: a person is sent to sign in, a program is told where one could.
    fn unauthenticated(&self, view: &RequestView<'_>, clear: bool) -> Reply {
        let start = format!("{}/start", self.settings.prefix);
        let mut reply = if view.is_navigation() {
            match HeaderValue::try_from(start_for(&start, view.target.as_str())) {
                Ok(location) => Reply::redirect(StatusCode::FOUND, location),
                Err(_) => Reply::empty(StatusCode::UNAUTHORIZED),
            }
        } else if view.method == Method::POST && view.wants_html() {
            // What was typed into a form is neither kept nor sent again: it may be anybody's by the time they are back.
            error_page(ErrorPage {
                status: StatusCode::UNAUTHORIZED,
                title: "You are not signed in",
                text: "What you sent was not passed on. Go back and copy it, sign in, then send it again.",
                code: "unauthenticated",
                request_id: view.request_id,
                action: Some(Action { label: "Sign in", href: &start }),
            })
        } else {
            crate::web::page::error_json(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                view.request_id,
                Some(&format!("{}{start}", self.snapshot.load().origin_of(view.host))),
            )
        };
        if clear {
            reply.add_cookie(clear_cookie(&self.settings.cookies.session));
            // Dead or not, it was brought: this browser keeps cookies, and is not going round in circles.
            let name = format!("{}{LOOP_COOKIE}", self.settings.cookies.attempt_prefix);
            if find_cookie(view.headers, &name).is_some() {
                reply.add_cookie(clear_cookie(&name));
            }
        }
        reply
    }

    /// Takes a session cookie that leads nowhere away (F20): a browser that kept it would bring it to every page.
    pub(super) fn without_dead_cookie(&self, mut reply: Reply, visitor: &Visitor) -> Reply {
        if matches!(visitor, Visitor::DeadCookie) {
            reply.add_cookie(clear_cookie(&self.settings.cookies.session));
        }
        reply
    }

    /// A refusal, counted and logged where it is handled.
    pub(super) fn refusal(&self, refusal: Refusal, view: &RequestView<'_>) -> Reply {
        self.refusal_to(refusal, view, None)
    }

    /// A refusal of somebody who was on the way to a page: starting again leads there.
    pub(super) fn refusal_to(&self, refusal: Refusal, view: &RequestView<'_>, to: Option<&ReturnTo>) -> Reply {
        let mut start = format!("{}/start", self.settings.prefix);
        if let Some(to) = to.filter(|to| **to != ReturnTo::home()) {
            start.push_str("?rd=");
            start.extend(url::form_urlencoded::byte_serialize(to.location().as_bytes()));
        }
        self.exit.refuse(Refused::of(refusal, view), Recipient::Anyone { view, start: &start })
    }

    fn refuse(&self, refusal: Refusal, view: &RequestView<'_>) -> Decision {
        Decision::Answer(self.refusal(refusal, view))
    }
}
