//! Claims by name and type: a claim of the wrong JSON type is a broken claim, never an absent one (CVE-2026-25537).

use std::time::Duration;

use serde_json::{Map, Value};

/// A claim that is there and has another JSON type than it must have: its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType(pub(super) &'static str);

/// A string, if the claim is there.
pub(super) fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, WrongType> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(WrongType(name)),
    }
}

/// `aud`: one string, or a list of nothing but strings.
pub(super) fn audiences(claims: &Map<String, Value>) -> Result<Option<Vec<&str>>, WrongType> {
    match claims.get("aud") {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one])),
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().map(Some).ok_or(WrongType("aud"))
        }
        Some(_) => Err(WrongType("aud")),
    }
}

/// A NumericDate (RFC 7519, 2) in whole seconds, held at the ends of the range. Fractions are cut off.
pub(super) fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, WrongType> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            // `as` holds at the ends of the range, and JSON has no NaN.
            let float = || number.as_f64().map(|float| float as i64);
            let large = || number.as_u64().map(|_| i64::MAX);
            number.as_i64().or_else(large).or_else(float).map(Some).ok_or(WrongType(name))
        }
        Some(_) => Err(WrongType(name)),
    }
}

/// Methods of authentication: strings of a list, or one string; of another shape, none.
pub(super) fn methods(amr: Option<&Value>) -> Vec<String> {
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
pub(super) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
