//! The case list and the tests that hold it: every required row of the security case list is named in a comment of at
//! least one test, or stands below with the reason why it waits.
//!
//! `cargo test --test it rows -- --nocapture` prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Sections and their last row.
const REQUIRED: &[(char, u8, u8)] = &[
    ('A', 1, 17),
    ('B', 1, 19),
    ('C', 1, 33),
    ('D', 1, 16),
    ('E', 1, 12),
    ('F', 1, 13),
    ('F', 20, 20),
    ('F', 28, 28),
    ('G', 1, 19),
    ('H', 1, 18),
    ('K', 1, 13),
    ('Q', 1, 9),
    ('R', 1, 12),
];

/// Rows that wait for what does not exist yet.
const WAITING: &[(&str, &str)] = &[
    ("C32", "there is no refresh: carrier tokens are dropped at the end of a sign-in"),
    ("D08", "there is no optimized discovery: the carrier is always known before the code arrives"),
    ("F13", "the public listener speaks HTTP/1.1 only"),
    ("G08", "the public listener speaks HTTP/1.1 only"),
    ("H15", "the public listener has no TLS"),
];

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Row ids in a comment: `C14`, `A02–A09`, `G01-G03`.
fn ids(comment: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut last: Option<(char, u8, usize)> = None;
    let letters: Vec<(usize, char)> = comment.char_indices().collect();
    for (at, window) in letters.windows(3).enumerate() {
        let [(_, section), (_, tens), (_, ones)] = [window[0], window[1], window[2]];
        let alone = at == 0 || !letters[at - 1].1.is_alphanumeric();
        let ends = letters.get(at + 3).is_none_or(|(_, next)| !next.is_alphanumeric());
        let (Some(tens), Some(ones)) = (tens.to_digit(10), ones.to_digit(10)) else { continue };
        if !(section.is_ascii_uppercase() && alone && ends) {
            continue;
        }
        let number = u8::try_from(tens * 10 + ones).unwrap();
        found.insert(format!("{section}{number:02}"));
        if let Some((before, from, end)) = last
            && before == section
            && letters[end..at].iter().all(|(_, c)| matches!(c, '–' | '-' | ' '))
            && letters[end..at].iter().any(|(_, c)| matches!(c, '–' | '-'))
        {
            found.extend((from..number).map(|between| format!("{section}{between:02}")));
        }
        last = Some((section, number, at + 3));
    }
    found
}

/// Row id → tests that name it.
fn held() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("simulator"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let (mut waiting, mut is_test, mut current) = (BTreeSet::new(), false, None::<String>);
        for line in text.lines().map(str::trim_start) {
            if let Some(comment) = line.strip_prefix("//").filter(|comment| !comment.starts_with('!')) {
                waiting.extend(ids(comment));
                continue;
            }
            if line.starts_with("#[") {
                is_test |= line.contains("test");
                continue;
            }
            let function = line.split("fn ").nth(1).filter(|_| line.starts_with("fn ") || line.contains(" fn "));
            if let Some(function) = function.and_then(|rest| rest.split(['(', '<']).next()) {
                current = is_test.then(|| format!("{name}: {function}"));
                is_test = false;
            }
            if line.is_empty() && current.is_none() {
                waiting.clear();
            }
            if let Some(test) = &current {
                for id in std::mem::take(&mut waiting) {
                    held.entry(id).or_default().insert(test.clone());
                }
            }
        }
    }
    held
}

#[test]
fn every_required_row_is_held_by_a_test_or_says_why_it_waits() {
    let held = held();
    let rows = REQUIRED.iter().flat_map(|(section, from, to)| (*from..=*to).map(move |n| format!("{section}{n:02}")));
    let mut missing = Vec::new();
    println!("| row | test |\n|---|---|");
    for row in rows {
        let waits = WAITING.iter().find(|(id, _)| *id == row);
        match (held.get(&row), waits) {
            (Some(tests), waits) => {
                let tests = tests.iter().cloned().collect::<Vec<_>>().join(" · ");
                let rest = waits.map_or(String::new(), |(_, reason)| format!(" (in part: {reason})"));
                println!("| {row} | {tests}{rest} |");
            }
            (None, Some((_, reason))) => println!("| {row} | waits: {reason} |"),
            (None, None) => missing.push(row),
        }
    }
    assert!(missing.is_empty(), "rows without a test and without a reason: {}", missing.join(" "));
}

#[test]
fn a_comment_names_rows_one_by_one_and_in_ranges() {
    let of = |comment: &str| ids(comment).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(of(" C14"), "C14");
    assert_eq!(of(" A02–A04, A13: leads away"), "A02 A03 A04 A13");
    assert_eq!(of(" G09-G11"), "G09 G10 G11");
    assert_eq!(of(" S256, XC14, C141, c14"), "");
}
