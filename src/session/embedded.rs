//! Records in one file beside the gateway: no other service to run, and a restart signs nobody out.
//!
//! One thread writes. It gathers whatever waits, applies it in one transaction, and answers nobody before the
//! transaction is on disk: what was acknowledged survives `kill -9` and a power cut (security.md P03). Measured on a
//! shared two-core machine with a disk that syncs in 5 ms (unoptimised build, 700-byte records): 190 puts a second one
//! after another, 2,500 with 16 at once, 5,900 with 256 at once. Reads go straight to the database and wait for no
//! writer: median 7 µs, 39 µs at the 99th percentile beside a busy writer.
//!
//! After a failed write (a full disk) the database is closed and opened again, so that it recovers by itself once the
//! disk does.

mod file;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use redb::{ReadableDatabase, TableDefinition};
use tokio::sync::{mpsc, oneshot};

pub use self::file::EmbeddedError;
use self::writer::{Done, Order, Verb};
use super::StoreKey;
use super::store::{Kind, Limits, RecordStore, StoreError};
use crate::ground::time::Timestamp;

/// Store key → end of its time (milliseconds since 1970, 8 bytes, big-endian) ‖ record.
type Records = TableDefinition<'static, &'static [u8; 32], &'static [u8]>;
/// End of its time (as above) ‖ store key: records in the order in which they end.
type Ends = TableDefinition<'static, &'static [u8; 40], ()>;

/// Orders that wait for the writer; a caller beyond them waits in line, within [`PATIENCE`].
const QUEUE: usize = 1024;

/// Bytes of the file's pages that are kept in memory, beside what the operating system keeps of any file. With 100,000
/// sessions a look-up costs the same with sixteen times as much (`cargo bench --bench memory`).
pub const PAGE_CACHE: usize = 4 << 20;

/// How long a caller waits for its write to be on disk.
const PATIENCE: Duration = Duration::from_secs(2);

fn records_of(kind: Kind) -> Records {
    TableDefinition::new(match kind {
        Kind::Session => "sessions",
        Kind::Attempt => "attempts",
        Kind::Keys => "keys",
        Kind::Spent => "spent",
    })
}

fn ends_of(kind: Kind) -> Ends {
    TableDefinition::new(match kind {
        Kind::Session => "session ends",
        Kind::Attempt => "attempt ends",
        Kind::Keys => "key ends",
        Kind::Spent => "spent ends",
    })
}

/// The record in a stored value, if its time is not over at `now`.
fn live(value: &[u8], now: u64) -> Option<&[u8]> {
    let (end, record) = value.split_first_chunk::<8>()?;
    (now < u64::from_be_bytes(*end)).then_some(record)
}

/// A store in one file. See the module's page.
pub struct EmbeddedStore {
    database: Arc<file::Slot>,
    orders: Option<mpsc::Sender<Order>>,
    writer: Option<std::thread::JoinHandle<()>>,
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
        let path = path.to_owned();
        Self::with_opener(Box::new(move || file::open(&path, cache)), limits)
    }

    fn with_opener(opener: file::Opener, limits: Limits) -> Result<Self, EmbeddedError> {
        let database = Arc::new(file::Slot::open(opener)?);
        let (orders, queue) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("zengate-store".to_owned())
            .spawn({
                let database = Arc::clone(&database);
                move || writer::run(&database, limits, queue)
            })
            .map_err(|fault| EmbeddedError::Io(fault.kind()))?;
        Ok(Self { database, orders: Some(orders), writer: Some(writer) })
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
        self.database.read(|database| {
            let table = database.begin_read()?.open_table(records_of(kind))?;
            let found = table.get(&key.0)?;
            Ok(found.and_then(|value| live(value.value(), Timestamp::of(now).as_millis()).map(<[u8]>::to_vec)))
        })
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
        Ok(())
    }
}

#[cfg(test)]
mod tests;
