//! Signature algorithms, and the kind of key that each needs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use jsonwebtoken::jwk::ThumbprintHash;

/// Signature algorithms that can be allowed. There is no word here for `none` or for the HMAC family, so no
/// configuration and no token can ask for them: with HMAC whoever reads the public key could sign (RFC 8725, 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 7518, 3.1 and RFC 8037, 3.1")]
pub enum Algorithm {
    EdDsa,
    Es256,
    Es384,
    Es512,
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    /// Reads a name, case-sensitively (RFC 7515, 4.1.1); `None` for what can never be allowed. `Ed25519` is RFC 9864's name
    /// for the one kind of `EdDSA` that is known here: both mean the same.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            _ => return None,
        })
    }

    /// The name that [`Algorithm::parse`] reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// Whether one of the configured names means this algorithm.
    pub(in crate::oidc) fn is_among(self, names: &[String]) -> bool {
        names.iter().any(|name| Self::parse(name) == Some(self))
    }

    /// Whether a key that its document keeps for `only` may verify this algorithm: the same one, or one that differs by the
    /// hash alone. Several issuers write `RS512` beside a key that signs `RS256`; between the two paddings of RSA a key is
    /// never shared (RFC 8017, 8: a key should not be used with both).
    pub(in crate::oidc) fn may_use_key_of(self, only: Self) -> bool {
        self == only || matches!((self.padding(), only.padding()), (Some(ours), Some(theirs)) if ours == theirs)
    }

    fn padding(self) -> Option<&'static str> {
        match self {
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Some("PSS"),
            Self::Rs256 | Self::Rs384 | Self::Rs512 => Some("PKCS #1"),
            Self::EdDsa | Self::Es256 | Self::Es384 | Self::Es512 => None,
        }
    }

    /// The kind of key it needs. A curve belongs to exactly one algorithm (RFC 7518, 3.4).
    pub(in crate::oidc) fn kind(self) -> Kind {
        match self {
            Self::EdDsa => Kind::Ed25519,
            Self::Es256 => Kind::P256,
            Self::Es384 => Kind::P384,
            Self::Es512 => Kind::P521,
            Self::Ps256 | Self::Ps384 | Self::Ps512 | Self::Rs256 | Self::Rs384 | Self::Rs512 => Kind::Rsa,
        }
    }

    /// The left half of the hash of `text`, base64url: `at_hash` and `c_hash` (Core 3.1.3.6). The hash is that of the
    /// algorithm. For Ed25519 no specification names one: issuers write SHA-512, and some SHA-256, so there are two.
    /// None only if the crypto library refuses to hash.
    pub(in crate::oidc) fn left_half_hashes(self, text: &str) -> impl Iterator<Item = String> {
        let hashes: &'static [ThumbprintHash] = match self {
            Self::Es256 | Self::Ps256 | Self::Rs256 => &[ThumbprintHash::SHA256],
            Self::Es384 | Self::Ps384 | Self::Rs384 => &[ThumbprintHash::SHA384],
            Self::Es512 | Self::Ps512 | Self::Rs512 => &[ThumbprintHash::SHA512],
            Self::EdDsa => &[ThumbprintHash::SHA512, ThumbprintHash::SHA256],
        };
        hashes.iter().filter_map(move |hash| {
            let digest = crypto::aws_lc::DEFAULT_PROVIDER.key_utils.compute_digest;
            let digest = digest(text.as_bytes(), hash.clone()).ok()?;
            Some(URL_SAFE_NO_PAD.encode(digest.get(..digest.len() / 2)?))
        })
    }

    /// The library's name; none for ES512, which it does not know.
    pub(in crate::oidc) fn library(self) -> Option<jsonwebtoken::Algorithm> {
        Some(match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Es512 => return None,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Ps384 => jsonwebtoken::Algorithm::PS384,
            Self::Ps512 => jsonwebtoken::Algorithm::PS512,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
        })
    }
}

/// What a key can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oidc) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
}
