//! How often one client may begin a sign-in.
//!
//! Beginning one needs no account and writes to the store, so it is the cheapest way to make us work. Each client has a
//! bucket of starts that fills again with time. A bucket is one moment (when it will be full again), clients are
//! addresses (IPv4) or the networks that one subscriber gets (IPv6, /64), and so many of them are remembered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

/// Clients remembered, at least; twice as many at most, in about 4 MiB.
const CLIENTS: usize = 32 * 1024;

/// So many minutes' worth of starts may come at once.
const BURST_MINUTES: u64 = 2;

const MINUTE_US: u64 = 60_000_000;

/// A client: what one subscriber cannot change at will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Address([u8; 4]),
    Network([u8; 8]),
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::Network([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// The buckets. Two generations, so that making room for new clients is never a walk: when the younger one is full the
/// older one is forgotten. Only whoever has as many addresses as a generation has places can make us forget a client.
#[derive(Debug, Default)]
struct Buckets {
    young: HashMap<Client, u64>,
    old: HashMap<Client, u64>,
}

impl Buckets {
    /// When the client's bucket is full again; `None` if nothing is remembered of it.
    fn full_at(&self, client: &Client) -> Option<u64> {
        self.young.get(client).or_else(|| self.old.get(client)).copied()
    }

    fn set(&mut self, client: Client, full_at: u64, most: usize) {
        if self.young.len() >= most && !self.young.contains_key(&client) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(client, full_at);
    }
}

/// Meters starts by client.
#[derive(Debug)]
pub(super) struct Meter {
    /// Microseconds in which one start comes back; `None`: nothing is metered.
    every: Option<u64>,
    burst: u64,
    clients: usize,
    buckets: Mutex<Buckets>,
}

impl Meter {
    /// `per_minute` starts a minute; zero for no limit.
    pub(super) fn new(per_minute: u32) -> Self {
        Self::with_room(per_minute, CLIENTS)
    }

    fn with_room(per_minute: u32, clients: usize) -> Self {
        let per_minute = u64::from(per_minute);
        Self {
            every: MINUTE_US.checked_div(per_minute).map(|every| every.max(1)),
            burst: per_minute.saturating_mul(BURST_MINUTES),
            clients,
            buckets: Mutex::default(),
        }
    }

    /// Takes one start out of `client`'s bucket.
    ///
    /// # Errors
    /// When the bucket is empty: how long until there is one again.
    pub(super) fn take(&self, client: IpAddr, now: SystemTime) -> Result<(), Duration> {
        let Some(every) = self.every else { return Ok(()) };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let empty = every.saturating_mul(self.burst);
        let client = Client::from(client);
        let mut buckets = self.buckets.lock();
        // A clock that was set back does not keep anybody out for longer than an empty bucket does.
        let full_at = buckets.full_at(&client).unwrap_or(now).clamp(now, now.saturating_add(empty));
        let next = full_at.saturating_add(every);
        let over = next.saturating_sub(now).saturating_sub(empty);
        if over > 0 {
            // Written down as well: whoever goes on trying is not forgotten, and a clock that was set back is heeded once.
            buckets.set(client, full_at, self.clients);
            return Err(Duration::from_micros(over));
        }
        buckets.set(client, next, self.clients);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::samples::noon;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn taken(meter: &Meter, client: &str, tries: usize, now: SystemTime) -> usize {
        (0..tries).filter(|_| meter.take(address(client), now).is_ok()).count()
    }

    // L13
    #[test]
    fn a_client_has_a_burst_and_then_its_rate_and_another_client_has_its_own() {
        let meter = Meter::new(60);
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon()), 120);
        let wait = meter.take(address("192.0.2.1"), noon()).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon() + Duration::from_secs(10)), 10);
        assert_eq!(taken(&meter, "192.0.2.2", 500, noon()), 120, "the twin");
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon() + Duration::from_secs(3600)), 120, "never more than a burst");
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_address_is_the_address() {
        let meter = Meter::new(1);
        assert_eq!(taken(&meter, "2001:db8:0:1::1", 1, noon()), 1);
        assert_eq!(taken(&meter, "2001:db8:0:1:ffff:ffff:ffff:ffff", 9, noon()), 1);
        assert_eq!(taken(&meter, "2001:db8:0:2::1", 9, noon()), 2, "the neighbour");
        assert_eq!(taken(&meter, "::ffff:192.0.2.1", 1, noon()), 1);
        assert_eq!(taken(&meter, "192.0.2.1", 9, noon()), 1);
    }

    #[test]
    fn zero_means_no_limit() {
        assert_eq!(taken(&Meter::new(0), "192.0.2.1", 10_000, noon()), 10_000);
        assert_eq!(taken(&Meter::new(u32::MAX), "192.0.2.1", 10_000, noon()), 10_000);
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_longer_than_a_burst_takes() {
        let meter = Meter::new(60);
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon() + Duration::from_secs(86_400)), 120);
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon()), 0);
        assert_eq!(taken(&meter, "192.0.2.1", 500, noon() + Duration::from_secs(30)), 30);
    }

    // TM8: whoever has many addresses costs no more memory than that, and the last ones are remembered.
    #[test]
    fn the_number_of_clients_remembered_is_bounded() {
        let meter = Meter::with_room(1, 100);
        for n in 0..1_000_u32 {
            let client = IpAddr::from(n.to_be_bytes());
            assert!(meter.take(client, noon()).is_ok() && meter.take(client, noon()).is_ok());
            assert!(meter.take(client, noon()).is_err());
        }
        let buckets = meter.buckets.lock();
        assert!(buckets.young.len() <= 100 && buckets.old.len() <= 100);
        drop(buckets);
        assert!((900..1_000_u32).all(|n| meter.take(IpAddr::from(n.to_be_bytes()), noon()).is_err()));
    }
}
