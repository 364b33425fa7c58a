//! Who a person is, as far as an issuer vouched for it.
//!
//! An [`Identity`] has exactly four birth places: a verified ID token at the end of a sign-in
//! ([`Identity::from_verified`]), an account that a provider's API described at the end of one
//! ([`Identity::from_api_account`]), a verified access token that came with a request ([`Identity::from_access_token`])
//! and a session record opened by the store (`Identity::restore`). Nothing else that a browser or an upstream says can
//! make one.

mod api_account;
mod contact;
pub mod headers;
mod packed;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::oidc::acr::Assurance;
pub use crate::oidc::claims::ClaimValue;
use crate::oidc::claims::{Claims, LeftOut, Reading, Why};
pub use api_account::ApiAccount;
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
    /// What `acr` assures, as the configuration of the day of the sign-in had it; `None` if nobody says so. A record that
    /// does not say it was written before there was a ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// Authentication methods.
    pub amr: Vec<String>,
    /// When the person authenticated, seconds since 1970.
    pub auth_time: Option<i64>,
    /// Further claims: of the ID token, and of userinfo when attributes were wanted. ZenKey's nested
    /// `{"value": …}` is flattened: `name`, `given_name`, `family_name`, `email`, `phone_number`, `postal_code`, ….
    pub claims: BTreeMap<String, ClaimValue>,
    /// Whether e-mail addresses and phone numbers count that the issuer itself calls unverified. A record that does not
    /// say so was written for `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_unverified: bool,
    /// Whether an e-mail address of which the issuer does not say whether it was verified counts as verified. A record
    /// that does not say so was written for `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent_is_verified: bool,
}

/// What is known about whether an e-mail address was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailWord {
    /// Nobody says anything.
    Absent,
    /// The issuer says that it was not.
    Unverified,
    /// It was.
    Verified,
}

/// What is still missing, or not whole, when all answers are put together.
fn still_left_out(noted: impl Iterator<Item = LeftOut>, claims: &BTreeMap<String, ClaimValue>) -> Vec<LeftOut> {
    let mut left_out: Vec<LeftOut> = Vec::new();
    for note in noted {
        let is_there = note.why != Why::Elements && claims.contains_key(&note.claim);
        if !is_there && !left_out.contains(&note) {
            left_out.push(note);
        }
    }
    left_out
}

/// A verified person. Private inside; see the module's page for its four birth places.
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
    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Birth place one: the end of a sign-in. `token` is the proof; `userinfo` comes from an answer whose `sub` was
    /// compared with the token's, and never overrides what the token itself says. Beside the identity: what the
    /// configuration names and is not in it, or not whole.
    pub fn from_verified(
        token: &crate::oidc::id_token::VerifiedIdToken,
        mccmnc: Option<String>,
        assurance: Option<Assurance>,
        userinfo: Claims,
        reading: Reading<'_>,
    ) -> (Self, Vec<LeftOut>) {
        let told = token.claims(reading);
        let mut claims = userinfo.values;
        contact::join(&mut claims, &told.values);
        let left_out = still_left_out(told.left_out.into_iter().chain(userinfo.left_out), &claims);
        let identity = Self::restore(IdentityParts {
            issuer: token.issuer().to_owned(),
            subject: token.subject().to_owned(),
            mccmnc,
            acr: token.acr().map(str::to_owned),
            assurance,
            amr: token.amr().to_vec(),
            auth_time: token.auth_time(),
            claims,
            accept_unverified: reading.rules.accept_unverified,
            absent_is_verified: reading.rules.absent_is_verified,
        });
        (identity, left_out)
    }

    /// Birth place two: the end of a sign-in with a provider that issues no ID tokens. Its API was asked with the access
    /// token that our code was redeemed for. It has no authentication context and no time of authentication, and so never
    /// meets a demand for either.
    pub fn from_api_account(account: &ApiAccount) -> Self {
        Self::restore(IdentityParts {
            issuer: account.issuer().to_owned(),
            subject: account.subject().to_owned(),
            mccmnc: None,
            acr: None,
            assurance: None,
            amr: Vec::new(),
            auth_time: None,
            claims: account.claims().clone(),
            accept_unverified: false,
            absent_is_verified: false,
        })
    }

    /// Birth place three: an access token that came with this very request. It names whoever the issuer named in it, a
    /// person or a program, for as long as the token lives; nothing of it is stored. Beside the identity: what the
    /// configuration names and is not in it, or not whole.
    pub fn from_access_token(
        token: &crate::oidc::access_token::VerifiedAccessToken,
        assurance: Option<Assurance>,
        reading: Reading<'_>,
    ) -> (Self, Vec<LeftOut>) {
        let told = token.claims(reading);
        let identity = Self::restore(IdentityParts {
            issuer: token.issuer().to_owned(),
            subject: token.subject().to_owned(),
            mccmnc: None,
            acr: token.acr().map(str::to_owned),
            assurance,
            amr: token.amr().to_vec(),
            auth_time: token.auth_time(),
            claims: told.values,
            accept_unverified: reading.rules.accept_unverified,
            absent_is_verified: reading.rules.absent_is_verified,
        });
        (identity, told.left_out)
    }

    /// Birth place four: a session record that the store sealed and has just opened again.
    ///
    /// All end here, so an address that its issuer calls unverified is left out of every identity: no header, no
    /// rule and no answer of ours can see it, whatever reads claims one day.
    pub(crate) fn restore(mut parts: IdentityParts) -> Self {
        if !parts.accept_unverified {
            contact::leave_out_unverified(&mut parts.claims);
        }
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

    /// See [`IdentityParts::assurance`].
    pub fn assurance(&self) -> Option<Assurance> {
        self.head().assurance
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

    /// Whether the issuer calls an e-mail address or a phone number of this person unverified and it was left out.
    pub fn lacks_unverified(&self) -> bool {
        let parts = self.parts();
        let denied = |word: &str| parts.claims.get(word).is_some_and(|said| !contact::says_yes(said));
        !parts.accept_unverified && contact::CONTACTS.iter().any(|(word, _)| denied(word))
    }

    /// Whether the e-mail address is verified: by the issuer's word or, where it says nothing, by the operator's about the
    /// issuer.
    pub fn email_is_verified(&self) -> EmailWord {
        let head = self.head();
        match head.claim("email_verified") {
            Some(ClaimRef::Bool(true)) => EmailWord::Verified,
            Some(_) => EmailWord::Unverified,
            None if head.absent_is_verified => EmailWord::Verified,
            None => EmailWord::Absent,
        }
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
