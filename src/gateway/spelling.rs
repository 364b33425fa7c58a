//! How header names are spelled on the wire.
//!
//! They go out in lower case, which means the same (RFC 9110, 5.1), unless the route asks for the spelling of the client
//! and of the app (`preserve_header_case`). The framework keeps a second map with the spelling of every name. Each copy of
//! the head carries it along, and each header that is written pays for it several times over.

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use pingora::http::{RequestHeader, ResponseHeader};

use crate::identity::headers::{Forwarding, Reserved};

/// Takes a request apart; an empty one stays in its place.
pub(super) fn take_parts(header: &mut RequestHeader) -> Parts {
    let hollow = RequestHeader::from(http::Request::new(()).into_parts().0);
    Parts::from(std::mem::replace(header, hollow))
}

/// Forgets how the client spelled header names.
pub(super) fn forget(header: &mut RequestHeader) {
    if header.has_case() {
        *header = RequestHeader::from(take_parts(header));
    }
}

/// Forgets how the app spelled the header names of its answer. Not where protocols are switched: some clients of
/// WebSockets look for names by the letter.
///
/// # Errors
/// If the framework refuses a reason phrase that it took before.
pub(super) fn forget_answers(header: &mut ResponseHeader) -> pingora::Result<()> {
    if !header.has_case() || header.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let reason = header.get_reason_phrase().filter(|reason| header.status.canonical_reason() != Some(*reason));
    let reason = reason.map(str::to_owned);
    let hollow = ResponseHeader::from(http::Response::new(()).into_parts().0);
    *header = ResponseHeader::from(http::response::Parts::from(std::mem::replace(header, hollow)));
    match reason {
        Some(reason) => header.set_reason_phrase(Some(&reason)),
        None => Ok(()),
    }
}

/// The request `ready` with the client's own names as `sent` spelled them. Ours, `reserved` and forwarding names, stay as
/// they are.
///
/// # Errors
/// If the framework refuses a name or value that it took before.
pub(super) fn spelled_as(
    sent: &RequestHeader,
    ready: &RequestHeader,
    reserved: &Reserved,
) -> pingora::Result<RequestHeader> {
    let mut spelled = RequestHeader::build(ready.method.clone(), ready.raw_path(), Some(ready.headers.len()))?;
    spelled.set_version(ready.version);
    for (name, value) in &ready.headers {
        let ours = reserved.covers(name.as_str()) || Forwarding::covers(name.as_str());
        let same = |theirs: &[u8]| !ours && theirs.eq_ignore_ascii_case(name.as_str().as_bytes());
        let mut names = sent.case_header_iter().map(|(theirs, _)| theirs.as_slice());
        let spelling = names.find(|theirs| same(theirs)).unwrap_or(name.as_str().as_bytes());
        spelled.append_header(Bytes::copy_from_slice(spelling), value.clone())?;
    }
    Ok(spelled)
}
