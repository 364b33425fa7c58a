//! The headers that we add, made ready once for all requests of a person on a connection.
//!
//! Written name by name, each of them is hashed, looked for and checked anew. Most connections carry the same person from
//! one request to the next, so what was written last is kept with the connection, and copied: what is of one request
//! alone stands in front and is filled in.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::identity::headers::HeaderSet;

/// Names of what is of one request alone, as they stand in front of the identity headers.
static OF_REQUEST: [HeaderName; 5] = [
    header::HOST,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-request-id"),
];

/// Room for these, the identity headers, and what a client mostly sends.
const ROOM: usize = 40;

/// What of our headers is said anew with each request.
pub(super) struct OfRequest {
    /// `Host`, and `X-Forwarded-Host`.
    pub(super) host: HeaderValue,
    /// `X-Forwarded-Proto`.
    pub(super) proto: HeaderValue,
    /// `X-Forwarded-For`.
    pub(super) client: HeaderValue,
    /// `X-Request-Id`.
    pub(super) id: HeaderValue,
}

/// See the module's page.
pub(super) struct ReadyHeaders {
    /// Whose identity they hold; `None` for nobody's. As long as it is held no other set can lie in its memory, by which
    /// they are told apart: if two people's sets were ever taken for each other, an app would take one for the other.
    of: Option<HeaderSet>,
    headers: HeaderMap,
}

impl ReadyHeaders {
    fn new(identity: Option<&HeaderSet>) -> Self {
        let mut headers = HeaderMap::with_capacity(ROOM);
        for name in &OF_REQUEST {
            headers.insert(name.clone(), HeaderValue::from_static(""));
        }
        for (name, value) in identity.into_iter().flat_map(HeaderSet::iter) {
            headers.insert(name.clone(), value);
        }
        // A copy takes no more memory than it needs; this one lives as long as the connection.
        Self { of: identity.cloned(), headers: headers.clone() }
    }

    fn is_of(&self, identity: Option<&HeaderSet>) -> bool {
        match (&self.of, identity) {
            (Some(ours), Some(theirs)) => ours.is_same(theirs),
            (None, None) => true,
            _ => false,
        }
    }

    /// Our headers for one request of `identity`. `kept` is what was made ready for the connection's last request.
    pub(super) fn of(kept: &mut Option<Box<Self>>, identity: Option<&HeaderSet>, request: OfRequest) -> HeaderMap {
        let ready = match kept {
            Some(ready) if ready.is_of(identity) => ready,
            _ => kept.insert(Box::new(Self::new(identity))),
        };
        let mut headers = ready.headers.clone();
        let OfRequest { host, proto, client, id } = request;
        for (place, value) in headers.values_mut().zip([host.clone(), host, proto, client, id]) {
            *place = value;
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::headers::{HeaderPlan, IdentityHeaderSettings, Preset};
    use crate::session::samples::{noon, session_of};

    fn of_request(id: &'static str) -> OfRequest {
        let text = HeaderValue::from_static;
        OfRequest { host: text("app.test"), proto: text("https"), client: text("192.0.2.1"), id: text(id) }
    }

    fn subject(headers: &HeaderMap) -> Option<&str> {
        headers.get("x-zenkey-sub").map(|value| value.to_str().unwrap())
    }

    // If one person's headers were taken for another's, the app would take the one for the other.
    #[test]
    fn whoever_shares_a_connection_is_told_apart() {
        let settings = IdentityHeaderSettings { presets: vec![Preset::Zenkey], ..Default::default() };
        let (plan, other) = (HeaderPlan::compile(&settings).unwrap(), HeaderPlan::compile(&settings).unwrap());
        let set = |plan: &HeaderPlan, subject| plan.render(session_of(subject, noon()).identity());
        let (maya, ines) = (set(&plan, "maya"), set(&plan, "ines"));
        let mut kept = None;
        for (identity, name) in [
            (Some(maya.clone()), Some("maya")),
            (Some(maya.clone()), Some("maya")),
            (Some(ines.clone()), Some("ines")),
            (None, None),
            (Some(maya), Some("maya")),
            (Some(set(&plan, "maya")), Some("maya")),
            (Some(set(&other, "ines")), Some("ines")),
            (Some(HeaderSet::default()), None),
        ] {
            let headers = ReadyHeaders::of(&mut kept, identity.as_ref(), of_request("1"));
            assert_eq!(subject(&headers), name);
            assert!(headers.get("x-zenkey-sub").is_none_or(HeaderValue::is_sensitive));
        }
        assert!(ines.is_same(&ines.clone()) && !ines.is_same(&set(&plan, "ines")));
    }

    #[test]
    fn what_is_of_one_request_is_filled_in_anew() {
        let mut kept = None;
        for id in ["1", "2"] {
            let headers = ReadyHeaders::of(&mut kept, None, of_request(id));
            let lines: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            let expected = [
                ("host", "app.test"),
                ("x-forwarded-host", "app.test"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-request-id", id),
            ];
            assert_eq!(lines, expected);
        }
    }
}
