//! What scripts of other origins may learn from our own answers (Fetch, 3.2): that they are not signed in, and why.
//!
//! Without it a page sees a network error where there was a 401, and cannot send anybody to sign in (peers.md, pain 3).
//! Only origins the operator wrote down, byte for byte; the answers of apps are the apps' own business.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::route::RouteSettings;
use crate::web::{Reply, RequestView, single_value};

/// Longest list of header names that a preflight may ask for.
const LONGEST_LIST: usize = 1024;

/// Answers a preflight for an origin of the route. A browser sends one without credentials, so it could never pass
/// where any are asked for; for other origins it is an ordinary request without credentials.
pub(super) fn preflight(view: &RequestView<'_>, route: &RouteSettings) -> Option<Reply> {
    if *view.method != Method::OPTIONS {
        return None;
    }
    let origin = known_origin(view, route)?;
    let asked = |name: &HeaderName| single_value(view.headers, name).ok();
    let method = asked(&ACCESS_CONTROL_REQUEST_METHOD)?.filter(|method| is_token(method.as_bytes()))?;
    let headers = asked(&ACCESS_CONTROL_REQUEST_HEADERS)?;
    if headers.is_some_and(|headers| !is_list(headers.as_bytes())) {
        return None;
    }
    let (method, headers) = (HeaderValue::from_str(method).ok()?, headers.and_then(|list| list.parse().ok()));
    let mut reply = Reply::empty(StatusCode::NO_CONTENT);
    reply.set(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    reply.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    reply.set(ACCESS_CONTROL_ALLOW_METHODS, method);
    if let Some(headers) = headers {
        reply.set(ACCESS_CONTROL_ALLOW_HEADERS, headers);
    }
    reply.set(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    reply.set(VARY, HeaderValue::from_static(vary));
    Some(reply)
}

/// Lets an origin of the route read one of our own answers. Redirects stay as they are: nobody follows them by script.
pub(super) fn expose(mut reply: Reply, view: &RequestView<'_>, route: &RouteSettings) -> Reply {
    if route.cors_origins.is_empty() || reply.status.is_redirection() {
        return reply;
    }
    reply.set(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = known_origin(view, route) {
        reply.set(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        reply.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let readable = HeaderValue::from_static("WWW-Authenticate, Retry-After");
        reply.set(ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
    reply
}

fn known_origin(view: &RequestView<'_>, route: &RouteSettings) -> Option<HeaderValue> {
    let origin = single_value(view.headers, ORIGIN).ok()??;
    route.cors_origins.iter().find(|known| *known == origin).and_then(|known| known.parse().ok())
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_list(text: &[u8]) -> bool {
    text.len() <= LONGEST_LIST && text.split(|byte| *byte == b',').all(|name| is_token(name.trim_ascii()))
}
