//! Last good key sets of token issuers, kept through a restart.
//!
//! Without it a gateway that is restarted while an issuer is away refuses every caller until the issuer is back, though
//! it knew the keys a moment ago. What is kept is public; that it is what we kept is for the memory to see to: a file of
//! ours, or a record that only gateways with our key can have sealed. It is parsed anew, its place is checked against
//! the trust list, and it ages as if there had been no restart.

#![allow(clippy::disallowed_methods, reason = "a small file, read at start and written by a task of its own")]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

/// Largest file that is read.
const LARGEST: u64 = 32 << 20;

/// Most issuers that are kept.
const MOST: usize = 256;

/// One issuer's key set as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    pub(super) issuer: String,
    pub(super) jwks_uri: Url,
    /// Seconds since 1970.
    pub(super) fetched: u64,
    /// The document, byte for byte.
    pub(super) document: String,
}

/// Where key sets outlive a restart. Whoever could write there in our name could let anybody in as anybody, so an
/// implementation gives back nothing but what this gateway, or one with the same key, has kept.
#[async_trait]
pub trait KeyMemory: Send + Sync {
    /// What was kept last; `None` if nothing was.
    async fn recall(&self) -> Result<Option<Vec<u8>>, String>;

    /// Replaces what was kept: whole, or not at all. It need not be kept for longer than `useful`.
    async fn keep(&self, kept: Vec<u8>, useful: Duration) -> Result<(), String>;
}

/// What was kept; nothing if there is nothing, or nothing of ours.
pub(super) async fn recall(memory: &dyn KeyMemory) -> Vec<Remembered> {
    let parse = |kept: Vec<u8>| serde_json::from_slice(&kept).map_err(|error| error.to_string());
    match memory.recall().await.and_then(|kept| kept.map_or(Ok(Vec::new()), parse)) {
        Ok(kept) => kept,
        Err(error) => {
            tracing::warn!(%error, "The key sets kept from before the restart cannot be read");
            Vec::new()
        }
    }
}

/// What is to be kept: `ours`, and of what was `kept` whatever is newer than ours or of another issuer. Other gateways
/// keep theirs in the same place, and one that could not reach an issuer must not put an older set over a newer: the
/// newer may lack a key that was withdrawn. Times are seconds since 1970; what is from the future or older than
/// `useful` goes.
pub(super) fn merged(ours: Vec<Remembered>, kept: Vec<Remembered>, now: u64, useful: Duration) -> Vec<Remembered> {
    let mut all = ours;
    let sound = |kept: &Remembered| now.checked_sub(kept.fetched).is_some_and(|age| age <= useful.as_secs());
    for kept in kept.into_iter().filter(sound) {
        let room = all.len() < MOST;
        match all.iter_mut().find(|one| one.issuer == kept.issuer) {
            Some(one) if one.fetched >= kept.fetched => {}
            Some(one) => *one = kept,
            None if room => all.push(kept),
            None => {}
        }
    }
    all
}

/// Keeps `all` in the place of what was kept.
pub(super) async fn keep(memory: &dyn KeyMemory, all: &[Remembered], useful: Duration) {
    let written = serde_json::to_vec(all).map_err(|error| error.to_string());
    let kept = match written {
        Ok(text) => memory.keep(text, useful).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "Key sets cannot be kept for after a restart");
    }
}

/// A file beside the one that sessions are in.
#[derive(Debug, Clone)]
pub(super) struct FileMemory(pub(super) PathBuf);

#[async_trait]
impl KeyMemory for FileMemory {
    async fn recall(&self) -> Result<Option<Vec<u8>>, String> {
        let mut text = Vec::new();
        // Once, at start, and small: not worth a thread.
        match fs::File::open(&self.0).and_then(|file| file.take(LARGEST).read_to_end(&mut text)) {
            Ok(_) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn keep(&self, kept: Vec<u8>, _useful: Duration) -> Result<(), String> {
        let path = self.0.clone();
        let write = move || {
            let mut fresh = path.clone().into_os_string();
            fresh.push(".new");
            let fresh = PathBuf::from(fresh);
            let mut file = fs::File::create(&fresh)?;
            file.write_all(&kept)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(written) => written.map_err(|error: io::Error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // E05, TM7
    #[test]
    fn an_older_set_is_not_kept_in_the_place_of_a_newer() {
        let of = |issuer: &str, fetched| Remembered {
            issuer: issuer.into(),
            jwks_uri: Url::parse("https://a.test/jwks").unwrap(),
            fetched,
            document: format!("{issuer} {fetched}"),
        };
        let hour = Duration::from_secs(3600);
        let merged = |ours: &[Remembered], kept: &[Remembered]| merged(ours.to_vec(), kept.to_vec(), 10_000, hour);
        assert_eq!(merged(&[of("a", 9000)], &[of("a", 8000)]), [of("a", 9000)]);
        assert_eq!(merged(&[of("a", 8000)], &[of("a", 9000)]), [of("a", 9000)]);
        assert_eq!(merged(&[of("a", 9000)], &[of("b", 7000)]), [of("a", 9000), of("b", 7000)]);
        // A clock that runs ahead cannot keep its set there, and what is too old is of no use to anybody.
        assert_eq!(merged(&[of("a", 9000)], &[of("a", 10_001), of("b", 6399), of("c", u64::MAX)]), [of("a", 9000)]);
        assert_eq!(merged(&[], &[of("b", 6400)]), [of("b", 6400)]);
    }

    #[tokio::test]
    async fn what_was_kept_is_recalled_and_what_is_no_memory_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let memory = FileMemory(dir.path().join("keys.json"));
        assert_eq!(recall(&memory).await, []);
        let kept = Remembered {
            issuer: "https://a.test".into(),
            jwks_uri: Url::parse("https://a.test/jwks").unwrap(),
            fetched: 7,
            document: "{\"keys\":[]}".into(),
        };
        keep(&memory, std::slice::from_ref(&kept), Duration::ZERO).await;
        assert_eq!(recall(&memory).await, [kept]);
        for odd in ["", "{}", "[{}]", "[1]", "\0"] {
            fs::write(&memory.0, odd).unwrap();
            assert_eq!(recall(&memory).await, [], "{odd:?}");
        }
    }
}
