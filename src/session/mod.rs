//! What we remember: sessions of people who are signed in, and sign-in attempts that are under way.
//!
//! A record in a store is worth nothing without the cookie: its key is a hash of the secret the cookie holds, and its
//! content is sealed under a key derived from that secret (see `seal.rs`). Carrier tokens are never part of a session.

pub mod cache;
pub mod embedded;
pub mod memory;
pub mod redis;
pub mod seal;
pub mod store;

use std::time::{Duration, SystemTime};

use crate::identity::{Identity, IdentityParts};
use crate::secret::{Entropy, SecretBytes, sha256};

/// The secret in the session cookie: 256 random bits, no meaning inside. A new one is drawn at every sign-in
/// (OWASP ASVS 7.2.4): keeping an old one would let whoever planted it share the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(SecretBytes);

impl SessionId {
    /// Draws a new id.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(SecretBytes::generate(entropy))
    }

    /// Reads a cookie value; `None` for anything that [`SessionId::to_text`] would not have written.
    pub fn parse(text: &str) -> Option<Self> {
        SecretBytes::parse(text).map(Self)
    }

    /// The cookie value.
    pub fn to_text(&self) -> crate::secret::SecretString {
        self.0.to_text()
    }

    /// Where the record lies: SHA-256 of the id. Store and cache know a session by this name only.
    pub fn store_key(&self) -> StoreKey {
        StoreKey(sha256(self.0.expose()))
    }

    /// The secret that the record's sealing key is derived from.
    pub fn secret(&self) -> &SecretBytes {
        &self.0
    }
}

/// Name of a record in a store: a hash, so that a dump of the store holds no usable id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey(pub [u8; 32]);

impl StoreKey {
    /// Lower-case hexadecimal, 64 characters: for keys in Redis.
    pub fn to_hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = String::with_capacity(64);
        for byte in self.0 {
            out.push(DIGITS[usize::from(byte >> 4)] as char);
            out.push(DIGITS[usize::from(byte & 15)] as char);
        }
        out
    }
}

/// How long sessions and sign-in attempts live. All enforced by us, with the gateway's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// A session unused for this long is over. Default 30 minutes.
    pub idle: Duration,
    /// A session older than this is over, used or not. Default 12 hours.
    pub absolute: Duration,
    /// A sign-in that is not finished within this time is over. Default 10 minutes.
    pub attempt: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(12 * 60 * 60),
            attempt: Duration::from_secs(10 * 60),
        }
    }
}

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    identity: Identity,
    /// When the sign-in ended well.
    pub created: SystemTime,
    /// When the session was last used, as far as the store knows (written at most once per touch interval).
    pub last_seen: SystemTime,
}

impl Session {
    /// Opens a session for `identity` at `now`.
    pub fn open(identity: Identity, now: SystemTime) -> Self {
        Self { identity, created: now, last_seen: now }
    }

    /// Restores a session from the parts a store kept; only `seal.rs` calls it.
    pub(crate) fn restore(parts: IdentityParts, created: SystemTime, last_seen: SystemTime) -> Self {
        Self { identity: Identity::restore(parts), created, last_seen }
    }

    /// Whose session it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the session may still be used at `now`, given when it was last used (`last_used` may be newer than
    /// `last_seen`, because uses are written to the store only now and then).
    pub fn is_live(&self, now: SystemTime, last_used: SystemTime, lifetimes: &Lifetimes) -> bool {
        now < self.created + lifetimes.absolute && now < last_used.max(self.last_seen) + lifetimes.idle
    }

    /// How long a store must keep the record if it is last used at `now`: until the earlier of both limits.
    pub fn keep_for(&self, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
        let absolute = (self.created + lifetimes.absolute).duration_since(now).unwrap_or_default();
        absolute.min(lifetimes.idle)
    }
}
