//! Carrier configuration: asked for, checked against the trust list, remembered for a while.
//!
//! Two ways lead to a [`Carrier`]: ZenKey's discovery issuer, by six-digit code, and an issuer's own metadata document.
//! A configuration that cannot be refreshed, or whose refresh is not trusted, keeps serving for a day (D14, D15); a
//! sign-in that has begun never sees either, for its attempt carries the carrier it began with.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

use super::bulkhead::{Bulkhead, PLACES};
use super::client::HttpClient;
use super::stats::ProviderStats;
use super::trust::TrustList;
use super::{
    Carrier, Discovery, DiscoveryAddresses, Endpoints, ErrorKind, FederationSettings, ProviderError, ProviderSettings,
};
use crate::carrier::discovery::{DiscoveryAnswer, discovery_url};
use crate::ground::single_flight::SingleFlight;
use crate::ground::time::distance;
use crate::ground::ttl_cache::TtlCache;
use crate::oidc::client_auth::{AuthMethod, ClientAuthentication};
use crate::oidc::metadata::ProviderMetadata;
use crate::telemetry::foreign_text::shown;

/// A configuration is kept at least this long, whatever its headers say (E12).
const SHORTEST_AGE: Duration = Duration::from_secs(60);

/// A last good configuration serves no longer than this.
const LONGEST_STALE: Duration = Duration::from_secs(24 * 3600);

/// Pause after a failed refresh, while the last good configuration serves.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Most codes remembered: a browser may name any of a million (security R06, TM8).
const MOST_ENTRIES: u64 = 1024;

/// "Ask the person" is remembered for so long: a code that leads nowhere does so once for all who name it.
const NEGATIVE_AGE: Duration = Duration::from_secs(30);

/// Codes that are asked about at the same time and have never led anywhere. Those that have, and issuers, have places
/// of their own: whoever makes up codes does not stand in front of people (D07, TM8).
const UNKNOWN: usize = 16;

type Found = Result<Discovery, ProviderError>;

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// ZenKey's discovery issuer, asked about one code of six digits. The correlation id is that of the sign-in that
    /// happens to ask; the others share its answer.
    Discovery { mccmnc: String, correlation_id: String },
    /// The issuer's own document.
    Issuer(String),
}

/// Configurations by code or issuer.
pub(super) struct Configurations {
    client: Arc<HttpClient>,
    trust: Arc<TrustList>,
    stats: Arc<ProviderStats>,
    federation: FederationSettings,
    section: String,
    backchannel_base_url: Option<Url>,
    endpoints: Endpoints,
    client_id: String,
    authentication: ClientAuthentication,
    longest_age: Duration,
    /// Places for what is known and must be asked for again.
    known: Bulkhead,
    /// A browser may name any code, each of them a question to the discovery issuer: so many at a time.
    unknown: Bulkhead,
    /// Codes that lead nowhere: where the person is asked instead, and since when.
    negative: TtlCache<String, (Url, SystemTime)>,
    cache: TtlCache<String, Entry>,
    flights: Arc<SingleFlight<String, Found>>,
}

#[derive(Clone)]
struct Entry {
    carrier: Carrier,
    fetched: SystemTime,
    /// How long after `fetched` it serves without being refreshed.
    age: Duration,
    /// The last failed refresh since.
    failed: Option<SystemTime>,
}

impl Configurations {
    pub(super) fn new(
        client: Arc<HttpClient>,
        trust: Arc<TrustList>,
        settings: &ProviderSettings,
        stats: Arc<ProviderStats>,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            trust,
            stats,
            federation: settings.federation.clone(),
            section: settings.section.clone(),
            backchannel_base_url: settings.backchannel_base_url.clone(),
            endpoints: settings.endpoints.clone(),
            client_id: settings.client_id.clone(),
            authentication: settings.authentication.clone(),
            longest_age: settings.metadata_max_age,
            known: Bulkhead::new(PLACES, settings.total_timeout),
            unknown: Bulkhead::new(UNKNOWN, settings.total_timeout),
            negative: TtlCache::new(MOST_ENTRIES, NEGATIVE_AGE),
            cache: TtlCache::new(MOST_ENTRIES, LONGEST_STALE),
            flights: SingleFlight::new(),
        })
    }

    /// The configuration from `source`: remembered, or fetched once for all who ask at the same time (E11).
    pub(super) async fn find(self: &Arc<Self>, source: Source, now: SystemTime) -> Found {
        let key = source.key().to_owned();
        if let Some(carrier) = self.serving(&key, now) {
            return Ok(Discovery::Carrier(Box::new(carrier)));
        }
        if let Some((ui, since)) = self.negative.get(&key).as_deref()
            && distance(now, *since) < NEGATIVE_AGE
        {
            return Ok(Discovery::AskUser(ui.clone()));
        }
        let finished = || self.serving(&key, now).map(|carrier| Ok(Discovery::Carrier(Box::new(carrier))));
        let start = || {
            let (this, key) = (Arc::clone(self), key.clone());
            async move { this.refresh(&key, &source, now).await }
        };
        let lost = Err(ProviderError::unavailable("fetch was abandoned", None));
        self.flights.join(&key, finished, start, lost).0.await
    }

    /// What came from this code is doubted: the next question goes out again, at most once in [`SHORTEST_AGE`].
    ///
    /// The doubt comes from a browser (`user_not_found`), so it must not cost more than a question: if it deleted the
    /// last good answer, anybody could end sign-ins while discovery is away; if it always asked, anybody could make us
    /// ask as often as they like (D14, TM8).
    pub(super) fn doubt(&self, key: &str, now: SystemTime) {
        self.cache.update(key, |entry| {
            let old_enough = distance(now, entry.fetched) >= SHORTEST_AGE;
            old_enough.then(|| Entry { age: Duration::ZERO, failed: None, ..entry.clone() })
        });
    }

    /// What may be answered from memory: a fresh configuration, or a last good one shortly after a failed refresh.
    fn serving(&self, key: &str, now: SystemTime) -> Option<Carrier> {
        let entry = self.cache.get(key)?;
        if entry.is_fresh(now) {
            return Some(entry.carrier.clone());
        }
        let resting = entry.failed.is_some_and(|failed| distance(now, failed) < RETRY_PAUSE);
        (resting && entry.is_good(now)).then(|| {
            self.stats.stale_configurations.add(1);
            entry.carrier.clone()
        })
    }

    async fn refresh(&self, key: &str, source: &Source, now: SystemTime) -> Found {
        match self.fetch(key, source).await {
            Ok((Discovery::Carrier(carrier), age)) => {
                self.remember(key, (*carrier).clone(), age, now);
                Ok(Discovery::Carrier(carrier))
            }
            Ok((Discovery::AskUser(ui), _)) => {
                // Discovery itself says that it does not know any more: no old answer stands in for that.
                self.cache.remove(key);
                self.negative.insert(key.to_owned(), (ui.clone(), now));
                Ok(Discovery::AskUser(ui))
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Untrusted | ErrorKind::NotAllowed) {
                    self.stats.untrusted_configurations.add(1);
                }
                tracing::warn!(%error, "An issuer's configuration could not be had or is refused");
                let failed = |entry: &Entry| entry.is_good(now).then(|| Entry { failed: Some(now), ..entry.clone() });
                let entry = self.cache.update(key, failed).ok_or(error)?;
                self.stats.stale_configurations.add(1);
                Ok(Discovery::Carrier(Box::new(entry.carrier.clone())))
            }
        }
    }

    fn remember(&self, key: &str, carrier: Carrier, age: Option<Duration>, now: SystemTime) {
        // E12: a carrier's samples say ten days, next to the advice to ask for every sign-in (dossier 5).
        let longest = self.longest_age.min(LONGEST_STALE);
        let age = age.unwrap_or(longest).min(longest).max(SHORTEST_AGE);
        self.cache.insert(key.to_owned(), Entry { carrier, fetched: now, age, failed: None });
    }

    async fn fetch(&self, key: &str, source: &Source) -> Result<(Discovery, Option<Duration>), ProviderError> {
        let known = matches!(source, Source::Issuer(_)) || self.cache.get(key).is_some();
        let _place = if known { &self.known } else { &self.unknown }.place().await?;
        match source {
            Source::Discovery { mccmnc, correlation_id } => {
                let found = self.discover(mccmnc, correlation_id).await;
                self.stats.discovery.count(&found);
                found
            }
            Source::Issuer(issuer) => {
                let (carrier, age, _told_in_the_log) = self.of_issuer(issuer).await?;
                Ok((Discovery::Carrier(Box::new(carrier)), age))
            }
        }
    }

    /// What an issuer says of itself, how long that is good, and what may keep people from signing in there.
    async fn of_issuer(&self, issuer: &str) -> Result<(Carrier, Option<Duration>, Option<String>), ProviderError> {
        let (metadata, age) = self.own_metadata(issuer).await?;
        let jwks_uri = key_address(&metadata)?;
        let method = self.method_for(issuer, &metadata);
        let doubt = self.unlisted(issuer, &metadata, method);
        Ok((self.trust.carrier(metadata, jwks_uri, None, method)?, age, doubt))
    }

    /// As [`Configurations::find`], for whoever wants to know whether an issuer works before somebody comes: asked now,
    /// remembered by nobody, with what may keep people from signing in there.
    pub(super) async fn look(&self, issuer: &str) -> Result<(Carrier, Option<String>), ProviderError> {
        let (carrier, _, doubt) = self.of_issuer(issuer).await?;
        Ok((carrier, doubt))
    }

    /// Asks the discovery issuer (dossier 5).
    async fn discover(
        &self,
        mccmnc: &str,
        correlation_id: &str,
    ) -> Result<(Discovery, Option<Duration>), ProviderError> {
        let Some(DiscoveryAddresses { issuer, ui, .. }) = &self.federation.discovery else {
            return Err(ProviderError::invalid("no discovery in this federation"));
        };
        let url = discovery_url(issuer, &self.client_id, mccmnc, Some(correlation_id));
        let answer = self.client.get("discovery", &url, usize::MAX).await?;
        if answer.status == 429 || answer.status >= 500 {
            answer.expect_ok()?;
        }
        let metadata = match DiscoveryAnswer::parse(answer.status, &answer.body, ui, mccmnc) {
            Ok(DiscoveryAnswer::Configuration(metadata)) => *metadata,
            Ok(DiscoveryAnswer::AskUser(url)) => return Ok((Discovery::AskUser(url), None)),
            Err(fault) => {
                return Err(answer.blame(ProviderError::invalid("not a discovery answer")).found(&fault.to_string()));
            }
        };
        // The list comes first: an issuer that nobody listed is not even asked for its keys (N08).
        if !self.trust.is_listed(&metadata.issuer) {
            let error = answer.blame(ProviderError::untrusted("issuer is not on the list")).found(&metadata.issuer);
            let (section, kind) = (&self.section, self.federation.profile.name);
            return Err(error.advise(format!("`{section}.{kind}.trusted_issuers` is the list")));
        }
        let jwks_uri = match key_address(&metadata) {
            // One carrier's answer has a blank here (dossier 2.2); its own document knows.
            Err(_) if metadata.jwks_uri == Ok(None) => key_address(&self.own_metadata(&metadata.issuer).await?.0)?,
            found => found?,
        };
        let method = self.method_for(&metadata.issuer.clone(), &metadata);
        let carrier = self.trust.carrier(metadata, jwks_uri, Some(mccmnc), method)?;
        Ok((Discovery::Carrier(Box::new(carrier)), answer.max_age))
    }

    /// The document at `{issuer}/.well-known/openid-configuration` (hyphen), which must speak for that very issuer.
    ///
    /// OpenID Connect Discovery 4.3: otherwise one issuer could name keys and endpoints for another's people (D04).
    async fn own_metadata(&self, issuer: &str) -> Result<(ProviderMetadata, Option<Duration>), ProviderError> {
        // What the configuration says of addresses, it says of the one issuer that people sign in with.
        let is_the_one = self.federation.fixed().is_some_and(|fixed| fixed.issuer == issuer);
        let by_hand = is_the_one.then_some(&self.endpoints);
        if let Some(metadata) = by_hand.and_then(|endpoints| endpoints.as_metadata(issuer)) {
            return Ok((metadata, None));
        }
        let fetched = async {
            let backchannel = self.backchannel_base_url.as_ref().filter(|_| is_the_one);
            let base = backchannel.map_or(issuer, Url::as_str);
            let base = base.strip_suffix('/').unwrap_or(base);
            let url = Url::parse(&format!("{base}/.well-known/openid-configuration"))
                .map_err(|_| ProviderError::untrusted("issuer is not a URL"))?;
            let answer = self.client.get("metadata", &url, usize::MAX).await;
            let answer = answer.map_err(ProviderError::of_the_configuration)?;
            let compare = "compare the issuer that is configured with the one that the provider names";
            answer.expect_ok().map_err(|error| error.advise(compare))?;
            let mut metadata = ProviderMetadata::parse(&answer.body).map_err(|error| {
                let error = answer.blame(ProviderError::invalid("not metadata")).found(&error.to_string());
                error.advise(compare)
            })?;
            let expected = self.federation.member(issuer).map_or(issuer, |member| member.in_metadata());
            if !metadata.is_for(expected) {
                let error = answer.blame(ProviderError::invalid("metadata speaks for another issuer"));
                return Err(error.instead(expected, &metadata.issuer).advise(self.advice_on_issuer(issuer)));
            }
            // Of many tenants: whose a token is, its `iss` and `tid` say.
            metadata.issuer = issuer.to_owned();
            let metadata = match backchannel {
                Some(base) => behind(metadata, base),
                None => metadata,
            };
            let metadata = match by_hand {
                Some(endpoints) => endpoints.instead_of(metadata),
                None => metadata,
            };
            Ok((metadata, answer.max_age))
        }
        .await;
        self.stats.metadata.count(&fetched);
        fetched
    }

    /// How we show this issuer who we are; says so if it does not list that.
    fn method_for(&self, issuer: &str, metadata: &ProviderMetadata) -> AuthMethod {
        let own = self.federation.member(issuer).and_then(|member| member.authentication.as_ref());
        let method = own.unwrap_or(&self.authentication).method_for(self.listed_methods(metadata));
        if let Some(doubt) = self.unlisted(issuer, metadata, method) {
            tracing::warn!(issuer, "{doubt}");
        }
        method
    }

    /// The ways in which an issuer lets us show who we are, as far as it says so. What a kind of provider lists wrongly is not
    /// asked: the one way that all of them take is Basic.
    fn listed_methods<'m>(&self, metadata: &'m ProviderMetadata) -> &'m [String] {
        if self.federation.profile.lists_auth_methods { &metadata.token_auth_methods } else { &[] }
    }

    /// What is to be said of an issuer that does not list `method`, our way to show who we are.
    fn unlisted(&self, issuer: &str, metadata: &ProviderMetadata, method: AuthMethod) -> Option<String> {
        let (listed, method) = (self.listed_methods(metadata), method.as_str());
        if listed.is_empty() || listed.iter().any(|name| name == method) {
            return None;
        }
        let key = self.federation.member(issuer).map_or(self.section.as_str(), |member| &member.key);
        let listed = shown(&listed.join(" "));
        Some(format!(
            "`{issuer}` does not list the way in which we show who we are: expected `{method}`, found `{listed}`; \
             `{key}.token_endpoint_auth_method` chooses another, nobody may be able to sign in"
        ))
    }

    /// Which key holds the issuer that was expected.
    fn advice_on_issuer(&self, issuer: &str) -> String {
        let (section, federation) = (&self.section, &self.federation);
        let kind = federation.profile.name;
        match federation.member(issuer) {
            Some(member) if federation.fixed().is_some() => {
                format!("write `{}.issuer` exactly as the provider does, slash at the end included", member.key)
            }
            Some(_) => format!("write the issuer in `{section}.{kind}.trusted_issuers` exactly as the carrier does"),
            None => "write the issuer in `bearer.issuers` exactly as it does itself".to_owned(),
        }
    }
}

/// `metadata` with the addresses that we ask ourselves moved from the issuer to `base`. Where browsers are sent stays, and so
/// does what does not lie below the issuer.
fn behind(mut metadata: ProviderMetadata, base: &Url) -> ProviderMetadata {
    let issuer = metadata.issuer.strip_suffix('/').unwrap_or(&metadata.issuer).to_owned();
    let base = base.as_str().strip_suffix('/').unwrap_or(base.as_str()).to_owned();
    let moved = |url: Url| {
        let rest = url.as_str().strip_prefix(issuer.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        rest.and_then(|rest| Url::parse(&format!("{base}{rest}")).ok()).unwrap_or(url)
    };
    metadata.token_endpoint = metadata.token_endpoint.map(moved);
    metadata.jwks_uri = metadata.jwks_uri.map(|url| url.map(moved));
    metadata.userinfo_endpoint = metadata.userinfo_endpoint.map(|url| url.map(moved));
    metadata.pushed_authorization_request_endpoint =
        metadata.pushed_authorization_request_endpoint.map(|url| url.map(moved));
    metadata
}

impl Endpoints {
    /// What stands in for the metadata of `issuer`, if it can: all that a sign-in needs is given. It promises nothing: an issuer
    /// that sends `iss` in its answers is held to it all the same.
    fn as_metadata(&self, issuer: &str) -> Option<ProviderMetadata> {
        let (authorization, token, jwks) = (self.authorization.as_ref()?, self.token.as_ref()?, self.jwks.as_ref()?);
        Some(self.clone().instead_of(ProviderMetadata {
            issuer: issuer.to_owned(),
            authorization_endpoint: Ok(authorization.clone()),
            token_endpoint: Ok(token.clone()),
            jwks_uri: Ok(Some(jwks.clone())),
            userinfo_endpoint: Ok(None),
            end_session_endpoint: Ok(None),
            pushed_authorization_request_endpoint: Ok(None),
            server_initiated_authorization_endpoint: Ok(None),
            server_initiated_cancel_endpoint: Ok(None),
            sim_tenure_endpoint: Ok(None),
            requires_pushed_requests: false,
            iss_parameter_supported: false,
            mccmnc: Ok(None),
            token_auth_methods: Vec::new(),
            code_challenge_methods: Vec::new(),
        }))
    }

    /// `metadata` with each address that is given in the place of its own.
    fn instead_of(&self, mut metadata: ProviderMetadata) -> ProviderMetadata {
        let Self { authorization, token, jwks, userinfo, end_session, pushed_authorization_request } = self.clone();
        let or = |given: Option<Url>, told| given.map_or(told, |url| Ok(Some(url)));
        metadata.authorization_endpoint = authorization.map_or(metadata.authorization_endpoint, Ok);
        metadata.token_endpoint = token.map_or(metadata.token_endpoint, Ok);
        metadata.jwks_uri = or(jwks, metadata.jwks_uri);
        metadata.userinfo_endpoint = or(userinfo, metadata.userinfo_endpoint);
        metadata.end_session_endpoint = or(end_session, metadata.end_session_endpoint);
        metadata.pushed_authorization_request_endpoint =
            or(pushed_authorization_request, metadata.pushed_authorization_request_endpoint);
        metadata
    }
}

/// Where the keys are, as the document says.
fn key_address(metadata: &ProviderMetadata) -> Result<Url, ProviderError> {
    let found = metadata.jwks_uri.clone();
    let found = found.map_err(|error| ProviderError::invalid("not metadata").found(&error.to_string()))?;
    found.ok_or(ProviderError::invalid("metadata without jwks_uri"))
}

impl Source {
    fn key(&self) -> &str {
        match self {
            Self::Discovery { mccmnc, .. } => mccmnc,
            Self::Issuer(issuer) => issuer,
        }
    }
}

impl Entry {
    fn is_fresh(&self, now: SystemTime) -> bool {
        distance(now, self.fetched) < self.age
    }

    fn is_good(&self, now: SystemTime) -> bool {
        distance(now, self.fetched) <= LONGEST_STALE
    }
}
