//! Signed request objects (RFC 9101; CIBA Core 1.0, 7.1.1): a request that a provider can tell is ours, once.
//!
//! Each is for one issuer, lives for minutes, and has an id that no other has. Whoever captures one can do nothing with it at
//! another provider, later, or a second time.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::client_auth::{ClientAuthentication, ClientKey};
use crate::ground::time::Timestamp;
use crate::secret::{Entropy, SecretString, random_text};

/// How long a request object is good, in seconds: it is sent at once, and clocks differ by a minute or so.
pub const LIFE: i64 = 300;

/// Providers take request objects with this algorithm and no other (dossier 13.2).
pub(super) const ALGORITHM: &str = "RS256";

/// Claims on their way to one issuer.
#[derive(Debug, Clone)]
pub struct RequestObject {
    claims: Map<String, Value>,
}

impl RequestObject {
    /// A request of `client_id` to `issuer`. `sub` is the client too: whom it is about, a hint says (dossier 20, row 35).
    pub fn new(client_id: &str, issuer: &str, now: SystemTime, entropy: &dyn Entropy) -> Self {
        let issued = Timestamp::of(now).as_numeric_date();
        let claims = [
            ("iss", json!(client_id)),
            ("aud", json!(issuer)),
            ("sub", json!(client_id)),
            ("client_id", json!(client_id)),
            ("iat", json!(issued)),
            ("exp", json!(issued.saturating_add(LIFE))),
            ("jti", json!(random_text::<16>(entropy))),
        ];
        Self { claims: claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// With one more claim.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// What it says.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Signed with the first key of ours that signs as providers want it; `None` if there is none.
    pub fn signed(&self, authentication: &ClientAuthentication) -> Option<SecretString> {
        let key = signing_key(authentication)?;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": ALGORITHM, "kid": key.kid(), "typ": "jwt" });
        let message = format!("{}.{}", part(&header), part(&Value::Object(self.claims.clone())));
        let signature = key.sign(message.as_bytes())?;
        Some(SecretString::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Whether requests can be signed with what we have.
pub fn can_sign(authentication: &ClientAuthentication) -> bool {
    signing_key(authentication).is_some()
}

pub(super) fn signing_key(authentication: &ClientAuthentication) -> Option<&ClientKey> {
    authentication.keys.iter().find(|key| key.algorithm() == ALGORITHM)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::oidc::jwks::KeySet;
    use crate::oidc::jwt::UnverifiedJwt;
    use crate::secret::SystemEntropy;
    use crate::secret::signing::{SigningAlgorithm, SigningKey};

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn key(algorithm: SigningAlgorithm) -> ClientKey {
        ClientKey::from_pem(SigningKey::generate(algorithm).unwrap().expose().as_bytes()).unwrap()
    }

    fn object() -> RequestObject {
        RequestObject::new("ccid-a", "https://aurora.example", noon(), &SystemEntropy)
    }

    // T02, CR-S01: for one issuer, for minutes.
    #[test]
    fn a_request_is_for_one_issuer_and_lives_for_minutes() {
        let ours = ClientAuthentication {
            keys: vec![key(SigningAlgorithm::Es256), key(SigningAlgorithm::Rs256)],
            ..ClientAuthentication::default()
        };
        let signed = object().with("nonce", "n").signed(&ours).unwrap();
        let set = KeySet::parse(json!({ "keys": [ours.keys[1].public_jwk()] }).to_string().as_bytes()).unwrap();
        let token = UnverifiedJwt::parse(&signed, 8192).unwrap();
        assert_eq!((token.typ(), token.kid()), (Some("jwt"), Some(ours.keys[1].kid())));
        let verified = token.verify(&set, &["RS256".to_owned()]).unwrap();
        let claims = verified.claims();
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), LIFE);
        const { assert!(LIFE <= 300) };
        for (name, value) in [("iss", "ccid-a"), ("sub", "ccid-a"), ("client_id", "ccid-a"), ("nonce", "n")] {
            assert_eq!(claims[name], value, "{name}");
        }
        assert_eq!(claims["aud"], "https://aurora.example", "one text: the issuer, and nobody beside it");
        // The twin: without a key that signs in this way nothing is sent.
        let other =
            ClientAuthentication { keys: vec![key(SigningAlgorithm::Es256)], ..ClientAuthentication::default() };
        assert!(object().signed(&other).is_none() && !can_sign(&other) && can_sign(&ours));
    }

    // CR-S27
    #[test]
    fn no_two_requests_have_one_id() {
        let ids: HashSet<String> = (0..1_000).map(|_| object().claims()["jti"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == 22), "128 bits each");
    }
}
