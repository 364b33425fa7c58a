//! Cookies: found without a jar, taken out before an upstream sees them, written with every attribute that matters.
//!
//! HTTP/2 clients may send one `Cookie` field per cookie (RFC 9113, 8.2.3) and the server side does not join them, so
//! everything here looks at all fields.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use memchr::{memchr, memchr_iter};

/// Most cookies that [`cookies_with_prefix`] shows, so that a client cannot make us work through thousands.
pub const MAX_LISTED: usize = 64;

/// What our cookies are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieNames {
    /// The session cookie.
    pub session: String,
    /// What the name of every sign-in attempt's cookie begins with.
    pub attempt_prefix: String,
}

impl CookieNames {
    /// The names that begin with `__Host-` and `name`: browsers take such a cookie only over TLS, for the whole host, and
    /// never from a sibling domain (RFC 6265bis, 4.1.3.2). Without the prefix a neighbour could plant a session of their own.
    pub fn of(name: &str) -> Self {
        Self { session: format!("__Host-{name}"), attempt_prefix: format!("__Host-{name}tx-") }
    }

    /// Name of the cookie that counts sign-ins which ended well but came back without a session.
    pub fn loop_guard(&self) -> String {
        format!("{}loop", self.attempt_prefix)
    }
}

impl Default for CookieNames {
    fn default() -> Self {
        Self::of("gw")
    }
}

/// Whether this pair has the exact name of one of our cookies. Other spellings are somebody else's (F03).
fn is_own(pair: &[u8], names: &CookieNames) -> bool {
    let pair = pair.trim_ascii_start();
    let after = pair.strip_prefix(names.session.as_bytes()).map(<[u8]>::trim_ascii_start);
    after.is_some_and(|after| matches!(after.first(), None | Some(b'=')))
        || pair.starts_with(names.attempt_prefix.as_bytes())
}

/// What stands between the semicolons of a `Cookie` field, white space and all.
fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b';', field).chain(std::iter::once(field.len())).filter_map(move |end| {
        let pair = field.get(start..end);
        start = end + 1;
        pair
    })
}

/// The value of the cookie with exactly this name.
///
/// `None` also if it is there twice with different values: a browser with one `__Host-` cookie never sends that, so
/// somebody planted one of the two, and to choose would let them decide whose session this is.
pub fn find_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    str::from_utf8(find_cookie_bytes(headers, name)?).ok()
}

/// The same, for whoever does not need it as text.
pub fn find_cookie_bytes<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut found: Option<&[u8]> = None;
    for field in headers.get_all(header::COOKIE) {
        for pair in pairs(field.as_bytes()) {
            let after = pair.trim_ascii_start().strip_prefix(name.as_bytes());
            let Some(value) = after.and_then(|after| after.strip_prefix(b"=")) else { continue };
            let value = value.trim_ascii();
            if found.is_some_and(|other| other != value) {
                return None;
            }
            found = Some(value);
        }
    }
    found
}

/// Cookies whose name begins with `prefix`, as (whole name, value); at most [`MAX_LISTED`] of them.
pub fn cookies_with_prefix<'a>(headers: &'a HeaderMap, prefix: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let named =
        headers.get_all(header::COOKIE).into_iter().flat_map(|field| pairs(field.as_bytes())).filter_map(move |pair| {
            let (name, value) = str::from_utf8(pair).ok()?.trim_ascii().split_once('=')?;
            name.starts_with(prefix).then_some((name, value))
        });
    named.take(MAX_LISTED)
}

/// What becomes of the `Cookie` fields on the way to an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieUpstream {
    /// One field to replace all others: something was taken out, or there were several.
    Joined(HeaderValue),
    /// No cookie is left: remove the field.
    Nothing,
    /// At most one field and nothing of ours in it: leave it.
    Unchanged,
}

/// Takes our cookies out of what the client sent, leaves the others byte for byte and in order, and joins several
/// fields to one, which is all that an HTTP/1 upstream may be sent (RFC 9113, 8.2.3).
///
/// A session id that reached the app could be read back from its logs and used (F28).
pub fn strip_cookies(headers: &HeaderMap, names: &CookieNames) -> CookieUpstream {
    let fields = headers.get_all(header::COOKIE);
    let mut joined: Vec<u8> = Vec::with_capacity(fields.iter().map(|field| field.len() + 2).sum());
    let (mut several, mut taken) = (false, false);
    for (place, field) in fields.iter().enumerate() {
        several |= place > 0;
        let mut first_of_field = true;
        for pair in pairs(field.as_bytes()) {
            if is_own(pair, names) {
                taken = true;
                continue;
            }
            // Within a field each cookie keeps the white space it came with; between fields it is `; `.
            let pair = if first_of_field { pair.trim_ascii_start() } else { pair };
            if !joined.is_empty() {
                joined.extend_from_slice(if first_of_field { b"; " } else { b";" });
            }
            joined.extend_from_slice(pair);
            first_of_field = false;
        }
    }
    if !several && !taken {
        return CookieUpstream::Unchanged;
    }
    if joined.trim_ascii().is_empty() {
        return CookieUpstream::Nothing;
    }
    // Made of valid values only; were it not valid, no cookie at all would be the safe answer.
    HeaderValue::from_maybe_shared(Bytes::from(joined)).map_or(CookieUpstream::Nothing, CookieUpstream::Joined)
}

/// A `Set-Cookie` of ours: `Path=/; Secure; HttpOnly; SameSite=Lax`, never `Domain` (F01). Without `max_age` the cookie
/// lives as long as the browser; the session's own clock is what counts (F05).
///
/// `name` and `value` are ours: token characters and base64url. Anything else yields an empty field, which browsers
/// ignore: better no cookie than one with attributes of somebody else's choosing.
pub fn set_cookie(name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let sound = !name.is_empty() && name.bytes().chain(value.bytes()).all(plain);
    let life = max_age.map_or_else(String::new, |age| format!("; Max-Age={}", age.as_secs()));
    let text =
        if sound { format!("{name}={value}; HttpOnly; SameSite=Lax; Secure; Path=/{life}") } else { String::new() };
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// A `Set-Cookie` that removes a cookie of ours. The attributes are those it was set with, without which a browser
/// would not touch a `__Host-` cookie.
pub fn clear_cookie(name: &str) -> HeaderValue {
    set_cookie(name, "", Some(Duration::ZERO))
}

/// Whether an upstream's `Set-Cookie` must be dropped because it sets, or may be taken to set, a cookie of ours: an app
/// behind one route could otherwise sign people in as somebody else on all the others.
///
/// Names are compared the way the most careless parser might: without regard to case, white space and quotes; a
/// nameless cookie (`=__Host-gw=x`, `__Host-gw`) is sent back by some browsers as if its value were the name; a comma
/// may be where an intermediary folded two fields into one.
pub fn sanitize_upstream_set_cookie(value: &HeaderValue, names: &CookieNames) -> bool {
    let bytes = value.as_bytes();
    let pair = bytes.get(..memchr(b';', bytes).unwrap_or(bytes.len())).unwrap_or_default();
    let begins_with_ours = |text: &[u8]| {
        let noise = |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b'=' | b'"' | b'\'' | b',');
        let start = text.iter().position(|byte| !noise(byte)).unwrap_or(text.len());
        let text = text.get(start..).unwrap_or_default();
        let name = text.get(..text.iter().position(noise).unwrap_or(text.len())).unwrap_or_default();
        let attempt = names.attempt_prefix.as_bytes();
        name.eq_ignore_ascii_case(names.session.as_bytes())
            || name.get(..attempt.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(attempt))
    };
    begins_with_ours(pair) || bytes.split(|byte| *byte == b',').any(begins_with_ours)
}
