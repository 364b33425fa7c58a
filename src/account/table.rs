//! Links as a table: `issuer,subject,account`, comma-separated (RFC 4180), for import, export and backup.

use std::collections::HashMap;

use csv::{ReaderBuilder, Trim, WriterBuilder};

use super::{AccountName, Link, NameFault, Subject};

/// The first line.
pub const HEAD: [&str; 3] = ["issuer", "subject", "account"];

/// Most faults of a table that are told; the rest are counted.
pub const MOST_FAULTS: usize = 100;

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number, from 1; the head has one too.
    pub line: u64,
    /// Who.
    pub subject: Subject,
    /// Belongs to which account.
    pub account: AccountName,
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
    /// Not three fields.
    #[error("expected three fields: issuer,subject,account")]
    Fields,
    /// The first line is another.
    #[error("expected the head `issuer,subject,account`")]
    Head,
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
    let (mut is_head, mut lines) = (true, Lines { text, at: 0, number: 1 });
    // From memory, and with records of any length, nothing fails.
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = lines.of_record_after(record.position().map_or(0, csv::Position::byte));
        let row = row(&record, is_head, &trusts);
        is_head = false;
        match row {
            Ok(None) => {}
            Ok(Some((subject, account))) => match seen.insert(subject.clone(), line) {
                Some(earlier) => faults.push(LineFault { line, why: RowFault::Repeated(earlier) }),
                None => rows.push(Row { line, subject, account }),
            },
            Err(why) => faults.push(LineFault { line, why }),
        }
    }
    if is_head {
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

/// `None` for the head.
fn row(
    record: &csv::ByteRecord,
    is_head: bool,
    trusts: &impl Fn(&str) -> bool,
) -> Result<Option<(Subject, AccountName)>, RowFault> {
    let mut fields = Vec::with_capacity(3);
    for field in record {
        fields.push(std::str::from_utf8(field).map_err(|_| RowFault::NotText)?);
    }
    if is_head {
        // Some programs put a byte order mark in front.
        let [first, ..] = fields.as_mut_slice() else { return Err(RowFault::Head) };
        *first = first.trim_start_matches('\u{feff}');
        return if fields == HEAD { Ok(None) } else { Err(RowFault::Head) };
    }
    let [issuer, subject, account] = fields.as_slice() else { return Err(RowFault::Fields) };
    let (subject, account) = (Subject::parse(issuer, subject)?, AccountName::parse(account)?);
    if !trusts(subject.issuer()) {
        return Err(RowFault::UnknownIssuer);
    }
    Ok(Some((subject, account)))
}

/// The head as text.
pub fn head() -> String {
    HEAD.join(",") + "\n"
}

/// Lines that [`read`] reads as these very links.
pub fn write(links: &[Link]) -> Vec<u8> {
    let mut writer = WriterBuilder::new();
    // What begins with the sign of a comment is quoted like everything else.
    let mut writer = writer.quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
    for link in links {
        // Into memory nothing fails.
        let _written = writer.write_record([link.subject.issuer(), link.subject.subject(), link.account.as_str()]);
    }
    writer.into_inner().unwrap_or_default()
}
