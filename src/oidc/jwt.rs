//! Signed tokens (RFC 7515, RFC 7519): what a header may say, and the one way to the claims, through a signature.
//!
//! Of a header only `alg`, `kid`, `typ`, `crit` and `cty` are read. Keys or addresses of keys inside it (`jwk`,
//! `jku`, `x5c`, `x5u`) are never looked at: a token that brings its own key proves nothing (C16, RFC 8725, 3.10).

mod algorithm;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json;
use super::jwks::{KeySet, Wanted, is_kid};
use crate::secret::SecretString;
pub use algorithm::Algorithm;
pub(super) use algorithm::Kind;

/// Most keys that are tried for one token, so that a large key set cannot make one token expensive (C19).
const MAX_TRIES: usize = 8;

/// Why a token is not what it should be. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// `alg` is not in the configured list, or is one that can never be (C12, C14, C15).
    #[error("the signature algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// The header has `crit`: it asks for rules we do not know (C20, RFC 7515, 4.1.11).
    #[error("the header demands an extension that is not understood")]
    CriticalHeader,
    /// A JWE, or a token inside a token; nothing was decrypted or inflated (C21).
    #[error("the token is encrypted or nested")]
    Encrypted,
    /// Not three base64url parts, or header or claims are not JSON objects with unique members.
    #[error("the token is malformed")]
    Malformed,
    /// Keys for this token exist and none (or, without a `kid`, not exactly one) verifies its signature.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// Longer than the caller allows; nothing was decoded.
    #[error("the token is too long")]
    TooLarge,
    /// The key set has no key that could have signed this token. May be worth one refresh of the key set.
    #[error("no key of the issuer fits the token")]
    UnknownKey,
}

/// A token of which only the header has been read. It proves nothing yet.
#[derive(Debug)]
pub struct UnverifiedJwt {
    raw: SecretString,
    /// Length of header and claims with the dot between them: what the signature covers.
    signed: usize,
    header: usize,
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

/// Claims that a key of the given set has signed. Who may say what to whom and until when is judged elsewhere.
#[derive(Debug)]
pub struct SignedClaims {
    claims: Map<String, Value>,
    algorithm: Algorithm,
}

impl UnverifiedJwt {
    /// Takes a token apart and reads its header; refuses what no configuration could allow. Nothing is decoded of a token
    /// of more than `longest` bytes.
    pub fn parse(raw: &SecretString, longest: usize) -> Result<Self, JwtError> {
        let text = raw.expose();
        if text.len() > longest {
            return Err(JwtError::TooLarge);
        }
        let (header, claims, signature) = split(text)?;
        let members = part(header)?;
        if members.contains_key("enc") {
            return Err(JwtError::Encrypted);
        }
        let alg = members.get("alg").and_then(Value::as_str).ok_or(JwtError::Malformed)?;
        let algorithm = Algorithm::parse(alg).ok_or(JwtError::AlgorithmNotAllowed)?;
        if claims.is_empty() || signature.is_empty() {
            return Err(JwtError::Malformed);
        }
        if members.contains_key("crit") {
            return Err(JwtError::CriticalHeader);
        }
        if let Some(content) = optional_text(&members, "cty")?
            && media_type(content) == "jwt"
        {
            return Err(JwtError::Encrypted);
        }
        let kid = optional_text(&members, "kid")?;
        if kid.is_some_and(|kid| !is_kid(kid)) {
            return Err(JwtError::Malformed);
        }
        Ok(Self {
            signed: header.len() + 1 + claims.len(),
            header: header.len(),
            algorithm,
            kid: kid.map(str::to_owned),
            typ: optional_text(&members, "typ")?.map(media_type),
            raw: raw.clone(),
        })
    }

    /// `kid` of the header: at most 256 bytes, no control characters. For looking a key up, nothing else (C17).
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ` of the header as RFC 7515, 4.1.9 compares it: lower case, without `application/`.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// `alg` of the header; one that some configuration could allow.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the token says about itself, unproven. Only to refuse by: whoever reads it to *accept* anything believes a
    /// stranger.
    pub(crate) fn unproven_claims(&self) -> Result<Map<String, Value>, JwtError> {
        part(self.raw.expose().get(self.header + 1..self.signed).ok_or(JwtError::Malformed)?)
    }

    /// Checks the signature with `keys` and one of `algorithms` (names from configuration), then reads the claims.
    pub fn verify(&self, keys: &KeySet, algorithms: &[String]) -> Result<SignedClaims, JwtError> {
        self.check_signature(keys, algorithms)?;
        let claims = self.raw.expose().get(self.header + 1..self.signed).ok_or(JwtError::Malformed)?;
        Ok(SignedClaims { claims: part(claims)?, algorithm: self.algorithm })
    }

    /// Checks the signature alone; nothing is read of the claims.
    ///
    /// With a `kid` only keys of that id count. Without one, or where no key has that id and some have none, exactly one
    /// fitting key must verify (C18, C19). At most eight keys are tried.
    pub(crate) fn check_signature(&self, keys: &KeySet, algorithms: &[String]) -> Result<(), JwtError> {
        let algorithm = self.algorithm;
        if !algorithm.is_among(algorithms) {
            return Err(JwtError::AlgorithmNotAllowed);
        }
        let text = self.raw.expose();
        let (Some(message), Some(signature)) = (text.get(..self.signed), text.get(self.signed + 1..)) else {
            return Err(JwtError::Malformed);
        };
        let (mut tried, mut verified) = (0_usize, 0_usize);
        let named = self.kid().filter(|kid| keys.names(kid));
        let wanted = match (self.kid(), named) {
            (None, _) => Wanted::Any,
            (Some(_), Some(kid)) => Wanted::Named(kid),
            (Some(_), None) => Wanted::Nameless,
        };
        for key in keys.candidates(wanted, algorithm).take(MAX_TRIES) {
            tried += 1;
            if key.verifies(algorithm, message.as_bytes(), signature) {
                verified += 1;
                if named.is_some() {
                    break;
                }
            }
        }
        match (tried, verified) {
            (0, _) => Err(JwtError::UnknownKey),
            (_, 1) => Ok(()),
            _ => Err(JwtError::SignatureInvalid),
        }
    }
}

impl SignedClaims {
    /// The claims, members unique.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The algorithm of the signature.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Header and claims of a token as they stand there, unproven: for words in a log, and for nothing else.
pub(super) fn unproven(raw: &SecretString) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let (header, claims, _) = split(raw.expose()).ok()?;
    Some((part(header).ok()?, part(claims).unwrap_or_default()))
}

fn split(text: &str) -> Result<(&str, &str, &str), JwtError> {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None, _, _) => Ok((header, claims, signature)),
        (Some(_), Some(_), Some(_), Some(_), Some(_), None) => Err(JwtError::Encrypted),
        _ => Err(JwtError::Malformed),
    }
}

fn part(encoded: &str) -> Result<Map<String, Value>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JwtError::Malformed)?;
    json::object(&bytes).ok_or(JwtError::Malformed)
}

/// A header member that, if it is there, is a string. Of another type it is not "absent" (CVE-2026-25537's mistake).
fn optional_text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, JwtError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwtError::Malformed),
    }
}

fn media_type(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    lower.strip_prefix("application/").unwrap_or(&lower).to_owned()
}
