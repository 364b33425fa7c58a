//! What a request target means: the one opinion, formed once, before anything is decided.
//!
//! Gateways are walked around by targets that the gate reads one way and the app behind it another (security.md,
//! section H). So there is one reading: a [`NormalTarget`] is what rules are matched against, and what is forwarded, in
//! the client's spelling where no server reads that as another one. A target of which two readings are possible is not
//! repaired, which would be a second opinion: it is refused, or kept as it is for a route to which all of them lead.

mod odd;
mod reading;
mod return_to;
mod sent;
#[cfg(test)]
pub(in crate::route) mod tests;

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use thiserror::Error;

use odd::Odd;
pub(in crate::route) use odd::rounds;
pub(in crate::route) use reading::Reading;
use reading::{Units, hex, is_unreserved, unit};
pub use return_to::{ReturnFault, ReturnPolicy, ReturnPolicyFault, ReturnTo};

/// Longest target that is read at all, path and query together, in bytes; `limits.uri_bytes` says how much of it is
/// taken. The framework cannot read one of 64 KiB.
pub const MAX_TARGET: usize = 60 * 1024;

/// Why a target was refused. Never says what stood there: the text is the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum TargetFault {
    /// A control character, raw or percent-encoded (C1 controls too).
    #[error("the request target holds a control character")]
    Control,
    /// A path segment that is nothing but dots (or dots and spaces), plain or percent-encoded.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// A percent sign that is itself percent-encoded and begins another escape, such as `%252e`.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// Two slashes in a row.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// A slash, backslash or NUL that is percent-encoded.
    #[error("the path holds an encoded separator")]
    EncodedSeparator,
    /// A `%` without two hexadecimal digits after it, in the path.
    #[error("the path holds a broken percent escape")]
    Escape,
    /// A `#`: fragments are never sent by browsers.
    #[error("the request target holds a fragment")]
    Fragment,
    /// Percent escapes that are not UTF-8 together, overlong forms included.
    #[error("the path is not UTF-8 after percent-decoding")]
    InvalidUtf8,
    /// A raw byte above 0x7e in the path, or one in the query that is no UTF-8.
    #[error("the request target is not ASCII")]
    NotAscii,
    /// Not an origin-form (RFC 9112, 3.2.1): does not begin with `/`.
    #[error("the request target does not begin with a slash")]
    NotOriginForm,
    /// A `;` at the beginning of a segment, or after or before trailing dots: servlet containers cut it away and
    /// resolve what is left.
    #[error("the path holds a misleading path parameter")]
    Parameter,
    /// A raw backslash in the path; browsers and Windows servers read it as a slash.
    #[error("the path holds a backslash")]
    Separator,
    /// Longer than [`MAX_TARGET`].
    #[error("the request target is too long")]
    TooLong,
    /// A space; or, in the path, a quote or angle bracket, which no browser sends raw there.
    #[error("the request target holds a character that must be percent-encoded")]
    Unsafe,
}

impl TargetFault {
    /// The rule's word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "target_control",
            Self::DotSegment => "target_dot_segment",
            Self::DoubleEncoding => "target_double_encoding",
            Self::EmptySegment => "target_empty_segment",
            Self::EncodedSeparator => "target_encoded_separator",
            Self::Escape => "target_escape",
            Self::Fragment => "target_fragment",
            Self::InvalidUtf8 => "target_invalid_utf8",
            Self::NotAscii => "target_not_ascii",
            Self::NotOriginForm => "target_form",
            Self::Parameter => "target_parameter",
            Self::Separator => "target_backslash",
            Self::TooLong => "target_too_long",
            Self::Unsafe => "target_unsafe",
        }
    }
}

/// A request target with exactly one meaning: path, and query if there is one, in one piece of memory.
///
/// In the path, escapes of unreserved characters are decoded (RFC 3986, 6.2.2.2: `%61` is `a`) and the remaining
/// ones written in upper case; nothing else is changed. The query is data: what clients send raw although it has an
/// escape is escaped, and nothing else is changed. Beside it is kept how the client spelled it.
///
/// An odd target ([`NormalTarget::is_odd`]) has several meanings. It stays as it was sent, and no route takes it but
/// one to which all of them lead.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NormalTarget {
    text: Box<str>,
    path_length: usize,
    /// The client's own spelling, where it is another one.
    sent: Option<Box<str>>,
    odd: Option<Odd>,
}

impl NormalTarget {
    /// Reads an origin-form target as it stood in the request line or in `:path`. Absolute-form and `*` are for the
    /// caller to reduce or to answer.
    pub fn parse(raw: &[u8]) -> Result<Self, TargetFault> {
        if raw.len() > MAX_TARGET {
            return Err(TargetFault::TooLong);
        }
        let (path, query) = raw.split_at(memchr(b'?', raw).unwrap_or(raw.len()));
        let saved = check_path(path)?;
        sent::check_query(query)?;
        let mut text = Vec::with_capacity(raw.len() - saved);
        if memchr(b'%', path).is_none() {
            text.extend_from_slice(path);
        } else {
            write_path(path, &mut text);
        }
        Self::with_query(text, query)
    }

    /// Reads the target of a request: as [`NormalTarget::parse`], but an odd one is kept for the route to judge, and so
    /// is the client's spelling of it.
    pub fn read(raw: &[u8]) -> Result<Self, TargetFault> {
        let (path, query) = raw.split_at(memchr(b'?', raw).unwrap_or(raw.len()));
        let mut target = match Self::parse(raw) {
            Ok(target) => target,
            Err(fault @ TargetFault::TooLong) => return Err(fault),
            Err(fault) => {
                let odd = odd::judge(path, fault)?;
                sent::check_query(query)?;
                Self { odd: Some(odd), ..Self::with_query(path.to_vec(), query)? }
            }
        };
        if raw != target.text.as_bytes() || memchr(b'`', path).is_some() {
            target.sent = sent::as_sent(path, query).filter(|sent| *sent != target.text);
        }
        Ok(target)
    }

    fn with_query(path: Vec<u8>, query: &[u8]) -> Result<Self, TargetFault> {
        let path_length = path.len();
        let mut text = path;
        sent::write_query(query, &mut text);
        let text = String::from_utf8(text).map_err(|_| TargetFault::NotAscii)?;
        Ok(Self { text: text.into_boxed_str(), path_length, sent: None, odd: None })
    }

    /// What the upstream gets: path and query, byte for byte as the client sent them where that reads as what was judged.
    pub fn forwarded(&self) -> &str {
        self.sent.as_deref().unwrap_or(&self.text)
    }

    /// Whether the client spelled it in another way.
    pub fn is_respelled(&self) -> bool {
        self.sent.is_some()
    }

    /// From now on the normal form is what is forwarded.
    pub fn forget_spelling(&mut self) {
        self.sent = None;
    }

    /// Whether servers read it in different ways.
    pub fn is_odd(&self) -> bool {
        self.odd.is_some()
    }

    /// In which way it is odd.
    pub(in crate::route) fn odd(&self) -> Option<Odd> {
        self.odd
    }

    /// The path as it will be forwarded.
    pub(in crate::route) fn forwarded_path(&self) -> &[u8] {
        let text = self.forwarded().as_bytes();
        text.get(..memchr(b'?', text).unwrap_or(text.len())).unwrap_or(text)
    }

    /// The path: begins with `/`, has no dot segment, no empty segment but perhaps the last.
    pub fn path(&self) -> &str {
        self.text.get(..self.path_length).unwrap_or(&self.text)
    }

    /// What follows the first `?`, without it; `Some("")` for a bare `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_length + 1..)
    }

    /// Path and query: what rules are matched against.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a lenient reader could take this path for one under `prefix` (`/oauth2`): ASCII case is ignored,
    /// path parameters are cut off, escapes are decoded; whole segments. For the gateway's own prefix, of which not
    /// even a look-alike may reach an upstream or be a place to return to (H13, A12).
    pub fn is_under(&self, prefix: &str) -> bool {
        self.is_covered_by(prefix.trim_end_matches('/').as_bytes(), Reading::Loosest)
    }

    /// Whether `prefix` (percent-decoded, without a trailing slash) covers this path by whole segments.
    pub(in crate::route) fn is_covered_by(&self, prefix: &[u8], reading: Reading) -> bool {
        let mut units = Units { path: self.path().as_bytes(), reading };
        let begins = prefix.iter().all(|expected| match (units.next(), reading) {
            (Some(found), Reading::Loosest) => found.eq_ignore_ascii_case(expected),
            (found, _) => found == Some(*expected),
        });
        begins && units.next().is_none_or(|byte| byte == b'/')
    }

    /// Whether some segment has path parameters (`;x=1`), raw or encoded.
    pub(in crate::route) fn has_parameters(&self) -> bool {
        let path = self.path();
        let escaped = || memchr(b'%', path.as_bytes()).is_some() && path.contains("%3B");
        memchr(b';', path.as_bytes()).is_some() || escaped()
    }

    /// The path in `reading`, its first `most` bytes: what routes are compared with. Decoded, because `/a%40b` and
    /// `/a@b` are the same file to every app, so they are the same route here.
    pub(in crate::route) fn decoded_path(&self, reading: Reading, most: usize) -> Cow<'_, [u8]> {
        let path = if reading == Reading::Undecoded { self.forwarded_path() } else { self.path().as_bytes() };
        if reading == Reading::Plain && memchr(b'%', path).is_none() {
            return Cow::Borrowed(path.get(..most).unwrap_or(path));
        }
        Cow::Owned(Units { path, reading }.take(most).collect())
    }
}

impl fmt::Debug for NormalTarget {
    /// The path only: queries carry codes and tokens (R02).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NormalTarget").field(&self.path()).finish()
    }
}

/// What a segment has shown so far.
struct Segment {
    empty: bool,
    /// Nothing but dots and spaces. Windows drops trailing spaces, so `..%20` is `..` there.
    hollow: bool,
    ends_in_dot: bool,
    parameters: bool,
}

impl Segment {
    const NEW: Self = Self { empty: true, hollow: true, ends_in_dot: false, parameters: false };

    fn take(&mut self, byte: u8) -> Result<(), TargetFault> {
        match byte {
            b'.' => self.ends_in_dot = true,
            b' ' => {}
            // Encoded (they cannot stand raw): `/..%3Fx` becomes a dot segment before a query if decoded once more.
            b'?' | b'#' if self.hollow && !self.empty => return Err(TargetFault::DotSegment),
            b';' => {
                // `/..;/admin` and `/;x/admin`: cut at the `;`, what is left is a dot segment or an empty one.
                if self.empty || self.hollow || self.ends_in_dot {
                    return Err(TargetFault::Parameter);
                }
                self.parameters = true;
            }
            _ => (self.hollow, self.ends_in_dot) = (false, false),
        }
        self.empty = false;
        Ok(())
    }

    fn close(&self, last: bool) -> Result<(), TargetFault> {
        match self {
            Self { empty: true, .. } if last => Ok(()),
            Self { empty: true, .. } => Err(TargetFault::EmptySegment),
            Self { hollow: true, .. } => Err(TargetFault::DotSegment),
            Self { parameters: true, ends_in_dot: true, .. } => Err(TargetFault::Parameter),
            _ => Ok(()),
        }
    }
}

/// Judges a path; returns how many bytes shorter it will be once unreserved characters are decoded.
fn check_path(path: &[u8]) -> Result<usize, TargetFault> {
    let mut rest = path.strip_prefix(b"/").ok_or(TargetFault::NotOriginForm)?;
    let mut segment = Segment::NEW;
    let mut saved = 0;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'/' => {
                segment.close(false)?;
                segment = Segment::NEW;
                rest = after;
            }
            b'%' => {
                let (value, length) = check_escape(rest)?;
                if is_unreserved(value) {
                    saved += 2;
                }
                segment.take(value)?;
                rest = rest.get(length..).unwrap_or_default();
            }
            b'\\' => return Err(TargetFault::Separator),
            _ => {
                check_raw(byte)?;
                segment.take(byte)?;
                rest = after;
            }
        }
    }
    segment.close(true)?;
    Ok(saved)
}

/// Judges the escape at the beginning of `rest`; returns its first byte and the length of the whole character.
fn check_escape(rest: &[u8]) -> Result<(u8, usize), TargetFault> {
    let (value, length) = unit(rest).ok_or(TargetFault::Escape)?;
    let after = rest.get(length..).unwrap_or_default();
    match value {
        b'/' | b'\\' | 0 => Err(TargetFault::EncodedSeparator),
        0x01..=0x1f | 0x7f => Err(TargetFault::Control),
        b'%' => {
            // The digits may be hidden behind escapes of their own: `%25%32%65` becomes `%252e`.
            let next = |text: &[u8]| unit(text).filter(|(digit, _)| hex(*digit).is_some()).map(|(_, length)| length);
            let second = next(after).and_then(|length| next(after.get(length..)?));
            if second.is_some() { Err(TargetFault::DoubleEncoding) } else { Ok((value, length)) }
        }
        0x80.. => check_character(rest, value),
        _ => Ok((value, length)),
    }
}

/// Judges the escaped non-ASCII character at the beginning of `rest`, whose first byte is `lead`.
fn check_character(rest: &[u8], lead: u8) -> Result<(u8, usize), TargetFault> {
    let count = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(TargetFault::InvalidUtf8),
    };
    let mut bytes = [0; 4];
    let mut escapes = rest.chunks(3);
    for byte in bytes.iter_mut().take(count) {
        let escape = escapes.next().filter(|escape| escape.first() == Some(&b'%')).ok_or(TargetFault::InvalidUtf8)?;
        *byte = unit(escape).ok_or(TargetFault::Escape)?.0;
    }
    let text = str::from_utf8(bytes.get(..count).unwrap_or_default()).map_err(|_| TargetFault::InvalidUtf8)?;
    if text.chars().any(char::is_control) { Err(TargetFault::Control) } else { Ok((lead, count * 3)) }
}

/// What may not stand raw in a path. Browsers do send `|`, `[`, `]`, `{`, `}`, `^`, a backtick and `'` raw, and
/// no two servers read those differently.
fn check_raw(byte: u8) -> Result<(), TargetFault> {
    match byte {
        b'#' => Err(TargetFault::Fragment),
        b' ' | b'"' | b'<' | b'>' => Err(TargetFault::Unsafe),
        0x00..=0x1f | 0x7f => Err(TargetFault::Control),
        0x80.. => Err(TargetFault::NotAscii),
        _ => Ok(()),
    }
}

/// Writes a path that [`check_path`] has accepted.
fn write_path(mut path: &[u8], text: &mut Vec<u8>) {
    while let Some((byte, length)) = unit(path) {
        match path.get(..length) {
            Some(escape) if length == 3 && !is_unreserved(byte) => {
                text.extend(escape.iter().map(u8::to_ascii_uppercase));
            }
            _ => text.push(byte),
        }
        path = path.get(length..).unwrap_or_default();
    }
}
