//! What belongs to one connection and ends there (RFC 9110, 7.6.1), in both directions.
//!
//! The framework removes some of it from requests and none of it from answers.

use http::{HeaderMap, HeaderName, StatusCode, Version, header};
use pingora::http::ResponseHeader;

/// Fields of a request that its sender cannot take away by naming them in `Connection`: what it is judged by, what frames
/// it, and what a proxy before us wrote (G09, G10). Other names with a hyphen behind these are kept as well.
const KEPT: &[&str] = &[
    "accept",
    "authorization",
    "cache-control",
    "content",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "if",
    "max-forwards",
    "origin",
    "range",
    "sec",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "via",
    "x-forwarded",
    "x-original",
    "x-real-ip",
    "x-request-id",
    "x-rewrite",
];

/// Fields of an answer that an app cannot take away by naming them in `Connection`: what frames it, and what caches go by.
const KEPT_OF_ANSWERS: &[HeaderName] =
    &[header::CACHE_CONTROL, header::CONTENT_LENGTH, header::SET_COOKIE, header::TRANSFER_ENCODING, header::VARY];

/// Whether a field of a request ends at us, besides those the framework removes.
pub(super) fn ends_here(name: &HeaderName) -> bool {
    // These are compared as numbers, and most names are: text is only looked at if it is as long as one of the others.
    [header::PROXY_AUTHORIZATION, header::TE, header::TRAILER].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Whether a client may say that a field of this name was meant for us alone.
pub(super) fn may_be_nominated(name: &str) -> bool {
    let is_kept = |kept: &str| {
        let begins = name.get(..kept.len()).is_some_and(|start| start.eq_ignore_ascii_case(kept));
        begins && matches!(name.as_bytes().get(kept.len()), None | Some(b'-' | b'_'))
    };
    !KEPT.iter().any(|kept| is_kept(kept))
}

/// Whether a name is one of those that frame a message, or end at each hop, in the spelling of a lenient server: with
/// something else in the place of a hyphen. To that server it is the very field, beside the one that was judged.
pub(super) fn resembles_framing(name: &str) -> bool {
    let real = match name.len() {
        10 => "keep-alive",
        14 => "content-length",
        16 => "proxy-connection",
        17 => "transfer-encoding",
        19 => "proxy-authorization",
        _ => return false,
    };
    let folds = |(theirs, ours): (u8, u8)| theirs == ours || (ours == b'-' && !theirs.is_ascii_alphanumeric());
    name != real && name.bytes().zip(real.bytes()).all(folds)
}

/// What of an app's answer ends at us.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerHop {
    /// The answer is about another protocol: a switch to it (101), or the demand for one (426).
    upgrade: bool,
    /// What comes behind the body reaches the client: HTTP/2 on both sides.
    trailers: bool,
}

impl AnswerHop {
    /// Of an answer on its way to a client that speaks `version`.
    pub(super) fn of(response: &ResponseHeader, client: Version) -> Self {
        Self {
            upgrade: matches!(response.status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED),
            trailers: client == Version::HTTP_2 && response.version == Version::HTTP_2,
        }
    }

    /// Whether a field of the answer goes no further. `Connection` itself is the framework's to write.
    pub(super) fn ends(self, name: &HeaderName) -> bool {
        match *name {
            header::UPGRADE => !self.upgrade,
            header::TRAILER => !self.trailers,
            header::TE | header::PROXY_AUTHENTICATE => true,
            _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
        }
    }
}

/// The fields that an app says are for us alone. What is no name is nobody's.
pub(super) fn nominated_by_app(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let names =
        names.filter(|name| !["", "close", "keep-alive", "upgrade"].iter().any(|it| name.eq_ignore_ascii_case(it)));
    let names = names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    names.filter(|name| !KEPT_OF_ANSWERS.contains(name) && headers.contains_key(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_name_what_nobody_goes_by() {
        // G09, G10, MV09
        for name in ["x-secret-hop", "X-Private", "hosts", "contents", "x-forwardedness", "ify"] {
            assert!(may_be_nominated(name), "{name}");
        }
        for name in
            ["Cookie", "cookie2-x".get(..6).unwrap(), "CONTENT-TYPE", "content_length", "X-Forwarded-For", "Host"]
        {
            assert!(!may_be_nominated(name), "{name}");
        }
    }

    #[test]
    fn what_an_app_names_goes_and_what_frames_stays() {
        // W16
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, "close, X-Priv".parse().unwrap());
        headers.append(header::CONNECTION, "content-length,x-absent, not a name,Set-Cookie".parse().unwrap());
        headers.insert("x-priv", "1".parse().unwrap());
        headers.insert(header::CONTENT_LENGTH, "2".parse().unwrap());
        headers.insert(header::SET_COOKIE, "a=b".parse().unwrap());
        assert_eq!(nominated_by_app(&headers), ["x-priv"]);
    }
}
