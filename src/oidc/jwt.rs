//! Signed tokens (RFC 7515, RFC 7519): what a header may say, and the one way to the claims, through a signature.

use super::jwks::Kind;

/// Signature algorithms that can be allowed. There is no word here for `none` or for the HMAC family, so no
/// configuration and no token can ask for them (RFC 8725, 3.1 and 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 7518, 3.1 and RFC 8037")]
pub enum Algorithm {
    EdDsa,
    Es256,
    Es384,
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    /// Reads a name, case-sensitively (RFC 7515, 4.1.1); `None` for what can never be allowed.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "EdDSA" => Self::EdDsa,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            _ => return None,
        })
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::EdDsa => Kind::Ed25519,
            Self::Es256 => Kind::P256,
            Self::Es384 => Kind::P384,
            Self::Ps256 | Self::Ps384 | Self::Ps512 | Self::Rs256 | Self::Rs384 | Self::Rs512 => Kind::Rsa,
        }
    }
}

/// Whether `kid` is a key id at all: 1 to 256 bytes without control characters. It is only ever compared.
pub(super) fn is_kid(kid: &str) -> bool {
    !kid.is_empty() && kid.len() <= 256 && !kid.chars().any(char::is_control)
}
