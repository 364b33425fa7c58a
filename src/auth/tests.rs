//! The story with time in the test's own hands: one person, one carrier, a store in memory, and a clock that goes where
//! it is told.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use http::Method;
use http::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use parking_lot::Mutex;
use serde_json::json;
use url::Url;

use super::*;
use crate::carrier::profile;
use crate::config::Config;
use crate::oidc::jwks::KeySet;
use crate::oidc::test_tokens::{self, RSA};
use crate::provider::{Carrier, CodeGrant, Discovery, IssuerSettings, ProviderError, Providers, Tokens, UserInfo};
use crate::route::path::NormalTarget;
use crate::secret::{SecretString, SystemEntropy};
use crate::session::cache::{CacheLimits, SessionCache};
use crate::session::cached::CachePolicy;
use crate::session::memory::MemoryStore;
use crate::session::seal::SealKeys;
use crate::session::sessions;
use crate::session::store::{Kind, Limits, Relation, StoreError};
use crate::session::{Lifetimes, SessionId, StoreKey};
use crate::snapshot::{Registrations, ResponseMode};
use crate::telemetry::metrics::RequestOutcome;
use crate::web::cookie::CookieNames;
use crate::web::{Reply, RequestView};

use std::time::{Duration, SystemTime};

mod begun_anew;
mod budgets;
mod cancelled;
mod ends;
mod fake;
mod frames;
mod lifetimes;
pub(super) mod lines;
mod provider_logout;
mod recheck;
mod sign_out;
mod streams;
mod switch;
mod tokens;
mod two_hosts;
mod verdicts;
mod words;

use self::fake::Fake;
use self::switch::Switch;

const CARRIER: &str = "https://carrier.example";
const MINUTE: Duration = Duration::from_secs(60);

pub(super) const CONFIG: &str = "
public_url: https://apps.example
provider:
  zenkey: { client_id: ccid-a, client_secret: s, trusted_issuers: ['https://carrier.example'] }
sessions: { store: memory }
routes:
  - { host: apps.example, path: /app, access: session, upstream: 'http://127.0.0.1:1' }
  - { host: second.example, path: /app, access: session, upstream: 'http://127.0.0.1:1' }
";

/// `text`, compiled.
pub(super) fn snapshot(text: &str) -> Snapshot {
    let (config, _) = Config::parse(text, "story.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
    let registration = ClientRegistration {
        profile: &profile::ZENKEY,
        id: String::new(),
        name: String::new(),
        section: "provider".to_owned(),
        client_id: "ccid-a".to_owned(),
        scopes: vec!["openid".to_owned()],
        acr_values: vec!["a1".to_owned()],
        assurance: Vec::new(),
        require_acr: true,
        find: profile::ZENKEY.find.to_vec(),
        optimized_discovery: None,
        member_redirect_uris: false,
        remember_carrier: None,
        discovery_ui: Some(Url::parse("https://discovery.example/ui").unwrap()),
        issuers: vec![IssuerSettings::of("provider.zenkey.trusted_issuers[0]", CARRIER)],
        userinfo: false,
        request: Default::default(),
        response_mode: ResponseMode::Query,
        max_id_token: 256 * 1024,
        port_tokens: Default::default(),
    };
    let settings = AuthSettings {
        claims_bytes: crate::oidc::claims::NamedClaims::MOST_BYTES,
        public_url: config.public_url.clone(),
        prefix: "/oauth2".to_owned(),
        skew: MINUTE,
        registrations: Registrations::new(registration, Vec::new()),
        lifetimes: Lifetimes::default(),
        reserved_headers: Vec::new(),
        longest_target: 8192,
        form_bytes: 64 * 1024,
        display_claims: vec!["email".to_owned()],
        contact: None,
        other_account_prompt: "select_account",
        return_origins: Vec::new(),
        cookies: CookieNames::default(),
        cookie_life: crate::snapshot::CookieLife::Persistent,
        sign_out: crate::snapshot::ProviderSignOut::Ask,
        recheck: false,
        recheck_unclear: 3,
        front_channel_logout: false,
        starts_per_minute: 60,
        bearer: config.bearer.clone(),
        client_key_sets: Default::default(),
        has_accounts: false,
        approvals: None,
        native: None,
        signals: None,
        registration: None,
    };
    Snapshot::compile(settings, config.routes).unwrap()
}

/// A gateway's story, and a browser that knows how to keep cookies of two hosts.
struct Story {
    auth: Arc<Auth>,
    store: Arc<Switch>,
    /// Another configuration than the one it began with.
    snapshot: Option<Arc<Snapshot>>,
    provider: Arc<Fake>,
    now: SystemTime,
    /// Further headers of its requests.
    headers: Vec<(&'static str, String)>,
    jar: Vec<(&'static str, String, String)>,
}

impl Story {
    fn begin() -> Self {
        Self::with(|policy| policy)
    }

    fn with(policy: impl FnOnce(CachePolicy) -> CachePolicy) -> Self {
        let store = Arc::new(Switch {
            store: MemoryStore::new(Limits::default()),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        });
        Self::on(store, CacheLimits::default(), 100, policy)
    }

    /// A gateway on `store`, which others may use too.
    fn on(
        store: Arc<Switch>,
        cache: CacheLimits,
        pending_revocations: usize,
        policy: impl FnOnce(CachePolicy) -> CachePolicy,
    ) -> Self {
        Self::made((store, Arc::default()), cache, pending_revocations, None, Arc::new(snapshot(CONFIG)), policy)
    }

    /// A gateway on `store` that asks `provider` again.
    fn rechecking(
        store: Arc<Switch>,
        provider: Arc<Fake>,
        recheck: crate::session::provider_check::RecheckPolicy,
        snapshot: Arc<Snapshot>,
    ) -> Self {
        let policy = |policy| policy;
        Self::made((store, provider), CacheLimits::default(), 100, Some(recheck), snapshot, policy)
    }

    fn made(
        (store, provider): (Arc<Switch>, Arc<Fake>),
        cache: CacheLimits,
        pending_revocations: usize,
        recheck: Option<crate::session::provider_check::RecheckPolicy>,
        snapshot: Arc<Snapshot>,
        policy: impl FnOnce(CachePolicy) -> CachePolicy,
    ) -> Self {
        let lifetimes = Lifetimes::default();
        let metrics = Arc::new(Metrics::new());
        let sessions = Sessions::new(sessions::Parts {
            store: Arc::clone(&store) as Arc<dyn RecordStore>,
            sealer: Sealer::new(SealKeys::default()),
            cache: SessionCache::new(cache),
            entropy: Arc::new(SystemEntropy),
            metrics: Arc::clone(&metrics),
            policy: policy(CachePolicy::for_lifetimes(&lifetimes)),
            lifetimes,
            pending_revocations,
            recheck,
        });
        let auth = Arc::new(Auth::new(Parts {
            links: None,
            assertion_keys: None,
            webhook: None,
            snapshot,
            sessions,
            providers: Providers::one(Arc::clone(&provider) as Arc<dyn Provider>),
            entropy: Arc::new(SystemEntropy),
            metrics,
        }));
        Self {
            auth,
            store,
            snapshot: None,
            provider,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
            headers: Vec::new(),
            jar: Vec::new(),
        }
    }

    /// From now on the routes are those of `text`, and the settings what `change` makes of them.
    fn configure(&mut self, text: &str, change: impl FnOnce(&mut AuthSettings)) {
        let mut settings = AuthSettings::clone(self.auth.snapshot().settings());
        let (config, _) = Config::parse(text, "story.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
        settings.bearer = config.bearer.clone();
        change(&mut settings);
        self.snapshot = Some(Arc::new(Snapshot::compile(settings, config.routes).unwrap()));
    }

    async fn ask(&mut self, method: Method, url: &str) -> Decision {
        let url = Url::parse(url).unwrap();
        let host = if url.host_str() == Some("second.example") { "second.example" } else { "apps.example" };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, "text/html".parse().unwrap());
        headers.insert("origin", url.origin().ascii_serialization().parse().unwrap());
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        let own = self.jar.iter().filter(|(of, ..)| *of == host);
        let cookies: Vec<_> = own.map(|(_, name, value)| format!("{name}={value}")).collect();
        headers.insert(COOKIE, cookies.join("; ").parse().unwrap());
        let target = NormalTarget::parse(url[url::Position::BeforePath..].as_bytes()).unwrap();
        let client = std::net::IpAddr::from([127, 0, 0, 1]);
        let view = RequestView {
            method: &method,
            host,
            target: &target,
            headers: &headers,
            client,
            request_id: "r",
            form: b"",
        };
        *self.provider.now.lock() = Some(self.now);
        let snapshot = self.snapshot.clone().unwrap_or_else(|| self.auth.snapshot());
        let decision = self.auth.decide(&snapshot, &view, self.now).await;
        if let Decision::Answer(reply) = &decision {
            for (_, cookie) in reply.headers.iter().filter(|(name, _)| *name == SET_COOKIE) {
                let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.jar.retain(|(of, known, _)| *of != host || known != name);
                if !attributes.contains("Max-Age=0") {
                    self.jar.push((host, name.to_owned(), value.to_owned()));
                }
            }
        }
        decision
    }

    async fn get(&mut self, url: &str) -> Reply {
        match self.ask(Method::GET, url).await {
            Decision::Answer(reply) => reply,
            Decision::Forward(_) => panic!("{url} was passed on"),
        }
    }

    /// Where in memory the identity headers of a request's session lie; `None` if it is not passed on.
    async fn headers_lie_at(&mut self, url: &str) -> Option<usize> {
        let Decision::Forward(permit) = self.ask(Method::GET, url).await else { return None };
        permit.identity_headers().and_then(|set| set.iter().next()).map(|(_, value)| value.as_bytes().as_ptr().addr())
    }

    async fn passes(&mut self, url: &str) -> bool {
        matches!(self.ask(Method::GET, url).await, Decision::Forward(permit) if permit.names_somebody())
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Begins on `host`; what the discovery UI sends back.
    async fn until_discovery(&mut self, host: &str) -> String {
        let mut to = location(&self.get(&format!("https://{host}/oauth2/start?rd=/app")).await);
        if to.host_str() == Some("apps.example") {
            to = location(&self.get(to.as_str()).await);
        }
        format!("https://apps.example/oauth2/callback?mccmnc=310007&state={}", value(&to, "state"))
    }

    /// From there; what the carrier sends back.
    async fn until_carrier(&mut self, back: &str) -> String {
        let to = location(&self.get(back).await);
        *self.provider.nonce.lock() = value(&to, "nonce");
        format!("https://apps.example/oauth2/callback?code=c&state={}", value(&to, "state"))
    }

    async fn sign_in(&mut self) -> Reply {
        let back = self.until_discovery("apps.example").await;
        let back = self.until_carrier(&back).await;
        self.get(&back).await
    }
}

fn location(reply: &Reply) -> Url {
    let to = reply.headers.iter().find(|(name, _)| *name == LOCATION);
    let to = to.unwrap_or_else(|| panic!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
    Url::parse("https://apps.example").unwrap().join(to.1.to_str().unwrap()).unwrap()
}

fn value(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name} in {url}")).1.into_owned()
}

/// A fresh sign-in for `/app`, begun for the person; no session.
#[track_caller]
fn assert_begun_anew(reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 302, "{}", String::from_utf8_lossy(&reply.body));
    let to = location(reply);
    assert_eq!((to.path(), to.query()), ("/oauth2/start", Some("again=1&rd=%2Fapp")));
    let cookies = reply.headers.iter().filter(|(name, _)| *name == SET_COOKIE);
    assert!(cookies.map(|(_, cookie)| cookie.to_str().unwrap()).all(|cookie| !cookie.starts_with("__Host-gw=")));
}
