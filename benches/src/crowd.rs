//! People who are signed in: their records are in a store, here is no more than what they send.

use std::sync::Arc;

use zengate::session::store::RecordStore;

use crate::bare::runtime;
use crate::seed;

/// Made and put there at once; a million records together would be a gigabyte.
const BATCH: usize = 20_000;

/// Cookies, one after the other.
#[derive(Clone)]
pub struct Crowd {
    cookies: Arc<Vec<String>>,
    count: usize,
    /// Below which name their records are, if they are in Redis.
    pub prefix: String,
}

impl Crowd {
    /// Puts `count` sessions into a store, each on the host that `host` says of its number.
    pub fn gather<S: RecordStore>(
        count: usize,
        issuer: &str,
        prefix: &str,
        host: impl Fn(usize) -> String,
        open: impl FnOnce() -> Result<S, String>,
    ) -> Result<Self, String> {
        let runtime = runtime();
        let store = {
            let _for_its_connection = runtime.enter();
            open()?
        };
        let mut cookies = Vec::with_capacity(count);
        while cookies.len() < count {
            let numbers = cookies.len()..count.min(cookies.len() + BATCH);
            let seeds = seed::sessions(numbers, issuer, &host)?;
            runtime.block_on(seed::put(&store, &seeds))?;
            cookies.extend(seeds.into_iter().map(|seed| seed.cookie));
        }
        Ok(Self { cookies: Arc::new(cookies), count, prefix: prefix.to_owned() })
    }

    /// The first `count` of them.
    pub fn first(&self, count: usize) -> Self {
        Self { count: count.min(self.count), ..self.clone() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The cookie of one of them.
    pub fn cookie(&self, place: usize) -> &str {
        &self.cookies[place]
    }
}
