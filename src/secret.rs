//! Secrets, randomness and the few cryptographic primitives everything else stands on.
//!
//! `aws-lc-rs` lives here and nowhere else in the product (the JWT crate uses it on its own). Secret types cannot be
//! formatted: `Debug` prints a fixed word, there is no `Display`, and memory is wiped on drop.

pub mod signing;

use std::fmt;

use aws_lc_rs::{aead, constant_time, digest, hkdf, hmac, rand, signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// A text that must never appear in a log, a metric, an error or a page: client secret, token, code, verifier.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Wraps `text`; the caller should not keep another copy.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. Named so that a reviewer can search for every place that looks inside.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// 32 secret bytes: a session id, a browser secret, a sealing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<[u8; 32]>);

impl SecretBytes {
    /// Wraps existing bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws 32 fresh bytes.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self::new(bytes)
    }

    /// Reads the unpadded base64url form that [`SecretBytes::to_text`] writes: exactly 43 characters, canonical.
    pub fn parse(text: impl AsRef<[u8]>) -> Option<Self> {
        if text.as_ref().len() != 43 {
            return None;
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        let written = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()).ok()?;
        (written == 32).then_some(Self(bytes))
    }

    /// Unpadded base64url, 43 characters.
    pub fn to_text(&self) -> SecretString {
        SecretString::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where randomness comes from. An argument everywhere, so that a test can choose it.
pub trait Entropy: Send + Sync {
    /// Fills `into` with unpredictable bytes.
    fn fill(&self, into: &mut [u8]);
}

/// The operating system's generator, by way of `aws-lc-rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::expect_used, reason = "a machine without randomness must not go on; no input reaches this")]
    fn fill(&self, into: &mut [u8]) {
        rand::fill(into).expect("the operating system's random generator answers");
    }
}

/// `N` random bytes as unpadded base64url: states, nonces, verifiers.
pub fn random_text<const N: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = Zeroizing::new([0_u8; N]);
    entropy.fill(bytes.as_mut_slice());
    URL_SAFE_NO_PAD.encode(bytes.as_slice())
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-256 of `parts`, one after the other. All but the last must have a fixed length: nothing marks where one ends.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// HMAC-SHA-256 of `data` under `key`.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&key, data).as_ref());
    out
}

/// Whether `signature` (two numbers of 66 bytes, RFC 7518, 3.4) is that of the P-521 key at `point` (uncompressed) over
/// the SHA-512 of `message`.
pub fn verify_p521_sha512(point: &[u8], message: &[u8], signature: &[u8]) -> bool {
    signature::UnparsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point).verify(message, signature).is_ok()
}

/// Equality whose duration does not depend on where the inputs differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// HKDF-SHA-256 (RFC 5869): a 32-byte key from `secret`, bound to `salt` and `info`.
#[expect(clippy::expect_used, reason = "the output length is a constant the algorithm allows")]
pub fn derive_key(secret: &[u8], salt: &[u8], info: &[&[u8]]) -> SecretBytes {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut out = [0; 32];
    prk.expand(info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut out)).expect("32 bytes is one HKDF-SHA-256 block");
    SecretBytes::new(out)
}

/// AES-256-GCM: nonce (12 bytes, drawn here) followed by ciphertext and tag. `aad` is authenticated, not stored.
#[expect(clippy::expect_used, reason = "the key length is fixed by its type and the plaintext is far below the limit")]
pub fn seal(key: &SecretBytes, aad: &[u8], plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
    let mut nonce = [0_u8; aead::NONCE_LEN];
    entropy.fill(&mut nonce);
    let unbound = aead::UnboundKey::new(&aead::AES_256_GCM, key.expose()).expect("a 32-byte key fits AES-256-GCM");
    let key = aead::LessSafeKey::new(unbound);
    let mut out = Vec::with_capacity(aead::NONCE_LEN + plaintext.len() + aead::AES_256_GCM.tag_len());
    out.extend_from_slice(plaintext);
    key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(aad), &mut out)
        .expect("the plaintext is below the limit of AES-GCM");
    out.splice(0..0, nonce);
    out
}

/// Opens what [`seal`] made; `None` if the key, the `aad` or a single bit differs.
pub fn open(key: &SecretBytes, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, key.expose()).ok()?);
    let mut body = Zeroizing::new(body.to_vec());
    let length =
        key.open_in_place(aead::Nonce::assume_unique_for_key(*nonce), aead::Aad::from(aad), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_formatted() {
        let secret = SecretString::new("canary");
        let bytes = SecretBytes::new([7; 32]);
        assert_eq!(format!("{secret:?} {bytes:?}"), "(secret) (secret)");
    }

    #[test]
    fn only_the_canonical_text_of_an_id_is_read() {
        let id = SecretBytes::generate(&SystemEntropy);
        let text = id.to_text();
        assert_eq!(SecretBytes::parse(text.expose()), Some(id));
        // The last character carries four unused bits: any other spelling of the same bytes is refused.
        assert_eq!(SecretBytes::parse("A".repeat(42)), None);
        assert_eq!(SecretBytes::parse(format!("{}B", "A".repeat(42))), None);
        assert!(SecretBytes::parse("A".repeat(43)).is_some());
        assert_eq!(SecretBytes::parse(format!("{}=", "A".repeat(43))), None);
    }

    #[test]
    fn what_was_sealed_opens_only_with_its_key_and_its_place() {
        let key = SecretBytes::generate(&SystemEntropy);
        let sealed = seal(&key, b"place", b"text", &SystemEntropy);
        assert_eq!(open(&key, b"place", &sealed).unwrap().as_slice(), b"text");
        assert!(open(&key, b"other place", &sealed).is_none());
        assert!(open(&SecretBytes::generate(&SystemEntropy), b"place", &sealed).is_none());
        for bit in 0..sealed.len() * 8 {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, b"place", &bent).is_none(), "bit {bit}");
        }
    }
}
