//! Settings as meant: every default filled in, every word read into its type. One struct a consumer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use super::fault::{Place, Remark};
use super::secret_ref::SecretSource;
use crate::account::links::LinkSettings;
use crate::approval::ApprovalSettings;
use crate::assertion::keys::AssertionKey;
use crate::carrier::port_token::PortTokenSettings;
use crate::gateway::{AdminSettings, ListenerSettings, StrictTransport};
use crate::oidc::acr::Assurance;
use crate::oidc::authorization::RequestSettings;
use crate::provider::ProviderSettings;
use crate::route::RouteSettings;
use crate::route::network::Network;
use crate::secret::SecretString;
use crate::session::Lifetimes;
use crate::session::provider_check::RecheckPolicy;
use crate::snapshot::{
    BearerSettings, CookieLife, NativeSettings, ProviderSignOut, RegistrationSettings, SignalSettings,
};
use crate::telemetry::log::LogSettings;
use crate::upstream::Pace;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Origin (no path) at which browsers reach the gateway; `https`, or `http` on a loopback host.
    pub public_url: Url,
    /// Path of our own addresses on every protected host; begins with `/`, does not end with it. Default `/oauth2`.
    pub prefix: String,
    /// Public listeners, at least one. Default: a plain one on `[::]:4180`.
    pub listeners: Vec<ListenerSettings>,
    /// What browsers are told that came by https; `None`: nothing.
    pub hsts: Option<StrictTransport>,
    /// Where public listeners say whether they serve; `None`: nowhere.
    pub health_path: Option<String>,
    /// Private listener. Default `127.0.0.1:44180`; beyond loopback only if its address was written out.
    pub admin_listen: SocketAddr,
    /// Who may do what on the private listener.
    pub admin: AdminSettings,
    /// Worker threads, 1 to 1024; `None`: one for each processor.
    pub threads: Option<usize>,
    /// Whom people may sign in with: the first of the file, which is there always.
    pub provider: SignInProvider,
    /// The others, in the order of the file.
    pub further_providers: Vec<SignInProvider>,
    /// Whose access tokens are accepted; without issuers no route takes any.
    pub bearer: BearerSettings,
    /// How sign-ins run.
    pub sign_in: SignInSettings,
    /// Whether signing out ends the session at the provider too. Default: whoever signs out is asked.
    pub sign_out: ProviderSignOut,
    /// Whether front-channel logouts are taken. Default no.
    pub front_channel_logout: bool,
    /// Where sessions are kept.
    pub sessions: SessionSettings,
    /// To which account of the app people belong; `None`: to none.
    pub accounts: Option<AccountSettings>,
    /// How people are asked for approvals on their phones; `None`: nobody is.
    pub approvals: Option<ApprovalSettings>,
    /// What is said of apps on phones; `None` where none hands anything in.
    pub native: Option<NativeSettings>,
    /// What follows what issuers tell us of people; `None`: nothing is heard.
    pub signals: Option<SignalSettings>,
    /// Keys that sign what the app is told.
    pub assertions: AssertionSettings,
    /// What one client may use up.
    pub limits: LimitSettings,
    /// Peers whose forwarded headers are believed. Never `0.0.0.0/0` or the like.
    pub trusted_proxies: Vec<Network>,
    /// Headers that no client may send, beside those that are always reserved.
    pub reserved_headers: Vec<HeaderName>,
    /// What is logged.
    pub log: LogSettings,
    /// How the names of upstreams are resolved.
    pub resolve_upstreams: Pace,
    /// How the gateway stops.
    pub shutdown: ShutdownSettings,
    /// Routes in the order of the file, no two with the same host and path; at least one.
    pub routes: Vec<RouteSettings>,
    /// Where each setting came from, for `check` to print.
    pub origin: Origin,
}

/// Somebody who vouches for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInProvider {
    /// Its id, of `[a-z0-9-]`; empty for the one of `provider`.
    pub id: String,
    /// What people know it by.
    pub name: String,
    /// How it is reached.
    pub settings: ProviderSettings,
    /// Scopes to ask for; `openid` is among them.
    pub scopes: Vec<String>,
    /// `acr_values` to ask for, best first; empty: none are sent.
    pub acr_values: Vec<String>,
    /// Whether an ID token with none of `acr_values` is refused. Never set when `acr_values` is empty.
    pub require_acr: bool,
    /// What the operator says that its words for authentication contexts assure, the lowest first.
    pub assurance: Vec<(String, Assurance)>,
    /// What stands in every authorization request beside the above.
    pub request: RequestSettings,
    /// Whether it is asked to answer by a form (`response_mode=form_post`).
    pub form_post: bool,
    /// What is said of port tokens.
    pub port_tokens: PortTokenSettings,
    /// Whether a carrier that a person picked answers at an address of its own.
    pub member_redirect_uris: bool,
    /// How long a browser remembers the carrier of its last sign-in; `None`: it does not.
    pub remember_carrier: Option<Duration>,
}

/// How sign-ins run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    /// Origins beside the protected host to which a sign-in may return, as browsers serialise them
    /// (`https://host[:port]`), to be compared literally.
    pub return_origins: Vec<String>,
    /// How far a provider's clock may differ. Default 60 s, at most 5 min.
    pub skew: Duration,
    /// Sign-ins that may be under way at once. Default 100 000.
    pub max_attempts: usize,
    /// Claims that say to a person who they are signed in as.
    pub display_claims: Vec<String>,
    /// Whom somebody is to ask who may not open a page.
    pub contact: Option<String>,
    /// `prompt` for somebody who wants to use another account.
    pub other_account_prompt: &'static str,
    /// Largest form that is read at an address of ours, in bytes. Default 64 KiB.
    pub form_bytes: usize,
    /// Long pages to return to that may be kept at once. Default 2 000.
    pub max_kept_pages: u64,
    /// Sign-ins that one client may begin in a minute; zero for no limit. Default 1 200.
    pub starts_per_minute: u32,
}

/// To which account of the app people belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// How links are kept.
    pub links: LinkSettings,
    /// Where people go who have no account yet; `None`: they are refused.
    pub registration: Option<RegistrationSettings>,
    /// How long a ticket for the link page lives. Default 2 min.
    pub ticket_ttl: Duration,
    /// Most links in a store of our own. Default 1,000,000.
    pub max_links: u64,
    /// Changes that one client of the private listener may make in a minute; zero for no limit. Default 600.
    pub changes_per_minute: u32,
    /// Largest table that is imported, in bytes. Default 16 MiB.
    pub import_bytes: usize,
}

/// Keys that sign what the app is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionSettings {
    /// Keys of files, the one that signs first; empty: they are made and kept in the session store.
    pub keys: Vec<AssertionKey>,
    /// How old a key of our own making becomes before another one is made. Default 90 days.
    pub rotate: Duration,
}

/// Where sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// The store.
    pub store: StoreChoice,
    /// Whether the session cookie outlives the browser's window. Default: it does.
    pub cookie: CookieLife,
    /// When the provider is asked again about a session. Default never.
    pub recheck: Option<RecheckPolicy>,
    /// People in a row who may be signed out because a provider refused them in words that are not clear. Default 3.
    pub recheck_unclear: usize,
    /// What the names of our cookies begin with, after `__Host-`. Default `gw`.
    pub cookie_name: String,
    /// Lifetimes; `idle` is never longer than `absolute`.
    pub lifetimes: Lifetimes,
    /// Sealing keys as text (base64 or hexadecimal of at least 32 bytes), the first one seals, all open; may be empty.
    pub seal_keys: Vec<SecretString>,
    /// Sessions held in memory. Default 100 000.
    pub cache_entries: usize,
    /// Bytes that they may take. Default 2560 for each of `cache_entries`.
    pub cache_bytes: usize,
    /// Where sign-outs that the store has not heard are kept over a restart; `None` for nowhere.
    pub state_directory: Option<PathBuf>,
    /// Sign-outs kept for a store that is away. Default 10 000.
    pub pending_revocations: usize,
    /// How often a session in memory is compared with a store that other gateways write to. Default 1 s.
    pub revalidate: Duration,
    /// How long a session in memory stays good while the store is away. Default 1 min.
    pub grace: Duration,
}

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// An embedded database in this file.
    Embedded {
        /// The file; its directory must exist and be writable, which is not checked here.
        path: PathBuf,
    },
    /// Memory: everything is lost at restart.
    Memory,
    /// A Redis.
    Redis {
        /// `redis://` or `rediss://` address, perhaps with a password; no query, no fragment.
        url: SecretString,
        /// What every key begins with. Default `zengate:`.
        prefix: String,
    },
}

/// What one client may use up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Largest header block in bytes. Default 32 KiB.
    pub header_bytes: usize,
    /// Most header fields. Default 100.
    pub header_count: usize,
    /// Longest request target in bytes. Default 8 KiB.
    pub uri_bytes: usize,
    /// Largest `Cookie` header in bytes, never more than `header_bytes`. Default 16 KiB.
    pub cookie_bytes: usize,
    /// Largest size of all claims that are read of one token or answer. Default 128 KiB.
    pub claims: usize,
    /// Time in which all headers must have come. Default 10 s.
    pub header_deadline: Duration,
    /// How long an idle connection is kept. Default 75 s.
    pub keepalive: Duration,
    /// Largest body in bytes where a route says nothing. Default 64 MiB.
    pub body: u64,
    /// Slowest body in bytes a second, over `body_rate_window`; 0: no limit. Default 500.
    pub body_min_rate: u64,
    /// Time over which `body_min_rate` is measured. Default 30 s.
    pub body_rate_window: Duration,
    /// Slowest reader in bytes a second, over `answer_rate_window`; 0: no limit. Default 1 KiB.
    pub answer_min_rate: u64,
    /// Time over which `answer_min_rate` is measured. Default 30 s.
    pub answer_rate_window: Duration,
    /// Open client connections in all. Default 20 000.
    pub connections: usize,
    /// Open connections of one client address, never more than `connections`. Default 1000.
    pub connections_per_client: usize,
    /// Requests under way at once on one connection of HTTP/2. Default 100.
    pub streams: u32,
    /// Answers under way at once that may fill memory; `None`: what memory allows.
    pub large_answers: Option<usize>,
    /// Memory that may be used, in bytes; `None`: what the container says.
    pub memory: Option<u64>,
    /// Longest silence while reading from a client. Default 60 s.
    pub read_timeout: Duration,
    /// Longest silence while writing to a client. Default 60 s.
    pub write_timeout: Duration,
}

/// How the gateway stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownSettings {
    /// How long everybody is still served after it was said that the gateway stops. Default 0.
    pub delay: Duration,
    /// How long requests that are under way may take. Default 25 s.
    pub grace: Duration,
}

/// Where each setting came from (Q12).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// Single settings, those of the file first, then defaults; secrets masked.
    pub settings: Vec<Setting>,
    /// Each secret's key and source.
    pub secrets: Vec<(String, SecretSource)>,
}

impl Origin {
    /// A remark about `key`, at its place in the file.
    pub fn remark(&self, key: &str, text: String) -> Remark {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        let place = setting.and_then(|setting| setting.place).unwrap_or_default();
        Remark { place, key: key.to_owned(), text }
    }
}

/// One setting and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key, as `sessions.idle`.
    pub key: String,
    /// Its value as text; never a secret.
    pub value: String,
    /// Its place in the file; `None` for a default.
    pub place: Option<Place>,
}
