//! The story: who may pass, how a person signs in, and how they leave.
//!
//! [`Auth`] holds what the story is told with. Everything that touches the outside (store, providers, dice) is a trait, and
//! the time is an argument, so a test can own a whole week.

mod answers;
mod authorization;
mod bearer;
mod cors;
mod decide;
mod denial;
mod endpoints;
mod judge;
mod open;
mod refusal;
mod sign_in;
mod sign_out;
mod vigil;

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;

pub use judge::Permit;
pub use refusal::{Recipient, Refusal, RefusalExit, Refused, Words};
pub use sign_in::binding::MAX_LIVE;

use self::answers::Answers;
use self::bearer::Tokens;
use self::denial::deny;
use self::endpoints::Endpoint;
use self::judge::{Verdict, judge};
use self::sign_in::{attempt, pending};
use crate::ground::limit::RateLimiter;
use crate::identity::headers::{HeaderPlan, HeaderSet, RenderedHeaders, render_all};
use crate::provider::Provider;
use crate::secret::{Entropy, sha256};
use crate::session::Session;
use crate::session::cache::SessionCache;
use crate::session::cached::LastSeen;
use crate::session::seal::Sealer;
use crate::session::store::RecordStore;
use crate::snapshot::{AuthSettings, Snapshot};
use crate::telemetry::Metrics;
use crate::web::{Reply, RequestView};

/// A session as it lies in the cache: with the header values of every header plan already rendered, so that a
/// signed-in request formats nothing.
#[derive(Debug, Clone)]
pub struct LiveSession {
    session: Session,
    headers: RenderedHeaders,
    record: Fingerprint,
}

/// Half of the SHA-256 of a sealed record.
type Fingerprint = [u8; 16];

fn fingerprint(record: &[u8]) -> Fingerprint {
    sha256(record).first_chunk().copied().unwrap_or_default()
}

impl LiveSession {
    /// Renders the headers of every plan for `session`, once. `record` is what it was read from, or sealed into.
    pub fn new<P: Borrow<HeaderPlan>>(mut session: Session, record: &[u8], plans: &[P]) -> Self {
        let (identity, headers) = render_all(plans, session.identity());
        session.share(identity);
        Self { session, headers, record: fingerprint(record) }
    }

    /// Whether `record` is, byte for byte, the one this session was read from: then there is nothing in it to be read
    /// that is not here. If another record could pass for it, whoever writes to the store could keep alive what a
    /// replica has changed; hence a hash that nobody can find a second text for.
    fn is_from(&self, record: &[u8]) -> bool {
        self.record == fingerprint(record)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The headers that `plan` writes. They are rendered here only for a session that was loaded under an earlier
    /// configuration.
    fn headers(&self, plan: &HeaderPlan) -> HeaderSet {
        self.headers.of(plan).cloned().unwrap_or_else(|| plan.render(self.session.identity()))
    }
}

impl LastSeen for LiveSession {
    fn last_seen(&self) -> std::time::SystemTime {
        self.session.last_seen()
    }
}

/// The story: everything that a request is judged and answered with. What it knows of the configuration is the snapshot;
/// all else outlives a change of it.
pub struct Auth {
    snapshot: ArcSwap<Snapshot>,
    sessions: Arc<RelyingParty>,
    tokens: Tokens,
    exit: RefusalExit,
    metrics: Arc<Metrics>,
    provider: Arc<dyn Provider>,
    limits: SignInLimits,
}

/// The parts an [`Auth`] is built from.
pub struct Parts {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// The way to issuers.
    pub provider: Arc<dyn Provider>,
    /// Where records are kept.
    pub store: Arc<dyn RecordStore>,
    /// How records are sealed.
    pub sealer: Sealer,
    /// Sessions in memory.
    pub cache: SessionCache<LiveSession>,
    /// Dice.
    pub entropy: Arc<dyn Entropy>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// The answer to a request.
#[derive(Debug)]
pub enum Decision {
    /// Pass it on.
    Forward(Permit),
    /// Answer it ourselves.
    Answer(Reply),
}

impl Auth {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { snapshot, provider, store, sealer, cache, entropy, metrics } = parts;
        let settings = Arc::clone(snapshot.settings());
        Self {
            tokens: Tokens::new(&settings.bearer, Arc::clone(&provider), Arc::clone(&metrics), &*entropy),
            limits: SignInLimits::new(&settings),
            exit: RefusalExit::new(Arc::clone(&metrics)),
            metrics: Arc::clone(&metrics),
            provider,
            sessions: Arc::new(RelyingParty {
                settings,
                snapshot: Arc::clone(&snapshot),
                store,
                sealer,
                cache,
                entropy,
                metrics,
            }),
            snapshot: ArcSwap::new(snapshot),
        }
    }

    /// The configuration that is in force. A request loads it once and goes by it to its end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The one exit of every refusal.
    pub fn exit(&self) -> &RefusalExit {
        &self.exit
    }

    /// The session store, for readiness.
    pub fn store(&self) -> &Arc<dyn RecordStore> {
        &self.sessions.store
    }

    /// Decides one request by one configuration. Runs once per request, never on a retry.
    pub async fn decide(&self, snapshot: &Snapshot, view: &RequestView<'_>, now: SystemTime) -> Decision {
        if let Some(endpoint) = Endpoint::of(view.target, &snapshot.settings().prefix) {
            let own = self.sign_in(snapshot);
            return Decision::Answer(if snapshot.serves(view.host) {
                Box::pin(own.endpoint(endpoint, view, now)).await
            } else {
                own.answers.refusal(Refusal::UnknownHost, view)
            });
        }
        match judge(snapshot, view, &self.sessions, &self.tokens, now).await {
            Verdict::Allowed(permit) => Decision::Forward(permit),
            Verdict::Refused(denial) => Decision::Answer(deny(&self.exit, &denial, view, snapshot)),
            Verdict::Preflight(reply) => Decision::Answer(reply),
        }
    }

    /// Whether the session or token behind `permit` still stands at `now`.
    pub async fn still_stands(&self, permit: &Permit, now: SystemTime) -> bool {
        self.sessions.still_stands(permit, now).await
    }

    /// Our own addresses under one configuration, for one request.
    fn sign_in<'a>(&'a self, snapshot: &'a Snapshot) -> SignIn<'a> {
        let (settings, sessions, metrics) = (&**snapshot.settings(), &self.sessions, &*self.metrics);
        SignIn {
            answers: Answers { snapshot, settings, sessions, exit: &self.exit, metrics },
            snapshot,
            settings,
            sessions,
            metrics,
            provider: &*self.provider,
            store: &*sessions.store,
            sealer: &sessions.sealer,
            entropy: &*sessions.entropy,
            limits: &self.limits,
        }
    }
}

/// What the sessions of people stand on.
pub(crate) struct RelyingParty {
    settings: Arc<AuthSettings>,
    snapshot: Arc<Snapshot>,
    store: Arc<dyn RecordStore>,
    sealer: Sealer,
    cache: SessionCache<LiveSession>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
}

impl RelyingParty {
    fn enliven(&self, session: Session, record: &[u8]) -> LiveSession {
        LiveSession::new(session, record, self.snapshot.plans())
    }
}

/// So many minutes' worth of sign-ins may one client begin at once.
const START_BURST_MINUTES: u32 = 2;

/// How many sign-ins may begin, and be under way.
struct SignInLimits {
    starts: RateLimiter,
    under_way: pending::UnderWay,
}

impl SignInLimits {
    fn new(settings: &AuthSettings) -> Self {
        let remembered = attempt::remembered_for(settings.lifetimes.attempt);
        Self {
            starts: RateLimiter::new(settings.starts_per_minute, START_BURST_MINUTES),
            under_way: pending::UnderWay::new(settings.max_attempts, remembered),
        }
    }
}

/// Signing in under one configuration, for one request.
struct SignIn<'a> {
    answers: Answers<'a>,
    snapshot: &'a Snapshot,
    settings: &'a AuthSettings,
    sessions: &'a Arc<RelyingParty>,
    metrics: &'a Metrics,
    provider: &'a dyn Provider,
    store: &'a dyn RecordStore,
    sealer: &'a Sealer,
    entropy: &'a dyn Entropy,
    limits: &'a SignInLimits,
}

impl SignIn<'_> {
    fn attempts(&self) -> attempt::Attempts<'_> {
        attempt::Attempts { store: self.store, sealer: self.sealer, lifetime: self.settings.lifetimes.attempt }
    }
}

#[cfg(test)]
mod tests;
