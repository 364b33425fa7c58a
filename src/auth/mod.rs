//! The story: who may pass, how a person signs in, and how they leave.
//!
//! [`RelyingParty`] is the bundle of ports the story is told with. Everything that touches the outside (store,
//! providers, dice) is a trait, and the time is an argument, so a test can own a whole week.

mod attempt;
mod authorization;
mod bearer;
mod binding;
mod callback;
mod cors;
mod decide;
mod denial;
mod hand_off;
mod judge;
mod login;
mod open;
mod refusal;
mod sign_out;
mod under_way;
mod vigil;
mod who;

use std::borrow::Borrow;
use std::sync::Arc;

use arc_swap::ArcSwap;

pub use binding::MAX_LIVE;
pub use decide::Decision;
pub use judge::Permit;
pub use refusal::{Recipient, Refusal, RefusalExit, Refused, Words};

use crate::ground::limit::RateLimiter;
use crate::identity::headers::{HeaderPlan, HeaderSet, RenderedHeaders, render_all};
use crate::provider::Provider;
use crate::secret::{Entropy, sha256};
use crate::session::Session;
use crate::session::cache::SessionCache;
use crate::session::hot::LastSeen;
use crate::session::seal::Sealer;
use crate::session::store::RecordStore;
use crate::snapshot::{AuthSettings, Snapshot};
use crate::telemetry::Metrics;

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

/// So many minutes' worth of sign-ins may one client begin at once.
const START_BURST_MINUTES: u32 = 2;

/// The Relying Party: everything the sign-in story stands on.
pub struct RelyingParty {
    settings: Arc<AuthSettings>,
    snapshot: ArcSwap<Snapshot>,
    provider: Arc<dyn Provider>,
    store: Arc<dyn RecordStore>,
    sealer: Sealer,
    cache: SessionCache<LiveSession>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
    exit: RefusalExit,
    sign_in_limiter: RateLimiter,
    under_way: under_way::UnderWay,
    tokens: bearer::Tokens,
}

/// The parts a [`RelyingParty`] is built from.
pub struct Parts {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// The way to issuers.
    pub provider: Arc<dyn Provider>,
    /// Where records are kept.
    pub store: Arc<dyn RecordStore>,
    /// How records are sealed.
    pub sealer: Sealer,
    /// Hot sessions.
    pub cache: SessionCache<LiveSession>,
    /// Dice.
    pub entropy: Arc<dyn Entropy>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl RelyingParty {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { snapshot, provider, store, sealer, cache, entropy, metrics } = parts;
        let settings = Arc::clone(snapshot.settings());
        let tokens = bearer::Tokens::new(&settings.bearer, Arc::clone(&provider), Arc::clone(&metrics), &*entropy);
        Self {
            sign_in_limiter: RateLimiter::new(settings.starts_per_minute, START_BURST_MINUTES),
            under_way: under_way::UnderWay::new(
                settings.max_attempts,
                attempt::remembered_for(settings.lifetimes.attempt),
            ),
            settings,
            snapshot: ArcSwap::new(snapshot),
            provider,
            store,
            sealer,
            cache,
            entropy,
            exit: RefusalExit::new(Arc::clone(&metrics)),
            metrics,
            tokens,
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
        &self.store
    }

    fn attempts(&self) -> attempt::Attempts<'_> {
        attempt::Attempts { store: &*self.store, sealer: &self.sealer, lifetime: self.settings.lifetimes.attempt }
    }

    fn enliven(&self, session: Session, record: &[u8]) -> LiveSession {
        LiveSession::new(session, record, self.snapshot.load().plans())
    }
}

#[cfg(test)]
mod tests;
