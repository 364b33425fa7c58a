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
    /// Of each provider, in the order of the configuration.
    pub providers: Vec<ProviderReadiness>,
}

/// Whether somebody could sign in with one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReadiness {
    /// Its id; empty for the one of a configuration that has no other.
    pub id: String,
    /// Whether the issuer's configuration and keys are at hand; `None` where carriers are found for each sign-in anew.
    pub issuer: Result<Option<IssuerState>, ProviderError>,
}

impl ProviderReadiness {
    /// The word for it in metrics.
    fn label(&self) -> &str {
        if self.id.is_empty() { "provider" } else { &self.id }
    }
}

impl SignInReadiness {
    /// Whether nothing stands in the way that is known.
    pub fn is_ready(&self) -> bool {
        self.store.is_ok() && self.has_provider()
    }

    /// Whether there is a provider that somebody could sign in with.
    fn has_provider(&self) -> bool {
        self.providers.iter().any(|provider| provider.issuer.is_ok())
    }

    /// In words, a line each. Names no person, no address of the store, no secret.
    pub fn words(&self) -> String {
        let store = match &self.store {
            Ok(()) => "takes writes".to_owned(),
            Err(error) => error.to_string(),
        };
        let can = if self.is_ready() { "possible" } else { "not possible" };
        let mut words = format!("sign-in: {can}\nstore: {store}\n");
        for provider in &self.providers {
            let of = if provider.id.is_empty() { String::new() } else { format!(" ({})", provider.id) };
            words.push_str(&match &provider.issuer {
                Ok(None) => format!("issuer{of}: found for each sign-in\n"),
                Ok(Some(state)) => format!("issuer{of}: {}, keys {} s old\n", state.issuer, state.keys_age.as_secs()),
                Err(error) => format!("issuer{of}: {error}\n"),
            });
        }
        words
    }
}

/// What was found last, the store and then each provider: to tell the log of changes and of nothing else.
#[derive(Debug, Default)]
pub(super) struct LastSeen(Mutex<Vec<bool>>);

/// Looks now.
pub(super) async fn look(
    store: &Arc<dyn RecordStore>,
    providers: impl Iterator<Item = (&str, &Arc<dyn Provider>)>,
    now: SystemTime,
) -> SignInReadiness {
    let checks = providers.map(|(id, provider)| async move {
        let checked = tokio::time::timeout(ISSUER_PATIENCE, provider.check(now)).await;
        let issuer = checked.unwrap_or(Err(ProviderError::timeout()));
        ProviderReadiness { id: id.to_owned(), issuer }
    });
    let (store, providers) = tokio::join!(tokio::time::timeout(STORE_PATIENCE, store.ping()), join_all(checks));
    let late = |_| Err(StoreError::Unavailable("it did not answer in time".to_owned()));
    SignInReadiness { store: store.unwrap_or_else(late), providers }
}

/// Tells the metrics always, and the log at the first look and at each change.
pub(super) fn tell(found: &SignInReadiness, last: &LastSeen, metrics: &Metrics) {
    for (reason, ready) in [("store", found.store.is_ok()), ("issuer", found.has_provider())] {
        metrics.sign_in_ready.with_label_values(&[reason]).set(i64::from(ready));
    }
    for provider in &found.providers {
        metrics.provider_ready.with_label_values(&[provider.label()]).set(i64::from(provider.issuer.is_ok()));
    }
    let seen = std::iter::once(found.store.is_ok()).chain(found.providers.iter().map(|one| one.issuer.is_ok()));
    let seen: Vec<bool> = seen.collect();
    let before = std::mem::replace(&mut *last.0.lock(), seen.clone());
    let has_changed = |place: usize| before.get(place) != seen.get(place);
    if has_changed(0) {
        match &found.store {
            Ok(()) => info!("The session store takes writes"),
            Err(error) => warn!(reason = %error, key = "sessions.store", "Nobody can sign in: the session store"),
        }
    }
    for (place, provider) in found.providers.iter().enumerate() {
        let id = provider.label();
        match &provider.issuer {
            Ok(Some(state)) if has_changed(place + 1) => {
                info!(provider = id, issuer = %state.issuer, "The issuer's configuration and keys are at hand");
            }
            Err(error) if has_changed(place + 1) => {
                warn!(provider = id, reason = %error, key = "provider", "Nobody can sign in there now: the issuer");
            }
            _ => {}
        }
    }
}
