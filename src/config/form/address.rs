//! Forms of addresses: hosts, origins, issuers, listeners, upstreams, ranges.
//!
//! An address that would be read differently by two parsers is refused before any parser sees it: the URL standard
//! quietly drops tabs, turns `\` into `/` and `0x7f.1` into `127.0.0.1`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::{Host, Url};

use super::Form;
use super::words::text_form;
use crate::route::network::Network;

/// Where the public listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

/// Where the private listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminAddress(pub(crate) SocketAddr);

/// Scheme, host and port of a web address, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) Url);

/// An address of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderUrl(pub(crate) Url);

/// An upstream, not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A range of peers whose forwarded headers are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedNetwork(pub(crate) Network);

impl Form for Listen {
    const NAME: &'static str = "listen-address";
    const WHAT: &'static str = "an address such as `:4180` or `127.0.0.1:4180`";

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(port) = text.strip_prefix(':')
            && let Some(port) = port_of(port)
        {
            return Ok(Self(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
        }
        socket(text).map(Self)
    }
}

impl Form for AdminAddress {
    const NAME: &'static str = "admin-address";
    const WHAT: &'static str = "an address such as `127.0.0.1:44180`";

    /// R07. `:44180` is so short that it is typed without thinking of who can reach it, and whoever reaches it
    /// administers sessions.
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with(':') {
            return Err(
                "does not say who may reach it; write `127.0.0.1` before it, or `0.0.0.0` if you mean everybody"
                    .to_owned(),
            );
        }
        socket(text).map(Self)
    }
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:").and_then(port_of) {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if text.contains("://") || text.starts_with("unix:") || text.starts_with("fd:") {
        return Err("is a kind of listener that is not supported yet; write an address and a port".to_owned());
    }
    text.parse().map_err(|_| "is not an address and a port, such as `127.0.0.1:4180` or `[::1]:4180`".to_owned())
}

fn port_of(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Form for Origin {
    const NAME: &'static str = "origin";
    const WHAT: &'static str = "an origin such as `https://apps.example.com`";

    /// A11, Q08. Entries are literals: what looks like a pattern is refused, not taken as the text it is. Cookies are
    /// always `Secure`, and browsers keep those only where the address is `https` or this very machine.
    fn parse(text: &str) -> Result<Self, String> {
        let url = web_address(text)?;
        if url.scheme() == "http" && !is_local(&url, true) {
            return Err("is plain http outside this machine, where secure cookies cannot live; use https".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has more than scheme, host and port; leave the rest out".to_owned());
        }
        Ok(Self(url))
    }
}

impl Form for ProviderUrl {
    const NAME: &'static str = "provider-url";
    const WHAT: &'static str = "an https address";

    fn parse(text: &str) -> Result<Self, String> {
        provider_url(text).map(Self)
    }
}

text_form!(
    /// An issuer identifier, exactly as it stands in `iss`.
    IssuerName, "issuer", "an issuer such as `https://issuer.example.com`",
    check |text| provider_url(text).map(|_| text.to_owned())
);

text_form!(
    /// `host` or `host:port`, lower case.
    AllowedHost, "host-port", "a host such as `auth.example.com` or `auth.example.com:8443`",
    check |text| {
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (lower.as_str(), None),
        };
        if port.is_some_and(|port| port.is_empty() || port.starts_with('0') || port_of(port).is_none()) {
            return Err("has a port that is no number from 1 to 65535".to_owned());
        }
        plain_host(host)?;
        Ok(lower)
    }
);

text_form!(
    /// The host of a route, lower case, without a port.
    RouteHost, "host", "a host name such as `wiki.example.com`",
    check |text| {
        let lower = text.to_ascii_lowercase();
        if lower.contains("://") {
            return Err("is a whole address; write the host name alone".to_owned());
        }
        if !lower.starts_with('[') && lower.contains(':') {
            return Err("has a port; write the host name alone (it is served on every port of `listen`)".to_owned());
        }
        plain_host(&lower)?;
        Ok(lower)
    }
);

impl Form for UpstreamUrl {
    const NAME: &'static str = "upstream";
    const WHAT: &'static str = "an upstream such as `http://127.0.0.1:3000`";

    fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("https:") {
            return Err("speaks TLS to the upstream, which is not supported yet; write an `http://` address".to_owned());
        }
        if !lower.starts_with("http://") {
            return Err("is not an `http://` address; write one such as `http://127.0.0.1:3000`".to_owned());
        }
        let url = web_address(text)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has more than host and port; paths are forwarded as they come, leave it out".to_owned());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("has no host".to_owned()),
        };
        match url.port_or_known_default() {
            Some(port) if port > 0 => Ok(Self { host, port }),
            _ => Err("has port 0; write the port that the upstream listens on".to_owned()),
        }
    }
}

impl Form for TrustedNetwork {
    const NAME: &'static str = "network";
    const WHAT: &'static str = "a range such as `10.0.0.0/8`";

    /// Q09, CVE-2026-76835. Who is trusted here writes the client's address and scheme. A range as wide as the
    /// Internet, or one of a few that add up to it, lets everybody do so.
    fn parse(text: &str) -> Result<Self, String> {
        let network = Network::parse(text).map_err(|error| error.to_string())?;
        let narrowest = if network.is_ipv4() { 8 } else { 7 };
        if network.length() < narrowest {
            return Err(format!(
                "trusts far more than your own proxies; name ranges of prefix length {narrowest} or more"
            ));
        }
        Ok(Self(network))
    }
}

/// An address that a provider has: https, or http on this machine (Q05). No credentials, query or fragment.
fn provider_url(text: &str) -> Result<Url, String> {
    let url = web_address(text)?;
    if url.scheme() == "http" && !is_local(&url, false) {
        return Err(
            "is plain http outside this machine: anyone on the way could answer in its place; use https".to_owned()
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment; leave it out".to_owned());
    }
    if text.contains("/../")
        || text.contains("/./")
        || text.contains("%2")
        || text.ends_with("/..")
        || text.ends_with("/.")
    {
        return Err("has a path that is not in normal form".to_owned());
    }
    Ok(url)
}

/// An http or https address whose text leaves no room for a second opinion.
fn web_address(text: &str) -> Result<Url, String> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("holds spaces or signs outside ASCII; write it without (hosts in their `xn--` form)".to_owned());
    }
    if text.contains(['*', '\\', '^', '$', '(', ')', '|', '{', '}', '<', '>', '"', '`']) {
        return Err("holds signs of a pattern; addresses are taken literally, write each one out".to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) else {
        return Err("does not begin with `https://`".to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("holds a user name or password; leave it out".to_owned());
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            if port.is_empty() || port_of(port).is_none() {
                return Err("has a port that is no number".to_owned());
            }
            host
        }
        _ => authority,
    };
    plain_host(host)?;
    Url::parse(text).map_err(|_| "is not an address".to_owned())
}

/// A host that means the same to everyone: a DNS name of letters, digits and `-`, a dotted address, or `[…]`.
fn plain_host(host: &str) -> Result<(), String> {
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match inside.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) if address.to_string() == inside => Ok(()),
            Ok(IpAddr::V6(address)) => Err(format!("has an address that is not in its short form; write [{address}]")),
            _ => Err("has no IPv6 address between its brackets".to_owned()),
        };
    }
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if host.contains('*') {
        return Err("has a wildcard; hosts are taken literally, write each one out".to_owned());
    }
    if !host.is_ascii() {
        return Err("has signs outside ASCII; write the host in its `xn--` form".to_owned());
    }
    if host.ends_with('.') {
        return Err("has a host that ends with a dot; leave it out".to_owned());
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(());
    }
    if !is_dns_name(host) {
        return Err("is not a host name of letters, digits, `-` and dots".to_owned());
    }
    // `127.1` and `0x7f000001` are names to us and addresses to a browser.
    match Host::parse(host) {
        Ok(Host::Domain(name)) if name == host => Ok(()),
        _ => Err("has a host that could be read as an address; write all four parts of it".to_owned()),
    }
}

/// Whether `text` is a DNS name as it may stand in an address (RFC 1123, 2.1, with `_` inside labels), lower case.
pub(crate) fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether `url` leads to this machine only. Browsers also treat every name below `.localhost` so (`for_browsers`);
/// our own resolver need not.
pub(crate) fn is_local(url: &Url, for_browsers: bool) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || (for_browsers && name.ends_with(".localhost")),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_literal_on_https_or_this_machine() {
        // A11, Q08
        for text in [
            "https://app.test",
            "https://app.test:8443",
            "https://app.test/",
            "http://localhost:4180",
            "http://127.0.0.1:4180",
            "http://[::1]:4180",
            "http://wiki.localhost:4180",
            "HTTPS://App.Test",
        ] {
            assert!(Origin::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            "https://app\\.test",
            "https://.*",
            "https://*.app.test",
            "^https://app.test$",
            "https://(app|b).test",
            "https://app.tes?t",
            "https://.app.test",
            "https://app..test",
            "app.test",
            "//app.test",
            "https://app.test/x",
            "https://app.test?x",
            "https://app.test#x",
            "https://user@app.test",
            "https://user:pw@app.test",
            "https://app.test:",
            "https://app.test:99999",
            "https://app.test.",
            "http://app.test",
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://127.1",
            "http://0x7f.1",
            "http://2130706433",
            "http://evil.test\\@localhost",
            " https://app.test",
            "https://app.test\t",
            "https://ap\np.test",
            "https://bücher.test",
            "https:app.test",
            "https:///app.test",
            "javascript:alert(1)",
            "https://",
            "https://%61pp.test",
            "http://[::ffff:127.0.0.1]",
            "http://[0:0:0:0:0:0:0:1]",
            "https://[app.test",
            "wss://app.test",
            "",
        ] {
            assert!(Origin::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_provider_is_asked_over_https_or_on_this_machine() {
        // Q05
        for text in [
            "https://oidc.idp.xlogin.att.com",
            "https://www.sprint.com/",
            "https://a.test/vzauth/oauth2/ccid",
            "http://127.0.0.1:9000",
            "http://localhost:9/x",
        ] {
            assert!(IssuerName::parse(text).is_ok(), "{text:?}");
            assert!(ProviderUrl::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            "http://issuer.test",
            "http://10.0.0.1",
            "http://localhost.evil.test",
            "http://a.localhost",
            "https://*.att.com",
            "https://a.test?x=1",
            "https://a.test#x",
            "https://u:p@a.test",
            "https://a.test/x/../y",
            "ftp://a.test",
            "a.test",
            "https://a.test/%2e%2e",
        ] {
            assert!(IssuerName::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(IssuerName::parse("https://www.sprint.com/").unwrap().0, "https://www.sprint.com/");
    }

    #[test]
    fn a_range_that_trusts_everybody_is_refused() {
        // Q09
        for text in [
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "2000::/3",
            "::ffff:0.0.0.0/96",
            "::ffff:0:0/96",
            "0::0/0",
            "10.0.0.1/8",
            "*",
            "any",
        ] {
            assert!(TrustedNetwork::parse(text).is_err(), "{text:?}");
        }
        for text in ["10.0.0.0/8", "192.168.1.4", "fc00::/7", "::1", "2001:db8::/32"] {
            assert!(TrustedNetwork::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn the_private_listener_is_opened_only_on_purpose() {
        // R07
        assert!(AdminAddress::parse(":44180").is_err());
        assert!(AdminAddress::parse("0.0.0.0:44180").is_ok());
        assert!(AdminAddress::parse("localhost:44180").unwrap().0.ip().is_loopback());
        assert_eq!(Listen::parse(":4180").unwrap().0.to_string(), "0.0.0.0:4180");
        for text in [
            "",
            ":",
            ":x",
            ":+80",
            "4180",
            "127.0.0.1",
            "example.com:80",
            "unix:///x",
            "fd:3",
            "http://:4180",
            "127.0.0.1:99999",
        ] {
            assert!(Listen::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn hosts_and_upstreams_are_exact() {
        assert_eq!(RouteHost::parse("Wiki.Example.COM").unwrap().0, "wiki.example.com");
        for text in [
            "",
            "*.example.com",
            "a.test:443",
            "https://a.test",
            "a.test/",
            "a b",
            "a.test.",
            "bücher.test",
            "127.1",
            "-a.test",
            "a..b",
        ] {
            assert!(RouteHost::parse(text).is_err(), "{text:?}");
        }
        assert!(RouteHost::parse("127.0.0.1").is_ok());
        assert!(RouteHost::parse("[::1]").is_ok());
        let upstream = UpstreamUrl::parse("http://[::1]:3000").unwrap();
        assert_eq!((upstream.host.as_str(), upstream.port), ("::1", 3000));
        assert_eq!(UpstreamUrl::parse("http://app").unwrap().port, 80);
        for text in [
            "https://app",
            "app:3000",
            "http://app/x",
            "http://u:p@app",
            "http://app?x",
            "unix:/x",
            "http://",
            "http://app:0",
            "h2c://app",
        ] {
            assert!(UpstreamUrl::parse(text).is_err(), "{text:?}");
        }
        assert!(UpstreamUrl::parse("https://app").unwrap_err().contains("not supported yet"));
        for text in ["a.test", "a.test:8443", "127.0.0.1:9", "[::1]:9"] {
            assert!(AllowedHost::parse(text).is_ok(), "{text:?}");
        }
        for text in ["*.a.test", "https://a.test", "a.test/x", "a.test:", "a.test:0", "a.test:x", "u@a.test", ""] {
            assert!(AllowedHost::parse(text).is_err(), "{text:?}");
        }
    }
}
