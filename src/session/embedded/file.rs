//! The file itself: made safely, opened strictly, opened again after a failure.

#![allow(clippy::disallowed_methods, reason = "the file is opened by a thread of its own")]

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parking_lot::RwLock;
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableTable, StorageError, TableDefinition, TableError, TableHandle};

use super::{ends_of, records_of};
use crate::session::store::{Kind, StoreError};

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

/// Opens or makes the file at `path` and sees to it that its tables are there. `cache` bytes of its pages are kept in
/// memory.
pub(super) fn open(path: &Path, cache: usize) -> Result<Database, EmbeddedError> {
    let file = open_private(path)?;
    build(FileBackend::new(file).map_err(redb::Error::from)?, cache)
}

/// A database over `backend`, with our tables.
pub(super) fn build(backend: impl redb::StorageBackend, cache: usize) -> Result<Database, EmbeddedError> {
    // The reader promises to report damage, and its own page admits that some forms may panic. A damaged file must end
    // in a sentence that an operator can act on, whichever it is.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new()
            .set_cache_size(cache)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(redb::Error::from)?;
        prepare(&database)?;
        Ok(database)
    }));
    opened.unwrap_or(Err(EmbeddedError::Corrupt))
}

fn open_private(path: &Path) -> Result<File, EmbeddedError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = File::open(parent).map_err(|fault| match fault.kind() {
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

fn prepare(database: &Database) -> Result<(), EmbeddedError> {
    let table = |fault: TableError| EmbeddedError::from(redb::Error::from(fault));
    let storage = |fault: StorageError| EmbeddedError::from(redb::Error::from(fault));
    let write = database.begin_write().map_err(redb::Error::from)?;
    let names: Vec<String> = write.list_tables().map_err(storage)?.map(|table| table.name().to_owned()).collect();
    if !names.is_empty() && !names.iter().any(|name| name == ABOUT.name()) {
        return Err(EmbeddedError::Foreign);
    }
    {
        let mut about = write.open_table(ABOUT).map_err(table)?;
        let format = about.get("format").map_err(storage)?.map(|value| value.value());
        match format {
            Some(FORMAT) => {}
            Some(_) => return Err(EmbeddedError::Newer),
            None => {
                about.insert("format", FORMAT).map_err(storage)?;
            }
        }
    }
    for kind in Kind::ALL {
        write.open_table(records_of(kind)).map_err(table)?;
        write.open_table(ends_of(kind)).map_err(table)?;
    }
    write.commit().map_err(|fault| redb::Error::from(fault).into())
}

/// Opens the file anew; a test gives one whose disk fails.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, EmbeddedError> + Send + Sync>;

/// The open database, or none while it is being opened again.
pub(super) struct Slot {
    opener: Opener,
    database: RwLock<Option<Database>>,
}

impl Slot {
    pub(super) fn open(opener: Opener) -> Result<Self, EmbeddedError> {
        let database = opener()?;
        Ok(Self { opener, database: RwLock::new(Some(database)) })
    }

    /// Runs `work` on the open database. Never waits for one that is being opened: its callers are requests.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let guard = self.database.try_read();
        let database = guard.as_ref().and_then(|slot| slot.as_ref()).ok_or_else(closed)?;
        work(database).map_err(|fault| unavailable(&fault))
    }

    /// Closes the database and opens it again; on failure it stays closed until the next call.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        let mut slot = self.database.write();
        // First let go: the file is locked by whoever has it open.
        *slot = None;
        match (self.opener)() {
            Ok(database) => {
                *slot = Some(database);
                Ok(())
            }
            Err(fault) => Err(StoreError::Unavailable(format!("the session file cannot be opened again: {fault}"))),
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the session file is being opened again".to_owned())
}

/// Our words for a fault of the database; its own may hold anything.
pub(super) fn unavailable(fault: &redb::Error) -> StoreError {
    StoreError::Unavailable(match fault {
        redb::Error::Io(fault) => format!("the session file: {}", fault.kind()),
        _ => "the session file cannot be read or written".to_owned(),
    })
}
