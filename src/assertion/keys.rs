//! Keys, which of them signs, and which are published: a key is known before it signs and for as long as what it signed lives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Purpose;
use crate::ground::time::Timestamp;
use crate::secret::SecretString;
use crate::secret::signing::{SigningAlgorithm, SigningKey};

/// How long a new key is published before it signs: whoever keeps the set for less has it by then.
pub const LEAD: Duration = Duration::from_secs(3600);

/// How long a key is published after another one signs: longer than any statement lives.
pub const TAIL: Duration = Duration::from_secs(3600);

/// A key for statements: P-256.
#[derive(Clone)]
pub struct AssertionKey {
    signing: Arc<SigningKey>,
    kid: String,
}

impl AssertionKey {
    /// Reads a PEM file with one private key; `None` if it is none for P-256.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let signing = SigningKey::from_pem(pem).filter(|key| key.algorithm() == SigningAlgorithm::Es256)?;
        let kid = signing.thumbprint();
        Some(Self { signing: Arc::new(signing), kid })
    }

    /// Its id: the thumbprint of RFC 7638.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl PartialEq for AssertionKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
    }
}

impl Eq for AssertionKey {}

/// One key of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: AssertionKey,
    /// As it is kept; empty for one that we do not keep.
    pub(super) pem: SecretString,
    /// When it was made.
    pub(super) made: Timestamp,
}

/// Keys, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRing {
    pub(super) members: Vec<Member>,
}

impl KeyRing {
    /// Keys of the operator's own, the one that signs first. They are rotated by whoever writes the files.
    pub fn of_files(keys: Vec<AssertionKey>) -> Self {
        // The last one signs.
        let members =
            keys.into_iter().rev().map(|key| Member { key, pem: SecretString::new(""), made: Timestamp::default() });
        Self { members: members.collect() }
    }

    /// The key that signs: the newest that has been published for [`LEAD`], or the only one.
    fn signer(&self, now: Timestamp) -> Option<&Member> {
        let known = self.members.iter().rev().find(|member| member.made.plus(LEAD) <= now);
        known.or(self.members.first())
    }

    /// Whether the newest is so old that another one is to be made.
    pub(super) fn is_due(&self, rotate: Duration, now: Timestamp) -> bool {
        self.members.last().is_none_or(|newest| now.since(newest.made) >= rotate)
    }

    /// The ring without what nobody needs any more, and with `new`.
    pub(super) fn rotated(&self, new: Member, now: Timestamp) -> Self {
        let mut members: Vec<Member> = Vec::with_capacity(self.members.len() + 1);
        for (place, member) in self.members.iter().enumerate() {
            let next = self.members.get(place + 1);
            if next.is_none_or(|next| next.made.plus(LEAD).plus(TAIL) > now) {
                members.push(member.clone());
            }
        }
        members.push(new);
        Self { members }
    }

    /// The public halves, as a key set (RFC 7517).
    pub fn published(&self) -> String {
        let keys: Vec<Value> = self.members.iter().rev().map(|member| member.key.signing.public_jwk()).collect();
        json!({ "keys": keys }).to_string()
    }

    /// Signs `claims` for `purpose`: a compact JWS. `None` if there is no key yet.
    pub fn sign(&self, purpose: Purpose, claims: &Value, now: Timestamp) -> Option<SecretString> {
        let key = &self.signer(now)?.key;
        let header = json!({ "alg": "ES256", "kid": key.kid, "typ": purpose.typ() });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = key.signing.sign(message.as_bytes())?;
        Some(SecretString::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
