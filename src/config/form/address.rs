//! Forms of addresses: hosts, origins, issuers, listeners, upstreams, ranges.
//!
//! An address that would be read differently by two parsers is refused before any parser sees it: the URL standard
//! quietly drops tabs, turns `\` into `/` and `0x7f.1` into `127.0.0.1`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use super::Form;
use super::text::text_form;
use crate::gateway::{Descriptor, ListenAddress};
use crate::route::network::Network;
use crate::route::upstream::ServerAddress;

/// Where the public listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) ListenAddress);

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
    pub(crate) tls: bool,
    pub(crate) at: ServerAddress,
}

/// Which `Host` an app is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UpstreamHost {
    /// The one that the client asked for.
    Keep,
    /// That of the server.
    Server,
    /// This one.
    Fixed(String),
}

/// A range of peers whose forwarded headers are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedNetwork(pub(crate) Network);

impl Form for Listen {
    const NAME: &'static str = "listen-address";
    const WHAT: &'static str = "an address such as `:4180` or `127.0.0.1:4180`";

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            // Longer ones the kernel does not take (unix(7)).
            let plain = path.starts_with('/') && !path.starts_with("//") && path.len() <= 107;
            let plain = plain && !path.ends_with('/') && !path.chars().any(char::is_control);
            let wrong = "is not the whole path of a socket, such as `unix:/run/zengate/http.sock`";
            return if plain { Ok(Self(ListenAddress::Unix(path.into()))) } else { Err(wrong.to_owned()) };
        }
        if let Some(which) = text.strip_prefix("fd:") {
            return descriptor(which).map(|which| Self(ListenAddress::Inherited(which)));
        }
        if let Some(port) = text.strip_prefix(':')
            && let Some(port) = port_of(port)
        {
            return Ok(Self(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()));
        }
        socket(text).map(|address| Self(address.into()))
    }
}

impl Form for AdminAddress {
    const NAME: &'static str = "admin-address";
    const WHAT: &'static str = "an address such as `127.0.0.1:44180`";

    /// R07. `:44180` is so short that it is typed without thinking of who can reach it, and whoever reaches it
    /// reads metrics.
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

/// The first inherited socket is 3; a name is what systemd takes for one.
fn descriptor(text: &str) -> Result<Descriptor, String> {
    if let Ok(number) = text.parse() {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0') && number >= 3;
        return if plain { Ok(Descriptor::Number(number)) } else { Err("is none: the first is `fd:3`".to_owned()) };
    }
    let named =
        !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let wrong = "is neither the number of a socket nor its name (`FileDescriptorName=`)";
    if named { Ok(Descriptor::Name(text.to_owned())) } else { Err(wrong.to_owned()) }
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

/// An address at which the gateway asks a provider itself: https, or plain http where the operator says so by writing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackchannelUrl(pub(crate) Url);

impl Form for BackchannelUrl {
    const NAME: &'static str = "backchannel-url";
    const WHAT: &'static str = "an address such as `http://keycloak.auth.svc:8080/realms/main`";

    fn parse(text: &str) -> Result<Self, String> {
        let url = web_address(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or a fragment; leave it out".to_owned());
        }
        Ok(Self(url))
    }
}

/// Longest user name and password of a proxy together, in bytes as they are written.
const LONGEST_CREDENTIALS: usize = 512;

/// A forward proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl(pub(crate) Url);

impl Form for ProxyUrl {
    const NAME: &'static str = "proxy";
    const WHAT: &'static str = "a proxy such as `http://proxy.corp.example:3128`, or `direct`";

    fn parse(text: &str) -> Result<Self, String> {
        let url = web_address(if text == "direct" { "http://direct.invalid" } else { text })?;
        if url.scheme() != "http" || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("is not `http://`, a host and a port; TLS is spoken through the proxy, not with it".to_owned());
        }
        Ok(Self(url))
    }
}

impl ProxyUrl {
    /// Reads what `HTTPS_PROXY` of the environment says, where `user:password@` may stand before the host: the proxy wants to
    /// know who asks (RFC 9110, 11.7.2). In a file that would be shown.
    pub(crate) fn from_environment(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let parts = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
        let Some((scheme, (credentials, rest))) = parts else { return Self::parse(text) };
        let Self(mut url) = Self::parse(&format!("{scheme}://{rest}"))?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b'\\');
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let sound = !user.is_empty() && credentials.len() <= LONGEST_CREDENTIALS && credentials.bytes().all(plain);
        let set = url.set_username(user).and_then(|()| url.set_password(Some(password)));
        match set {
            Ok(()) if sound => Ok(Self(url)),
            _ => Err("has a user name or password that cannot be read; write signs such as `@` as `%40`".to_owned()),
        }
    }

    /// The proxy; none for `direct`.
    pub(crate) fn url(&self) -> Option<Url> {
        Some(self.0.clone()).filter(|url| url.host_str() != Some("direct.invalid"))
    }
}

/// An address at an issuer: https, or plain http where `allow_plain_http` says so. A query may stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointUrl(pub(crate) Url);

impl Form for EndpointUrl {
    const NAME: &'static str = "endpoint";
    const WHAT: &'static str = "an address such as `https://login.example.com/oauth2/token`";

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err("has a fragment; leave it out".to_owned());
        }
        web_address(text).map(Self)
    }
}

text_form!(
    /// As [`IssuerName`]; whether it may be plain http another key says.
    OidcIssuer, "oidc-issuer", "an issuer such as `https://issuer.example.com`",
    check |text| plain_url(text).map(|_| text.to_owned())
);

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

text_form!(
    /// The host of a route: as [`RouteHost`], or `*.` in front of one.
    RoutePattern, "host-pattern", "a host name such as `wiki.example.com`, or `*.apps.example.com`",
    check |text| match text.strip_prefix("*.") {
        Some(parent) if parent.starts_with('[') || parent.parse::<std::net::Ipv4Addr>().is_ok() => {
            Err("has a wildcard in front of an address; addresses have no names below them".to_owned())
        }
        Some(parent) => RouteHost::parse(parent).map(|parent| format!("*.{}", parent.0)),
        None if text.contains('*') => {
            Err("has a `*` that does not stand for all of the first label; write `*.` and a host name".to_owned())
        }
        None => RouteHost::parse(text).map(|host| host.0),
    }
);

impl Form for UpstreamUrl {
    const NAME: &'static str = "upstream";
    const WHAT: &'static str = "an upstream such as `http://127.0.0.1:3000` or `unix:/run/app.sock`";

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            // A socket's path is 107 bytes at most (unix(7)).
            if !path.starts_with('/') || path.len() > 107 || path.contains(char::is_control) {
                return Err("is not `unix:` and the path of a socket, from `/`, of at most 107 bytes".to_owned());
            }
            return Ok(Self { tls: false, at: ServerAddress::Unix(path.into()) });
        }
        let lower = text.to_ascii_lowercase();
        let tls = lower.starts_with("https://");
        if !tls && !lower.starts_with("http://") {
            return Err(
                "is not an `http://`, `https://` or `unix:` address; write one such as `http://127.0.0.1:3000`"
                    .to_owned(),
            );
        }
        let url = web_address(text)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has more than host and port; leave it out, and write the app's own path into the route's `replace_prefix`".to_owned());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("has no host".to_owned()),
        };
        match url.port_or_known_default() {
            Some(port) if port > 0 => Ok(Self { tls, at: ServerAddress::Tcp { host, port } }),
            _ => Err("has port 0; write the port that the upstream listens on".to_owned()),
        }
    }
}

impl Form for UpstreamHost {
    const NAME: &'static str = "upstream-host";
    const WHAT: &'static str = "`keep`, `upstream`, or a host such as `app.internal:8080`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "keep" => return Ok(Self::Keep),
            "upstream" => return Ok(Self::Server),
            _ => {}
        }
        let lower = text.to_ascii_lowercase();
        let port = lower.rfind(':').filter(|place| !lower.get(*place..).unwrap_or_default().contains(']'));
        let (host, port) = lower.split_at(port.unwrap_or(lower.len()));
        plain_host(host)?;
        if !port.is_empty() && port.strip_prefix(':').and_then(port_of).is_none_or(|port| port == 0) {
            return Err("has no port after its colon that is from 1 to 65535".to_owned());
        }
        Ok(Self::Fixed(lower))
    }
}

text_form!(
    /// A name that a certificate has.
    TlsName, "tls-name", "a host name such as `app.internal`",
    check |text| {
        let lower = text.to_ascii_lowercase();
        if rustls::pki_types::ServerName::try_from(lower.as_str()).is_err() {
            return Err("is no name that a certificate could have".to_owned());
        }
        Ok(lower)
    }
);

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
    let url = plain_url(text)?;
    if is_plain_http(&url) {
        return Err(
            "is plain http outside this machine: anyone on the way could answer in its place; use https".to_owned()
        );
    }
    Ok(url)
}

/// Whether what is asked there goes over a network unprotected.
pub(crate) fn is_plain_http(url: &Url) -> bool {
    url.scheme() == "http" && !is_local(url, false)
}

/// No credentials, query or fragment, and a path in normal form.
fn plain_url(text: &str) -> Result<Url, String> {
    let url = web_address(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment; leave it out".to_owned());
    }
    if text.contains("/../")
        || text.contains("/./")
        || ["%2e", "%2f", "%5c"].iter().any(|disguise| text.to_ascii_lowercase().contains(disguise))
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
mod tests;
