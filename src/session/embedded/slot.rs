//! The database that is open now. Reads go on while writes fail; a disk that is well again is found out with pauses.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase};

use super::place::{Place, Strange};
use super::tables::{ends_of, place, records_of};
use super::view::{Disk, DiskView};
use super::{EmbeddedError, file, sets};
use crate::ground::retry::Backoff;
use crate::secret::SystemEntropy;
use crate::session::store::{Kind, StoreError};
use crate::session::write_fault::WriteFault;

/// Records that are copied in one transaction.
const COPIED_AT_ONCE: usize = 2000;

/// Pauses between tries whether the disk takes writes again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

impl Default for Pauses {
    /// A try costs reading much of the file: not more than one a second, and two a minute for as long as it takes.
    fn default() -> Self {
        Self { shortest: Duration::from_secs(1), longest: Duration::from_secs(30) }
    }
}

/// One database on one view of the disk.
struct Open {
    database: RwLock<Database>,
    view: Arc<DiskView>,
}

/// See the module's page.
pub(super) struct Slot {
    open: ArcSwap<Open>,
    disk: Mutex<Arc<Disk>>,
    place: Option<Place>,
    cache: usize,
    trouble: Mutex<Option<Trouble>>,
    backoff: Mutex<Backoff>,
    compact: Compact,
    /// When the file was last made smaller, or opened.
    compacted: Mutex<Instant>,
    /// In the order of [`WriteFault::ALL`].
    refused: [AtomicU64; WriteFault::ALL.len()],
}

/// When the file is made smaller: at least half of it is empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact {
    /// Not more often.
    pub(super) every: Duration,
    /// Not while the file is smaller than so many bytes.
    pub(super) least: u64,
}

impl Default for Compact {
    fn default() -> Self {
        Self { every: Duration::from_secs(3600), least: 16 << 20 }
    }
}

/// Writes fail.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    fault: WriteFault,
    /// When the next try is due.
    again: Instant,
}

impl Slot {
    /// Opens the database on `disk` and checks all of it. A disk that takes no writes is no reason not to start.
    pub(super) fn open(
        disk: Arc<Disk>,
        place: Option<Place>,
        cache: usize,
        pauses: Pauses,
        compact: Compact,
    ) -> Result<Self, EmbeddedError> {
        let view = DiskView::new(Arc::clone(&disk), false);
        let database = file::build(&view, cache, true)?;
        let slot = Self {
            open: ArcSwap::from_pointee(Open { database: RwLock::new(database), view: Arc::clone(&view) }),
            disk: Mutex::new(disk),
            place,
            cache,
            trouble: Mutex::new(None),
            backoff: Mutex::new(Backoff::new(pauses.shortest, pauses.longest)),
            compact,
            compacted: Mutex::new(Instant::now()),
            refused: Default::default(),
        };
        if let Some(kind) = view.fault() {
            slot.fail(kind.into());
        }
        Ok(slot)
    }

    /// Why nothing is written now.
    pub(super) fn write_fault(&self) -> Option<WriteFault> {
        self.trouble.lock().map(|trouble| trouble.fault)
    }

    /// Whether somebody should find out if the disk is well again.
    pub(super) fn is_try_due(&self) -> bool {
        self.trouble.lock().is_some_and(|trouble| Instant::now() >= trouble.again)
    }

    /// Runs `work` on the open database. Waits for the disk, and for a compaction: never on a thread that serves others.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let open = self.open.load_full();
        let outcome = work(&open.database.read());
        outcome.map_err(|fault| {
            // The database gives up its file on the first fault: another has to be opened. The writer sees to it.
            open.view.detach(kind_of(&fault));
            unavailable(&fault)
        })
    }

    /// Runs `work`, which writes; what it says is true on disk, or it is not said.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        if let Err(error) = self.recover() {
            self.count(&error);
            return Err(error);
        }
        let open = self.open.load_full();
        let outcome = work(&open.database.read());
        if let Err(fault) = &outcome {
            open.view.detach(kind_of(fault));
        }
        match (outcome, open.view.fault()) {
            (Ok(done), None) => {
                open.view.settle();
                Ok(done)
            }
            (_, fault) => {
                let error = self.fail(fault.map_or(WriteFault::Failing, WriteFault::from));
                self.count(&error);
                Err(error)
            }
        }
    }

    fn count(&self, error: &StoreError) {
        if let StoreError::NotWritable(fault) = error
            && let Some((_, count)) = self.refusals().find(|(kind, _)| kind == fault)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Transactions refused since start, by what kept them from the disk.
    pub(super) fn refused_writes(&self) -> Vec<(WriteFault, u64)> {
        self.refusals().map(|(fault, count)| (fault, count.load(Ordering::Relaxed))).collect()
    }

    fn refusals(&self) -> impl Iterator<Item = (WriteFault, &AtomicU64)> {
        WriteFault::ALL.into_iter().zip(&self.refused)
    }

    /// A defect ended a transaction half way: the file is opened again before the next.
    pub(super) fn give_up(&self) -> StoreError {
        self.open.load().view.detach(ErrorKind::InvalidData);
        self.fail(WriteFault::Damaged)
    }

    /// Makes the file smaller if most of it is empty and that is worth the wait: nobody reads or writes meanwhile. To know
    /// it the whole file is walked, so this too is done only from time to time.
    pub(super) fn compact_if_worth_it(&self) {
        if self.write_fault().is_some() || self.compacted.lock().elapsed() < self.compact.every {
            return;
        }
        *self.compacted.lock() = Instant::now();
        let open = self.open.load_full();
        let stats = open.database.read().begin_write().map_err(redb::Error::from).and_then(|write| {
            let stats = write.stats()?;
            write.abort()?;
            Ok(stats)
        });
        let Ok(stats) = stats else { return };
        let used = stats.stored_bytes().saturating_add(stats.metadata_bytes());
        let size = open.view.len();
        if size < self.compact.least || used.saturating_mul(2) > size {
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| open.database.write().compact()));
        match (done, open.view.fault()) {
            (Ok(Ok(_)), None) => {
                open.view.settle();
                tracing::info!(before = size, after = open.view.len(), "The session file was made smaller");
            }
            (Ok(_), Some(kind)) => drop(self.fail(kind.into())),
            // It found a reason not to; the file is as good as before.
            (Ok(Err(error)), None) => tracing::warn!(%error, "The session file could not be made smaller"),
            (Err(_), _) => drop(self.give_up()),
        }
    }

    /// Finds out, when it is time, whether what failed works again.
    fn recover(&self) -> Result<(), StoreError> {
        if let Some(place) = &self.place
            && self.write_fault().is_none()
            && let Err(strange) = place.look()
        {
            self.settle_in(place, strange).map_err(|fault| self.fail(fault))?;
        }
        let Some(trouble) = *self.trouble.lock() else {
            return match self.open.load().view.fault() {
                Some(kind) => Err(self.fail(kind.into())),
                None => Ok(()),
            };
        };
        if Instant::now() < trouble.again {
            return Err(StoreError::NotWritable(trouble.fault));
        }
        match self.try_again() {
            Ok(()) => {
                self.backoff.lock().reset();
                *self.trouble.lock() = None;
                tracing::info!("The session file takes writes again");
                Ok(())
            }
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// Opens the file again beside the database that is read from, and puts it in its place once it has written.
    fn try_again(&self) -> Result<(), WriteFault> {
        if let Some(place) = &self.place
            && let Err(strange) = place.look_now()
        {
            return self.settle_in(place, strange);
        }
        if self.open.load().view.fault().is_none() {
            // Nothing was wrong but the place.
            return Ok(());
        }
        // Two databases that write to one disk would tear it: the one that is read from is detached from it.
        self.open.load().view.try_again().map_err(|fault| WriteFault::from(fault.kind()))?;
        let view = DiskView::new(Arc::clone(&self.disk.lock()), true);
        let database = file::build(&view, self.cache, false).map_err(WriteFault::from)?;
        let touched = file::touch(&database);
        if let Some(kind) = touched.err().as_ref().map(kind_of).or(view.fault()) {
            view.detach(kind);
            return Err(kind.into());
        }
        view.settle();
        self.open.store(Arc::new(Open { database: RwLock::new(database), view }));
        Ok(())
    }

    /// Something else lies under the file's name. Nothing: the file was removed, and is written there anew, from what
    /// can still be read of it. Another file: it may be another gateway's, and is left alone.
    fn settle_in(&self, place: &Place, strange: Strange) -> Result<(), WriteFault> {
        if strange == Strange::Another {
            return Err(WriteFault::Displaced);
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(place.path());
        let file = file.map_err(|fault| match fault.kind() {
            ErrorKind::AlreadyExists => WriteFault::Displaced,
            kind => kind.into(),
        })?;
        let anew = file.try_clone().map_err(|fault| fault.kind().into()).and_then(|handle| {
            let disk = Disk::new(FileBackend::new(handle).map_err(|_| WriteFault::Displaced)?);
            let view = DiskView::new(Arc::clone(&disk), false);
            let database = file::build(&view, self.cache, false).map_err(WriteFault::from)?;
            copy(&self.open.load().database.read(), &database, &view)?;
            file::sync_directory(place.path()).map_err(|fault| WriteFault::from(fault.kind()))?;
            place.now_holds(&file).map_err(|fault| WriteFault::from(fault.kind()))?;
            *self.disk.lock() = disk;
            self.open.store(Arc::new(Open { database: RwLock::new(database), view }));
            Ok(())
        });
        match anew {
            Ok(()) => {
                tracing::error!(
                    "The session file was removed while the gateway had it open. It was written anew, with everything that was in it"
                );
                Ok(())
            }
            Err(fault) => {
                // Half of it would be taken for the whole by the next start.
                let _removed = fs::remove_file(place.path());
                Err(fault)
            }
        }
    }

    /// Notes that nothing is written until the next try; says so once, when it begins or is another trouble.
    fn fail(&self, fault: WriteFault) -> StoreError {
        let again = Instant::now() + self.backoff.lock().next_delay(&SystemEntropy);
        let before = self.trouble.lock().replace(Trouble { fault, again });
        if before.is_none_or(|before| before.fault != fault) {
            tracing::error!(
                fault = fault.as_str(),
                "The session file takes nothing new: {fault}. Sign-ins are refused until it does; people who are signed in go on"
            );
        }
        StoreError::NotWritable(fault)
    }
}

/// Copies every record, in transactions of bounded size.
fn copy(from: &Database, to: &Database, view: &DiskView) -> Result<(), WriteFault> {
    let fault = |fault: redb::Error| WriteFault::from(kind_of(&fault));
    let read = from.begin_read().map_err(|error| fault(error.into()))?;
    for kind in Kind::ALL {
        let copied = (|| {
            let mut rows = read.open_table(records_of(kind))?.range::<&[u8; 32]>(..)?.peekable();
            while rows.peek().is_some() {
                let write = to.begin_write()?;
                {
                    let mut records = write.open_table(records_of(kind))?;
                    let mut ends = write.open_table(ends_of(kind))?;
                    for row in rows.by_ref().take(COPIED_AT_ONCE) {
                        let (key, value) = row?;
                        records.insert(key.value(), value.value())?;
                        if let Some(end) = value.value().first_chunk::<8>() {
                            ends.insert(&place(u64::from_be_bytes(*end), *key.value()), ())?;
                        }
                    }
                }
                write.commit()?;
                if view.fault().is_some() {
                    break;
                }
                view.settle();
            }
            Ok::<(), redb::Error>(())
        })();
        copied.map_err(fault)?;
    }
    let go_on = || {
        let well = view.fault().is_none();
        if well {
            view.settle();
        }
        well
    };
    sets::copy(&read, to, COPIED_AT_ONCE, go_on).map_err(fault)?;
    view.fault().map_or(Ok(()), |kind| Err(kind.into()))
}

/// The kind of a fault, as the operating system would say it.
fn kind_of(fault: &redb::Error) -> ErrorKind {
    match fault {
        redb::Error::Io(fault) => fault.kind(),
        redb::Error::Corrupted(_) => ErrorKind::InvalidData,
        _ => ErrorKind::Other,
    }
}

/// Our words for a fault of the database; its own may hold anything.
fn unavailable(fault: &redb::Error) -> StoreError {
    StoreError::Unavailable(match fault {
        redb::Error::Io(fault) => format!("the session file: {}", fault.kind()),
        redb::Error::Corrupted(_) => "the session file is damaged".to_owned(),
        _ => "the session file cannot be read".to_owned(),
    })
}
