//! How a target is spelled on its way: as the client sent it, where that is no other reading.

use std::fmt::Write as _;

use super::TargetFault;

/// What may stand in a query. It is data: nothing in it is a place where servers go different ways, so whatever
/// clients send raw is taken, and gets its escape (RFC 3986, 3.4) in the normal form.
pub(super) fn check_query(query: &[u8]) -> Result<(), TargetFault> {
    for byte in query {
        match byte {
            b'#' => return Err(TargetFault::Fragment),
            b' ' => return Err(TargetFault::Unsafe),
            0x00..=0x1f | 0x7f => return Err(TargetFault::Control),
            _ => {}
        }
    }
    if query.is_ascii() {
        return Ok(());
    }
    let text = str::from_utf8(query).map_err(|_| TargetFault::NotAscii)?;
    if text.chars().any(char::is_control) { Err(TargetFault::Control) } else { Ok(()) }
}

/// Writes a query that [`check_query`] has accepted, in ASCII.
pub(super) fn write_query(query: &[u8], text: &mut Vec<u8>) {
    write_escaped(query, text, |byte| matches!(byte, b'"' | b'<' | b'>' | 0x80..));
}

/// The target as the client sent it, but for the few signs that no head of ours can carry raw.
pub(super) fn as_sent(path: &[u8], query: &[u8]) -> Option<Box<str>> {
    let mut text = Vec::with_capacity(path.len() + query.len());
    write_escaped(path, &mut text, |byte| byte == b'`');
    write_escaped(query, &mut text, |byte| matches!(byte, b'"' | b'<' | b'>'));
    String::from_utf8(text).ok().map(String::into_boxed_str)
}

fn write_escaped(part: &[u8], text: &mut Vec<u8>, escaped: impl Fn(u8) -> bool) {
    if !part.iter().any(|byte| escaped(*byte)) {
        text.extend_from_slice(part);
        return;
    }
    let mut escape = String::with_capacity(3);
    for byte in part {
        if escaped(*byte) {
            escape.clear();
            // Writing into a text cannot fail.
            let _written = write!(escape, "%{byte:02X}");
            text.extend_from_slice(escape.as_bytes());
        } else {
            text.push(*byte);
        }
    }
}
