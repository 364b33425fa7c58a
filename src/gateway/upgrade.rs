//! Whether a request to switch to the WebSocket protocol may pass (RFC 6455, 4.2.1 and 10.2).

use http::{HeaderMap, HeaderValue, header};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::context::Context;
use super::dropped::Dropped;
use super::headers::HeaderRules;
use super::proxy::{Gateway, view};
use crate::auth::{Decision, Permit, Recipient, Refusal, Refused};
use crate::route::path::NormalTarget;
use crate::route::{Access, WebSockets};
use crate::telemetry::foreign_text::shown;

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// None is asked for.
    Absent,
    /// It is passed on.
    Passes,
    /// The route passes none on: it is dropped, and the rest of the request passes.
    Dropped,
    /// A page that may not open one here did so; why, for the log.
    Foreign(String),
}

/// Whether `request` asks for one in the only way that is passed on.
fn asks_for_websocket(request: &RequestHeader) -> bool {
    let mut offers = request.headers.get_all(header::UPGRADE).iter();
    let one = offers.next().is_some_and(|offer| offer.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"));
    one && offers.next().is_none()
}

impl Upgrade {
    /// Judges `request`, which may pass by `permit`. `here` are the origins that pages of the very host have.
    pub(super) fn of(request: &RequestHeader, permit: &Permit, here: impl FnOnce() -> [String; 2]) -> Self {
        if !asks_for_websocket(request) {
            return Self::Absent;
        }
        let route = permit.route();
        // A page of another origin has no token to bring, and on a session route it has the person's cookie.
        let programs = permit.is_by_token() || route.access == Access::Anonymous;
        match &route.websocket {
            WebSockets::Off => Self::Dropped,
            rule => judge(rule, &request.headers, programs, here),
        }
    }
}

fn judge(rule: &WebSockets, headers: &HeaderMap, programs: bool, here: impl FnOnce() -> [String; 2]) -> Upgrade {
    let listed: &[String] = match rule {
        WebSockets::Any => return Upgrade::Passes,
        WebSockets::Origins(listed) => listed,
        WebSockets::Off | WebSockets::SameOrigin => &[],
    };
    let mut said = headers.get_all(header::ORIGIN).iter();
    let (first, second) = (said.next(), said.next());
    let Some(origin) = first else {
        let text = "without an `Origin`, as programs are, and without an access token; the route's \
                    `websocket: { origins: any }` would let it pass";
        return if programs { Upgrade::Passes } else { Upgrade::Foreign(text.to_owned()) };
    };
    let is = |known: &String| origin.as_bytes().eq_ignore_ascii_case(known.as_bytes());
    if second.is_none() && (listed.iter().any(is) || here().iter().any(is)) {
        return Upgrade::Passes;
    }
    let origin = origin.to_str().map(shown).unwrap_or_default();
    Upgrade::Foreign(format!("opened by a page of `{origin}`, which is not in the route's `websocket.origins`"))
}

/// The origins that pages of the very host have: as the public URL says it, and as the client named it.
pub(super) fn origins_here(by_public_url: String, scheme: &HeaderValue, headers: &HeaderMap) -> [String; 2] {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = scheme.to_str().unwrap_or_default();
    [by_public_url, format!("{scheme}://{host}")]
}

impl Gateway {
    /// What is decided of a request that may pass by `permit` and may ask for a WebSocket.
    pub(super) fn judge_upgrade(
        &self,
        session: &Session,
        context: &mut Context,
        target: &NormalTarget,
        permit: Permit,
    ) -> Decision {
        let request = session.req_header();
        let here = || {
            let scheme = HeaderRules::of(&context.snapshot).forwarded_proto(&request.headers, context);
            origins_here(context.snapshot.origin_of(&context.host), &scheme, &request.headers)
        };
        match Upgrade::of(request, &permit, here) {
            Upgrade::Absent => {}
            Upgrade::Passes => context.upgrade = true,
            Upgrade::Dropped => Dropped::Upgrade.tell(permit.route(), "upgrade", &self.metrics),
            Upgrade::Foreign(reason) => {
                let refused = context.refused(Refusal::WebSocketForeign, Some(&reason));
                let refused = Refused { route: Some(&permit.route().name), ..refused };
                let recipient =
                    Recipient::Anyone { view: &view(session, context, target), start: context.snapshot.start() };
                return Decision::Answer(self.exit.refuse(refused, recipient).closing());
            }
        }
        Decision::Forward(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rule: &WebSockets, origins: &[&str], programs: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "app.test".parse().unwrap());
        for origin in origins {
            headers.append(header::ORIGIN, origin.parse().unwrap());
        }
        let here = || origins_here("https://app.test:8443".into(), &HeaderValue::from_static("https"), &headers);
        judge(rule, &headers, programs, here) == Upgrade::Passes
    }

    #[test]
    fn a_page_opens_a_websocket_of_its_own_host_and_of_no_other() {
        // W42, MV05
        let same = &WebSockets::SameOrigin;
        for origin in ["https://app.test", "https://app.test:8443", "HTTPS://App.Test"] {
            assert!(judged(same, &[origin], false), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "http://app.test",
            "https://app.test:444",
            "https://x.app.test",
            "https://app.test.evil.example",
            "https://app.test/",
            "null",
            "",
        ] {
            assert!(!judged(same, &[origin], false), "{origin}");
            assert!(!judged(same, &[origin], true), "{origin}: a page is no program");
            assert!(judged(&WebSockets::Any, &[origin], false), "{origin}");
        }
        assert!(!judged(same, &["https://app.test", "https://evil.example"], false));
        let listed = WebSockets::Origins(vec!["https://other.test".into()]);
        assert!(judged(&listed, &["https://other.test"], false) && judged(&listed, &["https://app.test"], false));
        assert!(!judged(&listed, &["https://evil.example"], false));
    }

    #[test]
    fn a_program_says_no_origin_and_needs_more_than_a_cookie() {
        // W42
        for rule in [WebSockets::SameOrigin, WebSockets::Origins(Vec::new())] {
            assert!(judged(&rule, &[], true) && !judged(&rule, &[], false));
        }
        assert!(judged(&WebSockets::Any, &[], false));
    }
}
