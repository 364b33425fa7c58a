//! What a sign-in asks of others, asked ahead of the first person: does the session store keep what is written, do the
//! issuers answer as the configuration says?
//!
//! Nothing is left behind but a key in Redis that says nothing and lasts a moment.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;

use super::open_store;
use crate::config::{Config, StoreChoice};
use crate::provider::{ErrorKind, Federation, ProviderError, ProviderSettings};
use crate::session::store::StoreError;

/// How long all of it may take. Each question has its own, shorter patience; this is for what nobody thought of.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The key of the configuration that it is about.
    pub key: String,
    /// What was asked, for people.
    pub asked: String,
    /// What came back.
    pub outcome: Outcome,
}

/// Whether a sign-in could do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It could.
    Good,
    /// Nobody answered: it may be otherwise where the gateway runs, or later.
    NoAnswer(String),
    /// There was an answer, and with it nobody can sign in until something is changed.
    Wrong(String),
}

/// Asks everybody at the same time.
pub async fn inquire(config: &Config) -> Vec<Finding> {
    let providers = std::iter::once(&config.provider).chain(&config.further_providers);
    let issuers = providers.map(|provider| issuers(provider.settings.clone()));
    let asked = async { tokio::join!(store(config), join_all(issuers)) };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok((store, issuers)) => store.into_iter().chain(issuers.into_iter().flatten()).collect(),
        Err(_) => {
            let outcome = Outcome::NoAnswer("no answer in time".to_owned());
            vec![Finding { key: "provider".to_owned(), asked: "session store and issuers".to_owned(), outcome }]
        }
    }
}

/// A store that others keep for us. One of our own is a file that a running gateway has locked: it is not touched.
async fn store(config: &Config) -> Option<Finding> {
    let StoreChoice::Redis { .. } = &config.sessions.store else { return None };
    let outcome = match open_store(config) {
        Err(error) => Outcome::Wrong(error.to_string()),
        Ok(store) => match store.ping().await {
            Ok(()) => Outcome::Good,
            Err(StoreError::Unavailable(why)) => Outcome::NoAnswer(why),
            Err(error) => Outcome::Wrong(error.to_string()),
        },
    };
    Some(Finding { key: "sessions.store".to_owned(), asked: "a write to the session store".to_owned(), outcome })
}

/// Each issuer that people may sign in with and that signs ID tokens, whichever way a sign-in finds it.
async fn issuers(settings: ProviderSettings) -> Vec<Finding> {
    let federation = &settings.federation;
    let names_them = if federation.fixed().is_some() { "issuer" } else { "trusted_issuers" };
    let key = format!("{}.{}.{names_them}", settings.section, federation.profile.name);
    let about = |asked: String, outcome| Finding { key: key.clone(), asked, outcome };
    let federation = match Federation::with_memory(settings, None, Arc::default()) {
        Ok(federation) => Arc::new(federation),
        Err(error) => return vec![about("a client for the issuer".to_owned(), Outcome::Wrong(error.to_string()))],
    };
    let answers = federation.look_at_issuers(SystemTime::now()).await;
    let finding = |(issuer, answer): (String, Result<(), ProviderError>)| {
        let outcome = match answer {
            Ok(()) => Outcome::Good,
            Err(error) => match error.kind() {
                ErrorKind::Timeout | ErrorKind::Unavailable => Outcome::NoAnswer(error.to_string()),
                ErrorKind::Invalid | ErrorKind::NotAllowed | ErrorKind::Refused | ErrorKind::Untrusted => {
                    Outcome::Wrong(error.to_string())
                }
            },
        };
        about(format!("configuration and keys of {issuer}"), outcome)
    };
    answers.into_iter().map(finding).collect()
}
