//! One key set, as it was fetched and read.

use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use super::ProviderError;
use super::client::HttpClient;
use super::key_memory::Remembered;
use super::stats::ProviderStats;
use crate::ground::time::Timestamp;
use crate::oidc::jwks::{self, KeySet, LeftOut};
use crate::secret::sha256;
use crate::telemetry::foreign_text::shown;

/// What came of a fetch.
pub(super) type Fetched = Result<Arc<Loaded>, ProviderError>;

/// A key set as an issuer published it.
pub(super) struct Loaded {
    pub(super) keys: Arc<KeySet>,
    pub(super) fetched: SystemTime,
    /// SHA-256 of the document.
    digest: [u8; 32],
    /// The document, as it may be kept through a restart; `None` if it holds what is not public.
    document: Option<Arc<str>>,
}

/// Asks `issuer` for its keys at `uri`. `before` is what it answered last.
pub(super) async fn load(
    client: &HttpClient,
    stats: &ProviderStats,
    (issuer, uri): (&str, &Url),
    before: Option<Arc<Loaded>>,
    now: SystemTime,
) -> Fetched {
    let answer = client.get("key_set", uri, jwks::MAX_BYTES).await?;
    answer.expect_ok()?;
    let digest = sha256(&answer.body);
    if let Some(same) = before.filter(|loaded| loaded.digest == digest) {
        // The very same document: what was judged by the old set need not be judged again.
        let (keys, document) = (Arc::clone(&same.keys), same.document.clone());
        return Ok(Arc::new(Loaded { keys, fetched: now, digest, document }));
    }
    let keys = KeySet::parse(&answer.body)
        .map_err(|error| answer.blame(ProviderError::invalid("not a key set")).found(&error.to_string()))?;
    stats.keys_skipped.add(keys.skipped() as u64);
    stats.keys_alarming.add(keys.alarming() as u64);
    for LeftOut { kid, why } in keys.left_out() {
        let kid = shown(kid.as_deref().unwrap_or("none"));
        tracing::warn!(issuer, kid, reason = why, "A key of `{issuer}` is not used");
    }
    // An empty list is an issuer's right: it withdraws every key. A list of nothing but broken keys is a broken list.
    if keys.is_empty() && keys.skipped() + keys.alarming() > 0 {
        let why = keys.left_out().first().map_or("", |key| key.why);
        return Err(answer.blame(ProviderError::invalid("no usable key in the key set")).found(why));
    }
    Ok(Arc::new(Loaded::new(keys, &answer.body, now)))
}

impl Loaded {
    /// As it is kept through a restart.
    pub(super) fn remembered(&self, issuer: &str, uri: &Url) -> Remembered {
        Remembered {
            issuer: issuer.to_owned(),
            jwks_uri: uri.clone(),
            fetched: Timestamp::of(self.fetched).as_secs(),
            document: self.document.as_deref().unwrap_or_default().to_owned(),
        }
    }

    /// The key set in `document`.
    pub(super) fn new(keys: KeySet, document: &[u8], fetched: SystemTime) -> Self {
        let text = std::str::from_utf8(document).ok().filter(|_| keys.alarming() == 0);
        Self { keys: Arc::new(keys), fetched, digest: sha256(document), document: text.map(Arc::from) }
    }
}
