//! A disk that fails, is full, or is slow.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use redb::StorageBackend;

use super::*;

/// A disk that can be made to fail, and to be slow.
#[derive(Debug)]
struct OddDisk {
    file: FileBackend,
    moods: Arc<Moods>,
}

#[derive(Debug, Default)]
pub(super) struct Moods {
    /// No write succeeds.
    broken: AtomicBool,
    /// Writes that were tried while none succeeds.
    tried: AtomicUsize,
    /// Reads take so many milliseconds.
    slow: AtomicU64,
    /// Reads under way, and the most that ever were.
    reading: AtomicUsize,
    most_reading: AtomicUsize,
    reads: AtomicUsize,
}

impl OddDisk {
    fn check(&self) -> std::io::Result<()> {
        if self.moods.broken.load(Ordering::SeqCst) {
            self.moods.tried.fetch_add(1, Ordering::SeqCst);
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for OddDisk {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.moods.reads.fetch_add(1, Ordering::SeqCst);
        let slow = self.moods.slow.load(Ordering::SeqCst);
        if slow > 0 {
            let now = self.moods.reading.fetch_add(1, Ordering::SeqCst) + 1;
            self.moods.most_reading.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(slow));
            self.moods.reading.fetch_sub(1, Ordering::SeqCst);
        }
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> std::io::Result<()> {
        self.file.close()
    }
}

pub(super) const SHORT: Pauses = Pauses { shortest: Duration::from_millis(20), longest: Duration::from_millis(40) };

pub(super) fn odd(path: &Path, cache: usize, pauses: Pauses, compact: Compact) -> (EmbeddedStore, Arc<Moods>) {
    let moods = Arc::new(Moods::default());
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    let disk = Disk::new(OddDisk { file: FileBackend::new(file).unwrap(), moods: Arc::clone(&moods) });
    let slot = Slot::open(disk, None, cache, pauses, compact).unwrap();
    (EmbeddedStore::on(slot, Limits::default()).unwrap(), moods)
}

/// Asks until the store takes writes.
pub(super) async fn healed(store: &EmbeddedStore) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while let Err(error) = store.ping().await {
        assert!(std::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(store.write_fault(), None);
}

// RB04, FT02: nothing that was acknowledged is lost to readers while the disk is full, with pages in memory and
// without, and what was refused is not there afterwards.
#[tokio::test]
async fn a_full_disk_fails_writes_and_no_reads_and_is_forgotten_once_it_has_room() {
    for cache in [0, PAGE_CACHE] {
        let (_directory, path) = place();
        let (store, moods) = odd(&path, cache, SHORT, Compact::default());
        fill(&store, 50).await;
        store.ping().await.unwrap();
        assert_eq!(store.write_fault(), None);

        moods.broken.store(true, Ordering::SeqCst);
        for n in 50..60 {
            let put = store.put(Kind::Session, key(n), b"lost", MINUTE, noon()).await;
            assert_eq!(put, Err(StoreError::NotWritable(WriteFault::DiskFull)));
            assert_eq!(store.ping().await, Err(StoreError::NotWritable(WriteFault::DiskFull)), "readiness says so");
            assert_eq!(store.write_fault(), Some(WriteFault::DiskFull));
            assert!(holds(&store, 50).await, "read while writes fail");
        }
        let refused = store.refused_writes();
        assert!(refused.iter().all(|(fault, count)| (*fault == WriteFault::DiskFull) == (*count > 0)), "{refused:?}");

        moods.broken.store(false, Ordering::SeqCst);
        healed(&store).await;
        assert!(holds(&store, 50).await);
        for n in 50..60 {
            assert_eq!(store.get(Kind::Session, key(n), noon()).await.unwrap(), None, "what was not acknowledged");
        }
        fill(&store, 60).await;
        drop(store);
        assert!(holds(&open(&path).unwrap(), 60).await);
    }
}

// RB04: a disk that is full for long is not asked by every caller, nor is the file read whole for each.
#[tokio::test]
async fn a_disk_that_fails_is_left_alone_between_tries() {
    let (_directory, path) = place();
    let hour = Pauses { shortest: Duration::from_secs(3600), longest: Duration::from_secs(3600) };
    let (store, moods) = odd(&path, PAGE_CACHE, hour, Compact::default());
    fill(&store, 50).await;
    moods.broken.store(true, Ordering::SeqCst);
    store.put(Kind::Session, key(50), b"lost", MINUTE, noon()).await.unwrap_err();
    let counts = || (moods.tried.load(Ordering::SeqCst), moods.reads.load(Ordering::SeqCst));
    let before = counts();
    for _ in 0..100 {
        store.put(Kind::Session, key(50), b"lost", MINUTE, noon()).await.unwrap_err();
        store.ping().await.unwrap_err();
    }
    assert_eq!(counts(), before);
    assert!(holds(&store, 50).await);
}

// RB04: nobody needs to write for the disk to be found well again: asking whether it is suffices.
#[tokio::test]
async fn whoever_asks_whether_the_store_takes_writes_has_it_tried() {
    let (_directory, path) = place();
    let (store, moods) = odd(&path, PAGE_CACHE, SHORT, Compact::default());
    moods.broken.store(true, Ordering::SeqCst);
    store.put(Kind::Session, key(1), b"lost", MINUTE, noon()).await.unwrap_err();
    moods.broken.store(false, Ordering::SeqCst);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.write_fault().is_some() {
        assert!(std::time::Instant::now() < deadline, "nobody tries");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Not a test of its own: the process that the next test starts under a limit on the size of files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in a process of its own, started by the next test"]
async fn child_that_writes_until_its_file_may_not_grow() {
    let Some(path) = std::env::var_os(CHILD_FILE) else { return };
    let store = open(Path::new(&path)).unwrap();
    // Bounded, should there be no limit.
    for n in 0..4000_u32 {
        let record = [n.to_be_bytes().as_slice(), &[7; 4000]].concat();
        match store.put(Kind::Session, key(n), &record, MINUTE, noon()).await {
            Ok(()) => {}
            Err(StoreError::NotWritable(WriteFault::DiskFull)) => {
                for held in 0..n {
                    let found = store.get(Kind::Session, key(held), noon()).await.unwrap().unwrap();
                    assert_eq!(found[..4], held.to_be_bytes());
                }
                say("held", n);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

// RB04, FT02: as above, with a limit that the operating system sets.
#[tokio::test]
async fn a_file_that_may_not_grow_can_still_be_read_and_is_whole_after_a_restart() {
    let (_directory, path) = place();
    let command = "ulimit -f 8192; trap '' XFSZ; exec \"$0\" --exact --ignored --nocapture \
        session::embedded::tests::failing_disk::child_that_writes_until_its_file_may_not_grow";
    let child = Command::new("sh")
        .args(["-c", command])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD_FILE, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let held = said.lines().find_map(|line| line.strip_prefix("held ")?.trim().parse::<u32>().ok());
    let held = held.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&child.stderr)));
    assert!(held > 100);
    let store = open(&path).unwrap();
    for n in 0..held {
        assert!(store.get(Kind::Session, key(n), noon()).await.unwrap().is_some(), "{n}");
    }
}

// RB05, FT20: on one thread that serves everybody, with reads that take a second.
#[tokio::test]
async fn a_slow_disk_keeps_nobody_waiting_who_does_not_ask_it() {
    let (_directory, path) = place();
    let (store, moods) = odd(&path, 0, SHORT, Compact::default());
    fill(&store, 50).await;
    let store = Arc::new(store);
    moods.slow.store(300, Ordering::SeqCst);
    let asked: Vec<_> = (0..40)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.get(Kind::Session, key(n), noon()).await })
        })
        .collect();
    let begin = std::time::Instant::now();
    while moods.reading.load(Ordering::SeqCst) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "nobody reads");
        tokio::task::yield_now().await;
    }
    let begin = std::time::Instant::now();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(begin.elapsed() < Duration::from_millis(200), "everybody waited {:?}", begin.elapsed());
    for ask in asked {
        // Found, or refused in time.
        assert!(!matches!(ask.await.unwrap(), Ok(None)));
    }
    assert!(moods.most_reading.load(Ordering::SeqCst) <= READERS);
    moods.slow.store(0, Ordering::SeqCst);
    assert!(holds(&store, 50).await);
}
