//! What a cached session weighs: memory of the process before and after a cache was filled, divided by sessions.
//!
//! And what the embedded store keeps of its file, with page caches of several sizes, beside what a look-up costs. The
//! figure is the kernel's count of the process' own pages, so what the allocator rounds up to and what the cache keeps
//! beside each session are in it. Each row is a process of its own.

mod store;

use std::time::SystemTime;

use clap::Args;
use zengate::identity::headers::{Encoding, HeaderPlan, HeaderRule, IdentityHeaderSettings, TooLong};
use zengate::secret::SecretString;
use zengate::session::SessionId;
use zengate::session::cache::{CacheLimits, SessionCache};
use zengate::session::key::from_client_secret;
use zengate::session::live::LiveSession;
use zengate::session::seal::{SealKeys, Sealer};
use zengate::session::store::StoreError;

use crate::figures::table;
use crate::roles::Role;
use crate::seed;

/// How many identity headers the upstream gets.
const HEADERS: [usize; 4] = [0, 4, 8, 40];
/// Sessions made at once: what they are made from is gone before the next are.
const AT_ONCE: usize = 1_000;
/// Where values come from, over and over until there are enough headers.
const CLAIMS: [&str; 8] = ["sub", "iss", "name", "email", "phone_number", "acr", "amr", "mccmnc"];

/// cargo bench -p zengate-bench --bench measure -- memory
#[derive(Args)]
pub(crate) struct Options {
    /// How many sessions
    #[arg(long, default_value_t = 100_000)]
    sessions: usize,
}

/// Prints both tables.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let sessions = options.sessions;
    let row = |arguments: &[&str]| {
        let row = Role::start(&[], &[&["weigh"], arguments].concat()).address;
        if row.is_empty() { Err("a row could not be measured".to_owned()) } else { Ok(vec![row]) }
    };
    let rows = HEADERS.iter().map(|headers| row(&["cache", &headers.to_string(), &sessions.to_string()]));
    let rows: Vec<_> = rows.collect::<Result<_, String>>()?;
    println!("{}", table(&[&format!("{sessions} cached sessions"), "empty cache, KiB", "bytes a session"], rows));
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = directory.path().join("sessions.redb");
    let head = format!("{sessions} sessions in a file of {} KiB", store::make(&file, sessions) / 1024);
    let rows = store::CACHES.iter().map(|cache| row(&["store", &cache.to_string(), &file.to_string_lossy()]));
    let rows: Vec<_> = rows.collect::<Result<_, String>>()?;
    println!("{}", table(&[&head, "own KiB", "µs a look-up, median", "p99"], rows));
    Ok(())
}

/// In a process of its own: the cells of one row.
pub(crate) fn weigh(what: &[&str]) -> String {
    match what {
        ["cache", headers, sessions] => cache(sessions.parse().expect("a number"), headers.parse().expect("a number")),
        ["store", cache, file] => store::weigh(file.as_ref(), cache.parse().expect("a number")),
        other => panic!("nothing to weigh: {other:?}"),
    }
}

/// Fills a cache; its row.
fn cache(sessions: usize, headers: usize) -> String {
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
    format!("{headers} headers | {} | {}", (empty - before) / 1024, bytes / cache.len())
}

/// Memory of this process that it shares with nobody and that is no file's, as the kernel counts it.
fn own_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a kernel since 4.5");
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}
