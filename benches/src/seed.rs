//! Sessions without sign-ins: sealed as the gateway seals them, put where it looks for them, and what their people send.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use zengate::identity::{ClaimValue, IdentityParts};
use zengate::secret::{SecretString, SystemEntropy};
use zengate::session::key::from_client_secret;
use zengate::session::seal::{SealKeys, Sealer};
use zengate::session::store::{Kind, RecordStore};
use zengate::session::{Lifetimes, StoreKey};

use crate::roles::runtime;

/// The secret of every client of a measurement; seeded sessions are sealed with a key derived from it, as the gateway's.
pub const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Puts under way at once: many share a transaction.
const AT_ONCE: usize = 512;

/// Made and put there at once; a million records together would be a gigabyte.
const BATCH: usize = 20_000;

/// A session: its cookie's value, and its record.
pub struct Seed {
    /// What the browser shows.
    pub cookie: String,
    /// Where the record is.
    pub key: StoreKey,
    /// The sealed record.
    pub record: Vec<u8>,
}

/// The host of everybody where there is one host.
pub fn localhost(_number: usize) -> String {
    "localhost".to_owned()
}

/// Sessions of different people by their numbers, with the claims that carriers give, each on the host that `host` says:
/// a session counts on no other.
pub fn sessions(numbers: Range<usize>, issuer: &str, host: impl Fn(usize) -> String) -> Result<Vec<Seed>, String> {
    let own = from_client_secret(&SecretString::new(CLIENT_SECRET));
    let sealer = Sealer::new(SealKeys::new(Some(own), Vec::new()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    numbers
        .map(|number| {
            let id = sealer.new_id(&SystemEntropy);
            // The form of a record: its own reader says below whether this is it.
            let content =
                json!({ "who": person(number, issuer), "created": millis, "seen": millis, "at": host(number) })
                    .to_string();
            let record =
                sealer.seal(Kind::Session, id.store_key(), id.secret().expose(), content.as_bytes(), &SystemEntropy);
            sealer.open_session(&id, &record).map_err(|error| format!("a session record has another form: {error}"))?;
            Ok(Seed { cookie: id.to_text().expose().to_owned(), key: id.store_key(), record })
        })
        .collect()
}

fn person(number: usize, issuer: &str) -> IdentityParts {
    let text = |text: String| ClaimValue::Text(text);
    let claims: BTreeMap<String, ClaimValue> = [
        ("name", text(format!("Person {number:06}"))),
        ("given_name", text("Person".to_owned())),
        ("family_name", text(format!("{number:06}"))),
        ("email", text(format!("person.{number:06}@example.com"))),
        ("phone_number", text(format!("+1555{number:07}"))),
        ("postal_code", text("94105".to_owned())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    IdentityParts {
        issuer: issuer.to_owned(),
        subject: format!("{number:06}-bench-subject-of-a-usual-length"),
        mccmnc: Some("310260".to_owned()),
        acr: Some("a3".to_owned()),
        assurance: None,
        amr: vec!["hwk".to_owned(), "pin".to_owned()],
        auth_time: Some(1_790_000_000),
        claims,
        accept_unverified: false,
        absent_is_verified: false,
    }
}

/// Puts them into a store.
pub(crate) async fn put(store: &impl RecordStore, seeds: &[Seed]) -> Result<(), String> {
    let (now, keep) = (SystemTime::now(), Lifetimes::default().absolute);
    for some in seeds.chunks(AT_ONCE) {
        let puts = some.iter().map(|seed| store.put(Kind::Session, seed.key, &seed.record, keep, now));
        futures_util::future::try_join_all(puts).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Cookies, one after the other.
#[derive(Clone)]
pub(crate) struct Crowd {
    cookies: Arc<Vec<String>>,
    count: usize,
    /// Below which name their records are, if they are in Redis.
    pub(crate) prefix: String,
}

impl Crowd {
    /// Puts `count` sessions into a store, each on the host that `host` says of its number.
    pub(crate) fn gather<S: RecordStore>(
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
            let seeds = sessions(numbers, issuer, &host)?;
            runtime.block_on(put(&store, &seeds))?;
            cookies.extend(seeds.into_iter().map(|seed| seed.cookie));
        }
        Ok(Self { cookies: Arc::new(cookies), count, prefix: prefix.to_owned() })
    }

    /// The first `count` of them.
    pub(crate) fn first(&self, count: usize) -> Self {
        Self { count: count.min(self.count), ..self.clone() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The cookie of one of them.
    pub(crate) fn cookie(&self, place: usize) -> &str {
        &self.cookies[place]
    }
}
