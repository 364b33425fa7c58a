//! What a route answers by itself, without an app behind it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// What stands in the place of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnAnswer {
    /// The same for everybody who may have it.
    Fixed {
        /// Status.
        status: StatusCode,
        /// `Content-Type`.
        content_type: HeaderValue,
        /// Body; empty for none.
        body: Bytes,
    },
    /// Another address.
    Redirect {
        /// Status.
        status: StatusCode,
        /// The address, or its beginning.
        to: String,
        /// Whether what follows the route's path, and the query, stands behind it.
        appends: bool,
    },
}

impl OwnAnswer {
    /// Where a redirect leads. `behind` is what follows the route's path: it begins with one slash, so that whatever a
    /// client sends, the host is the one that was configured.
    pub fn location(to: &str, behind: Option<&str>) -> Option<HeaderValue> {
        let Some(behind) = behind else { return HeaderValue::from_str(to).ok() };
        let path = behind.trim_start_matches(['/', '\\']);
        HeaderValue::from_str(&format!("{}/{path}", to.trim_end_matches('/'))).ok()
    }
}

impl fmt::Display for OwnAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed { status, .. } => write!(f, "answer {}", status.as_u16()),
            Self::Redirect { to, .. } => write!(f, "redirect {to}"),
        }
    }
}

/// A route that is closed for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// What people read; `None` for words of ours.
    pub message: Option<String>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_the_configured_host_whatever_stands_behind() {
        // A12
        for (to, behind, location) in [
            ("https://new.test/x", None, "https://new.test/x"),
            ("https://new.test", Some("/a?b"), "https://new.test/a?b"),
            ("https://new.test/x/", Some("/a"), "https://new.test/x/a"),
            ("https://new.test", Some("//evil.com"), "https://new.test/evil.com"),
            ("https://new.test", Some("@evil.com/"), "https://new.test/@evil.com/"),
            ("https://new.test", Some(".evil.com/"), "https://new.test/.evil.com/"),
            ("", Some("//evil.com"), "/evil.com"),
            ("", Some("/\\evil.com"), "/evil.com"),
            ("/new", Some("/?q"), "/new/?q"),
        ] {
            assert_eq!(OwnAnswer::location(to, behind).unwrap(), location, "{to} {behind:?}");
        }
        assert_eq!(OwnAnswer::location("https://new.test", Some("/a\r\nX: y")), None);
    }
}
