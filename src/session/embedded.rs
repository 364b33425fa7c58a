//! Records in one file beside the gateway: no other service to run, and a restart signs nobody out.
//!
//! One thread writes. It gathers whatever waits, applies it in one transaction, and answers nobody before the
//! transaction is on disk: what was acknowledged survives `kill -9` and a power cut (security.md P03). Measured on a
//! shared two-core machine with a disk that syncs in 5 ms (unoptimised build, 700-byte records): 190 puts a second one
//! after another, 2,500 with 16 at once, 5,900 with 256 at once. Reads go straight to the database and wait for no
//! writer: median 7 µs, 39 µs at the 99th percentile beside a busy writer. A disk may also be slow, so a read is never
//! done on a thread that serves requests, and only so many wait for the disk at once ([`READERS`]).
//!
//! While writes fail (a full disk) what was acknowledged can be read, and nothing is written but one try from time to
//! time: see `slot.rs` and `view.rs`. A file that is removed under the gateway is written anew, one that is replaced is
//! left alone and nothing new is taken: see `place.rs`.

mod file;
#[expect(
    clippy::disallowed_methods,
    reason = "only the writer's own thread, which waits for disks, looks at the clock and the file"
)]
mod place;
mod sets;
#[expect(
    clippy::disallowed_methods,
    reason = "pauses between tries are the process's own, and its files are written by the writer's thread"
)]
mod slot;
mod tables;
mod view;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use redb::ReadableDatabase;
use redb::backends::FileBackend;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub use self::file::EmbeddedError;
use self::place::Place;
use self::slot::{Compact, Pauses, Slot};
use self::tables::{live, records_of};
use self::view::Disk;
use self::writer::{Done, Order, Swapped, Verb};
use super::StoreKey;
use super::store::{Kind, Limits, RecordStore, Relation, StoreError, Swap};
use super::write_fault::WriteFault;
use crate::ground::time::Timestamp;

/// Orders that wait for the writer; a caller beyond them waits in line, within [`PATIENCE`].
const QUEUE: usize = 1024;

/// Bytes of the file's pages that are kept in memory, beside what the operating system keeps of any file. With 100,000
/// sessions a look-up costs the same with sixteen times as much (`cargo bench --bench memory`).
pub const PAGE_CACHE: usize = 4 << 20;

/// Reads that wait for the disk at once: a disk that answers in 20 ms gives 400 a second, and a disk that hangs holds
/// this many threads and no more.
const READERS: usize = 8;

/// How long a caller waits for the disk: for its write to be there, or for what it reads.
const PATIENCE: Duration = Duration::from_secs(2);

/// A store in one file. See the module's page.
pub struct EmbeddedStore {
    slot: Arc<Slot>,
    orders: Option<mpsc::Sender<Order>>,
    writer: Option<std::thread::JoinHandle<()>>,
    /// Turns to read.
    readers: Arc<Semaphore>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the file at `path`, or makes it (readable and writable by its owner only) in a directory that exists.
    ///
    /// The whole file is checked: a damaged one is refused here, not met later in the middle of a request. It is locked
    /// for as long as the store lives.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, EmbeddedError> {
        Self::open_with_cache(path, limits, PAGE_CACHE)
    }

    /// As [`EmbeddedStore::open`], with another bound than [`PAGE_CACHE`].
    pub fn open_with_cache(path: &Path, limits: Limits, cache: usize) -> Result<Self, EmbeddedError> {
        let file = file::open_private(path)?;
        let io = |fault: std::io::Error| EmbeddedError::Io(fault.kind());
        let place = Place::new(path, &file).map_err(io)?;
        let disk = Disk::new(FileBackend::new(file).map_err(redb::Error::from)?);
        Self::on(Slot::open(disk, Some(place), cache, Pauses::default(), Compact::default())?, limits)
    }

    fn on(slot: Slot, limits: Limits) -> Result<Self, EmbeddedError> {
        let slot = Arc::new(slot);
        let (orders, queue) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("zengate-store".to_owned())
            .spawn({
                let slot = Arc::clone(&slot);
                move || writer::run(&slot, limits, queue)
            })
            .map_err(|fault| EmbeddedError::Io(fault.kind()))?;
        let readers = Arc::new(Semaphore::new(READERS));
        Ok(Self { slot, orders: Some(orders), writer: Some(writer), readers })
    }

    /// Reads on a thread that may wait for the disk. Of those threads there are [`READERS`]; a caller waits for one, and
    /// for its answer, for as long as [`PATIENCE`]. The thread of a caller that gave up counts until the disk answers.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&redb::Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slow = || StoreError::Unavailable("the session file is too slow to read".to_owned());
        let reading = async {
            let turn = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| slow())?;
            let slot = Arc::clone(&self.slot);
            let read = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                slot.read(work)
            });
            // A page that is damaged may make the database panic.
            read.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the session file cannot be read".to_owned())))
        };
        let outcome = tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err(slow()));
        if outcome.is_err() {
            self.nudge();
        }
        outcome
    }

    /// If it is time to find out whether the disk is well again, the writer does, whoever asks for a write or not.
    fn nudge(&self) {
        if self.slot.is_try_due()
            && let Some(orders) = &self.orders
        {
            let order =
                Order { kind: Kind::Session, key: StoreKey([0; 32]), verb: Verb::Ping, reply: oneshot::channel().0 };
            // A full queue has enough orders of its own.
            let _queued = orders.try_send(order);
        }
    }

    async fn order(&self, kind: Kind, key: StoreKey, verb: Verb) -> Result<Done, StoreError> {
        let stopped = || StoreError::Unavailable("the writer of the session file has stopped".to_owned());
        let orders = self.orders.as_ref().ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        let ordered = async {
            orders.send(Order { kind, key, verb, reply }).await.map_err(|_| stopped())?;
            answer.await.map_err(|_| stopped())?
        };
        match tokio::time::timeout(PATIENCE, ordered).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Unavailable("the session file is too slow to write".to_owned())),
        }
    }
}

impl Drop for EmbeddedStore {
    /// Waits until what was ordered is written, so that the file can be opened again at once.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The end of a record's time.
fn end(now: SystemTime, keep: Duration) -> u64 {
    Timestamp::of(now).plus(keep).as_millis()
}

#[async_trait]
impl RecordStore for EmbeddedStore {
    async fn put(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let verb = Verb::Put { record: record.to_vec(), end: end(now, keep), now: Timestamp::of(now).as_millis() };
        self.order(kind, key, verb).await.map(|_| ())
    }

    async fn get(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let now = Timestamp::of(now).as_millis();
        self.read(move |database| {
            let table = database.begin_read()?.open_table(records_of(kind))?;
            let found = table.get(&key.0)?;
            Ok(found.and_then(|value| live(value.value(), now).map(<[u8]>::to_vec)))
        })
        .await
    }

    async fn take(&self, kind: Kind, key: StoreKey, now: SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        match self.order(kind, key, Verb::Take { now: Timestamp::of(now).as_millis() }).await? {
            Done::Taken(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    async fn remove(&self, kind: Kind, key: StoreKey) -> Result<(), StoreError> {
        self.order(kind, key, Verb::Remove).await.map(|_| ())
    }

    async fn replace(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let verb = Verb::Replace { record: record.to_vec(), end: end(now, keep), now: Timestamp::of(now).as_millis() };
        Ok(matches!(self.order(kind, key, verb).await?, Done::Replaced))
    }

    async fn insert(
        &self,
        kind: Kind,
        key: StoreKey,
        record: &[u8],
        keep: Duration,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let verb = Verb::Insert { record: record.to_vec(), end: end(now, keep), now: Timestamp::of(now).as_millis() };
        Ok(matches!(self.order(kind, key, verb).await?, Done::AsOrdered))
    }

    async fn swap(&self, kind: Kind, swaps: &[Swap<'_>], now: SystemTime) -> Result<bool, StoreError> {
        let owned = |swap: &Swap<'_>| Swapped {
            key: swap.key,
            before: swap.before.map(<[u8]>::to_vec),
            after: swap.after.to_vec(),
            end: end(now, swap.keep),
        };
        let swaps = swaps.iter().map(owned).collect();
        let verb = Verb::Swap { swaps, now: Timestamp::of(now).as_millis() };
        Ok(matches!(self.order(kind, StoreKey([0; 32]), verb).await?, Done::Replaced))
    }

    fn write_fault(&self) -> Option<WriteFault> {
        let fault = self.slot.write_fault();
        if fault.is_some() {
            self.nudge();
        }
        fault
    }

    fn refused_writes(&self) -> Vec<(WriteFault, u64)> {
        self.slot.refused_writes()
    }

    async fn add_member(
        &self,
        relation: Relation,
        of: StoreKey,
        member: StoreKey,
        keep: Duration,
        now: SystemTime,
    ) -> Result<Vec<StoreKey>, StoreError> {
        let verb = Verb::AddMember { relation, member, end: end(now, keep), now: Timestamp::of(now).as_millis() };
        match self.order(Kind::Session, of, verb).await? {
            Done::PushedOut(members) => Ok(members),
            _ => Ok(Vec::new()),
        }
    }

    async fn members(&self, relation: Relation, of: StoreKey, now: SystemTime) -> Result<Vec<StoreKey>, StoreError> {
        let now = Timestamp::of(now).as_millis();
        self.read(move |database| sets::members(database, relation, of, now)).await
    }

    async fn remove_member(&self, relation: Relation, of: StoreKey, member: StoreKey) -> Result<(), StoreError> {
        self.order(Kind::Session, of, Verb::RemoveMember { relation, member }).await.map(|_| ())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.order(Kind::Session, StoreKey([0; 32]), Verb::Ping).await.map(|_| ())
    }

    async fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        for kind in Kind::ALL {
            // In small bites, so that sign-ins get their turn in between.
            while let Done::SweptSome =
                self.order(kind, StoreKey([0; 32]), Verb::Sweep { now: Timestamp::of(now).as_millis() }).await?
            {
            }
        }
        while let Done::SweptSome = self
            .order(Kind::Session, StoreKey([0; 32]), Verb::SweepSets { now: Timestamp::of(now).as_millis() })
            .await?
        {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;
