//! Signed tokens, made and read by hand so that every part of them can be wrong on purpose.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::{KeyFault, SigningKey};
use super::rules::Signature;

/// Signs `claims` as the rules say. `header` has everything but what the manner of signing decides.
pub(super) async fn sign(
    key: &SigningKey,
    manner: Signature,
    mut header: Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<String, KeyFault> {
    match manner {
        Signature::Hs256 => header.insert("alg".to_owned(), "HS256".into()),
        Signature::None => header.insert("alg".to_owned(), "none".into()),
        Signature::Valid | Signature::Broken | Signature::ForeignKey => None,
    };
    let message = format!("{}.{}", encode_object(&header), encode_object(claims));
    let signature = match manner {
        Signature::Valid => key.sign(message.as_bytes())?,
        Signature::Broken => {
            let mut signature = key.sign(message.as_bytes())?;
            if let Some(byte) = signature.last_mut() {
                *byte ^= 1;
            }
            signature
        }
        Signature::ForeignKey => {
            let foreign = SigningKey::generate().await?;
            foreign.sign(message.as_bytes())?
        }
        Signature::Hs256 => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, key.modulus().as_bytes());
            hmac::sign(&secret, message.as_bytes()).as_ref().to_vec()
        }
        Signature::None => Vec::new(),
    };
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn encode_object(object: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(Value::Object(object.clone()).to_string())
}

/// The claims of a token that one of `jwks` signed with RS256; the `kid` has to be there and to match.
pub(super) fn verify(token: &str, jwks: &Value) -> Option<Map<String, Value>> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let header = decode_object(header)?;
    if header.get("alg")?.as_str()? != "RS256" {
        return None;
    }
    let kid = header.get("kid")?.as_str()?;
    let key = jwks.get("keys")?.as_array()?.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(kid))?;
    let key = PublicKeyComponents {
        n: URL_SAFE_NO_PAD.decode(key.get("n")?.as_str()?).ok()?,
        e: URL_SAFE_NO_PAD.decode(key.get("e")?.as_str()?).ok()?,
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).ok()?;
    decode_object(claims)
}

/// The claims of a token nobody has looked at: only good for finding out whose keys to try.
pub(super) fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    decode_object(token.split('.').nth(1)?)
}

fn decode_object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
