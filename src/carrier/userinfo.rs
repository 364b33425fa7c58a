//! A carrier's attributes (dossier 12.1), nested `{"value": …}` or flat, under one set of names.
//!
//! A plain OpenID Connect userinfo is the flat case. What was not granted is absent, which is never an error. Nothing
//! here is believed until the caller has compared `sub` with the ID token's (Core 5.3.2; C27).

use serde_json::{Map, Value};

use crate::oidc::claims::{ClaimValue, Claims, Collector, Reading, is_subject, read, read_single, says_yes};
use crate::oidc::json;

/// Attributes with more than one name on the wire: our name, then the wire's, best first.
const ALIASES: [(&str, &[&str]); 4] = [
    ("birthdate", &["birthdate"]),
    ("email", &["email"]),
    ("phone_number", &["phone_number", "phone"]),
    ("postal_code", &["postal_code", "postalCode", "zipcode"]),
];
/// Attributes that can be vouched for, and the claim that says so.
const VERIFIABLE: [(&str, &str); 2] = [("email", "email_verified"), ("phone_number", "phone_number_verified")];
/// Names that are read before the rest and never passed on as they stand.
const TAKEN: [&str; 11] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "name",
    "phone",
    "phone_number",
    "phone_number_verified",
    "postalCode",
    "postal_code",
    "zipcode",
];

/// Why a userinfo answer is not usable. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserInfoFault {
    /// A signed or encrypted answer, or not JSON at all: none was asked for, so none is believed (C28).
    #[error("the answer is not a JSON object with unique members")]
    NotAnObject,
    /// `sub` is missing, or not a text of 1 to 255 bytes without control characters.
    #[error("the answer has no usable subject")]
    Subject,
}

/// An answer that could be read: who it is about, and everything it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its `sub`.
    pub subject: String,
    /// All its members.
    pub members: Map<String, Value>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`UserInfoFault`].
    pub fn parse(body: &[u8]) -> Result<Self, UserInfoFault> {
        let members = json::object(body).ok_or(UserInfoFault::NotAnObject)?;
        let subject = members.get("sub").and_then(Value::as_str).filter(|sub| is_subject(sub));
        let subject = subject.ok_or(UserInfoFault::Subject)?.to_owned();
        Ok(Self { subject, members })
    }

    /// Its claims by our names, in the bounds of [`Collector`].
    pub fn claims(&self, reading: Reading<'_>) -> Claims {
        let members = &self.members;
        let mut claims = Collector::new(reading);
        for (name, spellings) in ALIASES {
            let found =
                spellings.iter().filter_map(|spelling| members.get(*spelling)).find(|found| value(found).is_some());
            let flag = VERIFIABLE.iter().find(|(verifiable, _)| *verifiable == name);
            let Some((found, scalar)) = found.and_then(|found| Some((found, value(found)?))) else {
                // A no without an address may be about the one in the ID token; a yes there vouches for nothing.
                if let Some((_, flag)) = flag
                    && verified(&Value::Null, members.get(*flag)) == Some(false)
                {
                    claims.insert(flag, ClaimValue::Bool(false));
                }
                continue;
            };
            claims.insert(name, scalar);
            if let Some((_, flag)) = flag
                && let Some(verified) = verified(found, members.get(*flag))
            {
                claims.insert(flag, ClaimValue::Bool(verified));
            }
        }
        take_name(members, &mut claims);
        take_address(members, &mut claims);
        claims.take(members, &TAKEN);
        claims.finish()
    }
}

/// The attribute itself: `value` of an object, or the bare scalar. A blank text is no attribute.
fn value(found: &Value) -> Option<ClaimValue> {
    match found.as_object() {
        Some(members) => read(members.get("value").filter(|value| !value.is_object())?).value(),
        None => read(found).value(),
    }
}

/// Whether the attribute is vouched for: `verified` beside its value, and the flat claim. If both speak, both must say
/// yes; if neither does, nothing is said.
fn verified(found: &Value, flat: Option<&Value>) -> Option<bool> {
    let beside = found.as_object().and_then(|members| members.get("verified"));
    [beside, flat].into_iter().flatten().map(says_yes).reduce(|one, other| one && other)
}

fn take_name(members: &Map<String, Value>, claims: &mut Collector<'_>) {
    let Some(name) = members.get("name") else { return };
    if let Some(scalar) = value(name) {
        claims.insert("name", scalar);
    }
    for part in ["given_name", "family_name", "middle_name"] {
        if let Some(scalar) = name.get(part).and_then(value) {
            claims.insert(part, scalar);
        }
    }
}

/// `address` in any of its shapes; its postal code counts if there is no other.
fn take_address(members: &Map<String, Value>, claims: &mut Collector<'_>) {
    let Some(address) = members.get("address") else { return };
    if let Some(whole) = read_single("address", address).value() {
        claims.insert("address", whole);
    }
    // Some answers wrap the parts once more.
    let parts = address.get("value").filter(|value| value.is_object()).unwrap_or(address);
    let postal_code = ["postal_code", "postalCode"].iter().find_map(|name| parts.get(*name).and_then(value));
    if let Some(scalar) = postal_code {
        claims.insert("postal_code", scalar);
    }
}

#[cfg(test)]
mod tests;
