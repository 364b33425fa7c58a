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
use crate::web::{Reply, RequestView};

/// Longest list of header names that a preflight may ask for.
const LONGEST_LIST: usize = 1024;

/// Answers a preflight for an origin of the route. A browser sends one without credentials, so it could never pass
/// where any are asked for; for other origins it is an ordinary request without credentials.
pub(super) fn preflight(view: &RequestView<'_>, route: &RouteSettings) -> Option<Reply> {
    if *view.method != Method::OPTIONS {
        return None;
    }
    let origin = known_origin(view, route)?;
    let method = only(view, &ACCESS_CONTROL_REQUEST_METHOD)?.filter(|method| is_token(method.as_bytes()))?;
    let headers = only(view, &ACCESS_CONTROL_REQUEST_HEADERS)?;
    if headers.is_some_and(|headers| !is_list(headers.as_bytes())) {
        return None;
    }
    let mut reply = Reply::empty(StatusCode::NO_CONTENT);
    reply.set(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    reply.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    reply.set(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    if let Some(headers) = headers {
        reply.set(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
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
        reply.set(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        reply.set(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let readable = HeaderValue::from_static("WWW-Authenticate, Retry-After");
        reply.set(ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
    reply
}

fn known_origin<'a>(view: &RequestView<'a>, route: &RouteSettings) -> Option<&'a HeaderValue> {
    let origin = only(view, &ORIGIN)??;
    route.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then_some(origin)
}

/// The value of a header that is there at most once; `None` if it is there more often.
fn only<'a>(view: &RequestView<'a>, name: &HeaderName) -> Option<Option<&'a HeaderValue>> {
    let mut values = view.headers.get_all(name).iter();
    let first = values.next();
    values.next().is_none().then_some(first)
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_list(text: &[u8]) -> bool {
    text.len() <= LONGEST_LIST && text.split(|byte| *byte == b',').all(|name| is_token(name.trim_ascii()))
}
