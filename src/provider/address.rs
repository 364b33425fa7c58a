//! Which addresses we are willing to speak to, and which hosts count as this very machine.
//!
//! Endpoint names come from discovery answers, so a hostile carrier or a bent DNS answer could point us at our own
//! metadata service, Redis or admin listener (SSRF; security N08). Names and literal addresses pass the same judge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Globally routed.
    Public,
    /// Loopback, private, link-local, unique-local or carrier-grade NAT: reachable when the operator says so.
    Private,
    /// Unspecified, multicast, broadcast, documentation and transition ranges: never a provider.
    Never,
}

/// Whether a connection to `ip` may be made. `allow_private` widens the public internet by loopback, private,
/// link-local, unique-local and carrier-grade NAT ranges, and by nothing else.
pub(super) fn is_permitted(ip: IpAddr, allow_private: bool) -> bool {
    match reach(ip) {
        Reach::Public => true,
        Reach::Private => allow_private,
        Reach::Never => false,
    }
}

/// Whether a provider at `url` would not be asked because of the address that stands in it; what a name stands for is
/// judged when it is asked.
pub fn is_refused_by_address(url: &Url, allow_private: bool) -> bool {
    match literal(url) {
        Some(address) => !is_permitted(address, allow_private),
        None => !allow_private && is_loopback_host(url),
    }
}

/// Whether `url`'s host is this machine by definition: `127.0.0.0/8`, `::1`, `localhost` and names below it, which
/// RFC 6761 6.3 reserves and our resolver never asks the network about.
pub(super) fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost_name(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The literal address in `url`, if its host is one.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
    }
}

/// `localhost` or a name below it, with or without the root's dot, in any case.
pub(super) fn is_localhost_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// IANA IPv4 special-purpose registry (RFC 6890 and successors).
fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [10, ..] | [127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            Reach::Private
        }
        [0, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

/// IANA IPv6 special-purpose registry. Addresses that carry an IPv4 address are judged by what they carry.
fn reach_v6(ip: Ipv6Addr) -> Reach {
    if let Some(inner) = ip.to_ipv4_mapped() {
        return reach_v4(inner);
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] | [0xfe80..=0xfebf, ..] => Reach::Private,
        // NAT64 (RFC 6052) and 6to4 (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => reach_v4(embedded(high, low)),
        // Protocol assignments with Teredo (2001::/23), documentation (2001:db8::/32, 3fff::/20).
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        // Only 2000::/3 is global unicast.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    // N08
    #[test]
    fn only_public_addresses_are_spoken_to_unless_the_operator_allows_private_ones() {
        for public in ["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert!(is_permitted(public.parse().unwrap(), false), "{public}");
        }
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
        ] {
            assert!(!is_permitted(private.parse().unwrap(), false), "{private}");
            assert!(is_permitted(private.parse().unwrap(), true), "{private}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "::ffff:0.0.0.0",
            "::ffff:224.0.0.1",
            "::7f00:1",
            "fec0::1",
            "2001::1",
            "2001:db8::1",
            "192.0.2.1",
            "198.18.0.1",
            "100::1",
            "64:ff9b:1::1",
            "64:ff9b::e000:1",
        ] {
            assert!(!is_permitted(never.parse().unwrap(), true), "{never}");
        }
    }

    #[test]
    fn every_spelling_of_this_machine_is_known_and_no_lookalike() {
        for ours in ["http://localhost:1/", "http://a.LocalHost/", "http://127.1/", "http://0x7f.1/", "http://[::1]/"] {
            assert!(is_loopback_host(&Url::parse(ours).unwrap()), "{ours}");
        }
        for theirs in
            ["http://localhost.example/", "http://notlocalhost/", "http://10.0.0.1/", "http://[::ffff:7f00:1]/"]
        {
            assert!(!is_loopback_host(&Url::parse(theirs).unwrap()), "{theirs}");
        }
    }
}
