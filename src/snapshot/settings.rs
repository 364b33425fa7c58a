//! What the operator says about signing in and about sessions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use super::BearerSettings;
use crate::approval::ApprovalSettings;
use crate::carrier::differs::Differences;
use crate::carrier::event::Event;
use crate::carrier::find::Way;
use crate::carrier::port_token::PortTokenSettings;
use crate::carrier::profile::Profile;
use crate::identity::{ClaimValue, Identity};
use crate::oidc::acr::{Assurance, Vocabulary};
use crate::oidc::authorization::RequestSettings;
use crate::provider::IssuerSettings;
use crate::session::Lifetimes;
use crate::web::cookie::CookieNames;

/// Whether the session cookie outlives the browser's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieLife {
    /// It does, for the idle time after it was last sent.
    Persistent,
    /// It goes with the window.
    Browser,
}

/// Whether signing out ends the session at the provider too (OpenID Connect RP-Initiated Logout 1.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderSignOut {
    /// No.
    Never,
    /// Whoever signs out says which.
    Ask,
    /// Yes, wherever the provider says how.
    Always,
}

/// What the operator says about signing in and about sessions.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Origin people reach us by, without a trailing slash: `https://apps.example.com`. Its host is where signing in
    /// happens; the redirect URI is always built from it, never from what a client sent (A16).
    pub public_url: Url,
    /// Prefix of our own addresses. Default `/oauth2`.
    pub prefix: String,
    /// Clock skew allowed between us and issuers. Default 60 s.
    pub skew: Duration,
    /// Largest size of all claims that are read of one token or userinfo answer, in bytes. Default
    /// [`NamedClaims::MOST_BYTES`](crate::oidc::claims::NamedClaims::MOST_BYTES).
    pub claims_bytes: usize,
    /// With whom people may sign in.
    pub registrations: Registrations,
    /// Lifetimes.
    pub lifetimes: Lifetimes,
    /// Headers that no client may send, beside those that are always reserved.
    pub reserved_headers: Vec<HeaderName>,
    /// Longest target that our listener takes, in bytes: no browser is sent to a longer one of ours.
    pub longest_target: usize,
    /// Largest form that is read at an address of ours, in bytes. Default 64 KiB.
    pub form_bytes: usize,
    /// Claims that say to a person who they are signed in as; the first that they have. Empty: they are not told.
    pub display_claims: Vec<String>,
    /// Whom somebody is to ask who may not open a page; `None`: whoever runs the site.
    pub contact: Option<String>,
    /// `prompt` for somebody who wants to use another account.
    pub other_account_prompt: &'static str,
    /// Origins other than our own that people may be sent to after signing in or out.
    pub return_origins: Vec<String>,
    /// Names of our cookies.
    pub cookies: CookieNames,
    /// Whether the session cookie outlives the browser's window.
    pub cookie_life: CookieLife,
    /// Whether signing out ends the session at the provider too.
    pub sign_out: ProviderSignOut,
    /// Whether the provider is asked again about sessions, for which refresh tokens are kept.
    pub recheck: bool,
    /// So many people of an issuer in a row may be signed out because it refused their refresh tokens in words that are not clear.
    /// Default 3.
    pub recheck_unclear: usize,
    /// Whether front-channel logouts are taken.
    pub front_channel_logout: bool,
    /// Sign-ins that one client may begin in a minute, twice as many at once; zero for no limit. Default 1 200.
    pub starts_per_minute: u32,
    /// Whose access tokens are accepted.
    pub bearer: BearerSettings,
    /// The public halves of our own keys, as key sets, by the id of the one member of a federation that is to read them; under
    /// an empty id those that all may.
    pub client_key_sets: BTreeMap<String, String>,
    /// Whether people are linked to accounts of the app.
    pub has_accounts: bool,
    /// What is said of apps on phones; `None` where none hands anything in.
    pub native: Option<NativeSettings>,
    /// What follows what issuers tell us of people; `None`: nothing is heard.
    pub signals: Option<SignalSettings>,
    /// Where people go who have no account of the app yet; `None`: they are refused.
    pub registration: Option<RegistrationSettings>,
    /// How people are asked for approvals on their phones; `None`: nobody is.
    pub approvals: Option<Arc<ApprovalSettings>>,
}

/// Apps on phones that sign people in by themselves and hand that in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeSettings {
    /// Redirect URIs that a code may have been asked for with, exact.
    pub redirect_uris: Vec<String>,
    /// Hosts on which they hand in, and use what they get.
    pub hosts: Vec<String>,
    /// How long a nonce lives. Default 10 min.
    pub nonce_ttl: Duration,
    /// Requests that one client may make in a minute, twice as many at once; zero for no limit. Default 600.
    pub per_minute: u32,
    /// Whether people must be linked to an account of the app.
    pub linked_account: bool,
}

/// What follows what issuers tell us of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalSettings {
    /// What follows each event.
    pub acts: Vec<(Event, SignalAct)>,
    /// How old a signal may be. Default 10 min.
    pub max_age: Duration,
}

impl SignalSettings {
    /// What follows `event`; of an event that nothing is said about, that sessions end.
    pub fn act(&self, event: Event) -> SignalAct {
        self.acts.iter().find(|(known, _)| *known == event).map_or(SignalAct::End, |(_, act)| *act)
    }
}

/// What follows an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalAct {
    /// The person's sessions end.
    End,
    /// They end, and the next one opens only if the person authenticates anew.
    Reauthenticate,
    /// Nothing.
    Ignore,
}

impl SignalAct {
    /// The word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::End => "ended",
            Self::Reauthenticate => "reauthenticate",
            Self::Ignore => "ignored",
        }
    }
}

/// The app's registration page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationSettings {
    /// Its address.
    pub url: Url,
    /// How long the statement lives that it is told who they are by. Default 2 min.
    pub ttl: Duration,
}

impl ClientRegistration {
    /// Whether `issuer` is one that it may be answered by.
    pub fn trusts(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|trusted| trusted.names(issuer))
    }
}

/// Every provider that people may sign in with: at least one, so that there is no gateway at which nobody can.
#[derive(Debug, Clone)]
pub struct Registrations {
    first: ClientRegistration,
    further: Vec<ClientRegistration>,
}

impl Registrations {
    /// The first of the configuration, and those after it.
    pub fn new(first: ClientRegistration, further: Vec<ClientRegistration>) -> Self {
        Self { first, further }
    }

    /// The first of the configuration.
    pub fn first(&self) -> &ClientRegistration {
        &self.first
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&ClientRegistration> {
        self.iter().find(|registration| registration.id == id)
    }

    /// Whether there is more than one.
    pub fn are_many(&self) -> bool {
        !self.further.is_empty()
    }

    /// All in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &ClientRegistration> {
        std::iter::once(&self.first).chain(&self.further)
    }
}

/// Our registration as a client with one provider: who we are there, and what we ask for.
#[derive(Debug, Clone)]
pub struct ClientRegistration {
    /// What the provider does in ways of its kind.
    pub profile: &'static Profile,
    /// Its id in `providers`; empty for the one of `provider`.
    pub id: String,
    /// What people know it by, on the page on which they choose.
    pub name: String,
    /// Where the configuration speaks of it: `provider` or `providers[N]`; for advice to the operator.
    pub section: String,
    /// Our client id.
    pub client_id: String,
    /// Scopes of the authorization request; `openid` is among them.
    pub scopes: Vec<String>,
    /// Authentication contexts to ask for, in order of preference; sent explicitly (dossier 20, row 11).
    pub acr_values: Vec<String>,
    /// Whether a sign-in that reached none of `acr_values` is refused.
    pub require_acr: bool,
    /// What the operator says of the provider's words for authentication contexts, before what is known of its kind; the
    /// lowest first.
    pub assurance: Vec<(String, Assurance)>,
    /// How it is found out which member a person has.
    pub find: Vec<Way>,
    /// The page of the federation that finds out a person's carrier; `None` where there is none.
    pub discovery_ui: Option<Url>,
    /// The address of the federation that takes authorization requests and finds the carrier out on the way; `None` where none is
    /// asked.
    pub optimized_discovery: Option<Url>,
    /// Whether a member that a person picked answers at an address of its own.
    pub member_redirect_uris: bool,
    /// How long a browser remembers the carrier of its last sign-in; `None`: it does not.
    pub remember_carrier: Option<Duration>,
    /// Trusted issuers.
    pub issuers: Vec<IssuerSettings>,
    /// Longest ID token that is looked at, in bytes. Default 256 KiB.
    pub max_id_token: usize,
    /// How the provider answers an authorization request.
    pub response_mode: ResponseMode,
    /// Whether attributes are fetched from userinfo.
    pub userinfo: bool,
    /// What stands in every authorization request beside the above.
    pub request: RequestSettings,
    /// What is said of port tokens.
    pub port_tokens: PortTokenSettings,
}

impl ClientRegistration {
    /// Whether people may bring their account along from one of its issuers to another.
    pub fn lets_people_migrate(&self) -> bool {
        self.issuers.iter().any(|member| !member.migrates_from.is_empty())
    }

    /// Whether people pick a member on a page of ours.
    pub fn picks(&self) -> bool {
        self.find.contains(&Way::Picker)
    }

    /// The member with this id, if people can pick it.
    pub fn member(&self, id: &str) -> Option<&IssuerSettings> {
        self.issuers.iter().find(|member| self.picks() && !member.id.is_empty() && member.id == id)
    }

    /// The member whose people the subscribers of the network are that a browser named, if the configuration says so.
    pub fn member_of(&self, named: &str) -> Option<&IssuerSettings> {
        let network = self.profile.network_form?.read(named)?;
        self.issuers.iter().find(|member| member.networks.contains(&network))
    }

    /// Our client id at `issuer`.
    pub fn client_id_at(&self, issuer: &str) -> &str {
        let member = self.issuers.iter().find(|member| member.issuer == issuer);
        member.and_then(|member| member.client_id.as_deref()).unwrap_or(&self.client_id)
    }

    /// What the member with this issuer does otherwise than the rest; `None` if there is no such member.
    pub fn differences(&self, issuer: &str) -> Option<&Differences> {
        self.issuers.iter().find(|member| member.issuer == issuer).map(|member| &member.differs)
    }

    /// What stands below `callback/` in the redirect URI of the member with the id `member`; empty for the address of all.
    pub fn below_callback(&self, member: &str) -> String {
        [self.id.as_str(), member].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// All that may stand below `callback/`, the address of all first.
    pub fn all_below_callback(&self) -> impl Iterator<Item = String> {
        let own = self.issuers.iter().filter(|member| self.member_redirect_uris && !member.id.is_empty());
        std::iter::once("").chain(own.map(|member| member.id.as_str())).map(|member| self.below_callback(member))
    }

    /// What the words for authentication contexts mean at its issuers.
    pub fn acr_vocabulary(&self) -> Vocabulary {
        self.profile.acr_words
    }

    /// What the authentication context that was reached assures; `None` if nobody says so.
    pub fn assurance_of(&self, acr: Option<&str>) -> Option<Assurance> {
        self.acr_vocabulary().assurance_as_said(&self.assurance, acr?)
    }

    /// The words to ask for that assure at least `wanted`, the lowest first; empty if there are none here.
    pub fn words_assuring(&self, wanted: Assurance) -> Vec<String> {
        self.acr_vocabulary().assuring_as_said(&self.assurance, wanted)
    }
}

/// How a provider answers an authorization request (OAuth 2.0 Multiple Response Type Encoding Practices, 2.1; Form Post
/// Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseMode {
    /// In the address that the browser is sent back to.
    #[default]
    Query,
    /// In a form that the browser posts.
    FormPost,
}

/// What an address of ours needs beside its prefix and the page that it carries, in bytes: `/refused`, and the names and
/// values of its other parameters.
const OWN_WORDS: usize = 120;

/// Longest target under our own `prefix`, where any other may have `longest` bytes: an address of ours carries a whole page
/// with it, and is not to be refused for the page's length.
pub fn longest_own_target(prefix: &str, longest: usize) -> usize {
    longest + prefix.len() + OWN_WORDS
}

impl AuthSettings {
    /// As whom a person is signed in, as the operator wants it told; `None` if there is nothing to tell.
    pub fn display_name(&self, identity: &Identity) -> Option<String> {
        let claims = &identity.parts().claims;
        let text = |name: &String| match claims.get(name)? {
            ClaimValue::Text(text) => Some(text.to_string()),
            _ => None,
        };
        self.display_claims.iter().find_map(text).filter(|name| !name.is_empty())
    }

    /// Longest target under our own prefix that our listener takes, in bytes.
    pub fn longest_own_target(&self) -> usize {
        longest_own_target(&self.prefix, self.longest_target)
    }
}
