//! What was found, what was expected, what was probably meant: the words of the walker's faults.

use serde_json::Value as Json;
use strsim::osa_distance;

use super::form;
use super::schema::{Object, branches, follow, types};
use super::yaml::Value;

/// The `format` of a schema; empty if it has none.
pub(crate) fn format_of(schema: &Object) -> &str {
    schema.get("format").and_then(Json::as_str).unwrap_or_default()
}

/// What was found, without its text: it may be a secret that slipped into the wrong place.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::Null => "has no value".to_owned(),
        Value::Bool(yes) => format!("is `{yes}`"),
        Value::Integer(number) => format!("is the number {number}"),
        Value::Number(number) => format!("is the number {number}"),
        Value::Text(_) => "is a text".to_owned(),
        Value::List(_) => "is a list".to_owned(),
        Value::Map(_) => "is a mapping".to_owned(),
    }
}

/// A word of help for values that were probably meant well.
pub(crate) fn hint(branches: &[Object], value: &Value) -> &'static str {
    let text = branches.iter().any(|branch| types(branch).contains(&"string"));
    let list = branches.iter().any(|branch| types(branch).contains(&"array"));
    match value {
        Value::Integer(_) | Value::Number(_) if branches.iter().any(|b| format_of(b) == "duration") => {
            " (a number needs a unit)"
        }
        Value::Bool(_) | Value::Integer(_) | Value::Number(_) if text => " (put it in quotes if it is meant as text)",
        Value::Text(_) if list => " (begin each item with `- `, or put the items in `[ ]`)",
        _ => "",
    }
}

/// What a schema expects, in words.
pub(crate) fn expected(schema: &Object) -> String {
    if format_of(schema) == "secret" {
        return "`{ file: … }`, `{ env: … }` or a text".to_owned();
    }
    let all = branches(schema).iter().map(expected_of_one).collect::<Vec<_>>();
    all.join(" or ")
}

fn expected_of_one(schema: &Object) -> String {
    if let Some(row) = form::find(format_of(schema)) {
        return row.what.to_owned();
    }
    if let Some(Json::Array(words)) = schema.get("enum") {
        return words.iter().filter_map(Json::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    }
    match types(schema).first().copied().unwrap_or_default() {
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "a whole number".to_owned(),
        "string" => "a text".to_owned(),
        "array" => {
            let items = schema.get("items").map(follow).unwrap_or_default();
            format!("a list, each item {}", expected(&items))
        }
        _ => match schema.get("properties").and_then(Json::as_object) {
            Some(properties) => {
                let names: Vec<_> = properties.keys().map(String::as_str).take(4).collect();
                let dots = if properties.len() > 4 { ", …" } else { "" };
                format!("a mapping with {}{dots}", names.join(", "))
            }
            None => "a mapping".to_owned(),
        },
    }
}

/// The word that was probably meant: the same but for case and `-`/`_`, or a few slips away.
pub(crate) fn nearest<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace(['-', '_', ' '], "");
    let typed = plain(text);
    if typed.is_empty() || typed.len() > 40 {
        return None;
    }
    let best = words.iter().map(|word| (osa_distance(&typed, &plain(word)), *word)).min()?;
    (best.0 <= typed.chars().count().div_ceil(3).min(3)).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found_and_no_other() {
        let words = ["idle", "absolute", "store", "client_secret", "client_id"];
        assert_eq!(nearest("idel", &words), Some("idle"));
        assert_eq!(nearest("clientSecret", &words), Some("client_secret"));
        assert_eq!(nearest("client-secert", &words), Some("client_secret"));
        assert_eq!(nearest("timeout", &words), None);
        assert_eq!(nearest("", &words), None);
    }
}
