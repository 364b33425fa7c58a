//! Last good key sets of token issuers, kept through a restart.
//!
//! Without it a gateway that is restarted while an issuer is away refuses every caller until the issuer is back, though
//! it knew the keys a moment ago. What is kept is public; that it is what we kept is for the memory to see to: it is
//! sealed, and only gateways with our key can have sealed it. It is parsed anew, its place is checked against the trust
//! list, and it ages as if there had been no restart.
//!
//! A set is kept before it is used. If it were the other way round, a gateway could refuse a key that its issuer has
//! withdrawn, be restarted, and accept it again: whoever stole the key would only have to wait for a restart.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

/// Most issuers that are kept.
const MOST: usize = 256;

/// How long a new key set waits to be kept before it is used all the same: a disk that hangs must not keep a key in use
/// that its issuer has withdrawn.
const PATIENCE: Duration = Duration::from_secs(2);

/// One issuer's key set as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    pub(super) issuer: String,
    pub(super) jwks_uri: Url,
    /// Seconds since 1970.
    pub(super) fetched: u64,
    /// The document, byte for byte; empty if it must not be kept, so that no older one stands in for it.
    pub(super) document: String,
}

/// Why key sets could not be recalled or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyMemoryError {
    /// What lies there was not kept by a gateway with our key.
    #[error("what lies there was not kept by a gateway with this key")]
    Foreign,
    /// The file cannot be read or written.
    #[error("the file: {0}")]
    Io(ErrorKind),
    /// The store did not answer.
    #[error("the session store does not answer")]
    Store,
    /// It was kept by us, and cannot be understood.
    #[error("what was kept cannot be read")]
    Unreadable,
}

/// Where key sets outlive a restart. Whoever could write there in our name could let anybody in as anybody, so an
/// implementation gives back nothing but what this gateway, or one with the same key, has kept.
#[async_trait]
pub trait KeyMemory: Send + Sync {
    /// What was kept last; `None` if nothing was.
    async fn recall(&self) -> Result<Option<Vec<u8>>, KeyMemoryError>;

    /// Replaces what was kept: whole, or not at all. It need not be kept for longer than `useful`.
    async fn keep(&self, kept: Vec<u8>, useful: Duration) -> Result<(), KeyMemoryError>;
}

/// Keeps each new key set, one at a time.
pub(super) struct Keeper {
    memory: Arc<dyn KeyMemory>,
    useful: Duration,
    /// The issuers whose sets are kept. Those of people's sign-ins are not among them: theirs are fetched anew.
    issuers: Vec<String>,
    ours: Mutex<Vec<Remembered>>,
}

impl Keeper {
    pub(super) fn new(memory: Arc<dyn KeyMemory>, useful: Duration, issuers: Vec<String>) -> Self {
        Self { memory, useful, issuers, ours: Mutex::new(Vec::new()) }
    }

    /// What was kept before the restart, newest first; nothing if there is nothing, or nothing of ours.
    pub(super) async fn recall(&self) -> Vec<Remembered> {
        match self.kept().await {
            Ok(mut kept) => {
                kept.sort_by_key(|one| std::cmp::Reverse(one.fetched));
                kept
            }
            Err(error) => {
                tracing::warn!(%error, "The key sets kept from before the restart are not used");
                Vec::new()
            }
        }
    }

    async fn kept(&self) -> Result<Vec<Remembered>, KeyMemoryError> {
        let kept = self.memory.recall().await?;
        kept.map_or(Ok(Vec::new()), |kept| serde_json::from_slice(&kept).map_err(|_| KeyMemoryError::Unreadable))
    }

    /// Keeps `fresh`. What others have kept in the same place stays, where it is newer than ours or of issuers that are
    /// not ours.
    pub(super) async fn keep(&self, fresh: Remembered) {
        if !self.issuers.contains(&fresh.issuer) {
            return;
        }
        let now = fresh.fetched;
        let keeping = async {
            let mut ours = self.ours.lock().await;
            ours.retain(|one| one.issuer != fresh.issuer || one.jwks_uri != fresh.jwks_uri);
            ours.push(fresh);
            let all = merged(ours.clone(), self.kept().await.unwrap_or_default(), now, self.useful);
            let text = serde_json::to_vec(&all).map_err(|_| KeyMemoryError::Unreadable)?;
            self.memory.keep(text, self.useful).await
        };
        let kept =
            tokio::time::timeout(PATIENCE, keeping).await.unwrap_or(Err(KeyMemoryError::Io(ErrorKind::TimedOut)));
        if let Err(error) = kept {
            tracing::warn!(%error, "Key sets cannot be kept for after a restart; one that was withdrawn may come back with it");
        }
    }
}

/// What is to be kept: `ours`, and of what was `kept` whatever is newer than ours or of another issuer. Other gateways
/// keep theirs in the same place, and one that could not reach an issuer must not put an older set over a newer: the
/// newer may lack a key that was withdrawn. Times are seconds since 1970; what is from the future or older than
/// `useful` goes.
fn merged(ours: Vec<Remembered>, kept: Vec<Remembered>, now: u64, useful: Duration) -> Vec<Remembered> {
    let mut all = ours;
    let sound = |kept: &Remembered| now.checked_sub(kept.fetched).is_some_and(|age| age <= useful.as_secs());
    for kept in kept.into_iter().filter(sound) {
        let room = all.len() < MOST;
        match all.iter_mut().find(|one| one.issuer == kept.issuer && one.jwks_uri == kept.jwks_uri) {
            Some(one) if one.fetched >= kept.fetched => {}
            Some(one) => *one = kept,
            None if room => all.push(kept),
            None => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Drawer(Mutex<Option<Vec<u8>>>);

    #[async_trait]
    impl KeyMemory for Drawer {
        async fn recall(&self) -> Result<Option<Vec<u8>>, KeyMemoryError> {
            Ok(self.0.lock().await.clone())
        }

        async fn keep(&self, kept: Vec<u8>, _useful: Duration) -> Result<(), KeyMemoryError> {
            *self.0.lock().await = Some(kept);
            Ok(())
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn of(issuer: &str, fetched: u64) -> Remembered {
        let jwks_uri = Url::parse("https://a.test/jwks").unwrap();
        Remembered { issuer: issuer.into(), jwks_uri, fetched, document: format!("{issuer} {fetched}") }
    }

    // E05, TM7
    #[test]
    fn an_older_set_is_not_kept_in_the_place_of_a_newer() {
        let merged = |ours: &[Remembered], kept: &[Remembered]| merged(ours.to_vec(), kept.to_vec(), 10_000, HOUR);
        assert_eq!(merged(&[of("a", 9000)], &[of("a", 8000)]), [of("a", 9000)]);
        assert_eq!(merged(&[of("a", 8000)], &[of("a", 9000)]), [of("a", 9000)]);
        assert_eq!(merged(&[of("a", 9000)], &[of("b", 7000)]), [of("a", 9000), of("b", 7000)]);
        // A clock that runs ahead cannot keep its set there, and what is too old is of no use to anybody.
        assert_eq!(merged(&[of("a", 9000)], &[of("a", 10_001), of("b", 6399), of("c", u64::MAX)]), [of("a", 9000)]);
        assert_eq!(merged(&[], &[of("b", 6400)]), [of("b", 6400)]);
    }

    #[tokio::test]
    async fn what_was_kept_is_recalled_and_what_is_no_memory_is_nothing() {
        let drawer = Arc::new(Drawer::default());
        let keeper = || Keeper::new(drawer.clone(), HOUR, vec!["a".into(), "b".into()]);
        assert_eq!(keeper().recall().await, []);
        let first = keeper();
        first.keep(of("a", 7000)).await;
        first.keep(of("a", 7001)).await;
        keeper().keep(of("b", 7002)).await;
        keeper().keep(of("nobody's", 7003)).await;
        assert_eq!(keeper().recall().await, [of("b", 7002), of("a", 7001)]);
        for odd in ["", "{}", "[{}]", "[1]", "\0"] {
            *drawer.0.lock().await = Some(odd.into());
            assert_eq!(keeper().recall().await, [], "{odd:?}");
        }
    }
}
