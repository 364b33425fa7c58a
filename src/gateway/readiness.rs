//! Whether requests may be sent here, told on the public listeners to whoever balances them.

use bytes::Bytes;
use http::{Method, StatusCode, Version, header};
use pingora::proxy::Session;

use super::context::Context;
use super::proxy::Gateway;
use crate::web::Reply;

impl Gateway {
    /// What is said of our health, if the request that was admitted asks for that.
    pub(super) fn health(&self, session: &Session, context: &Context) -> Option<Reply> {
        let path = self.settings.health_path.as_deref()?;
        let asks = context.target.as_ref()?.path() == path && may_ask(session);
        asks.then(|| self.health_now())
    }

    /// The same for a request that was refused because it names no host, as balancers ask that speak HTTP/1.0 (RFC 1945 knows
    /// no `Host`).
    pub(super) fn health_without_host(&self, session: &Session) -> Option<Reply> {
        let path = self.settings.health_path.as_deref()?;
        let head = session.req_header();
        let nameless = head.version == Version::HTTP_10 && !head.headers.contains_key(header::HOST);
        (nameless && head.raw_path() == path.as_bytes() && may_ask(session)).then(|| self.health_now().closing())
    }

    fn health_now(&self) -> Reply {
        if self.watchman.stopping.has_begun() {
            let told =
                Reply { body: Bytes::from_static(b"stopping\n"), ..Reply::empty(StatusCode::SERVICE_UNAVAILABLE) };
            return told.closing();
        }
        Reply { body: Bytes::from_static(b"ok\n"), ..Reply::empty(StatusCode::OK) }
    }
}

fn may_ask(session: &Session) -> bool {
    matches!(session.req_header().method, Method::GET | Method::HEAD)
}
