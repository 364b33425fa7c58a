//! docs/CONFIGURATION.md, written from the types: what it says is what the program reads.

use serde_json::Value;

use super::form;
use super::schema::{Key, Object, branches, file, follow, keys, types};

const OPENING: &str = "\
# Configuration

One YAML file. Unknown keys, keys that stand twice and empty values are refused; every fault is reported at once, with
line, column and key. `zengate check --config FILE` does so without starting anything, and asks
the session store and the issuers whether a sign-in could do with them (`--offline` asks nobody).

This page is generated from the types that read the file (`src/config/file/`): do not edit it, edit their comments and
run `ZENGATE_BLESS=1 cargo test --lib config::`. `config/zengate.example.yaml` shows every key in place.

- **Durations**: `500ms`, `30s`, `15m`, `1h30m`, `7d`, `3 weeks`. **Sizes**: `64KiB`, `10MB`, or a bare number of bytes.
- **Secrets**: `{ file: /run/secrets/x }` (one line break at its end is ignored), `{ env: NAME }`, or the text itself, with a
  warning. A secret that is missing or empty is a fault.
- **Relative paths** begin in the directory of the file itself.
- **Precedence**: the file, then the defaults below. An environment variable counts only where the file names it.
- **Anchors and aliases** work; merge keys (`<<`) and tags do not.
- **A cut file**: the last line must end with a line break, so that a file cut in the middle of a line is refused. A file
  that is cut between two lines can still be complete: replace files whole (write beside, then rename).

In the tables a key in **bold** must be there.
";

/// The whole page.
pub fn markdown() -> String {
    let mut out = OPENING.to_owned();
    let all = keys();
    let top: Vec<&Key> = all.iter().filter(|key| parent(&key.path).is_empty()).collect();
    section(&mut out, "The file", description(file()), &top);
    for key in &all {
        let inside: Vec<&Key> = all.iter().filter(|other| parent(&other.path) == key.path).collect();
        if !inside.is_empty() {
            section(&mut out, &format!("`{}`", key.path), description(&key.schema), &inside);
        }
    }
    out
}

/// `routes[].require.acr` → `routes[].require`, and `routes[].host` → `routes`, under which its table stands.
fn parent(path: &str) -> &str {
    let above = path.rfind('.').and_then(|end| path.get(..end)).unwrap_or_default();
    above.strip_suffix("[]").or_else(|| above.strip_suffix(".*")).unwrap_or(above)
}

fn section(out: &mut String, title: &str, text: &str, keys: &[&Key]) {
    out.push_str(&format!("\n## {title}\n\n"));
    if !text.is_empty() {
        out.push_str(&format!("{}\n\n", one_line(text)));
    }
    out.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    let (first, second): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| key.required);
    for key in first.into_iter().chain(second) {
        let name = key.path.rsplit('.').next().unwrap_or_default();
        let name = if key.required { format!("**`{name}`**") } else { format!("`{name}`") };
        let default = match key.schema.get("default") {
            None => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let text = format!("{}{}", one_line(description(&key.schema)), limits(&key.schema));
        out.push_str(&format!("| {name} | {} | {default} | {} |\n", kind(&key.schema), text.replace('|', "\\|")));
    }
}

fn description(schema: &Object) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn limits(schema: &Object) -> String {
    let bound = |word: &str, number: &str| {
        let value = schema.get(word).or_else(|| schema.get(number).filter(|value| value.as_f64() != Some(0.0)))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    match (bound("x-min", "minimum"), bound("x-max", "maximum")) {
        (Some(least), Some(most)) => format!(" From {least} to {most}."),
        (Some(least), None) => format!(" At least {least}."),
        (None, Some(most)) => format!(" At most {most}."),
        (None, None) => String::new(),
    }
}

fn kind(schema: &Object) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    if format == "secret" {
        return "secret".to_owned();
    }
    let mut words = Vec::new();
    for branch in branches(schema) {
        let format = branch.get("format").and_then(Value::as_str).unwrap_or_default();
        let word = if form::find(format).is_some() {
            format.replace('-', " ")
        } else if let Some(Value::Array(choices)) = branch.get("enum") {
            choices.iter().filter_map(Value::as_str).map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
        } else {
            match types(&branch).first().copied().unwrap_or_default() {
                "array" => format!("list of {}", kind(&branch.get("items").map(follow).unwrap_or_default())),
                "boolean" => "`true`, `false`".to_owned(),
                "integer" => "number".to_owned(),
                "string" => "text".to_owned(),
                _ => "mapping".to_owned(),
            }
        };
        words.push(word);
    }
    words.join(" or ")
}
