//! Names in place of what is random or a time, the same name for the same value, so that relations show: the state that
//! comes back is the state that was sent.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// What stands before a random value, in a query, a form, a header, JSON or a page, and what such a value is called.
const RANDOM: &[(&str, &str)] = &[
    ("state=", "state"),
    ("nonce=", "nonce"),
    ("code=", "code"),
    ("code_challenge=", "challenge"),
    ("code_verifier=", "verifier"),
    ("login_hint_token=", "hint"),
    ("correlation_id=", "correlation"),
    ("browser=", "browser mark"),
    ("hand_off=", "hand-over"),
    ("ticket=", "ticket"),
    ("__Host-gw=", "session"),
    // The name of an attempt's cookie is as random as its value.
    ("__Host-gwtx-", "attempt"),
    ("Bearer ", "token"),
    ("x-request-id: ", "request"),
    ("Request: ", "request"),
    ("\"request_id\":\"", "request"),
    ("\"access_token\":\"", "token"),
    ("\"id_token\":\"", "ID token"),
    ("\"kid\":\"", "kid"),
    ("\"n\":\"", "modulus"),
];
/// Members of JSON that tell how much time is left.
const LEFT: &[&str] = &["expires_in", "idle_expires_in"];
/// Shorter values are words, nothing drawn at random.
const SHORTEST: usize = 8;

/// The names of one trace.
pub struct Names {
    ports: Vec<(String, String)>,
    values: Vec<(String, String)>,
    counts: BTreeMap<&'static str, usize>,
}

impl Names {
    /// Knows the ports.
    pub fn new(ports: &[(u16, &str)]) -> Self {
        let ports = ports.iter().map(|(port, part)| (port.to_string(), format!("{{port of {part}}}"))).collect();
        Self { ports, values: Vec::new(), counts: BTreeMap::new() }
    }

    /// Gives every random value of `text` a name, in the order in which they stand there.
    pub fn learn(&mut self, text: &str) {
        for (at, _) in text.char_indices() {
            if text[..at].chars().next_back().is_some_and(is_letter) {
                continue;
            }
            let rest = &text[at..];
            for (mark, name) in RANDOM {
                let Some(value) = rest.strip_prefix(mark).map(word) else { continue };
                self.name(name, value);
                if *name == "attempt" && value.len() >= SHORTEST {
                    let secret = rest[mark.len() + value.len()..].strip_prefix('=').map(word);
                    self.name("attempt secret", secret.unwrap_or_default());
                }
            }
        }
    }

    fn name(&mut self, name: &'static str, value: &str) {
        if value.len() < SHORTEST || self.values.iter().any(|(known, _)| known == value) {
            return;
        }
        let count = self.counts.entry(name).or_default();
        *count += 1;
        self.values.push((value.to_owned(), format!("{{{name} {count}}}")));
    }

    /// `text` with names in it.
    pub fn put_into(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut longest_first: Vec<_> = self.values.iter().collect();
        longest_first.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, name) in longest_first {
            text = text.replace(value.as_str(), name);
        }
        for (port, name) in &self.ports {
            text = replace_number(&text, port, name);
        }
        replace_seconds(&text).split_inclusive('\n').map(without_time).collect()
    }
}

/// The value that `text` begins with.
fn word(text: &str) -> &str {
    &text[..text.find(|letter| !is_letter(letter)).unwrap_or(text.len())]
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.~".contains(letter)
}

/// Replaces `number` where it is not part of a longer one.
fn replace_number(text: &str, number: &str, name: &str) -> String {
    numbers(text, |found| (found == number).then(|| name.to_owned()))
}

/// Replaces seconds since 1970 that are about now.
fn replace_seconds(text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    numbers(text, |found| {
        let about_now = found.parse::<u64>().is_ok_and(|seconds| seconds.abs_diff(now) < 3600);
        about_now.then(|| "{time}".to_owned())
    })
}

/// Every number of `text` put through `change`; `None` leaves it.
fn numbers(text: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let (mut changed, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let from = &rest[at..];
        let number = &from[..from.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(from.len())];
        changed.push_str(&rest[..at]);
        changed.push_str(&change(number).unwrap_or_else(|| number.to_owned()));
        rest = &from[number.len()..];
    }
    changed + rest
}

/// A line without the date it tells, or the seconds that are left.
fn without_time(line: &str) -> String {
    let date = line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("  date: "));
    if date {
        return format!("{}{{time}}\n", &line[..8]);
    }
    let mut line = line.to_owned();
    for name in LEFT {
        let member = format!("\"{name}\":");
        if let Some(from) = line.find(&member).map(|at| at + member.len()) {
            let digits = line[from..].find(|letter: char| !letter.is_ascii_digit()).unwrap_or(0);
            line.replace_range(from..from + digits, "{time}");
        }
    }
    line
}
