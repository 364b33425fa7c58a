//! What docs/ says about the program is true of the program, as far as a program can tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::StatusCode;
use zengate::auth::Refusal;
use zengate::zenkey::error::CarrierError;

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
    let source = fs::read_to_string(root().join("src/auth/refusal/messages.rs")).unwrap();
    let status = |constant: &str| {
        let constant_name = |reason: &str| reason.to_ascii_uppercase().replace([' ', '-'], "_");
        let mut all = (400..600).filter_map(|number| StatusCode::from_u16(number).ok());
        all.find(|status| status.canonical_reason().is_some_and(|reason| constant_name(reason) == constant)).unwrap()
    };
    let named = source.split("message(").filter_map(|call| {
        let (constant, rest) = call.trim_start().strip_prefix("S::")?.split_once(',')?;
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
