//! Key sets of token issuers in a file beside the session file, for after a restart.
//!
//! Whoever can write to the directory could plant a signing key and come in as anybody. So the file is sealed like a
//! session, with the operator key or the one derived from the client secret. It is its owner's only, and written beside
//! itself under a name that nobody else can have made: a link that lies there is removed, not followed.

#![allow(clippy::disallowed_methods, reason = "files are read and written by threads that may wait for a disk")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use super::sealed_keys;
use crate::provider::{KeyMemory, KeyMemoryError};
use crate::session::seal::Sealer;

/// Largest file that is read.
const LARGEST: u64 = 32 << 20;

/// See the module's page.
pub(super) struct KeyFile {
    path: PathBuf,
    sealer: Sealer,
}

impl KeyFile {
    /// `sealer` has a primary key: without one, anybody could seal.
    pub(super) fn new(path: PathBuf, sealer: Sealer) -> Self {
        Self { path, sealer }
    }
}

#[async_trait]
impl KeyMemory for KeyFile {
    async fn recall(&self) -> Result<Option<Vec<u8>>, KeyMemoryError> {
        let path = self.path.clone();
        match on_thread(move || read(&path)).await? {
            Some(record) => sealed_keys::open(&self.sealer, &record).map(Some),
            None => Ok(None),
        }
    }

    async fn keep(&self, kept: Vec<u8>, _useful: Duration) -> Result<(), KeyMemoryError> {
        let (path, record) = (self.path.clone(), sealed_keys::seal(&self.sealer, &kept));
        on_thread(move || replace(&path, &record)).await
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, KeyMemoryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|fault| KeyMemoryError::Io(fault.kind())),
        Err(_) => Err(KeyMemoryError::Io(ErrorKind::Other)),
    }
}

/// A pipe or a device would be waited for without end.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(ErrorKind::InvalidInput.into()),
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let mut record = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut record)?;
    Ok(Some(record))
}

/// Puts `record` in the place of what lies at `path`: whole or not at all, and on disk when this returns.
fn replace(path: &Path, record: &[u8]) -> io::Result<()> {
    let mut fresh = path.to_owned().into_os_string();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let make = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    let mut file = match make() {
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => {
            // Left over from a write that a crash cut short, or put there by somebody else.
            fs::remove_file(&fresh)?;
            make()?
        }
        made => made?,
    };
    file.write_all(record)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::secret::SecretBytes;
    use crate::session::seal::SealKeys;

    fn key_file(path: &Path, key: u8) -> KeyFile {
        let keys = SealKeys::new(Some(SecretBytes::new([key; 32])), Vec::new());
        KeyFile::new(path.to_owned(), Sealer::new(keys))
    }

    // RB11, attacks K
    #[tokio::test]
    async fn only_its_owner_reads_it_and_only_what_we_kept_is_recalled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept");
        let ours = key_file(&path, 1);
        assert_eq!(ours.recall().await, Ok(None));
        ours.keep(b"one".to_vec(), Duration::ZERO).await.unwrap();
        ours.keep(b"keys".to_vec(), Duration::ZERO).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(key_file(&path, 1).recall().await, Ok(Some(b"keys".to_vec())), "after a restart");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let honest = fs::read(&path).unwrap();
        assert!(!honest.windows(4).any(|window| window == b"keys"));

        let mut bent = honest.clone();
        *bent.last_mut().unwrap() ^= 1;
        key_file(&path, 2).keep(b"planted".to_vec(), Duration::ZERO).await.unwrap();
        let foreign = fs::read(&path).unwrap();
        for planted in [bent, foreign, b"[]".to_vec(), Vec::new()] {
            fs::write(&path, &planted).unwrap();
            assert_eq!(ours.recall().await, Err(KeyMemoryError::Foreign), "{planted:?}");
        }
        fs::write(&path, honest).unwrap();
        assert_eq!(ours.recall().await, Ok(Some(b"keys".to_vec())));
    }

    // RB11, attacks K
    #[tokio::test]
    async fn a_link_at_its_temporary_name_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("kept"), dir.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, dir.path().join("kept.new")).unwrap();
        let ours = key_file(&path, 1);
        ours.keep(b"keys".to_vec(), Duration::ZERO).await.unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(ours.recall().await, Ok(Some(b"keys".to_vec())));
    }
}
