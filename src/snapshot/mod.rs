//! One configuration, compiled: everything that a request is judged by, in one piece that never changes.
//!
//! A request loads the snapshot once and goes by it to its end, so that no request is judged by half of one configuration
//! and half of the next. What a running gateway learns (sessions, key sets, budgets) lives beside the snapshot and
//! outlasts it.

mod settings;
mod step_up;
#[cfg(test)]
mod tests;
mod tokens;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

pub use self::settings::{
    AuthSettings, ClientRegistration, CookieLife, NativeSettings, ProviderSignOut, RegistrationSettings, Registrations,
    ResponseMode, SignalAct, SignalSettings, longest_own_target,
};
pub use self::step_up::StepUp;
use self::step_up::words_for;
pub use self::tokens::{BearerIssuer, BearerSettings, TokenIssuer, TokenRule};
use crate::identity::Identity;
use crate::identity::headers::{HeaderFault, HeaderPlan, IdentityHeaderSettings, Reserved};
use crate::oidc::claims::NamedClaims;
use crate::route::path::{NormalTarget, ReturnPolicy, ReturnPolicyFault, TargetFault};
use crate::route::{Found, Mount, Route, RouteFault, RouteSettings, RouteTable, Traits};
use crate::upstream::{Upstream, Upstreams};

/// Claims that our own `userinfo` shows to the browser of the very person (R08): never a token, never anything else.
pub const SHOWN: &[&str] =
    &["email", "email_verified", "family_name", "given_name", "groups", "name", "preferred_username"];

/// Why a configuration cannot be compiled. Numbers are places in the list of routes, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// A mapping of identity headers cannot be used.
    #[error("routes[{index}].identity_headers: {fault}")]
    Headers {
        /// Which route.
        index: usize,
        /// What is wrong with its mapping.
        fault: HeaderFault,
    },
    /// An origin to return to, or the prefix of our own addresses, cannot be used.
    #[error("sign_in.return_origins: {0}")]
    Return(ReturnPolicyFault),
    /// A route, or two of them, cannot be used.
    #[error(transparent)]
    Route(#[from] RouteFault),
    /// A route names a provider that is not there.
    #[error("routes[{index}].providers: no entry of `providers` has the id `{id}`")]
    Provider {
        /// Which route.
        index: usize,
        /// What it names.
        id: String,
    },
}

/// One route with all that it needs at run time. Reads as its settings: `route.access`, `route.name`.
///
/// There is no way to make one without its header plan, its token rule and its upstream: were any of them looked up by a
/// number in a list beside the routes, a list of another configuration could forward a protected route without identity
/// headers, or with those of another route.
#[derive(Debug)]
pub struct CompiledRoute {
    route: Route,
    headers: Arc<HeaderPlan>,
    tokens: TokenRule,
    upstream: Upstream,
    issuers: Vec<String>,
    stronger_words: String,
    /// What the log has said of it, a bit each.
    said: AtomicU8,
}

impl CompiledRoute {
    /// Whether it depends on a request's method which route of this host judges.
    pub fn is_by_method(&self) -> bool {
        self.route.by_method
    }

    /// Which identity headers its upstream gets.
    pub fn headers(&self) -> &Arc<HeaderPlan> {
        &self.headers
    }

    /// Which access tokens it takes.
    pub fn tokens(&self) -> &TokenRule {
        &self.tokens
    }

    /// The path towards its app, where it is another one than people see.
    pub fn mount(&self) -> Option<&Mount> {
        self.route.mount.as_ref()
    }

    /// Where its requests go.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The authentication contexts that meet its demands, between blanks, for programs to ask for; empty if it has none.
    pub fn stronger_words(&self) -> &str {
        &self.stronger_words
    }

    /// Whether nobody has asked this about `subject` (0 to 7) before: for what the log says once of a route.
    pub fn is_first_word_about(&self, subject: u8) -> bool {
        let bit = 1 << (subject & 7);
        self.said.load(Ordering::Relaxed) & bit == 0 && self.said.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Whether this person may use it, as far as it says with whom they must have signed in. Where it says nothing the
    /// identity is not read.
    pub fn admits(&self, identity: &Identity) -> bool {
        self.issuers.is_empty() || self.issuers.iter().any(|admitted| admitted == identity.issuer())
    }
}

impl AsRef<Route> for CompiledRoute {
    fn as_ref(&self) -> &Route {
        &self.route
    }
}

impl Deref for CompiledRoute {
    type Target = RouteSettings;

    fn deref(&self) -> &RouteSettings {
        &self.route.settings
    }
}

/// See the module's page.
pub struct Snapshot {
    generation: u64,
    settings: Arc<AuthSettings>,
    return_policy: ReturnPolicy,
    routes: RouteTable<CompiledRoute>,
    plans: Arc<[Arc<HeaderPlan>]>,
    upstreams: Arc<Upstreams>,
    named: NamedClaims,
    reserved: Reserved,
    public_host: String,
    port: String,
    callback: String,
    asks_sim_tenure: bool,
    post_logout_redirect_uri: String,
    start: String,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// The next generation: snapshots of one process are numbered from 1 in the order in which they were compiled.
fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Snapshot {
    /// Compiles a configuration.
    ///
    /// # Errors
    /// All faults together, those of header mappings first; nothing is left half compiled.
    pub fn compile(settings: AuthSettings, routes: Vec<RouteSettings>) -> Result<Self, Vec<SnapshotFault>> {
        let mut faults = Vec::new();
        let mut plans: Vec<(IdentityHeaderSettings, Arc<HeaderPlan>)> = Vec::new();
        let mut parts = Vec::with_capacity(routes.len());
        let mut upstreams = Upstreams::default();
        for (index, route) in routes.iter().enumerate() {
            let plan = plan_of(&route.identity_headers, &mut plans);
            let plan = plan.map_err(|wrong| {
                faults.extend(wrong.into_iter().map(|fault| SnapshotFault::Headers { index, fault }));
            });
            let upstream = Upstream::of(route, &mut upstreams);
            let issuers = issuers_of(route, &settings.registrations);
            let issuers = issuers.map_err(|id| faults.push(SnapshotFault::Provider { index, id }));
            if let (Ok(plan), Ok(issuers)) = (plan, issuers) {
                parts.push((plan, upstream, issuers));
            }
        }
        let demanded = routes.iter().flat_map(|route| route.require.claim_names());
        let told = plans.iter().flat_map(|(_, plan)| plan.claim_names());
        let named = NamedClaims::new(demanded.chain(told), SHOWN.iter().copied(), settings.claims_bytes);
        let asks_sim_tenure = routes.iter().any(RouteSettings::asks_sim_tenure);
        let return_policy = ReturnPolicy::new(&settings.prefix, settings.return_origins.iter());
        let return_policy = return_policy.map_err(|wrong| faults.extend(wrong.into_iter().map(SnapshotFault::Return)));
        let (true, Ok(return_policy)) = (faults.is_empty(), return_policy) else {
            let table = RouteTable::compile_beside(&settings.prefix, routes);
            faults.extend(table.err().into_iter().flatten().map(SnapshotFault::Route));
            return Err(faults);
        };
        let complete = |route: Route, (headers, upstream, issuers)| {
            let tokens = TokenRule::of(&settings.bearer.issuers, &route.settings.token.audiences, &named);
            let stronger_words = words_for(&route.settings, &settings.registrations, &settings.bearer);
            CompiledRoute { route, headers, tokens, upstream, issuers, stronger_words, said: AtomicU8::new(0) }
        };
        let routes = RouteTable::compile_with(&settings.prefix, routes.into_iter().zip(parts).collect(), complete);
        let routes = routes.map_err(|wrong| wrong.into_iter().map(SnapshotFault::Route).collect::<Vec<_>>())?;
        let plans: Arc<[_]> = plans.into_iter().map(|(_, plan)| plan).collect();
        let origin = settings.public_url.origin().ascii_serialization();
        let port = settings.public_url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let hosts = routes.hosts().map(|host| format!("{}://{host}{port}", settings.public_url.scheme()));
        let own_origins: Vec<_> = std::iter::once(origin.clone()).chain(hosts).collect();
        let below = routes.wildcards().map(|parent| format!("{parent}{port}"));
        let below = below.map(|parent| (settings.public_url.scheme().to_owned(), parent)).collect();
        let return_policy = return_policy.for_hosts(own_origins, below, settings.longest_target);
        Ok(Self {
            generation: next_generation(),
            reserved: Reserved::build(plans.iter().map(AsRef::as_ref), &settings.reserved_headers),
            public_host: settings.public_url.host_str().unwrap_or_default().to_ascii_lowercase(),
            port,
            callback: format!("{origin}{}/callback", settings.prefix),
            post_logout_redirect_uri: format!("{origin}{}/signed_out", settings.prefix),
            start: format!("{}/start", settings.prefix),
            return_policy,
            asks_sim_tenure,
            named,
            settings: Arc::new(settings),
            routes,
            plans,
            upstreams: Arc::new(upstreams),
        })
    }

    /// Which configuration of this process it is, from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the operator says about signing in and about sessions.
    pub fn settings(&self) -> &Arc<AuthSettings> {
        &self.settings
    }

    /// Whether carriers are asked how long people's numbers have been on their SIMs: a route demands it, or a header tells it.
    pub fn asks_sim_tenure(&self) -> bool {
        self.asks_sim_tenure
    }

    /// Where people may be sent after signing in or out.
    pub fn return_policy(&self) -> &ReturnPolicy {
        &self.return_policy
    }

    /// The route that judges a request.
    pub fn find(&self, host: &str, target: &NormalTarget, traits: Traits<'_>) -> Found<'_, CompiledRoute> {
        self.routes.find(host, target, traits)
    }

    /// Whether a route of `host` takes `target`, which several readings of it may lead to; and the client's spelling of it
    /// is forgotten where it is another reading.
    ///
    /// # Errors
    /// What is wrong with the target.
    pub fn settle(&self, host: &str, target: &mut NormalTarget, traits: Traits<'_>) -> Result<(), TargetFault> {
        if target.is_odd() {
            return self.routes.takes(host, target, traits);
        }
        if target.is_respelled() && !self.routes.reads_as_sent(host, target) {
            target.forget_spelling();
        }
        Ok(())
    }

    /// All routes in the order of the configuration.
    pub fn routes(&self) -> &[Arc<CompiledRoute>] {
        self.routes.routes()
    }

    /// The hosts of all routes, in no order, but for those below a wildcard.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.routes.hosts()
    }

    /// Every header plan of the routes, each different one once.
    pub fn plans(&self) -> &Arc<[Arc<HeaderPlan>]> {
        &self.plans
    }

    /// The upstreams of all routes, each host and port once.
    pub fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    /// One route's upstream for each group of servers of whom something is to be learnt: by asking, or because there are several.
    pub fn watched_upstreams(&self) -> Vec<Upstream> {
        let mut watched: Vec<Upstream> = Vec::new();
        for route in self.routes() {
            let group = &route.upstream.group;
            let counts = group.has_choice() || group.settings().health.is_some();
            if counts && !watched.iter().any(|known| Arc::ptr_eq(&known.group, group)) {
                watched.push(route.upstream.clone());
            }
        }
        watched
    }

    /// The claims that rules demand, headers carry and pages show.
    pub fn named_claims(&self) -> &NamedClaims {
        &self.named
    }

    /// Names that no client may send.
    pub fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// The host on which people sign in, lower case.
    pub fn public_host(&self) -> &str {
        &self.public_host
    }

    /// How people reach us: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.settings.public_url.scheme() == "https" { "https" } else { "http" }
    }

    /// `:port` of the public URL; empty for the scheme's own.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// The redirect URI that is registered with a provider.
    ///
    /// Of several providers each has its own. One that is hostile, or broken into, could otherwise have a person's browser
    /// bring a code of another provider where its own was to come, and be given that code at its token endpoint (mix-up,
    /// RFC 9700 4.4.2).
    pub fn redirect_uri(&self, registration: &ClientRegistration) -> String {
        self.redirect_uri_below(&registration.below_callback(""))
    }

    /// The redirect URI below which `below` stands, which is one of [`ClientRegistration::all_below_callback`].
    pub fn redirect_uri_below(&self, below: &str) -> String {
        let mut uri = self.callback.clone();
        if !below.is_empty() {
            uri.push('/');
            uri.push_str(below);
        }
        uri
    }

    /// Where a provider leads people back to after it has ended their session (RP-Initiated Logout 1.0, 3.1); registered
    /// there as well.
    pub fn post_logout_redirect_uri(&self) -> &str {
        &self.post_logout_redirect_uri
    }

    /// The path at which a sign-in begins, on any of our hosts.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// The origin of one of our hosts: scheme and port of the public URL, that host.
    pub fn origin_of(&self, host: &str) -> String {
        format!("{}://{host}{}", self.settings.public_url.scheme(), self.port)
    }

    /// Whether `host` is one of ours.
    pub fn serves(&self, host: &str) -> bool {
        host == self.public_host || self.routes.serves(host)
    }
}

/// The plan of `settings`, compiled once for all routes that say the same.
fn plan_of(
    settings: &IdentityHeaderSettings,
    plans: &mut Vec<(IdentityHeaderSettings, Arc<HeaderPlan>)>,
) -> Result<Arc<HeaderPlan>, Vec<HeaderFault>> {
    if let Some((_, plan)) = plans.iter().find(|(known, _)| known == settings) {
        return Ok(Arc::clone(plan));
    }
    let plan = Arc::new(HeaderPlan::compile(settings)?);
    plans.push((settings.clone(), Arc::clone(&plan)));
    Ok(plan)
}

/// The issuers of all providers that `route` names; an id that is nobody's is the fault.
fn issuers_of(route: &RouteSettings, registrations: &Registrations) -> Result<Vec<String>, String> {
    let mut issuers = Vec::new();
    for id in &route.providers {
        let registration = registrations.get(id).ok_or_else(|| id.clone())?;
        issuers.extend(registration.issuers.iter().flat_map(|trusted| trusted.named().map(str::to_owned)));
    }
    Ok(issuers)
}
