//! Proof that a request comes from the holder of our key: the header `x-authorization` (dossier 12.2).
//!
//! A JWT of ours over the digest of the `Authorization` header. It binds the access token to the key that the carrier knows us by: a
//! token that was read on its way brings nobody anything at a carrier that asks for the proof.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::client_auth::ClientAuthentication;
use super::request_object::{ALGORITHM, signing_key};
use crate::ground::time::Timestamp;
use crate::secret::{Entropy, SecretString, random_text, sha256};

/// How long a proof is good, in seconds: it is sent at once.
pub const LIFE: i64 = 120;

/// A proof for a request whose `Authorization` header is `authorization`, its digest in hexadecimal (`hex`) or base64url; `None` if
/// none of our keys signs as carriers want it.
pub fn key_proof(
    authorization: &SecretString,
    hex: bool,
    authentication: &ClientAuthentication,
    now: SystemTime,
    entropy: &dyn Entropy,
) -> Option<SecretString> {
    let key = signing_key(authentication)?;
    let digest = sha256(authorization.expose().as_bytes());
    let digest =
        if hex { digest.iter().map(|byte| format!("{byte:02x}")).collect() } else { URL_SAFE_NO_PAD.encode(digest) };
    let issued = Timestamp::of(now).as_numeric_date();
    let header = json!({ "alg": ALGORITHM, "kid": key.kid(), "typ": "JWT" });
    let claims = json!({
        "iat": issued, "exp": issued.saturating_add(LIFE), "jti": random_text::<16>(entropy), "v": "1",
        "ehts": "authorization", "edts": digest,
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = key.sign(message.as_bytes())?;
    Some(SecretString::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
