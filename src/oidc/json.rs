//! JSON from strangers: one reading per document.
//!
//! An object that names a member twice has two readings, one per parser on the way, and an attacker picks whom to
//! show which. Here such an object reads as an empty one, a shape nobody accepts: not as `null`, which stands for a claim
//! that is not there. Depth is bounded by `serde_json` (128).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A document whose outermost value is an object without repeated members; `None` for anything else, a byte order
/// mark and trailing bytes included.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Reading { exponents: has_exponent(body) }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(members) if !members.is_empty() || is_empty_object(body) => Some(members),
        _ => None,
    }
}

/// Whether a document that reads as an empty object is one, and not one that names a member twice.
fn is_empty_object(body: &[u8]) -> bool {
    body.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"{}")
}

/// Whether a number of the document is written with an exponent: outside of texts only such an `e` follows a digit.
fn has_exponent(body: &[u8]) -> bool {
    let (mut in_text, mut before) = (false, b' ');
    for &byte in body {
        match (in_text, byte) {
            // An escaped sign ends no text; two backslashes are one sign, and the next one is free again.
            (true, b'\\') if before == b'\\' => {
                before = b' ';
                continue;
            }
            (_, b'"') if !(in_text && before == b'\\') => in_text = !in_text,
            (false, b'e' | b'E') if before.is_ascii_digit() => return true,
            _ => {}
        }
        before = byte;
    }
    false
}

#[derive(Clone, Copy)]
struct Reading {
    /// Some number of the document is written with an exponent. Numbers with a fraction are then no numbers: dates are
    /// what numbers are used for here, and one grammar for them leaves no second reading of when a token ends.
    exponents: bool,
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).filter(|_| !self.exponents);
        Ok(number.map_or_else(|| Value::Object(Map::new()), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        let mut repeated = false;
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            repeated |= out.insert(name, value).is_some();
        }
        Ok(Value::Object(if repeated { Map::new() } else { out }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_with_two_readings_has_none() {
        assert!(object(br#"{"a":1,"a":1}"#).is_none());
        assert!(object(br#"{"a":1,"\u0061":2}"#).is_none(), "an escaped spelling is the same name");
        assert_eq!(object(br#"{"a":{"b":1,"b":2},"c":3}"#).unwrap()["a"], serde_json::json!({}));
        assert_eq!(object(br#"{"a":[{"b":1}],"c":-3}"#).unwrap()["c"], -3);
    }

    // Attacks, class E
    #[test]
    fn a_number_with_an_exponent_is_no_number_that_anybody_accepts() {
        for odd in ["1e9", "1E9", "1.5e3", "-1e-9"] {
            let read = object(format!(r#"{{"a":"\\\\","exp":{odd},"x":[{odd}]}}"#).as_bytes()).unwrap();
            assert_eq!((&read["exp"], &read["x"]), (&serde_json::json!({}), &serde_json::json!([{}])), "{odd}");
        }
        for plain in [r#"{"exp":1.5,"a":"1e9"}"#, r#"{"exp":1.5,"a":"\"1e9\\"}"#, r#"{"exp":1.5,"a":true,"b":false}"#] {
            assert_eq!(object(plain.as_bytes()).unwrap()["exp"], 1.5, "{plain}");
        }
        assert!(object(br#"{"exp":1e999}"#).is_none());
    }

    #[test]
    fn noise_before_or_after_the_document_is_refused() {
        for body in ["\u{feff}{}", "{} x", "{}{}", "[]", "null", "\"{}\"", "", "<html>", "{\"a\":\"\\ud800\"}"] {
            assert!(object(body.as_bytes()).is_none(), "{body:?}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_none());
        assert!(object(b" {} \r\n").is_some());
    }

    #[test]
    fn a_nesting_bomb_is_an_error_and_no_overflow() {
        // C33
        for depth in [10_000, 500_000] {
            for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                let bomb = format!(r#"{{"a":{}1{}}}"#, open.repeat(depth), close.repeat(depth));
                assert!(object(bomb.as_bytes()).is_none());
            }
            assert!(object(format!(r#"{{"a":{}"#, "[".repeat(depth)).as_bytes()).is_none());
        }
        assert!(object(format!(r#"{{"a":{}1{}}}"#, "[".repeat(50), "]".repeat(50)).as_bytes()).is_some());
    }
}
