//! An issuer's key set (RFC 7517), read once into keys that can verify and can do nothing else.
//!
//! One bad key never spoils the good ones (E08). Keys that could turn verification round, symmetric ones and private
//! parts, are dropped and counted, because a set that holds them is either broken or an attack (RFC 8725, 3.5).

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};

use super::json;
use super::jwt::{Algorithm, Kind};
use crate::secret::verify_p521_sha512;

/// Most keys a set may have.
pub const MAX_KEYS: usize = 100;
/// Longest document, decoded, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Members that only a private or a shared key has (RFC 7518, 6.2.2, 6.3.2 and 6.4; RFC 9964).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "dp", "dq", "k", "oth", "p", "priv", "q", "qi"];

/// Public signature keys of one issuer, in the order of its document.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
    alarming: usize,
    left_out: Vec<LeftOut>,
}

/// A key that is not used, for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its `kid`, at most 256 bytes without control characters; none if it has none that can be shown.
    pub kid: Option<String>,
    /// Why.
    pub why: &'static str,
}

/// Most keys that are remembered as left out.
const MAX_LEFT_OUT: usize = 8;

/// Which keys of a set may have signed a token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// All: the token names none.
    Any,
    /// Those of this id.
    Named(&'a str),
    /// Those without an id: the token names one that no key has.
    Nameless,
}

/// Why a document is not a key set. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JSON object with a list `keys`, or members are repeated.
    #[error("the document is not a JSON object with a list of keys")]
    NotAKeySet,
    /// More than 256 KiB.
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// More than 100 keys.
    #[error("the key set has more than 100 keys")]
    TooManyKeys,
}

/// A public signature key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    kid: Option<String>,
    /// The one algorithm the document allows for this key, if it names one (RFC 7517, 4.4).
    algorithm: Option<Algorithm>,
    kind: Kind,
    decoding: DecodingKey,
    /// The public numbers, to tell whether two entries are the same key.
    material: Vec<u8>,
}

/// Why an entry is not among the keys.
enum Dropped {
    /// Symmetric or private.
    Alarming,
    /// Well-formed and not for signatures.
    NotOurs,
    /// For signatures, of a kind we do not know.
    Unknown(&'static str),
    /// Malformed or too weak.
    Skipped(&'static str),
}

impl KeySet {
    /// Reads a document. Fails only if the document as a whole is unusable; single bad keys are dropped and counted.
    pub fn parse(body: &[u8]) -> Result<Self, KeySetError> {
        if body.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = json::object(body).ok_or(KeySetError::NotAKeySet)?;
        let entries = document.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotAKeySet)?;
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        for entry in entries {
            let why = match entry.as_object().ok_or(Dropped::Skipped("it is no object")).and_then(Key::read) {
                Ok(key) => {
                    set.keys.push(key);
                    continue;
                }
                Err(Dropped::Alarming) => {
                    set.alarming += 1;
                    "it is symmetric or private"
                }
                Err(Dropped::NotOurs) => continue,
                Err(Dropped::Unknown(why)) => why,
                Err(Dropped::Skipped(why)) => {
                    set.skipped += 1;
                    why
                }
            };
            if set.left_out.len() < MAX_LEFT_OUT {
                let kid = entry.get("kid").and_then(Value::as_str).filter(|kid| is_kid(kid)).map(str::to_owned);
                set.left_out.push(LeftOut { kid, why });
            }
        }
        Ok(set)
    }

    /// Whether a usable key has this id, or may be meant by it because it has none. Unknown ids are worth one refresh per
    /// cool-down. No key is meant by the empty id.
    pub fn has_kid(&self, kid: &str) -> bool {
        !kid.is_empty() && self.keys.iter().any(|key| key.kid.as_deref().is_none_or(|id| id == kid))
    }

    /// Whether a usable key has exactly this id.
    pub(crate) fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Number of usable keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no usable key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of malformed or too weak keys that were left out (E08).
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Keys that are not used, the first eight: each with its id and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Number of symmetric or private keys that were left out: more than zero is worth an alert (E10).
    pub fn alarming(&self) -> usize {
        self.alarming
    }

    /// The keys that may have signed a token with this header: of the right kind, not reserved for another algorithm,
    /// and those that are wanted. The same key listed twice comes once.
    pub(super) fn candidates(&self, wanted: Wanted<'_>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let mut seen = HashSet::new();
        self.keys
            .iter()
            .filter(move |key| match wanted {
                Wanted::Any => true,
                Wanted::Named(kid) => key.kid.as_deref() == Some(kid),
                Wanted::Nameless => key.kid.is_none(),
            })
            .filter(move |key| key.kind == algorithm.kind())
            .filter(move |key| key.algorithm.is_none_or(|only| algorithm.may_use_key_of(only)))
            .filter(move |key| seen.insert(key.material.as_slice()))
    }
}

impl Key {
    /// Whether this key made `signature` (base64url) of `message`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        match algorithm.library() {
            Some(name) => matches!(crypto::verify(signature, message, &self.decoding, name), Ok(true)),
            None => URL_SAFE_NO_PAD
                .decode(signature)
                .is_ok_and(|signature| verify_p521_sha512(&self.material, message, &signature)),
        }
    }

    fn read(entry: &Map<String, Value>) -> Result<Self, Dropped> {
        let kty = text(entry, "kty").ok_or(Dropped::Skipped("`kty` is missing"))?;
        if kty == "oct" || PRIVATE_MEMBERS.iter().any(|name| entry.contains_key(*name)) {
            return Err(Dropped::Alarming);
        }
        for_signatures(entry)?;
        let algorithm = match entry.get("alg") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(Algorithm::parse(name).ok_or(Dropped::NotOurs)?),
            Some(_) => return Err(Dropped::Skipped("`alg` is no text")),
        };
        let kid = match entry.get("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(kid)) if is_kid(kid) => Some(kid.clone()),
            Some(_) => return Err(Dropped::Skipped("`kid` is no text of 1 to 256 bytes")),
        };
        let (kind, decoding, material) = public_key(kty, entry)?;
        if algorithm.is_some_and(|only| only.kind() != kind) {
            return Err(Dropped::Skipped("`alg` does not fit the kind of key"));
        }
        Ok(Self { kid, algorithm, kind, decoding, material })
    }
}

/// `use` is `sig` or absent; `key_ops` holds `verify`, or is absent or empty (RFC 7517, 4.2 and 4.3).
fn for_signatures(entry: &Map<String, Value>) -> Result<(), Dropped> {
    match entry.get("use") {
        None | Some(Value::Null) => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(Value::String(_)) => return Err(Dropped::NotOurs),
        Some(_) => return Err(Dropped::Skipped("`use` is no text")),
    }
    match entry.get("key_ops") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(operations)) if operations.is_empty() => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(Dropped::NotOurs),
        Some(_) => Err(Dropped::Skipped("`key_ops` is no list")),
    }
}

fn public_key(kty: &str, entry: &Map<String, Value>) -> Result<(Kind, DecodingKey, Vec<u8>), Dropped> {
    match (kty, text(entry, "crv")) {
        ("RSA", _) => {
            let n = number(entry, "n")?;
            let e = number(entry, "e")?;
            // Below 2048 bits a key can be factored; above 8192 one verification is a denial of service. An exponent
            // of 1 would make every message its own signature.
            let bits = n.len() * 8 - n.first().map_or(0, |top| top.leading_zeros() as usize);
            let odd = |number: &[u8]| number.last().is_some_and(|low| low & 1 == 1);
            if !(2048..=8192).contains(&bits) || !odd(&n) || e.len() > 4 || !odd(&e) || e == [1] {
                return Err(Dropped::Skipped("an RSA key has 2048 to 8192 bits and an odd exponent above 1"));
            }
            let decoding = DecodingKey::from_rsa_raw_components(&n, &e);
            Ok((Kind::Rsa, decoding, [n, e].concat()))
        }
        ("EC", Some(curve @ ("P-256" | "P-384" | "P-521"))) => {
            let (kind, length) = match curve {
                "P-256" => (Kind::P256, 32),
                "P-384" => (Kind::P384, 48),
                _ => (Kind::P521, 66),
            };
            let (x, y) = (bytes(entry, "x")?, bytes(entry, "y")?);
            if x.len() != length || y.len() != length {
                return Err(Dropped::Skipped("`x` or `y` has not the length of its curve"));
            }
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            Ok((kind, DecodingKey::from_ec_der(&point), point))
        }
        ("OKP", Some("Ed25519")) => {
            let x = bytes(entry, "x")?;
            if x.len() != 32 {
                return Err(Dropped::Skipped("`x` has not the length of its curve"));
            }
            Ok((Kind::Ed25519, DecodingKey::from_ed_der(&x), x))
        }
        ("EC" | "OKP", None) => Err(Dropped::Skipped("`crv` is missing")),
        ("OKP", Some("Ed448")) => Err(Dropped::Unknown("Ed448 is not supported; have the issuer sign with Ed25519")),
        _ => Err(Dropped::Unknown("its kind or curve is not supported")),
    }
}

fn text<'a>(entry: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    entry.get(name)?.as_str()
}

/// The bytes of a member: base64url (RFC 7518, 2), and also with the padding or the alphabet of plain base64, which some
/// issuers write. Each of these texts can be read in one way only.
fn bytes(entry: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Dropped> {
    let text = text(entry, name).ok_or(Dropped::Skipped("a number of the key is missing (`n`, `e`, `x` or `y`)"))?;
    let padded = text.len() % 4 == 0;
    let bare = if padded { text.trim_end_matches('=') } else { text };
    if text.len() - bare.len() > 2 {
        return Err(Dropped::Skipped(NO_BASE64));
    }
    let read = URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare));
    read.map_err(|_| Dropped::Skipped(NO_BASE64))
}

const NO_BASE64: &str = "a number of the key is no base64url";

/// A big-endian number without leading zeros.
fn number(entry: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Dropped> {
    let mut digits = bytes(entry, name)?;
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    Ok(digits)
}

/// Whether `kid` is a key id at all: 1 to 256 bytes without control characters. It is only ever compared.
pub(super) fn is_kid(kid: &str) -> bool {
    !kid.is_empty() && kid.len() <= 256 && !kid.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
