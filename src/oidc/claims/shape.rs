//! Shapes: where a claim lies in an answer, and what its JSON says.
//!
//! Issuers write one and the same list in many ways. Keycloak puts roles into an object (`realm_access.roles`), ZITADEL
//! makes each role the key of one, others send objects with a name inside, numbers, or one text with commas. Each of these
//! has one reading here, whichever token or answer it came in.

use serde_json::{Map, Value};

use super::{ClaimValue, PROTOCOL, says_yes};

/// Most steps into objects that one path may take: an answer with many keys that begin alike must not make one name dear.
const MAX_STEPS: usize = 256;

/// What JSON says.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing: `null`, or a text without a letter in it.
    Absent,
    /// A value. `skipped`: elements of a list were left out, because they are neither texts nor whole numbers.
    Value {
        /// The value.
        value: ClaimValue,
        /// Whether elements were left out.
        skipped: bool,
    },
    /// A shape that no header and no rule can use.
    Odd,
}

impl Read {
    fn of(value: ClaimValue) -> Self {
        Self::Value { value, skipped: false }
    }

    /// The value, if there is one.
    pub fn value(self) -> Option<ClaimValue> {
        if let Self::Value { value, .. } = self { Some(value) } else { None }
    }
}

/// Reads a claim.
///
/// * A boolean, a whole number and a text are what they are; a blank text is nothing.
/// * A list keeps its texts, and its whole numbers as decimal texts. What else is in it is left out, and does not take the
///   rest along.
/// * An object with a plain `value` inside is that value (ZenKey's attributes).
/// * An object whose members are nothing but objects and booleans is the list of its keys (ZITADEL's roles), without those
///   whose member is `false`, `null` or empty.
/// * Any other object, and a number with a fraction, is [`Read::Odd`].
pub fn read(value: &Value) -> Read {
    match value {
        Value::Null => Read::Absent,
        Value::Bool(value) => Read::of(ClaimValue::Bool(*value)),
        Value::Number(number) => number.as_i64().map_or(Read::Odd, |number| Read::of(ClaimValue::Integer(number))),
        Value::String(text) if text.trim().is_empty() => Read::Absent,
        Value::String(text) => Read::of(ClaimValue::Text(text.clone())),
        Value::Array(items) => {
            let list: Vec<String> = items.iter().filter_map(element).collect();
            let skipped = list.len() < items.iter().filter(|item| !item.is_null()).count();
            if list.is_empty() && skipped { Read::Odd } else { Read::Value { value: ClaimValue::List(list), skipped } }
        }
        Value::Object(members) => match members.get("value") {
            Some(Value::Object(_)) => Read::Odd,
            Some(inner) if !inner.is_null() => read(inner),
            _ => keys(members).map_or(Read::Odd, |keys| Read::of(ClaimValue::List(keys))),
        },
    }
}

/// A claim that is one text by definition: no list of keys, and an address (Core 5.1.1) is its `formatted` text, or its
/// parts in the order of an envelope.
pub fn read_single(name: &str, value: &Value) -> Read {
    match value {
        Value::Object(members) if name == "address" => address(members),
        Value::Object(members) if members.get("value").is_none_or(Value::is_object) => Read::Odd,
        value => read(value),
    }
}

/// A text that is several by the operator's word: what stands between `separator`, without blanks around it. For a blank
/// separator any white space separates.
pub(super) fn split(text: &str, separator: &str) -> Vec<String> {
    let parts: Vec<&str> = match separator.trim() {
        "" => text.split_whitespace().collect(),
        _ => text.split(separator).map(str::trim).collect(),
    };
    parts.into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn element(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// The keys of an object that is a set of names; `None` if it is a record.
fn keys(members: &Map<String, Value>) -> Option<Vec<String>> {
    let is_set = |member: &Value| matches!(member, Value::Object(_) | Value::Bool(_) | Value::Null);
    if members.is_empty() || !members.values().all(is_set) {
        return None;
    }
    // Who reads `{"admin": false}` as an admin lets everybody in who is not one.
    let counts = |member: &Value| *member == true || member.as_object().is_some_and(|inner| !inner.is_empty());
    Some(members.iter().filter(|(_, member)| counts(member)).map(|(name, _)| name.clone()).collect())
}

fn address(members: &Map<String, Value>) -> Read {
    let parts = members.get("value").and_then(Value::as_object).unwrap_or(members);
    let text = |name: &str| parts.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    if let Some(whole) = text("formatted").or_else(|| text("value")) {
        return Read::of(ClaimValue::Text(whole.to_owned()));
    }
    let order = ["street_address", "postal_code", "locality", "region", "country"];
    let parts: Vec<&str> = order.into_iter().filter_map(text).collect();
    if parts.is_empty() { Read::Odd } else { Read::of(ClaimValue::Text(parts.join(", "))) }
}

/// What lies under a name.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'a> {
    /// Nothing.
    Nothing,
    /// One value.
    One(&'a Value),
    /// What the elements of a list of objects have under the rest of the name.
    Several(Vec<&'a Value>),
}

/// Finds what a name of the configuration means in an answer: the claim of that very name, or else the way into objects,
/// a dot between two steps. Names may hold dots themselves (`https://example.com/claims.roles`): the longest name that is
/// there is taken first. In a list of objects the rest of the name is looked for in each.
///
/// `unverified`: contacts inside objects count although the object says that nobody verified them.
pub(super) fn find<'a>(members: &'a Map<String, Value>, name: &str, unverified: bool) -> Found<'a> {
    if PROTOCOL.contains(&name) {
        return Found::Nothing;
    }
    match members.get(name) {
        Some(value) if !value.is_null() => Found::One(value),
        _ => descend(members, name, unverified, true, &mut MAX_STEPS.clone()),
    }
}

fn descend<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    unverified: bool,
    outermost: bool,
    steps: &mut usize,
) -> Found<'a> {
    for (dot, _) in name.rmatch_indices('.') {
        let (head, rest) = (&name[..dot], &name[dot + 1..]);
        if head.is_empty() || rest.is_empty() || (outermost && PROTOCOL.contains(&head)) {
            continue;
        }
        let Some(inside) = members.get(head) else { continue };
        let found = match inside {
            Value::Object(inner) => within(inner, rest, unverified, steps),
            Value::Array(items) => {
                let mut all = Vec::new();
                for inner in items.iter().filter_map(Value::as_object) {
                    match within(inner, rest, unverified, steps) {
                        Found::Nothing => {}
                        Found::One(value) => all.push(value),
                        Found::Several(several) => all.extend(several),
                    }
                }
                if all.is_empty() { Found::Nothing } else { Found::Several(all) }
            }
            _ => Found::Nothing,
        };
        if found != Found::Nothing {
            return found;
        }
    }
    Found::Nothing
}

fn within<'a>(inner: &'a Map<String, Value>, name: &str, unverified: bool, steps: &mut usize) -> Found<'a> {
    match inner.get(name) {
        Some(_) if !unverified && is_unverified(inner, name) => Found::Nothing,
        Some(value) if !value.is_null() => Found::One(value),
        _ => {
            let Some(left) = steps.checked_sub(1) else { return Found::Nothing };
            *steps = left;
            descend(inner, name, unverified, false, steps)
        }
    }
}

/// Whether an object says of the contact in it that nobody verified it. A path into the object would otherwise lead to
/// the address that is left out under its plain name.
fn is_unverified(inner: &Map<String, Value>, name: &str) -> bool {
    let words: &[&str] = match name {
        "email" => &["email_verified", "verified"],
        "phone" | "phone_number" => &["phone_number_verified", "phone_verified", "verified"],
        "value" => &["verified"],
        _ => &[],
    };
    words.iter().filter_map(|word| inner.get(*word)).any(|word| !says_yes(word))
}
