//! Issuers of access tokens: where their keys are, and the keys.
//!
//! Anybody may send a token, so nothing here depends on what one says. Where an issuer keeps its keys is found out in the
//! background and remembered; a request waits only if there are no keys at all, or for the one forced refresh that an
//! unknown `kid` may cause. An issuer whose keys could not be had is left alone for a moment, however many ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use futures_util::future::join_all;
use url::Url;

use super::client::HttpClient;
use super::fetch_budget::Asker;
use super::key_memory::{Keeper, KeyMemory};
use super::key_store::KeyStore;
use super::metadata::{Configurations, Source};
use super::stats::ProviderStats;
use super::trust::TrustList;
use super::{Discovery, ProviderError, ProviderSettings};
use crate::ground::time::{Timestamp, distance};
use crate::oidc::jwks::KeySet;

/// How often the background looks whether an issuer has moved its keys; its metadata is asked when it has grown old.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How long an issuer is left alone whose keys could not be had.
const REST: Duration = Duration::from_secs(5);

pub(super) struct TokenIssuers {
    configurations: Arc<Configurations>,
    keys: Arc<KeyStore>,
    all: Vec<TokenIssuer>,
    trust: Arc<TrustList>,
    keeper: Option<Arc<Keeper>>,
}

struct TokenIssuer {
    issuer: String,
    pinned: bool,
    uri: ArcSwapOption<Url>,
    /// Seconds since 1970: the last time that no keys could be had; zero after a success.
    failed: AtomicU64,
}

impl TokenIssuers {
    pub(super) fn new(
        client: Arc<HttpClient>,
        keys: Arc<KeyStore>,
        settings: &ProviderSettings,
        stats: Arc<ProviderStats>,
        memory: Option<Arc<dyn KeyMemory>>,
    ) -> Self {
        let trust = Arc::new(TrustList::of_token_issuers(settings));
        let all = settings.token_issuers.iter().map(|settings| TokenIssuer {
            issuer: settings.issuer.clone(),
            pinned: settings.jwks_uri.is_some(),
            uri: ArcSwapOption::from_pointee(settings.jwks_uri.clone()),
            failed: AtomicU64::new(0),
        });
        let all: Vec<_> = all.collect();
        let issuers = all.iter().map(|issuer| issuer.issuer.clone()).collect();
        let keeper = memory.filter(|_| !all.is_empty());
        let keeper = keeper.map(|memory| Arc::new(Keeper::new(memory, settings.jwks_max_stale, issuers)));
        if let Some(keeper) = &keeper {
            keys.keep_with(Arc::clone(keeper));
        }
        let configurations = Configurations::new(client, Arc::clone(&trust), settings, stats);
        Self { all, configurations, keys, trust, keeper }
    }

    /// Takes up what was kept before a restart, as far as the configuration of today still trusts it.
    pub(super) async fn recall(&self, now: SystemTime) {
        let Some(keeper) = &self.keeper else { return };
        for kept in keeper.recall().await {
            let Some(issuer) = self.find(&kept.issuer) else { continue };
            let uri = issuer.uri.load_full();
            let fits = match &uri {
                Some(uri) => **uri == kept.jwks_uri,
                None => self.trust.allows_keys(&kept.issuer, &kept.jwks_uri),
            };
            let fetched = UNIX_EPOCH.checked_add(Duration::from_secs(kept.fetched));
            // What is too old to be used does not say where newer keys are either: the address may have changed hands.
            if let Some(fetched) = fetched.filter(|_| fits)
                && self.keys.recall(&kept.issuer, &kept.jwks_uri, &kept.document, fetched, now)
            {
                issuer.uri.store(Some(Arc::new(kept.jwks_uri)));
                let (name, age) = (kept.issuer.as_str(), distance(now, fetched).as_secs());
                tracing::info!(
                    issuer = name,
                    age,
                    "Keys of `{name}` kept from before the restart are in use; they are {age} s old, and fetched anew now"
                );
            }
        }
    }

    /// Asks every issuer whose keys were kept from before the restart for newer ones: a key may have been withdrawn
    /// since.
    async fn doubt_recalled(&self, now: SystemTime) {
        let doubt = async |issuer: &TokenIssuer| {
            if let Some(uri) = issuer.uri.load_full()
                && self.keys.at_hand(&issuer.issuer, &uri, now).is_some()
            {
                // A failure was told where it happened.
                self.keys.refresh(&issuer.issuer, &uri, now).await;
            }
        };
        join_all(self.all.iter().map(doubt)).await;
    }

    /// The keys of `issuer`, if they are at hand and not too old.
    pub(super) fn at_hand(&self, issuer: &str, now: SystemTime) -> Option<Arc<KeySet>> {
        let issuer = self.find(issuer)?;
        let uri = issuer.uri.load();
        self.keys.at_hand(&issuer.issuer, uri.as_ref()?, now)
    }

    /// The keys of `issuer`, holding `kid` if they can be had; see [`KeyStore::keys`].
    pub(super) async fn keys(
        &self,
        issuer: &str,
        kid: Option<&str>,
        asker: Asker,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let known = self.find(issuer).ok_or(ProviderError::untrusted("issuer is not on the list"))?;
        if known.rests(now) && self.at_hand(issuer, now).is_none() {
            let reason = "issuer had no keys for us a moment ago";
            return Err(ProviderError::unavailable(reason, Some(REST)));
        }
        let outcome = self.ask(known, kid, asker, now).await;
        known.failed.store(if outcome.is_ok() { 0 } else { Timestamp::of(now).as_secs() }, Ordering::Relaxed);
        outcome
    }

    async fn ask(
        &self,
        issuer: &TokenIssuer,
        kid: Option<&str>,
        asker: Asker,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let uri = match issuer.uri.load_full() {
            Some(uri) => uri,
            None => self.locate(issuer, now).await?,
        };
        self.keys.keys(&issuer.issuer, &uri, kid, asker, now).await
    }

    /// Learns from the issuer's own metadata where its keys are.
    async fn locate(&self, issuer: &TokenIssuer, now: SystemTime) -> Result<Arc<Url>, ProviderError> {
        match self.configurations.find(Source::Issuer(issuer.issuer.clone()), now).await? {
            Discovery::Carrier(carrier) => {
                let uri = Arc::new(carrier.jwks_uri);
                issuer.uri.store(Some(Arc::clone(&uri)));
                Ok(uri)
            }
            Discovery::AskUser(_) => Err(ProviderError::invalid("an issuer of tokens is not discovered")),
        }
    }

    /// Finds out whether keys have moved, and has them at hand.
    pub(super) async fn look(&self, now: SystemTime) {
        let look = async |issuer: &TokenIssuer| {
            let name = issuer.issuer.as_str();
            if !issuer.pinned
                && let Err(error) = self.locate(issuer, now).await
            {
                tracing::warn!(issuer = name, %error, "`{name}` does not say where its keys are");
            }
            // A failure was told where it happened.
            let _keys = self.keys(name, None, Asker::SignIn, now).await;
        };
        join_all(self.all.iter().map(look)).await;
    }

    #[expect(clippy::disallowed_methods, reason = "a task for life: nobody is there to hand the moment down")]
    pub(super) async fn run(&self) {
        if self.all.is_empty() {
            // A task for life that has nothing to do. Were it to end, it would be started again for ever.
            return std::future::pending().await;
        }
        self.doubt_recalled(SystemTime::now()).await;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            self.look(SystemTime::now()).await;
        }
    }

    fn find(&self, issuer: &str) -> Option<&TokenIssuer> {
        self.all.iter().find(|known| known.issuer == issuer)
    }
}

impl TokenIssuer {
    /// A moment that seems longer than it ever is means that the clock was set back.
    fn rests(&self, now: SystemTime) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        failed != 0 && Timestamp::of(now).as_secs().abs_diff(failed) < REST.as_secs()
    }
}
