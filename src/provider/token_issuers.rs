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
use super::key_memory::{self, FileMemory, KeyMemory, Remembered};
use super::key_store::KeyStore;
use super::metadata::{Configurations, Source};
use super::stats::ProviderStats;
use super::trust::TrustList;
use super::{Discovery, ProviderError, ProviderSettings};
use crate::ground::time::Timestamp;
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
    memory: Option<Arc<dyn KeyMemory>>,
    useful: Duration,
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
        let trust = Arc::new(TrustList::of_token_issuers(&settings.token_issuers));
        let all = settings.token_issuers.iter().map(|settings| TokenIssuer {
            issuer: settings.issuer.clone(),
            pinned: settings.jwks_uri.is_some(),
            uri: ArcSwapOption::from_pointee(settings.jwks_uri.clone()),
            failed: AtomicU64::new(0),
        });
        let file = || settings.key_memory.clone().map(|path| Arc::new(FileMemory(path)) as Arc<dyn KeyMemory>);
        let memory = memory.or_else(file).filter(|_| !settings.token_issuers.is_empty());
        let configurations = Configurations::new(client, Arc::clone(&trust), settings, stats);
        Self { all: all.collect(), configurations, keys, trust, memory, useful: settings.jwks_max_stale }
    }

    /// Takes up what was kept before a restart, as far as the configuration of today still trusts it.
    pub(super) async fn recall(&self, now: SystemTime) {
        let Some(memory) = &self.memory else { return };
        for kept in key_memory::recall(&**memory).await {
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
            }
        }
    }

    /// Keeps what is at hand for after a restart, if it is newer than what was kept last. What others have kept in the
    /// same place stays, where it is newer than ours or of issuers that are not ours.
    async fn keep(&self, last: &mut Vec<Remembered>, now: SystemTime) {
        let Some(memory) = &self.memory else { return };
        let all = self.all.iter().filter_map(|issuer| {
            let uri = issuer.uri.load_full()?;
            let (document, fetched) = self.keys.document(&issuer.issuer, &uri)?;
            let (jwks_uri, document) = ((*uri).clone(), document.to_string());
            Some(Remembered {
                issuer: issuer.issuer.clone(),
                jwks_uri,
                fetched: Timestamp::of(fetched).as_secs(),
                document,
            })
        });
        let all: Vec<Remembered> = all.collect();
        if all.is_empty() || all == *last {
            return;
        }
        last.clone_from(&all);
        let all =
            key_memory::merged(all, key_memory::recall(&**memory).await, Timestamp::of(now).as_secs(), self.useful);
        key_memory::keep(&**memory, &all, self.useful).await;
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
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let known = self.find(issuer).ok_or(ProviderError::Untrusted("issuer is not on the list"))?;
        if known.rests(now) && self.at_hand(issuer, now).is_none() {
            let reason = "issuer had no keys for us a moment ago";
            return Err(ProviderError::Unavailable { reason, retry_after: Some(REST) });
        }
        let outcome = self.ask(known, kid, now).await;
        known.failed.store(if outcome.is_ok() { 0 } else { Timestamp::of(now).as_secs() }, Ordering::Relaxed);
        outcome
    }

    async fn ask(
        &self,
        issuer: &TokenIssuer,
        kid: Option<&str>,
        now: SystemTime,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let uri = match issuer.uri.load_full() {
            Some(uri) => uri,
            None => self.locate(issuer, now).await?,
        };
        self.keys.keys(&issuer.issuer, &uri, kid, now).await
    }

    /// Learns from the issuer's own metadata where its keys are.
    async fn locate(&self, issuer: &TokenIssuer, now: SystemTime) -> Result<Arc<Url>, ProviderError> {
        match self.configurations.find(Source::Issuer(issuer.issuer.clone()), now).await? {
            Discovery::Carrier(carrier) => {
                let uri = Arc::new(carrier.jwks_uri);
                issuer.uri.store(Some(Arc::clone(&uri)));
                Ok(uri)
            }
            Discovery::AskUser(_) => Err(ProviderError::Invalid("an issuer of tokens is not discovered")),
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
            let _keys = self.keys(name, None, now).await;
        };
        join_all(self.all.iter().map(look)).await;
    }

    #[expect(clippy::disallowed_methods, reason = "a task for life: nobody is there to hand the moment down")]
    pub(super) async fn run(&self) {
        let mut kept = Vec::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while !self.all.is_empty() {
            tick.tick().await;
            self.look(SystemTime::now()).await;
            self.keep(&mut kept, SystemTime::now()).await;
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
