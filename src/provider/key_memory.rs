//! Last good key sets of token issuers, kept through a restart in one small file.
//!
//! Without it a gateway that is restarted while an issuer is away refuses every caller until the issuer is back, though
//! it knew the keys a moment ago. What lies in the file is public, and believed no more than an answer of the network:
//! it is parsed anew, its place is checked against the trust list, and it ages as if there had been no restart.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// Largest file that is read.
const LARGEST: u64 = 32 << 20;

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

/// The file.
#[derive(Debug, Clone)]
pub(super) struct KeyMemory(pub(super) PathBuf);

impl KeyMemory {
    /// What was kept; nothing if there is no file, or none of ours.
    pub(super) fn recall(&self) -> Vec<Remembered> {
        let read = || {
            let mut text = Vec::new();
            fs::File::open(&self.0)?.take(LARGEST).read_to_end(&mut text)?;
            serde_json::from_slice(&text).map_err(io::Error::from)
        };
        match read() {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "The key sets kept from before the restart cannot be read");
                Vec::new()
            }
        }
    }

    /// Replaces what was kept: whole, or not at all.
    pub(super) fn keep(&self, all: &[Remembered]) -> io::Result<()> {
        let mut fresh = self.0.clone().into_os_string();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(all)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_recalled_and_what_is_no_memory_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let memory = KeyMemory(dir.path().join("keys.json"));
        assert_eq!(memory.recall(), []);
        let kept = Remembered {
            issuer: "https://a.test".into(),
            jwks_uri: Url::parse("https://a.test/jwks").unwrap(),
            fetched: 7,
            document: "{\"keys\":[]}".into(),
        };
        memory.keep(std::slice::from_ref(&kept)).unwrap();
        assert_eq!(memory.recall(), [kept]);
        for odd in ["", "{}", "[{}]", "[1]", "\0"] {
            fs::write(&memory.0, odd).unwrap();
            assert_eq!(memory.recall(), [], "{odd:?}");
        }
    }
}
