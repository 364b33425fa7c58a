//! What is wrong with a file, said so that a person can mend it in one go.
//!
//! Every fault names its place, its key, what was found and what was expected. Nothing here ever prints a secret:
//! text from the file goes through [`shown`], and text of secret keys never gets this far.

use std::fmt;

/// A place in a file; both counted from 1, columns in characters. `0` means "the file as a whole".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One remark about one place: a fault, or a warning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// Where.
    pub place: Place,
    /// Which key, as `routes[1].host`; empty for the file as a whole.
    pub key: String,
    /// What was found and what was expected. Never holds a secret.
    pub text: String,
}

/// Something that does not stop the gateway, but that its operator should know.
pub type Warning = Remark;

/// Everything that is wrong with a file, sorted by place; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    remarks: Vec<Remark>,
}

impl Faults {
    pub(crate) fn new(file: &str, mut remarks: Vec<Remark>) -> Self {
        remarks.sort();
        remarks.dedup();
        Self { file: file.to_owned(), remarks }
    }
}

impl fmt::Display for Faults {
    /// One line a fault: `zengate.yaml:12:9: sessions.idle: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, remark) in self.remarks.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&remark.line(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Remark {
    /// The remark as one line, starting with `file:line:column: ` as compilers write it.
    pub fn line(&self, file: &str) -> String {
        let mut line = file.to_owned();
        if self.place.line > 0 {
            line.push_str(&format!(":{}:{}", self.place.line, self.place.column));
        }
        if !self.key.is_empty() {
            line.push_str(": ");
            line.push_str(&self.key);
        }
        line.push_str(": ");
        line.push_str(&self.text);
        line
    }
}

/// Text of the file as a fault may quote it: in quotes, on one line, at most 60 characters, without what stands
/// before an `@` in anything that looks like an address.
///
/// A password in a mistyped address would otherwise end in the log of whoever collects start-up messages (R04).
pub(crate) fn shown(text: &str) -> String {
    let masked = match (text.rfind('@'), text.find(':')) {
        (Some(at), Some(colon)) if colon < at => {
            let keep = text.find("://").map_or(0, |scheme| if scheme < at { scheme + 3 } else { 0 });
            format!("{}***{}", text.get(..keep).unwrap_or_default(), text.get(at..).unwrap_or_default())
        }
        _ => text.to_owned(),
    };
    let mut out = String::from("\"");
    for (count, character) in masked.chars().enumerate() {
        if count == 60 {
            out.push('…');
            break;
        }
        match character {
            '"' => out.push('\''),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_stays_on_its_line_and_keeps_passwords_to_itself() {
        assert_eq!(shown("plain"), "\"plain\"");
        assert_eq!(shown("a\nb\u{1b}"), "\"a\\nb\\u{1b}\"");
        assert_eq!(shown("http://user:hunter2@host/"), "\"http://***@host/\"");
        assert_eq!(shown("redis:/:hunter2@host"), "\"***@host\"");
        assert_eq!(shown("redis://:hunt@er2@host"), "\"redis://***@host\"");
        assert_eq!(shown(&"x".repeat(90)).chars().count(), 63);
    }
}
