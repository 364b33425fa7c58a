//! Which route a request belongs to, and what the route says about it.
//!
//! A route is a host and a path prefix, and perhaps conditions. Most specific wins whatever the order in the file; what no route names is
//! refused (unknown host 421, no route 403): nothing is open by default.

mod conditions;
mod edits;
mod mount;
pub mod network;
mod own_answer;
pub mod path;
mod table;
pub mod upstream;

use self::upstream::UpstreamSettings;
use crate::identity::headers::{IdentityHeaderSettings, SIM_TENURE};
use crate::policy::Requirement;

pub use conditions::{Conditions, Traits};
pub use edits::{Edit, Edited, HeaderEdits, fault as edit_fault};
pub use mount::Mount;
pub use own_answer::{Maintenance, OwnAnswer};
pub use table::{FOLDINGS, Found, RESERVED_PREFIX, Route, RouteFault, RouteTable};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; identity headers are removed from what the client sent all the same.
    Anonymous,
    /// Whoever brings an access token for it. A session cookie gives nothing here: a page of another site could make a
    /// browser send it (K12).
    Bearer,
    /// A person with a live session.
    Session,
    /// Either. A bearer token that is there is judged, and a bad one is refused even beside a good session: whoever
    /// sends a token means it to count, and must not be taken for somebody else.
    SessionOrBearer,
}

impl Access {
    /// The word in the configuration, in logs and in the effective table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Bearer => "bearer",
            Self::Session => "session",
            Self::SessionOrBearer => "session-or-bearer",
        }
    }

    /// Whether access tokens count.
    pub fn takes_tokens(self) -> bool {
        matches!(self, Self::Bearer | Self::SessionOrBearer)
    }

    /// Whether session cookies count.
    pub fn takes_sessions(self) -> bool {
        matches!(self, Self::Session | Self::SessionOrBearer)
    }
}

/// What an access token must have to be used on a route, beyond being good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenDemand {
    /// Narrows the audiences of the issuers to these; empty: all of them.
    pub audiences: Vec<String>,
    /// Scopes it must have, all of them.
    pub scopes: Vec<String>,
}

/// Which targets a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Those that every server reads in one way.
    Strict,
    /// All of which every reading leads to this route, or to one with the same rules; they are forwarded byte for byte.
    AsIs,
}

/// Which WebSockets a route passes on (RFC 6455, 4.2.2 and 10.2).
///
/// A browser sends its cookies with a WebSocket that any page opens, and no other rule of browsers keeps that page from
/// reading what comes. So the page's origin counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WebSockets {
    /// None: an upgrade is dropped.
    Off,
    /// Those of pages of the very host that is asked.
    #[default]
    SameOrigin,
    /// These origins' too, as browsers serialise them.
    Origins(Vec<String>),
    /// Those of any page.
    Any,
}

impl WebSockets {
    /// Whether any pass.
    pub fn pass(&self) -> bool {
        *self != Self::Off
    }

    /// Whether whoever may open one here may also open one where `other` is the rule. In doubt not.
    pub fn guards_as_much(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Off, _) | (_, Self::Any) | (Self::SameOrigin, Self::SameOrigin | Self::Origins(_)) => true,
            (Self::Origins(these), Self::Origins(those)) => these.iter().all(|origin| those.contains(origin)),
            _ => false,
        }
    }
}

/// One route as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// Name in the log; default `host/path`.
    pub name: String,
    /// Lower-case host name; `*.` in front stands for one label, whichever it is.
    pub host: String,
    /// Path prefix, starts with `/`, matched by whole segments; `/` covers the host.
    pub path: String,
    /// What else a request must have. Default nothing.
    pub conditions: Conditions,
    /// Which targets it takes. Default strict.
    pub paths: Paths,
    /// Who may use it.
    pub access: Access,
    /// Ids of the providers at which its people may have signed in; empty: any.
    pub providers: Vec<String>,
    /// What an identity must have beyond being known.
    pub require: Requirement,
    /// What a person reads beside the question when they must confirm for this route; at most 280 characters. `%host%` stands
    /// for the route's host.
    pub step_up_context: Option<String>,
    /// What people are told who keep one of `require.attributes` back: what the app needs it for.
    pub attributes_for: Option<String>,
    /// Whether a person must be linked to an account of the app. Default no.
    pub linked_account: bool,
    /// What an access token must have; without meaning where none is taken.
    pub token: TokenDemand,
    /// Origins whose scripts may read our own answers on this route, as browsers serialise them.
    pub cors_origins: Vec<String>,
    /// What stands in the place of `path` towards the app: `/` for nothing. Default: `path` itself.
    pub inner_path: Option<String>,
    /// Whether it is closed for a while: nobody is let in, and nobody is asked who they are.
    pub maintenance: Option<Maintenance>,
    /// What it answers without an app; then `upstream` is nowhere.
    pub own_answer: Option<OwnAnswer>,
    /// Where requests go.
    pub upstream: UpstreamSettings,
    /// What is done to the headers of requests on their way to the app.
    pub request_headers: HeaderEdits,
    /// What is done to the headers of the app's answers.
    pub response_headers: HeaderEdits,
    /// Which identity headers the upstream gets.
    pub identity_headers: IdentityHeaderSettings,
    /// Largest request body in bytes. Default 64 MiB.
    pub max_body: u64,
    /// Whether the client's own `Authorization` header is passed on. Default no.
    pub pass_authorization: bool,
    /// Whether header names are passed on as the client and the app spelled them; without it they go out in lower case.
    /// Default no.
    pub preserve_header_case: bool,
    /// Which WebSockets are passed on. Default: those of pages of the route's own host.
    pub websocket: WebSockets,
}

impl RouteSettings {
    /// Whether it is one for `host`, which is lower case, without port and trailing dot.
    pub fn is_for(&self, host: &str) -> bool {
        match self.host.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => self.host == host,
        }
    }

    /// Whether it wants to know how long the numbers of its people have been on their SIMs: it demands something of that, or tells
    /// the app.
    pub fn asks_sim_tenure(&self) -> bool {
        let told = self.identity_headers.map.iter().any(|rule| rule.claim == SIM_TENURE);
        self.require.sim_tenure.is_some() || told
    }
}
