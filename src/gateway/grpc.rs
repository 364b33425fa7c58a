//! Our refusals, as gRPC clients understand them: an answer without a body whose head carries the status
//! (Trailers-Only, gRPC over HTTP/2).
//!
//! A page or JSON with 401 would be told to the program as "unknown" by most of them.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::ended::Ended;
use crate::web::Reply;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request is a call of gRPC. gRPC-Web, which browsers speak, reads the status of HTTP.
pub(super) fn is_call(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_2 && is_grpc(&request.headers)
}

/// Whether a message's type is that of gRPC.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|media| is_media(media.as_bytes()))
}

/// Whether a type is that of gRPC.
pub(super) fn is_media(media: &[u8]) -> bool {
    let rest = media.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether a client takes trailers after an answer. On HTTP/1 that would be a matter of the connection, and asks for chunks.
pub(super) fn takes_trailers(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_2 && request.headers.get(header::TE).is_some_and(|te| te == "trailers")
}

/// The status of gRPC that says what `status` says.
fn status_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        // Sent to sign in: a program cannot.
        300..=399 | 401 => "16",      // UNAUTHENTICATED
        403 | 421 => "7",             // PERMISSION_DENIED
        404 | 405 => "12",            // UNIMPLEMENTED
        413 | 414 | 429 | 431 => "8", // RESOURCE_EXHAUSTED
        408 | 504 => "4",             // DEADLINE_EXCEEDED
        502 | 503 => "14",            // UNAVAILABLE
        400..=499 => "3",             // INVALID_ARGUMENT
        _ => "13",                    // INTERNAL
    }
}

/// What a call whose answer has begun is told when it is ended from outside.
pub(super) fn last_words(why: Ended) -> HeaderMap {
    let (status, message) = match why {
        Ended::Session => ("16", "the session is over"),
        Ended::Stop => ("14", "the gateway stops"),
        Ended::Limit(_) => ("4", "its time is over"),
    };
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(GRPC_STATUS.clone(), HeaderValue::from_static(status));
    trailers.insert(GRPC_MESSAGE.clone(), HeaderValue::from_static(message));
    trailers
}

/// `reply` for a call: its fields but for those about a body, the code of the refusal as the message.
pub(super) fn refusal(reply: &Reply) -> pingora::Result<ResponseHeader> {
    let mut response = ResponseHeader::build(StatusCode::OK, Some(reply.headers.len() + 3))?;
    for (name, value) in &reply.headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH, header::LOCATION].contains(name) {
            response.append_header(name.clone(), value.clone())?;
        }
    }
    response.insert_header(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))?;
    response.insert_header(GRPC_STATUS.clone(), HeaderValue::from_static(status_of(reply.status)))?;
    let said: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
    let code = said.as_ref().and_then(|said| said.get("error")?.as_str());
    let code = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    let code = code.and_then(|code| HeaderValue::from_str(code).ok());
    response.insert_header(GRPC_MESSAGE.clone(), code.unwrap_or(HeaderValue::from_static("refused")))?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_type() {
        for (said, call) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(said));
            assert_eq!(is_grpc(&headers), call, "{said}");
        }
    }

    #[test]
    fn a_refusal_has_its_status_and_code_in_its_head() {
        for (status, wanted) in [
            (StatusCode::FOUND, "16"),
            (StatusCode::UNAUTHORIZED, "16"),
            (StatusCode::FORBIDDEN, "7"),
            (StatusCode::NOT_FOUND, "12"),
            (StatusCode::PAYLOAD_TOO_LARGE, "8"),
            (StatusCode::BAD_REQUEST, "3"),
            (StatusCode::INTERNAL_SERVER_ERROR, "13"),
            (StatusCode::BAD_GATEWAY, "14"),
            (StatusCode::GATEWAY_TIMEOUT, "4"),
        ] {
            let mut reply = crate::web::page::error_json(status, "some_code", "id", None);
            reply.set(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            let response = refusal(&reply).unwrap();
            let said = |name: &str| response.headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!((response.status, said("grpc-status")), (StatusCode::OK, Some(wanted)));
            assert_eq!((said("grpc-message"), said("content-type")), (Some("some_code"), Some("application/grpc")));
            assert_eq!((said("www-authenticate"), said("content-length")), (Some("Bearer"), None));
        }
    }
}
