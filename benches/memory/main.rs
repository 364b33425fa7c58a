//! What a cached session weighs: memory of the process before and after a cache was filled, divided by sessions.
//!
//! And what the embedded store keeps of its file, with page caches of several sizes, beside what a look-up costs.
//!
//! `cargo bench -p zengate-bench --bench memory` (`-- --sessions 1000000` for more of them). The figure is the kernel's count of the
//! process' own pages, so what the allocator rounds up to and what the cache keeps beside each session are in it. Each
//! row is a process of its own.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on ends"
)]

mod store;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use clap::Parser;
use zengate::identity::headers::{Encoding, HeaderPlan, HeaderRule, IdentityHeaderSettings, TooLong};
use zengate::secret::SecretString;
use zengate::session::SessionId;
use zengate::session::cache::{CacheLimits, SessionCache};
use zengate::session::key::from_client_secret;
use zengate::session::live::LiveSession;
use zengate::session::seal::{SealKeys, Sealer};
use zengate::session::store::StoreError;
use zengate_bench::options::{ByCargo, begin};
use zengate_bench::seed;

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many identity headers the upstream gets.
const HEADERS: [usize; 4] = [0, 4, 8, 40];
/// Sessions made at once: what they are made from is gone before the next are.
const AT_ONCE: usize = 1_000;
/// Where values come from, over and over until there are enough headers.
const CLAIMS: [&str; 8] = ["sub", "iss", "name", "email", "phone_number", "acr", "amr", "mccmnc"];

/// cargo bench -p zengate-bench --bench memory -- …
#[derive(Parser)]
struct Options {
    /// How many sessions
    #[arg(long, default_value_t = 100_000)]
    sessions: usize,
    /// In a process of its own: fill a cache with so many headers a session
    #[arg(long, hide = true)]
    headers: Option<usize>,
    /// In a process of its own: look sessions up in this file
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
    /// With a page cache of so many bytes
    #[arg(long, hide = true, default_value_t = 0)]
    cache: usize,
    #[command(flatten)]
    by_cargo: ByCargo,
}

fn main() -> ExitCode {
    begin(|options: &Options| {
        match (options.headers, &options.file) {
            (Some(headers), _) => weigh(options.sessions, headers),
            (None, Some(file)) => store::weigh(file, options.cache),
            (None, None) => all(options.sessions),
        }
        Ok(())
    })
}

fn all(sessions: usize) {
    println!("| {sessions} cached sessions | empty cache, KiB | bytes a session |\n|---|---|---|");
    for headers in HEADERS {
        row(&["--sessions", &sessions.to_string(), "--headers", &headers.to_string()]);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sessions.redb");
    let kibibytes = store::make(&file, sessions) / 1024;
    println!("\n| {sessions} sessions in a file of {kibibytes} KiB | own KiB | µs a look-up, median | p99 |");
    println!("|---|---|---|---|");
    for cache in store::CACHES {
        row(&["--file", &file.to_string_lossy(), "--cache", &cache.to_string()]);
    }
}

/// Has a process of its own print one row.
fn row(arguments: &[&str]) {
    let own = std::env::current_exe().expect("this program");
    let status = Command::new(own).args(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "a row could not be measured");
}

/// Fills a cache and prints its row.
fn weigh(sessions: usize, headers: usize) {
    let rule = |place: usize| HeaderRule {
        name: format!("X-Bench-{place:02}"),
        claim: CLAIMS[place % CLAIMS.len()].to_owned(),
        encoding: Encoding::Percent,
        too_long: TooLong::LeaveOut,
    };
    let settings = IdentityHeaderSettings { map: (0..headers).map(rule).collect(), ..Default::default() };
    let plans = [HeaderPlan::compile(&settings).unwrap_or_else(|faults| panic!("{faults:?}"))];
    let own = from_client_secret(&SecretString::new(seed::CLIENT_SECRET));
    let sealer = Sealer::new(SealKeys::new(Some(own), Vec::new()));
    let cache_of = |sessions| {
        let cache: SessionCache<LiveSession, StoreError> =
            SessionCache::new(CacheLimits { sessions, ..CacheLimits::default() });
        cache
    };
    let fill = |cache: &SessionCache<LiveSession, StoreError>, count| {
        for seed in seed::sessions(0..count, "https://carrier.example.com", seed::localhost).expect("sessions") {
            let id = SessionId::parse(&seed.cookie).expect("an id");
            let session = sealer.open_session(&id, &seed.record).expect("a session");
            cache.insert(seed.key, LiveSession::new(session, None, &seed.record, &plans), SystemTime::now());
        }
    };
    // What sessions are made with is there before anything is counted.
    let other = cache_of(AT_ONCE);
    fill(&other, AT_ONCE);
    drop(other);
    let before = own_bytes();
    let cache = cache_of(sessions);
    let empty = own_bytes();
    while cache.len() + AT_ONCE <= sessions {
        let before = cache.len();
        fill(&cache, AT_ONCE);
        if cache.len() < before + AT_ONCE {
            break; // Nearly full: the cache begins to make room.
        }
    }
    let bytes = own_bytes() - before;
    println!("| {headers} headers | {} | {} |", (empty - before) / 1024, bytes / cache.len());
}

/// Memory of this process that it shares with nobody and that is no file's, as the kernel counts it.
fn own_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a kernel since 4.5");
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}
