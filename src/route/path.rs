//! What a request target means: the one opinion, formed once, before anything is decided.
//!
//! Gateways are walked around by targets that the gate reads one way and the app behind it another (security.md,
//! section H). So there is one reading: a [`NormalTarget`] is what rules are matched against *and*, byte for byte,
//! what is forwarded. A target of which two readings are possible is refused, not repaired: a repair is itself a
//! second opinion.

mod return_to;
#[cfg(test)]
pub(in crate::route) mod tests;

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use thiserror::Error;

pub use return_to::{ReturnFault, ReturnPolicy, ReturnPolicyFault, ReturnTo};

/// Longest target that is read at all, path and query together, in bytes; `limits.uri_bytes` says how much of it is
/// taken. The framework cannot read one of 64 KiB.
pub const MAX_TARGET: usize = 60 * 1024;

/// Why a target was refused. Never says what stood there: the text is the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
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
    /// A raw byte above 0x7e.
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
    /// A space, quote or angle bracket, which no browser sends raw.
    #[error("the request target holds a character that must be percent-encoded")]
    Unsafe,
}

/// A request target with exactly one meaning: path, and query if there is one, in one piece of memory.
///
/// In the path, escapes of unreserved characters are decoded (RFC 3986, 6.2.2.2: `%61` is `a`) and the remaining
/// ones written in upper case; nothing else is changed. The query is data and stays as it came.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NormalTarget {
    text: Box<str>,
    path_length: usize,
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
        check_query(query)?;
        let mut text = Vec::with_capacity(raw.len() - saved);
        if memchr(b'%', path).is_none() {
            text.extend_from_slice(path);
        } else {
            write_path(path, &mut text);
        }
        let path_length = text.len();
        text.extend_from_slice(query);
        let text = String::from_utf8(text).map_err(|_| TargetFault::NotAscii)?;
        Ok(Self { text: text.into_boxed_str(), path_length })
    }

    /// The path: begins with `/`, has no dot segment, no empty segment but perhaps the last.
    pub fn path(&self) -> &str {
        self.text.get(..self.path_length).unwrap_or(&self.text)
    }

    /// What follows the first `?`, without it; `Some("")` for a bare `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_length + 1..)
    }

    /// Path and query: what rules are matched against and what the upstream gets.
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
        let path = self.path().as_bytes();
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

/// How an app may read a normal path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::route) enum Reading {
    /// Escapes decoded, as every server does.
    Plain,
    /// And path parameters cut off, as servlet containers do.
    WithoutParameters,
    /// And ASCII case ignored.
    Loosest,
}

/// The bytes of a normal path in one reading.
struct Units<'a> {
    path: &'a [u8],
    reading: Reading,
}

impl Iterator for Units<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, length) = unit(self.path)?;
        self.path = self.path.get(length..)?;
        if byte == b';' && self.reading != Reading::Plain {
            self.path = memchr(b'/', self.path).and_then(|next| self.path.get(next..)).unwrap_or_default();
            return self.next();
        }
        Some(byte)
    }
}

/// The byte that stands at the beginning of `text`, decoded if it is an escape, and how many bytes it took.
fn unit(text: &[u8]) -> Option<(u8, usize)> {
    match *text {
        [b'%', high, low, ..] => Some((hex(high)? << 4 | hex(low)?, 3)),
        [b'%', ..] | [] => None,
        [byte, ..] => Some((byte, 1)),
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986, 2.3: an escape of one of these means the same as the character.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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

fn check_query(query: &[u8]) -> Result<(), TargetFault> {
    query.iter().try_for_each(|byte| check_raw(*byte))
}

/// What may not stand raw in either part. Browsers do send `|`, `[`, `]`, `{`, `}`, `^`, a backtick and `'` raw, and
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
