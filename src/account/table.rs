//! Links as a table: `issuer,subject,account`, comma-separated (RFC 4180), for import, export and backup. Where people may
//! bring their account along, four more columns say by which name they are kept, and where those went who moved.

use std::collections::HashMap;

use csv::{ReaderBuilder, Trim, WriterBuilder};

use super::person::{Gone, Person, StableSubject};
use super::{AccountName, Link, NameFault, Subject};
use crate::ground::time::Timestamp;

/// The first line.
pub const HEAD: [&str; 3] = ["issuer", "subject", "account"];

/// What stands behind it in the head of a table of everybody.
pub const MORE: [&str; 4] = ["stable_subject", "moved_to_issuer", "moved_to_subject", "moved_at"];

/// Most faults of a table that are told; the rest are counted.
pub const MOST_FAULTS: usize = 100;

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1; the head has one too.
    pub line: u64,
    /// What it says of whom.
    pub person: Person,
}

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Its number, from 1.
    pub line: u64,
    /// What.
    pub why: RowFault,
}

/// What is wrong with a line of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// Not as many fields as the head.
    #[error("expected three fields: issuer,subject,account; or seven, if the head has so many")]
    Fields,
    /// The first line is another.
    #[error("expected the head `issuer,subject,account`, or the longer one of an export")]
    Head,
    /// Somebody moved, and it is not said where to or when.
    #[error("moved_to_issuer, moved_to_subject and moved_at: expected all three, or none")]
    Moved,
    /// Neither an account, nor a name, nor where somebody went.
    #[error("says nothing of this person")]
    Nothing,
    /// A field is none.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// Not text in UTF-8, or quotes that do not end.
    #[error("is not comma-separated text in UTF-8 (RFC 4180)")]
    NotText,
    /// The same person stands on an earlier line.
    #[error("the same person stands on line {0}")]
    Repeated(u64),
    /// The issuer is none of the configuration's, so the link would be nobody's.
    #[error("issuer: the gateway trusts no issuer of this very name")]
    UnknownIssuer,
}

/// Reads a whole table. `trusts` says whether an issuer is one of ours. Lines that begin with `#` and empty ones are passed
/// over.
///
/// # Errors
/// Every fault there is, in the order of the lines.
pub fn read(text: &[u8], trusts: impl Fn(&str) -> bool) -> Result<Vec<Row>, Vec<LineFault>> {
    let mut reader = ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).comment(Some(b'#')).trim(Trim::None);
    let mut reader = reader.from_reader(text);
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut seen: HashMap<Subject, u64> = HashMap::new();
    let mut record = csv::ByteRecord::new();
    let (mut width, mut lines) = (None, Lines { text, at: 0, number: 1 });
    // From memory, and with records of any length, nothing fails.
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = lines.of_record_after(record.position().map_or(0, csv::Position::byte));
        let Some(fields) = width else {
            // One that is no head is told once; what follows is read as if it had been there.
            width = Some(head_of(&record).unwrap_or_else(|why| {
                faults.push(LineFault { line, why });
                HEAD.len()
            }));
            continue;
        };
        match row(&record, fields, &trusts) {
            Ok(person) => match seen.insert(person.subject.clone(), line) {
                Some(earlier) => faults.push(LineFault { line, why: RowFault::Repeated(earlier) }),
                None => rows.push(Row { line, person }),
            },
            Err(why) => faults.push(LineFault { line, why }),
        }
    }
    if width.is_none() {
        faults.push(LineFault { line: 1, why: RowFault::Head });
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Counts lines. The reader's own count is of where it stopped, before line ends and remarks that it has yet to pass over.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    number: u64,
}

impl Lines<'_> {
    /// The number of the line on which the first record from byte `from` on begins. Asked in the order of the records.
    fn of_record_after(&mut self, from: u64) -> u64 {
        let mut start = usize::try_from(from).unwrap_or(usize::MAX).min(self.text.len());
        while let Some(byte) = self.text.get(start) {
            match byte {
                b'\r' | b'\n' => start += 1,
                b'#' => start += self.text.iter().skip(start).take_while(|byte| **byte != b'\n').count(),
                _ => break,
            }
        }
        let passed = self.text.get(self.at..start).unwrap_or_default();
        self.number += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = start;
        self.number
    }
}

fn texts(record: &csv::ByteRecord) -> Result<Vec<&str>, RowFault> {
    record.iter().map(|field| std::str::from_utf8(field).map_err(|_| RowFault::NotText)).collect()
}

/// How many fields each line has after this head.
fn head_of(record: &csv::ByteRecord) -> Result<usize, RowFault> {
    let mut fields = texts(record)?;
    // Some programs put a byte order mark in front.
    let [first, ..] = fields.as_mut_slice() else { return Err(RowFault::Head) };
    *first = first.trim_start_matches('\u{feff}');
    let is_head = fields == HEAD || fields.iter().eq(HEAD.iter().chain(&MORE));
    if is_head { Ok(fields.len()) } else { Err(RowFault::Head) }
}

fn row(record: &csv::ByteRecord, width: usize, trusts: &impl Fn(&str) -> bool) -> Result<Person, RowFault> {
    let fields = texts(record)?;
    let (issuer, subject, account, more) = match fields.as_slice() {
        [issuer, subject, account] if width == HEAD.len() => (issuer, subject, account, None),
        [issuer, subject, account, stable, to_issuer, to_subject, at] if width == HEAD.len() + MORE.len() => {
            (issuer, subject, account, Some((*stable, *to_issuer, *to_subject, *at)))
        }
        _ => return Err(RowFault::Fields),
    };
    let subject = Subject::parse(issuer, subject)?;
    let account = match (*account, more) {
        ("", Some(_)) => None,
        (account, _) => Some(AccountName::parse(account)?),
    };
    let (stable, gone) = match more {
        None => (None, None),
        Some((stable, to_issuer, to_subject, at)) => {
            let stable = Some(stable).filter(|stable| !stable.is_empty()).map(StableSubject::parse).transpose()?;
            let gone = match (to_issuer, to_subject, at) {
                ("", "", "") => None,
                _ => Some(Gone {
                    to: Subject::parse(to_issuer, to_subject)?,
                    at: Timestamp::from_secs(at.parse().map_err(|_| RowFault::Moved)?),
                }),
            };
            (stable, gone)
        }
    };
    if account.is_none() && stable.is_none() && gone.is_none() {
        return Err(RowFault::Nothing);
    }
    if !trusts(subject.issuer()) {
        return Err(RowFault::UnknownIssuer);
    }
    Ok(Person { subject, account, since: Timestamp::default(), stable, gone })
}

/// The head as text.
pub fn head(of_everybody: bool) -> String {
    let more: &[&str] = if of_everybody { &MORE } else { &[] };
    [&HEAD, more].concat().join(",") + "\n"
}

/// Lines that [`read`] reads as these very links, behind the short head.
pub fn write(links: &[Link]) -> Vec<u8> {
    lines(links.iter().map(|link| [link.subject.issuer(), link.subject.subject(), link.account.as_str()]))
}

/// Lines that [`read`] reads as these very people, behind the head of everybody.
pub fn write_people(people: &[Person]) -> Vec<u8> {
    let moments: Vec<String> = people
        .iter()
        .map(|person| person.gone.as_ref().map(|gone| gone.at.as_secs().to_string()).unwrap_or_default())
        .collect();
    lines(people.iter().zip(&moments).map(|(person, moment)| {
        let to = person.gone.as_ref().map(|gone| &gone.to);
        [
            person.subject.issuer(),
            person.subject.subject(),
            person.account.as_ref().map_or("", AccountName::as_str),
            person.stable.as_ref().map_or("", StableSubject::as_str),
            to.map_or("", Subject::issuer),
            to.map_or("", Subject::subject),
            moment,
        ]
    }))
}

fn lines<'a, const N: usize>(rows: impl Iterator<Item = [&'a str; N]>) -> Vec<u8> {
    let mut writer = WriterBuilder::new();
    // What begins with the sign of a comment is quoted like everything else.
    let mut writer = writer.quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    for row in rows {
        // Into memory nothing fails.
        let _written = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
}
