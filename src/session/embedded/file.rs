//! The file itself: made safely, opened strictly.

#![allow(clippy::disallowed_methods, reason = "the file is opened by a thread of its own")]

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase, StorageError, TableDefinition, TableError, TableHandle};

use super::tables::{MEMBER_ENDS, MEMBERS, ends_of, records_of};
use super::view::{Backend, DiskView};
use crate::session::store::Kind;
use crate::session::write_fault::WriteFault;

/// What the file says about itself: `format` → [`FORMAT`].
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("zengate");
const FORMAT: u64 = 1;

/// Why the file cannot be used. The caller names the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddedError {
    /// Another process, most likely another gateway, has the file open.
    #[error("another process has the file open; each gateway needs its own file, or all of them one Redis")]
    AlreadyOpen,
    /// The content is damaged, or was never a session file.
    #[error(
        "the file is damaged or no session file; move it away to start with an empty one (everybody signs in again)"
    )]
    Corrupt,
    /// A database of another program.
    #[error("the file is a database of another program")]
    Foreign,
    /// The operating system said no.
    #[error("the file cannot be opened: {0}")]
    Io(ErrorKind),
    /// Made by a newer gateway.
    #[error("the file was written by a newer version of the gateway")]
    Newer,
    /// The directory does not exist. It is not made: a mistyped path would quietly start with an empty file.
    #[error("the directory of the file does not exist")]
    NoDirectory,
    /// A directory, a pipe or a device.
    #[error("the path is not a regular file")]
    NotAFile,
}

impl From<redb::Error> for EmbeddedError {
    fn from(fault: redb::Error) -> Self {
        match fault {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::AlreadyOpen,
            redb::Error::UpgradeRequired(_) => Self::Newer,
            redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => Self::Foreign,
            // What is no database at all is reported as bad data by the reader, not as corruption.
            redb::Error::Io(fault) if matches!(fault.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                Self::Corrupt
            }
            redb::Error::Io(fault) => Self::Io(fault.kind()),
            _ => Self::Corrupt,
        }
    }
}

impl From<EmbeddedError> for WriteFault {
    fn from(fault: EmbeddedError) -> Self {
        match fault {
            EmbeddedError::Io(kind) => kind.into(),
            EmbeddedError::AlreadyOpen => Self::Displaced,
            EmbeddedError::NoDirectory => Self::Failing,
            _ => Self::Damaged,
        }
    }
}

/// A database on what `view` sees, with our tables. `cache` bytes of its pages are kept in memory. All of it is read and
/// checked if `check` says so; otherwise it is trusted as far as it was closed in good order, and repaired if it was not.
pub(super) fn build(view: &Arc<DiskView>, cache: usize, check: bool) -> Result<Database, EmbeddedError> {
    // The reader promises to report damage, and its own page admits that some forms may panic. A damaged file must end
    // in a sentence that an operator can act on, whichever it is.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new()
            .set_cache_size(cache)
            .set_check_integrity_on_open(check)
            .create_with_backend(Backend(Arc::clone(view)))
            .map_err(redb::Error::from)?;
        prepare(&database)?;
        Ok(database)
    }));
    let opened = opened.unwrap_or(Err(EmbeddedError::Corrupt));
    view.settle();
    opened
}

/// Opens the file at `path`, or makes it. Its lock is taken with the first database on it.
pub(super) fn open_private(path: &Path) -> Result<File, EmbeddedError> {
    let directory = File::open(parent(path)).map_err(|fault| match fault.kind() {
        ErrorKind::NotFound => EmbeddedError::NoDirectory,
        kind => EmbeddedError::Io(kind),
    })?;
    let io = |fault: std::io::Error| EmbeddedError::Io(fault.kind());
    if path.exists() && !path.is_file() {
        return Err(EmbeddedError::NotAFile);
    }
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
    let mut permissions = file.metadata().map_err(io)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions).map_err(io)?;
    }
    // A new name is on disk only once its directory is.
    directory.sync_all().map_err(io)?;
    Ok(file)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A new name is on disk only once its directory is.
pub(super) fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// Sees to it that our tables are there; writes only if one is missing, so that a disk without room can be read.
fn prepare(database: &Database) -> Result<(), EmbeddedError> {
    let table = |fault: TableError| EmbeddedError::from(redb::Error::from(fault));
    let storage = |fault: StorageError| EmbeddedError::from(redb::Error::from(fault));
    let read = database.begin_read().map_err(redb::Error::from)?;
    let names: Vec<String> = read.list_tables().map_err(storage)?.map(|table| table.name().to_owned()).collect();
    let has = |name: &str| names.iter().any(|there| there == name);
    let ours = |kind: Kind| has(records_of(kind).name()) && has(ends_of(kind).name());
    if has(ABOUT.name()) {
        let format = read.open_table(ABOUT).map_err(table)?.get("format").map_err(storage)?.map(|value| value.value());
        match format {
            Some(FORMAT) if Kind::ALL.into_iter().all(ours) && has(MEMBERS.name()) && has(MEMBER_ENDS.name()) => {
                return Ok(());
            }
            Some(FORMAT) | None => {}
            Some(_) => return Err(EmbeddedError::Newer),
        }
    } else if !names.is_empty() {
        return Err(EmbeddedError::Foreign);
    }
    drop(read);
    touch(database).map_err(EmbeddedError::from)
}

/// Writes what a file of ours has at least, whether it is there already or not.
pub(super) fn touch(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(ABOUT)?.insert("format", FORMAT)?;
    for kind in Kind::ALL {
        write.open_table(records_of(kind))?;
        write.open_table(ends_of(kind))?;
    }
    write.open_table(MEMBERS)?;
    write.open_table(MEMBER_ENDS)?;
    Ok(write.commit()?)
}
