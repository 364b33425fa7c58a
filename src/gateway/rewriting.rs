//! Paths of an app that people see elsewhere: the request's on the way in, those that its answer names on the way out.
//!
//! Of an answer only what browsers act upon is written anew: `Location`, `Content-Location`, `Refresh` and the `Path` of
//! cookies, and only where it names this very app: by a path, by the host that people asked for, or by the one the app was
//! told. Links in pages and in `Link` are the app's to write; `X-Forwarded-Prefix` says what stands before them.

use http::{HeaderName, HeaderValue, header};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::context::Context;
use super::headers::prefix_of_proxy;
use super::peer::host_for;
use super::proxy::{Gateway, view};
use crate::auth::{Decision, Recipient, Refusal, Refused};
use crate::route::Mount;
use crate::route::path::NormalTarget;
use crate::route::upstream::HostRule;

impl Gateway {
    /// What is decided of a request that may pass to an app with other paths.
    pub(super) fn lead_inward(
        &self,
        session: &Session,
        context: &mut Context,
        target: &NormalTarget,
        decision: Decision,
    ) -> Decision {
        let Decision::Forward(permit) = decision else { return decision };
        let Some(mount) = permit.route().mount() else { return Decision::Forward(permit) };
        context.inner_target = mount.inward(target);
        if context.inner_target.is_none() {
            let reason =
                "spells the route's `path` in another way, of which `strip_prefix` and `replace_prefix` cut nothing";
            let refused = context.refused(Refusal::RequestMalformed, Some(reason));
            let refused = Refused { route: Some(&permit.route().name), ..refused };
            let view = view(session, context, target);
            let recipient = Recipient::Anyone { view: &view, start: context.snapshot.start() };
            return Decision::Answer(self.exit.refuse(refused, recipient).closing());
        }
        if let (true, Some(told)) = (context.behind_proxy, mount.told())
            && let Some(theirs) = prefix_of_proxy(&session.req_header().headers)
        {
            let theirs = theirs.as_bytes().strip_suffix(b"/").unwrap_or(theirs.as_bytes());
            context.told_prefix = HeaderValue::from_bytes(&[theirs, told.as_bytes()].concat()).ok();
        }
        Decision::Forward(permit)
    }

    /// Writes what an app's answer calls its own paths as people see them.
    ///
    /// # Errors
    /// If the framework refuses a value.
    pub(super) fn lead_outward(
        &self,
        response: &mut ResponseHeader,
        session: &Session,
        context: &Context,
    ) -> pingora::Result<()> {
        let Some(route) = context.permit.as_ref().map(|permit| permit.route()) else { return Ok(()) };
        let upstream = route.upstream();
        if route.mount().is_none() && upstream.settings.host == HostRule::Keep {
            return Ok(());
        }
        let place = context.attempts.server();
        let group = upstream.group.settings();
        let server = place.and_then(|place| upstream.group.server(place));
        let way = Outward {
            mount: route.mount(),
            prefix: context.told_prefix.as_ref(),
            host: &context.host,
            port: context.snapshot.port(),
            named: session.req_header().headers.get(header::HOST).map_or(b"", HeaderValue::as_bytes),
            told: host_for(upstream, place),
            server: server.map(|server| server.at().authority(group.tls.is_some())).unwrap_or_default(),
        };
        replace(response, &header::LOCATION, |value| way.link(value))?;
        replace(response, &header::CONTENT_LOCATION, |value| way.link(value))?;
        replace(response, &header::REFRESH, |value| way.refresh(value))?;
        replace(response, &header::SET_COOKIE, |value| way.cookie(value))
    }
}

/// Puts `by` in the place of values.
fn replace(
    response: &mut ResponseHeader,
    name: &HeaderName,
    by: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> pingora::Result<()> {
    let mut changed = false;
    let values = response.headers.get_all(name).iter();
    let values: Vec<HeaderValue> = values
        .map(|value| match by(value.as_bytes()).map(|text| HeaderValue::from_bytes(&text)) {
            Some(Ok(other)) => {
                changed = true;
                other
            }
            _ => value.clone(),
        })
        .collect();
    if changed {
        response.remove_header(name);
        for value in values {
            response.append_header(name.clone(), value)?;
        }
    }
    Ok(())
}

/// What is known of an app and of where people see it.
struct Outward<'a> {
    mount: Option<&'a Mount>,
    /// What the app was told of its place where a proxy before us said more.
    prefix: Option<&'a HeaderValue>,
    /// The host that was judged.
    host: &'a str,
    /// `:port` of the public URL.
    port: &'a str,
    /// Host and port as the client named them.
    named: &'a [u8],
    /// Host and port that the app was told; `None` if they are those that the client named.
    told: Option<HeaderValue>,
    /// Host and port of the server that answered.
    server: String,
}

impl Outward<'_> {
    fn path(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.mount?.outward(path, self.prefix.map(HeaderValue::as_bytes))
    }

    /// The value of `Location`; `None` if it stays as it is.
    fn link(&self, link: &[u8]) -> Option<Vec<u8>> {
        let begins = |scheme: &[u8]| link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let scheme = [&b"//"[..], b"http://", b"https://"].into_iter().find(|scheme| begins(scheme));
        let Some(scheme) = scheme else { return self.path(link) };
        let behind = link.get(scheme.len()..)?;
        let end = behind.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(behind.len());
        let (authority, path) = behind.split_at_checked(end)?;
        if self.is_public(authority) {
            let path = self.path(if path.is_empty() { b"/" } else { path })?;
            return Some([link.get(..scheme.len() + end)?, &path].concat());
        }
        if !self.is_apps(authority) {
            return None;
        }
        // Nothing of it may be read as another host.
        let begin = path.iter().position(|byte| !matches!(byte, b'/' | b'\\')).unwrap_or(path.len());
        let path = [b"/", path.get(begin..)?].concat();
        Some(self.path(&path).unwrap_or(path))
    }

    /// Whether it is the host that people asked for.
    fn is_public(&self, authority: &[u8]) -> bool {
        let with_port = || authority.strip_suffix(self.port.as_bytes());
        let is_host = |text: &[u8]| text.eq_ignore_ascii_case(self.host.as_bytes());
        is_host(authority) || with_port().is_some_and(is_host) || authority.eq_ignore_ascii_case(self.named)
    }

    /// Whether it is a host by which the app knows itself, and nobody else need know it.
    fn is_apps(&self, authority: &[u8]) -> bool {
        let told = self.told.as_ref().map_or(b"".as_slice(), HeaderValue::as_bytes);
        !authority.is_empty()
            && (authority.eq_ignore_ascii_case(told) || authority.eq_ignore_ascii_case(self.server.as_bytes()))
    }

    /// `Refresh: 5; url=/x`.
    fn refresh(&self, value: &[u8]) -> Option<Vec<u8>> {
        let word = value.windows(3).position(|word| word.eq_ignore_ascii_case(b"url"))? + 3;
        let equals = word + value.get(word..)?.iter().position(|byte| *byte != b' ')?;
        value.get(equals).filter(|byte| **byte == b'=')?;
        let mut begin = equals + 1;
        begin += value.get(begin..)?.iter().position(|byte| *byte != b' ')?;
        let quote = value.get(begin).copied().filter(|byte| matches!(byte, b'"' | b'\''));
        begin += usize::from(quote.is_some());
        let rest = value.get(begin..)?;
        let end = begin + quote.and_then(|quote| rest.iter().position(|byte| *byte == quote)).unwrap_or(rest.len());
        Some([value.get(..begin)?, &self.link(value.get(begin..end)?)?, value.get(end..)?].concat())
    }

    /// A cookie with its `Path` as people see it. One whose name begins with `__Host-` is for `/` or for nothing.
    fn cookie(&self, cookie: &[u8]) -> Option<Vec<u8>> {
        const BOUND: &[u8] = b"__Host-";
        if self.mount.is_none() || cookie.get(..BOUND.len()).is_some_and(|start| start.eq_ignore_ascii_case(BOUND)) {
            return None;
        }
        let mut changed = false;
        let mut parts = cookie.split(|byte| *byte == b';');
        let mut written = parts.next()?.to_vec();
        for part in parts {
            written.push(b';');
            let path = part.iter().position(|byte| *byte == b'=').and_then(|equals| part.split_at_checked(equals + 1));
            let path = path.filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"path="));
            match path.and_then(|(name, path)| Some((name, path.trim_ascii(), self.path(path.trim_ascii())?))) {
                Some((name, path, mut other)) => {
                    changed = true;
                    // `/app/` would not be sent to `/app`.
                    if path == b"/" && other.len() > 1 {
                        other.pop();
                    }
                    written.extend_from_slice(name);
                    written.extend_from_slice(&other);
                }
                None => written.extend_from_slice(part),
            }
        }
        changed.then_some(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outward(mount: Option<&Mount>) -> Outward<'_> {
        Outward {
            mount,
            prefix: None,
            host: "site.test",
            port: ":8443",
            named: b"site.test:8444",
            told: Some(HeaderValue::from_static("inner.test")),
            server: "10.0.0.9:3000".to_owned(),
        }
    }

    fn text(bytes: Option<Vec<u8>>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_link_to_this_very_app_is_led_to_where_people_see_it() {
        // W31
        let mount = Mount::stripping("/app");
        let way = outward(Some(&mount));
        for (link, seen) in [
            ("/x", Some("/app/x")),
            ("/app/x", None),
            ("x", None),
            ("?x", None),
            ("https://site.test/x?y", Some("https://site.test/app/x?y")),
            ("https://site.test", Some("https://site.test/app/")),
            ("https://site.test/app/x", None),
            ("HTTPS://Site.Test:8443/x", Some("HTTPS://Site.Test:8443/app/x")),
            ("http://site.test:8444/x", Some("http://site.test:8444/app/x")),
            ("http://site.test:1/x", None),
            ("http://inner.test/x", Some("/app/x")),
            ("http://inner.test", Some("/app/")),
            ("http://inner.test?x", Some("/app/?x")),
            ("http://10.0.0.9:3000/x", Some("/app/x")),
            ("http://10.0.0.9:3000/app/x", Some("/app/x")),
            ("//inner.test/x", Some("/app/x")),
            ("http://inner.test//evil.com", Some("/app/evil.com")),
            ("http://inner.test\\@evil.com", Some("/app/@evil.com")),
            ("http://inner.test@evil.com/x", None),
            ("http://evil.com/x", None),
            ("//evil.com/x", None),
            ("ftp://inner.test/x", None),
        ] {
            assert_eq!(text(way.link(link.as_bytes())).as_deref(), seen, "{link}");
        }
        // Where only the host is another one, and the path is not.
        let way = outward(None);
        for (link, seen) in [
            ("/x", None),
            ("https://site.test/x", None),
            ("http://inner.test/x", Some("/x")),
            ("http://inner.test//evil.com/x", Some("/evil.com/x")),
        ] {
            assert_eq!(text(way.link(link.as_bytes())).as_deref(), seen, "{link}");
        }
    }

    #[test]
    fn a_refresh_and_a_cookie_name_paths_too() {
        // W31
        let mount = Mount::stripping("/app");
        let way = outward(Some(&mount));
        for (value, seen) in [
            ("5; url=/x", Some("5; url=/app/x")),
            ("0;URL = '/x'", Some("0;URL = '/app/x'")),
            ("0;url=\"http://inner.test/x\"", Some("0;url=\"/app/x\"")),
            ("5", None),
            ("5; url", None),
            ("5; url=", None),
            ("5; url=https://evil.com/", None),
        ] {
            assert_eq!(text(way.refresh(value.as_bytes())).as_deref(), seen, "{value}");
        }
        for (cookie, seen) in [
            ("a=b; Path=/; HttpOnly", Some("a=b; Path=/app; HttpOnly")),
            ("a=b;path=/x/", Some("a=b;path=/app/x/")),
            ("a=b; Path=/app", None),
            ("a=b", None),
            ("a=Path=/x", None),
            ("a=b; Path=", None),
            ("a=b; Path=/x; Path=/y", Some("a=b; Path=/app/x; Path=/app/y")),
            ("__Host-a=b; Secure; Path=/", None),
            ("__HOST-a=b; Secure; Path=/", None),
        ] {
            assert_eq!(text(way.cookie(cookie.as_bytes())).as_deref(), seen, "{cookie}");
        }
        assert_eq!(outward(None).cookie(b"a=b; Path=/x"), None);
    }
}
