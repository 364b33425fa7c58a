//! The gateway's own words for HTTP: what a request looks like to those who judge it, and the one thing that is ever
//! written to a browser. No framework type passes this room's door.

pub mod cookie;
pub mod page;

use std::net::IpAddr;

use bytes::Bytes;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::route::path::NormalTarget;

/// What a browser asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsksFor {
    /// A page of its own.
    Page,
    /// A page inside another one: a frame, or what a page embeds.
    Frame,
    /// Anything else: what a script fetches, an image, a WebSocket.
    Data,
}

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
    /// The form that was posted to one of our own addresses that takes one; empty for everything else.
    pub form: &'a [u8],
}

impl RequestView<'_> {
    /// What a person's browser asked for, as far as it says.
    ///
    /// `Sec-Fetch-*` decides where it is there: no page can set it, and a browser that navigates says so. Without it,
    /// `Accept` that names HTML, unless the request says that it is a script's or a WebSocket's. `X-Requested-With` means
    /// a script only as exactly `XMLHttpRequest`: the browsers built into Android apps send the app's name in it with every
    /// page.
    ///
    /// What is no document gets 401: a redirect that it cannot follow would also start a sign-in per background request and
    /// pile up cookies.
    pub fn asks_for(&self) -> AsksFor {
        if self.method != Method::GET && self.method != Method::HEAD {
            return AsksFor::Data;
        }
        match (single_value(self.headers, "sec-fetch-mode"), single_value(self.headers, "sec-fetch-dest")) {
            (Ok(Some("navigate")), Ok(None | Some("document"))) => AsksFor::Page,
            (Ok(Some("navigate")), Ok(Some("embed" | "fencedframe" | "frame" | "iframe" | "object"))) => AsksFor::Frame,
            (Ok(None), Ok(_)) if self.wants_html() && !self.is_script() && !self.opens_websocket() => AsksFor::Page,
            _ => AsksFor::Data,
        }
    }

    /// Whether it asks for a page of its own, so that a redirect leads somewhere.
    pub fn is_navigation(&self) -> bool {
        self.asks_for() == AsksFor::Page
    }

    /// Whether a person's browser posts a form, so that a redirect leads somewhere.
    pub fn is_form_navigation(&self) -> bool {
        let mode = single_value(self.headers, "sec-fetch-mode");
        self.method == Method::POST && matches!(mode, Ok(None | Some("navigate"))) && self.wants_html()
    }

    /// Whether the browser is on a phone, by its own word: the hint that it sends for this (`Sec-CH-UA-Mobile`), or the word that
    /// browsers on phones have in their names and those on tablets have not.
    pub fn is_phone(&self) -> bool {
        match single_value(self.headers, "sec-ch-ua-mobile") {
            Ok(Some("?1")) => true,
            Ok(None) => single_value(self.headers, header::USER_AGENT)
                .is_ok_and(|agent| agent.is_some_and(|agent| agent.contains("Mobile") && !agent.contains("iPad"))),
            _ => false,
        }
    }

    fn is_script(&self) -> bool {
        !matches!(single_value(self.headers, "x-requested-with"), Ok(said) if said != Some("XMLHttpRequest"))
    }

    /// `Upgrade` may also offer another version of HTTP with a page (RFC 9110, 7.8).
    fn opens_websocket(&self) -> bool {
        let offers = self.headers.get_all(header::UPGRADE).iter();
        let mut offers = offers.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        offers.any(|offer| offer.trim_ascii().to_ascii_lowercase().starts_with(b"websocket"))
    }

    /// Whether a browser asks in advance for a page that its person may never open: prefetching and prerendering.
    pub fn is_speculative(&self) -> bool {
        ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
            let values = self.headers.get_all(*name).iter().filter_map(|value| value.to_str().ok());
            values.map(str::to_ascii_lowercase).any(|value| value.contains("prefetch") || value.contains("preview"))
        })
    }

    /// Whether whoever asked can show a page: `Accept` names HTML.
    pub fn wants_html(&self) -> bool {
        wants_html(self.headers)
    }
}

/// Whether `Accept` names HTML. Several fields of that name are one list (RFC 9110, 5.3).
pub fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|accept| accept.contains("text/html") || accept.contains("application/xhtml+xml"))
}

/// A field that may stand once stands twice, or is no text: it has as many meanings as it has readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous;

/// The text of a field that may stand at most once (RFC 9110, 5.3), for whatever decides by one.
///
/// Who takes the first of two is told apart from who takes the last: a request that shows us our own `Origin` and the
/// next reader another one would be judged by a value that nobody else sees. So it is neither of the two. White space
/// around the text is not part of it (RFC 9110, 5.5).
pub fn single_value(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(text.trim_ascii())).map_err(|_| Ambiguous),
        (Some(_), Some(_)) => Err(Ambiguous),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn asks_for(pairs: &[(&str, &[u8])]) -> AsksFor {
        let target = NormalTarget::parse(b"/").unwrap();
        let (headers, client) = (fields(pairs), IpAddr::from([127, 0, 0, 1]));
        let (method, host, request_id) = (&Method::GET, "app.test", "");
        RequestView { method, host, target: &target, headers: &headers, client, request_id, form: b"" }.asks_for()
    }

    fn is_navigation(pairs: &[(&str, &[u8])]) -> bool {
        asks_for(pairs) == AsksFor::Page
    }

    // XS01, XS19, sign-in cases class E
    #[test]
    fn what_the_browser_says_of_a_request_beats_what_apps_write_into_it() {
        let html: (&str, &[u8]) = ("accept", b"text/html");
        let navigate: (&str, &[u8]) = ("sec-fetch-mode", b"navigate");
        let document: (&str, &[u8]) = ("sec-fetch-dest", b"document");
        for (asked, pairs) in [
            (AsksFor::Page, &[html, navigate, document, ("x-requested-with", b"com.chat.app")][..]),
            (AsksFor::Page, &[html, navigate, document, ("x-requested-with", b"XMLHttpRequest")]),
            (
                AsksFor::Page,
                &[html, navigate, document, ("upgrade", b"h2c"), ("connection", b"upgrade, http2-settings")],
            ),
            (AsksFor::Page, &[html, ("x-requested-with", b"com.chat.app")]),
            (AsksFor::Page, &[html, ("x-requested-with", b"xmlhttprequest")]),
            (AsksFor::Page, &[html, ("x-requested-with", b"")]),
            (AsksFor::Page, &[html, ("upgrade", b"h2c")]),
            (AsksFor::Page, &[html, ("upgrade", b"TLS/1.3, HTTP/2.0")]),
            (AsksFor::Page, &[navigate]),
            (AsksFor::Frame, &[html, navigate, ("sec-fetch-dest", b"iframe")]),
            (AsksFor::Frame, &[html, navigate, ("sec-fetch-dest", b"frame")]),
            (AsksFor::Frame, &[navigate, ("sec-fetch-dest", b"object")]),
            (AsksFor::Frame, &[navigate, ("sec-fetch-dest", b"embed"), ("x-requested-with", b"com.chat.app")]),
            // The twins: what no person opened.
            (AsksFor::Data, &[html, ("x-requested-with", b"XMLHttpRequest")]),
            (AsksFor::Data, &[html, ("x-requested-with", b"com.chat.app"), ("x-requested-with", b"XMLHttpRequest")]),
            (AsksFor::Data, &[html, ("upgrade", b"websocket")]),
            (AsksFor::Data, &[html, ("upgrade", b"h2c, WebSocket")]),
            (AsksFor::Data, &[html, ("upgrade", b"h2c"), ("upgrade", b"websocket/13")]),
            (AsksFor::Data, &[html, ("sec-fetch-mode", b"websocket"), ("sec-fetch-dest", b"websocket")]),
            (AsksFor::Data, &[html, ("sec-fetch-mode", b"cors"), ("sec-fetch-dest", b"empty")]),
            (AsksFor::Data, &[html, ("sec-fetch-mode", b"no-cors"), ("sec-fetch-dest", b"image")]),
            (AsksFor::Data, &[html, navigate, ("sec-fetch-dest", b"empty")]),
            (AsksFor::Data, &[("accept", b"*/*")]),
            (AsksFor::Data, &[]),
        ] {
            assert_eq!(asks_for(pairs), asked, "{pairs:?}");
        }
    }

    // Attacks, class G
    #[test]
    fn a_field_that_may_stand_once_means_nothing_if_it_stands_twice_or_is_no_text() {
        let one = |pairs: &[(&str, &[u8])]| single_value(&fields(pairs), "origin").map(|text| text.map(str::to_owned));
        assert_eq!(one(&[]), Ok(None));
        assert_eq!(one(&[("origin", b" https://a.test\t")]), Ok(Some("https://a.test".to_owned())));
        for twice in [&[("origin", &b"a"[..]), ("origin", b"b")], &[("origin", b"a"), ("Origin", b"a")]] {
            assert_eq!(one(twice), Err(Ambiguous));
        }
        assert_eq!(one(&[("origin", b"\xff")]), Err(Ambiguous));
    }

    // Attacks, class G
    #[test]
    fn what_is_said_twice_makes_no_navigation() {
        let html: (&str, &[u8]) = ("accept", b"text/html");
        let navigate: (&str, &[u8]) = ("sec-fetch-mode", b"navigate");
        let document: (&str, &[u8]) = ("sec-fetch-dest", b"document");
        assert!(is_navigation(&[html]) && is_navigation(&[navigate, document]) && is_navigation(&[navigate]));
        assert!(is_navigation(&[("accept", b"text/plain"), html]), "a list in two fields");
        for odd in [
            &[navigate, navigate, html][..],
            &[navigate, ("sec-fetch-mode", b"cors"), html],
            &[navigate, document, document, html],
            &[navigate, document, ("sec-fetch-dest", b"iframe"), html],
            &[("sec-fetch-mode", b"\xff"), html],
            &[("x-requested-with", b"\xff"), html],
        ] {
            assert!(!is_navigation(odd), "{odd:?}");
        }
    }
}
