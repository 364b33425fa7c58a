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
mod failures;
mod hand_off;
mod login;
mod meter;
mod open;
mod refusal;
mod sign_out;
mod under_way;
mod vigil;
mod who;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use bearer::{BearerIssuer, BearerSettings};
pub use binding::MAX_LIVE;
pub use decide::{Decision, Permit};
pub use refusal::{Refusal, Words};

use crate::identity::headers::{HeaderPlan, HeaderSet, render_all};
use crate::provider::{IssuerSettings, Provider};
use crate::route::RouteTable;
use crate::route::path::ReturnPolicy;
use crate::secret::{Entropy, sha256};
use crate::session::cache::SessionCache;
use crate::session::hot::{CachePolicy, LastSeen};
use crate::session::seal::Sealer;
use crate::session::store::RecordStore;
use crate::session::{Lifetimes, Session};
use crate::telemetry::Metrics;
use crate::web::cookie::CookieNames;

/// What the story needs to know from the operator.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Origin people reach us by, without a trailing slash: `https://apps.example.com`. Its host is where signing in
    /// happens; the redirect URI is always built from it, never from what a client sent (A16).
    pub public_url: Url,
    /// Prefix of our own addresses. Default `/oauth2`.
    pub prefix: String,
    /// Our client id.
    pub client_id: String,
    /// Scopes of the authorization request; `openid` is among them.
    pub scopes: Vec<String>,
    /// Authentication contexts to ask for, in order of preference; sent explicitly (dossier 20, row 11).
    pub acr_values: Vec<String>,
    /// Whether a sign-in that reached none of `acr_values` is refused.
    pub require_acr: bool,
    /// Clock skew allowed between us and issuers. Default 60 s.
    pub skew: Duration,
    /// The carrier discovery UI; `None` for one fixed issuer.
    pub discovery_ui: Option<Url>,
    /// Trusted issuers.
    pub issuers: Vec<IssuerSettings>,
    /// Whether attributes are fetched from userinfo.
    pub userinfo: bool,
    /// Lifetimes.
    pub lifetimes: Lifetimes,
    /// When cached sessions are looked at again.
    pub cache_policy: CachePolicy,
    /// Where people may be sent after signing in or out.
    pub return_policy: ReturnPolicy,
    /// Names of our cookies.
    pub cookies: CookieNames,
    /// Sign-ins that one client may begin in a minute, twice as many at once; zero for no limit. Default 60.
    pub starts_per_minute: u32,
    /// Sign-ins that may be under way at once, as far as this process knows. Default 100,000.
    pub max_attempts: u64,
    /// Whose access tokens are accepted.
    pub bearer: BearerSettings,
}

/// A session as it lies in the cache: with the header values of every header plan already rendered, so that a
/// signed-in request formats nothing.
#[derive(Debug, Clone)]
pub struct LiveSession {
    session: Session,
    headers: Box<[HeaderSet]>,
    record: Fingerprint,
}

/// Half of the SHA-256 of a sealed record.
type Fingerprint = [u8; 16];

fn fingerprint(record: &[u8]) -> Fingerprint {
    sha256(record).first_chunk().copied().unwrap_or_default()
}

impl LiveSession {
    /// Renders the headers of every plan for `session`, once. `record` is what it was read from, or sealed into.
    pub fn new(mut session: Session, record: &[u8], plans: &[HeaderPlan]) -> Self {
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
}

impl LastSeen for LiveSession {
    fn last_seen(&self) -> std::time::SystemTime {
        self.session.last_seen()
    }
}

/// The Relying Party: everything the sign-in story stands on.
pub struct RelyingParty {
    settings: AuthSettings,
    routes: Arc<RouteTable>,
    plans: Vec<HeaderPlan>,
    plan_of_route: Vec<usize>,
    provider: Arc<dyn Provider>,
    store: Arc<dyn RecordStore>,
    sealer: Sealer,
    cache: SessionCache<LiveSession>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
    meter: meter::Meter,
    under_way: under_way::UnderWay,
    bearer: bearer::Bearer,
    public_host: String,
    redirect_uri: String,
}

/// The parts a [`RelyingParty`] is built from.
pub struct Parts {
    /// Settings.
    pub settings: AuthSettings,
    /// Routes.
    pub routes: Arc<RouteTable>,
    /// Header plans, each different one once.
    pub plans: Vec<HeaderPlan>,
    /// For each route, by its index, which plan it uses.
    pub plan_of_route: Vec<usize>,
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
        let Parts { settings, routes, plans, plan_of_route, provider, store, sealer, cache, entropy, metrics } = parts;
        let public_host = settings.public_url.host_str().unwrap_or_default().to_ascii_lowercase();
        let origin = settings.public_url.origin().ascii_serialization();
        let redirect_uri = format!("{origin}{}/callback", settings.prefix);
        let bearer = bearer::Bearer::new(&settings.bearer, &routes, &*entropy);
        Self {
            meter: meter::Meter::new(settings.starts_per_minute),
            under_way: under_way::UnderWay::new(
                settings.max_attempts,
                attempt::remembered_for(settings.lifetimes.attempt),
            ),
            settings,
            routes,
            plans,
            plan_of_route,
            provider,
            store,
            sealer,
            cache,
            entropy,
            metrics,
            bearer,
            public_host,
            redirect_uri,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &AuthSettings {
        &self.settings
    }

    /// The session store, for readiness.
    pub fn store(&self) -> &Arc<dyn RecordStore> {
        &self.store
    }

    /// The redirect URI registered with every carrier.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The origin of one of our hosts: scheme and port of the public URL, that host.
    fn origin_of(&self, host: &str) -> String {
        let url = &self.settings.public_url;
        match url.port() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        }
    }

    /// Whether `host` is one of ours.
    fn serves(&self, host: &str) -> bool {
        host == self.public_host || self.routes.serves(host)
    }

    fn attempts(&self) -> attempt::Attempts<'_> {
        attempt::Attempts { store: &*self.store, sealer: &self.sealer, lifetime: self.settings.lifetimes.attempt }
    }

    fn enliven(&self, session: Session, record: &[u8]) -> LiveSession {
        LiveSession::new(session, record, &self.plans)
    }
}

#[cfg(test)]
mod tests;
