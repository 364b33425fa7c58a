//! Small files that the gateway keeps beside itself: whole or not at all, readable and writable by their owner only.

#![expect(
    clippy::disallowed_methods,
    reason = "files are this room's work; its callers are at the start or the end, or on a thread"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// Writes `content` as the whole of the file at `path`, on disk when this returns. Blocks.
///
/// The new file is made under a name of its own and takes the old one's place at the end, so that a reader finds the old
/// content or the new. It is created exclusively: a link that somebody put at that name is not followed, for it could make us
/// overwrite any file that we may write.
///
/// # Errors
/// Whatever the operating system says; the old file is then still there.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    // Left behind by a process that was killed while it wrote.
    match std::fs::remove_file(&new) {
        Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _may_be_gone = std::fs::remove_file(&new);
    }
    written?;
    sync_directory(path)
}

/// The content of the file at `path`; `None` if there is none. Blocks.
///
/// # Errors
/// Whatever the operating system says, and for a file that is larger than any of ours.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(Some(content))
}

/// Removes the file at `path`, if it is there. Blocks.
pub fn remove(path: &Path) {
    let _may_not_be_there = std::fs::remove_file(path);
    let _best_effort = sync_directory(path);
}

/// A name is on disk only once its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    // RB11, class K
    #[test]
    fn a_file_is_its_owners_alone_and_follows_no_link() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("state"), directory.path().join("other"));
        std::fs::write(&other, "precious").unwrap();
        symlink(&other, directory.path().join(".state.new")).unwrap();
        write(&path, b"one").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"precious");
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left behind");
        remove(&path);
        assert_eq!(read(&path).unwrap(), None);
    }
}
