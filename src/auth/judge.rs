//! The one question: may this request pass, and as whom?
//!
//! [`judge`] is a function of a configuration, a request, the sessions and the access tokens we know. No connection stands
//! behind it and none of our own addresses is in it, so whoever has a request to ask about can ask.
//!
//! For a session at hand the whole way is: one cookie scan, one hash, one look-up, one comparison of times. Nothing waits,
//! nothing is formatted, nothing is copied that can be shared.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::authorization::{Presented, presented};
use super::bearer::{LiveToken, Tokens};
use super::cors;
use super::left_out::does_not_fit;
use super::refusal::{Denied, Refusal};
use super::session_cookie::{session_anew, session_of, token_id};
use crate::identity::headers::HeaderSet;
use crate::policy::Unmet;
use crate::route::{Access, Found, Traits};
use crate::session::cached::CachedSession;
use crate::session::live::LiveSession;
use crate::session::sessions::{Lookup, Purpose, Sessions};
use crate::session::{Session, StoreKey};
use crate::snapshot::{CompiledRoute, Snapshot};
use crate::telemetry::metrics::RequestOutcome;
use crate::web::{Reply, RequestView};

/// The answer to the one question.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It may pass.
    Allowed(Permit),
    /// It may not.
    Refused(Denial),
    /// A preflight of an origin that the route lets read our answers: it is answered, and never passes.
    Preflight(Reply),
}

/// Why a request may not pass.
#[derive(Debug)]
pub(super) struct Denial {
    /// The route that judged it; `None` if no route did.
    pub route: Option<Arc<CompiledRoute>>,
    /// Why.
    pub cause: Cause,
}

/// What is missing, or wrong.
#[derive(Debug)]
pub(super) enum Cause {
    /// The route is closed for a while, for everybody.
    Closed(Option<Duration>),
    /// Somebody must sign in first. `dead_cookie`: a session cookie was there and leads nowhere.
    SignInFirst {
        /// Whether the browser brought a session cookie that leads nowhere.
        dead_cookie: bool,
        /// Whether an access token would have been taken instead.
        or_token: bool,
    },
    /// A person, or a request that no route takes, is refused.
    Person(Denied),
    /// A person who is signed in has less than the route demands.
    Unmet {
        /// The refusal.
        denied: Denied,
        /// As whom they are signed in, if they are to be told.
        who: Option<String>,
    },
    /// A person who is signed in keeps an attribute back, which the page names.
    Lacking {
        /// The refusal.
        denied: Denied,
        /// Its name in the configuration.
        attribute: String,
    },
    /// A person who is signed in has to confirm who they are once more, or in a stronger way.
    StepUp(Denied),
    /// A person who is signed in is linked to no account of the app, which the route demands.
    Unlinked(Arc<CachedSession<LiveSession>>),
    /// A program that brought an access token, or should have, is refused.
    Program(Denied),
}

/// Proof that a request may go to its route's upstream, and as whom. Born here and nowhere else; without one the
/// gateway has no upstream to connect to.
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
    Session(Arc<CachedSession<LiveSession>>, HeaderSet, StoreKey),
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

    /// Whether an access token stands behind it.
    pub fn is_by_token(&self) -> bool {
        matches!(self.holder, Holder::Token(..))
    }

    /// A number that is the same for all that ends with the same session or access token, and another for others.
    pub fn spread(&self) -> u64 {
        match &self.holder {
            Holder::Nobody => 0,
            Holder::Session(_, _, key) => key.0.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)),
            Holder::Token(token, _) => u64::try_from(Arc::as_ptr(token).addr() >> 4).unwrap_or(0),
        }
    }

    /// A number that is the same for all requests of a session, and as good as random; `None` without one.
    pub fn affinity(&self) -> Option<u64> {
        match &self.holder {
            Holder::Session(..) => Some(self.spread()),
            Holder::Nobody | Holder::Token(..) => None,
        }
    }

    /// As whom, as it was when the request was judged.
    pub(super) fn holder(&self) -> &Holder {
        &self.holder
    }
}

/// Judges one request. Its own addresses are not the judge's business: whoever asks has looked for those before.
pub(super) async fn judge(
    snapshot: &Snapshot,
    view: &RequestView<'_>,
    sessions: &Arc<Sessions>,
    tokens: &Tokens,
    now: SystemTime,
) -> Verdict {
    let nowhere = |refusal: Refusal| Verdict::Refused(Denial { route: None, cause: Cause::Person(refusal.into()) });
    let route = match snapshot.find(view.host, view.target, Traits { method: view.method, headers: view.headers }) {
        Found::Route(route) => route,
        Found::NoRoute => return nowhere(Refusal::NoRoute),
        Found::UnknownHost if view.host == snapshot.public_host() => return nowhere(Refusal::NoRoute),
        Found::UnknownHost => return nowhere(Refusal::UnknownHost),
    };
    if let Some(closed) = &route.maintenance {
        // Before anybody is asked who they are: nobody shall sign in to read that there is nothing.
        let cause = Cause::Closed(closed.retry_after);
        return Verdict::Refused(Denial { route: Some(Arc::clone(route)), cause });
    }
    if route.access == Access::Anonymous {
        return Verdict::Allowed(Permit { route: Arc::clone(route), holder: Holder::Nobody });
    }
    if let Some(reply) = cors::preflight(view, route) {
        return Verdict::Preflight(reply);
    }
    let by_token = async |presented: Presented<'_>| {
        // In a box: each request of a session would carry the room for it.
        let judged = Box::pin(tokens.judge(presented, route, snapshot, view, now)).await;
        judged.map(|(token, headers)| Holder::Token(token, headers)).map_err(Cause::Program)
    };
    let holder = match route.access {
        Access::Anonymous => Ok(Holder::Nobody),
        Access::Bearer => by_token(presented(view.headers)).await,
        Access::Session => by_session(route, snapshot, view, sessions, now).await,
        Access::SessionOrBearer => match presented(view.headers) {
            // An app on a phone brings its session as a token.
            Presented::Token(_) if token_id(view, snapshot.settings()).is_some() => {
                by_session(route, snapshot, view, sessions, now).await
            }
            Presented::Nothing => by_session(route, snapshot, view, sessions, now).await.map_err(|cause| match cause {
                Cause::SignInFirst { dead_cookie, .. } => Cause::SignInFirst { dead_cookie, or_token: true },
                other => other,
            }),
            there => by_token(there).await,
        },
    };
    match holder {
        Ok(holder) => Verdict::Allowed(Permit { route: Arc::clone(route), holder }),
        Err(cause) => Verdict::Refused(Denial { route: Some(Arc::clone(route)), cause }),
    }
}

async fn by_session(
    route: &CompiledRoute,
    snapshot: &Snapshot,
    view: &RequestView<'_>,
    sessions: &Arc<Sessions>,
    now: SystemTime,
) -> Result<Holder, Cause> {
    let mut found = session_of(snapshot, sessions, view, Purpose::Use, now).await;
    if route.linked_account && matches!(&found, Lookup::SignedIn(live, _) if live.value().account().is_none()) {
        // They may have been linked this very moment, at another gateway; in a box, since nobody else comes here.
        found = Box::pin(session_anew(snapshot, sessions, view, now)).await;
    }
    match found {
        // Somebody of another provider is nobody here: the way in is to sign in with one of the route's.
        Lookup::SignedIn(live, _) if !route.admits(live.value().session().identity()) => {
            Err(Cause::SignInFirst { dead_cookie: false, or_token: false })
        }
        Lookup::SignedIn(live, key) => match met(route, live.value().session(), now) {
            Ok(()) if route.linked_account && live.value().account().is_none() => Err(Cause::Unlinked(live)),
            Ok(()) => {
                let headers = live.value().headers(route.headers());
                match headers.refused() {
                    None => Ok(Holder::Session(live, headers, key)),
                    Some(header) => Err(Cause::Person(does_not_fit(header))),
                }
            }
            Err(unmet)
                if unmet.is_about_the_sign_in() && can_step_up(snapshot, route, live.value().session(), &unmet) =>
            {
                Err(Cause::StepUp(Denied::because(Refusal::StepUpNeeded, unmet)))
            }
            Err(Unmet::Attribute(attribute)) => {
                let reason = Unmet::Attribute(attribute.clone());
                Err(Cause::Lacking { denied: Denied::because(Refusal::AttributeMissing, reason), attribute })
            }
            Err(unmet) => {
                let who = snapshot.settings().display_name(live.value().session().identity());
                Err(Cause::Unmet { denied: Denied::because(refusal_of(&unmet), unmet), who })
            }
        },
        Lookup::Absent => Err(Cause::SignInFirst { dead_cookie: false, or_token: false }),
        Lookup::Dead => Err(Cause::SignInFirst { dead_cookie: true, or_token: false }),
        Lookup::StoreDown => Err(Cause::Person(Refusal::StoreUnavailable.into())),
    }
}

/// Whether the session is all that `route` demands. Of the SIM last: what else is missing no other SIM would bring.
fn met(route: &CompiledRoute, session: &Session, now: SystemTime) -> Result<(), Unmet> {
    route.require.check(session.identity(), now)?;
    route.require.check_sim(session.sim(), session.identity())
}

/// What somebody is told who has less than is demanded.
fn refusal_of(unmet: &Unmet) -> Refusal {
    match unmet {
        Unmet::SimConfirmation | Unmet::SimRecent | Unmet::SimUnknown => Refusal::SimUnmet,
        _ => Refusal::PolicyUnmet,
    }
}

/// Whether a further sign-in with the person's provider could meet what `route` demands of the way in which people sign in.
fn can_step_up(snapshot: &Snapshot, route: &CompiledRoute, session: &Session, unmet: &Unmet) -> bool {
    let issuer = session.identity().issuer();
    let registration = snapshot.settings().registrations.iter().find(|registration| registration.trusts(issuer));
    registration.is_some_and(|registration| match unmet {
        Unmet::SimConfirmation => registration.step_up(&route.require.of_step_up()).is_some(),
        _ => registration.step_up(&route.require).is_some(),
    })
}
