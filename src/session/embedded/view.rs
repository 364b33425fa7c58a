//! The disk as one open database sees it: while writes fail, reads go on.
//!
//! The database gives up a file on the first failed write, for reads too. So it is never told. From the first failure
//! on nothing more reaches the disk; what the failed transaction had written is kept in memory and laid over what is
//! read. The disk keeps the state of the last acknowledged transaction, as after a crash, and whoever has the file open
//! goes on reading. That something failed is asked here, by the writer, before it acknowledges anything.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use redb::{BackendError, StorageBackend};

/// The file's first page holds which transaction counts; it is written last, and never tried out.
const HEADER: u64 = 4096;

/// What is kept in memory of one transaction while its writes succeed. Only compaction writes more; should it fail,
/// readers see the disk as compaction left it until the file is opened again.
const LARGEST_TRANSACTION: usize = 64 << 20;

/// A disk, let go of when the last database on it has been closed.
#[derive(Debug)]
pub(super) struct Disk(Box<dyn StorageBackend>);

impl Disk {
    pub(super) fn new(backend: impl StorageBackend) -> Arc<Self> {
        Arc::new(Self(Box::new(backend)))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Gives the lock back; there is nobody left to tell.
        let _closed = self.0.close();
    }
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct DiskView {
    disk: Arc<Disk>,
    /// The file is locked already, by a view before this one.
    locked: bool,
    detached: AtomicBool,
    state: RwLock<State>,
    /// The first thing that failed.
    fault: Mutex<Option<ErrorKind>>,
}

#[derive(Debug, Default)]
struct State {
    /// What was written since the last acknowledged transaction, in order.
    unsettled: Vec<(u64, Vec<u8>)>,
    /// Its size in bytes.
    size: usize,
    /// The length, once it is not the file's own.
    length: Option<u64>,
}

impl DiskView {
    /// The first view on a disk locks it, the others (`locked`) find it so.
    pub(super) fn new(disk: Arc<Disk>, locked: bool) -> Arc<Self> {
        let (detached, state, fault) = (AtomicBool::new(false), RwLock::default(), Mutex::new(None));
        Arc::new(Self { disk, locked, detached, state, fault })
    }

    /// What failed first; nothing has reached the disk since.
    pub(super) fn fault(&self) -> Option<ErrorKind> {
        self.is_detached().then(|| self.fault.lock().unwrap_or(ErrorKind::Other))
    }

    /// From now on nothing reaches the disk through this view.
    pub(super) fn detach(&self, fault: ErrorKind) {
        self.fault.lock().get_or_insert(fault);
        self.detached.store(true, Ordering::Release);
    }

    /// The length of the file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.disk.0.len().unwrap_or(0)
    }

    /// The transaction that was written is on disk.
    pub(super) fn settle(&self) {
        if !self.is_detached() {
            let mut state = self.state.write();
            state.unsettled = Vec::new();
            state.size = 0;
        }
    }

    /// Whether the disk takes the very bytes that it refused. They lie where no acknowledged transaction looks.
    pub(super) fn try_again(&self) -> io::Result<()> {
        let state = self.state.read();
        if let Some(length) = state.length
            && length > self.disk.0.len()?
        {
            self.disk.0.set_len(length)?;
        }
        for (offset, bytes) in state.unsettled.iter().filter(|(offset, _)| *offset >= HEADER) {
            self.disk.0.write(*offset, bytes)?;
        }
        self.disk.0.sync_data()
    }

    fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Acquire)
    }

    /// As the disk has it, and zeroes behind its end.
    fn read_below(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.disk.0.len()?.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (known, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        if known.is_empty() { Ok(()) } else { self.disk.0.read(offset, known) }
    }
}

/// Copies what `bytes`, lying at `from`, says about `out`, lying at `offset`.
fn lay_over(offset: u64, out: &mut [u8], from: u64, bytes: &[u8]) {
    let shift = |a: u64, b: u64| usize::try_from(a.saturating_sub(b)).unwrap_or(usize::MAX);
    let target = out.get_mut(shift(from, offset)..).unwrap_or_default();
    let source = bytes.get(shift(offset, from)..).unwrap_or_default();
    target.iter_mut().zip(source).for_each(|(target, source)| *target = *source);
}

/// What the database holds of a view.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<DiskView>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        match self.0.state.read().length {
            Some(length) => Ok(length),
            None => self.0.disk.0.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if !self.0.is_detached() {
            return self.0.disk.0.read(offset, out);
        }
        let state = self.0.state.read();
        self.0.read_below(offset, out)?;
        for (from, bytes) in &state.unsettled {
            lay_over(offset, out, *from, bytes);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state.write();
        if !self.0.is_detached() {
            match self.0.disk.0.set_len(len) {
                Ok(()) => return Ok(()),
                Err(fault) => self.0.detach(fault.kind()),
            }
        }
        state.length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if !self.0.is_detached()
            && let Err(fault) = self.0.disk.0.sync_data()
        {
            self.0.detach(fault.kind());
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state.write();
        if !self.0.is_detached()
            && let Err(fault) = self.0.disk.0.write(offset, data)
        {
            self.0.detach(fault.kind());
        }
        if self.0.is_detached() || state.size < LARGEST_TRANSACTION {
            state.size = state.size.saturating_add(data.len());
            state.unsettled.push((offset, data.to_vec()));
        }
        Ok(())
    }

    /// The disk outlives this database: the next one may be open already.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locked { Ok(true) } else { self.0.disk.0.try_lock_range(start, end) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locked { Ok(true) } else { self.0.disk.0.try_lock_shared_range(start, end) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.disk.0.lock_range(start, end) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.disk.0.lock_shared_range(start, end) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.locked { Ok(()) } else { self.0.disk.0.unlock_range(start, end) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.locked { Ok(false) } else { self.0.disk.0.query_lock_range(start, end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_over_is_seen_where_it_lies() {
        for (from, bytes, expected) in [
            (10, &b"abcd"[..], &b"abcd...."[..]),
            (12, b"ab", b"..ab...."),
            (8, b"abcd", b"cd......"),
            (16, b"abcd", b"......ab"),
            (18, b"abcd", b"........"),
            (2, b"abcd", b"........"),
            (8, b"abcdefghijkl", b"cdefghij"),
        ] {
            let mut out = *b"........";
            lay_over(10, &mut out, from, bytes);
            assert_eq!(out, expected, "{from}");
        }
    }
}
