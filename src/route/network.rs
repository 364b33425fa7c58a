//! Ranges of addresses, for the question "does this peer belong to us?".

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses in CIDR form (RFC 4632): all that share the first `length` bits with `base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    length: u8,
}

/// Why a text is no range that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Bits are set beyond the prefix, so the text does not say what its author meant.
    #[error("has bits set beyond its prefix length")]
    HostBits,
    /// An IPv4 range in IPv6 clothes (`::ffff:0:0/96`); the IPv4 form means the same and shows its width.
    #[error("is an IPv4 range written as IPv6; write it as IPv4")]
    MappedV4,
    /// No address, or a prefix length that the family does not have.
    #[error("is not an address or a range such as `10.0.0.0/8`")]
    Syntax,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address.
    ///
    /// # Errors
    /// [`NetworkError`], when the text is anything else.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError::Syntax)?
            }
            Some(_) => return Err(NetworkError::Syntax),
        };
        if length > width {
            return Err(NetworkError::Syntax);
        }
        if let IpAddr::V6(v6) = base
            && v6.to_ipv4_mapped().is_some()
        {
            return Err(NetworkError::MappedV4);
        }
        let network = Self { base, length };
        if network.first() != base {
            return Err(NetworkError::HostBits);
        }
        Ok(network)
    }

    /// The prefix length in bits.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether the range is one of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.base.is_ipv4()
    }

    /// Whether `address` lies in the range. An IPv4 peer of a dual-stack socket (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => mask4(base, self.length) == mask4(address, self.length),
            (IpAddr::V6(base), IpAddr::V6(address)) => mask6(base, self.length) == mask6(address, self.length),
            _ => false,
        }
    }

    fn first(&self) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => IpAddr::V4(mask4(base, self.length)),
            IpAddr::V6(base) => IpAddr::V6(mask6(base, self.length)),
        }
    }
}

fn mask4(address: Ipv4Addr, length: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(length))).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn mask6(address: Ipv6Addr, length: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_its_addresses_and_no_others() {
        let inside = |range: &str, address: &str| Network::parse(range).unwrap().contains(address.parse().unwrap());
        assert!(inside("10.0.0.0/8", "10.255.255.255"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!inside("10.0.0.0/8", "11.0.0.0"));
        assert!(!inside("10.0.0.0/8", "::a00:1"));
        assert!(inside("192.0.2.7", "192.0.2.7"));
        assert!(!inside("192.0.2.7", "192.0.2.6"));
        assert!(inside("0.0.0.0/0", "255.255.255.255"));
        assert!(inside("::/0", "fd00::1"));
        assert!(inside("fd00::/8", "fdff::1"));
        assert!(!inside("fd00::/8", "fe80::1"));
    }

    #[test]
    fn a_text_that_is_no_range_is_refused() {
        for text in
            ["", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/8/8", "::/129", "a/8", " 10.0.0.0/8"]
        {
            assert_eq!(Network::parse(text), Err(NetworkError::Syntax), "{text:?}");
        }
        assert_eq!(Network::parse("10.0.0.1/8"), Err(NetworkError::HostBits));
        assert_eq!(Network::parse("::ffff:0.0.0.0/96"), Err(NetworkError::MappedV4));
        assert_eq!(Network::parse("10.1.2.0/24").unwrap().to_string(), "10.1.2.0/24");
    }
}
