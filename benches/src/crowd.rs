//! The people who are signed in: their records are in Redis, here is no more than what they send.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::try_join_all;
use zengate::secret::SecretString;
use zengate::session::Lifetimes;
use zengate::session::redis::{RedisSettings, RedisStore};
use zengate::session::store::{Kind, RecordStore as _};

use crate::common::bare::runtime;
use crate::common::seed::{self, Seed};
use crate::stage::scene::Scene;

/// Below which name their records are, the same for every gateway of a run: a million are put there once.
pub const PREFIX: &str = "scale:";

/// Made and put there at once; a million records together would be a gigabyte.
const BATCH: usize = 20_000;

/// Puts under way at once: many share a write to the socket.
const AT_ONCE: usize = 512;

/// How long Redis may take for one of them. A gateway waits a quarter of a second; here nobody waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Cookies, one after the other.
pub struct Crowd {
    cookies: Vec<u8>,
    width: usize,
    /// How long it took to put the records there.
    pub took: Duration,
}

impl Crowd {
    /// Puts `count` sessions into the scene's Redis.
    pub fn gather(scene: &Scene, count: usize) -> Result<Self, String> {
        let begin = Instant::now();
        let url = SecretString::new(&scene.redis_url()?);
        let settings =
            RedisSettings { prefix: PREFIX.to_owned(), response_timeout: PATIENCE, ..RedisSettings::new(url) };
        let runtime = runtime();
        let store = {
            let _for_its_connection = runtime.enter();
            RedisStore::connect(settings).map_err(|error| error.to_string())?
        };
        let issuer = scene.issuers.get(1).ok_or("no issuer")?;
        let mut crowd = Self { cookies: Vec::new(), width: 0, took: Duration::ZERO };
        while crowd.len() < count {
            let seeds = seed::sessions(BATCH.min(count - crowd.len()), issuer)?;
            runtime.block_on(put(&store, &seeds))?;
            for seed in &seeds {
                crowd.width = seed.cookie.len();
                crowd.cookies.extend_from_slice(seed.cookie.as_bytes());
            }
        }
        if crowd.cookies.len() != count * crowd.width {
            return Err("cookies are not all of one length".to_owned());
        }
        crowd.took = begin.elapsed();
        Ok(crowd)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cookies.len().checked_div(self.width).unwrap_or(0)
    }

    /// The cookie of one of them.
    pub fn cookie(&self, place: usize) -> &[u8] {
        &self.cookies[place * self.width..][..self.width]
    }
}

async fn put(store: &RedisStore, seeds: &[Seed]) -> Result<(), String> {
    let (now, keep) = (SystemTime::now(), Lifetimes::default().absolute);
    for some in seeds.chunks(AT_ONCE) {
        let puts = some.iter().map(|seed| store.put(Kind::Session, seed.key, &seed.record, keep, now));
        try_join_all(puts).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
