//! The JSON Schema of the file, generated from its types: what editors complete with, what the walker judges by and
//! what the reference is written from.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use super::file::File;

/// An object of a schema.
pub(crate) type Object = Map<String, Value>;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<File>().to_value();
    normalise(&mut schema);
    schema
});

/// The whole schema.
pub(crate) fn root() -> &'static Value {
    &SCHEMA
}

/// The file itself, without the definitions it refers to.
pub(crate) fn file() -> &'static Object {
    static FILE: LazyLock<Object> = LazyLock::new(|| {
        let mut file = root().as_object().cloned().unwrap_or_default();
        file.remove("$defs");
        file
    });
    &FILE
}

/// The schema as text, for editors (`# yaml-language-server: $schema=…`).
pub fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(root()).unwrap_or_default();
    text.push('\n');
    text
}

/// A schema without references: what a `$ref` leads to, with what stands beside the `$ref` put over it.
pub(crate) fn follow(schema: &Value) -> Object {
    let mut here = schema.as_object().cloned().unwrap_or_default();
    for _ in 0..8 {
        let Some(Value::String(target)) = here.remove("$ref") else { break };
        let name = target.rsplit('/').next().unwrap_or_default();
        let found = root().get("$defs").and_then(|all| all.get(name)).and_then(Value::as_object);
        for (key, value) in found.into_iter().flatten() {
            here.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    here
}

/// The alternatives of a schema, each with what stands beside `anyOf` put over it; one if there are none.
pub(crate) fn branches(schema: &Object) -> Vec<Object> {
    let Some(Value::Array(any)) = schema.get("anyOf") else {
        return vec![schema.clone()];
    };
    let beside: Object =
        schema.iter().filter(|(key, _)| *key != "anyOf").map(|(k, v)| (k.clone(), v.clone())).collect();
    any.iter()
        .map(|branch| {
            let mut branch = follow(branch);
            branch.extend(beside.clone());
            branch
        })
        .collect()
}

/// The names of types that a schema allows.
pub(crate) fn types(schema: &Object) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Takes out what `Option` puts in: a key is there with a value, or it is not there. An empty value (`require:`) is
/// what a cut or mis-indented file looks like, so `null` is never allowed.
fn normalise(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(object) => {
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|branch| branch.get("type").and_then(Value::as_str) != Some("null"));
                if any.len() == 1
                    && let Some(Value::Object(only)) = any.pop()
                {
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            if let Some(Value::Array(kinds)) = object.get_mut("type") {
                kinds.retain(|kind| kind.as_str() != Some("null"));
                if kinds.len() == 1
                    && let Some(only) = kinds.pop()
                {
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(words)) = object.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if object.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                object.remove("format");
            }
            object.values_mut().for_each(normalise);
        }
        _ => {}
    }
}

/// One key of the schema, for the reference and for tests.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// `routes[].require.acr`; `*` stands for a name that the operator chooses.
    pub(crate) path: String,
    /// Its schema, references followed.
    pub(crate) schema: Object,
    /// Whether it must be there when what holds it is there.
    pub(crate) required: bool,
}

/// Every key that the schema knows, containers before what they contain.
pub(crate) fn keys() -> Vec<Key> {
    let mut out = Vec::new();
    collect(file(), "", &mut out);
    out.retain(|key| !is_told_elsewhere(&key.path));
    out
}

/// An entry of `providers` is a `provider` block with two more keys: the block is told under `provider`, the two keys
/// under `providers`. What is done to answers is said as for requests, each of several values as one, and what is added as what is
/// set.
fn is_told_elsewhere(path: &str) -> bool {
    if let Some(own) = path.strip_prefix("routes[].request_headers.") {
        return own.starts_with("add.*") || own.starts_with("set.*[]");
    }
    if path.starts_with("routes[].response_headers.") {
        return true;
    }
    match path.strip_prefix("providers[].") {
        Some(own) => !matches!(own, "id" | "name"),
        None => matches!(path, "provider.id" | "provider.name"),
    }
}

fn collect(schema: &Object, path: &str, out: &mut Vec<Key>) {
    if schema.get("format").and_then(Value::as_str) == Some("secret") {
        return;
    }
    for branch in branches(schema) {
        if let Some(items) = branch.get("items") {
            collect(&follow(items), &format!("{path}[]"), out);
        }
        if let Some(more @ Value::Object(_)) = branch.get("additionalProperties") {
            collect(&follow(more), &format!("{path}.*"), out);
        }
        let required = branch.get("required").and_then(Value::as_array);
        for (name, property) in branch.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let schema = follow(property);
            let required = required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
            out.push(Key { path: path.clone(), schema: schema.clone(), required });
            collect(&schema, &path, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::form::FORMS;

    #[test]
    fn every_format_of_the_schema_is_a_form_and_every_form_is_used() {
        fn formats(value: &Value, out: &mut BTreeSet<String>) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| formats(item, out)),
                Value::Object(object) => {
                    out.extend(object.get("format").and_then(Value::as_str).map(str::to_owned));
                    object.values().for_each(|value| formats(value, out));
                }
                _ => {}
            }
        }
        let mut named = BTreeSet::new();
        formats(root(), &mut named);
        let known = FORMS.iter().map(|row| row.name.to_owned()).chain(["secret".to_owned()]).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn the_schema_refuses_unknown_keys_and_empty_values_everywhere() {
        fn check(value: &Value, path: &str) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| check(item, path)),
                Value::Object(object) => {
                    if object.contains_key("properties") {
                        assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{path}");
                    }
                    for (key, value) in object {
                        assert_ne!((key.as_str(), value), ("type", &Value::from("null")), "{path}");
                        check(value, &format!("{path}/{key}"));
                    }
                }
                _ => {}
            }
        }
        check(root(), "");
    }

    #[test]
    fn every_key_says_what_it_is_and_has_a_default_or_says_what_happens_without() {
        for key in keys() {
            let description = key.schema.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(!description.is_empty(), "{} has no description", key.path);
        }
    }
}
