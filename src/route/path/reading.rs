//! How apps may read one path: each server decodes, some cut path parameters off, some ignore case.

use memchr::memchr;

/// How an app may read a normal path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::route) enum Reading {
    /// Escapes decoded, as every server does.
    Plain,
    /// And path parameters cut off, as servlet containers do.
    WithoutParameters,
    /// And ASCII case ignored.
    Loosest,
    /// Escapes of unreserved characters left as they stand, as servers do that compare before they decode.
    Undecoded,
}

/// The bytes of a path in one reading.
pub(super) struct Units<'a> {
    pub(super) path: &'a [u8],
    pub(super) reading: Reading,
}

impl Iterator for Units<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, length) = match unit(self.path)? {
            (value, 3) if self.reading == Reading::Undecoded && is_unreserved(value) => (b'%', 1),
            decoded => decoded,
        };
        self.path = self.path.get(length..)?;
        if byte == b';' && matches!(self.reading, Reading::WithoutParameters | Reading::Loosest) {
            self.path = memchr(b'/', self.path).and_then(|next| self.path.get(next..)).unwrap_or_default();
            return self.next();
        }
        Some(byte)
    }
}

/// The byte that stands at the beginning of `text`, decoded if it is an escape, and how many bytes it took.
pub(super) fn unit(text: &[u8]) -> Option<(u8, usize)> {
    match *text {
        [b'%', high, low, ..] => Some((hex(high)? << 4 | hex(low)?, 3)),
        [b'%', ..] | [] => None,
        [byte, ..] => Some((byte, 1)),
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986, 2.3: an escape of one of these means the same as the character.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
