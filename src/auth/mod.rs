//! The story: who may pass, how a person signs in, and how they leave.
//!
//! [`Auth`] holds what the story is told with. Everything that touches the outside (store, providers, randomness) is a trait, and
//! the time is an argument, so a test can own a whole week.

mod answers;
mod approvals;
mod ask_again;
mod authorization;
mod bearer;
mod challenge;
mod cookie_renewal;
mod cors;
mod denial;
mod endpoints;
mod judge;
mod left_out;
mod link_page;
mod link_ticket;
mod linking;
mod own_address;
mod provider_logout;
mod readiness;
mod refusal;
mod registration;
mod session_cookie;
mod sign_in;
mod sign_out;
mod signals;
mod signed_out;

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::Notify;

pub use approvals::{Asked, Desk, LONGEST_WAIT, NotAsked};
pub use judge::Permit;
pub use link_ticket::LONGEST_PLACE;
pub use linking::{ChangedBy, Imported, Linking, LinkingParts};
pub use readiness::{ProviderReadiness, SignInReadiness};
pub use refusal::{Message, Recipient, Refusal, RefusalExit, Refused};
pub use session_cookie::brings_own_token;
pub use sign_in::binding::MAX_LIVE;

use self::answers::Answers;
use self::bearer::Tokens;
use self::denial::deny;
use self::endpoints::Endpoint;
use self::judge::{Holder, Verdict, judge};
use self::registration::Registration;
use self::sign_in::attempts;
use self::sign_in::one_source::OneSource;
use crate::assertion::keeper::AssertionKeys;
use crate::ground::limit::RateLimiter;
use crate::ground::ttl_cache::TtlCache;
use crate::provider::{HttpClient, Provider, Providers};
use crate::secret::Entropy;
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::sessions::Sessions;
use crate::session::store::RecordStore;
use crate::snapshot::{AuthSettings, ClientRegistration, Snapshot};
use crate::telemetry::Metrics;
use crate::web::{Reply, RequestView};

/// The story: everything that a request is judged and answered with. What it knows of the configuration is the snapshot;
/// all else outlives a change of it.
pub struct Auth {
    snapshot: ArcSwap<Snapshot>,
    sessions: Arc<Sessions>,
    tokens: Tokens,
    exit: RefusalExit,
    metrics: Arc<Metrics>,
    providers: Providers,
    linking: Option<Linking>,
    registration: Option<Registration>,
    approvals: ApprovalParts,
    limits: SignInLimits,
    last_readiness: readiness::LastSeen,
}

/// The parts an [`Auth`] is built from.
pub struct Parts {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// The ways to those who vouch for people, by the ids of their registrations.
    pub providers: Providers,
    /// Sessions.
    pub sessions: Arc<Sessions>,
    /// Links of people to accounts of the app; `None` where there are no accounts.
    pub links: Option<LinkingParts>,
    /// Keys that sign for the app; `None` where nothing is signed for it.
    pub assertion_keys: Option<Arc<AssertionKeys>>,
    /// The way to the app's webhook, if it has one.
    pub webhook: Option<Arc<HttpClient>>,
    /// Where randomness comes from.
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
        let Parts { snapshot, sessions, links, assertion_keys, webhook, providers, entropy, metrics } = parts;
        let settings = Arc::clone(snapshot.settings());
        sessions.confirm_by(Arc::new(ask_again::AskAgain {
            snapshot: Arc::clone(&snapshot),
            providers: providers.clone(),
            unclear: Default::default(),
            metrics: Arc::clone(&metrics),
        }));
        Self {
            tokens: Tokens::new(&settings.bearer, Arc::clone(providers.first()), Arc::clone(&metrics), &*entropy),
            linking: links.map(|parts| {
                sessions.linked_by(Arc::clone(&parts.links) as _);
                Linking::new(parts, Arc::clone(&sessions), Arc::clone(&metrics))
            }),
            registration: assertion_keys.clone().map(|keys| Registration { keys }),
            approvals: ApprovalParts { ended: Notify::new(), webhook, keys: assertion_keys },
            limits: SignInLimits::new(&settings),
            last_readiness: readiness::LastSeen::default(),
            exit: RefusalExit::new(Arc::clone(&metrics)),
            metrics,
            providers,
            sessions,
            snapshot: ArcSwap::new(snapshot),
        }
    }

    /// The configuration that is in force. A request loads it once and goes by it to its end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Links of people to accounts of the app; `None` where there are no accounts.
    pub fn linking(&self) -> Option<&Linking> {
        self.linking.as_ref()
    }

    /// Approvals by one configuration; `None` where nobody is asked.
    pub fn approvals<'a>(&'a self, snapshot: &'a Snapshot) -> Option<Desk<'a>> {
        self.sign_in(snapshot).desk()
    }

    /// The one exit of every refusal.
    pub fn exit(&self) -> &RefusalExit {
        &self.exit
    }

    /// Whether somebody could sign in now; the metric is told, and the log of a change.
    pub async fn sign_in_readiness(&self, now: SystemTime) -> SignInReadiness {
        let found = readiness::look(self.sessions.store(), self.providers.iter(), now).await;
        readiness::tell(&found, &self.last_readiness, &self.metrics);
        found
    }

    /// Decides one request by one configuration. Runs once per request, never on a retry.
    pub async fn decide(&self, snapshot: &Snapshot, view: &RequestView<'_>, now: SystemTime) -> Decision {
        if let Some(endpoint) = Endpoint::of(view.target, &snapshot.settings().prefix) {
            let own = self.sign_in(snapshot);
            return Decision::Answer(if snapshot.serves(view.host) {
                if let (Endpoint::Approval, Some(desk)) = (endpoint, own.desk()) {
                    return Decision::Answer(Box::pin(desk.page(&own, view, now)).await);
                }
                Box::pin(own.endpoint(endpoint, view, now)).await
            } else {
                own.answers.refusal(Refusal::UnknownHost, view)
            });
        }
        match judge(snapshot, view, &self.sessions, &self.tokens, now).await {
            Verdict::Allowed(permit) => Decision::Forward(permit),
            Verdict::Refused(denial) => {
                let registration = self.to_registration(snapshot, &denial, view, now);
                Decision::Answer(registration.unwrap_or_else(|| deny(&self.exit, &denial, view, snapshot)))
            }
            Verdict::Preflight(reply) => Decision::Answer(reply),
        }
    }

    /// Whether the session or token behind `permit` still stands at `now`: a stream that was opened under it ends with it.
    ///
    /// A WebSocket is judged once, when it is opened, and may then live for days. If nobody looked again, signing out would
    /// leave the door open for whoever holds the stream. A token ends by its own word.
    pub async fn still_stands(&self, permit: &Permit, now: SystemTime) -> bool {
        match permit.holder() {
            Holder::Nobody => true,
            Holder::Session(opened, _, key) => self.sessions.still_stands(opened, *key, now).await,
            Holder::Token(token, _) => token.is_live(now),
        }
    }

    /// How long a body may be, in bytes, for a request that is answered from its body; `None` for all others: theirs is
    /// passed on unread, or not looked at.
    pub fn longest_body(&self, snapshot: &Snapshot, view: &RequestView<'_>) -> Option<usize> {
        if *view.method != Method::POST || !snapshot.serves(view.host) {
            return None;
        }
        match Endpoint::of(view.target, &snapshot.settings().prefix) {
            Some(Endpoint::BackchannelLogout) => Some(provider_logout::MAX_BODY),
            Some(Endpoint::Signals) if snapshot.settings().signals.is_some() => Some(signals::MAX_BODY),
            Some(Endpoint::ApprovalNotice) if snapshot.settings().approvals.is_some() => Some(approvals::MAX_BODY),
            Some(Endpoint::Approval) if snapshot.settings().approvals.is_some() => Some(snapshot.settings().form_bytes),
            Some(Endpoint::Callback | Endpoint::Link | Endpoint::Native | Endpoint::NativeNonce | Endpoint::Start) => {
                Some(snapshot.settings().form_bytes)
            }
            _ => None,
        }
    }

    /// Answers a request by its whole body; see [`Auth::longest_body`].
    pub async fn answer_body(
        &self,
        snapshot: &Snapshot,
        view: &RequestView<'_>,
        body: &[u8],
        now: SystemTime,
    ) -> Reply {
        let own = self.sign_in(snapshot);
        match Endpoint::of(view.target, &snapshot.settings().prefix) {
            Some(
                endpoint @ (Endpoint::Callback
                | Endpoint::Link
                | Endpoint::Native
                | Endpoint::NativeNonce
                | Endpoint::Start),
            ) => Box::pin(own.endpoint(endpoint, &RequestView { form: body, ..*view }, now)).await,
            Some(endpoint @ (Endpoint::Approval | Endpoint::ApprovalNotice)) => match own.desk() {
                Some(desk) if endpoint == Endpoint::ApprovalNotice => Box::pin(desk.hear(view, body, now)).await,
                Some(desk) => Box::pin(desk.page(&own, &RequestView { form: body, ..*view }, now)).await,
                None => own.answers.refusal(Refusal::NotFound, view),
            },
            Some(Endpoint::Signals) => Box::pin(own.signal(view, body, now)).await,
            _ => Box::pin(own.backchannel_logout(view, body, now)).await,
        }
    }

    /// Whether the answer to a request with `permit` is to bring the session cookie again, so that a browser keeps it for as
    /// long as it is in use; see [`Auth::renewed_cookie`]. Cheap, and mostly no.
    pub fn is_cookie_due(&self, snapshot: &Snapshot, permit: &Permit, now: SystemTime) -> bool {
        cookie_renewal::is_cookie_due(snapshot, permit, now)
    }

    /// The session cookie that a request with `headers` brought, to be sent again with its answer. Of several requests that
    /// ask at the same time one gets it. Not for an answer that a shared cache may keep.
    pub fn renewed_cookie(
        &self,
        snapshot: &Snapshot,
        permit: &Permit,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        cookie_renewal::renewed_cookie(snapshot, permit, headers, now)
    }

    /// Our own addresses under one configuration, for one request.
    fn sign_in<'a>(&'a self, snapshot: &'a Snapshot) -> SignIn<'a> {
        let (settings, sessions, metrics) = (&**snapshot.settings(), &self.sessions, &*self.metrics);
        SignIn {
            linking: self.linking(),
            approvals: &self.approvals,
            assertion_keys: self.registration.as_ref().map(|registration| &*registration.keys),
            answers: Answers { snapshot, settings, sessions, exit: &self.exit, metrics },
            snapshot,
            settings,
            sessions,
            metrics,
            registration: settings.registrations.first(),
            provider: &**self.providers.first(),
            providers: &self.providers,
            store: &**sessions.store(),
            sealer: sessions.sealer(),
            entropy: sessions.entropy(),
            limits: &self.limits,
        }
    }
}

/// So many minutes' worth of sign-ins may one client begin at once.
const START_BURST_MINUTES: u32 = 2;

/// States of sign-ins that this process remembers to be used up.
const MOST_SPENT: u64 = 10_000;

/// How many sign-ins one client may begin, and what is known of those that are over.
/// How often an answer may come once more before it counts as one that belongs to no sign-in: a double click, a reload,
/// Back.
const FREE_REPEATS: u8 = 3;

struct SignInLimits {
    starts: RateLimiter,
    /// Callbacks that belong to no sign-in.
    forged: RateLimiter,
    /// What apps on phones ask for.
    native: RateLimiter,
    /// Where sign-ins come from.
    source: OneSource,
    /// States that are known to be used up, and how often each came once more.
    spent: TtlCache<StoreKey, u8>,
}

impl SignInLimits {
    fn new(settings: &AuthSettings) -> Self {
        let remembered = attempts::remembered_for(settings.lifetimes.attempt);
        Self {
            starts: RateLimiter::new(settings.starts_per_minute, START_BURST_MINUTES),
            forged: RateLimiter::new(settings.starts_per_minute, START_BURST_MINUTES),
            native: RateLimiter::new(
                settings.native.as_ref().map_or(0, |native| native.per_minute),
                START_BURST_MINUTES,
            ),
            source: OneSource::default(),
            spent: TtlCache::new(MOST_SPENT, remembered),
        }
    }

    /// Whether the state of `key` is known to be used up; then this time counts.
    fn comes_again(&self, key: StoreKey) -> bool {
        let Some(times) = self.spent.get(&key) else { return false };
        self.spent.insert(key, times.saturating_add(1));
        true
    }

    /// Whether the state of `key` came again more often than by a double click, a reload or Back.
    fn is_repeated(&self, key: &StoreKey) -> bool {
        self.spent.get(key).is_some_and(|times| *times > FREE_REPEATS)
    }
}

/// Signing in under one configuration, for one request.
#[derive(Clone, Copy)]
struct SignIn<'a> {
    answers: Answers<'a>,
    snapshot: &'a Snapshot,
    settings: &'a AuthSettings,
    sessions: &'a Arc<Sessions>,
    metrics: &'a Metrics,
    /// With whom this person signs in.
    registration: &'a ClientRegistration,
    provider: &'a dyn Provider,
    providers: &'a Providers,
    store: &'a dyn RecordStore,
    sealer: &'a Sealer,
    entropy: &'a dyn Entropy,
    limits: &'a SignInLimits,
    /// Links of people to accounts of the app.
    linking: Option<&'a Linking>,
    /// Keys that sign for the app.
    assertion_keys: Option<&'a AssertionKeys>,
    approvals: &'a ApprovalParts,
}

/// What approvals need beside what a sign-in needs.
struct ApprovalParts {
    /// Told whenever an approval ends.
    ended: Notify,
    /// The way to the app.
    webhook: Option<Arc<HttpClient>>,
    /// Sign receipts and events.
    keys: Option<Arc<AssertionKeys>>,
}

impl<'a> SignIn<'a> {
    /// Approvals; `None` where nobody is asked.
    fn desk(&self) -> Option<Desk<'a>> {
        Some(Desk {
            snapshot: self.snapshot,
            settings: Arc::clone(self.settings.approvals.as_ref()?),
            sessions: self.sessions,
            providers: self.providers,
            keys: self.approvals.keys.as_ref(),
            metrics: self.metrics,
            ended: &self.approvals.ended,
            webhook: self.approvals.webhook.as_ref(),
        })
    }

    /// The same with another provider: the one that `registration` is with.
    fn at(&self, registration: &'a ClientRegistration) -> Option<SignIn<'a>> {
        let provider = &**self.providers.get(&registration.id)?;
        Some(SignIn { registration, provider, ..*self })
    }

    /// The same with the provider that speaks for `issuer`.
    fn at_issuer(&self, issuer: &str) -> Option<SignIn<'a>> {
        self.at(self.settings.registrations.iter().find(|registration| registration.trusts(issuer))?)
    }

    fn attempts(&self) -> attempts::Attempts<'_> {
        attempts::Attempts {
            store: self.store,
            sealer: self.sealer,
            lifetime: self.settings.lifetimes.attempt,
            entropy: self.entropy,
            metrics: self.metrics,
        }
    }
}

#[cfg(test)]
mod tests;
