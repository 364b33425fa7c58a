//! The case lists and the tests that hold them: every required row is named in a comment of at least one test, or stands
//! below with the reason why it waits.
//!
//! `cargo test --test it rows -- --nocapture` prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rows that must be held: what stands before the number, first and last number.
const REQUIRED: &[(&str, u8, u8)] = &[
    // Security.
    ("A", 1, 17),
    ("B", 1, 19),
    ("C", 1, 33),
    ("D", 1, 16),
    ("E", 1, 12),
    ("F", 1, 13),
    ("F", 20, 26),
    ("F", 28, 28),
    ("G", 1, 19),
    ("H", 1, 18),
    ("K", 1, 13),
    ("Q", 1, 9),
    ("R", 1, 12),
    ("S", 1, 15),
    ("T", 1, 13),
    // Sign-in with providers that others wrote: public reports (XS, XM), providers (PF, PM), Keycloak and Hydra (KC).
    ("XS", 1, 4),
    ("XS", 6, 9),
    ("XS", 11, 21),
    ("XS", 23, 23),
    ("XS", 25, 27),
    ("XM", 1, 17),
    ("PF", 1, 10),
    ("PM", 1, 15),
    ("KC", 1, 10),
    ("KC", 12, 13),
    ("KC", 15, 19),
    ("KC", 21, 21),
    ("KC", 23, 26),
    ("KC", 28, 29),
    // The first day.
    ("FD", 5, 10),
    ("FD", 12, 14),
    ("FD", 16, 17),
    ("FD", 20, 21),
    ("FD", 27, 28),
    // Finding the carrier, and approvals on the phone.
    ("CR-F", 1, 3),
    ("CR-F", 5, 5),
    ("CR-F", 9, 10),
    ("CR-S", 2, 3),
    ("CR-S", 5, 7),
    ("CR-S", 9, 11),
    ("CR-S", 13, 14),
    ("CR-S", 25, 27),
    // Moving here from another gateway.
    ("MV", 1, 2),
    ("MV", 4, 5),
    ("MV", 6, 9),
    ("MV", 11, 13),
    ("MV", 15, 15),
    ("MV", 19, 20),
    // In front of any app.
    ("W", 2, 2),
    ("W", 4, 5),
    ("W", 7, 7),
    ("W", 9, 12),
    ("W", 15, 16),
    ("W", 20, 21),
    ("W", 23, 24),
    ("W", 30, 31),
    ("W", 36, 37),
    ("W", 39, 40),
    ("W", 41, 42),
    ("FT", 9, 12),
    ("FT", 18, 18),
];

/// Rows that wait for what does not exist yet.
const WAITING: &[(&str, &str)] = &[
    ("C32", "there is no refresh: carrier tokens are dropped at the end of a sign-in"),
    (
        "H15",
        "all hosts of a listener have the same TLS, so that no name of a handshake can be of another policy than `Host`",
    ),
    ("KC03", "further audiences of access tokens are refused unless they are listed"),
    ("KC08", "a program's token is not told from a person's yet"),
    ("KC18", "what a list of contexts means to Keycloak is said in its recipe"),
    ("KC28", "that userinfo can be left out is said in the recipe"),
    ("MV09", "the framework writes a `Date` of its own into each answer of HTTP/1"),
    ("FT10", "a new process beside the old one comes with inherited sockets"),
    ("PM11", "access tokens that need introspection are not taken"),
    ("XM12", "Redis with Sentinel or in a Cluster is refused with its name (XS16)"),
    (
        "XM16",
        "a cookie of ours in a frame of another site needs a sign-in inside that frame, which is not designed yet",
    ),
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

/// Row ids in a comment: `C14`, `KC06`, `KC09b`, `A02–A09`, `G01-G03`. A letter behind the number is part of the row.
fn ids(comment: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut last: Option<(String, u8, usize)> = None;
    let is_a_dash = |gap: &str| matches!(gap.trim().trim_end_matches("CR-"), "–" | "-");
    let is_alone = |at: Option<char>| at.is_none_or(|letter| !letter.is_alphanumeric());
    let words = comment.char_indices().filter(|(at, letter)| {
        letter.is_ascii_uppercase() && is_alone(comment.get(..*at).and_then(|before| before.chars().next_back()))
    });
    for (at, _) in words {
        let rest = &comment[at..];
        let section: String = rest.chars().take_while(char::is_ascii_uppercase).collect();
        let digits: String = rest[section.len()..].chars().take_while(char::is_ascii_digit).collect();
        let behind = &rest[section.len() + digits.len()..];
        let part = behind.chars().next().filter(char::is_ascii_lowercase).map_or(0, char::len_utf8);
        if section.len() > 2 || digits.len() != 2 || !is_alone(behind[part..].chars().next()) {
            continue;
        }
        let (number, length): (u8, usize) = (digits.parse().unwrap(), section.len() + digits.len() + part);
        let of_carriers = comment[..at].ends_with("CR-")
            || last.as_ref().is_some_and(|(before, _, end)| {
                before.strip_prefix("CR-") == Some(section.as_str()) && is_a_dash(&comment[*end..at])
            });
        let section = if of_carriers { format!("CR-{section}") } else { section };
        found.insert(format!("{section}{number:02}"));
        if let Some((before, from, end)) = last
            && before == section
            && is_a_dash(&comment[end..at])
        {
            found.extend((from..number).map(|between| format!("{section}{between:02}")));
        }
        last = Some((section, number, at + length));
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
    let rows = REQUIRED.iter().flat_map(|(of, from, to)| (*from..=*to).map(move |number| format!("{of}{number:02}")));
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
    assert_eq!(of(" KC06: what. XS01-XS03, KC09b"), "KC06 KC09 XS01 XS02 XS03");
    assert_eq!(of(" CR-F09, CR-S05–S07, F09"), "CR-F09 CR-S05 CR-S06 CR-S07 F09");
    assert_eq!(of(" S256, XYC14, C141, c14, ES256"), "");
}
