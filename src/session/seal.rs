//! Records as a store sees them: sealed under a key that the store never sees.
//!
//! `version (1 byte) ‖ key id (4 bytes) ‖ nonce (12 bytes) ‖ ciphertext and tag (AES-256-GCM)`
//!
//! The sealing key is derived (HKDF-SHA-256) from the secret in the person's cookie, salted with the operator key. So a
//! dump of the store opens nothing (security.md F11), and with an operator key set whoever writes to the store cannot
//! make a session either (TM7). Version, kind, key id and store key are authenticated along with the content: a record
//! that was copied to another person's key, or from a sign-in attempt to a session, does not open.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::key_id;
use super::store::Kind;
use super::{Session, SessionId, Standing, StoreKey};
use crate::ground::time::Timestamp;
use crate::identity::{Identity, IdentityParts};
use crate::secret::{self, Entropy, SecretBytes, derive_key};

/// The only version there is. A gateway that meets another one finds no record (P05): two versions that share a store
/// during a rolling upgrade never misread each other.
const VERSION: u8 = 1;

/// The key id of records that were sealed without an operator key.
const NO_KEY: [u8; 4] = [0; 4];

/// Stands in for the operator key in the derivation when there is none.
const NO_KEY_SALT: &[u8] = b"zengate without operator key";

/// Why a record did not open. To the person it is the same as no record at all; the log is told which (F08, R09).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A bit differs, the record belongs to another place or secret, or its content is not what we write.
    #[error("the record was altered or belongs somewhere else")]
    Corrupt,
    /// Sealed with an operator key that this gateway does not accept (any more).
    #[error("the record was sealed with an operator key that is not accepted")]
    UnknownKey,
    /// Written by a version of the gateway that this one does not know.
    #[error("the record has a version that is not known")]
    UnknownVersion,
}

/// The operator keys a gateway seals and opens with.
///
/// Without a primary key records are sealed under the cookie's secret alone. That is enough for a store that nobody
/// else can write to, such as the embedded one; it is not for a shared Redis (see `key.rs`).
#[derive(Debug, Clone, Default)]
pub struct SealKeys {
    primary: Option<SecretBytes>,
    accepted: Vec<SecretBytes>,
}

impl SealKeys {
    /// `primary` seals and opens, `accepted` only opens: the keys of yesterday while their sessions live (F10).
    ///
    /// Once there is a primary key, records without one are refused. If they were accepted, the key would protect
    /// nothing: a writer of the store would simply seal without it.
    pub fn new(primary: Option<SecretBytes>, accepted: Vec<SecretBytes>) -> Self {
        Self { primary, accepted }
    }

    /// The primary key alone, for records that must not outlive a change of it.
    #[must_use]
    pub fn primary_alone(&self) -> Self {
        Self { primary: self.primary.clone(), accepted: Vec::new() }
    }

    /// Whether new records carry an operator key. Config asks, to warn when a shared store has none.
    pub fn has_primary(&self) -> bool {
        self.primary.is_some()
    }
}

struct NamedKey {
    id: [u8; 4],
    key: Option<SecretBytes>,
    /// Marks session ids.
    marks: SecretBytes,
    /// Names people.
    persons: SecretBytes,
    /// Names their sessions at providers.
    provider_sessions: SecretBytes,
}

/// Random bytes at the beginning of a session id; the rest is its mark.
const ID_DRAWN: usize = 24;

impl NamedKey {
    fn of(key: Option<SecretBytes>) -> Self {
        let secret = key.as_ref().map_or(NO_KEY_SALT, |key| key.expose());
        let derived = |purpose: &[u8]| derive_key(secret, b"zengate names v1", &[purpose]);
        let (marks, persons) = (derived(b"session ids"), derived(b"people"));
        let provider_sessions = derived(b"sessions at providers");
        Self { id: key.as_ref().map_or(NO_KEY, key_id), marks, persons, provider_sessions, key }
    }

    fn mark(&self, drawn: &[u8]) -> [u8; 32 - ID_DRAWN] {
        secret::hmac_sha256(self.marks.expose(), drawn).first_chunk().copied().unwrap_or_default()
    }

    fn salt(&self) -> &[u8] {
        self.key.as_ref().map_or(NO_KEY_SALT, |key| key.expose())
    }
}

/// Seals and opens records. Costs about 5 µs a record, and is not on the path of a request whose session is cached.
pub struct Sealer {
    primary: NamedKey,
    accepted: Vec<NamedKey>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("accepted", &self.accepted.len()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Readies `keys` for use.
    pub fn new(keys: SealKeys) -> Self {
        let accepted = keys.accepted.into_iter().map(|key| NamedKey::of(Some(key))).collect();
        Self { primary: NamedKey::of(keys.primary), accepted }
    }

    /// Draws a new session id: 24 random bytes, and 8 that only holders of the operator key can tell. An id without them
    /// was made up, and is refused before any store is asked: made-up cookies would otherwise cost a look-up each.
    pub fn new_id(&self, entropy: &dyn Entropy) -> SessionId {
        let mut bytes = [0; 32];
        let (drawn, mark) = bytes.split_at_mut(ID_DRAWN);
        entropy.fill(drawn);
        mark.copy_from_slice(&self.primary.mark(drawn));
        SessionId(SecretBytes::new(bytes))
    }

    /// Whether `id` was drawn by a gateway with one of our keys.
    pub fn has_made(&self, id: &SessionId) -> bool {
        let (drawn, mark) = id.secret().expose().split_at(ID_DRAWN);
        let keys = std::iter::once(&self.primary).chain(&self.accepted);
        keys.fold(false, |known, key| known | secret::constant_time_eq(mark, &key.mark(drawn)))
    }

    /// What names the set of a person's sessions in a store: nobody without the operator key can tell whose it is.
    pub fn person_key(&self, identity: &Identity) -> StoreKey {
        pair_key(&self.primary.persons, identity.issuer(), identity.subject())
    }

    /// Every name that the set of the sessions of `subject` at `issuer` may have: those of sessions that were opened under
    /// an earlier operator key as well.
    pub fn person_keys(&self, issuer: &str, subject: &str) -> Vec<StoreKey> {
        let known = std::iter::once(&self.primary).chain(&self.accepted);
        known.map(|key| pair_key(&key.persons, issuer, subject)).collect()
    }

    /// What names the set of the sessions that were opened in the session `sid` at `issuer`.
    pub fn provider_session_key(&self, issuer: &str, sid: &str) -> StoreKey {
        pair_key(&self.primary.provider_sessions, issuer, sid)
    }

    /// As [`Sealer::person_keys`], for a session at a provider.
    pub fn provider_session_keys(&self, issuer: &str, sid: &str) -> Vec<StoreKey> {
        let known = std::iter::once(&self.primary).chain(&self.accepted);
        known.map(|key| pair_key(&key.provider_sessions, issuer, sid)).collect()
    }

    /// Seals a session under its own id.
    pub fn seal_session(&self, id: &SessionId, session: &Session, entropy: &dyn Entropy) -> Vec<u8> {
        let record = SessionRecord {
            parts: session.identity.parts(),
            created: session.created.as_millis(),
            last_seen: session.last_seen.as_millis(),
            parent: session.parent().map(|key| key.0),
            host: session.host().to_owned(),
            ends_with_browser: session.ends_with_browser(),
            standing: session.standing(),
            checked: (session.checked != session.created).then(|| session.checked.as_millis()),
        };
        // Strings, integers and lists always serialise; if ever not, an empty plaintext opens as `Corrupt`.
        let plaintext = Zeroizing::new(serde_json::to_vec(&record).unwrap_or_default());
        self.seal(Kind::Session, id.store_key(), id.secret().expose(), &plaintext, entropy)
    }

    /// Opens the session that [`Sealer::seal_session`] sealed for the same id.
    pub fn open_session(&self, id: &SessionId, record: &[u8]) -> Result<Session, SealError> {
        let plaintext = self.open(Kind::Session, id.store_key(), id.secret().expose(), record)?;
        let record: OpenedRecord = serde_json::from_slice(&plaintext).map_err(|_| SealError::Corrupt)?;
        let time = |at: u64| -> Result<SystemTime, SealError> {
            Timestamp::from_millis(at).to_system_time().ok_or(SealError::Corrupt)
        };
        let (created, last_seen) = (time(record.created)?, time(record.last_seen)?);
        let mut session = Session::restore(record.parts, created, last_seen, record.parent.map(StoreKey));
        session.opened_on(&record.host);
        if let Some(checked) = record.checked {
            session.checked_at(time(checked)?);
        }
        if record.ends_with_browser {
            session.end_with_browser();
        }
        if let Some(standing) = record.standing {
            session.stands(standing);
        }
        Ok(session)
    }

    /// Keys for `purpose` that only a holder of an operator key of ours can derive from `secret`: the first for what is
    /// made now, all of them for what is recognised.
    pub fn keys_for<'a>(&'a self, purpose: &'a str, secret: &'a [u8; 32]) -> impl Iterator<Item = SecretBytes> + 'a {
        let known = std::iter::once(&self.primary).chain(&self.accepted);
        known.map(move |key| derive_key(secret, key.salt(), &[b"zengate key v1 ", purpose.as_bytes()]))
    }

    /// Seals `plaintext` for the place (`kind`, `key`) under `secret`, which only the person's cookie holds.
    pub fn seal(
        &self,
        kind: Kind,
        key: StoreKey,
        secret: &[u8; 32],
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Vec<u8> {
        let id = self.primary.id;
        let sealed = secret::seal(&sealing_key(&self.primary, kind, secret), &aad(kind, id, key), plaintext, entropy);
        let mut record = Vec::with_capacity(1 + id.len() + sealed.len());
        record.push(VERSION);
        record.extend_from_slice(&id);
        record.extend_from_slice(&sealed);
        record
    }

    /// Opens what [`Sealer::seal`] made for the same place and secret.
    pub fn open(
        &self,
        kind: Kind,
        key: StoreKey,
        secret: &[u8; 32],
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&version, rest) = record.split_first().ok_or(SealError::Corrupt)?;
        if version != VERSION {
            return Err(SealError::UnknownVersion);
        }
        let (&id, sealed) = rest.split_first_chunk::<4>().ok_or(SealError::Corrupt)?;
        let mut fault = SealError::UnknownKey;
        for candidate in std::iter::once(&self.primary).chain(&self.accepted).filter(|known| known.id == id) {
            match secret::open(&sealing_key(candidate, kind, secret), &aad(kind, id, key), sealed) {
                Some(plaintext) => return Ok(plaintext),
                None => fault = SealError::Corrupt,
            }
        }
        Err(fault)
    }
}

/// A name for two texts that nobody without `key` can make; no two pairs share one.
fn pair_key(key: &SecretBytes, first: &str, second: &str) -> StoreKey {
    let length = u64::try_from(first.len()).unwrap_or(u64::MAX).to_le_bytes();
    StoreKey(secret::hmac_sha256(key.expose(), &[&length[..], first.as_bytes(), second.as_bytes()].concat()))
}

fn sealing_key(operator: &NamedKey, kind: Kind, secret: &[u8; 32]) -> SecretBytes {
    derive_key(secret, operator.salt(), &[b"zengate record v1", kind.as_str().as_bytes()])
}

/// What a record is bound to besides its key. Every part but the kind has a fixed length, so no two places share one.
fn aad(kind: Kind, id: [u8; 4], key: StoreKey) -> Vec<u8> {
    [&[VERSION][..], &id, &key.0, kind.as_str().as_bytes()].concat()
}

/// The content of a session record. A field that a later version adds is ignored by this one; a field that changes its
/// meaning needs a new [`VERSION`].
#[derive(Serialize)]
struct SessionRecord<'a> {
    #[serde(rename = "who")]
    parts: IdentityParts,
    created: u64,
    #[serde(rename = "seen")]
    last_seen: u64,
    #[serde(default, rename = "of", skip_serializing_if = "Option::is_none")]
    parent: Option<[u8; 32]>,
    #[serde(rename = "at")]
    host: String,
    #[serde(rename = "browser", skip_serializing_if = "std::ops::Not::not")]
    ends_with_browser: bool,
    #[serde(rename = "stands", skip_serializing_if = "Option::is_none")]
    standing: Option<&'a Standing>,
    /// Absent for one that was not confirmed since it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<u64>,
}

#[derive(Deserialize)]
struct OpenedRecord {
    #[serde(rename = "who")]
    parts: IdentityParts,
    created: u64,
    #[serde(rename = "seen")]
    last_seen: u64,
    #[serde(default, rename = "of")]
    parent: Option<[u8; 32]>,
    /// Of a record that does not say it: no host at all.
    #[serde(default, rename = "at")]
    host: String,
    #[serde(default, rename = "browser")]
    ends_with_browser: bool,
    #[serde(default, rename = "stands")]
    standing: Option<Standing>,
    #[serde(default)]
    checked: Option<u64>,
}

#[cfg(test)]
mod tests;
