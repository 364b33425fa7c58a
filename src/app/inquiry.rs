//! What a sign-in asks of others, asked ahead of the first person: does the session store keep what is written, do the
//! issuers answer as the configuration says?
//!
//! Nothing is left behind but a key in Redis that says nothing and lasts a moment.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;

use crate::config::{Config, StoreChoice};
use crate::provider::{ErrorKind, Federation, ProviderError, ProviderSettings};
use crate::secret::{Entropy as _, SystemEntropy};
use crate::session::redis::{RedisSettings, RedisStore};
use crate::session::store::{RecordStore as _, StoreError};

/// How long all of it may take. Each question has its own, shorter patience; this is for what nobody thought of.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long the session store may take. Longer than anybody waits who signs in: this is its first question on a new connection.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

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
    /// It may well not: what came back is sound, and does not offer what we need.
    Doubtful(String),
    /// Nobody answered: it may be otherwise where the gateway runs, or later.
    NoAnswer(String),
    /// There was an answer, and with it nobody can sign in until something is changed.
    Wrong(String),
}

/// Asks everybody at the same time.
pub async fn inquire(config: &Config) -> Vec<Finding> {
    let providers = std::iter::once(&config.provider).chain(&config.further_providers);
    let issuers = join_all(providers.map(|provider| issuers(provider.settings.clone())));
    let asked = async { tokio::join!(store(config), issuers, token_issuers(&config.provider.settings)) };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok((store, issuers, tokens)) => store.into_iter().chain(issuers.into_iter().flatten()).chain(tokens).collect(),
        Err(_) => {
            let outcome = Outcome::NoAnswer("no answer in time".to_owned());
            vec![Finding { key: "provider".to_owned(), asked: "session store and issuers".to_owned(), outcome }]
        }
    }
}

/// The store. One of our own is a file that a running gateway has locked: it is not opened, but its directory is tried. One in
/// memory is there.
async fn store(config: &Config) -> Option<Finding> {
    let (asked, outcome) = match &config.sessions.store {
        StoreChoice::Memory => return None,
        StoreChoice::Embedded { path } => {
            let outcome = match place(path) {
                Ok(()) => Outcome::Good,
                Err(why) => Outcome::NoAnswer(why),
            };
            ("a place for the session file", outcome)
        }
        StoreChoice::Redis { url, prefix } => {
            let settings = RedisSettings {
                prefix: prefix.clone(),
                response_timeout: STORE_PATIENCE,
                connection_timeout: STORE_PATIENCE,
                ..RedisSettings::new(url.clone())
            };
            let outcome = match RedisStore::connect(settings) {
                Err(error) => Outcome::Wrong(error.to_string()),
                Ok(store) => match store.ping().await {
                    Ok(()) => Outcome::Good,
                    Err(StoreError::Unavailable(why)) => Outcome::NoAnswer(why),
                    Err(error) => Outcome::Wrong(error.to_string()),
                },
            };
            ("a write to the session store", outcome)
        }
    };
    Some(Finding { key: "sessions.store".to_owned(), asked: asked.to_owned(), outcome })
}

/// Whether whoever runs this can have a session file at `path`. Whoever runs the gateway may be somebody else.
fn place(path: &Path) -> Result<(), String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() {
        let file = OpenOptions::new().write(true).open(path);
        file.map_err(|error| format!("this user cannot write to {}: {}", path.display(), error.kind()))?;
    }
    let mut random = [0; 8];
    SystemEntropy.fill(&mut random);
    let probe = directory.join(format!(".zengate-check-{:016x}", u64::from_le_bytes(random)));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    made.map_err(|error| format!("this user cannot make a file in {}: {}", directory.display(), error.kind()))?;
    std::fs::remove_file(&probe).map_err(|error| format!("{} cannot be removed: {}", probe.display(), error.kind()))
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
    let finding = |(issuer, answer): (String, Result<Option<String>, ProviderError>)| {
        let outcome = match answer {
            Ok(None) => Outcome::Good,
            Ok(Some(doubt)) => Outcome::Doubtful(doubt),
            Err(error) => failed(&error),
        };
        about(format!("configuration and keys of {issuer}"), outcome)
    };
    answers.into_iter().map(finding).collect()
}

/// Each issuer of access tokens.
async fn token_issuers(settings: &ProviderSettings) -> Vec<Finding> {
    if settings.token_issuers.is_empty() {
        return Vec::new();
    }
    // What is wrong with a client was said of the issuers of people.
    let Ok(federation) = Federation::with_memory(settings.clone(), None, Arc::default()) else { return Vec::new() };
    let answers = federation.look_at_token_issuers(SystemTime::now()).await;
    let finding = |(at, (issuer, answer)): (usize, (String, Result<(), ProviderError>))| {
        let outcome = answer.map_or_else(|error| failed(&error), |()| Outcome::Good);
        Finding {
            key: format!("bearer.issuers[{at}].issuer"),
            asked: format!("keys for access tokens of {issuer}"),
            outcome,
        }
    };
    answers.into_iter().enumerate().map(finding).collect()
}

/// Whether an issuer gave no answer, or one with which nothing works.
fn failed(error: &ProviderError) -> Outcome {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Unavailable => Outcome::NoAnswer(error.to_string()),
        ErrorKind::Invalid | ErrorKind::NotAllowed | ErrorKind::Refused | ErrorKind::Untrusted => {
            Outcome::Wrong(error.to_string())
        }
    }
}
