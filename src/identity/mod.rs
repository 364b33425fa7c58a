//! Who a person is, as far as an issuer vouched for it.
//!
//! An [`Identity`] has exactly three birth places: a verified ID token at the end of a sign-in
//! ([`Identity::from_verified`]), a verified access token that came with a request ([`Identity::from_access_token`])
//! and a session record opened by the store (`Identity::restore`). Nothing else that a browser or an upstream says can
//! make one.

pub mod headers;
mod packed;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use crate::oidc::claims::ClaimValue;
pub use packed::{ClaimRef, Texts};
use serde::{Deserialize, Serialize};

/// The parts an [`Identity`] is made of; plain data, without any claim to be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityParts {
    /// `iss` of the token: together with `subject` the only key of a person (OpenID Connect Core 5.7).
    pub issuer: String,
    /// `sub` of the token; opaque, at most 255 bytes, no control characters.
    pub subject: String,
    /// The carrier's six-digit code, when sign-in went through carrier discovery.
    pub mccmnc: Option<String>,
    /// Authentication context, ZenKey's `aalN` already mapped to `aN` (dossier 20, row 10).
    pub acr: Option<String>,
    /// Authentication methods.
    pub amr: Vec<String>,
    /// When the person authenticated, seconds since 1970.
    pub auth_time: Option<i64>,
    /// Further claims: of the ID token, and of userinfo when attributes were wanted. ZenKey's nested
    /// `{"value": …}` is flattened: `name`, `given_name`, `family_name`, `email`, `phone_number`, `postal_code`, ….
    pub claims: BTreeMap<String, ClaimValue>,
}

/// A verified person. Private inside; see the module's page for its three birth places.
///
/// Kept packed (`packed.rs`); cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Bytes);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.parts()).finish()
    }
}

impl Identity {
    /// Birth place one: the end of a sign-in. `token` is the proof; `claims` come from a userinfo answer whose `sub`
    /// was compared with the token's, and never override what the token itself says.
    pub fn from_verified(
        token: &crate::oidc::id_token::VerifiedIdToken,
        mccmnc: Option<String>,
        claims: BTreeMap<String, ClaimValue>,
    ) -> Self {
        let mut all = claims;
        // A word that vouches for an address vouches for the one it came with. If the token brings an address of its own,
        // userinfo's word about another one must not be taken for it (C29).
        for (address, word) in [("email", "email_verified"), ("phone_number", "phone_number_verified")] {
            if token.claims().contains_key(address) && all.get(address) != token.claims().get(address) {
                all.remove(word);
            }
        }
        for (name, value) in token.claims() {
            all.insert(name.clone(), value.clone());
        }
        Self::restore(IdentityParts {
            issuer: token.issuer().to_owned(),
            subject: token.subject().to_owned(),
            mccmnc,
            acr: token.acr().map(str::to_owned),
            amr: token.amr().to_vec(),
            auth_time: token.auth_time(),
            claims: all,
        })
    }

    /// Birth place two: an access token that came with this very request. It names whoever the issuer named in it, a
    /// person or a program, for as long as the token lives; nothing of it is stored.
    pub fn from_access_token(token: &crate::oidc::access_token::VerifiedAccessToken) -> Self {
        Self::restore(IdentityParts {
            issuer: token.issuer().to_owned(),
            subject: token.subject().to_owned(),
            mccmnc: None,
            acr: token.acr().map(str::to_owned),
            amr: token.amr().to_vec(),
            auth_time: token.auth_time(),
            claims: token.claims().clone(),
        })
    }

    /// Birth place three: a session record that the store sealed and has just opened again.
    pub(crate) fn restore(parts: IdentityParts) -> Self {
        // Copied, not cut to size: allocators leave a block that is cut as large as it was.
        Self(Bytes::copy_from_slice(&packed::pack(&parts)))
    }

    /// The parts, unpacked: for the store to seal, and wherever a copy does not matter.
    pub fn parts(&self) -> IdentityParts {
        self.head().unpack()
    }

    /// See [`IdentityParts::issuer`].
    pub fn issuer(&self) -> &str {
        self.head().issuer
    }

    /// See [`IdentityParts::subject`].
    pub fn subject(&self) -> &str {
        self.head().subject
    }

    /// See [`IdentityParts::mccmnc`].
    pub fn mccmnc(&self) -> Option<&str> {
        self.head().mccmnc
    }

    /// See [`IdentityParts::acr`].
    pub fn acr(&self) -> Option<&str> {
        self.head().acr
    }

    /// See [`IdentityParts::amr`].
    pub fn amr(&self) -> Texts<'_> {
        self.head().amr
    }

    /// See [`IdentityParts::auth_time`].
    pub fn auth_time(&self) -> Option<i64> {
        self.head().auth_time
    }

    /// One of [`IdentityParts::claims`].
    pub fn claim(&self, name: &str) -> Option<ClaimRef<'_>> {
        self.head().claim(name)
    }

    /// As it lies in memory.
    fn packed(&self) -> &[u8] {
        &self.0
    }

    /// The same identity at the beginning of `memory`, where a copy of [`Identity::packed`] lies.
    fn moved_to(&self, memory: &Bytes) -> Self {
        if memory.starts_with(&self.0) { Self(memory.slice(..self.0.len())) } else { self.clone() }
    }

    fn head(&self) -> packed::Head<'_> {
        packed::Head::read(&self.0)
    }
}
