//! The example and the reference say what the program does.

use super::*;
use crate::config::{reference, schema, validate, yaml};

const EXAMPLE: &str = include_str!("../../../config/zengate.example.yaml");

/// The example with its commented keys switched on: `#key:` is a key, `# text` is a comment.
fn uncommented() -> String {
    let mut out = String::new();
    for line in EXAMPLE.lines() {
        let indent = line.len() - line.trim_start().len();
        let (space, rest) = line.split_at(indent);
        match rest.strip_prefix('#') {
            Some(key) if key.trim_start_matches("- ").starts_with(|c: char| c.is_ascii_lowercase()) => {
                out.push_str(&format!("{space}{key}\n"))
            }
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

/// `routes[0].identity_headers.map.X-User` → `routes[].identity_headers.map.*`
fn generic(path: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => {
                inside = false;
                out.push_str("[]");
            }
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    for names in ["map", "claims", "set"] {
        if let Some(at) = out.find(&format!(".{names}.")) {
            let after = at + names.len() + 2;
            let end = out[after..].find('.').map_or(out.len(), |dot| after + dot);
            out.replace_range(after..end, "*");
        }
    }
    out
}

#[test]
fn the_example_works_as_it_is() {
    let (_, warnings) = Machine::new().read_config(EXAMPLE).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn the_example_shows_every_key_once_and_no_other() {
    let (root, faults) = yaml::read(&uncommented());
    assert!(faults.is_empty(), "{faults:#?}");
    let (validation, _) = validate::validate(&root.unwrap());
    assert!(validation.faults.is_empty(), "{:#?}", validation.faults);
    let known: BTreeSet<String> = schema::keys().into_iter().map(|key| key.path).collect();
    let mut shown: Vec<String> =
        validation.places.keys().map(|path| generic(path)).filter(|path| known.contains(path)).collect();
    shown.sort();
    let missing: Vec<_> = known.iter().filter(|key| !shown.contains(key)).collect();
    assert!(missing.is_empty(), "not in the example: {missing:#?}");
    let twice: Vec<_> = shown.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "twice in the example: {twice:#?}");
}

#[test]
fn the_defaults_in_the_example_are_the_defaults() {
    let (root, _) = yaml::read(&uncommented());
    let (validation, json) = validate::validate(&root.unwrap());
    // An entry of `providers` is there for its two own keys; its defaults are those of `provider`.
    let left: Vec<_> = validation.defaulted.iter().filter(|(key, _)| !key.starts_with("providers[")).collect();
    assert!(left.is_empty(), "{left:#?}");
    let mut compared = 0;
    for key in schema::keys() {
        let Some(default) = key.schema.get("default") else { continue };
        for path in validation.places.keys().filter(|path| generic(path) == key.path) {
            let mut here = &json;
            for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
                here = step.parse::<usize>().map_or_else(|_| &here[step], |index| &here[index]);
            }
            // A mapping in the place of a plain value is there for the keys below it.
            if here.is_object() && !default.is_object() {
                continue;
            }
            assert_eq!(here, default, "{path}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn what_the_schema_calls_a_default_is_sound() {
    for key in schema::keys() {
        if let Some(default) = key.schema.get("default") {
            let yaml = format!("{default}\n");
            let (node, _) = yaml::read(&yaml);
            let mut validation = validate::Validation::default();
            assert!(validation.judge(&node.unwrap(), &key.schema, &key.path), "{}: {:?}", key.path, validation.faults);
        }
    }
}

#[test]
fn the_reference_is_the_one_that_the_types_write() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
    let now = reference::markdown();
    if std::env::var_os("ZENGATE_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == now, "docs/CONFIGURATION.md is not current; run: ZENGATE_BLESS=1 cargo test --lib config::");
}

#[test]
fn the_schema_is_json_that_editors_read() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["sessions"]["$ref"], "#/$defs/SessionsFile");
    assert!(schema["$defs"]["SessionsFile"]["properties"]["idle"]["description"].as_str().unwrap().contains("unused"));
}
