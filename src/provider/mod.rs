//! Who we ask: carriers and plain OpenID Connect issuers, reached over HTTPS, never judged here.

mod address;
mod breaker;
mod bulkhead;
mod client;
mod error;
mod federation;
mod fetch_budget;
mod key_memory;
mod key_store;
mod loaded_keys;
mod metadata;
mod oauth2;
mod registry;
mod stats;
#[cfg(test)]
mod tests;
mod token_issuers;
mod trust;

pub use address::is_refused_by_address;
pub use client::{ClientError, HttpClient};
pub use error::{ErrorKind, ProviderError};
pub use federation::Federation;
pub use key_memory::{KeyMemory, KeyMemoryError};
pub use key_store::KeyStore;
pub use oauth2::{AccountApi, AccountList, ListMeaning};
pub use registry::Providers;
pub use stats::{Counter, Exchanges, ProviderStats};

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::{Origin, Url};

use crate::carrier::approval::request::{Acknowledgement, Question};
use crate::carrier::differs::Differences;
use crate::carrier::find::Way;
use crate::carrier::network::Network;
use crate::carrier::profile::Profile;
use crate::carrier::usertrait::SimTenure;
use crate::identity::ApiAccount;
use crate::oidc::claims::ClaimRules;
use crate::oidc::client_auth::{AuthMethod, ClientAuthentication};
use crate::oidc::jwks::KeySet;
use crate::oidc::refresh::RefreshResponse;
use crate::oidc::tenants::Tenants;
use crate::secret::SecretString;

/// A trusted issuer and where its endpoints may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Where the configuration speaks of it, such as `provider.oidc`; for advice to the operator.
    pub key: String,
    /// What it is known by in addresses of ours; empty if nothing asks.
    pub id: String,
    /// What people know it by, where they choose.
    pub name: String,
    /// Networks whose subscribers are its people, as far as the configuration says; each network is one member's.
    pub networks: Vec<Network>,
    /// Our client id there; `None`: the one of its federation.
    pub client_id: Option<String>,
    /// What we have to show this one, and no other; `None`: what we show all of its federation.
    pub authentication: Option<ClientAuthentication>,
    /// Exact issuer string, as it stands in `iss` (no wildcard, no trailing-slash forgiveness).
    pub issuer: String,
    /// Where it speaks for many tenants: those whose tokens count.
    pub tenants: Tenants,
    /// Hosts (`host` or `host:port`) that its endpoints may have, exact; the issuer's own is always allowed.
    pub allowed_hosts: Vec<String>,
    /// Signature algorithms its tokens may have. Default `RS256` alone.
    pub algorithms: Vec<String>,
    /// Accept `typ: at+jwt` on ID tokens (one recorded ZenKey sample carries it). Default no.
    pub accept_at_jwt_typ: bool,
    /// How its claims are read.
    pub claims: ClaimRules,
    /// Audiences that may stand beside our client id in its ID tokens. Default none.
    pub trusted_audiences: Vec<String>,
    /// Issuers whose people it may bring along, exact, each another member of its federation. Default none.
    pub migrates_from: Vec<String>,
    /// What it does otherwise than its profile says.
    pub differs: Differences,
}

impl IssuerSettings {
    /// `issuer`, of which the configuration says nothing else at `key`.
    pub fn of(key: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            id: String::new(),
            name: String::new(),
            networks: Vec::new(),
            client_id: None,
            authentication: None,
            issuer: issuer.into(),
            tenants: Tenants::default(),
            allowed_hosts: Vec::new(),
            algorithms: vec!["RS256".to_owned()],
            accept_at_jwt_typ: false,
            claims: ClaimRules::default(),
            trusted_audiences: Vec::new(),
            migrates_from: Vec::new(),
            differs: Differences::default(),
        }
    }

    /// Whether people of this issuer are known by `issuer`: its own name, or that of one of its tenants.
    pub fn names(&self, issuer: &str) -> bool {
        self.named().any(|known| known == issuer)
    }

    /// By which issuers its people are known.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let own = self.tenants.is_none().then_some(self.issuer.as_str());
        own.into_iter().chain(self.tenants.issuers())
    }

    /// The issuer that its metadata names.
    pub(crate) fn in_metadata(&self) -> &str {
        if self.tenants.is_none() { &self.issuer } else { self.tenants.template() }
    }
}

/// An issuer whose access tokens are accepted, as far as its keys go: nothing else of it is ever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssuerSettings {
    /// Exact issuer string.
    pub issuer: String,
    /// Where its keys are; without it, its own metadata says so.
    pub jwks_uri: Option<Url>,
    /// Hosts beside the issuer's own that its metadata may name for the keys.
    pub allowed_hosts: Vec<String>,
}

/// Who signs people in, of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationSettings {
    /// What these do in ways of their own.
    pub profile: &'static Profile,
    /// How it is found out which of them a person has, in this order.
    pub find: Vec<Way>,
    /// The services of the federation that find it out; none where none is asked.
    pub discovery: Option<DiscoveryAddresses>,
    /// Who may vouch for somebody; at least one.
    pub members: Vec<IssuerSettings>,
    /// Where ID tokens do not say who somebody is: the API that does, of the one member.
    pub api: Option<Box<AccountApi>>,
}

impl FederationSettings {
    /// The one issuer at which everybody signs in, if there is one.
    pub fn fixed(&self) -> Option<&IssuerSettings> {
        self.members.first().filter(|_| self.find == [Way::Fixed])
    }

    /// The member whose people the subscribers of `network` are, if the configuration says so.
    pub fn member_of(&self, network: &Network) -> Option<&IssuerSettings> {
        self.members.iter().find(|member| member.networks.contains(network))
    }

    /// The member with this issuer.
    pub fn member(&self, issuer: &str) -> Option<&IssuerSettings> {
        self.members.iter().find(|member| member.issuer == issuer)
    }
}

/// Where a federation finds out a person's network, and tells which member that is (dossier 5, 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryAddresses {
    /// Base of the service that tells; `/.well-known/openid_configuration` (underscore) is appended.
    pub issuer: Url,
    /// The page that finds out.
    pub ui: Url,
    /// The address that takes an authorization request and finds out on the way.
    pub optimized: Url,
}

/// A forward proxy between us and providers.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundProxy {
    /// `http://host:port`, or `http://user:password@host:port`, which is told to the proxy alone; it is asked to connect (RFC 9110, 9.3.6), and TLS is spoken through it.
    pub url: Url,
    /// Hosts, domains and networks that are reached without it, as in `NO_PROXY`; this machine always is.
    pub exempt: String,
}

impl std::fmt::Debug for OutboundProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = (self.url.host_str(), self.url.port_or_known_default());
        f.debug_struct("OutboundProxy").field("place", &place).field("exempt", &self.exempt).finish_non_exhaustive()
    }
}

/// Addresses of an issuer, as far as the operator has given them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where browsers are sent to sign in.
    pub authorization: Option<Url>,
    /// Where codes are redeemed.
    pub token: Option<Url>,
    /// Where the keys are.
    pub jwks: Option<Url>,
    /// Where attributes are.
    pub userinfo: Option<Url>,
    /// Where browsers are sent to end the session.
    pub end_session: Option<Url>,
    /// Where authorization requests are pushed.
    pub pushed_authorization_request: Option<Url>,
}

impl Endpoints {
    /// All that are given.
    pub fn given(&self) -> impl Iterator<Item = &Url> {
        let Self { authorization, token, jwks, userinfo, end_session, pushed_authorization_request } = self;
        [authorization, token, jwks, userinfo, end_session, pushed_authorization_request].into_iter().flatten()
    }
}

/// Everything needed to talk to providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Where the configuration speaks of it: `provider` or `providers[N]`; for advice to the operator.
    pub section: String,
    /// Federation.
    pub federation: FederationSettings,
    /// Issuers of access tokens, each once.
    pub token_issuers: Vec<TokenIssuerSettings>,
    /// File in which their last good key sets outlive a restart, sealed; see [`KeyMemory`].
    pub key_memory: Option<PathBuf>,
    /// Our client id.
    pub client_id: String,
    /// What we have to show who we are.
    pub authentication: ClientAuthentication,
    /// Whether attributes are wanted from userinfo.
    pub userinfo: bool,
    /// Where we ask the plain issuer ourselves, if that is another address than browsers have for it: what stands in place of
    /// the issuer at the beginning of its addresses. May be plain http: the operator said so.
    pub backchannel_base_url: Option<Url>,
    /// Addresses of the plain issuer that stand in the configuration, in place of what its metadata says.
    pub endpoints: Endpoints,
    /// Plain http to the issuer and to `endpoints`, where they say so: the operator knows that whoever is on the way can sign in
    /// as anybody.
    pub allow_plain_http: bool,
    /// The forward proxy that leads to providers.
    pub proxy: Option<OutboundProxy>,
    /// Time to connect. Default 3 s.
    pub connect_timeout: Duration,
    /// Time for a whole exchange. Default 5 s.
    pub total_timeout: Duration,
    /// Time for the question how long a person's number has been on its SIM. Default 2 s: a sign-in waits for it.
    pub sim_tenure_timeout: Duration,
    /// Largest answer, decoded, in bytes. Default 1 MiB; key sets 256 KiB.
    pub max_answer: usize,
    /// Longest ID token that is looked at, in bytes. Default 256 KiB.
    pub max_id_token: usize,
    /// A further CA bundle (PEM) to trust for providers, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Allow answers of DNS in loopback, private and link-local ranges (tests, carriers inside a company).
    pub allow_private_addresses: bool,
    /// Cached key sets are refreshed this often. Default 15 min.
    pub jwks_refresh: Duration,
    /// Cached key sets are used at most this long while the issuer cannot be reached. Default 24 h.
    pub jwks_max_stale: Duration,
    /// At most one forced refresh for an unknown `kid` per issuer in this time. Default 60 s.
    pub jwks_cooldown: Duration,
    /// Carrier configuration is cached this long at most. Default 15 min (dossier 5 and 19).
    pub metadata_max_age: Duration,
}

impl ProviderSettings {
    /// Our client id at `issuer`.
    pub fn client_id_at(&self, issuer: &str) -> &str {
        self.federation.member(issuer).and_then(|member| member.client_id.as_deref()).unwrap_or(&self.client_id)
    }

    /// Origins that may be asked over plain http although they are not this machine: the operator wrote each of them down and
    /// says that plain http is meant. No answer of anybody adds one.
    fn plain_origins(&self) -> Vec<Origin> {
        if !self.allow_plain_http {
            return Vec::new();
        }
        let issuers = self.federation.fixed().and_then(|issuer| Url::parse(&issuer.issuer).ok());
        let written = issuers.iter().chain(self.endpoints.given());
        written.filter(|url| url.scheme() == "http").map(Url::origin).collect()
    }
}

/// A carrier as one sign-in knows it: issuer and endpoints, checked against the trust list, then frozen into the
/// attempt. A later leg never learns other endpoints (mix-up, RFC 9700 4.4; dossier 19, row 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// Expected `iss`.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where the code is redeemed.
    pub token_endpoint: Url,
    /// Where attributes are, if anywhere.
    pub userinfo_endpoint: Option<Url>,
    /// Where a browser is sent to end the session there, if anywhere. No sign-in needs it, so it is not frozen into one.
    #[serde(skip)]
    pub end_session_endpoint: Option<Url>,
    /// Where the keys are.
    pub jwks_uri: Url,
    /// Six-digit code that led here, for discovered carriers. A browser named it.
    pub mccmnc: Option<String>,
    /// Whether the discovery answer said that very code as well. Only then may an app be told that it is the person's:
    /// the browser may have named any code that leads to the same issuer.
    #[serde(default)]
    pub mccmnc_confirmed: bool,
    /// Whether the carrier promises `iss` in its authorization responses (RFC 9207).
    pub iss_parameter_supported: bool,
    /// How we show it who we are.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// Where authorization requests are pushed, if they are: only the beginning of a sign-in asks.
    #[serde(skip)]
    pub pushed_endpoint: Option<Url>,
    /// Where our server has people asked on their phones, if anywhere. No sign-in needs it, so it is not frozen into one.
    #[serde(skip)]
    pub server_initiated_endpoint: Option<Url>,
    /// Where such a question is taken back.
    #[serde(skip)]
    pub server_initiated_cancel_endpoint: Option<Url>,
    /// Where it says how long a person's number has been on its SIM, if anywhere. Nor does a sign-in need this.
    #[serde(skip)]
    pub sim_tenure_endpoint: Option<Url>,
    /// Whether it takes pushed requests only (RFC 9126, 5).
    #[serde(skip)]
    pub requires_pushed_requests: bool,
}

impl Carrier {
    /// The carrier's code, if it is not only a browser's word.
    pub fn confirmed_mccmnc(&self) -> Option<&str> {
        self.mccmnc.as_deref().filter(|_| self.mccmnc_confirmed)
    }
}

/// What the discovery issuer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// This carrier, checked against the trust list.
    Carrier(Box<Carrier>),
    /// It does not know; the person must go to the discovery UI. The URL was compared with the configured UI.
    AskUser(Url),
}

/// What a token endpoint answered, with just what we keep; dropped at the end of the sign-in.
#[derive(Debug)]
pub struct Tokens {
    /// The ID token, unverified.
    pub id_token: SecretString,
    /// For userinfo; none if there is none that can be used: whoever wants to use it says so.
    pub access_token: Option<SecretString>,
    /// For asking again; none if none came.
    pub refresh_token: Option<SecretString>,
}

/// No key has this `kid`.
const MISSING: &str = "";

/// The way to carriers and issuers, as the sign-in story needs it; a seam so that a test can own the network.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Asks the discovery issuer which carrier serves `mccmnc` (six digits, checked by the caller).
    async fn discover(&self, mccmnc: &str, correlation_id: &str, now: SystemTime) -> Result<Discovery, ProviderError>;

    /// What is remembered for `mccmnc` is doubted (after `user_not_found`): it is asked for again next time, within
    /// bounds, and serves on if no answer comes.
    fn doubt(&self, mccmnc: &str, now: SystemTime);

    /// The one issuer of a plain OpenID Connect federation.
    async fn issuer(&self, now: SystemTime) -> Result<Carrier, ProviderError>;

    /// One member, by its issuer, as its own metadata has it: for whoever was told which one it is.
    async fn member(&self, issuer: &str, _now: SystemTime) -> Result<Carrier, ProviderError> {
        Err(ProviderError::untrusted("issuer is not on the list").found(issuer))
    }

    /// As [`Provider::keys`], for a token of an issuer that people sign in with which anybody may have sent: a `kid` that is
    /// not at hand is looked for at `client`'s expense, so that strangers do not use up what people's sign-ins need.
    async fn logout_keys(
        &self,
        _issuer: &str,
        _kid: Option<&str>,
        _client: IpAddr,
        _now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Err(ProviderError::untrusted("issuer is not on the list"))
    }

    /// Whether somebody could be sent to the issuer now, as far as it is known before anybody comes: its configuration and its
    /// keys are at hand, or can be had. What is at hand costs nothing. A federation whose carriers are found for each sign-in
    /// anew has nothing to say.
    async fn check(&self, _now: SystemTime) -> Result<Option<IssuerState>, ProviderError> {
        Ok(None)
    }

    /// Where a browser is sent to end the session at `issuer` (OpenID Connect RP-Initiated Logout 1.0); `None` if the issuer
    /// does not say, is none of ours, or cannot be asked now. Waits no longer than a moment.
    async fn end_session_endpoint(&self, _issuer: &str, _now: SystemTime) -> Option<Url> {
        None
    }

    /// Pushes an authorization request to `carrier` (RFC 9126): the `request_uri` under which it is known there.
    async fn push(&self, carrier: &Carrier, _form: &SecretString, _now: SystemTime) -> Result<String, ProviderError> {
        Err(ProviderError::invalid("no endpoint for pushed requests").found(&carrier.issuer))
    }

    /// Redeems a code at `carrier`'s token endpoint, once, without retry (RFC 6749 4.1.2: a code is single-use).
    async fn redeem(&self, carrier: &Carrier, grant: &CodeGrant<'_>) -> Result<Tokens, ProviderError>;

    /// Asks again about a person by a refresh token, once, without retry: a token may be good for one use (RFC 9700, 4.14.2).
    async fn refresh(
        &self,
        _carrier: &Carrier,
        _refresh_token: &SecretString,
        _now: SystemTime,
    ) -> Result<RefreshResponse, ProviderError> {
        Err(ProviderError::invalid("no refresh tokens in this federation"))
    }

    /// Redeems a code where the provider issues no ID tokens, once, and asks its API whose the access token is. `None`, and
    /// nothing asked, where ID tokens say that.
    async fn account(&self, _carrier: &Carrier, _grant: &CodeGrant<'_>) -> Option<Result<ApiAccount, ProviderError>> {
        None
    }

    /// The carrier with this issuer, for a person whose issuer is known already: as its own metadata says.
    async fn carrier_of(&self, _issuer: &str, _now: SystemTime) -> Result<Carrier, ProviderError> {
        Err(ProviderError::untrusted("issuer is not on the list"))
    }

    /// Whether we have what `issuer` must see to ask a person on their phone: a key that signs as carriers want it.
    fn can_ask(&self, _issuer: &str) -> bool {
        false
    }

    /// Has a person asked on their phone, once, without retry: a second question would be one more on their screen.
    async fn ask(
        &self,
        _carrier: &Carrier,
        _question: &Question<'_>,
        _now: SystemTime,
    ) -> Result<Acknowledgement, ProviderError> {
        Err(ProviderError::invalid("nobody can be asked on their phone in this federation"))
    }

    /// Takes back what `carrier` calls `auth_req_id`. One that is over already is as good as taken back.
    async fn withdraw(
        &self,
        _carrier: &Carrier,
        _client_id: &str,
        _auth_req_id: &str,
        _now: SystemTime,
    ) -> Result<(), ProviderError> {
        Err(ProviderError::invalid("nothing can be taken back in this federation"))
    }

    /// Asks the carrier `issuer`, once, without retry, how long the number of its customer `subject` has been on its SIM. `None`,
    /// and nothing asked, where the carrier does not say that of anybody.
    async fn sim_tenure(
        &self,
        _issuer: &str,
        _subject: &str,
        _correlation_id: &str,
        _now: SystemTime,
    ) -> Result<Option<SimTenure>, ProviderError> {
        Ok(None)
    }

    /// The key set of `carrier`. If it lacks `kid`, one refresh per cool-down is tried before the answer.
    async fn keys(&self, carrier: &Carrier, kid: Option<&str>, now: SystemTime) -> Result<Arc<KeySet>, ProviderError>;

    /// The key set of an issuer of access tokens, if one that may still be used is at hand. Asked on every request with
    /// a bearer token: no lock, no wait.
    fn token_keys_at_hand(&self, issuer: &str, now: SystemTime) -> Option<Arc<KeySet>>;

    /// The key set of an issuer of access tokens. If it lacks `kid`, one refresh per cool-down and `client` is tried
    /// before the answer; a `kid` that is at hand never waits (E03).
    async fn token_keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError>;

    /// The key set of `issuer`, a member whose word about its former people another member brings. A `kid` that is not at hand is
    /// looked for at `client`'s expense: what others bring in an issuer's name must not use up what its own people's sign-ins
    /// need.
    async fn former_keys(
        &self,
        _issuer: &str,
        _kid: Option<&str>,
        _client: IpAddr,
        _now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        Err(ProviderError::untrusted("issuer is not on the list"))
    }

    /// As [`Provider::keys`], for a token whose signature fits no key although it names none that is missing: keys may
    /// have been rotated. One refresh, within the same budget.
    async fn keys_after_rotation(&self, carrier: &Carrier, now: SystemTime) -> Result<Arc<KeySet>, ProviderError> {
        self.keys(carrier, Some(MISSING), now).await
    }

    /// As [`Provider::keys_after_rotation`], for [`Provider::token_keys`].
    async fn token_keys_after_rotation(
        &self,
        issuer: &str,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        self.token_keys(issuer, Some(MISSING), client, now).await
    }

    /// The carrier's attributes for `access_token`: claims flattened to our names, and the answer's `sub`.
    async fn userinfo(
        &self,
        carrier: &Carrier,
        access_token: &SecretString,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<UserInfo, ProviderError>;
}

/// What is known of an issuer that people can sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerState {
    /// The issuer.
    pub issuer: String,
    /// How long ago its keys were fetched.
    pub keys_age: Duration,
}

/// What is needed to redeem a code.
#[derive(Debug)]
pub struct CodeGrant<'a> {
    /// The code from the callback.
    pub code: &'a SecretString,
    /// The very redirect URI of the authorization request.
    pub redirect_uri: &'a str,
    /// PKCE verifier.
    pub code_verifier: &'a SecretString,
    /// The same on all three calls (dossier 8).
    pub correlation_id: &'a str,
    /// This moment.
    pub now: SystemTime,
}

/// Attributes from a userinfo endpoint, not yet compared with an ID token.
pub use crate::carrier::userinfo::Answer as UserInfo;
