//! The framework's words for a request, turned into ours; and what has no honest translation, refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use pingora::http::RequestHeader;

use super::head::{HeadFault, HeadReportView};
use super::hop_by_hop::may_be_nominated;
use crate::auth::Refusal;
use crate::route::network::Network;
use crate::route::path::{NormalTarget, TargetFault};

/// Why a request could not be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untranslatable {
    /// What the client is told.
    pub(super) refusal: Refusal,
    /// Word for the log.
    pub(super) reason: &'static str,
}

const fn untranslatable(refusal: Refusal, reason: &'static str) -> Untranslatable {
    Untranslatable { refusal, reason }
}

/// Host and target of a request as everything behind this room will know them.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) target: NormalTarget,
}

/// What is asked of every head, found in one pass: that costs less than a search for each.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Bytes of all `Cookie` fields.
    pub(super) cookies: usize,
    /// Fields.
    pub(super) fields: usize,
    /// Bytes of all of them, as HTTP/1 would write them.
    pub(super) bytes: usize,
    /// Whether there is a `Connection`.
    pub(super) nominates: bool,
    /// How long the client says that its body is.
    pub(super) announced: Option<u64>,
}

impl Seen {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            seen.fields += 1;
            seen.bytes += name.as_str().len() + value.len() + ": \r\n".len();
            match *name {
                header::COOKIE => seen.cookies += value.len(),
                header::CONNECTION => seen.nominates = true,
                header::CONTENT_LENGTH => seen.announced = value.to_str().ok().and_then(|length| length.parse().ok()),
                _ => {}
            }
        }
        seen
    }
}

/// Translates the head of an HTTP/1 request. `seen` is what the watch on the connection saw, byte for byte.
pub(super) fn address(header: &RequestHeader, seen: Option<HeadReportView<'_>>) -> Result<Address, Untranslatable> {
    let raw_target = match &seen {
        Some(report) => {
            if let Some(fault) = report.fault {
                return Err(refuse_head(fault));
            }
            report.target
        }
        None => header.raw_path(),
    };
    if header.method == Method::TRACE || header.method == Method::CONNECT {
        return Err(untranslatable(Refusal::MethodNotServed, "method"));
    }
    let host = host_of(header)?;
    let target = match raw_target.first() {
        Some(b'/') => raw_target,
        _ => absolute_form(raw_target, &host)?,
    };
    let target = NormalTarget::read(target).map_err(refuse_target)?;
    Ok(Address { host, target })
}

/// What is told about a target that is refused: the rule by its word.
pub(super) fn refuse_target(fault: TargetFault) -> Untranslatable {
    let refusal = match fault {
        TargetFault::TooLong => Refusal::TargetTooLong,
        _ => Refusal::RequestMalformed,
    };
    untranslatable(refusal, fault.as_str())
}

/// How much of a path that could not be read stands in a line, in bytes.
const MAX_SHOWN: usize = 256;

/// What a line shows of a target that could not be read: of the path the beginning. Queries carry secrets.
pub(super) fn shown_path(target: &[u8]) -> String {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    String::from_utf8_lossy(target.get(..end.min(MAX_SHOWN)).unwrap_or_default()).into_owned()
}

/// What is told about a fault the watch on the connection found.
pub(super) fn refuse_head(fault: HeadFault) -> Untranslatable {
    match fault {
        HeadFault::BadChunk => untranslatable(Refusal::RequestMalformed, "chunk"),
        HeadFault::BadContentLength => untranslatable(Refusal::RequestMalformed, "content_length"),
        HeadFault::BadLineEnd => untranslatable(Refusal::RequestMalformed, "line_end"),
        HeadFault::BadRequestLine => untranslatable(Refusal::RequestMalformed, "request_line"),
        HeadFault::BadTransferEncoding => untranslatable(Refusal::RequestMalformed, "transfer_encoding"),
        HeadFault::TargetTooLong => untranslatable(Refusal::TargetTooLong, "target_too_long"),
        HeadFault::TooSlow => untranslatable(Refusal::ClientTooSlow, "head_deadline"),
        HeadFault::TooLarge => untranslatable(Refusal::HeadTooLarge, "head_too_large"),
        HeadFault::TooManyFields => untranslatable(Refusal::HeadTooLarge, "too_many_fields"),
    }
}

/// The host a request is for. HTTP/1.1 must say it in exactly one `Host`; HTTP/2 says it in `:authority`.
fn host_of(header: &RequestHeader) -> Result<String, Untranslatable> {
    let mut hosts = header.headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) if header.version >= Version::HTTP_2 => header.uri.authority().map(|authority| authority.as_str()),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(untranslatable(Refusal::RequestMalformed, "host_twice")),
    };
    named.and_then(host_name).ok_or(untranslatable(Refusal::RequestMalformed, "host"))
}

/// Lower-case name or address of `authority`, without port and trailing dot; `None` if it is neither.
pub(super) fn host_name(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
            (authority.get(..address.len() + 2)?, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port_is_fine = port.is_none_or(|port| port_number(port).is_some());
    let host = host.strip_suffix('.').unwrap_or(host);
    let name = |before: u8, byte: u8| match byte {
        b'.' => (before != b'.').then_some(byte),
        b'-' | b'_' => Some(byte),
        _ => byte.is_ascii_alphanumeric().then_some(byte),
    };
    let is_name = || !host.is_empty() && host.len() <= 253 && host.bytes().try_fold(0, name).is_some();
    (port_is_fine && (host.starts_with('[') || is_name())).then(|| host.to_ascii_lowercase())
}

/// A port as everybody reads it: decimal digits without a leading zero, 1 to 65,535.
fn port_number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// An address as proxies write it into `X-Forwarded-For`: plain, or with a port, then in brackets if it is of IPv6.
fn forwarded_address(hop: &str) -> Option<IpAddr> {
    let address = match hop.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let port = rest.strip_prefix(':');
            let plain = rest.is_empty() || port.is_some_and(|port| port_number(port).is_some());
            return address
                .parse::<Ipv6Addr>()
                .ok()
                .filter(|_| plain)
                .map(|address| IpAddr::V6(address).to_canonical());
        }
        None => match hop.split_once(':') {
            // Only an address of IPv4 has one colon, before its port.
            Some((address, port)) if !port.contains(':') => {
                port_number(port)?;
                address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
            }
            _ => hop.parse::<IpAddr>().ok(),
        },
    };
    address.map(|address| address.to_canonical())
}

/// `GET http://host/path`: the path of that very host. Any other form that is not a path is refused (H16, H17).
fn absolute_form<'a>(raw: &'a [u8], host: &str) -> Result<&'a [u8], Untranslatable> {
    let refuse = untranslatable(Refusal::RequestMalformed, "target_form");
    let (scheme, rest) = raw.split_at_checked(7).ok_or(refuse)?;
    if !scheme.eq_ignore_ascii_case(b"http://") {
        return Err(refuse);
    }
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let named = std::str::from_utf8(authority).ok().and_then(host_name).ok_or(refuse)?;
    if named != host {
        return Err(untranslatable(Refusal::RequestMalformed, "authority_and_host"));
    }
    if path.is_empty() { Ok(b"/") } else { Ok(path) }
}

/// What a client's `Connection` says, as far as it may say it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Nominations {
    /// What the field says from now on, if that is something else.
    pub(super) rewritten: Option<String>,
    /// Fields that were meant for us alone.
    pub(super) removed: Vec<HeaderName>,
}

impl Nominations {
    /// Leaves in `request` what the client may say, and not what it meant for us alone.
    pub(super) fn apply(&self, request: &mut RequestHeader) {
        request.remove_header(&header::CONNECTION);
        if let Some(said) = self.rewritten.as_deref().filter(|said| !said.is_empty())
            && let Ok(value) = HeaderValue::try_from(said)
        {
            // Infallible for a valid name and value.
            let _inserted = request.insert_header(header::CONNECTION, value);
        }
        for name in &self.removed {
            request.remove_header(name);
        }
    }
}

/// What a client says of this connection, for the framework and for us.
///
/// A client may say that a field was meant for us only; it may not use that to remove what we rely on or what a trusted
/// proxy wrote. Names outside the token alphabet make the request malformed (G11).
pub(super) fn honest_nominations(headers: &HeaderMap) -> Result<Nominations, Untranslatable> {
    let mut kept: Vec<&str> = Vec::new();
    let mut removed = Vec::new();
    let mut changed = false;
    for value in headers.get_all(header::CONNECTION) {
        let value = value.to_str().map_err(|_| untranslatable(Refusal::RequestMalformed, "connection"))?;
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if !name.bytes().all(token) {
                return Err(untranslatable(Refusal::RequestMalformed, "connection"));
            }
            if ["close", "keep-alive", "upgrade"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
                kept.push(name);
                continue;
            }
            changed = true;
            if may_be_nominated(name)
                && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            {
                removed.push(name);
            }
        }
    }
    Ok(Nominations { rewritten: changed.then(|| kept.join(", ")), removed })
}

/// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Empty unless configured: whoever could set
/// them freely could speak for any address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// From ranges of addresses.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address.to_canonical()))
    }

    /// The client behind `peer`, and whether `peer` is believed: the last address in `X-Forwarded-For` that is not one
    /// of ours.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> (IpAddr, bool) {
        let peer = peer.to_canonical();
        if self.0.is_empty() || !self.contains(peer) {
            return (peer, false);
        }
        let mut client = peer;
        let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        for value in values.into_iter().rev() {
            let Ok(value) = value.to_str() else { break };
            for hop in value.rsplit(',') {
                // Whatever is no address (`unknown`, a made-up name) ends what is known: the proxy before it is the client.
                let Some(hop) = forwarded_address(hop.trim()) else { return (client, true) };
                client = hop;
                if !self.contains(client) {
                    return (client, true);
                }
            }
        }
        (client, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_else() {
        // A16, H14, I12
        for (authority, host) in [
            ("App.Test", "app.test"),
            ("app.test.:443", "app.test"),
            ("127.0.0.1:4180", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:1", "a"),
            ("a:65535", "a"),
        ] {
            assert_eq!(host_name(authority).as_deref(), Some(host), "{authority}");
        }
        for authority in [
            "",
            ":80",
            "a@b",
            "a b",
            "a/b",
            "a:80x",
            "a:123456",
            "[::1",
            "[x]",
            "ä.test",
            "a..b",
            "a,b",
            "[::1]x",
            "a:",
            "a:65536",
            "a:99999",
            "a:0",
            "a:080",
            "a:+80",
            "a:-1",
            "a:80:80",
            "a:8e1",
            "[::1]:",
            "[::1]:65536",
            "[::1]:080",
            "a:٨",
            "a: 80",
        ] {
            assert_eq!(host_name(authority), None, "{authority}");
        }
    }

    #[test]
    fn an_absolute_form_is_the_path_of_its_own_host() {
        // H16, H17
        assert_eq!(absolute_form(b"http://app.test/admin?x", "app.test").unwrap(), b"/admin?x");
        assert_eq!(absolute_form(b"HTTP://app.test:80", "app.test").unwrap(), b"/");
        for raw in [b"http://evil.test/".as_slice(), b"https://app.test/", b"http://u@app.test/", b"*", b"admin", b""] {
            assert!(absolute_form(raw, "app.test").is_err());
        }
    }

    #[test]
    fn only_a_trusted_peer_speaks_for_others() {
        // G06, G07
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.9, 10.1.2.3".parse().unwrap());
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(TrustedProxies::default().client(peer, &headers), (peer, false));
        let trusted = TrustedProxies::new(vec![Network::parse("10.0.0.0/8").unwrap()]);
        assert_eq!(trusted.client(peer, &headers), ("203.0.113.9".parse().unwrap(), true));
        let stranger: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(trusted.client(stranger, &headers), (stranger, false));
    }

    #[test]
    fn an_address_with_a_port_is_the_address() {
        // attacks, class H: some proxies write the client's port too; everybody would else be one client
        let trusted = TrustedProxies::new(vec![Network::parse("10.0.0.0/8").unwrap()]);
        let client = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            trusted.client("10.0.0.1".parse().unwrap(), &headers).0.to_string()
        };
        for (said, known) in [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("203.0.113.9:51234, 10.1.2.3:80", "203.0.113.9"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9:1, [::ffff:10.0.0.9]:5", "203.0.113.9"),
            // What is none says nothing: the last proxy that is known to us is the client.
            ("unknown", "10.0.0.1"),
            ("203.0.113.9, unknown", "10.0.0.1"),
            ("203.0.113.9, _hidden, 10.1.2.3", "10.1.2.3"),
            ("203.0.113.9:", "10.0.0.1"),
            ("203.0.113.9:65536", "10.0.0.1"),
            ("203.0.113.9:080", "10.0.0.1"),
            ("203.0.113.9:x", "10.0.0.1"),
            ("203.0.113.9:1:2", "10.0.0.1"),
            ("[203.0.113.9]:1", "10.0.0.1"),
            ("[2001:db8::7", "10.0.0.1"),
            ("[2001:db8::7]443", "10.0.0.1"),
            ("0203.0.113.9", "10.0.0.1"),
            ("3405803785", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(client(said), known, "{said:?}");
        }
    }

    #[test]
    fn a_client_cannot_nominate_what_we_rely_on() {
        // G09–G11
        let nominate = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONNECTION, value.parse().unwrap());
            honest_nominations(&headers)
        };
        assert_eq!(nominate("keep-alive").unwrap(), Nominations::default());
        assert_eq!(nominate("Upgrade").unwrap(), Nominations::default());
        let said = nominate("close, X-Auth-Sub, cookie, x-forwarded-for").unwrap();
        assert_eq!(said.rewritten.as_deref(), Some("close"));
        // What says who somebody is goes in any case, and ours is put there afterwards.
        assert_eq!(said.removed, ["x-auth-sub"]);
        assert!(nominate("\"x\"").is_err());
        assert!(nominate("a b").is_err());
    }
}
