//! How often one client may bring a token that turns out forged.
//!
//! A signature costs us 25 to 250 µs and a forger nothing (performance.md, flag 2). Whoever has used up the budget is
//! answered 429 without a signature being looked at, until some of it has come back; tokens that were found good before
//! still pass, for they need none.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::session::cache::bounded::Bounded;

/// Most clients remembered; who has not failed for longest makes room.
const MOST_CLIENTS: usize = 16_384;

/// A budget comes back whole in this time.
const WINDOW: u64 = 60_000;

/// Budgets by client. A client is an address, or a /64 of IPv6: that is what one subscriber gets.
#[derive(Debug)]
pub(super) struct FailureBudget {
    /// What a failure costs, in milliseconds of the window.
    cost: u64,
    /// When each client will have its whole budget back, in milliseconds since 1970.
    clients: Bounded<IpAddr, Arc<AtomicU64>>,
}

impl FailureBudget {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { cost: WINDOW / u64::from(per_minute.clamp(1, 60_000)), clients: Bounded::new(MOST_CLIENTS) }
    }

    /// Whether `client` may fail once more; if not, how long it must wait.
    pub(super) fn check(&self, client: IpAddr, now: SystemTime) -> Result<(), Duration> {
        let Some(whole_at) = self.clients.get(&subscriber(client)) else { return Ok(()) };
        let spent = spent(whole_at.load(Relaxed), millis(now));
        if spent + self.cost <= WINDOW { Ok(()) } else { Err(Duration::from_millis(spent + self.cost - WINDOW)) }
    }

    /// `client` has failed.
    pub(super) fn charge(&self, client: IpAddr, now: SystemTime) {
        let (client, now) = (subscriber(client), millis(now));
        let whole_at = self.clients.get(&client).unwrap_or_else(|| {
            let new = Arc::new(AtomicU64::new(0));
            self.clients.insert(client, Arc::clone(&new));
            new
        });
        let later = |at| Some(now + (spent(at, now) + self.cost).min(WINDOW));
        // The closure always has an answer.
        let _before = whole_at.fetch_update(Relaxed, Relaxed, later);
    }
}

/// How much of the window is used up. More than the window means that the clock was set back.
fn spent(whole_at: u64, now: u64) -> u64 {
    Some(whole_at.saturating_sub(now)).filter(|spent| *spent <= WINDOW).unwrap_or(0)
}

fn subscriber(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    // K03, L11
    #[test]
    fn a_budget_is_used_up_and_comes_back_with_time() {
        let budget = FailureBudget::new(60);
        let client = ip("192.0.2.1");
        for _ in 0..60 {
            budget.check(client, at(0)).unwrap();
            budget.charge(client, at(0));
        }
        assert_eq!(budget.check(client, at(0)), Err(Duration::from_secs(1)));
        budget.check(ip("192.0.2.2"), at(0)).unwrap();
        budget.check(client, at(1)).unwrap();
        budget.charge(client, at(1));
        assert!(budget.check(client, at(1)).is_err());
        for _ in 0..1000 {
            budget.charge(client, at(1));
        }
        budget.check(client, at(2)).unwrap();
        for _ in 0..59 {
            budget.charge(client, at(61));
        }
        budget.check(client, at(61)).unwrap();
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_client() {
        let budget = FailureBudget::new(1);
        budget.charge(ip("2001:db8::1"), at(0));
        assert!(budget.check(ip("2001:db8::ffff:2"), at(0)).is_err());
        budget.check(ip("2001:db8:0:1::1"), at(0)).unwrap();
        budget.charge(ip("::ffff:192.0.2.1"), at(0));
        assert!(budget.check(ip("192.0.2.1"), at(0)).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let budget = FailureBudget::new(1);
        budget.charge(ip("192.0.2.1"), at(3600));
        budget.check(ip("192.0.2.1"), at(0)).unwrap();
    }

    // TM8
    #[test]
    fn many_clients_do_not_fill_memory() {
        let budget = FailureBudget::new(60);
        for number in 0..100_000_u32 {
            budget.charge(IpAddr::from(number.to_be_bytes()), at(0));
        }
        assert!(budget.clients.len() <= MOST_CLIENTS);
    }
}
