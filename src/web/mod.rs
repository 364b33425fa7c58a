//! The gateway's own words for HTTP: what a request looks like to those who judge it, and the one thing that is ever
//! written to a browser. No framework type passes this room's door.

pub mod cookie;
pub mod page;

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::route::path::NormalTarget;

/// One request, already made normal: framing checked, authority parsed, target normalised.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// Lower-case host name (or bracketed address) without a port, without a trailing dot.
    pub host: &'a str,
    /// Path and query as they will be forwarded.
    pub target: &'a NormalTarget,
    /// Every header the client sent, untouched. Reading identity from here is always a mistake.
    pub headers: &'a HeaderMap,
    /// The peer's address (the trusted-proxy rule is already applied).
    pub client: IpAddr,
    /// Id of this request: in our log lines, on our error pages, in `X-Request-Id` upstream.
    pub request_id: &'a str,
}

impl RequestView<'_> {
    /// Whether a person's browser asked for this as a page of its own, so that a redirect leads somewhere: top-level
    /// `GET` navigation by `Sec-Fetch-Mode`/`Sec-Fetch-Dest`; without those headers, `Accept` that names HTML.
    ///
    /// Everything else (fetch, XHR, POST, images, WebSocket) gets 401: a redirect it cannot follow would also start
    /// a sign-in per background request and pile up cookies.
    pub fn is_navigation(&self) -> bool {
        if self.method != Method::GET && self.method != Method::HEAD {
            return false;
        }
        let value = |name: &str| self.headers.get(name).and_then(|v| v.to_str().ok());
        if self.headers.contains_key(header::UPGRADE) || value("x-requested-with").is_some() {
            return false;
        }
        if let Some(mode) = value("sec-fetch-mode") {
            return mode == "navigate" && value("sec-fetch-dest").is_none_or(|dest| dest == "document");
        }
        self.wants_html()
    }

    /// Whether whoever asked can show a page: `Accept` names HTML.
    pub fn wants_html(&self) -> bool {
        wants_html(self.headers)
    }
}

/// Whether `Accept` names HTML.
pub fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html") || accept.contains("application/xhtml+xml"))
}

/// The only thing that is ever written to a browser by us. The gateway adds `Content-Length` and drops the body for
/// `HEAD`; every reply is `Cache-Control: no-store` unless it says otherwise.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Headers in order; `Set-Cookie` may stand several times.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body, at most a few KiB.
    pub body: Bytes,
    /// Close the connection after this reply: set for requests whose framing or form cannot be trusted.
    pub close: bool,
}

impl Reply {
    /// An empty reply.
    pub fn empty(status: StatusCode) -> Self {
        let headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        Self { status, headers, body: Bytes::new(), close: false }
    }

    /// A JSON reply; `body` is already serialised.
    pub fn json(status: StatusCode, body: String) -> Self {
        let mut reply = Self::empty(status);
        reply.set(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply.set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        reply.body = body.into();
        reply
    }

    /// A redirect that turns any method into `GET` where it must: 302 after a navigation, 303 after a POST (RFC 9700,
    /// 4.12: never 307 or 308, which would carry a body, and perhaps a password in it, to the next party).
    pub fn redirect(status: StatusCode, location: HeaderValue) -> Self {
        debug_assert!(status == StatusCode::FOUND || status == StatusCode::SEE_OTHER);
        let mut reply = Self::empty(status);
        reply.set(header::LOCATION, location);
        reply.set(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        reply
    }

    /// Sets a header, replacing earlier ones of that name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name, value));
    }

    /// Adds a `Set-Cookie`.
    pub fn add_cookie(&mut self, value: HeaderValue) {
        self.headers.push((header::SET_COOKIE, value));
    }

    /// Marks the connection as not reusable.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}
