//! The rules an ID token or an access token can break, by name: what a log says, and what decides whose fault a failed
//! sign-in is. Whoever sends an access token is told `invalid_token` and no more.

use crate::oidc::jwt::JwtError;
use crate::oidc::read::WrongType;

/// Which rule a token broke; which kind of token it was, the log line says. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `at_hash` is there and is not that of the access token (C24).
    #[error("the token belongs to another access token")]
    AccessTokenMismatch,
    /// The token is fine, but the person was not authenticated as strongly as was asked: a matter of policy (C25).
    #[error("the authentication context that was asked for was not reached")]
    AcrNotMet,
    /// `alg` is not in the configured list, or is one that can never be (C12, C14, C15).
    #[error("the signature algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `aud` lacks our client id, or names none of our APIs, or somebody we do not trust beside us (C03, C04, K05).
    #[error("the token is not for us alone")]
    AudienceMismatch,
    /// Authentication is older than was asked for, in the future, or its time is missing (C26).
    #[error("the authentication is too old or its time is unknown")]
    AuthenticationTooOld,
    /// `azp` is there and is not our client id (C05).
    #[error("the token was issued to another party")]
    AuthorizedPartyMismatch,
    /// The header has `crit` (C20).
    #[error("the header demands an extension that is not understood")]
    CriticalHeader,
    /// A JWE, or a token inside a token (C21).
    #[error("the token is encrypted or nested")]
    Encrypted,
    /// `exp` has passed (C08, K10).
    #[error("the token has expired")]
    Expired,
    /// `iss` is not exactly the issuer of this sign-in, or of the rule (C02).
    #[error("the token is from another issuer")]
    IssuerMismatch,
    /// `cnf` binds an access token to a key, and proofs of keys are not checked here.
    #[error("the token is bound to a key, which is not checked here")]
    KeyBound,
    /// Not a signed token with JSON objects in it.
    #[error("the token is malformed")]
    Malformed,
    /// A required claim is absent: its name.
    #[error("the token has no `{0}`")]
    Missing(&'static str),
    /// `nonce` is not that of this sign-in (B10).
    #[error("the token belongs to another sign-in")]
    NonceMismatch,
    /// `iat` or `nbf` lies in the future (C10, C11).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `typ`, or what it says, is that of another kind of token (C22, K04).
    #[error("the token is of another kind")]
    OtherKind,
    /// The signature does not verify (C13).
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// `iat` is more than ten minutes ago (C10).
    #[error("the token is too old")]
    Stale,
    /// `sub` is empty, longer than 255 bytes or has control characters (C06).
    #[error("the subject is not usable")]
    SubjectInvalid,
    /// Longer than the most that is looked at; nothing was decoded (C33, K13).
    #[error("the token is too long")]
    TooLarge,
    /// No key of the issuer fits. May be worth one refresh of the key set.
    #[error("no key of the issuer fits the token")]
    UnknownKey,
    /// A claim has the wrong JSON type: its name (C11).
    #[error("the claim `{0}` has the wrong type")]
    WrongType(&'static str),
}

impl From<JwtError> for TokenError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::AlgorithmNotAllowed => Self::AlgorithmNotAllowed,
            JwtError::CriticalHeader => Self::CriticalHeader,
            JwtError::Encrypted => Self::Encrypted,
            JwtError::Malformed => Self::Malformed,
            JwtError::SignatureInvalid => Self::SignatureInvalid,
            JwtError::TooLarge => Self::TooLarge,
            JwtError::UnknownKey => Self::UnknownKey,
        }
    }
}

impl From<WrongType> for TokenError {
    fn from(WrongType(name): WrongType) -> Self {
        Self::WrongType(name)
    }
}
