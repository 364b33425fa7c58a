use redb::TableDefinition;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

mod failing_disk;

use self::failing_disk::{SHORT, healed, odd};
use super::tables::ends_of;
use super::*;
use crate::secret::sha256;
use crate::session::samples::noon;

const MINUTE: Duration = Duration::from_secs(60);

fn key(n: u32) -> StoreKey {
    StoreKey(sha256(&n.to_be_bytes()))
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    (directory, path)
}

fn open(path: &Path) -> Result<EmbeddedStore, EmbeddedError> {
    EmbeddedStore::open(path, Limits::default())
}

async fn fill(store: &EmbeddedStore, count: u32) {
    for n in 0..count {
        store.put(Kind::Session, key(n), &n.to_be_bytes(), MINUTE, noon()).await.unwrap();
    }
}

async fn holds(store: &EmbeddedStore, count: u32) -> bool {
    for n in 0..count {
        if store.get(Kind::Session, key(n), noon()).await.unwrap().as_deref() != Some(&n.to_be_bytes()[..]) {
            return false;
        }
    }
    true
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    let (_directory, path) = place();
    drop(open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path).unwrap());
    assert_eq!(mode(&path), 0o600, "a file that was readable by others is closed to them");
}

#[tokio::test]
async fn a_path_that_cannot_be_a_session_file_is_refused() {
    let (directory, path) = place();
    assert_eq!(open(&directory.path().join("missing").join("file")).unwrap_err(), EmbeddedError::NoDirectory);
    assert!(!directory.path().join("missing").exists(), "nothing is made");
    assert_eq!(open(directory.path()).unwrap_err(), EmbeddedError::NotAFile);
    assert!(open(&path).is_ok());
}

#[tokio::test]
async fn a_file_that_is_in_use_is_not_opened_twice() {
    let (_directory, path) = place();
    let first = open(&path).unwrap();
    fill(&first, 1).await;
    assert_eq!(open(&path).unwrap_err(), EmbeddedError::AlreadyOpen);
    assert!(holds(&first, 1).await, "the first one is not disturbed");
    drop(first);
    assert!(holds(&open(&path).unwrap(), 1).await);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_alone() {
    let (_directory, path) = place();
    for content in [&b"not a database at all, but long enough to be looked at"[..], &[0; 8192], &[0xff; 100_000]] {
        fs::write(&path, content).unwrap();
        assert_eq!(open(&path).unwrap_err(), EmbeddedError::Corrupt);
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();

    const OTHER: TableDefinition<u64, u64> = TableDefinition::new("prices");
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(OTHER).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    assert_eq!(open(&path).unwrap_err(), EmbeddedError::Foreign);
    fs::remove_file(&path).unwrap();

    drop(open(&path).unwrap());
    const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("zengate");
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(ABOUT).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    assert_eq!(open(&path).unwrap_err(), EmbeddedError::Newer);
}

// Wherever a file is damaged, opening ends in a clear error or in a store whose records are whole: never in a panic,
// and never in a record that was not put.
#[tokio::test]
async fn a_damaged_file_is_refused_or_read_right() {
    let (directory, path) = place();
    let store = open(&path).unwrap();
    fill(&store, 200).await;
    drop(store);
    let whole = fs::read(&path).unwrap();
    let damaged = directory.path().join("damaged.redb");
    let mut refused = 0;
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for at in (0..used).step_by(used / 40) {
        let mut content = whole.clone();
        content[at..(at + 16).min(used)].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(&damaged, &content).unwrap();
        match open(&damaged) {
            Err(fault) => {
                assert!(matches!(fault, EmbeddedError::Corrupt | EmbeddedError::Newer), "{fault} at {at}");
                refused += 1;
            }
            Ok(store) => {
                for n in 0..200 {
                    let record = store.get(Kind::Session, key(n), noon()).await.unwrap();
                    assert!(record.is_none_or(|record| record == n.to_be_bytes()), "record {n}, damaged at {at}");
                }
            }
        }
    }
    assert!(refused > 0);
    for length in [1, 320, 4096, whole.len() / 2] {
        fs::write(&damaged, &whole[..length]).unwrap();
        assert_eq!(open(&damaged).unwrap_err(), EmbeddedError::Corrupt, "the first {length} bytes");
    }
}

// P03
#[tokio::test]
async fn a_restart_keeps_everything() {
    let (_directory, path) = place();
    let store = open(&path).unwrap();
    fill(&store, 100).await;
    store.put(Kind::Attempt, key(1), b"under way", MINUTE, noon()).await.unwrap();
    drop(store);
    let store = open(&path).unwrap();
    assert!(holds(&store, 100).await);
    assert_eq!(store.take(Kind::Attempt, key(1), noon()).await.unwrap().as_deref(), Some(&b"under way"[..]));
}

// P03: what lies on disk at any moment after an answer is enough.
#[tokio::test]
async fn a_copy_of_the_file_of_a_running_gateway_has_everything_acknowledged() {
    let (directory, path) = place();
    let store = open(&path).unwrap();
    for round in 1..=5 {
        fill(&store, round * 20).await;
        let copy = directory.path().join(format!("copy-{round}"));
        fs::copy(&path, &copy).unwrap();
        assert!(holds(&open(&copy).unwrap(), round * 20).await, "round {round}");
    }
}

const CHILD_FILE: &str = "ZENGATE_TEST_SESSION_FILE";

/// Not a test of its own: the process that the next test kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in a process of its own, started by the next test"]
async fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_FILE) else { return };
    let store = Arc::new(open(Path::new(&path)).unwrap());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                // Bounded, should nobody kill it.
                for n in (task..80_000).step_by(8) {
                    store.put(Kind::Attempt, key(n), &n.to_be_bytes(), MINUTE, noon()).await.unwrap();
                    say("put", n);
                    if n % 3 == 0 {
                        store.take(Kind::Attempt, key(n), noon()).await.unwrap().unwrap();
                        say("took", n);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn say(what: &str, n: u32) {
    // One write a line, so that a line is there whole or not at all.
    std::io::stdout().lock().write_all(format!("\n{what} {n}\n").as_bytes()).unwrap();
}

// P03: `kill -9` loses nothing that was acknowledged, and brings nothing back that was taken.
#[tokio::test]
async fn a_killed_gateway_has_lost_nothing_and_taken_nothing_back() {
    let (_directory, path) = place();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("session::embedded::tests::child_that_writes_until_it_is_killed")
        .env(CHILD_FILE, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while text.matches("took").count() < 100 {
        assert_ne!(said.read_line(&mut text).unwrap(), 0, "the child ended early: {text}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died, but we had not read.
    said.read_to_string(&mut text).unwrap();

    let numbers = |word: &str| -> BTreeSet<u32> {
        text.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    };
    let (put, took) = (numbers("put "), numbers("took "));
    let store = open(&path).unwrap();
    for n in &put {
        let there = store.get(Kind::Attempt, key(*n), noon()).await.unwrap();
        if took.contains(n) {
            assert_eq!(there, None, "{n} was taken");
        } else if n % 3 != 0 {
            assert_eq!(there.as_deref(), Some(&n.to_be_bytes()[..]), "{n} was put");
        }
    }
    assert!(put.len() > 100 && took.len() >= 100, "{} put, {} taken", put.len(), took.len());
}

// FT14
#[tokio::test]
async fn a_file_that_is_removed_is_written_anew() {
    let (_directory, path) = place();
    let store = open(&path).unwrap();
    fill(&store, 50).await;
    store.put(Kind::Attempt, key(1), b"under way", MINUTE, noon()).await.unwrap();
    fs::remove_file(&path).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "it is not written anew");
        store.ping().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.ping().await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(open(&path).unwrap_err(), EmbeddedError::AlreadyOpen, "a second gateway");
    fill(&store, 60).await;
    drop(store);
    let store = open(&path).unwrap();
    assert!(holds(&store, 60).await);
    assert_eq!(store.take(Kind::Attempt, key(1), noon()).await.unwrap().as_deref(), Some(&b"under way"[..]));
    store.sweep(noon() + MINUTE).await.unwrap();
    assert_eq!(store.get(Kind::Session, key(1), noon()).await.unwrap(), None, "it knew when each of them ends");
}

// FT14: the other file may be another gateway's. It is left alone, and nothing is taken that would be lost.
#[tokio::test]
async fn a_file_that_is_replaced_is_left_alone_and_nothing_new_is_taken() {
    let (directory, path) = place();
    let store = open(&path).unwrap();
    fill(&store, 50).await;
    let aside = directory.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    let other = open(&path).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.ping().await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "it is not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let put = store.put(Kind::Session, key(50), b"lost", MINUTE, noon()).await;
    assert_eq!(put, Err(StoreError::NotWritable(WriteFault::Displaced)));
    assert!(holds(&store, 50).await);
    assert_eq!(other.get(Kind::Session, key(1), noon()).await.unwrap(), None);
    drop(other);
    fs::rename(&aside, &path).unwrap();
    healed(&store).await;
    fill(&store, 60).await;
    drop(store);
    assert!(holds(&open(&path).unwrap(), 60).await);
}

// RB20, FT15
#[tokio::test]
async fn a_file_that_is_mostly_empty_becomes_smaller_while_it_is_used() {
    let (_directory, path) = place();
    let (store, _) = odd(&path, PAGE_CACHE, SHORT, Compact { every: Duration::ZERO, least: 0 });
    fill(&store, 50).await;
    for n in 50..200 {
        store.put(Kind::Session, key(n), &[7; 40_000], MINUTE / 2, noon()).await.unwrap();
    }
    let before = fs::metadata(&path).unwrap().len();
    store.sweep(noon() + MINUTE / 2).await.unwrap();
    // The writer makes the file smaller as soon as nobody waits for it.
    let mut after = before;
    for _ in 0..200 {
        store.ping().await.unwrap();
        after = fs::metadata(&path).unwrap().len();
        if after * 3 < before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(after * 3 < before, "{before} → {after}");
    assert!(holds(&store, 50).await);
    fill(&store, 60).await;
    drop(store);
    assert!(holds(&open(&path).unwrap(), 60).await);
}

#[tokio::test]
async fn a_sweep_takes_off_everything_that_is_over_in_bites() {
    let (_directory, path) = place();
    let store = Arc::new(open(&path).unwrap());
    let puts = (0..2500).map(|n| {
        let store = Arc::clone(&store);
        let keep = if n % 5 == 0 { 2 * MINUTE } else { MINUTE };
        async move { store.put(Kind::Attempt, key(n), b"record", keep, noon()).await.unwrap() }
    });
    futures_util::future::join_all(puts).await;
    store.sweep(noon() + MINUTE).await.unwrap();
    let kept = |table| {
        store.slot.read(|database| Ok(redb::ReadableTableMetadata::len(&database.begin_read()?.open_table(table)?)?))
    };
    assert_eq!(kept(records_of(Kind::Attempt)).unwrap(), 500);
    let ends = store.slot.read(|database| {
        Ok(redb::ReadableTableMetadata::len(&database.begin_read()?.open_table(ends_of(Kind::Attempt))?)?)
    });
    assert_eq!(ends.unwrap(), 500);
}

/// A measurement for the docs, not a test: `cargo test --release --lib rate_of -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rate_of_durable_puts_and_reads() {
    let directory = tempfile::tempdir_in(std::env::var_os("ZENGATE_TEST_DISK").unwrap_or(".".into())).unwrap();
    let store = Arc::new(open(&directory.path().join("sessions.redb")).unwrap());
    for width in [1_u32, 16, 256] {
        let count = 2000_u32;
        let begin = std::time::Instant::now();
        let tasks: Vec<_> = (0..width)
            .map(|task| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for n in (task..count).step_by(width as usize) {
                        store.put(Kind::Session, key(n), &[7; 700], MINUTE, noon()).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        eprintln!("{width} at once: {:.0} durable puts a second", f64::from(count) / begin.elapsed().as_secs_f64());
    }
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            loop {
                store.put(Kind::Session, key(1), &[7; 700], MINUTE, noon()).await.unwrap();
            }
        }
    });
    let mut times = Vec::new();
    for n in 0..20_000 {
        let begin = std::time::Instant::now();
        store.get(Kind::Session, key(n % 2000), noon()).await.unwrap().unwrap();
        times.push(begin.elapsed());
    }
    writing.abort();
    times.sort();
    eprintln!("reads beside a writer: median {:?}, p99 {:?}, most {:?}", times[10_000], times[19_800], times[19_999]);
}
