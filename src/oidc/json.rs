//! JSON from strangers: one reading per document.
//!
//! An object that names a member twice has two readings, one per parser on the way, and an attacker picks whom to
//! show which. Here such an object reads as `null`, a shape nobody accepts. Depth is bounded by `serde_json` (128).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A document whose outermost value is an object without repeated members; `None` for anything else, a byte order
/// mark and trailing bytes included.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Reading.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Reading;

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
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
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
        Ok(if repeated { Value::Null } else { Value::Object(out) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_with_two_readings_has_none() {
        assert!(object(br#"{"a":1,"a":1}"#).is_none());
        assert!(object(br#"{"a":1,"\u0061":2}"#).is_none(), "an escaped spelling is the same name");
        assert!(object(br#"{"a":{"b":1,"b":2},"c":3}"#).unwrap()["a"].is_null());
        assert_eq!(object(br#"{"a":[{"b":1}],"c":-3}"#).unwrap()["c"], -3);
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
