//! Whom an address stands for: the networks that limits and counts are kept by.
//!
//! An address of IPv4 is one client. Of IPv6 one subscriber gets a /64 at least, often a /56, sometimes a /48; whoever
//! counted addresses would give each of them 2^64 clients' worth of limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// NAT64's well-known prefix (RFC 6052): behind it stands a client of IPv4. Without this all of them were one /64.
const NAT64: u128 = 0x0064_ff9b << 96;

/// One network, as limits and counts see it: an address of IPv4, or a /64, /56 or /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork {
    /// The address of IPv4, or the upper half of the address of IPv6, with nothing beyond the prefix.
    bits: u64,
    /// Its length; 32 is an address of IPv4.
    prefix: u8,
}

impl ClientNetwork {
    /// The narrowest network of `address`: what one subscriber has at least.
    pub fn of(address: IpAddr) -> Self {
        match canonical(address) {
            IpAddr::V4(address) => Self { bits: u64::from(address.to_bits()), prefix: 32 },
            IpAddr::V6(address) => Self::v6(address, 64),
        }
    }

    /// Every network of `address` that is counted, narrowest first: one of IPv4, or the /64, /56 and /48 of IPv6.
    pub fn all_of(address: IpAddr) -> impl Iterator<Item = Self> {
        let wider = match canonical(address) {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some([Self::v6(address, 56), Self::v6(address, 48)]),
        };
        std::iter::once(Self::of(address)).chain(wider.into_iter().flatten())
    }

    /// Length of the prefix: 32 for an address of IPv4, else 64, 56 or 48.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    fn v6(address: Ipv6Addr, prefix: u8) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = address.octets();
        Self { bits: u64::from_be_bytes([a, b, c, d, e, f, g, h]) & (u64::MAX << (64 - u32::from(prefix))), prefix }
    }
}

/// The address of IPv4 that an address of IPv6 merely carries.
fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if address.to_bits() & !u128::from(u32::MAX) == NAT64 => {
            let [.., a, b, c, d] = address.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ClientNetwork {
        ClientNetwork::of(text.parse().unwrap())
    }

    fn all(text: &str) -> Vec<ClientNetwork> {
        ClientNetwork::all_of(text.parse().unwrap()).collect()
    }

    // L02
    #[test]
    fn one_network_of_ipv6_is_one_client_and_each_address_of_ipv4_is_one() {
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn an_address_of_ipv4_is_the_same_client_in_any_spelling() {
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("64:ff9b::192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("64:ff9b::192.0.2.1"), of("64:ff9b::192.0.2.2"));
        assert_ne!(of("64:ff9b:1::192.0.2.1"), of("192.0.2.1"), "another prefix is a network like any other");
        assert_eq!(all("::ffff:192.0.2.1").len(), 1);
    }

    #[test]
    fn neighbours_share_the_wider_networks_and_not_the_narrower() {
        let [one, neighbour, further, stranger] =
            ["2001:db8:0:1::1", "2001:db8:0:ff::1", "2001:db8:0:100::1", "2001:db8:1::1"].map(all);
        let shared = |a: &[ClientNetwork], b: &[ClientNetwork]| {
            a.iter().filter(|network| b.contains(network)).map(|network| network.prefix()).collect::<Vec<_>>()
        };
        assert_eq!(one.iter().map(|network| network.prefix()).collect::<Vec<_>>(), [64, 56, 48]);
        assert_eq!(shared(&one, &neighbour), [56, 48]);
        assert_eq!(shared(&one, &further), [48]);
        assert!(shared(&one, &stranger).is_empty());
    }

    #[test]
    fn no_address_of_ipv4_is_taken_for_a_network_of_ipv6() {
        assert_ne!(of("0.0.0.0"), of("::"));
        assert!(all("::").iter().all(|network| *network != of("0.0.0.0")));
    }
}
