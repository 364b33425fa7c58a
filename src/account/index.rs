//! What a link's record and the sets that list it are called in a store, and how the record is sealed.
//!
//! Names are made with the operator keys, so that whoever reads the store cannot ask it whether a known person has an
//! account. The first key names and seals what is written; all of them find and open.

use super::person::{Person, PersonRecord};
use super::{AccountName, Subject};
use crate::secret::{Entropy, SecretBytes, hmac_sha256, sha256, sha256_of};
use crate::session::StoreKey;
use crate::session::seal::{SealError, Sealer};
use crate::session::store::Kind;

/// Sets that all links are spread over. With as many members as a set may have, four million links fit.
pub(super) const BUCKETS: u16 = 4096;

/// Stands where a session's record has the secret of its cookie. It is none: the operator key alone protects a link, since
/// it must be found for a person who has no cookie yet.
const NO_SECRET: &[u8; 32] = b"zengate: links have no cookie   ";

/// The set that lists the link `key`.
pub(super) fn bucket_of(key: StoreKey) -> u16 {
    let [high, low, ..] = key.0;
    u16::from_be_bytes([high, low]) % BUCKETS
}

/// What bucket number `bucket` is called.
pub(super) fn bucket_name(bucket: u16) -> StoreKey {
    StoreKey(sha256_of(&[b"zengate links v1 ", &bucket.to_be_bytes()]))
}

/// Names and seals.
pub(super) struct Index {
    sealer: Sealer,
    subjects: Vec<SecretBytes>,
    accounts: Vec<SecretBytes>,
}

impl Index {
    pub(super) fn new(sealer: Sealer) -> Self {
        let subjects = sealer.keys_for("subjects of links", NO_SECRET).collect();
        let accounts = sealer.keys_for("accounts of links", NO_SECRET).collect();
        Self { subjects, accounts, sealer }
    }

    /// Every name that the link of `subject` may have: what is written now has the first.
    pub(super) fn names_of(&self, subject: &Subject) -> impl Iterator<Item = StoreKey> {
        // Of fixed length, so that no two pairs are one text.
        let text = [sha256(subject.issuer.as_bytes()), sha256(subject.subject.as_bytes())].concat();
        self.subjects.iter().map(move |key| StoreKey(hmac_sha256(key.expose(), &text)))
    }

    /// Every name that the set of an account's links may have.
    pub(super) fn names_of_account(&self, account: &AccountName) -> impl Iterator<Item = StoreKey> {
        self.accounts.iter().map(|key| StoreKey(hmac_sha256(key.expose(), account.0.as_bytes())))
    }

    pub(super) fn seal(&self, key: StoreKey, person: &Person, entropy: &dyn Entropy) -> Vec<u8> {
        // Texts and numbers always serialise; if ever not, an empty plaintext opens as `Corrupt`.
        let plaintext = serde_json::to_vec(&PersonRecord::from(person)).unwrap_or_default();
        self.sealer.seal(Kind::Link, key, NO_SECRET, &plaintext, entropy)
    }

    pub(super) fn open(&self, key: StoreKey, record: &[u8]) -> Result<Person, SealError> {
        let plaintext = self.sealer.open(Kind::Link, key, NO_SECRET, record)?;
        let record: PersonRecord = serde_json::from_slice(&plaintext).map_err(|_| SealError::Corrupt)?;
        record.read().map_err(|_| SealError::Corrupt)
    }
}
