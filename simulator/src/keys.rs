//! A carrier's signing keys: made when first needed, replaced on demand.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::expiring::random_digits;

/// The machine could not make or use a key.
#[derive(Debug)]
pub(super) struct KeyFault;

/// An RSA key of 2048 bits and the name it is published under.
#[derive(Debug)]
pub(super) struct SigningKey {
    pub(super) kid: String,
    pair: KeyPair,
}

impl SigningKey {
    pub(super) async fn generate() -> Result<Self, KeyFault> {
        let pair = tokio::task::spawn_blocking(|| KeyPair::generate(KeySize::Rsa2048))
            .await
            .map_err(|_| KeyFault)?
            .map_err(|_| KeyFault)?;
        let kid = format!("ccid-{}", random_digits(16));
        Ok(Self { kid, pair })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| KeyFault)?;
        Ok(signature)
    }

    pub(super) fn modulus(&self) -> String {
        let modulus = self.pair.public_key().modulus();
        URL_SAFE_NO_PAD.encode(modulus.big_endian_without_leading_zero())
    }

    pub(super) fn to_jwk(&self) -> Value {
        let exponent = self.pair.public_key().exponent();
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": self.modulus(),
            "e": URL_SAFE_NO_PAD.encode(exponent.big_endian_without_leading_zero()),
        })
    }
}

/// The key in use and the old ones still published.
#[derive(Debug, Default)]
pub(super) struct KeyRing(Mutex<Keys>);

#[derive(Debug, Default)]
struct Keys {
    current: Option<Arc<SigningKey>>,
    previous: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    pub(super) async fn current(&self) -> Result<Arc<SigningKey>, KeyFault> {
        let mut keys = self.0.lock().await;
        if let Some(key) = &keys.current {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(SigningKey::generate().await?);
        keys.current = Some(Arc::clone(&key));
        Ok(key)
    }

    /// Signs with a new key from now on. Without `keep_previous` every older key leaves the published set.
    pub(super) async fn rotate(&self, keep_previous: bool) -> Result<String, KeyFault> {
        let key = Arc::new(SigningKey::generate().await?);
        let kid = key.kid.clone();
        let mut keys = self.0.lock().await;
        let old = keys.current.replace(key);
        if keep_previous {
            keys.previous.extend(old);
        } else {
            keys.previous.clear();
        }
        Ok(kid)
    }

    /// The JSON Web Key Set, newest key first.
    pub(super) async fn published(&self) -> Result<Value, KeyFault> {
        let current = self.current().await?;
        let keys = self.0.lock().await;
        let published: Vec<Value> =
            std::iter::once(&current).chain(keys.previous.iter().rev()).map(|key| key.to_jwk()).collect();
        Ok(json!({ "keys": published }))
    }
}
