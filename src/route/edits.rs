//! Headers that an operator takes away from requests or answers, or writes into them.

use http::{HeaderName, HeaderValue};

use crate::identity::headers::{Forwarding, Reserved, same_name};

/// What is done to the head of every request of a route, or of every answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    dropped: Vec<HeaderName>,
    written: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderEdits {
    /// Takes a header away.
    pub fn remove(&mut self, name: HeaderName) {
        self.dropped.push(name);
    }

    /// Puts `values` in the place of whatever there is.
    pub fn set(&mut self, name: &HeaderName, values: Vec<HeaderValue>) {
        self.dropped.push(name.clone());
        self.add(name, values);
    }

    /// Puts `values` beside whatever there is.
    pub fn add(&mut self, name: &HeaderName, values: Vec<HeaderValue>) {
        self.written.extend(values.into_iter().map(|value| (name.clone(), value)));
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.written.is_empty()
    }

    /// Whether a header of this name, in whatever spelling a lenient server takes for one of ours, goes no further.
    pub fn drops(&self, name: &str) -> bool {
        self.dropped.iter().any(|dropped| same_name(dropped.as_str(), name))
    }

    /// What is written, once what is dropped is gone.
    pub fn written(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.written.iter().map(|(name, value)| (name, value))
    }

    /// Names that are written or dropped.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.dropped.iter().chain(self.written.iter().map(|(name, _)| name))
    }
}

/// On what an edit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Requests on their way to the app.
    Requests,
    /// Answers on their way back.
    Answers,
}

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Taken away.
    Remove,
    /// Put in the place of what is there.
    Set,
    /// Put beside what is there.
    Add,
}

/// What frames a message, belongs to one connection or to the change of protocols: the framework's and ours to write.
const OF_CONNECTION: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Of which a message has one at most.
const SINGLE: &[&str] = &["authorization", "content-type", "origin", "location", "referer", "user-agent"];

/// Why an operator cannot edit a header of this name; `None` if they can.
pub fn fault(name: &str, on: Edited, edit: Edit) -> Option<&'static str> {
    let is_one_of = |names: &[&str]| names.iter().any(|known| same_name(known, name));
    if is_one_of(&["host"]) && on == Edited::Requests {
        return Some("is written by `upstream.host`");
    }
    if is_one_of(OF_CONNECTION) {
        return Some("belongs to one connection or frames a message, and is the gateway's to write");
    }
    if Reserved::build(std::iter::empty(), &[]).covers(&name.to_ascii_lowercase()) {
        return Some("says who somebody is; `identity_headers` writes it, and nobody else may");
    }
    match (on, edit) {
        (Edited::Requests, _) if Forwarding::covers(&name.to_ascii_lowercase()) => {
            Some("tells the app of the client's connection, and is the gateway's to write")
        }
        (Edited::Requests, Edit::Set | Edit::Add) if is_one_of(&["cookie"]) => {
            Some("is the browser's; it can be removed only")
        }
        (Edited::Answers, Edit::Set | Edit::Add) if is_one_of(&["set-cookie"]) => {
            Some("is the app's and the gateway's; it can be removed only")
        }
        (Edited::Answers, _) if is_one_of(&["date"]) => Some("is the gateway's to write"),
        (_, Edit::Add) if is_one_of(SINGLE) => Some("has one value; write it with `set`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_takes_the_place_of_every_spelling() {
        let mut edits = HeaderEdits::default();
        edits.set(&HeaderName::from_static("x-api-key"), vec![HeaderValue::from_static("1")]);
        edits.remove(HeaderName::from_static("x-debug"));
        edits
            .add(&HeaderName::from_static("x-tag"), vec![HeaderValue::from_static("a"), HeaderValue::from_static("b")]);
        for name in ["x-api-key", "x_api_key", "x-api.key", "x-debug", "x_debug"] {
            assert!(edits.drops(name), "{name}");
        }
        for name in ["x-api", "x-api-keys", "x-tag", "api-key"] {
            assert!(!edits.drops(name), "{name}");
        }
        assert_eq!(edits.written().count(), 3);
    }

    #[test]
    fn what_is_the_gateways_to_write_is_not_edited() {
        for (name, on, edit, free) in [
            ("X-Api-Key", Edited::Requests, Edit::Set, true),
            ("Authorization", Edited::Requests, Edit::Set, true),
            ("Authorization", Edited::Requests, Edit::Add, false),
            ("Cookie", Edited::Requests, Edit::Remove, true),
            ("Cookie", Edited::Requests, Edit::Set, false),
            ("Host", Edited::Requests, Edit::Set, false),
            ("Content_Length", Edited::Requests, Edit::Remove, false),
            ("Transfer-Encoding", Edited::Answers, Edit::Remove, false),
            ("Connection", Edited::Requests, Edit::Set, false),
            ("Upgrade", Edited::Requests, Edit::Remove, false),
            ("X-Auth-Sub", Edited::Requests, Edit::Set, false),
            ("X_Forwarded_For", Edited::Requests, Edit::Add, false),
            ("X-Request-Id", Edited::Requests, Edit::Set, false),
            ("X-Frame-Options", Edited::Answers, Edit::Set, true),
            ("Server", Edited::Answers, Edit::Remove, true),
            ("Set-Cookie", Edited::Answers, Edit::Remove, true),
            ("Set-Cookie", Edited::Answers, Edit::Add, false),
            ("X-Auth-Sub", Edited::Answers, Edit::Set, false),
            ("Date", Edited::Answers, Edit::Set, false),
        ] {
            assert_eq!(fault(name, on, edit).is_none(), free, "{name} {on:?} {edit:?}");
        }
    }
}
