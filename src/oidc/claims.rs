//! Claims worth passing on: what is left of a token or a userinfo answer when the protocol has taken its own.
//!
//! What the configuration names is read first and whole (`named.rs`), in every shape that issuers use (`shape.rs`), from
//! ID tokens, access tokens and userinfo answers alike (`reading.rs`). An issuer vouches for its people, not for our
//! memory: everything else is capped in number and size. Nothing here is trusted by being here.

mod named;
mod reading;
mod shape;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use named::{Lack, NamedClaims, NamedFault};
pub use reading::{ClaimRules, Claims, Collector, LeftOut, Reading, Why};
pub use shape::{Read, read, read_single};

/// Most claims that are kept beside those that the configuration names.
pub const MAX_CLAIMS: usize = 64;
/// Longest value of a claim that the configuration does not name, in bytes; for a list, of all its elements together.
pub const MAX_VALUE: usize = 4096;
/// Longest name that is kept, in bytes.
const MAX_NAME: usize = 255;

/// Claims with a meaning in the protocol. They are judged where they belong and never passed on as attributes: `aka`
/// holds port tokens (dossier 14), the hashes and `nonce` belong to one sign-in.
const PROTOCOL: [&str; 24] = [
    "_claim_names",
    "_claim_sources",
    "acr",
    "aka",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "client_id",
    "cnf",
    "events",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "s_hash",
    "scope",
    "sid",
    "sub",
    "sub_jwk",
];

/// Claims that name the client that an access token was given to (RFC 8693, 4.3; Core 2). They are there in access tokens
/// alone: in an ID token the client is ourselves.
pub const CLIENT: [&str; 2] = ["azp", "client_id"];

/// Claims that say whether another claim was verified. They are kept however many claims there are, and a value that
/// cannot be read is kept as a no: a person who can add claims, or an issuer that writes `null`, must not turn an
/// unverified address into one that nothing is known about.
const WORDS: [&str; 2] = ["email_verified", "phone_number_verified"];

/// Claims that are one text by definition (Core 5.1, and what carriers add). A list there is one text only if it has one.
const SINGLE: [&str; 20] = [
    "address",
    "birthdate",
    "email",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone",
    "phone_number",
    "picture",
    "postal_code",
    "preferred_username",
    "profile",
    "tid",
    "upn",
    "website",
    "zoneinfo",
];

/// Whether a claim is one text by definition, so that a comma in it separates nothing.
pub fn is_single(name: &str) -> bool {
    SINGLE.contains(&name)
}

/// Whether a word about a contact (`email_verified`) says yes: `true`, the number 1, or the text `true`, as some issuers
/// write the boolean. Everything else is a no, `"false"`, `null` and shapes that mean nothing among them; a word that is
/// absent is no word.
pub fn says_yes(word: &Value) -> bool {
    *word == true || *word == 1 || *word == "true"
}

/// A claim that was vouched for, kept in the shapes that headers can carry. Nested objects are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ClaimValue {
    /// A JSON boolean.
    Bool(bool),
    /// A JSON integer.
    Integer(i64),
    /// A JSON string.
    Text(String),
    /// Several texts, such as `groups` or `roles`.
    List(Vec<String>),
}

impl ClaimValue {
    /// How many bytes it takes, each element of a list with one for its end.
    fn size(&self) -> usize {
        match self {
            Self::Bool(_) | Self::Integer(_) => 8,
            Self::Text(text) => text.len(),
            Self::List(list) => list.iter().map(|text| text.len() + 1).sum(),
        }
    }
}

impl<'de> Deserialize<'de> for ClaimValue {
    /// By the shape that is there. Each session that is opened brings several: to try one shape after the other, as
    /// serde would, makes an error message for each that does not fit.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

/// Reads a [`ClaimValue`] of whichever shape.
struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = ClaimValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, an integer, a string or a list of strings")
    }

    fn visit_bool<E>(self, value: bool) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<ClaimValue, E> {
        i64::try_from(value).map(ClaimValue::Integer).map_err(|_| E::custom("an integer beyond 63 bits"))
    }

    fn visit_str<E>(self, value: &str) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ClaimValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(ClaimValue::List(list))
    }
}

/// Whether `text` can be a subject: 1 to 255 bytes, no control characters (Core 2; C06). Otherwise opaque.
pub fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control)
}

/// Whether `text` can be the identifier that an issuer gives a session or a token (`sid`, `jti`): 1 to 1,024 bytes, no control
/// characters. No specification bounds these, and issuers that seal what they know of a session into it need some hundreds.
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}

#[cfg(test)]
pub(crate) mod samples {
    use std::sync::LazyLock;

    use super::{ClaimRules, NamedClaims, Reading};

    /// A reading where the configuration names nothing.
    pub(crate) fn reading() -> Reading<'static> {
        static NOTHING: LazyLock<(NamedClaims, ClaimRules)> = LazyLock::new(Default::default);
        Reading { named: &NOTHING.0, rules: &NOTHING.1 }
    }
}
