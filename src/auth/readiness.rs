//! Whether somebody could sign in now: by what a sign-in does, a write to the store and a look at the issuer, not by whether
//! anything answers.
//!
//! It says nothing about those who are signed in: they go on while the store is away, and whoever needs no session always.
//! So a gateway at which nobody can sign in is still ready to serve, and says this beside it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tracing::{info, warn};

use crate::provider::{IssuerState, Provider, ProviderError};
use crate::session::store::{RecordStore, StoreError};
use crate::telemetry::Metrics;

/// How long the store may take to answer. A sign-in waits less.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// How long the issuer may take, if nothing of it is at hand: two exchanges.
const ISSUER_PATIENCE: Duration = Duration::from_secs(10);

/// Whether somebody could sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInReadiness {
    /// Whether the session store takes what a sign-in writes.
    pub store: Result<(), StoreError>,
    /// Of each provider, whether the issuer's configuration and keys are at hand; `None` where carriers are found for each
    /// sign-in anew.
    pub issuers: Vec<Result<Option<IssuerState>, ProviderError>>,
}

impl SignInReadiness {
    /// Whether nothing stands in the way that is known.
    pub fn is_ready(&self) -> bool {
        self.store.is_ok() && self.has_issuer()
    }

    /// Whether there is a provider that somebody could sign in with.
    fn has_issuer(&self) -> bool {
        self.issuers.iter().any(Result::is_ok)
    }

    /// In words, a line each. Names no person, no address of the store, no secret.
    pub fn words(&self) -> String {
        let store = match &self.store {
            Ok(()) => "takes writes".to_owned(),
            Err(error) => error.to_string(),
        };
        let can = if self.is_ready() { "possible" } else { "not possible" };
        let mut words = format!("sign-in: {can}\nstore: {store}\n");
        for issuer in &self.issuers {
            words.push_str(&match issuer {
                Ok(None) => "issuer: found for each sign-in\n".to_owned(),
                Ok(Some(state)) => format!("issuer: {}, keys {} s old\n", state.issuer, state.keys_age.as_secs()),
                Err(error) => format!("issuer: {error}\n"),
            });
        }
        words
    }
}

/// What was found last, to tell the log of changes and of nothing else.
#[derive(Debug, Default)]
pub(super) struct LastSeen(Mutex<Option<(bool, bool)>>);

/// Looks now.
pub(super) async fn look(
    store: &Arc<dyn RecordStore>,
    providers: impl Iterator<Item = &Arc<dyn Provider>>,
    now: SystemTime,
) -> SignInReadiness {
    let checks = providers.map(|provider| async move {
        let checked = tokio::time::timeout(ISSUER_PATIENCE, provider.check(now)).await;
        checked.unwrap_or(Err(ProviderError::timeout()))
    });
    let (store, issuers) = tokio::join!(tokio::time::timeout(STORE_PATIENCE, store.ping()), join_all(checks));
    let late = |_| Err(StoreError::Unavailable("it did not answer in time".to_owned()));
    SignInReadiness { store: store.unwrap_or_else(late), issuers }
}

/// Tells the metric always, and the log at the first look and at each change.
pub(super) fn tell(found: &SignInReadiness, last: &LastSeen, metrics: &Metrics) {
    let (store, issuer) = (found.store.is_ok(), found.has_issuer());
    for (reason, ready) in [("store", store), ("issuer", issuer)] {
        metrics.sign_in_ready.with_label_values(&[reason]).set(i64::from(ready));
    }
    let before = last.0.lock().replace((store, issuer));
    if before.map(|(store, _)| store) != Some(store) {
        match &found.store {
            Ok(()) => info!("The session store takes writes"),
            Err(error) => warn!(reason = %error, key = "sessions.store", "Nobody can sign in: the session store"),
        }
    }
    if before.map(|(_, issuer)| issuer) != Some(issuer) {
        for issuer in &found.issuers {
            match issuer {
                Ok(Some(state)) => info!(issuer = %state.issuer, "The issuer's configuration and keys are at hand"),
                Ok(None) => {}
                Err(error) => warn!(reason = %error, key = "provider", "Nobody can sign in there now: the issuer"),
            }
        }
    }
}
