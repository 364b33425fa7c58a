//! The rules an access token can break, by name: what a log says. The caller is told `invalid_token` and no more.

use crate::oidc::jwt::JwtError;
use crate::oidc::read::WrongType;

/// Which rule an access token broke. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    /// `alg` is not in the configured list, or is one that can never be.
    #[error("the signature algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `aud` names none of our APIs, or somebody we do not trust beside one (K05).
    #[error("the access token is not for this API alone")]
    AudienceMismatch,
    /// The header has `crit`.
    #[error("the header demands an extension that is not understood")]
    CriticalHeader,
    /// A JWE, or a token inside a token.
    #[error("the access token is encrypted or nested")]
    Encrypted,
    /// `exp` has come (K10).
    #[error("the access token has expired")]
    Expired,
    /// `iss` is not exactly the issuer of the rule.
    #[error("the access token is from another issuer")]
    IssuerMismatch,
    /// `cnf` binds the token to a key, and proofs of keys are not checked here.
    #[error("the access token is bound to a key, which is not checked here")]
    KeyBound,
    /// Not a signed token with JSON objects in it.
    #[error("the access token is malformed")]
    Malformed,
    /// A required claim is absent: its name (K06).
    #[error("the access token has no `{0}`")]
    Missing(&'static str),
    /// `iat` or `nbf` lies in the future.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// `typ`, or what it says, is that of another kind of token (K04).
    #[error("the token is no access token")]
    OtherKind,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// `sub` is empty, longer than 255 bytes or has control characters.
    #[error("the subject is not usable")]
    SubjectInvalid,
    /// More than 16 KiB; nothing was decoded (K13).
    #[error("the access token is too long")]
    TooLarge,
    /// No key of the issuer fits.
    #[error("no key of the issuer fits the access token")]
    UnknownKey,
    /// A claim has the wrong JSON type: its name.
    #[error("the claim `{0}` has the wrong type")]
    WrongType(&'static str),
}

impl From<JwtError> for AccessTokenError {
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

impl From<WrongType> for AccessTokenError {
    fn from(WrongType(name): WrongType) -> Self {
        Self::WrongType(name)
    }
}
