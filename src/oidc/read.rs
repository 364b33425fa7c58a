//! Claims by name and type: a claim of the wrong JSON type is a broken claim, never an absent one (CVE-2026-25537).

use std::time::Duration;

use serde_json::{Map, Value};

/// A claim that is there and has another JSON type than it must have: its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongType(pub(crate) &'static str);

/// The latest moment that a date may name, in seconds: the end of the year 9999. Whoever writes milliseconds names a later
/// one, and would otherwise make a token that never ends.
const LATEST: i64 = 253_402_300_799;

/// A string, if the claim is there. `null` stands for a claim that is not (many libraries write it so): leaving the claim
/// out would say the same.
pub(crate) fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, WrongType> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(WrongType(name)),
    }
}

/// As [`text`], for a claim that must be there: its `null` is a broken claim.
pub(crate) fn demanded_text<'a>(
    claims: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, WrongType> {
    not_null(claims, name)?;
    text(claims, name)
}

/// `aud`: one string, or a list of nothing but strings.
pub(crate) fn audiences(claims: &Map<String, Value>) -> Result<Option<Vec<&str>>, WrongType> {
    match claims.get("aud") {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one])),
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().map(Some).ok_or(WrongType("aud"))
        }
        Some(_) => Err(WrongType("aud")),
    }
}

/// A NumericDate (RFC 7519, 2) in whole seconds, no further from 1970 than the year 9999. Fractions are cut off; `null`
/// stands for a claim that is not there.
pub(crate) fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, WrongType> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            // `as` holds at the ends of the range, and JSON has no NaN.
            let float = || number.as_f64().map(|float| float as i64);
            let date = number.as_i64().or_else(float).filter(|date| (-LATEST..=LATEST).contains(date));
            date.map(Some).ok_or(WrongType(name))
        }
        Some(_) => Err(WrongType(name)),
    }
}

/// As [`date`], for a claim that must be there: its `null` is a broken claim.
pub(crate) fn demanded_date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, WrongType> {
    not_null(claims, name)?;
    date(claims, name)
}

fn not_null(claims: &Map<String, Value>, name: &'static str) -> Result<(), WrongType> {
    if claims.get(name).is_some_and(Value::is_null) { Err(WrongType(name)) } else { Ok(()) }
}

/// Methods of authentication: strings of a list, or one string; of another shape, none.
pub(crate) fn methods(amr: Option<&Value>) -> Vec<String> {
    let sane = |method: &&str| !method.is_empty() && method.len() <= 64 && !method.chars().any(char::is_control);
    match amr {
        Some(Value::String(one)) => Some(one.as_str()).filter(sane).map(str::to_owned).into_iter().collect(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).filter(sane).take(16).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// A duration in whole seconds, held at the end of the range.
pub(crate) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
