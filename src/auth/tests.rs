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
use crate::session::store::{Kind, Limits, Relation, StoreError, Swap};
use crate::session::{Lifetimes, SessionId, StoreKey};
use crate::snapshot::{Registrations, ResponseMode};
use crate::telemetry::metrics::RequestOutcome;
use crate::web::cookie::CookieNames;
use crate::web::{Reply, RequestView};

use std::time::{Duration, SystemTime};

mod cancelled;
mod ends;
mod provider_logout;
mod recheck;
mod sign_out;
mod streams;
mod verdicts;

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

/// A carrier that answers at once, and signs whatever nonce the test learned from the authorization request.
#[derive(Default)]
struct Fake {
    nonce: Mutex<String>,
    now: Mutex<Option<SystemTime>>,
    redeemed: AtomicUsize,
    /// What it makes of refresh tokens, if it gives any.
    refreshing: Mutex<Option<recheck::Refreshing>>,
    /// The name of its session, if it says so.
    sid: Mutex<Option<String>>,
    /// Where its sessions end, if it says so.
    ends: Mutex<Option<Url>>,
}

fn carrier() -> Carrier {
    let url = |path: &str| Url::parse(&format!("{CARRIER}{path}")).unwrap();
    Carrier {
        issuer: CARRIER.to_owned(),
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        userinfo_endpoint: None,
        end_session_endpoint: None,
        jwks_uri: url("/jwks"),
        mccmnc: Some("310007".to_owned()),
        mccmnc_confirmed: true,
        iss_parameter_supported: false,
        auth_method: Default::default(),
        pushed_endpoint: None,
        server_initiated_endpoint: None,
        server_initiated_cancel_endpoint: None,
        requires_pushed_requests: false,
    }
}

#[async_trait]
impl Provider for Fake {
    async fn discover(&self, _: &str, _: &str, _: SystemTime) -> Result<Discovery, ProviderError> {
        Ok(Discovery::Carrier(Box::new(carrier())))
    }

    fn doubt(&self, _: &str, _now: SystemTime) {}

    async fn issuer(&self, _: SystemTime) -> Result<Carrier, ProviderError> {
        Ok(carrier())
    }

    async fn refresh(
        &self,
        _: &Carrier,
        token: &SecretString,
        _: SystemTime,
    ) -> Result<crate::oidc::refresh::RefreshResponse, ProviderError> {
        let now = self.now.lock().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let sign = |subject: &str| {
            let claims = json!({ "iss": CARRIER, "sub": subject, "aud": "ccid-a", "iat": now, "exp": now + 600 });
            RSA.token(&json!({ "alg": "RS256", "kid": "k" }), &claims)
        };
        let mut refreshing = self.refreshing.lock();
        refreshing.as_mut().ok_or(ProviderError::invalid("no refresh tokens"))?.answer(token, sign)
    }

    async fn logout_keys(
        &self,
        _: &str,
        _: Option<&str>,
        _: std::net::IpAddr,
        _: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    async fn end_session_endpoint(&self, issuer: &str, _: SystemTime) -> Option<Url> {
        self.ends.lock().clone().filter(|_| issuer == CARRIER)
    }

    async fn redeem(&self, _: &Carrier, _: &CodeGrant<'_>) -> Result<Tokens, ProviderError> {
        self.redeemed.fetch_add(1, Ordering::SeqCst);
        let now = self.now.lock().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": CARRIER, "sub": "somebody", "aud": "ccid-a", "nonce": *self.nonce.lock(), "acr": "a1",
            "iat": now, "exp": now + 600, "sid": *self.sid.lock(),
        });
        let id_token = RSA.token(&json!({ "alg": "RS256", "kid": "k" }), &claims);
        let refresh_token = self.refreshing.lock().as_ref().map(recheck::Refreshing::issued);
        Ok(Tokens { id_token, access_token: Some(SecretString::new("a")), refresh_token })
    }

    async fn keys(&self, _: &Carrier, _: Option<&str>, _: SystemTime) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    fn token_keys_at_hand(&self, _: &str, _: SystemTime) -> Option<Arc<KeySet>> {
        None
    }

    async fn token_keys(
        &self,
        _: &str,
        _: Option<&str>,
        _: std::net::IpAddr,
        _: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Ok(Arc::new(test_tokens::key_set(&[RSA.jwk("k")])))
    }

    async fn userinfo(&self, _: &Carrier, _: &SecretString, _: &str, _: SystemTime) -> Result<UserInfo, ProviderError> {
        Err(ProviderError::timeout())
    }
}

/// A store that can be away, and counts how often it is asked for sessions.
struct Switch {
    store: MemoryStore,
    away: AtomicBool,
    asked: AtomicUsize,
}

impl Switch {
    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn answers(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) { Err(StoreError::Unavailable("away".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl RecordStore for Switch {
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        r: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.answers()?;
        self.store.put(kind, key, r, keep, now).await
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        if kind == Kind::Session {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        self.answers()?;
        self.store.get(kind, key, now).await
    }

    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        self.answers()?;
        self.store.take(kind, key, now).await
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        self.answers()?;
        self.store.remove(kind, key).await
    }

    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.replace(kind, key, record, keep, now).await
    }

    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.insert(kind, key, record, keep, now).await
    }

    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], now: SystemTime) -> Result<bool, StoreError> {
        self.answers()?;
        self.store.swap(kind, swaps, now).await
    }

    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError> {
        self.answers()?;
        self.store.add_member(relation, of, member, keep, now).await
    }

    async fn members(&self, relation: Relation, of: StoreKey, now: SystemTime) -> Result<Vec<StoreKey>, StoreError> {
        self.answers()?;
        self.store.members(relation, of, now).await
    }

    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError> {
        self.answers()?;
        self.store.remove_member(relation, of, member).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.answers()
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        self.store.sweep(now).await
    }
}

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
        discovery_ui: Some(Url::parse("https://discovery.example/ui").unwrap()),
        issuers: vec![IssuerSettings {
            key: "provider.zenkey.trusted_issuers[0]".to_owned(),
            id: String::new(),
            authentication: None,
            issuer: CARRIER.to_owned(),
            tenants: Default::default(),
            allowed_hosts: Vec::new(),
            algorithms: vec!["RS256".to_owned()],
            accept_at_jwt_typ: false,
            claims: Default::default(),
            trusted_audiences: Vec::new(),
            migrates_from: Vec::new(),
        }],
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
            jar: Vec::new(),
        }
    }

    async fn ask(&mut self, method: Method, url: &str) -> Decision {
        let url = Url::parse(url).unwrap();
        let host = if url.host_str() == Some("second.example") { "second.example" } else { "apps.example" };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, "text/html".parse().unwrap());
        headers.insert("origin", url.origin().ascii_serialization().parse().unwrap());
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

// B09, KC05
#[tokio::test]
async fn a_sign_in_that_takes_longer_than_its_lifetime_is_over_at_every_leg_and_begins_anew_for_its_page() {
    let lifetime = Lifetimes::default().attempt;
    for late in [Duration::ZERO, MINUTE, lifetime - MINUTE, 20 * 60 * MINUTE] {
        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        story.wait(lifetime + late);
        assert_begun_anew(&story.get(&back).await);

        let mut story = Story::begin();
        let back = story.until_discovery("apps.example").await;
        story.wait(lifetime - Duration::from_secs(1));
        let back = story.until_carrier(&back).await;
        story.wait(Duration::from_secs(1) + late);
        assert_begun_anew(&story.get(&back).await);
        assert_eq!(story.provider.redeemed.load(Ordering::SeqCst), 0);
        assert!(!story.passes("https://apps.example/app").await);
    }
    // The twin: in time, to the second, over both legs together.
    let mut story = Story::begin();
    let back = story.until_discovery("apps.example").await;
    story.wait(lifetime / 2);
    let back = story.until_carrier(&back).await;
    story.wait(lifetime / 2 - Duration::from_secs(1));
    assert_eq!(location(&story.get(&back).await).path(), "/app");
    assert!(story.passes("https://apps.example/app").await);
}

// B09, KC05, XP24: were the second one begun by itself too, a browser that loses its cookies would go round for ever.
#[tokio::test]
async fn what_was_begun_for_the_person_is_not_begun_for_them_again() {
    for leg in 0..2 {
        let mut story = Story::begin();
        let to = location(&story.get("https://apps.example/oauth2/start?again=1&rd=%2Fapp").await);
        let mut back = format!("https://apps.example/oauth2/callback?mccmnc=310007&state={}", value(&to, "state"));
        if leg == 1 {
            back = story.until_carrier(&back).await;
        }
        story.wait(Lifetimes::default().attempt);
        let reply = story.get(&back).await;
        assert_eq!(reply.status.as_u16(), 303);
        let told = location(&reply);
        assert!(told.as_str().contains("/oauth2/refused?code=login_expired&id="), "{told}");
        let page = story.get(told.as_str()).await;
        let body = String::from_utf8_lossy(&page.body);
        assert_eq!(page.status.as_u16(), 400);
        assert!(body.contains("Code: login_expired") && body.contains("href=\"/oauth2/start?rd=%2Fapp\""), "{body}");
    }
}

// B09
#[tokio::test]
async fn of_a_sign_in_that_nobody_remembers_any_more_the_page_is_lost_and_nothing_else() {
    let mut story = Story::begin();
    let back = story.until_discovery("apps.example").await;
    story.wait(25 * 60 * MINUTE);
    // A browser drops the cookies by then.
    story.jar.clear();
    let to = location(&story.get(&back).await);
    assert_eq!((to.path(), to.query()), ("/oauth2/start", Some("again=1")));
}

// RB13: were headers found by a number in a list beside the routes, the second configuration's route would be told
// what the first one's was, or nothing.
#[tokio::test]
async fn a_person_who_signed_in_under_another_configuration_is_told_by_the_headers_of_this_one() {
    let mut story = Story::begin();
    story.sign_in().await;
    let names = async |story: &mut Story| {
        let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
        let set = permit.identity_headers().unwrap();
        set.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect::<Vec<_>>()
    };
    let before = names(&mut story).await;
    assert!(before.iter().any(|header| header == "x-zenkey-sub: somebody"), "{before:?}");
    let text = CONFIG.replace("access: session,", "access: session, identity_headers: { preset: remote-user },");
    story.snapshot = Some(Arc::new(snapshot(&text)));
    assert_eq!(names(&mut story).await, ["remote-user: somebody"]);
    story.snapshot = None;
    assert_eq!(names(&mut story).await, before);
}

// F05
#[tokio::test]
async fn a_session_ends_when_it_was_unused_for_the_idle_time_and_at_its_absolute_end() {
    let Lifetimes { idle, absolute, .. } = Lifetimes::default();
    let mut story = Story::begin();
    story.sign_in().await;
    story.wait(idle - Duration::from_secs(1));
    assert!(story.passes("https://apps.example/app").await);
    story.wait(idle + Duration::from_secs(1));
    let reply = story.get("https://apps.example/app").await;
    assert_eq!(reply.status.as_u16(), 302);
    assert!(story.jar.iter().all(|(_, name, _)| name != "__Host-gw"), "its cookie is taken away");

    let mut story = Story::begin();
    story.sign_in().await;
    let begun = story.now;
    while story.now + 5 * MINUTE < begun + absolute {
        story.wait(5 * MINUTE);
        assert!(story.passes("https://apps.example/app").await, "in use, after {:?}", story.now.duration_since(begun));
        tokio::task::yield_now().await;
    }
    story.now = begun + absolute;
    assert!(!story.passes("https://apps.example/app").await, "used or not");
}

// F05
#[tokio::test]
async fn asking_about_a_session_is_no_use_of_it() {
    let idle = Lifetimes::default().idle;
    for path in ["/oauth2/session", "/oauth2/userinfo", "/oauth2/sign_in", "/app"] {
        let mut story = Story::begin();
        story.sign_in().await;
        let end = story.now + idle;
        while story.now + MINUTE < end {
            story.wait(MINUTE);
            story.ask(Method::GET, &format!("https://apps.example{path}")).await;
            tokio::task::yield_now().await;
        }
        let reply = story.get("https://apps.example/oauth2/session").await;
        let left = serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["idle_expires_in"].as_u64();
        assert_eq!(left, Some(if path == "/app" { idle.as_secs() } else { 60 }), "{path}");
        story.wait(MINUTE);
        assert_eq!(story.passes("https://apps.example/app").await, path == "/app", "{path}");
    }
}

// B04: a ticket between two hosts lives as long as a redirect takes.
#[tokio::test]
async fn a_ticket_that_is_a_minute_old_opens_nothing() {
    for (age, opens) in [(Duration::from_secs(59), true), (MINUTE, false)] {
        let mut story = Story::begin();
        let back = story.until_discovery("second.example").await;
        let back = story.until_carrier(&back).await;
        let ticket = location(&story.get(&back).await);
        assert_eq!(ticket.host_str(), Some("second.example"));
        story.wait(age);
        let reply = story.get(ticket.as_str()).await;
        assert_eq!(reply.status.as_u16(), if opens { 302 } else { 303 });
        assert_eq!(story.passes("https://second.example/app").await, opens);
    }
}

// F05: what is handed over ends with the sign-in it came from, not later.
#[tokio::test]
async fn a_handed_over_session_does_not_outlive_its_sign_in() {
    let Lifetimes { absolute, .. } = Lifetimes::default();
    let mut story = Story::begin();
    story.sign_in().await;
    let begun = story.now;
    while story.now + 10 * MINUTE < begun + absolute {
        story.wait(10 * MINUTE);
        assert!(story.passes("https://apps.example/app").await);
        tokio::task::yield_now().await;
    }
    let start = location(&story.get("https://second.example/oauth2/start?rd=/app").await);
    let ticket = location(&story.get(start.as_str()).await);
    story.get(ticket.as_str()).await;
    assert!(story.passes("https://second.example/app").await);
    story.now = begun + absolute;
    assert!(!story.passes("https://second.example/app").await);
}

// F07: a store that others write to is asked again after two seconds, one's own is not.
#[tokio::test]
async fn only_a_store_that_others_write_to_is_waited_for() {
    for (shared, asked) in [(true, 1), (false, 0)] {
        let mut story = Story::with(|policy| if shared { policy } else { policy.for_exclusive_store() });
        story.sign_in().await;
        story.wait(Duration::from_millis(1900));
        assert!(story.passes("https://apps.example/app").await);
        assert_eq!(story.auth.metrics.session_lookups.store.get(), 0);
        // What that request began behind its back has confirmed the copy of a store that others write to.
        tokio::task::yield_now().await;
        story.wait(Duration::from_millis(2000));
        assert!(story.passes("https://apps.example/app").await);
        assert_eq!(story.auth.metrics.session_lookups.store.get(), asked);
    }
}

// F05: a stream that is watched keeps the copy of its session fresh; the store must hear of the person's uses all the same.
#[tokio::test]
async fn whoever_works_beside_an_open_stream_stays_signed_in() {
    for policy in [|policy| policy, CachePolicy::for_exclusive_store] {
        let mut story = Story::with(policy);
        story.sign_in().await;
        let Decision::Forward(permit) = story.ask(Method::GET, "https://apps.example/app").await else { panic!() };
        for second in 1..=2 * 45 * 60 {
            story.wait(Duration::from_millis(500));
            assert!(story.auth.still_stands(&permit, story.now).await, "{second} half seconds");
            if second % 50 == 0 {
                assert!(story.passes("https://apps.example/app").await);
                // What was begun behind the request's back.
                tokio::task::yield_now().await;
            }
        }
        story.wait(29 * MINUTE);
        assert!(story.passes("https://apps.example/app").await, "used less than the idle time ago");
        story.wait(31 * MINUTE);
        assert!(!story.auth.still_stands(&permit, story.now).await, "a stream is no use");
    }
}

// F05, F07, F08
#[tokio::test]
async fn a_record_that_did_not_change_is_not_read_again_and_any_other_is() {
    let mut story = Story::begin();
    story.sign_in().await;
    let (_, _, cookie) = story.jar.iter().find(|(_, name, _)| name == "__Host-gw").unwrap();
    let id = SessionId::parse(cookie).unwrap();
    let lies_at = story.headers_lie_at("https://apps.example/app").await;
    assert!(lies_at.is_some());
    // Beyond the time a copy is trusted unasked, and within that after which a use is written down.
    story.wait(Duration::from_secs(5));
    assert_eq!(story.headers_lie_at("https://apps.example/app").await, lies_at);

    // Another replica wrote down a use.
    let (auth, key, now) = (Arc::clone(&story.auth), id.store_key(), story.now);
    let get = || async { auth.sessions.store().get(Kind::Session, key, now).await.unwrap().unwrap() };
    let put = async |record: &[u8]| auth.sessions.store().put(Kind::Session, key, record, MINUTE, now).await.unwrap();
    let honest = get().await;
    let mut session = auth.sessions.sealer().open_session(&id, &honest).unwrap();
    session.seen(now);
    put(&auth.sessions.sealer().seal_session(&id, &session, &SystemEntropy)).await;
    story.wait(Duration::from_secs(5));
    let anew = story.headers_lie_at("https://apps.example/app").await;
    assert!(anew.is_some() && anew != lies_at);
    assert_eq!(auth.sessions.cache.get(&key).unwrap().value().session().last_seen(), now);

    // Somebody turned a bit, or put the record of another session there.
    let mut bent = get().await.to_vec();
    *bent.last_mut().unwrap() ^= 1;
    let other = SessionId::generate(&SystemEntropy);
    for forged in [bent, auth.sessions.sealer().seal_session(&other, &session, &SystemEntropy)] {
        put(&forged).await;
        story.wait(Duration::from_secs(5));
        let jar = story.jar.clone();
        assert_eq!(story.headers_lie_at("https://apps.example/app").await, None);
        story.jar = jar;
        put(&honest).await;
        story.wait(Duration::from_secs(5));
        assert!(story.headers_lie_at("https://apps.example/app").await.is_some());
    }
}
