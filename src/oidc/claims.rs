//! Claims worth passing on: what is left of a token or a userinfo answer when the protocol has taken its own.
//!
//! An issuer vouches for its people, not for our memory: number and size are capped, and shapes that a header cannot
//! carry are left out. Nothing here is trusted by being here.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Most claims that are kept.
pub const MAX_CLAIMS: usize = 64;
/// Longest value that is kept, in bytes; for a list, of all its elements together.
pub const MAX_VALUE: usize = 4096;
/// Longest name that is kept, in bytes.
const MAX_NAME: usize = 128;

/// Claims with a meaning in the protocol. They are judged where they belong and never passed on as attributes: `aka`
/// holds port tokens (dossier 14), the hashes and `nonce` belong to one sign-in.
const PROTOCOL: [&str; 22] = [
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
    /// An array of strings, such as `groups` or `amr`.
    List(Vec<String>),
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

/// Keeps claims in the order in which they are offered until [`MAX_CLAIMS`] are there (and [`WORDS`] beyond them); the
/// first of a name stays.
#[derive(Debug, Default)]
pub struct Collector(BTreeMap<String, ClaimValue>);

impl Collector {
    /// Offers a claim. Left out: protocol claims, names that no header mapping could mean, values of other shapes than
    /// [`ClaimValue`] has, and what is too long.
    pub fn offer(&mut self, name: &str, value: &Value) {
        match read(value) {
            Some(value) => self.insert(name, value),
            None if WORDS.contains(&name) => self.insert(name, ClaimValue::Bool(false)),
            None => {}
        }
    }

    /// As [`Collector::offer`], with a value that was already read.
    pub fn insert(&mut self, name: &str, value: ClaimValue) {
        let fits = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
        let has_room = self.0.len() < MAX_CLAIMS || WORDS.contains(&name);
        if !fits || !has_room || PROTOCOL.contains(&name) {
            return;
        }
        let value = match value {
            ClaimValue::List(list) if is_single(name) => match <[String; 1]>::try_from(list) {
                Ok([one]) => ClaimValue::Text(one),
                // Joined in a header they would read as one text that the issuer never wrote.
                Err(_) => return,
            },
            value => value,
        };
        self.0.entry(name.to_owned()).or_insert(value);
    }

    /// What was kept.
    pub fn finish(self) -> BTreeMap<String, ClaimValue> {
        self.0
    }
}

/// Reads a string, boolean, integer or list of strings of at most [`MAX_VALUE`] bytes.
pub fn read(value: &Value) -> Option<ClaimValue> {
    match value {
        Value::Bool(value) => Some(ClaimValue::Bool(*value)),
        Value::Number(number) => number.as_i64().map(ClaimValue::Integer),
        Value::String(text) => (text.len() <= MAX_VALUE).then(|| ClaimValue::Text(text.clone())),
        Value::Array(items) => {
            let length: usize =
                items.iter().map(|item| item.as_str().map_or(MAX_VALUE + 1, |text| text.len() + 1)).sum();
            let texts = || items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            (length <= MAX_VALUE).then(|| ClaimValue::List(texts()))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Whether `text` can be a subject: 1 to 255 bytes, no control characters (Core 2; C06). Otherwise opaque.
pub fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_shapes_a_header_can_carry_are_kept() {
        // C30
        assert_eq!(read(&json!("é\r\n")), Some(ClaimValue::Text("é\r\n".into())), "encoding is the header's business");
        assert_eq!(read(&json!(["a", "b"])), Some(ClaimValue::List(vec!["a".into(), "b".into()])));
        assert_eq!(read(&json!(-7)), Some(ClaimValue::Integer(-7)));
        assert_eq!(read(&json!(true)), Some(ClaimValue::Bool(true)));
        for other in [json!(null), json!({"value": "x"}), json!([1]), json!(["a", null]), json!(1.5), json!(u64::MAX)] {
            assert_eq!(read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_record_holds_the_same_shapes_and_no_other() {
        for text in [r#""é\"\n""#, r#"["a","b"]"#, "[]", "-7", "9223372036854775807", "true", "false"] {
            let value: ClaimValue = serde_json::from_str(text).unwrap();
            assert_eq!(Some(&value), read(&serde_json::from_str(text).unwrap()).as_ref(), "{text}");
            assert_eq!(serde_json::from_str::<ClaimValue>(&serde_json::to_string(&value).unwrap()).unwrap(), value);
        }
        for text in ["null", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#, "1.5", "9223372036854775808"] {
            assert!(serde_json::from_str::<ClaimValue>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_much_is_left_out() {
        // C30, C33
        assert!(read(&json!("x".repeat(MAX_VALUE))).is_some());
        assert!(read(&json!("x".repeat(MAX_VALUE + 1))).is_none());
        assert!(read(&json!(vec!["xxxxxxx"; MAX_VALUE / 8])).is_some());
        assert!(read(&json!(vec!["xxxxxxx"; MAX_VALUE / 8 + 1])).is_none());
        assert!(read(&json!(vec![""; MAX_VALUE + 1])).is_none());
        let mut all = Collector::default();
        for index in 0..1000 {
            all.offer(&format!("claim{index:04}"), &json!(index));
        }
        all.offer("x".repeat(200).as_str(), &json!(1));
        assert_eq!(all.finish().len(), MAX_CLAIMS);
    }

    // Attacks, class G
    #[test]
    fn a_claim_that_is_one_text_is_no_list() {
        let mut all = Collector::default();
        all.offer("name", &json!(["Lee", "Ann"]));
        all.offer("email", &json!([]));
        all.offer("upn", &json!(["ann@corp.test"]));
        all.offer("groups", &json!(["a", "b"]));
        let groups = ClaimValue::List(vec!["a".into(), "b".into()]);
        let kept = [("groups".to_owned(), groups), ("upn".to_owned(), ClaimValue::Text("ann@corp.test".into()))];
        assert_eq!(all.finish(), BTreeMap::from(kept));
    }

    // MV01
    #[test]
    fn a_word_about_an_address_is_never_lost() {
        for odd in [json!(null), json!({}), json!([false]), json!(0.5), json!("x".repeat(MAX_VALUE + 1))] {
            let mut all = Collector::default();
            all.offer("email_verified", &odd);
            all.offer("other", &json!(null));
            assert_eq!(all.finish(), BTreeMap::from([("email_verified".into(), ClaimValue::Bool(false))]), "{odd}");
        }
        let mut all = Collector::default();
        for index in 0..MAX_CLAIMS {
            all.offer(&format!("a{index}"), &json!(1));
        }
        all.offer("email_verified", &json!(false));
        all.offer("phone_number_verified", &json!(false));
        all.offer("zoneinfo", &json!("x"));
        let kept = all.finish();
        assert!(kept.contains_key("email_verified") && kept.contains_key("phone_number_verified"));
        assert_eq!(kept.len(), MAX_CLAIMS + 2);
    }

    #[test]
    fn protocol_claims_and_odd_names_are_no_attributes() {
        let mut all = Collector::default();
        for name in ["iss", "sub", "nonce", "aka", "cnf", "", "a\nb", "a\0"] {
            all.offer(name, &json!("x"));
        }
        all.offer("email", &json!("a@b.test"));
        all.offer("email", &json!("later@b.test"));
        assert_eq!(all.finish(), BTreeMap::from([("email".into(), ClaimValue::Text("a@b.test".into()))]));
    }

    #[test]
    fn a_subject_is_opaque_within_limits() {
        // C06
        for good in ["x", "mccmnc-1234567abcdefghijk", "001001-B", "ünïcode", &"s".repeat(255)] {
            assert!(is_subject(good), "{good}");
        }
        for bad in ["", "a\r\nb", "a\0", "\u{7f}", "a\u{85}b", &"s".repeat(256), &"ü".repeat(128)] {
            assert!(!is_subject(bad), "{bad:?}");
        }
    }
}
