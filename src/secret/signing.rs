//! Private keys with which we sign for ourselves: read, made, used, and their public halves.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{SecretString, sha256};

/// What a key signs with, by its name in RFC 7518, 3.1 or RFC 8037, 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS #1 1.5 with SHA-256; keys that are made have 3072 bits.
    Rs256,
}

impl SigningAlgorithm {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// A private key. It cannot be formatted.
pub struct SigningKey(Pair);

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl SigningKey {
    /// Reads a PEM file with one key in PKCS #8 (`BEGIN PRIVATE KEY`): Ed25519, P-256, or RSA of 2048 bits or more. None for
    /// anything else.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let der = der.secret_pkcs8_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Some(Self(Pair::EdDsa(pair)));
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Some(Self(Pair::Es256(pair)));
        }
        RsaKeyPair::from_pkcs8(der).ok().map(|pair| Self(Pair::Rs256(pair)))
    }

    /// Makes a key, as the PEM text that [`SigningKey::from_pem`] reads. None only if the machine has no randomness to give.
    pub fn generate(algorithm: SigningAlgorithm) -> Option<SecretString> {
        let der: Zeroizing<Vec<u8>> = Zeroizing::new(match algorithm {
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?.as_ref().to_vec(),
            SigningAlgorithm::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                made.ok()?.as_ref().to_vec()
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).ok()?;
                let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
                der.as_ref().to_vec()
            }
        });
        let body = Zeroizing::new(STANDARD.encode(&*der));
        let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
        for line in body.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).ok()?);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Some(SecretString::new(pem.as_str()))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self.0 {
            Pair::EdDsa(_) => SigningAlgorithm::EdDsa,
            Pair::Es256(_) => SigningAlgorithm::Es256,
            Pair::Rs256(_) => SigningAlgorithm::Rs256,
        }
    }

    /// The signature of `message`, in the form that JOSE has (RFC 7518, 3). None only if the library refuses.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.0 {
            Pair::EdDsa(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::Es256(pair) => Some(pair.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out).ok()?;
                Some(out)
            }
        }
    }

    /// Its id: the thumbprint of RFC 7638.
    pub fn thumbprint(&self) -> String {
        // Section 3: the required members in the order of their names, without blanks. None of the values needs an escape.
        let members = self.public_members();
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        URL_SAFE_NO_PAD.encode(sha256(format!("{{{}}}", members.join(",")).as_bytes()))
    }

    /// The public half, as it stands in a key set (RFC 7517).
    pub fn public_jwk(&self) -> Value {
        let mut jwk = json!({ "kid": self.thumbprint(), "use": "sig", "alg": self.algorithm().as_str() });
        for (name, value) in self.public_members() {
            jwk[name] = value.into();
        }
        jwk
    }

    /// The members of the public half that make the key (RFC 7638, 3.2), in the order of their names.
    pub fn public_members(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.0 {
            Pair::EdDsa(pair) => {
                vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", text(pair.public_key().as_ref()))]
            }
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                vec![("crv", "P-256".to_owned()), ("kty", "EC".to_owned()), ("x", text(x)), ("y", text(y))]
            }
            Pair::Rs256(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                vec![("e", text(&public.e)), ("kty", "RSA".to_owned()), ("n", text(&public.n))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_again_and_no_other_text_is_a_key() {
        for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let pem = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pem(pem.expose().as_bytes()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            let again = SigningKey::from_pem(pem.expose().as_bytes()).unwrap();
            assert_eq!(key.public_members(), again.public_members());
            assert!(!format!("{key:?}").contains("PRIVATE") && key.sign(b"x").is_some());
            let other = SigningKey::from_pem(SigningKey::generate(algorithm).unwrap().expose().as_bytes()).unwrap();
            assert_ne!(key.public_members(), other.public_members());
            let bent = pem.expose().replace("PRIVATE KEY", "RSA PRIVATE KEY");
            assert!(SigningKey::from_pem(bent.as_bytes()).is_none());
        }
        for text in ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(SigningKey::from_pem(text.as_bytes()).is_none(), "{text}");
        }
    }
}
