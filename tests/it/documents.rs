//! What docs/ says about the program is true of the program, as far as a program can tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::StatusCode;
use serde_json::Value;
use zengate::auth::Refusal;
use zengate::carrier::error::CarrierError;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The table rows of a text, as cells.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

#[test]
fn every_place_that_the_pages_name_exists() {
    for name in ["ZENKEY.md", "SECURITY.md"] {
        let page = page(name);
        let places = quoted(&page).filter(|word| !word.contains([' ', '{', ':']) && !word.starts_with('/'));
        let places = places.filter(|word| word.ends_with(".rs") || word.ends_with('/') || word.starts_with("deploy/"));
        let mut count = 0;
        for place in places {
            count += 1;
            assert!(root().join(place).exists() || root().join("src").join(place).exists(), "{name}: {place}");
        }
        assert!(count > 10, "{name}: {count}");
    }
}

/// Every key of the configuration, with the `[]` of lists left out.
fn configuration_keys() -> BTreeSet<String> {
    fn collect(schema: &Value, whole: &Value, path: &str, into: &mut BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str() {
            return collect(whole.pointer(&name[1..]).unwrap(), whole, path, into);
        }
        for branch in ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten() {
            collect(branch, whole, path, into);
        }
        if schema["items"].is_object() {
            collect(&schema["items"], whole, path, into);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            into.insert(path.clone());
            collect(property, whole, &path, into);
        }
    }
    let schema: Value = serde_json::from_str(&zengate::config::json_schema()).unwrap();
    let mut keys = BTreeSet::new();
    collect(&schema, &schema, "", &mut keys);
    keys
}

/// The pages that an operator reads.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), fs::read_to_string(root().join("README.md")).unwrap())];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push((path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
    pages
}

// FD17, FD27: said before somebody wonders, where they would.
#[test]
fn the_readme_says_which_browser_the_demo_needs_and_what_the_tests_do_not_install() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains("Use Chrome, Edge or Firefox: Safari keeps no"), "the browser");
    assert!(readme.contains("need Node.js, which it does not install"), "what tests are left out without");
    let banner = fs::read_to_string(root().join("src/cli/demo.rs")).unwrap();
    assert!(banner.contains("Safari keeps no secure cookie"), "the demo itself says it too");
}

// FD28
#[test]
fn what_a_company_asks_for_before_it_adopts_a_program_is_there() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("license = \"Apache-2.0\"") && read("LICENSE").contains("Apache License"));
    assert!(read("CHANGELOG.md").contains("## Unreleased") && read("CHANGELOG.md").contains("### Added"));
    assert!(read("CONTRIBUTING.md").contains("make test") && read("docs/SECURITY.md").contains("report"));
}

// FD09
#[test]
fn the_example_of_the_readme_has_no_faults_and_brings_what_its_headers_promise() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let text = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let text = text.replace("{ file: secrets/wiki }", "{ env: SECRET }");
    let env = |name: &str| (name == "SECRET").then(|| "secret".to_owned());
    let (config, warnings) = zengate::config::Config::parse(&text, "zengate.yaml", &env).unwrap();
    assert_eq!(warnings, Vec::new());
    let uris = zengate::app::redirect_uris(&config);
    assert!(uris.iter().all(|(_, uri)| readme.contains(&format!("Register `{uri}`"))), "{uris:?}");
}

// FD14
#[test]
fn every_key_that_a_page_names_is_in_the_schema() {
    let keys = configuration_keys();
    assert!(keys.contains("bearer.issuers.audiences") && keys.contains("sessions.idle"), "{keys:?}");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (name, text) in pages() {
        for word in quoted(&text) {
            let key = word.split(':').next().unwrap().replace("[]", "");
            let is_key = key.contains('.') && key.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
            if is_key && keys.contains(key.split('.').next().unwrap()) {
                count += 1;
                if !keys.contains(&key) {
                    wrong.push(format!("{name}: {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 40, "{count}");
}

/// Codes, labels, fields and keys: what is written like one of them is a word of the program.
#[test]
fn every_word_of_the_program_that_a_page_names_is_in_its_source() {
    let mut sources = Vec::new();
    for directory in ["src", "simulator/src", "tests", "benches", "deploy", "config"] {
        read_all(&root().join(directory), &mut sources);
    }
    let known: BTreeSet<&str> =
        sources.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect();
    let is_word = |word: &str| {
        word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !word.ends_with('_')
    };
    for name in ["REFUSALS.md", "METRICS.md", "SECURITY.md", "ZENKEY.md"] {
        let page = page(name);
        let unknown: Vec<&str> = quoted(&page).filter(|word| is_word(word) && !known.contains(word)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

fn read_all(directory: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if let Ok(text) = fs::read_to_string(&path) {
            into.push(text);
        }
    }
}

#[test]
fn the_walk_for_newcomers_names_files_that_exist_and_each_once() {
    let page = page("ARCHITECTURE.md");
    let walk = page.split("## A walk for newcomers").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut seen = Vec::new();
    for place in quoted(walk).filter(|word| word.ends_with(".rs")) {
        assert!(root().join("src").join(place).exists(), "{place}");
        assert!(!seen.contains(&place), "{place} is named twice");
        seen.push(place);
    }
    assert!(seen.len() > 30, "{}", seen.len());
}

#[test]
fn each_discrepancy_has_its_side_and_its_place() {
    let page = page("ZENKEY.md");
    let section = page.split("## Where sources disagree").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut numbers = Vec::new();
    for row in rows(section).skip(1) {
        assert_eq!(row.len(), 4, "{row:?}");
        match row[0].split_once('–') {
            Some((from, to)) => numbers.extend(from.parse::<u8>().unwrap()..=to.parse().unwrap()),
            None => numbers.extend(row[0].split(", ").map(|number| number.parse::<u8>().unwrap())),
        }
        assert!(row[3] == "–" || row[3].contains(".rs`"), "{row:?}");
    }
    assert_eq!(numbers, (1..=47).collect::<Vec<_>>());
}

#[test]
fn each_error_ends_as_the_page_says() {
    let page = page("ZENKEY.md");
    let section = page.split("## Errors").nth(1).unwrap().split("\n## ").next().unwrap();
    let known: BTreeSet<(u16, &str)> = [
        Refusal::AttemptExpired,
        Refusal::AttemptUnknown,
        Refusal::CallbackMalformed,
        Refusal::CarrierMismatch,
        Refusal::CarrierUnknownPerson,
        Refusal::CookieLost,
        Refusal::Declined,
        Refusal::DeviceUnavailable,
        Refusal::NetworkFailure,
        Refusal::NotSignedIn,
        Refusal::ProviderInvalid,
        Refusal::ProviderRefused,
        Refusal::ProviderTimeout,
        Refusal::ProviderUnavailable(None),
        Refusal::TimedOut,
        Refusal::TooManySignIns(std::time::Duration::ZERO),
        Refusal::Unsupported,
        Refusal::WeakSignIn,
    ]
    .into_iter()
    .map(|refusal| (refusal.message().status.as_u16(), refusal.message().code))
    .collect();
    let mut told = BTreeSet::new();
    for row in rows(section) {
        let ends = row.last().unwrap();
        let mut status = 0;
        for word in ends.split([' ', ',']) {
            status = word.parse().unwrap_or(status);
            if let Some(code) = word.strip_prefix('`').and_then(|word| word.strip_suffix('`'))
                && status != 0
                && code != "Retry-After"
            {
                assert!(known.contains(&(status, code)), "{status} {code}");
                told.insert((status, code));
            }
        }
        if row.len() == 3 && row[0] != "carrier says" {
            for code in quoted(row[0]) {
                assert_ne!(CarrierError::parse(code), CarrierError::Unknown, "{code}");
            }
        }
    }
    assert_eq!(told, known);
}

#[test]
fn every_refusal_stands_on_its_page_with_its_status_and_no_other() {
    let source = fs::read_to_string(root().join("src/auth/refusal/code.rs")).unwrap();
    let status = |constant: &str| {
        let constant_name = |reason: &str| reason.to_ascii_uppercase().replace([' ', '-'], "_");
        let mut all = (400..600).filter_map(|number| StatusCode::from_u16(number).ok());
        all.find(|status| status.canonical_reason().is_some_and(|reason| constant_name(reason) == constant)).unwrap()
    };
    let named = source.split("=> (").filter_map(|arm| {
        let (constant, rest) = arm.strip_prefix("S::")?.split_once(',')?;
        Some((rest.split('"').nth(1)?.to_owned(), status(constant).as_u16().to_string()))
    });
    let named: BTreeSet<(String, String)> = named.collect();
    let page = page("REFUSALS.md");
    let told = rows(&page).filter_map(|row| Some((quoted(row[0]).next()?.to_owned(), row[1].trim().to_owned())));
    assert!(named.len() > 40, "{named:?}");
    assert_eq!(told.collect::<BTreeSet<_>>(), named);
}

#[test]
fn every_metric_stands_on_its_page_and_no_other() {
    let source = fs::read_to_string(root().join("src/telemetry/metrics.rs")).unwrap();
    let named = source.split('"').filter(|word| word.starts_with("zengate_") && !word.contains(['{', ' ']));
    let named: BTreeSet<&str> = named.collect();
    let page = page("METRICS.md");
    let told = rows(&page).filter_map(|row| row[0].trim().strip_prefix('`')?.strip_suffix('`'));
    let told: BTreeSet<&str> = told.filter(|word| word.starts_with("zengate_")).collect();
    assert!(named.len() > 10, "{named:?}");
    assert_eq!(named, told);

    let source = fs::read_to_string(root().join("src/provider/stats.rs")).unwrap();
    let events = source.split("pub fn events").nth(1).unwrap().split('"').skip(1).step_by(2);
    let events: BTreeSet<&str> = events.collect();
    let told = page.split("Events of").nth(1).unwrap().split("## ").next().unwrap();
    let told: BTreeSet<&str> = rows(told).flat_map(|row| quoted(row[0]).collect::<Vec<_>>()).collect();
    assert_eq!(events, told);
}
