//! Where an app believes to be, and where people find it: the path towards the app, and the way back.

use std::borrow::Cow;

use http::HeaderValue;

use super::path::NormalTarget;

/// A route whose app gets other paths than people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The route's path as it is written; empty for `/`.
    outer: Box<str>,
    /// The same, percent-decoded.
    decoded: Box<[u8]>,
    /// What stands in its place towards the app; empty for nothing.
    inner: Box<str>,
    /// What is taken away, as a field's value; `None` if nothing is.
    told: Option<HeaderValue>,
}

impl Mount {
    /// A route at `outer` (percent-decoded: `decoded`), of which the app knows as `inner`. `/` is nothing in each.
    pub(super) fn new(outer: &str, decoded: &[u8], inner: &str) -> Self {
        let outer = outer.trim_end_matches('/');
        let told = HeaderValue::from_str(outer).ok().filter(|told| !told.is_empty());
        Self { outer: outer.into(), decoded: decoded.into(), inner: inner.trim_end_matches('/').into(), told }
    }

    /// A plain path that is taken away.
    #[cfg(test)]
    pub(crate) fn stripping(outer: &str) -> Self {
        Self::new(outer, outer.as_bytes(), "")
    }

    /// What `X-Forwarded-Prefix` says.
    pub fn told(&self) -> Option<&HeaderValue> {
        self.told.as_ref()
    }

    /// Path and query towards the app; `None` if `target` does not begin with the route's path.
    ///
    /// An odd target must begin with it by the letter; another one may spell it with escapes that are read in one way. Two
    /// slashes at the beginning would be read as a host (RFC 3986, 4.2; H11): of several there only one stays.
    pub fn inward(&self, target: &NormalTarget) -> Option<String> {
        let sent = target.forwarded();
        let rest = match sent.strip_prefix(&*self.outer) {
            Some(rest) => rest,
            None if target.is_odd() => return None,
            None => self.behind_spelled(sent)?,
        };
        match rest.as_bytes().first() {
            None | Some(b'?') if self.inner.is_empty() => Some(format!("/{rest}")),
            Some(b'/') if self.inner.is_empty() => Some(format!("/{}", rest.trim_start_matches('/'))),
            None | Some(b'/' | b'?') => Some(format!("{}{rest}", self.inner)),
            Some(_) => None,
        }
    }

    /// What of `sent` follows the route's path, whose letters may be escaped.
    fn behind_spelled<'a>(&self, sent: &'a str) -> Option<&'a str> {
        let mut rest = sent;
        for expected in &self.decoded {
            let (found, length) = match rest.as_bytes() {
                [b'%', high, low, ..] => {
                    let digit = |byte: &u8| char::from(*byte).to_digit(16);
                    (u8::try_from(digit(high)? * 16 + digit(low)?).ok()?, 3)
                }
                [byte, ..] => (*byte, 1),
                [] => return None,
            };
            rest = if found == *expected { rest.get(length..)? } else { return None };
        }
        Some(rest)
    }

    /// Where people find what the app calls `path`, which may have a query and more behind it; `None` if it stays as it is:
    /// it does not begin at the root, lies outside of what the route shows of the app, or is written as people see it.
    ///
    /// `prefix` is what the app was told of its place, by us and by proxies before us: an app that heeds it writes paths so.
    pub fn outward(&self, path: &[u8], prefix: Option<&[u8]>) -> Option<Vec<u8>> {
        let is_root = matches!(path, [b'/', rest @ ..] if !matches!(rest.first(), Some(b'/' | b'\\')));
        let written = |prefix: &[u8]| !prefix.is_empty() && behind(path, prefix).is_some();
        if !is_root || written(self.outer.as_bytes()) || prefix.is_some_and(written) {
            return None;
        }
        let rest = behind(path, self.inner.as_bytes())?;
        let rest: Cow<'_, [u8]> = match rest {
            // It must not begin with two slashes.
            [b'/', ..] if self.outer.is_empty() => {
                let begin = rest.iter().position(|byte| !matches!(byte, b'/' | b'\\')).unwrap_or(rest.len());
                [b"/", rest.get(begin..).unwrap_or_default()].concat().into()
            }
            [b'/', ..] => rest.into(),
            rest if self.outer.is_empty() => [b"/", rest].concat().into(),
            rest => rest.into(),
        };
        Some([self.outer.as_bytes(), &rest].concat())
    }
}

/// What of `path` lies below `prefix`, by whole segments.
fn behind<'a>(path: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(prefix).filter(|rest| matches!(rest.first(), None | Some(b'/' | b'?' | b'#')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(outer: &str, inner: &str) -> Mount {
        Mount::new(outer, outer.trim_end_matches('/').as_bytes(), inner)
    }

    fn inward(outer: &str, inner: &str, target: &str) -> Option<String> {
        mount(outer, inner).inward(&NormalTarget::read(target.as_bytes()).unwrap())
    }

    #[test]
    fn what_the_app_gets_begins_with_one_slash_whatever_is_sent() {
        // W31, H11
        for (target, sent) in [
            ("/app", Some("/")),
            ("/app/", Some("/")),
            ("/app?x=1", Some("/?x=1")),
            ("/app?", Some("/?")),
            ("/app/?/x", Some("/?/x")),
            ("/app/a/b?c=/app", Some("/a/b?c=/app")),
            ("/app/app/x", Some("/app/x")),
            ("/app//evil.com/x", Some("/evil.com/x")),
            ("/app///evil.com", Some("/evil.com")),
            ("/app//", Some("/")),
            ("/app/%2Fevil.com", Some("/%2Fevil.com")),
            ("/app/%2f%2fevil.com", Some("/%2f%2fevil.com")),
            ("/app/%40b", Some("/%40b")),
            ("/%61pp/x", Some("/x")),
            ("/application", None),
            ("/app.", None),
            ("/APP/x", None),
            ("/app;x/y", None),
            ("/app%2Fx", None),
            ("/x", None),
        ] {
            assert_eq!(inward("/app", "", target).as_deref(), sent, "{target}");
            assert!(sent.is_none_or(|sent| sent.starts_with('/') && !sent.starts_with("//")), "{target}");
        }
        // Dot segments never come so far.
        assert!(NormalTarget::read(b"/app//evil.com/..").is_err());
    }

    #[test]
    fn another_path_stands_in_the_place_of_the_routes_own() {
        // W31
        for (outer, inner, target, sent) in [
            ("/app", "/x/y", "/app", Some("/x/y")),
            ("/app", "/x/y", "/app/", Some("/x/y/")),
            ("/app", "/x/y", "/app/a?b", Some("/x/y/a?b")),
            ("/app", "/x", "/app//a", Some("/x//a")),
            ("/app", "/x", "/application", None),
            ("/", "/x", "/", Some("/x/")),
            ("/", "/x", "/a", Some("/x/a")),
            ("/a@b", "", "/a@b/c", Some("/c")),
            ("/a@b", "", "/a%40b/c", Some("/c")),
        ] {
            assert_eq!(inward(outer, inner, target).as_deref(), sent, "{outer} {inner} {target}");
        }
    }

    #[test]
    fn what_the_app_calls_its_paths_is_found_where_people_see_it() {
        // W31
        for (outer, inner, path, seen) in [
            ("/app", "", "/", Some("/app/")),
            ("/app", "", "/a?b#c", Some("/app/a?b#c")),
            ("/app", "", "/application", Some("/app/application")),
            ("/app", "", "/app", None),
            ("/app", "", "/app/a", None),
            ("/app", "", "/app?x", None),
            ("/app", "", "/outer/app/a", None),
            ("/app", "", "//evil.com/a", None),
            ("/app", "", "/\\evil.com/a", None),
            ("/app", "", "a/b", None),
            ("/app", "", "?x", None),
            ("/app", "", "", None),
            ("/app", "/x", "/x", Some("/app")),
            ("/app", "/x", "/x/", Some("/app/")),
            ("/app", "/x", "/x?y", Some("/app?y")),
            ("/app", "/x", "/xy", None),
            ("/app", "/x", "/other", None),
            ("/", "/x", "/x", Some("/")),
            ("/", "/x", "/x?y", Some("/?y")),
            ("/", "/x", "/x//evil.com", Some("/evil.com")),
            ("/", "/x", "/x/\\evil.com", Some("/evil.com")),
        ] {
            let found = mount(outer, inner).outward(path.as_bytes(), Some(b"/outer/app"));
            assert_eq!(found.as_deref(), seen.map(str::as_bytes), "{outer} {inner} {path}");
        }
    }
}
