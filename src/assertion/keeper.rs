//! Where the keys come from: files of the operator's, or the store of the sessions, where they are made at the first start, lie
//! sealed as a link does, and are rotated. Gateways that share a store share them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::Purpose;
use super::keys::{AssertionKey, KeyRing, Member};
use crate::ground::time::Timestamp;
use crate::secret::signing::{SigningAlgorithm, SigningKey};
use crate::secret::{Entropy, SecretString, sha256};
use crate::session::StoreKey;
use crate::session::seal::Sealer;
use crate::session::store::{Kind, RecordStore, StoreError};

/// How long the record is kept if nobody writes it: 100 years. Stores keep nothing for ever.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How often the store is asked for the keys of other gateways: many times before one of them signs.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// The same while there are none.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// Of all gateways one makes a key; the others do not for so long.
const TURN: Duration = Duration::from_secs(30);

/// Stands where a session's record has the secret of its cookie. It is none: the operator key alone protects these.
const NO_SECRET: &[u8; 32] = b"zengate: assertions, no cookie  ";

/// One key as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    pem: String,
    made: u64,
}

/// Keys that are kept in a store.
struct Shelf {
    store: Arc<dyn RecordStore>,
    sealer: Sealer,
    rotate: Duration,
    entropy: Arc<dyn Entropy>,
}

/// See the module's page.
pub struct AssertionKeys {
    ring: ArcSwap<KeyRing>,
    shelf: Option<Shelf>,
}

impl std::fmt::Debug for AssertionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionKeys").field("ring", &self.ring.load()).finish_non_exhaustive()
    }
}

impl AssertionKeys {
    /// Keys of the operator's own, the one that signs first.
    pub fn of_files(keys: Vec<AssertionKey>) -> Self {
        Self { ring: ArcSwap::from_pointee(KeyRing::of_files(keys)), shelf: None }
    }

    /// Keys in `store`, sealed by `sealer`; a new one is made when the newest is as old as `rotate` says. There are none
    /// before [`AssertionKeys::look`] has found or made some.
    pub fn of_store(store: Arc<dyn RecordStore>, sealer: Sealer, rotate: Duration, entropy: Arc<dyn Entropy>) -> Self {
        Self { ring: ArcSwap::from_pointee(KeyRing::default()), shelf: Some(Shelf { store, sealer, rotate, entropy }) }
    }

    /// The public halves, as a key set.
    pub fn published(&self) -> String {
        self.ring.load().published()
    }

    /// Signs `claims` for `purpose`; `None` while there is no key, since the store has not answered yet.
    pub fn sign(&self, purpose: Purpose, claims: &Value, now: SystemTime) -> Option<SecretString> {
        self.ring.load().sign(purpose, claims, Timestamp::of(now))
    }

    /// Takes up what lies in the store, and makes a key if it is time.
    ///
    /// # Errors
    /// The store does not answer, or does not take what is new. The keys at hand stay.
    pub async fn look(&self, now: SystemTime) -> Result<(), StoreError> {
        let Some(shelf) = &self.shelf else { return Ok(()) };
        let mut ring = shelf.read(now).await?;
        if ring.is_due(shelf.rotate, Timestamp::of(now)) {
            let turn = StoreKey(sha256(b"zengate assertion keys, a turn to make one v1"));
            if shelf.store.insert(Kind::Spent, turn, &[], TURN, now).await? {
                // Another one may have made it between the two questions.
                ring = shelf.read(now).await?;
                if ring.is_due(shelf.rotate, Timestamp::of(now)) {
                    ring = shelf.with_a_new_one(&ring, now).await?;
                }
            }
        }
        if **self.ring.load() != ring && !ring.members.is_empty() {
            self.ring.store(Arc::new(ring));
        }
        Ok(())
    }

    /// Looks again and again.
    pub async fn keep(self: Arc<Self>, clock: impl Fn() -> SystemTime) {
        loop {
            if let Err(error) = self.look(clock()).await {
                warn!(reason = %error, "The session store did not give the keys that sign for the app");
            }
            let none = self.ring.load().members.is_empty();
            tokio::time::sleep(if none { LOOK_SOON } else { LOOK_EVERY }).await;
        }
    }
}

impl Shelf {
    fn place() -> StoreKey {
        StoreKey(sha256(b"zengate assertion keys v1"))
    }

    /// What lies in the store. What does not open was not kept by us, or under a key that is gone: it is as good as nothing.
    async fn read(&self, now: SystemTime) -> Result<KeyRing, StoreError> {
        let Some(record) = self.store.get(Kind::Keys, Self::place(), now).await? else { return Ok(KeyRing::default()) };
        let opened = self.sealer.open(Kind::Keys, Self::place(), NO_SECRET, &record).ok();
        let kept = opened.and_then(|plaintext| serde_json::from_slice::<Vec<Kept>>(&plaintext).ok());
        let member = |kept: &Kept| {
            let key = AssertionKey::from_pem(kept.pem.as_bytes())?;
            Some(Member { key, pem: SecretString::new(kept.pem.as_str()), made: Timestamp::from_secs(kept.made) })
        };
        let members = kept.and_then(|kept| kept.iter().map(member).collect::<Option<Vec<_>>>());
        let members = members.unwrap_or_else(|| {
            warn!("The keys that sign for the app could not be opened; new ones are made");
            Vec::new()
        });
        Ok(KeyRing { members })
    }

    async fn with_a_new_one(&self, ring: &KeyRing, now: SystemTime) -> Result<KeyRing, StoreError> {
        let no_randomness = || StoreError::Unavailable("no key could be made".to_owned());
        let pem = SigningKey::generate(SigningAlgorithm::Es256).ok_or_else(no_randomness)?;
        let key = AssertionKey::from_pem(pem.expose().as_bytes()).ok_or_else(no_randomness)?;
        let made = Timestamp::from_secs(Timestamp::of(now).as_secs());
        let kid = key.kid().to_owned();
        let rotated = ring.rotated(Member { key, pem, made }, Timestamp::of(now));
        let kept = rotated.members.iter();
        let kept: Vec<Kept> =
            kept.map(|member| Kept { pem: member.pem.expose().to_owned(), made: member.made.as_secs() }).collect();
        // Texts and numbers always serialise; if ever not, an empty plaintext opens as nothing.
        let plaintext = Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default());
        let record = self.sealer.seal(Kind::Keys, Self::place(), NO_SECRET, &plaintext, &*self.entropy);
        self.store.put(Kind::Keys, Self::place(), &record, FOR_EVER, now).await?;
        info!(kid, "A key that signs for the app was made");
        Ok(rotated)
    }
}
