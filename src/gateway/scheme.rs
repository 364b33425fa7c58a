//! By which scheme a request came: plain HTTP is sent on to https where a listener says so, and browsers that came by https are
//! told to stay there (Strict-Transport-Security, RFC 6797).

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::context::Context;
use super::listeners::facts;
use super::proxy::Gateway;
use super::reply;
use crate::auth::{Recipient, Refusal};
use crate::web::{Reply, wants_html};

/// For how long browsers are to use https alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrictTransport {
    /// How long, from each answer on.
    pub max_age: Duration,
    /// Whether for all names below the host's too. Default no.
    pub include_subdomains: bool,
    /// Whether lists that browsers are built with may name the host. Default no.
    pub preload: bool,
}

impl StrictTransport {
    /// The value of the field.
    pub fn value(&self) -> Option<HeaderValue> {
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if self.preload { "; preload" } else { "" };
        HeaderValue::try_from(format!("max-age={}{subdomains}{preload}", self.max_age.as_secs())).ok()
    }
}

impl Gateway {
    /// Where a request is sent that came by plain HTTP to a listener for redirects. The method stays (308): it goes to the same
    /// host, for the same app. Names that are none of ours are sent nowhere.
    pub(super) fn to_https(&self, session: &Session, context: &Context) -> Option<Reply> {
        facts::of(session).filter(|facts| facts.redirects)?;
        if came_by_https(session, context) {
            return None;
        }
        let target = context.target.as_ref()?;
        let snapshot = &context.snapshot;
        let location = snapshot.serves(&context.host).then(|| snapshot.origin_of(&context.host) + target.forwarded());
        let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) else {
            let html = wants_html(&session.req_header().headers);
            return Some(self.exit.refuse(context.refused(Refusal::UnknownHost, None), Recipient::Unjudged { html }));
        };
        let mut reply = Reply::empty(StatusCode::PERMANENT_REDIRECT);
        reply.set(header::LOCATION, location);
        Some(reply)
    }

    /// Writes an answer of ours.
    pub(super) fn answer<'a>(
        &self,
        session: &'a mut Session,
        context: &Context,
        mut reply: Reply,
    ) -> BoxFuture<'a, pingora::Result<()>> {
        if let Some((name, value)) = self.strict_transport(session, context) {
            reply.set(name, value);
        }
        reply::write(session, reply)
    }

    /// The same for an app's answer, in place of what the app says of it.
    pub(super) fn stay_with_https(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        context: &Context,
    ) -> pingora::Result<()> {
        match self.strict_transport(session, context) {
            Some((name, value)) => response.insert_header(name, value),
            None => Ok(()),
        }
    }

    fn strict_transport(&self, session: &Session, context: &Context) -> Option<(HeaderName, HeaderValue)> {
        let value = self.settings.strict_transport.as_ref()?;
        came_by_https(session, context).then(|| (header::STRICT_TRANSPORT_SECURITY, value.clone()))
    }
}

/// Whether the client's connection is under TLS: with us, or with a trusted proxy that says so.
fn came_by_https(session: &Session, context: &Context) -> bool {
    let said = || {
        let mut values = session.req_header().headers.get_all("x-forwarded-proto").iter();
        values.next().is_some_and(|value| value == "https") && values.next().is_none()
    };
    facts::of(session).is_some_and(|facts| facts.tls) || (context.behind_proxy && said())
}
