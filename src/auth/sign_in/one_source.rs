//! Notices that everybody who signs in comes from one private address: mostly a proxy that nobody told us about.
//!
//! All people then share one budget of sign-ins, cookies may not be `Secure` although browsers speak TLS to the proxy, and the
//! log names nobody. The operator is told once, with the key that mends it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use parking_lot::Mutex;

/// So many sign-ins in a row from one private address are no single person's.
const IN_A_ROW: u32 = 20;

/// Headers by which a proxy says for whom it asks.
const FORWARDING: [&str; 3] = ["x-forwarded-for", "forwarded", "x-real-ip"];

/// Where sign-ins have come from so far.
#[derive(Debug, Default)]
pub(in crate::auth) struct OneSource {
    told: AtomicBool,
    last: Mutex<Option<(IpAddr, u32)>>,
}

impl OneSource {
    /// Whether the operator is to be told now that `client` looks like a proxy: it is at a private address and names somebody
    /// else, or everybody has come from there. Once at most.
    pub(in crate::auth) fn is_news(&self, client: IpAddr, headers: &HeaderMap) -> bool {
        if self.told.load(Ordering::Relaxed) {
            return false;
        }
        let forwards = FORWARDING.iter().any(|name| headers.contains_key(*name));
        let looks_like_one = is_private(client) && (forwards || self.all_from(client));
        looks_like_one && !self.told.swap(true, Ordering::Relaxed)
    }

    /// Counts one more from `client`; whether many have come from there and nobody from elsewhere in between. People at this
    /// machine are whoever sits before it.
    fn all_from(&self, client: IpAddr) -> bool {
        let mut last = self.last.lock();
        let count = match *last {
            Some((address, count)) if address == client => count.saturating_add(1),
            _ => 1,
        };
        *last = Some((client, count));
        count >= IN_A_ROW && !client.is_loopback()
    }
}

/// Whether `address` is one that no carrier gives to a person: of this machine, or of a private network (RFC 1918, 4193, 3927).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// After how many sign-ins from `client` the operator is told, within a hundred.
    fn told_after(client: &str, headers: &HeaderMap) -> Option<usize> {
        let source = OneSource::default();
        (1..=100).find(|_| source.is_news(address(client), headers))
    }

    // MV06
    #[test]
    fn a_private_address_from_which_all_come_is_told_once() {
        for client in ["10.0.0.7", "192.168.1.1", "172.20.3.4", "fd00::1", "::ffff:10.0.0.7"] {
            assert_eq!(told_after(client, &HeaderMap::new()), Some(20), "{client}");
        }
        let source = OneSource::default();
        let told = (0..500).filter(|_| source.is_news(address("10.0.0.7"), &HeaderMap::new())).count();
        assert_eq!(told, 1);
    }

    #[test]
    fn whoever_forwards_is_told_of_at_once_also_on_this_machine() {
        for name in FORWARDING {
            let headers: HeaderMap = [(name.parse().unwrap(), "203.0.113.9".parse().unwrap())].into_iter().collect();
            assert_eq!(told_after("10.0.0.7", &headers), Some(1), "{name}");
            assert_eq!(told_after("127.0.0.1", &headers), Some(1), "{name}");
            // Anybody may write such a header; from outside it says nothing.
            assert_eq!(told_after("203.0.113.9", &headers), None, "{name}");
        }
    }

    // The twins: an office behind one public address, a developer, and people of one company network.
    #[test]
    fn people_are_not_taken_for_a_proxy() {
        for client in ["203.0.113.9", "2001:db8::1", "127.0.0.1", "::1"] {
            assert_eq!(told_after(client, &HeaderMap::new()), None, "{client}");
        }
        let source = OneSource::default();
        let told = (0..200).any(|n| source.is_news(address(&format!("10.0.0.{}", n % 7)), &HeaderMap::new()));
        assert!(!told);
    }
}
