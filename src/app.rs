//! The composition root: configuration in, a running gateway out. The only place where concrete types meet.

#![allow(clippy::disallowed_methods, reason = "the composition root: the clock, the machine and files come in here")]

mod accounts;
mod background;
pub mod inquiry;
mod key_file;
mod sealed_keys;
mod shared_keys;
mod supervisor;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use self::background::{sweep, watch_readiness};
use self::key_file::KeyFile;
use self::shared_keys::SharedKeys;
use self::supervisor::Supervisor;
use url::Url;

use crate::auth::{Auth, Parts};
use crate::carrier::find::Way;
use crate::config::{Config, SessionSettings, SignInProvider, StoreChoice};
use crate::gateway::head::HeadLimits;
use crate::gateway::{
    AnswerRate, BindFault, BodyRate, EntranceFault, Entrances, GatewayParts, GatewaySettings, ListenAddress,
    ListenerLimits, RunningGateway, Sockets, TrustedProxies,
};
use crate::oidc::client_auth::ClientKey;
use crate::provider::{ClientError, DiscoveryAddresses, Federation, KeyMemory, Provider, ProviderStats, Providers};
use crate::secret::{Entropy, SecretBytes, SystemEntropy};
use crate::session::cache::{CacheLimits, SessionCache};
use crate::session::cached::CachePolicy;
use crate::session::embedded::{EmbeddedError, EmbeddedStore};
use crate::session::key::{KeyFault, from_client_secret, parse_key_text};
use crate::session::memory::MemoryStore;
use crate::session::redis::{RedisSettings, RedisStore, RedisUrlFault};
use crate::session::seal::{SealKeys, Sealer};
use crate::session::sessions::{self, Sessions};
use crate::session::store::{Limits, RecordStore};
use crate::snapshot::{
    AuthSettings, ClientRegistration, ProviderSignOut, Registrations, ResponseMode, Snapshot, SnapshotFault,
    longest_own_target,
};
use crate::telemetry::Metrics;
use crate::telemetry::events::SecurityEvent;
use crate::upstream::{NameService, SystemNames};
use crate::web::cookie::CookieNames;

/// The least time in which a gateway that stops tells its store what that has not heard.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a gateway could not start. Each names what to change; none holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A configured thing that only this room can see is wrong.
    #[error("{}", .0.join("\n"))]
    Config(Vec<String>),
    /// An address cannot be bound.
    #[error(transparent)]
    Listen(#[from] BindFault),
    /// The system has no thread to give.
    #[error("no thread for the access log: {0}")]
    Threads(std::io::Error),
    /// The client for providers could not be made.
    #[error("provider: {0}")]
    Provider(#[from] ClientError),
    /// The session store could not be opened.
    #[error("sessions.store: {path}: {error}", path = .path.display())]
    Embedded {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        error: EmbeddedError,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] EntranceFault),
    /// The address of the session store is not one.
    #[error("sessions.store: {0}")]
    Redis(#[from] RedisUrlFault),
}

/// A gateway that is up, with everything that works behind it.
pub struct App {
    gateway: RunningGateway,
    sessions: Arc<Sessions>,
    state_directory: Option<PathBuf>,
    background: Supervisor,
    metrics: Arc<Metrics>,
}

/// Records that one approval may have, what is kept of its person included.
const RECORDS_OF_AN_APPROVAL: u64 = 8;

/// The parts of a configuration that were compiled.
struct Compiled {
    snapshot: Snapshot,
    seal_keys: SealKeys,
}

/// Faults of a configuration that show only when its parts are compiled; empty for one that can start.
pub fn faults(config: &Config) -> Vec<String> {
    compile(config).err().unwrap_or_default()
}

/// The redirect URIs to register with the providers, in the order of the configuration: id of the provider (empty if
/// there is one alone) and address. Empty for a configuration that cannot start.
pub fn redirect_uris(config: &Config) -> Vec<(String, String)> {
    let Ok(Compiled { snapshot, .. }) = compile(config) else { return Vec::new() };
    let registrations = snapshot.settings().registrations.iter();
    let addresses = registrations.flat_map(|registration| {
        let below = registration.all_below_callback();
        below.map(|below| (registration.id.clone(), snapshot.redirect_uri_below(&below)))
    });
    addresses.collect()
}

/// Further addresses of ours that a provider may want to know, each with what providers call it: where people come back to after
/// signing out there, and where it tells that a session has ended.
pub fn logout_uris(config: &Config) -> Vec<(&'static str, String)> {
    let at = |name: &str| format!("{}{}/{name}", config.public_url.origin().ascii_serialization(), config.prefix);
    let mut uris = Vec::new();
    if config.sign_out != ProviderSignOut::Never {
        uris.push(("post-logout redirect URI", at("signed_out")));
    }
    uris.push(("back-channel logout URI", at("backchannel_logout")));
    if config.front_channel_logout {
        uris.push(("front-channel logout URI", at("frontchannel_logout")));
    }
    uris
}

fn compile(config: &Config) -> Result<Compiled, Vec<String>> {
    let mut faults = Vec::new();
    let snapshot = Snapshot::compile(auth_settings(config), config.routes.clone());
    let snapshot = snapshot.map_err(|wrong| faults.extend(wrong.iter().map(SnapshotFault::to_string)));
    let seal_keys = seal_keys(config).map_err(|fault| faults.push(format!("sessions.keys: {fault}")));
    match (snapshot, seal_keys) {
        (Ok(snapshot), Ok(seal_keys)) => Ok(Compiled { snapshot, seal_keys }),
        _ => Err(faults),
    }
}

/// The operator's keys, and behind them one that every replica of this gateway has anyway.
///
/// Without any, whoever can write to the store could seal a session of their own making under an id of their choice and
/// come in as anybody (TM7). The client secret is known to us alone, so a key is derived from it; it goes on opening
/// records when the operator sets keys later.
fn seal_keys(config: &Config) -> Result<SealKeys, KeyFault> {
    let own = config.provider.settings.authentication.secret.as_ref().map(from_client_secret);
    let configured = config.sessions.seal_keys.iter().map(|key| parse_key_text(key.expose()));
    let mut keys = configured.collect::<Result<Vec<SecretBytes>, _>>()?;
    keys.extend(own);
    // The configuration sees to it that there is one.
    let primary = (!keys.is_empty()).then(|| keys.remove(0));
    Ok(SealKeys::new(primary, keys))
}

fn max_attempts(config: &Config) -> u64 {
    u64::try_from(config.sign_in.max_attempts).unwrap_or(u64::MAX)
}

fn open_store(config: &Config) -> Result<Arc<dyn RecordStore>, StartError> {
    let limits = Limits { attempts: max_attempts(config), pages: config.sign_in.max_kept_pages, ..Limits::default() };
    let limits = Limits { links: config.accounts.as_ref().map_or(0, |accounts| accounts.max_links), ..limits };
    let most = config.approvals.as_ref().map_or(0, |approvals| approvals.most);
    let limits = Limits { approvals: most.saturating_mul(RECORDS_OF_AN_APPROVAL), ..limits };
    Ok(match &config.sessions.store {
        StoreChoice::Memory => Arc::new(MemoryStore::new(limits)),
        StoreChoice::Embedded { path } => {
            let store = EmbeddedStore::open(path, limits);
            Arc::new(store.map_err(|error| StartError::Embedded { path: path.clone(), error })?)
        }
        StoreChoice::Redis { url, prefix } => {
            let settings = RedisSettings { prefix: prefix.clone(), ..RedisSettings::new(url.clone()) };
            Arc::new(RedisStore::connect(settings)?)
        }
    })
}

/// Where keys of token issuers outlive a restart: where sessions do. Sealed with the primary key and no other: the
/// provider knows the client secret, from which the last of them is made, and is not to vouch for other issuers where
/// the operator set a key.
fn key_memory(config: &Config, store: &Arc<dyn RecordStore>, keys: &SealKeys) -> Option<Arc<dyn KeyMemory>> {
    if !keys.has_primary() {
        return None;
    }
    let sealer = Sealer::new(keys.primary_alone());
    match (&config.provider.settings.key_memory, &config.sessions.store) {
        (Some(path), _) => Some(Arc::new(KeyFile::new(path.clone(), sealer))),
        (None, StoreChoice::Redis { .. }) => Some(Arc::new(SharedKeys::new(Arc::clone(store), sealer))),
        (None, _) => None,
    }
}

impl App {
    /// Starts a gateway on the current runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let sockets = Sockets::bind_all(&config.listeners, config.admin_listen)?;
        Self::start_on(sockets, config).await
    }

    /// Starts a gateway on sockets that are already bound.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start_on(sockets: Sockets, config: Config) -> Result<Self, StartError> {
        Self::start_with(sockets, config, Arc::new(SystemNames)).await
    }

    /// As [`App::start_on`], with `names` to ask for the addresses of upstreams.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start_with(sockets: Sockets, config: Config, names: Arc<dyn NameService>) -> Result<Self, StartError> {
        let compiled = compile(&config).map_err(StartError::Config)?;
        let store = open_store(&config)?;
        let stats = Arc::new(ProviderStats::default());
        let memory = key_memory(&config, &store, &compiled.seal_keys);
        let federation =
            Arc::new(Federation::with_memory(config.provider.settings.clone(), memory, Arc::clone(&stats))?);
        let mut further = Vec::with_capacity(config.further_providers.len());
        for provider in &config.further_providers {
            let federation = Federation::with_memory(provider.settings.clone(), None, Arc::clone(&stats))?;
            further.push((provider.id.clone(), Arc::new(federation)));
        }
        federation.recall_token_keys(SystemTime::now()).await;
        let metrics = Arc::new(Metrics::new());
        let events = Arc::clone(&stats);
        let counting = Arc::clone(&store);
        metrics.show_store(move || {
            let refused = counting.refused_writes().into_iter();
            refused.map(|(fault, count)| (fault.label().as_slice(), count)).collect()
        });
        metrics.show_provider(move || stats.exchanges(), move || events.events());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let snapshot = Arc::new(compiled.snapshot);
        let generation = snapshot.generation();
        let others = further.iter().map(|(id, other)| (id.clone(), Arc::clone(other) as Arc<dyn Provider>)).collect();
        let first: Arc<dyn Provider> = Arc::clone(&federation) as Arc<dyn Provider>;
        let providers = Providers::new((config.provider.id.clone(), first), others);
        let upstreams = Arc::clone(snapshot.upstreams());
        let watched_upstreams = snapshot.watched_upstreams();
        let own = sockets.own();
        let (cached, bytes) = (config.sessions.cache_entries, config.sessions.cache_bytes);
        let cache_limits = CacheLimits { sessions: cached, bytes, ..CacheLimits::default() };
        let links = accounts::links(&config, &store, &entropy, compiled.seal_keys.clone());
        let assertion_keys = accounts::assertion_keys(&config, &store, &entropy, compiled.seal_keys.clone());
        let sessions = Sessions::new(sessions::Parts {
            store: Arc::clone(&store),
            sealer: Sealer::new(compiled.seal_keys),
            cache: SessionCache::new(cache_limits),
            entropy: Arc::clone(&entropy),
            metrics: Arc::clone(&metrics),
            lifetimes: config.sessions.lifetimes.clone(),
            policy: cache_policy(&config.sessions),
            pending_revocations: config.sessions.pending_revocations,
            recheck: config.sessions.recheck,
        });
        let state_directory = config.sessions.state_directory.clone();
        if let Some(directory) = &state_directory {
            sessions.take_up_unheard(directory, SystemTime::now());
        }
        let auth = Arc::new(Auth::new(Parts {
            snapshot,
            links,
            assertion_keys: assertion_keys.clone(),
            webhook: accounts::webhook(&config)?,
            sessions: Arc::clone(&sessions),
            providers,
            entropy: Arc::clone(&entropy),
            metrics: Arc::clone(&metrics),
        }));
        let watched = Arc::clone(&auth);
        let entrances = Entrances::load(&config.listeners, &metrics)?;
        let certificates = entrances.keep(&metrics);
        let settings = gateway_settings(&config);
        let parts = GatewayParts { settings, auth, metrics: Arc::clone(&metrics), entropy, entrances };
        upstreams.refresh(&*names, &own, config.resolve_upstreams.patience, &metrics).await;
        if let Some(keys) = &assertion_keys {
            accounts::first_look(keys).await;
        }
        let gateway = crate::gateway::start(sockets, parts).map_err(StartError::Threads)?;
        SecurityEvent::Administration { action: "configuration", generation }.emit();
        let mut background = Supervisor::new(Arc::new(SystemEntropy), Arc::clone(&metrics));
        for federation in further.iter().map(|(_, other)| other).chain([&federation]) {
            let keys = Arc::clone(federation.key_store());
            background.keep("keys", move || Arc::clone(&keys).run());
        }
        let token_keys = Arc::clone(&federation);
        background.keep("token_keys", move || Arc::clone(&token_keys).keep_token_keys());
        background.keep("sweep", move || sweep(Arc::clone(&store)));
        let telling = Arc::clone(&sessions);
        background.keep("revocations", move || Arc::clone(&telling).tell_pending(SystemTime::now));
        for upstream in watched_upstreams {
            let asking = Arc::clone(&metrics);
            background
                .keep("upstream_health", move || crate::gateway::watch_upstream(upstream.clone(), Arc::clone(&asking)));
        }
        let (resolving, pace) = (Arc::clone(&metrics), config.resolve_upstreams);
        background.keep("upstreams", move || {
            let (upstreams, names, metrics) = (Arc::clone(&upstreams), Arc::clone(&names), Arc::clone(&resolving));
            let own = own.clone();
            async move { upstreams.keep(&*names, &own, pace, &metrics).await }
        });
        if let Some(keys) = assertion_keys {
            background.keep("assertion_keys", move || Arc::clone(&keys).keep(SystemTime::now));
        }
        if let Some(certificates) = certificates {
            background.keep("certificates", certificates);
        }
        background.keep("readiness", move || watch_readiness(Arc::clone(&watched)));
        Ok(Self { gateway, sessions, state_directory, background, metrics })
    }

    /// Where people and programs reach it: the first listener that has an address and a port.
    pub fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    /// Where every public listener is.
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.gateway.addresses
    }

    /// Where the private listener is.
    pub fn admin_address(&self) -> SocketAddr {
        self.gateway.admin_address
    }

    /// Its metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Says that the gateway stops, to balancers and to clients of kept connections, and goes on serving everybody.
    pub fn announce_stop(&self) {
        self.gateway.announce_stop();
    }

    /// Stops accepting, lets requests finish for at most `grace`, ends. Returns how many connections were cut. What the
    /// session store has not heard by then is kept for the next start.
    pub async fn stop(self, grace: Duration) -> usize {
        let began = Instant::now();
        let cut = self.gateway.stop(grace).await;
        let left = grace.saturating_sub(began.elapsed()).max(LAST_WORDS);
        let unheard = self.sessions.finish(left, SystemTime::now()).await;
        self.sessions.keep_unheard(&unheard, self.state_directory.as_deref(), SystemTime::now());
        self.background.stop().await;
        cut
    }
}

pub(crate) fn auth_settings(config: &Config) -> AuthSettings {
    let sessions = &config.sessions;
    AuthSettings {
        public_url: config.public_url.clone(),
        prefix: config.prefix.clone(),
        claims_bytes: config.limits.claims,
        reserved_headers: config.reserved_headers.clone(),
        skew: config.sign_in.skew,
        registrations: Registrations::new(
            registration(&config.provider),
            config.further_providers.iter().map(registration).collect(),
        ),
        lifetimes: sessions.lifetimes.clone(),
        longest_target: config.limits.uri_bytes,
        form_bytes: config.sign_in.form_bytes,
        display_claims: config.sign_in.display_claims.clone(),
        contact: config.sign_in.contact.clone(),
        other_account_prompt: config.sign_in.other_account_prompt,
        // Whoever signed in may be sent to the origins the operator listed, and to nothing else.
        return_origins: config.sign_in.return_origins.clone(),
        cookies: CookieNames::of(&sessions.cookie_name),
        cookie_life: sessions.cookie,
        sign_out: config.sign_out,
        recheck: config.sessions.recheck.is_some(),
        recheck_unclear: config.sessions.recheck_unclear,
        front_channel_logout: config.front_channel_logout,
        starts_per_minute: config.sign_in.starts_per_minute,
        bearer: config.bearer.clone(),
        client_key_sets: client_key_sets(config),
        has_accounts: config.accounts.is_some(),
        native: config.native.clone(),
        signals: config.signals.clone(),
        registration: config.accounts.as_ref().and_then(|accounts| accounts.registration.clone()),
        approvals: config.approvals.clone().map(Arc::new),
    }
}

fn registration(provider: &SignInProvider) -> ClientRegistration {
    let settings = &provider.settings;
    let federation = &settings.federation;
    let of_discovery = |way, address: fn(&DiscoveryAddresses) -> &Url| {
        federation.discovery.as_ref().filter(|_| federation.find.contains(&way)).map(|found| address(found).clone())
    };
    ClientRegistration {
        profile: federation.profile,
        id: provider.id.clone(),
        name: provider.name.clone(),
        section: settings.section.clone(),
        client_id: settings.client_id.clone(),
        scopes: provider.scopes.clone(),
        acr_values: provider.acr_values.clone(),
        require_acr: provider.require_acr,
        assurance: provider.assurance.clone(),
        find: federation.find.clone(),
        discovery_ui: of_discovery(Way::UiWithState, |discovery| &discovery.ui),
        optimized_discovery: of_discovery(Way::Optimized, |discovery| &discovery.optimized),
        member_redirect_uris: provider.member_redirect_uris,
        remember_carrier: provider.remember_carrier,
        issuers: federation.members.clone(),
        max_id_token: settings.max_id_token,
        response_mode: if provider.form_post { ResponseMode::FormPost } else { ResponseMode::Query },
        userinfo: settings.userinfo,
        request: provider.request.clone(),
        port_tokens: provider.port_tokens.clone(),
    }
}

/// What providers read to know our signatures: the public halves of our keys. Those of one member's own stand in no set that
/// another reads.
fn client_key_sets(config: &Config) -> BTreeMap<String, String> {
    let providers = || std::iter::once(&config.provider).chain(&config.further_providers).map(|found| &found.settings);
    let members = providers().flat_map(|settings| &settings.federation.members);
    let own = members.filter_map(|member| Some((member.id.as_str(), member.authentication.as_ref()?)));
    let shared = providers().map(|settings| ("", &settings.authentication));
    let mut sets: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for (id, authentication) in shared.chain(own) {
        let set = sets.entry(id.to_owned()).or_default();
        set.extend(authentication.keys.iter().map(ClientKey::public_jwk));
    }
    sets.retain(|_, keys| !keys.is_empty());
    sets.into_iter().map(|(id, keys)| (id, serde_json::json!({ "keys": keys }).to_string())).collect()
}

fn cache_policy(sessions: &SessionSettings) -> CachePolicy {
    let policy = CachePolicy {
        revalidate: sessions.revalidate,
        grace: sessions.grace,
        ..CachePolicy::for_lifetimes(&sessions.lifetimes)
    };
    match sessions.store {
        StoreChoice::Redis { .. } => policy,
        // The file is locked while it is open here.
        StoreChoice::Embedded { .. } | StoreChoice::Memory => policy.for_exclusive_store(),
    }
}

fn gateway_settings(config: &Config) -> GatewaySettings {
    let limits = &config.limits;
    GatewaySettings {
        health_path: config.health_path.clone(),
        strict_transport: config.hsts.and_then(|hsts| hsts.value()),
        limits: ListenerLimits {
            head: HeadLimits {
                bytes: limits.header_bytes,
                fields: limits.header_count,
                // What is none of ours and longer than the limit, the gateway refuses once it knows whose it is.
                target: longest_own_target(&config.prefix, limits.uri_bytes),
            },
            head_deadline: limits.header_deadline,
            keepalive: limits.keepalive,
            connections: limits.connections,
            connections_per_client: limits.connections_per_client,
            streams: limits.streams,
            large_answers: limits.large_answers.unwrap_or(limits.connections),
            answer_rate: AnswerRate { bytes_per_second: limits.answer_min_rate, window: limits.answer_rate_window },
        },
        admin: config.admin.clone(),
        import_bytes: config.accounts.as_ref().map_or(0, |accounts| accounts.import_bytes),
        memory: limits.memory,
        max_cookie_bytes: limits.cookie_bytes,
        client_read_timeout: limits.read_timeout,
        body_rate: BodyRate { bytes_per_second: limits.body_min_rate, window: limits.body_rate_window },
        client_write_timeout: limits.write_timeout,
        trusted_proxies: TrustedProxies::new(config.trusted_proxies.clone()),
        access_log: config.log.access.then_some(config.log.format),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // F07: which of the two a store is, the configuration says.
    #[test]
    fn a_store_that_other_gateways_write_to_is_waited_for_after_two_seconds_and_no_other() {
        for (store, waited_for) in
            [("redis://127.0.0.1:6379", 2), ("memory", 60), ("file:///var/lib/zengate/x.redb", 60)]
        {
            let text = format!(
                "public_url: https://apps.example
provider: {{ oidc: {{ issuer: 'https://issuer.example', client_id: a, client_secret: s }} }}
sessions: {{ store: '{store}' }}
routes:
  - {{ host: apps.example, access: session, upstream: 'http://127.0.0.1:1' }}
"
            );
            let config = Config::parse(&text, "app.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}")).0;
            assert_eq!(cache_policy(&config.sessions).revoked_within, Duration::from_secs(waited_for), "{store}");
        }
    }
}
