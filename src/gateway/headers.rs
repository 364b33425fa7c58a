//! What an upstream gets to read: everything a client may not say is taken away, then ours is put there, in one call
//! that may run again on a retry and leaves the same result.

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType};

use super::context::Context;
use super::dropped::Dropped;
use super::hop_by_hop::{AnswerHop, ends_here, nominated_by_app, resembles_framing};
use super::peer::host_for;
use super::ready_headers::{OfRequest, ReadyHeaders};
use super::spelling::{spelled_as, take_parts};
use crate::auth::{Permit, brings_own_token};
use crate::identity::headers::{Forwarding, Reserved};
use crate::route::Mount;
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;
use crate::web::cookie::{CookieNames, CookieUpstream, sanitize_upstream_set_cookie, strip_cookies};
use crate::web::single_value;

/// Whether the one thing that is expected is `100-continue`. Any other expectation would be ours to meet or to refuse
/// (RFC 9110, 10.1.1); nobody uses one, so it is not passed on.
fn expects_continue_only(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::EXPECT).iter();
    let first = all.next();
    first.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) && all.next().is_none()
}

/// For one person's browser, and no cache between.
const PRIVATE: HeaderValue = HeaderValue::from_static("private");

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The one value of a field; `None` if there are several.
fn one_value(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().cloned();
    first.filter(|_| all.next().is_none())
}

/// Whether a name for a request can stand in a log: short, and without signs that mean something there.
fn is_request_id(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/@".contains(byte);
    (1..=128).contains(&id.len()) && id.iter().all(plain)
}

/// The prefix that a trusted proxy has taken away.
pub(super) fn prefix_of_proxy(headers: &HeaderMap) -> Option<HeaderValue> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let is_prefix = |value: &HeaderValue| {
        let prefix = value.as_bytes();
        // Two slashes begin the address of another host.
        prefix.starts_with(b"/") && !prefix.starts_with(b"//") && prefix.len() <= 256 && prefix.iter().all(plain)
    };
    one_value(headers, &X_FORWARDED_PREFIX).filter(is_prefix)
}

/// The prefix that a trusted proxy has taken away, and the port that people reach it by.
fn said_by_proxy(headers: &HeaderMap) -> [Option<HeaderValue>; 2] {
    let is_port = |value: &HeaderValue| {
        let port = value.to_str().ok().filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0)
    };
    [prefix_of_proxy(headers), one_value(headers, &X_FORWARDED_PORT).filter(is_port)]
}

/// What is removed and written on every request, as the configuration says it.
pub(super) struct HeaderRules<'a> {
    reserved: &'a Reserved,
    cookies: &'a CookieNames,
    /// `http` or `https`: how people reach us, from the public URL.
    scheme: &'static str,
    /// `:port` of the public URL; empty for the scheme's own.
    port: &'a str,
}

impl<'a> HeaderRules<'a> {
    /// The rules of a configuration.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            reserved: snapshot.reserved(),
            cookies: &snapshot.settings().cookies,
            scheme: snapshot.scheme(),
            port: snapshot.port(),
        }
    }

    /// Strips, then injects. `ready` is what the connection's last request left of our headers.
    ///
    /// If a reserved name survived in any spelling that a back end folds to the same variable, a client could write
    /// its own identity (security G). The names are therefore judged folded, on every route, anonymous ones too.
    pub(super) fn prepare(
        &self,
        upstream: &mut RequestHeader,
        context: &Context,
        ready: &mut Option<Box<ReadyHeaders>>,
        metrics: &Metrics,
    ) -> pingora::Result<()> {
        let (Some(permit), Some(target)) = (&context.permit, &context.target) else {
            return Err(Error::explain(ErrorType::InternalError, "a request without a permit was about to be sent"));
        };
        let spelled = permit.route().preserve_header_case.then(|| upstream.clone());
        let mut parts = take_parts(upstream);
        parts.headers = self.rewrite(parts.headers, context, permit, ready, metrics);
        *upstream = RequestHeader::from(parts);
        let target = context.inner_target.as_deref().unwrap_or_else(|| target.forwarded()).as_bytes();
        if upstream.raw_path() != target {
            upstream.set_raw_path(target)?;
        }
        if let Some(sent) = spelled {
            *upstream = spelled_as(&sent, upstream, self.reserved)?;
        }
        Ok(())
    }

    /// What the client sent, without what it may not say, behind what we say.
    fn rewrite(
        &self,
        mut sent: HeaderMap,
        context: &Context,
        permit: &Permit,
        ready: &mut Option<Box<ReadyHeaders>>,
        metrics: &Metrics,
    ) -> HeaderMap {
        // Both sides speak HTTP/2, which carries trailers; servers of gRPC insist on being told (gRPC over HTTP/2, Call-Definition).
        let trailers = context.trailers && permit.route().upstream().group.settings().http2;
        let ours = OfRequest {
            host: self.authority(&sent, context),
            proto: self.forwarded_proto(&sent, context),
            client: self.forwarded_for(&sent, context),
            id: self.request_id(&sent, context),
        };
        let mut of_proxy = if context.behind_proxy { said_by_proxy(&sent) } else { [None, None] };
        if let (Some(told), [prefix, _]) = (permit.route().mount().and_then(Mount::told), &mut of_proxy) {
            *prefix = Some(context.told_prefix.as_ref().unwrap_or(told).clone());
        }
        self.strip(&mut sent, permit, metrics);
        match strip_cookies(&sent, self.cookies) {
            CookieUpstream::Unchanged => {}
            CookieUpstream::Joined(value) => {
                sent.insert(header::COOKIE, value);
            }
            CookieUpstream::Nothing => {
                sent.remove(header::COOKIE);
            }
        }
        let mut headers = ReadyHeaders::of(ready, permit.identity_headers(), ours);
        if let Some(host) = host_for(permit.route().upstream(), context.attempts.server()) {
            headers.insert(header::HOST, host);
        }
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        add(&mut headers, sent);
        for (name, value) in permit.route().request_headers.written() {
            headers.append(name, value.clone());
        }
        for (name, value) in [&X_FORWARDED_PREFIX, &X_FORWARDED_PORT].into_iter().zip(of_proxy) {
            if let Some(value) = value {
                headers.insert(name.clone(), value);
            }
        }
        headers
    }

    fn strip(&self, headers: &mut HeaderMap, permit: &Permit, metrics: &Metrics) {
        let mut doomed: Vec<HeaderName> = Vec::new();
        let mut identity = 0;
        let route = permit.route();
        for name in headers.keys() {
            let text = name.as_str();
            if self.reserved.covers(text) {
                identity += 1;
                Dropped::Identity.tell(route, text, metrics);
                doomed.push(name.clone());
            } else if Forwarding::covers(text)
                || ends_here(name)
                || resembles_framing(text)
                || route.request_headers.drops(text)
                || (*name == header::EXPECT && !expects_continue_only(headers))
                || (route.is_by_method() && renames_method(text))
            {
                doomed.push(name.clone());
            } else if *name == header::AUTHORIZATION && (!route.pass_authorization || brings_own_token(headers)) {
                // Where tokens are taken, it was meant for us.
                if !route.access.takes_tokens() && !brings_own_token(headers) {
                    Dropped::Authorization.tell(route, text, metrics);
                }
                doomed.push(name.clone());
            }
        }
        if identity > 0 {
            metrics.headers_removed.inc_by(identity);
        }
        for name in &doomed {
            headers.remove(name);
        }
    }

    /// The host that was judged, with the port people reach us by if the client named one. An app that builds links from
    /// `Host` must not send anybody to a port that a client made up.
    fn authority(&self, headers: &HeaderMap, context: &Context) -> HeaderValue {
        let said = headers.get(header::HOST);
        let rest = said.and_then(|said| said.as_bytes().strip_prefix(context.host.as_bytes()));
        match (said, rest) {
            (Some(said), Some(rest)) if rest.is_empty() || rest == self.port.as_bytes() => said.clone(),
            _ => HeaderValue::try_from(format!("{}{}", context.host, self.port))
                .unwrap_or(HeaderValue::from_static("unknown")),
        }
    }

    /// The client's address; behind a trusted proxy, what that proxy said with the proxy itself appended.
    fn forwarded_for(&self, headers: &HeaderMap, context: &Context) -> HeaderValue {
        if !context.behind_proxy {
            return context.peer.text();
        }
        // Several fields are one list (RFC 9110, 5.3).
        let mut chain = String::new();
        for hops in headers.get_all(&X_FORWARDED_FOR) {
            match hops.to_str() {
                Ok(hops) if hops.trim().is_empty() => {}
                Ok(hops) => chain.extend([hops, ", "]),
                // Nothing before what cannot be read was believed when the client was found (`TrustedProxies::client`).
                Err(_) => chain.clear(),
            }
        }
        chain.push_str(&context.peer.address().to_string());
        HeaderValue::try_from(chain).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// Ours, or what a trusted proxy calls the request, so that one name leads through all logs.
    fn request_id(&self, headers: &HeaderMap, context: &Context) -> HeaderValue {
        let theirs = || one_value(headers, &X_REQUEST_ID).filter(|id| is_request_id(id.as_bytes()));
        context.behind_proxy.then(theirs).flatten().unwrap_or_else(|| context.request_id.header_value())
    }

    /// How the client reached us, or the trusted proxy before us.
    pub(super) fn forwarded_proto(&self, headers: &HeaderMap, context: &Context) -> HeaderValue {
        let said = || single_value(headers, &X_FORWARDED_PROTO).ok().flatten();
        HeaderValue::from_static(match context.behind_proxy.then(said).flatten() {
            Some("https") => "https",
            Some("http") => "http",
            _ => self.scheme,
        })
    }

    /// Takes from an upstream's answer every cookie that would be one of ours: an app must not be able to sign anybody
    /// in or out, or to fix the session of a later visitor. And every header that says who somebody is, which a proxy
    /// before us could take for our word about this request, what only looks as if it framed the answer, and what was
    /// between the app and us alone. `client` is the version that the client speaks;
    /// `personal` says that somebody stands behind the request, whose answer no cache may give to others. Where the app says nothing
    /// of caching, they would be free to (RFC 9111, 3).
    pub(super) fn clean_response(
        &self,
        response: &mut ResponseHeader,
        client: Version,
        personal: bool,
        metrics: &Metrics,
    ) -> pingora::Result<()> {
        let hop = AnswerHop::of(response, client);
        let (mut doomed, mut sets_cookies, mut nominates, mut says_caching) = (Vec::new(), false, false, false);
        for name in response.headers.keys() {
            sets_cookies |= *name == header::SET_COOKIE;
            nominates |= *name == header::CONNECTION;
            says_caching |= *name == header::CACHE_CONTROL || *name == header::EXPIRES;
            if self.reserved.covers(name.as_str()) || resembles_framing(name.as_str()) || hop.ends(name) {
                doomed.push(name.clone());
            }
        }
        if nominates {
            doomed.extend(nominated_by_app(&response.headers));
        }
        for name in &doomed {
            response.remove_header(name);
        }
        if personal && !says_caching && !response.status.is_informational() {
            response.insert_header(header::CACHE_CONTROL, PRIVATE)?;
        }
        if !sets_cookies {
            return Ok(());
        }
        let cookies = response.headers.get_all(header::SET_COOKIE);
        if !cookies.iter().any(|value| sanitize_upstream_set_cookie(value, self.cookies)) {
            return Ok(());
        }
        let (ours, theirs): (Vec<_>, Vec<_>) =
            cookies.iter().cloned().partition(|value| sanitize_upstream_set_cookie(value, self.cookies));
        metrics.upstream_cookies_dropped.inc_by(u64::try_from(ours.len()).unwrap_or(0));
        response.remove_header(&header::SET_COOKIE);
        for value in theirs {
            response.append_header(header::SET_COOKIE, value)?;
        }
        Ok(())
    }
}

/// Adds fields to a head. A name that is there already stays as it is: it is ours.
fn add(headers: &mut HeaderMap, fields: HeaderMap) {
    // Of several values of one name only the first comes with it.
    let mut place = None;
    for (name, value) in fields {
        match (name, &mut place) {
            (Some(name), _) => {
                place = match headers.entry(name) {
                    Entry::Vacant(free) => Some(free.insert_entry(value)),
                    Entry::Occupied(_) => None,
                }
            }
            (None, Some(place)) => place.append(value),
            (None, None) => {}
        }
    }
}

/// Whether a header tells some frameworks that the method is another one, whatever signs they take for the same. Where rules go
/// by the method it would lead around them.
fn renames_method(name: &str) -> bool {
    const NAMES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
    let same = |known: &&str| {
        known.len() == name.len() && known.bytes().zip(name.bytes()).all(|(a, b)| a == if b == b'_' { b'-' } else { b })
    };
    name.starts_with('x') && NAMES.iter().any(same)
}
