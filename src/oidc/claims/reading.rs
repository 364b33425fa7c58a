//! Reading the claims of one token or answer: what the configuration names first and whole, the rest as far as there is
//! room, and a note for everything that was named and is lost.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::shape::{Found, Read, find, read, read_single, split};
use super::{CLIENT, ClaimValue, MAX_CLAIMS, MAX_NAME, MAX_VALUE, NamedClaims, PROTOCOL, WORDS, is_single, says_yes};

/// What stands in place of a separator where the one text is a list in JSON: `"[\"a\",\"b\"]"`.
const JSON: &str = "json";

/// What the operator says about the claims of one issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// Claims in which several values stand in one text: name and separator, or `json` for a list in JSON.
    pub split: BTreeMap<String, String>,
    /// Let e-mail addresses and phone numbers count that the issuer itself calls unverified. Default no.
    pub accept_unverified: bool,
    /// An e-mail address of which the issuer does not say whether it was verified counts as verified. Default no.
    pub absent_is_verified: bool,
}

/// How claims are read: what the configuration names, and what it says about the issuer.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// What the configuration names.
    pub named: &'a NamedClaims,
    /// What it says about the issuer.
    pub rules: &'a ClaimRules,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Values by the names of the configuration, or the issuer's.
    pub values: BTreeMap<String, ClaimValue>,
    /// What the configuration names and is not there whole.
    pub left_out: Vec<LeftOut>,
}

/// A claim that the configuration names, and that was lost or is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name in the configuration: never a text from the wire.
    pub claim: String,
    /// Why.
    pub why: Why,
}

/// Why a claim, or a part of it, was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Why {
    /// Elements of the list are neither texts nor whole numbers.
    #[error("elements that are neither texts nor whole numbers were skipped")]
    Elements,
    /// Signs that the header's encoding has no form for.
    #[error("it holds signs that the header's encoding cannot write")]
    Encoding,
    /// A header's value would be longer than it may be.
    #[error("it is longer than a header's value may be (identity_headers.max_value)")]
    HeaderTooLong,
    /// All headers together would be longer than they may be.
    #[error("the identity headers together are longer than they may be (identity_headers.max_total)")]
    HeadersTooLong,
    /// The issuer sends a pointer to where the claim lies (Core 5.6.2; Entra's group overage), which is not followed.
    #[error("the issuer sends a pointer to it in place of the claim, which is not followed")]
    Pointer,
    /// A shape that cannot be read.
    #[error("its shape is none that can be read")]
    Shape,
    /// Larger than what may be read of one token or answer.
    #[error("it is larger than what is read of one answer (limits.claims)")]
    TooLong,
    /// Some of the elements were left out of a header, to make the rest fit.
    #[error("a header holds only its first elements (too_long: truncate)")]
    Truncated,
}

impl Why {
    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elements => "elements",
            Self::Encoding => "encoding",
            Self::HeaderTooLong => "header_too_long",
            Self::HeadersTooLong => "headers_too_long",
            Self::Pointer => "pointer",
            Self::Shape => "shape",
            Self::TooLong => "too_long",
            Self::Truncated => "truncated",
        }
    }
}

/// Keeps claims; the first of a name stays.
#[derive(Debug)]
pub struct Collector<'a> {
    reading: Reading<'a>,
    claims: Claims,
    bytes: usize,
}

impl<'a> Collector<'a> {
    /// Nothing yet.
    pub fn new(reading: Reading<'a>) -> Self {
        Self { reading, claims: Claims::default(), bytes: 0 }
    }

    /// Keeps a claim that was already read, if there is room: before others, for the caller knows it.
    pub fn insert(&mut self, name: &str, value: ClaimValue) {
        self.keep(name, value, true);
    }

    /// Keeps what `members` hold: first the words about contacts, then what the configuration names, then the rest until
    /// [`MAX_CLAIMS`] are there. `taken` are names that the caller has read already.
    pub fn take(&mut self, members: &Map<String, Value>, taken: &[&str]) {
        for word in WORDS.iter().filter(|word| !taken.contains(word)) {
            if let Some(yes) = word_about_contact(members, word) {
                self.keep(word, ClaimValue::Bool(yes), true);
            }
        }
        let named = self.reading.named;
        for name in named.iter().filter(|name| !taken.contains(name) && !WORDS.contains(name)) {
            self.take_named(members, name);
        }
        for name in named.iter() {
            if !self.claims.values.contains_key(name) && is_pointed_to(members, name) {
                self.note(name, Why::Pointer);
            }
        }
        for (name, value) in members {
            if self.claims.values.len() >= MAX_CLAIMS {
                break;
            }
            let is_known = taken.contains(&name.as_str()) || self.claims.values.contains_key(name);
            if let (false, Some(value)) = (is_known, self.read(name, value).value())
                && value.size() <= MAX_VALUE
            {
                self.keep(name, value, false);
            }
        }
    }

    /// Keeps the client of an access token. Issuers write one of the two names or both (RFC 9068, 2.2; Core 2): a rule may
    /// use either.
    pub fn take_client(&mut self, members: &Map<String, Value>) {
        let sane = |text: &&str| !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control);
        let client = |name: &str| members.get(name).and_then(Value::as_str).filter(sane);
        let [party, id] = CLIENT.map(client);
        for (name, client) in CLIENT.into_iter().zip([party.or(id), id.or(party)]) {
            if let Some(client) = client {
                self.claims.values.insert(name.to_owned(), ClaimValue::Text(client.to_owned()));
            }
        }
    }

    /// What was kept.
    pub fn finish(self) -> Claims {
        self.claims
    }

    fn take_named(&mut self, members: &Map<String, Value>, name: &str) {
        if self.claims.values.contains_key(name) {
            return;
        }
        let found = match find(members, name, self.reading.rules.accept_unverified) {
            Found::Nothing => return,
            Found::One(value) => self.read(name, value),
            Found::Several(values) => together(&values),
        };
        match found {
            Read::Absent => {}
            Read::Odd => self.note(name, Why::Shape),
            Read::Value { value, skipped } => {
                if skipped {
                    self.note(name, Why::Elements);
                }
                self.keep(name, value, true);
            }
        }
    }

    fn read(&self, name: &str, value: &Value) -> Read {
        let found = if is_single(name) { read_single(name, value) } else { read(value) };
        match (found, self.reading.rules.split.get(name)) {
            (Read::Value { value: ClaimValue::Text(text), .. }, Some(word)) if word == JSON => {
                match serde_json::from_str::<Value>(&text) {
                    Ok(list @ Value::Array(_)) => read(&list),
                    _ => Read::Odd,
                }
            }
            (Read::Value { value: ClaimValue::Text(text), skipped }, Some(separator)) => {
                Read::Value { value: ClaimValue::List(split(&text, separator)), skipped }
            }
            (found, _) => found,
        }
    }

    fn keep(&mut self, name: &str, value: ClaimValue, named: bool) {
        let fits = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
        if !fits || PROTOCOL.contains(&name) || self.claims.values.contains_key(name) {
            return;
        }
        let value = match value {
            ClaimValue::List(list) if is_single(name) => match <[String; 1]>::try_from(list) {
                Ok([one]) => ClaimValue::Text(one),
                // Joined in a header they would read as one text that the issuer never wrote.
                Err(list) => {
                    if named && !list.is_empty() {
                        self.note(name, Why::Shape);
                    }
                    return;
                }
            },
            value => value,
        };
        let size = name.len() + value.size();
        // Words about contacts are never lost, and small.
        if !WORDS.contains(&name) && self.bytes.saturating_add(size) > self.reading.named.most_bytes() {
            if named {
                self.note(name, Why::TooLong);
            }
            return;
        }
        self.bytes += size;
        self.claims.values.insert(name.to_owned(), value);
    }

    fn note(&mut self, name: &str, why: Why) {
        // What nobody named is no loss to anybody.
        if self.reading.named.iter().any(|named| named == name) {
            self.claims.left_out.push(LeftOut { claim: name.to_owned(), why });
        }
    }
}

/// What an answer says about whether a contact was verified: the flat claim, and `verified` beside the contact where that
/// is an object. If both speak, both must say yes; if neither does, nothing is said.
fn word_about_contact(members: &Map<String, Value>, word: &str) -> Option<bool> {
    let contacts: &[&str] = if word == "email_verified" { &["email"] } else { &["phone_number", "phone"] };
    let beside = contacts.iter().filter_map(|contact| members.get(*contact)?.as_object()?.get("verified"));
    members.get(word).into_iter().chain(beside).map(says_yes).reduce(|one, other| one && other)
}

/// What several objects of a list say, as one list.
fn together(values: &[&Value]) -> Read {
    let (mut list, mut any_skipped) = (Vec::new(), false);
    for value in values {
        match read(value) {
            Read::Value { value: ClaimValue::Text(text), .. } => list.push(text),
            Read::Value { value: ClaimValue::Integer(number), .. } => list.push(number.to_string()),
            Read::Value { value: ClaimValue::List(more), skipped } => {
                list.extend(more);
                any_skipped |= skipped;
            }
            Read::Value { value: ClaimValue::Bool(_), .. } | Read::Odd => any_skipped = true,
            Read::Absent => {}
        }
    }
    if list.is_empty() && any_skipped {
        return Read::Odd;
    }
    Read::Value { value: ClaimValue::List(list), skipped: any_skipped }
}

/// Whether the issuer says where a claim lies in place of the claim (Core 5.6.2), or that there are groups which it does
/// not list (`hasgroups`, where it cannot send the former).
fn is_pointed_to(members: &Map<String, Value>, name: &str) -> bool {
    let pointers = members.get("_claim_names").and_then(Value::as_object);
    let first = name.split('.').next().unwrap_or_default();
    pointers.is_some_and(|pointers| pointers.contains_key(name) || pointers.contains_key(first))
        || (name == "groups" && members.get("hasgroups").is_some_and(says_yes))
}
