//! What an upstream gets to read: everything a client may not say is taken away, then ours is put there, in one call
//! that may run again on a retry and leaves the same result.

use http::{HeaderName, HeaderValue, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::context::Context;
use crate::auth::Permit;
use crate::identity::headers::{Forwarding, Reserved};
use crate::route::path::NormalTarget;
use crate::telemetry::Metrics;
use crate::web::cookie::{CookieNames, CookieUpstream, is_own_cookie, sanitize_upstream_set_cookie, strip_cookies};

/// Fields that end at us besides those the framework removes (RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &["keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"];

/// What is removed and written on every request, compiled at start.
pub(super) struct HeaderRules {
    pub(super) reserved: Reserved,
    pub(super) cookies: CookieNames,
    /// `http` or `https`: how people reach us, from the public URL.
    pub(super) scheme: &'static str,
    /// `:port` of the public URL; empty for the scheme's own.
    pub(super) port: String,
}

impl HeaderRules {
    /// Strips, then injects.
    ///
    /// If a reserved name survived in any spelling that a back end folds to the same variable, a client could write
    /// its own identity (security G). The names are therefore judged folded, on every route, anonymous ones too.
    pub(super) fn prepare(
        &self,
        upstream: &mut RequestHeader,
        context: &Context,
        permit: &Permit,
        target: &NormalTarget,
        metrics: &Metrics,
    ) -> pingora::Result<()> {
        let hop = self.forwarded_for(upstream, context);
        let proto = self.forwarded_proto(upstream, context);
        self.strip(upstream, permit, metrics);
        if upstream.raw_path() != target.as_str().as_bytes() {
            upstream.set_raw_path(target.as_str().as_bytes())?;
        }
        match strip_cookies(&upstream.headers, |name| is_own_cookie(name, &self.cookies)) {
            CookieUpstream::Unchanged => {}
            CookieUpstream::Joined(value) => upstream.insert_header(header::COOKIE, value)?,
            CookieUpstream::Nothing => {
                upstream.remove_header(&header::COOKIE);
            }
        }
        let host = self.authority(upstream, context);
        upstream.insert_header("x-forwarded-host", host.clone())?;
        if upstream.headers.get(header::HOST) != Some(&host) {
            upstream.insert_header(header::HOST, host)?;
        }
        upstream.insert_header("x-forwarded-proto", proto)?;
        upstream.insert_header("x-forwarded-for", hop)?;
        upstream.insert_header("x-request-id", context.request_id.as_str())?;
        if let Some(identity) = permit.identity_headers() {
            for (name, value) in identity.iter() {
                upstream.insert_header(name.clone(), value.clone())?;
            }
        }
        Ok(())
    }

    fn strip(&self, upstream: &mut RequestHeader, permit: &Permit, metrics: &Metrics) {
        let mut doomed: Vec<HeaderName> = Vec::new();
        let mut identity = 0;
        for name in upstream.headers.keys() {
            if self.reserved.covers(name) {
                identity += 1;
                doomed.push(name.clone());
            } else if Forwarding::covers(name) || HOP_BY_HOP.contains(&name.as_str()) {
                doomed.push(name.clone());
            }
        }
        if identity > 0 {
            metrics.headers_removed.inc_by(identity);
        }
        for name in &doomed {
            upstream.remove_header(name);
        }
        if !permit.route().pass_authorization {
            upstream.remove_header(&header::AUTHORIZATION);
        }
    }

    /// The host that was judged, with the port people reach us by if the client named one. An app that builds links from
    /// `Host` must not send anybody to a port that a client made up.
    fn authority(&self, upstream: &RequestHeader, context: &Context) -> HeaderValue {
        let said = upstream.headers.get(header::HOST);
        let rest = said.and_then(|said| said.as_bytes().strip_prefix(context.host.as_bytes()));
        match (said, rest) {
            (Some(said), Some(rest)) if rest.is_empty() || rest == self.port.as_bytes() => said.clone(),
            _ => HeaderValue::try_from(format!("{}{}", context.host, self.port))
                .unwrap_or(HeaderValue::from_static("unknown")),
        }
    }

    /// The client's address; behind a trusted proxy, what that proxy said with the proxy itself appended.
    fn forwarded_for(&self, upstream: &RequestHeader, context: &Context) -> HeaderValue {
        let peer = context.peer.to_string();
        let mut chain = String::new();
        if context.behind_proxy {
            // Several fields are one list (RFC 9110, 5.3).
            for before in upstream.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()) {
                chain.push_str(before);
                chain.push_str(", ");
            }
        }
        chain.push_str(&peer);
        HeaderValue::try_from(chain).unwrap_or(HeaderValue::from_static("unknown"))
    }

    fn forwarded_proto(&self, upstream: &RequestHeader, context: &Context) -> HeaderValue {
        let said = upstream.headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
        match said {
            Some(b"https") if context.behind_proxy => HeaderValue::from_static("https"),
            Some(b"http") if context.behind_proxy => HeaderValue::from_static("http"),
            _ => HeaderValue::from_static(self.scheme),
        }
    }

    /// Takes from an upstream's answer every cookie that would be one of ours: an app must not be able to sign anybody
    /// in or out, or to fix the session of a later visitor.
    pub(super) fn clean_response(&self, response: &mut ResponseHeader, metrics: &Metrics) -> pingora::Result<()> {
        let cookies = response.headers.get_all(header::SET_COOKIE);
        if !cookies.iter().any(|value| sanitize_upstream_set_cookie(value, &self.cookies)) {
            return Ok(());
        }
        let (ours, theirs): (Vec<_>, Vec<_>) =
            cookies.iter().cloned().partition(|value| sanitize_upstream_set_cookie(value, &self.cookies));
        metrics.upstream_cookies_dropped.inc_by(u64::try_from(ours.len()).unwrap_or(0));
        response.remove_header(&header::SET_COOKIE);
        for value in theirs {
            response.append_header(header::SET_COOKIE, value)?;
        }
        Ok(())
    }
}
