//! The embedded store: what it keeps of its file in memory, and what a look-up costs with that.

use std::path::Path;
use std::time::{Instant, SystemTime};

use super::own_bytes;
use crate::figures::percentile;
use crate::roles::runtime;
use crate::seed;
use zengate::session::StoreKey;
use zengate::session::embedded::EmbeddedStore;
use zengate::session::store::{Kind, Limits, RecordStore as _};

/// Page caches that are tried, in bytes.
pub(crate) const CACHES: [usize; 6] = [0, 1 << 20, 4 << 20, 8 << 20, 16 << 20, 64 << 20];

/// Look-ups of a row.
const LOOK_UPS: usize = 100_000;

/// Makes a file of `count` sessions; how many bytes it has. The keys are written beside it.
pub(crate) fn make(path: &Path, count: usize) -> u64 {
    let seeds = seed::sessions(0..count, "https://carrier.example.com", seed::localhost).expect("sessions");
    let store = EmbeddedStore::open(path, Limits::default()).expect("a file");
    runtime().block_on(seed::put(&store, &seeds)).expect("room in the file");
    drop(store);
    let keys: Vec<u8> = seeds.iter().flat_map(|seed| seed.key.0).collect();
    std::fs::write(path.with_extension("keys"), keys).expect("a file");
    std::fs::metadata(path).expect("a file").len()
}

/// Opens the file with a page cache of `cache` bytes, looks sessions up in no order; its row.
pub(crate) fn weigh(path: &Path, cache: usize) -> String {
    let keys = std::fs::read(path.with_extension("keys")).expect("the keys");
    let keys: Vec<StoreKey> =
        keys.chunks_exact(32).map(|key| StoreKey(key.try_into().expect("a key has 32 bytes"))).collect();
    let before = own_bytes();
    let store = EmbeddedStore::open_with_cache(path, Limits::default(), cache).expect("a store");
    let now = SystemTime::now();
    let mut micros = Vec::with_capacity(LOOK_UPS);
    runtime().block_on(async {
        for turn in 0..LOOK_UPS * 2 {
            // A stride that no page guesses.
            let key = keys[turn * 7919 % keys.len()];
            let begin = Instant::now();
            let found = store.get(Kind::Session, key, now).await;
            let took = begin.elapsed();
            assert!(matches!(found, Ok(Some(_))), "a session");
            if turn >= LOOK_UPS {
                micros.push(took.as_secs_f64() * 1e6);
            }
        }
    });
    let own = own_bytes().saturating_sub(before + micros.capacity() * 8);
    micros.sort_by(f64::total_cmp);
    let [median, slow] = [0.5, 0.99].map(|part| percentile(&micros, part));
    format!("page cache of {} KiB | {} | {median:.1} | {slow:.1}", cache / 1024, own / 1024)
}
