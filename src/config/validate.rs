//! Judges a YAML tree by the schema, key by key, and keeps what is sound.
//!
//! Every fault is collected with its place. A faulty value is taken out (in lists it leaves a hole), so that the rest
//! can still be read into its types and judged as a whole: faults of form and faults of sense come in one report.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::advice::{expected, format_of, found, hint, nearest};
use super::fault::{Place, Remark, shown};
use super::form;
use super::oauth2_proxy;
use super::schema::{self, Object, branches, follow, types};
use super::yaml::{Entry, Node, Value};

/// What judging a file by the schema found.
#[derive(Default)]
pub(crate) struct Validation {
    pub(crate) faults: Vec<Remark>,
    /// Where the value of each key stands.
    pub(crate) places: BTreeMap<String, Place>,
    /// Single values as they are written, secrets masked, in the order of the file.
    pub(crate) given: Vec<(String, String)>,
    /// Values that the file leaves out and the schema fills in.
    pub(crate) defaulted: Vec<(String, String)>,
}

/// Judges `node` by the whole schema.
pub(crate) fn validate(node: &Node) -> (Validation, Json) {
    let mut validation = Validation::default();
    let json = validation.value(node, schema::file(), "").unwrap_or_else(|| Json::Object(Map::new()));
    (validation, json)
}

/// `routes[1]` + `host` → `routes[1].host`; a name that is no plain word is quoted.
pub(crate) fn join(path: &str, key: &str) -> String {
    let plain = is_word(key);
    let key = if plain { key.to_owned() } else { shown(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn is_store(text: &str) -> bool {
    matches!(text, "embedded" | "memory")
        || ["file:///", "redis://", "rediss://", "unix:///"].iter().any(|scheme| text.starts_with(scheme))
}

fn is_word(key: &str) -> bool {
    (1..=40).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl Validation {
    fn fault(&mut self, place: Place, key: &str, text: impl Into<String>) {
        self.faults.push(Remark { place, key: key.to_owned(), text: text.into() });
    }

    fn value(&mut self, node: &Node, schema: &Object, path: &str) -> Option<Json> {
        self.places.insert(path.to_owned(), node.place);
        if matches!(node.value, Value::Null) {
            let text = format!("has no value; expected {}, or remove the key", expected(schema));
            self.fault(node.place, path, text);
            return None;
        }
        if format_of(schema) == "secret" {
            return self.secret(node, path);
        }
        let all = branches(schema);
        let Some(branch) = all.iter().find(|branch| types(branch).iter().any(|kind| fits(kind, &node.value))) else {
            let text = format!("{}; expected {}{}", found(&node.value), expected(schema), hint(&all, &node.value));
            self.fault(node.place, path, text);
            return None;
        };
        match &node.value {
            Value::Null => None,
            Value::Bool(yes) => {
                self.given.push((path.to_owned(), yes.to_string()));
                Some(Json::Bool(*yes))
            }
            Value::Integer(number) => self.integer(node.place, *number, branch, path),
            Value::Number(_) => None,
            Value::Text(text) => self.text(node.place, text, branch, path),
            Value::List(items) => self.list(node.place, items, branch, path),
            Value::Map(entries) => self.map(node.place, entries, branch, path),
        }
    }

    /// Whether `node` is sound by `schema`.
    #[cfg(test)]
    pub(crate) fn judge(&mut self, node: &Node, schema: &Object, path: &str) -> bool {
        self.value(node, schema, path).is_some() && self.faults.is_empty()
    }

    /// A secret: a text, or exactly one of `file` and `env`. Whatever is wrong, nothing that stands here is printed.
    fn secret(&mut self, node: &Node, path: &str) -> Option<Json> {
        const WANTED: &str = "expected `{ file: … }`, `{ env: … }` or a text in quotes";
        match &node.value {
            Value::Text(text) if text.is_empty() => self.fault(node.place, path, format!("is empty; {WANTED}")),
            Value::Text(text) => {
                // The store is a secret only for the password that its address may hold.
                let word = path == "sessions.store" && !text.contains(['@', '?', '#']) && is_store(text);
                self.given.push((path.to_owned(), if word { shown(text) } else { "(secret)".to_owned() }));
                return Some(Json::String(text.clone()));
            }
            Value::Map(entries) => {
                if let [Entry { key, node: inner, .. }] = entries.as_slice()
                    && let Value::Text(text) = &inner.value
                    && matches!(key.as_str(), "file" | "env")
                {
                    // What is no name of a variable or a file may be the secret itself: it is not printed.
                    let name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                    if text.is_empty() || text.chars().any(char::is_control) || (key == "env" && !name) {
                        let text = if key == "env" {
                            "is not the name of an environment variable"
                        } else {
                            "is not the path of a file"
                        };
                        self.fault(inner.place, &join(path, key), text);
                        return None;
                    }
                    self.given.push((path.to_owned(), format!("{{ {key}: {} }}", shown(text))));
                    return Some(Json::Object(Map::from_iter([(key.clone(), Json::String(text.clone()))])));
                }
                let place = entries.iter().find(|entry| !matches!(entry.key.as_str(), "file" | "env"));
                let place = place.map_or(node.place, |entry| entry.key_place);
                self.fault(place, path, format!("is not one `file` or one `env` with its name; {WANTED}"));
            }
            _ => self.fault(node.place, path, format!("is not a text; {WANTED}")),
        }
        None
    }

    fn text(&mut self, place: Place, text: &str, schema: &Object, path: &str) -> Option<Json> {
        if let Some(Json::Array(words)) = schema.get("enum")
            && form::find(format_of(schema)).is_none()
            && !words.iter().any(|word| word.as_str() == Some(text))
        {
            let words: Vec<_> = words.iter().filter_map(Json::as_str).collect();
            let near = nearest(text, &words).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
            self.fault(place, path, format!("{} is not one of {}{near}", shown(text), words.join(", ")));
            return None;
        }
        if text.is_empty() {
            self.fault(place, path, format!("is empty; expected {}", expected(schema)));
            return None;
        }
        self.form(place, text, schema, path)?;
        self.given.push((path.to_owned(), shown(text)));
        Some(Json::String(text.to_owned()))
    }

    fn form(&mut self, place: Place, text: &str, schema: &Object, path: &str) -> Option<()> {
        let Some(row) = form::find(format_of(schema)) else { return Some(()) };
        let quantity = match (row.judge)(text) {
            Ok(quantity) => quantity,
            Err(why) => {
                self.fault(place, path, format!("{} {why}", shown(text)));
                return None;
            }
        };
        let limit = |name: &str| {
            let text = schema.get(name).and_then(Json::as_str)?;
            Some((text, (row.judge)(text).ok().flatten()?))
        };
        if let (Some(quantity), Some((least, bound))) = (quantity, limit("x-min"))
            && quantity < bound
        {
            self.fault(place, path, format!("{} is too little; at least {least}", shown(text)));
            return None;
        }
        if let (Some(quantity), Some((most, bound))) = (quantity, limit("x-max"))
            && quantity > bound
        {
            self.fault(place, path, format!("{} is too much; at most {most}", shown(text)));
            return None;
        }
        Some(())
    }

    fn integer(&mut self, place: Place, number: i64, schema: &Object, path: &str) -> Option<Json> {
        if form::find(format_of(schema)).is_some() {
            self.form(place, &number.to_string(), schema, path)?;
        }
        let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "the bounds are small whole numbers")]
        let size = number as f64;
        if number < 0 || bound("minimum").is_some_and(|least| size < least) {
            self.fault(place, path, format!("{number} is too little; at least {}", bound("minimum").unwrap_or(0.0)));
            return None;
        }
        if bound("maximum").is_some_and(|most| size > most) {
            self.fault(place, path, format!("{number} is too much; at most {}", bound("maximum").unwrap_or(0.0)));
            return None;
        }
        self.given.push((path.to_owned(), number.to_string()));
        Some(Json::from(number))
    }

    fn list(&mut self, place: Place, items: &[Node], schema: &Object, path: &str) -> Option<Json> {
        if items.len() < count(schema, "minItems") {
            self.fault(place, path, "is an empty list; name at least one, or remove the key");
            return None;
        }
        if items.is_empty() {
            self.given.push((path.to_owned(), "[]".to_owned()));
        }
        let schema = schema.get("items").map(follow).unwrap_or_default();
        let judge = |(index, item)| self.value(item, &schema, &format!("{path}[{index}]")).unwrap_or(Json::Null);
        Some(Json::Array(items.iter().enumerate().map(judge).collect()))
    }

    fn map(&mut self, place: Place, entries: &[Entry], schema: &Object, path: &str) -> Option<Json> {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(&none);
        let more = schema.get("additionalProperties").filter(|more| more.is_object()).map(follow);
        let names = schema.get("propertyNames").map(follow).unwrap_or_default();
        if entries.len() < count(schema, "minProperties") {
            self.fault(place, path, "is an empty mapping; write something into it, or remove the key");
            return None;
        }
        let mut out = Map::new();
        for Entry { key, key_place, node } in entries {
            let here = join(path, key);
            if let Some(property) = properties.get(key) {
                out.extend(self.value(node, &follow(property), &here).map(|value| (key.clone(), value)));
            } else if let Some(more) = &more {
                if key.is_empty() || key.chars().any(char::is_control) {
                    self.fault(*key_place, path, "has a key without a name");
                } else if self.form(*key_place, key, &names, &here).is_some() {
                    out.extend(self.value(node, more, &here).map(|value| (key.clone(), value)));
                }
            } else {
                self.unknown(*key_place, key, properties, path);
            }
        }
        for (name, property) in properties {
            if !entries.iter().any(|entry| entry.key == *name) {
                out.extend(self.fill(&follow(property), &join(path, name)).map(|value| (name.clone(), value)));
            }
        }
        for name in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if !entries.iter().any(|entry| entry.key == name) {
                let what = properties.get(name).map(follow).unwrap_or_default();
                self.fault(place, &join(path, name), format!("is missing; expected {}", expected(&what)));
            }
        }
        Some(Json::Object(out))
    }

    /// What a key is worth that the file leaves out. The schema is the one place where defaults are written down:
    /// reference, editors and program cannot disagree. A mapping that must be complete when it is there is not made up.
    fn fill(&mut self, schema: &Object, path: &str) -> Option<Json> {
        if let Some(value) = schema.get("default") {
            self.defaulted.push((path.to_owned(), value.as_str().map_or_else(|| value.to_string(), shown)));
            return Some(value.clone());
        }
        let properties = schema.get("properties").and_then(Json::as_object)?;
        if schema.contains_key("required") {
            return None;
        }
        let mut out = Map::new();
        for (name, property) in properties {
            out.extend(self.fill(&follow(property), &join(path, name)).map(|value| (name.clone(), value)));
        }
        (!out.is_empty()).then_some(Json::Object(out))
    }

    fn unknown(&mut self, place: Place, key: &str, properties: &Object, path: &str) {
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let elsewhere = || schema::keys().into_iter().find(|other| other.path.rsplit('.').next() == Some(key));
        let advice = if let Some(counterpart) = oauth2_proxy::counterpart(key) {
            counterpart
        } else if let Some(near) = nearest(key, &known) {
            format!("did you mean `{near}`?")
        } else if let Some(other) = elsewhere() {
            format!("it belongs at `{}`", other.path)
        } else {
            format!("known here: {}", known.join(", "))
        };
        if is_word(key) {
            self.fault(place, &join(path, key), format!("unknown key; {advice}"));
        } else {
            // `{client_secret:hunter2}` lacks a space, and what follows the colon is the secret.
            let name = key.split_once(':').map_or_else(|| key.to_owned(), |(name, _)| format!("{name}:…"));
            self.fault(place, path, format!("unknown key {}; {advice}", shown(&name)));
        }
    }
}

fn count(schema: &Object, name: &str) -> usize {
    schema.get(name).and_then(Json::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

fn fits(kind: &str, value: &Value) -> bool {
    matches!(
        (kind, value),
        ("boolean", Value::Bool(_))
            | ("integer", Value::Integer(_))
            | ("string", Value::Text(_))
            | ("array", Value::List(_))
            | ("object", Value::Map(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_so_that_they_can_be_found() {
        assert_eq!(join("", "routes"), "routes");
        assert_eq!(join("routes[1]", "host"), "routes[1].host");
        assert_eq!(join("a", "b.c"), "a.\"b.c\"");
    }
}
