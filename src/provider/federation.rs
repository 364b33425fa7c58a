//! The real [`Provider`]: carriers and issuers over HTTPS.
//!
//! Each promise of the trait is kept by one part: configurations by [`Configurations`], keys by [`KeyStore`], the
//! exchanges with one issuer by [`IssuerGuard`]. What is left here is what a request must carry; what each answer means
//! is said in `answers.rs`.

mod account;
mod answers;
mod former;
mod guard;
mod look;
mod question;
mod tenure;
mod userinfo;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use url::Url;

use self::answers::{read_refresh, read_tokens, refused};
use self::guard::IssuerGuard;
use super::bulkhead;
use super::client::{ClientError, HttpClient};
use super::fetch_budget::Asker;
use super::key_store::KeyStore;
use super::metadata::{Configurations, Source};
use super::stats::ProviderStats;
use super::token_issuers::TokenIssuers;
use super::trust::TrustList;
use super::{
    Carrier, CodeGrant, Discovery, IssuerSettings, IssuerState, KeyMemory, Provider, ProviderError, ProviderSettings,
    Tokens, UserInfo,
};
use crate::carrier::approval::request::{Acknowledgement, Question};
use crate::carrier::usertrait::SimTenure;
use crate::identity::ApiAccount;
use crate::oidc::client_auth::{Audience, ClientAuthentication, Credentials};
use crate::oidc::jwks::KeySet;
use crate::oidc::refresh::{self, RefreshResponse};
use crate::oidc::token::{self, TokenErrorCode};
use crate::secret::{SecretString, SystemEntropy};

/// How long a sign-out waits to learn where the provider ends its session.
const SIGN_OUT_PATIENCE: Duration = Duration::from_secs(1);

/// The carriers of one federation, or its one issuer.
pub struct Federation {
    client: Arc<HttpClient>,
    configurations: Arc<Configurations>,
    guards: HashMap<String, IssuerGuard>,
    /// For what others bring in an issuer's name: what goes wrong with it keeps nobody from signing in there.
    former_guards: HashMap<String, IssuerGuard>,
    /// For questions about SIMs: a carrier that answers none of them signs people in all the same.
    tenure_guards: HashMap<String, IssuerGuard>,
    keys: Arc<KeyStore>,
    settings: ProviderSettings,
    stats: Arc<ProviderStats>,
    token_issuers: TokenIssuers,
    trust: Arc<TrustList>,
}

fn guards(trust: &TrustList, patience: Duration) -> HashMap<String, IssuerGuard> {
    trust.issuers().map(|issuer| (issuer.to_owned(), IssuerGuard::new(patience))).collect()
}

impl Federation {
    /// One that counts for itself and forgets.
    #[cfg(test)]
    pub(super) fn new(settings: ProviderSettings) -> Result<Self, ClientError> {
        Self::with_memory(settings, None, Arc::new(ProviderStats::default()))
    }

    /// Builds the client and empty caches; nothing is fetched yet. The key sets of token issuers outlive a restart in
    /// `memory`; what happens is counted in `stats`, which several may share.
    pub fn with_memory(
        settings: ProviderSettings,
        memory: Option<Arc<dyn KeyMemory>>,
        stats: Arc<ProviderStats>,
    ) -> Result<Self, ClientError> {
        let client = Arc::new(HttpClient::new(&settings)?);
        let trust = Arc::new(TrustList::new(&settings));
        let keys = KeyStore::new(client.clone(), &settings, stats.clone());
        Ok(Self {
            configurations: Configurations::new(client.clone(), trust.clone(), &settings, stats.clone()),
            guards: guards(&trust, settings.total_timeout),
            former_guards: guards(&trust, settings.total_timeout),
            tenure_guards: guards(&trust, settings.sim_tenure_timeout),
            token_issuers: TokenIssuers::new(client.clone(), keys.clone(), &settings, stats.clone(), memory),
            keys,
            client,
            settings,
            stats,
            trust,
        })
    }

    /// The key sets; the owner spawns [`KeyStore::run`] to keep them warm.
    pub fn key_store(&self) -> &Arc<KeyStore> {
        &self.keys
    }

    /// What happened so far.
    pub fn stats(&self) -> &Arc<ProviderStats> {
        &self.stats
    }

    /// Fetches the configuration and the keys of a plain issuer, if they are not at hand, ahead of a sign-in. With ZenKey the carrier
    /// is not known before somebody comes, and there is nothing to do.
    pub async fn warm(&self, now: SystemTime) -> Result<(), ProviderError> {
        if self.fixed_with_keys().is_some() {
            let carrier = self.issuer(now).await?;
            self.keys(&carrier, None, now).await?;
        }
        Ok(())
    }

    /// Takes up the keys of token issuers that were kept before a restart, as far as they may still be used.
    pub async fn recall_token_keys(&self, now: SystemTime) {
        self.token_issuers.recall(now).await;
    }

    /// Keeps the keys of all issuers of access tokens at hand, for ever; spawn it once. Dropping the future ends it.
    pub async fn keep_token_keys(self: Arc<Self>) {
        self.token_issuers.run().await;
    }

    /// A carrier asks for the same correlation id on each call (dossier 8); a plain issuer does not know the parameter.
    /// `id`, if it goes with calls about the sign-in to `issuer`; without one, to the discovery issuer.
    fn correlation<'a>(&self, issuer: Option<&str>, id: &'a str) -> Option<&'a str> {
        let own = issuer.and_then(|issuer| self.trusted(issuer)).and_then(|member| member.differs.correlates);
        own.unwrap_or(self.settings.federation.profile.correlates).then_some(id)
    }

    fn guard(&self, issuer: &str) -> Result<&IssuerGuard, ProviderError> {
        self.guards.get(issuer).ok_or(ProviderError::untrusted("issuer is not on the list"))
    }

    /// What we have to show `carrier`.
    fn authentication(&self, carrier: &Carrier) -> &ClientAuthentication {
        let own = self.trusted(&carrier.issuer).and_then(|member| member.authentication.as_ref());
        own.unwrap_or(&self.settings.authentication)
    }

    /// What shows `carrier` who we are, made anew for each request. The operator's choice of today goes before what a
    /// sign-in began with.
    fn credentials(&self, carrier: &Carrier, now: SystemTime) -> Result<Credentials, ProviderError> {
        let ours = self.authentication(carrier);
        let method = ours.method.unwrap_or(carrier.auth_method);
        let audience = Audience { issuer: &carrier.issuer, token_endpoint: carrier.token_endpoint.as_str() };
        let shown =
            ours.credentials(method, self.settings.client_id_at(&carrier.issuer), audience, now, &SystemEntropy);
        shown.ok_or_else(|| {
            ProviderError::invalid("no client credentials for this way to show them")
                .found(method.as_str())
                .advise("`token_endpoint_auth_method` needs a `client_secret` or `client_keys`")
        })
    }

    async fn push_once(
        &self,
        carrier: &Carrier,
        form: &SecretString,
        now: SystemTime,
    ) -> Result<String, ProviderError> {
        let endpoint = self.trust.check_pushed(carrier)?;
        let shown = self.credentials(carrier, now)?;
        let pushed = token::pushed_form(form, &shown.form);
        let answer = self.client.post_form("push", endpoint, shown.authorization.as_ref(), &pushed).await?;
        match answer.status {
            200 | 201 => token::parse_pushed(&answer.body)
                .ok_or_else(|| answer.blame(ProviderError::invalid("no usable request_uri"))),
            429 | 503 => Err(answer.overloaded()),
            500..=599 => Err(answer.blame(ProviderError::invalid("server error"))),
            401 => Err(refused(&answer, TokenErrorCode::InvalidClient)),
            _ => Err(refused(&answer, token::parse_error(&answer.body))),
        }
    }

    async fn redeem_once(&self, carrier: &Carrier, grant: &CodeGrant<'_>) -> Result<Tokens, ProviderError> {
        let shown = self.credentials(carrier, grant.now)?;
        let correlation = self.correlation(Some(&carrier.issuer), grant.correlation_id);
        let form = token::token_form(grant.code, grant.redirect_uri, grant.code_verifier, correlation, &shown.form);
        let authorization = shown.authorization.as_ref();
        let answer = self.client.post_form("redemption", &carrier.token_endpoint, authorization, &form).await?;
        read_tokens(&answer)
    }

    async fn refresh_once(
        &self,
        carrier: &Carrier,
        refresh_token: &SecretString,
        now: SystemTime,
    ) -> Result<RefreshResponse, ProviderError> {
        let shown = self.credentials(carrier, now)?;
        let form = refresh::refresh_form(refresh_token, &shown.form);
        let authorization = shown.authorization.as_ref();
        let answer = self.client.post_form("refresh", &carrier.token_endpoint, authorization, &form).await?;
        read_refresh(&answer)
    }

    /// What the operator says of `issuer`.
    fn trusted(&self, issuer: &str) -> Option<&IssuerSettings> {
        self.settings.federation.member(issuer)
    }

    /// The one issuer, if there is one and it signs tokens.
    fn fixed_with_keys(&self) -> Option<&IssuerSettings> {
        let federation = &self.settings.federation;
        federation.fixed().filter(|_| federation.profile.issues_id_tokens)
    }

    /// Counts what the outcome of an exchange tells the operator.
    fn record<T>(&self, carrier: &Carrier, outcome: &Result<T, ProviderError>) {
        match outcome {
            Err(error) if error.reason() == bulkhead::CROWDED => self.stats.crowded_out.add(1),
            Err(error) if *error == CLIENT_REFUSED => {
                self.stats.invalid_client.add(1);
                let issuer = carrier.issuer.as_str();
                tracing::error!(
                    issuer,
                    reason = %error,
                    "`{issuer}` does not accept our client id and secret; nobody can sign in there"
                );
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Provider for Federation {
    async fn discover(&self, mccmnc: &str, correlation_id: &str, now: SystemTime) -> Result<Discovery, ProviderError> {
        let federation = &self.settings.federation;
        // The caller has checked it; a code that is not one would reach a URL and a cache key.
        let network = federation.profile.network_form.and_then(|form| form.read(mccmnc));
        let network = network.ok_or(ProviderError::invalid("not a carrier code"))?;
        let source = Source::Discovery { mccmnc: mccmnc.to_owned(), correlation_id: correlation_id.to_owned() };
        let found = self.configurations.find(source, now).await?;
        match (&found, federation.member_of(&network)) {
            // Whoever bends the answer of discovery would otherwise have the people of one carrier sign in at another.
            (Discovery::Carrier(carrier), Some(member)) if carrier.issuer != member.issuer => {
                self.stats.untrusted_configurations.add(1);
                let error = ProviderError::untrusted("discovery leads the network of one member to another one");
                Err(error
                    .instead(&member.issuer, &carrier.issuer)
                    .advise(format!("`{}.networks` says whose it is", member.key)))
            }
            _ => Ok(found),
        }
    }

    fn doubt(&self, mccmnc: &str, now: SystemTime) {
        self.configurations.doubt(mccmnc, now);
    }

    async fn issuer(&self, now: SystemTime) -> Result<Carrier, ProviderError> {
        let federation = &self.settings.federation;
        if let Some(api) = &federation.api {
            return Ok(api.carrier());
        }
        let issuer = federation.fixed().ok_or(ProviderError::invalid("no fixed issuer in this federation"))?;
        match self.configurations.find(Source::Issuer(issuer.issuer.clone()), now).await? {
            Discovery::Carrier(carrier) => Ok(*carrier),
            Discovery::AskUser(_) => Err(ProviderError::invalid("no discovery in this federation")),
        }
    }

    async fn member(&self, issuer: &str, now: SystemTime) -> Result<Carrier, ProviderError> {
        let member = self.trusted(issuer).ok_or(ProviderError::untrusted("issuer is not on the list"))?;
        match self.configurations.find(Source::Issuer(member.issuer.clone()), now).await? {
            Discovery::Carrier(carrier) => Ok(*carrier),
            Discovery::AskUser(_) => Err(ProviderError::invalid("no configuration of its own")),
        }
    }

    async fn logout_keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let carrier = match self.settings.federation.fixed() {
            Some(_) => self.issuer(now).await?,
            None => self.carrier_by_metadata(issuer, now).await?,
        };
        if carrier.issuer != issuer {
            return Err(ProviderError::untrusted("issuer is not on the list"));
        }
        self.keys.keys(&carrier.issuer, &carrier.jwks_uri, kid, Asker::client(client), now).await
    }

    async fn check(&self, now: SystemTime) -> Result<Option<IssuerState>, ProviderError> {
        let Some(issuer) = self.fixed_with_keys() else { return Ok(None) };
        self.warm(now).await?;
        let keys_age = self.keys.age(&issuer.issuer, now).unwrap_or_default();
        Ok(Some(IssuerState { issuer: issuer.issuer.clone(), keys_age }))
    }

    async fn end_session_endpoint(&self, issuer: &str, now: SystemTime) -> Option<Url> {
        self.fixed_with_keys().filter(|own| own.names(issuer))?;
        // Mostly it is at hand. If not, nobody waits long for a sign-out.
        let carrier = tokio::time::timeout(SIGN_OUT_PATIENCE, self.issuer(now)).await;
        carrier.ok()?.ok()?.end_session_endpoint
    }

    async fn push(&self, carrier: &Carrier, form: &SecretString, now: SystemTime) -> Result<String, ProviderError> {
        self.trust.check(carrier)?;
        let outcome = self.guard(&carrier.issuer)?.run(self.push_once(carrier, form, now)).await;
        self.stats.pushes.count(&outcome);
        self.record(carrier, &outcome);
        outcome
    }

    async fn redeem(&self, carrier: &Carrier, grant: &CodeGrant<'_>) -> Result<Tokens, ProviderError> {
        self.trust.check(carrier)?;
        let outcome = self.guard(&carrier.issuer)?.run(self.redeem_once(carrier, grant)).await;
        self.stats.redemptions.count(&outcome);
        self.record(carrier, &outcome);
        outcome
    }

    async fn refresh(
        &self,
        carrier: &Carrier,
        refresh_token: &SecretString,
        now: SystemTime,
    ) -> Result<RefreshResponse, ProviderError> {
        self.trust.check(carrier)?;
        let outcome = self.guard(&carrier.issuer)?.run(self.refresh_once(carrier, refresh_token, now)).await;
        self.stats.refreshes.count(&outcome);
        self.record(carrier, &outcome);
        outcome
    }

    async fn account(&self, carrier: &Carrier, grant: &CodeGrant<'_>) -> Option<Result<ApiAccount, ProviderError>> {
        let api = self.settings.federation.api.as_deref()?;
        Some(self.account_of(api, carrier, grant).await)
    }

    async fn carrier_of(&self, issuer: &str, now: SystemTime) -> Result<Carrier, ProviderError> {
        self.carrier_by_metadata(issuer, now).await
    }

    fn can_ask(&self, issuer: &str) -> bool {
        self.has_key_for_questions(issuer)
    }

    async fn ask(
        &self,
        carrier: &Carrier,
        question: &Question<'_>,
        now: SystemTime,
    ) -> Result<Acknowledgement, ProviderError> {
        let outcome = self.guard(&carrier.issuer)?.run(self.ask_once(carrier, question, now)).await;
        self.stats.questions.count(&outcome);
        outcome
    }

    async fn withdraw(
        &self,
        carrier: &Carrier,
        client_id: &str,
        auth_req_id: &str,
        now: SystemTime,
    ) -> Result<(), ProviderError> {
        let outcome = self.guard(&carrier.issuer)?.run(self.withdraw_once(carrier, client_id, auth_req_id, now)).await;
        self.stats.questions.count(&outcome);
        outcome
    }

    async fn sim_tenure(
        &self,
        issuer: &str,
        subject: &str,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<Option<SimTenure>, ProviderError> {
        self.tenure_of(issuer, subject, correlation_id, now).await
    }

    async fn keys(&self, carrier: &Carrier, kid: Option<&str>, now: SystemTime) -> Result<Arc<KeySet>, ProviderError> {
        self.trust.check(carrier)?;
        self.keys.keys(&carrier.issuer, &carrier.jwks_uri, kid, Asker::SignIn, now).await
    }

    async fn former_keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        self.keys_of_former(issuer, kid, client, now).await
    }

    fn token_keys_at_hand(&self, issuer: &str, now: SystemTime) -> Option<Arc<KeySet>> {
        self.token_issuers.at_hand(issuer, now)
    }

    async fn token_keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        client: IpAddr,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        self.token_issuers.keys(issuer, kid, Asker::client(client), now).await
    }

    async fn userinfo(
        &self,
        carrier: &Carrier,
        access_token: &SecretString,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<UserInfo, ProviderError> {
        self.trust.check(carrier)?;
        let asked = self.ask_userinfo(carrier, access_token, correlation_id, now);
        let outcome = self.guard(&carrier.issuer)?.run(asked).await;
        self.stats.userinfo.count(&outcome);
        self.record(carrier, &outcome);
        outcome
    }
}

/// The provider does not believe that we are who we say.
const CLIENT_REFUSED: ProviderError = ProviderError::refused("invalid_client");
