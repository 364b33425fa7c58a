//! The file as it is typed. The comments of these fields are the reference (docs/CONFIGURATION.md) and what an editor
//! shows; `default` and the limits beside them are checked against the program by tests.
//!
//! Every field is an `Option`: what must be there is said to the schema (`required`) and judged by the walker, so that
//! one missing key does not hide the faults of all others.

mod account_api;
mod accounts;
mod admin;
mod approvals;
mod bearer;
mod edits;
mod endpoints;
mod hsts;
mod listeners;
mod native;
mod own_answer;
mod provider;
mod routes;
mod signals;
mod upstream;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::Deserializer;

use super::form::Written;
use super::form::address::{AdminAddress, Listen, Origin, TrustedNetwork};
use super::form::text::{ClaimName, CookieName, FilePath, HeaderWord, OwnPrefix, RoutePath, StorePrefix};
use super::human::{BodyLimit, HumanDuration, HumanSize};
use super::secret_ref::SecretRef;
pub(crate) use account_api::{AccountApiFile, SecretMethodWord};
pub(crate) use accounts::{AccountsFile, AssertionsFile};
pub(crate) use admin::{AdminFile, ScopeWord};
pub(crate) use approvals::ApprovalsFile;
pub(crate) use bearer::{BearerFile, BearerIssuerFile};
pub(crate) use edits::{EditEntry, EditFile, EditItem, EditsFile};
pub(crate) use endpoints::EndpointsFile;
pub(crate) use hsts::HstsFile;
pub(crate) use listeners::{ClientCertificatesFile, ListenerFile, ListenerTlsFile, TlsVersionWord};
pub(crate) use native::NativeFile;
pub(crate) use own_answer::{AnswerFile, MaintenanceEntry, RedirectFile};
pub(crate) use provider::{
    AbsentWord, AssertionAudienceWord, AuthMethodWord, DiffersFile, IssuerEntry, IssuerFile, KeyProofWord,
    MemberClientFile, OAuth2File, OidcFile, PortTokensFile, ProfileWord, ProviderFile, PushedWord, ResponseModeWord,
    WayWord, ZenkeyFile,
};
pub(crate) use routes::{
    AccessWord, AssuranceWord, EncodingWord, HeaderEntry, IdentityHeadersFile, PathsWord, PresetWord, RequireFile,
    RouteFile, SimTenureWord, SimUnknownWord, TimeoutsFile, TooLongWord, WebSocketEntry, WebSocketOrigins,
};
pub(crate) use signals::{SignalActWord, SignalsFile};
pub(crate) use upstream::{
    BalanceWord, EjectionFile, HealthFile, ServerEntry, UpstreamEntry, UpstreamFile, UpstreamTlsFile,
};

type Time = Option<Written<HumanDuration>>;
type Size = Option<Written<HumanSize>>;

/// A list in which an item that has a fault of its own leaves a hole, so that the others keep their numbers.
#[derive(Clone)]
pub(crate) struct List<T>(pub(crate) Vec<Option<T>>);

impl<T> List<T> {
    /// The items that have no fault, with their numbers.
    pub(crate) fn items(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().filter_map(|(index, item)| item.as_ref().map(|item| (index, item)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(List)
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

/// One item, or a list of them.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(List<T>),
}

impl<T> OneOrMany<T> {
    /// The items that have no fault, with their numbers if they stand in a list.
    pub(crate) fn items(&self) -> Vec<(Option<usize>, &T)> {
        match self {
            OneOrMany::One(item) => vec![(None, item)],
            OneOrMany::Many(list) => list.items().map(|(index, item)| (Some(index), item)).collect(),
        }
    }
}

/// The whole file.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "zengate")]
pub(crate) struct File {
    /// Where people's browsers reach the gateway: scheme, host and port, as registered with the provider. `https`,
    /// or `http` on this machine only: session cookies are always `Secure`.
    #[schemars(required)]
    pub(crate) public_url: Option<Written<Origin>>,
    /// Path under which the gateway's own addresses live on every protected host: `callback`, `start`, `sign_out`, ….
    #[schemars(extend("default" = "/oauth2"))]
    pub(crate) prefix: Option<Written<OwnPrefix>>,
    /// Public listener, plain HTTP: the short form of `listeners` with one `address`. `:4180` means every address of the
    /// machine, of both families.
    #[schemars(extend("default" = ":4180"))]
    pub(crate) listen: Option<Written<Listen>>,
    /// Public listeners, in place of `listen`.
    #[schemars(extend("minItems" = 1))]
    pub(crate) listeners: Option<List<ListenerFile>>,
    /// Tell browsers that came by https to stay there (`Strict-Transport-Security`).
    pub(crate) hsts: Option<HstsFile>,
    /// Path at which every public listener says, under any name and to anybody, whether requests may be sent here: 200, or 503 while
    /// the gateway stops. It hides that path of every app; without this key there is none.
    pub(crate) health_path: Option<Written<RoutePath>>,
    /// Private listener: metrics and health for whoever reaches it, everything else for whoever has a token (`admin`). An
    /// address beyond this machine must be written out.
    #[schemars(extend("default" = "127.0.0.1:44180"))]
    pub(crate) admin_listen: Option<Written<AdminAddress>>,
    /// Who may do what on the private listener.
    pub(crate) admin: Option<AdminFile>,
    /// To which account of the app people belong: links from who they are at their issuer to the app's own account name.
    pub(crate) accounts: Option<AccountsFile>,
    /// Asking people who are signed in for approvals, on their phones.
    pub(crate) approvals: Option<ApprovalsFile>,
    /// Keys with which the gateway signs what it tells the app.
    pub(crate) assertions: Option<AssertionsFile>,
    /// Worker threads. Without it: one for each processor.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) threads: Option<u32>,
    /// Treat a secret file that every user of the machine may read as a fault; otherwise it is a warning.
    #[schemars(extend("default" = false))]
    pub(crate) strict_secrets: Option<bool>,
    /// Proxies in front of the gateway whose `X-Forwarded-*` headers are believed: addresses or ranges. Ranges that
    /// trust everybody are refused.
    #[schemars(extend("default" = []))]
    pub(crate) trusted_proxies: Option<List<Written<TrustedNetwork>>>,
    /// Headers by which apps know people, beside those that the gateway writes and those of other gateways (docs/SECURITY.md): no
    /// client may send one on any route, in any spelling, nor one whose name begins so.
    #[schemars(extend("default" = []))]
    pub(crate) reserved_headers: Option<List<Written<HeaderWord>>>,
    /// Who vouches for people: `zenkey`, `oidc` or `oauth2`, one of the three.
    pub(crate) provider: Option<ProviderFile>,
    /// Several who vouch for people, in place of `provider`: each a block as `provider` is, with an `id`. Who is to sign
    /// in chooses on a page, unless the route names one. Each has a redirect URI of its own: `{prefix}/callback/{id}`.
    #[schemars(extend("minItems" = 1))]
    pub(crate) providers: Option<List<ProviderFile>>,
    /// How sign-ins run.
    pub(crate) sign_in: Option<SignInFile>,
    /// Sign-ins that apps on phones hand in; without it there are none.
    pub(crate) native: Option<NativeFile>,
    /// What issuers tell us of people who sign in here; without it nothing is heard.
    pub(crate) signals: Option<SignalsFile>,
    /// What signing out ends.
    pub(crate) sign_out: Option<SignOutFile>,
    /// Whose access tokens are accepted on routes with `access: bearer` or `session-or-bearer`.
    pub(crate) bearer: Option<BearerFile>,
    /// Origins whose scripts may read the gateway's own answers on protected routes (that somebody is not signed in,
    /// and why) and whose preflight requests are answered there. Literals: no pattern, no wildcard.
    #[schemars(extend("default" = []))]
    pub(crate) cors_origins: Option<List<Written<Origin>>>,
    /// Where sessions are kept, and for how long.
    pub(crate) sessions: Option<SessionsFile>,
    /// What one client may use up.
    pub(crate) limits: Option<LimitsFile>,
    /// What is written to standard error.
    pub(crate) log: Option<LogFile>,
    /// How the gateway stops.
    pub(crate) shutdown: Option<ShutdownFile>,
    /// How often the names of upstreams are resolved anew. A name is also resolved, at most once a second, when a
    /// connection fails. Up to four addresses of a name are tried; while it has none, requests are answered 502.
    #[schemars(extend("default" = "30s", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) resolve_upstreams: Time,
    /// How long one question for the addresses of an upstream's name may take, at the start as later. A name that is not
    /// answered in time keeps the addresses it had.
    #[schemars(extend("default" = "5s", "x-min" = "100ms", "x-max" = "1m"))]
    pub(crate) resolve_timeout: Time,
    /// What is protected. The most specific route wins, whatever the order; what no route names is refused.
    #[schemars(required, extend("minItems" = 1))]
    pub(crate) routes: Option<List<RouteFile>>,
}

/// How sign-ins run.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInFile {
    /// Origins beside the protected host itself to which a sign-in may return. Literals: no pattern, no wildcard.
    #[schemars(extend("default" = []))]
    pub(crate) return_origins: Option<List<Written<Origin>>>,
    /// How far a provider's clock may differ from ours.
    #[schemars(extend("default" = "1m", "x-max" = "5m"))]
    pub(crate) skew: Time,
    /// Sign-ins that wait in memory or a file for somebody to come back from their carrier; beyond it the oldest makes
    /// room. One that has only begun is not among them: it lies sealed in the browser.
    #[schemars(extend("default" = 100_000), range(min = 1, max = 10_000_000))]
    pub(crate) max_attempts: Option<u64>,
    /// Claims that tell a person on our pages who they are signed in as: the first that they have. An empty list tells
    /// nothing.
    #[schemars(extend("default" = ["email", "preferred_username", "name"]))]
    pub(crate) display_claims: Option<List<Written<ClaimName>>>,
    /// Whom somebody is to ask who is signed in and may not open a page, as it is to be read there: an address, a name. At
    /// most 100 bytes.
    pub(crate) contact: Option<String>,
    /// What the provider is asked for (`prompt`) when somebody wants to use another account.
    #[schemars(extend("default" = "select_account"))]
    pub(crate) other_account: Option<OtherAccountWord>,
    /// Largest form that is read at one of our own addresses, such as a provider's answer with `response_mode: form_post`;
    /// beyond it 413.
    #[schemars(extend("default" = "64KiB", "x-min" = "1KiB", "x-max" = "1MiB"))]
    pub(crate) form_bytes: Size,
    /// Pages of more than 2 KiB that people are to return to after a sign-in, kept for a day in memory or a file; beyond it
    /// the oldest makes room, and its person ends on the start page. Each takes as much as its address, at most
    /// `limits.uri_bytes`, and some hundred bytes. In Redis their time alone bounds them.
    #[schemars(extend("default" = 2_000), range(min = 1, max = 10_000_000))]
    pub(crate) max_kept_pages: Option<u64>,
    /// Sign-ins that one client may begin in a minute, and twice as many at once; beyond it 429; `0` for no limit. A
    /// client is an address (IPv6: a /64 network; all of a /56 together may begin four times as many, all of a /48
    /// sixteen times). Nothing is stored for a sign-in that begins, so this is against floods only: an office, a school or a
    /// range of a carrier may share one address. Behind a proxy that is not in `trusted_proxies` everybody is one.
    #[schemars(extend("default" = 1_200), range(min = 0, max = 1_000_000))]
    pub(crate) starts_per_minute: Option<u32>,
}

/// What signing out ends.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOutFile {
    /// Whether signing out also ends the session at the provider, where it says how (`end_session_endpoint`, OpenID Connect
    /// RP-Initiated Logout 1.0): `never`, `ask` (the page offers both) or `always`. Register the public URL with
    /// `/oauth2/signed_out` there as post-logout redirect URI. But for `never`, the ID token of each session is kept, sealed
    /// beside it.
    #[schemars(extend("default" = "ask"))]
    pub(crate) provider: Option<SignOutWord>,
    /// Take front-channel logouts at `/oauth2/frontchannel_logout?iss=…&sid=…` (OpenID Connect Front-Channel Logout 1.0).
    /// Browsers send no cookie of ours into the frame of another site, so whoever knows a session's `sid` may end it that way:
    /// other apps of the same provider do. Back-channel logouts need no key: they are signed.
    #[schemars(extend("default" = false))]
    pub(crate) front_channel: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SignOutWord {
    Never,
    Ask,
    Always,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum CookieWord {
    Persistent,
    Browser,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum OtherAccountWord {
    Login,
    SelectAccount,
}

/// Where sessions are kept, and for how long.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsFile {
    /// `embedded` (a file, see `path`), `memory` (lost at restart), `file:///…` (an embedded file there), or the address
    /// of a Redis: `redis://host:6379/0`, `rediss://…` with TLS, `unix:///…`. An address with a password is a secret: write
    /// `{ file: … }` or `{ env: … }`.
    #[schemars(extend("default" = "embedded"))]
    pub(crate) store: Option<SecretRef>,
    /// File of the embedded store. Without it: `zengate.redb` in `$STATE_DIRECTORY` (which systemd sets) or in the
    /// working directory.
    pub(crate) path: Option<Written<FilePath>>,
    /// What every key in Redis begins with.
    #[schemars(extend("default" = "zengate:"))]
    pub(crate) redis_prefix: Option<Written<StorePrefix>>,
    /// A session that is unused for this long is over. Never longer than `absolute`.
    #[schemars(extend("default" = "30m", "x-min" = "1m", "x-max" = "365d"))]
    pub(crate) idle: Time,
    /// A session that is this old is over, used or not.
    #[schemars(extend("default" = "12h", "x-min" = "1m", "x-max" = "365d"))]
    pub(crate) absolute: Time,
    /// Whether the session cookie outlives the browser's window: `persistent` (phones end browsers as they like; the cookie
    /// lasts for `idle` after its last renewal and never longer than the session) or `browser`. Whoever says on the
    /// sign-in page that the device is not theirs gets `browser`. Whether a session lives, the store decides in either case.
    #[schemars(extend("default" = "persistent"))]
    pub(crate) cookie: Option<CookieWord>,
    /// What the names of the gateway's cookies begin with, after `__Host-`. Two gateways on one host name, by port or by
    /// path, need different ones: browsers send cookies to every port of a host.
    #[schemars(extend("default" = "gw"))]
    pub(crate) cookie_name: Option<Written<CookieName>>,
    /// Ask the provider again about each session, so that whoever was disabled there is out within this time, and changed
    /// claims are known: by its refresh token, if one came (most providers want the scope `offline_access` for that), sealed
    /// beside the session; else by a new sign-in, which asks nothing of a person whom the provider still knows. Without it a
    /// session lives for `absolute` whatever becomes of the person.
    #[schemars(extend("x-min" = "1m", "x-max" = "365d"))]
    pub(crate) recheck: Time,
    /// While the provider cannot be asked, sessions go on for so much longer: it is away, or refuses us rather than the person
    /// (`invalid_client`, `unauthorized_client`, ...). `invalid_grant` ends the session at once; so does another refusal in the
    /// same words twice, until `recheck_unclear` people were refused so with nobody confirmed between them.
    #[schemars(extend("default" = "15m", "x-max" = "1d"))]
    pub(crate) recheck_grace: Time,
    /// So many people of a provider in a row may be signed out because it refused their refresh tokens in words that are not clear
    /// (`invalid_request`, or words of its own, twice). From then on it is taken for a fault of our registration, until the
    /// provider confirms somebody. 0: words that are not clear sign nobody out.
    #[schemars(extend("default" = 3), range(min = 0, max = 10_000))]
    pub(crate) recheck_unclear: Option<u64>,
    /// A sign-in that is not finished within this time is over; whoever comes back later begins another one for the same
    /// page by themselves. Providers' login pages usually live as long.
    #[schemars(extend("default" = "30m", "x-min" = "1m", "x-max" = "1h"))]
    pub(crate) attempt: Time,
    /// Keys that records are sealed with, beside the secret in each cookie: at least 32 random bytes each, as base64 or
    /// hexadecimal (`openssl rand -base64 32`). The first one seals, all of them open: put a new one in front. Without
    /// any, a key derived from the client secret seals.
    #[schemars(extend("default" = []))]
    pub(crate) keys: Option<List<SecretRef>>,
    /// Sessions that are held in memory for quick answers.
    #[schemars(extend("default" = 100_000), range(min = 1, max = 100_000_000))]
    pub(crate) cache_entries: Option<u64>,
    /// Memory that these sessions may take together: one of a person in hundreds of groups takes as much as fifty others. What
    /// was used least makes room. Without it: 2560 bytes for each of `cache_entries`, which is four times what most take.
    #[schemars(extend("x-min" = "1MiB"))]
    pub(crate) cache_bytes: Size,
    /// A session in memory is compared with Redis this often. A session that was ended at another gateway lives on at
    /// most this long, or two seconds if that is longer. An embedded store has no other gateway: there a session ends at
    /// once, and its record is only looked at behind the requests' back.
    #[schemars(extend("default" = "1s", "x-max" = "5m"))]
    pub(crate) revalidate: Time,
    /// Sign-outs that are kept while the store cannot be reached, and told to it as soon as it can. Beyond so many a
    /// sign-out is answered with 503 and the person keeps the cookie, so that it can be tried again.
    #[schemars(extend("default" = 10_000), range(min = 1, max = 1_000_000))]
    pub(crate) pending_revocations: Option<u64>,
    /// Directory in which sign-outs that the store has not heard of are kept, sealed, when the gateway stops, for its next
    /// start. Without it: that of the embedded store's file; with Redis `$STATE_DIRECTORY` (which systemd sets); else
    /// nowhere, and the log names what was lost.
    pub(crate) state_directory: Option<Written<FilePath>>,
    /// Sessions in memory stay good this long while the store cannot be reached.
    #[schemars(extend("default" = "1m", "x-max" = "1d"))]
    pub(crate) grace: Time,
}

/// What one client may use up.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsFile {
    /// Largest header block of a request; beyond it 431.
    #[schemars(extend("default" = "32KiB", "x-min" = "1KiB", "x-max" = "1MiB"))]
    pub(crate) header_bytes: Size,
    /// Most header fields of a request; beyond it 431.
    #[schemars(extend("default" = 100), range(min = 8, max = 256))]
    pub(crate) header_count: Option<u32>,
    /// Longest request target; beyond it 414. Never more than `header_bytes`, of which it is a part.
    #[schemars(extend("default" = "8KiB", "x-min" = "256B", "x-max" = "60KiB"))]
    pub(crate) uri_bytes: Size,
    /// Largest `Cookie` header; beyond it 431.
    #[schemars(extend("default" = "16KiB", "x-min" = "1KiB", "x-max" = "1MiB"))]
    pub(crate) cookie_bytes: Size,
    /// Largest size of all claims that are read of one token or userinfo answer: room for 2,000 groups of 64 letters. What is
    /// beyond it is left out, rules first in, and named in the log. Each session in memory and in the store holds them.
    #[schemars(extend("default" = "128KiB", "x-min" = "4KiB", "x-max" = "1MiB"))]
    pub(crate) claims: Size,
    /// Time in which all headers of a request must have come.
    #[schemars(extend("default" = "10s", "x-min" = "1s", "x-max" = "5m"))]
    pub(crate) header_deadline: Time,
    /// How long an idle connection is kept for the next request.
    #[schemars(extend("default" = "75s", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) keepalive: Time,
    /// Largest request body, unless a route says otherwise; beyond it 413.
    #[schemars(extend("default" = "64MiB"))]
    pub(crate) body: Option<Written<BodyLimit>>,
    /// Slowest request body, bytes in a second over `body_rate_window`; below it 408.
    #[schemars(extend("default" = "500B", "x-max" = "1MiB"))]
    pub(crate) body_min_rate: Size,
    /// Time over which `body_min_rate` is measured.
    #[schemars(extend("default" = "30s", "x-min" = "1s", "x-max" = "10m"))]
    pub(crate) body_rate_window: Time,
    /// Slowest reading of an answer, bytes in a second over `answer_rate_window`, while there is something to read; below
    /// it the connection is ended. `0` for no limit.
    #[schemars(extend("default" = "1KiB", "x-max" = "1MiB"))]
    pub(crate) answer_min_rate: Size,
    /// Time over which `answer_min_rate` is measured.
    #[schemars(extend("default" = "30s", "x-min" = "1s", "x-max" = "10m"))]
    pub(crate) answer_rate_window: Time,
    /// Open client connections in all. Fewer where memory or open files do not suffice for so many, which is told at the
    /// start.
    #[schemars(extend("default" = 20_000), range(min = 1, max = 1_000_000))]
    pub(crate) connections: Option<u32>,
    /// Open connections of one client address (IPv6: a /64 network; a /56 gets twice, a /48 four times as many);
    /// trusted proxies are not counted.
    #[schemars(extend("default" = 1_000), range(min = 1, max = 1_000_000))]
    pub(crate) connections_per_client: Option<u32>,
    /// Requests under way at once on one connection of HTTP/2; a client waits with further ones.
    #[schemars(extend("default" = 100), range(min = 1, max = 10_000))]
    pub(crate) streams: Option<u32>,
    /// Answers under way at once that may fill memory: those that come in pieces of 16 KiB or more, and those whose client
    /// does not read. Beyond it the network that has most of them loses the one that was not read for longest. Without
    /// it: as many as memory allows.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) large_answers: Option<u32>,
    /// Memory that the gateway may use, from which the two limits above are lowered to what it can carry. Without it: the
    /// memory limit of its container (cgroup), if there is one.
    #[schemars(extend("x-min" = "32MiB"))]
    pub(crate) memory: Size,
    /// Longest silence while reading from a client.
    #[schemars(extend("default" = "1m", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) read_timeout: Time,
    /// Longest silence while writing to a client.
    #[schemars(extend("default" = "1m", "x-min" = "1s", "x-max" = "1h"))]
    pub(crate) write_timeout: Time,
}

/// What is written to standard error.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFile {
    /// `json` for machines, `human` for a terminal.
    #[schemars(extend("default" = "json"))]
    pub(crate) format: Option<FormatWord>,
    /// Least important events that are written.
    #[schemars(extend("default" = "info"))]
    pub(crate) level: Option<LevelWord>,
    /// One line for each request.
    #[schemars(extend("default" = true))]
    pub(crate) access: Option<bool>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum FormatWord {
    Json,
    Human,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum LevelWord {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How the gateway stops.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShutdownFile {
    /// The gateway goes on serving, new connections too, for so long after it was asked to stop; `health_path` and `/readyz` say 503,
    /// and answers end their connections. As long as your balancers need to notice. Then `grace` begins.
    #[schemars(extend("default" = "0s", "x-max" = "10m"))]
    pub(crate) delay: Time,
    /// Requests that are under way get this long to finish.
    #[schemars(extend("default" = "25s", "x-max" = "1h"))]
    pub(crate) grace: Time,
}
