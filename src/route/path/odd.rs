//! Targets that servers read in different ways, which pass only where each of these ways leads to the same rules.
//!
//! Which rules those are is the route table's to know; here is what can be said of a path alone. What stays refused on
//! every route: dot segments in any reading, control characters, broken escapes, characters that are hidden in a form
//! of UTF-8 that is none (overlong ones), and whatever may not stand raw.

use memchr::memchr;

use super::reading::unit;
use super::{TargetFault, check_character, check_path, check_raw};

/// Why a path has several readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::route) struct Odd {
    /// What a strict route refuses it for.
    pub(in crate::route) fault: TargetFault,
    /// Servers that disagree about it see paths with other segments: only for routes that say `paths: as-is`.
    pub(in crate::route) only_as_is: bool,
    /// A segment is three dots or more, which ancient systems climb by.
    pub(in crate::route) dots: bool,
}

/// How often an escape may be hidden in another one. Nobody decodes more often.
const ROUNDS: usize = 4;

/// Judges a path that is refused for `fault` where paths are strict.
pub(super) fn judge(path: &[u8], fault: TargetFault) -> Result<Odd, TargetFault> {
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' => {
                let (value, length) = unit(rest).ok_or(TargetFault::Escape)?;
                if is_hidden(value, rest.get(length..).unwrap_or_default()) {
                    return Err(TargetFault::InvalidUtf8);
                }
                rest.get(length..).unwrap_or_default()
            }
            b'\\' => return Err(TargetFault::Separator),
            _ => {
                check_raw(byte)?;
                after
            }
        };
    }
    if !path.starts_with(b"/") {
        return Err(TargetFault::NotOriginForm);
    }
    let rounds = rounds(path).ok_or(TargetFault::DoubleEncoding)?;
    for (round, text) in rounds.iter().enumerate() {
        if memchr(0, text).is_some() {
            return Err(TargetFault::EncodedSeparator);
        }
        if text.iter().any(u8::is_ascii_control) || holds_c1(text) {
            return Err(TargetFault::Control);
        }
        for segment in text.split(|byte| matches!(byte, b'/' | b'\\')) {
            let three_dots = round == 0 && segment.len() > 2 && segment.iter().all(|byte| *byte == b'.');
            if is_dots(segment) && !three_dots {
                return Err(TargetFault::DotSegment);
            }
        }
    }
    let (mended, dots) = without_harmless(path);
    Ok(Odd { fault, only_as_is: check_path(&mended).is_err(), dots })
}

/// The path as it stands, and decoded once, twice and so on, until nothing changes. `None` if that takes too long.
pub(in crate::route) fn rounds(path: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rounds = vec![path.to_vec()];
    for _ in 0..ROUNDS {
        let last = rounds.last()?;
        let next = decode(last);
        if next == *last {
            return Some(rounds);
        }
        rounds.push(next);
    }
    None
}

/// Decodes every escape once; what is none stays.
fn decode(mut text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    while let Some((&first, after)) = text.split_first() {
        let (byte, rest) = match unit(text) {
            Some((byte, length)) => (byte, text.get(length..).unwrap_or_default()),
            None => (first, after),
        };
        decoded.push(byte);
        text = rest;
    }
    decoded
}

/// Whether some server takes a segment for a dot segment: parameters, streams, queries and fragments cut off, spaces
/// dropped.
fn is_dots(segment: &[u8]) -> bool {
    let end = segment.iter().position(|byte| matches!(byte, b';' | b':' | b'?' | b'#')).unwrap_or(segment.len());
    let kept = segment.get(..end).unwrap_or_default();
    kept.contains(&b'.') && kept.iter().all(|byte| matches!(byte, b'.' | b' '))
}

/// Whether an escaped byte begins a form in which lenient decoders find another character, a slash or a dot perhaps.
fn is_hidden(value: u8, after: &[u8]) -> bool {
    let next = unit(after).filter(|(_, length)| *length == 3).map(|(byte, _)| byte);
    match (value, next) {
        (0xc0 | 0xc1 | 0xf5.., _) => true,
        (0xe0, Some(next)) => (0x80..0xa0).contains(&next),
        (0xed, Some(next)) => (0xa0..0xc0).contains(&next),
        (0xf0, Some(next)) => (0x80..0x90).contains(&next),
        (0xf4, Some(next)) => (0x90..0xc0).contains(&next),
        _ => false,
    }
}

fn holds_c1(text: &[u8]) -> bool {
    text.windows(2).any(|pair| matches!(pair, [0xc2, 0x80..=0x9f]))
}

/// The path with a plain letter in the place of everything that changes no segment in any reading, and whether a
/// segment of three dots or more was among it.
fn without_harmless(path: &[u8]) -> (Vec<u8>, bool) {
    let mut mended = Vec::with_capacity(path.len() + 8);
    let mut dots = false;
    for segment in path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/') {
        mended.push(b'/');
        if segment.len() > 2 && segment.iter().all(|byte| *byte == b'.') {
            dots = true;
            mended.push(b'x');
            continue;
        }
        if unit(segment).is_some_and(|(byte, _)| byte == b';') {
            mended.push(b'x');
        }
        let mut rest = segment;
        while let Some((byte, length)) = unit(rest) {
            let length = match byte {
                0x80.. => match check_character(rest, byte) {
                    Ok((_, length)) => length,
                    Err(_) => {
                        mended.push(b'x');
                        rest = rest.get(length..).unwrap_or_default();
                        continue;
                    }
                },
                _ => length,
            };
            mended.extend_from_slice(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    (mended, dots)
}
