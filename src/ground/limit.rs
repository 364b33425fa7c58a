//! How often one client may do something that costs us more than it costs them: begin a sign-in, bring a forged token.
//!
//! The generic cell rate algorithm: each network has one moment, when its budget will be whole again. What it spends
//! moves that moment on; when it lies further ahead than a whole budget takes to come back, the network must wait.
//!
//! A client of IPv6 spends out of three budgets at once, of its /64, its /56 and its /48 ([`ClientNetwork`]), the wider
//! ones larger: whoever holds a /48 has 65,536 networks, and would otherwise have as many budgets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::network::ClientNetwork;
use super::time::{Timestamp, millis_of};

/// Networks remembered, at least; twice as many at most, in about 4 MiB.
const NETWORKS: usize = 32 * 1024;

/// Budgets' worth that all of a /56 share, of which it holds 256.
pub const SHARE_OF_56: u32 = 4;

/// Budgets' worth that all of a /48 share.
pub const SHARE_OF_48: u32 = 16;

const MINUTE: Duration = Duration::from_secs(60);

/// One budget for each client network.
#[derive(Debug)]
pub struct RateLimiter {
    /// What one client may spend in a minute; zero: nothing is limited.
    per_minute: u32,
    /// How many minutes' worth may be spent at once.
    burst_minutes: u32,
    networks: usize,
    budgets: Mutex<Budgets>,
}

/// When each budget is whole again. Two generations, so that making room is never a walk: when the younger one is full
/// the older one is forgotten. Only whoever has as many networks as a generation has places can make us forget one.
#[derive(Debug, Default)]
struct Budgets {
    young: HashMap<ClientNetwork, Timestamp>,
    old: HashMap<ClientNetwork, Timestamp>,
}

impl Budgets {
    fn whole_at(&self, network: &ClientNetwork) -> Option<Timestamp> {
        self.young.get(network).or_else(|| self.old.get(network)).copied()
    }

    fn set(&mut self, network: ClientNetwork, whole_at: Timestamp, most: usize) {
        if self.young.len() >= most && !self.young.contains_key(&network) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(network, whole_at);
    }
}

impl RateLimiter {
    /// `per_minute` for each client, zero for no limit; `burst_minutes` minutes' worth of it may come at once. A rate
    /// beyond one in a millisecond is one in a millisecond.
    pub fn new(per_minute: u32, burst_minutes: u32) -> Self {
        Self::with_room(per_minute, burst_minutes, NETWORKS)
    }

    fn with_room(per_minute: u32, burst_minutes: u32, networks: usize) -> Self {
        Self { per_minute, burst_minutes: burst_minutes.max(1), networks, budgets: Mutex::default() }
    }

    /// Spends one, if every network of `client` has it left.
    ///
    /// # Errors
    /// When one has not: how long until it has. Nothing is spent then.
    pub fn take(&self, client: IpAddr, now: SystemTime) -> Result<(), Duration> {
        self.ask(client, now, true)
    }

    /// Whether `client` could spend one, without doing so.
    ///
    /// # Errors
    /// As [`RateLimiter::take`].
    pub fn check(&self, client: IpAddr, now: SystemTime) -> Result<(), Duration> {
        self.ask(client, now, false)
    }

    /// `client` has spent one, whether or not it had one left. Nobody goes deeper into debt than a whole budget.
    pub fn charge(&self, client: IpAddr, now: SystemTime) {
        if self.per_minute == 0 {
            return;
        }
        let now = Timestamp::of(now);
        let mut budgets = self.budgets.lock();
        for network in ClientNetwork::all_of(client) {
            let (whole_at, rate) = self.budget(&budgets, network, now);
            budgets.set(network, whole_at.plus(rate.every).min(now.plus(rate.whole)), self.networks);
        }
    }

    /// Gives back one that `client` has spent.
    pub fn give_back(&self, client: IpAddr, now: SystemTime) {
        if self.per_minute == 0 {
            return;
        }
        let now = Timestamp::of(now);
        let mut budgets = self.budgets.lock();
        for network in ClientNetwork::all_of(client) {
            let (whole_at, rate) = self.budget(&budgets, network, now);
            budgets.set(network, whole_at.minus(rate.every).max(now), self.networks);
        }
    }

    fn ask(&self, client: IpAddr, now: SystemTime, spend: bool) -> Result<(), Duration> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let now = Timestamp::of(now);
        let mut budgets = self.budgets.lock();
        for network in ClientNetwork::all_of(client) {
            let (whole_at, rate) = self.budget(&budgets, network, now);
            let wait = whole_at.plus(rate.every).since(now.plus(rate.whole));
            if !wait.is_zero() {
                // Written down as well: whoever goes on trying is not forgotten, and a clock that was set back is
                // heeded once. Its other networks are not: one /48 fills no more places than its budget buys.
                budgets.set(network, whole_at, self.networks);
                return Err(wait);
            }
        }
        if spend {
            for network in ClientNetwork::all_of(client) {
                let (whole_at, rate) = self.budget(&budgets, network, now);
                budgets.set(network, whole_at.plus(rate.every), self.networks);
            }
        }
        Ok(())
    }

    /// When the budget of `network` is whole again, and how large it is. A clock that was set back does not keep anybody
    /// out for longer than an empty budget does.
    fn budget(&self, budgets: &Budgets, network: ClientNetwork, now: Timestamp) -> (Timestamp, Rate) {
        let rate = Rate::of(network, self.per_minute, self.burst_minutes);
        (budgets.whole_at(&network).unwrap_or(now).clamp(now, now.plus(rate.whole)), rate)
    }
}

/// How a budget comes back.
#[derive(Debug, Clone, Copy)]
struct Rate {
    /// The time in which one comes back.
    every: Duration,
    /// The time in which all of it does.
    whole: Duration,
}

impl Rate {
    fn of(network: ClientNetwork, per_minute: u32, burst_minutes: u32) -> Self {
        let share = match network.prefix() {
            48 => SHARE_OF_48,
            56 => SHARE_OF_56,
            _ => 1,
        };
        let per_minute = u64::from(per_minute) * u64::from(share);
        let every = (millis_of(MINUTE) / per_minute.max(1)).max(1);
        let burst = per_minute.saturating_mul(u64::from(burst_minutes));
        Self { every: Duration::from_millis(every), whole: Duration::from_millis(every.saturating_mul(burst)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn taken(limiter: &RateLimiter, client: &str, tries: usize, now: SystemTime) -> usize {
        (0..tries).filter(|_| limiter.take(address(client), now).is_ok()).count()
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_and_no_more_than_was_spent() {
        for client in ["192.0.2.1", "2001:db8::1"] {
            let limiter = RateLimiter::new(60, 2);
            assert_eq!(taken(&limiter, client, 200, noon()), 120);
            limiter.give_back(address(client), noon());
            assert_eq!(taken(&limiter, client, 10, noon()), 1);
            (0..500).for_each(|_| limiter.give_back(address(client), noon()));
            assert_eq!(taken(&limiter, client, 200, noon()), 120, "a whole budget is the most");
        }
    }

    // L13
    #[test]
    fn a_client_has_a_burst_and_then_its_rate_and_another_client_has_its_own() {
        let limiter = RateLimiter::new(60, 2);
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon()), 120);
        assert_eq!(limiter.take(address("192.0.2.1"), noon()), Err(seconds(1)));
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon() + seconds(10)), 10);
        assert_eq!(taken(&limiter, "192.0.2.2", 500, noon()), 120, "the twin");
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon() + seconds(3600)), 120, "never more than a burst");
    }

    // K03, L11
    #[test]
    fn what_is_charged_afterwards_is_asked_about_before() {
        let limiter = RateLimiter::new(60, 1);
        let (client, at) = (address("192.0.2.1"), |second| noon() + seconds(second));
        for _ in 0..60 {
            limiter.check(client, at(0)).unwrap();
            limiter.charge(client, at(0));
        }
        assert_eq!(limiter.check(client, at(0)), Err(seconds(1)));
        limiter.check(address("192.0.2.2"), at(0)).unwrap();
        limiter.check(client, at(1)).unwrap();
        for _ in 0..1000 {
            limiter.charge(client, at(1));
        }
        assert!(limiter.check(client, at(1)).is_err());
        limiter.check(client, at(2)).expect("nobody goes deeper into debt than a whole budget");
    }

    // RB07
    #[test]
    fn whoever_holds_a_48_has_a_few_budgets_and_not_65536() {
        let limiter = RateLimiter::new(10, 2);
        let budget = 20;
        let from = |network: u16| format!("2001:db8:7:{network:x}::1");
        let of_one_56: usize = (0..256).map(|network| taken(&limiter, &from(network), budget, noon())).sum();
        assert_eq!(of_one_56, budget * SHARE_OF_56 as usize);
        let of_all: usize = (256..=u16::MAX).step_by(64).map(|n| taken(&limiter, &from(n), budget, noon())).sum();
        assert_eq!(of_one_56 + of_all, budget * SHARE_OF_48 as usize);
        // The twin: the neighbour, and IPv4, have theirs; and one /64 alone has exactly one.
        assert_eq!(taken(&limiter, "2001:db8:8::1", 500, noon()), budget);
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon()), budget);
        assert_eq!(taken(&limiter, &from(0), 500, noon() + seconds(6)), 1, "and it comes back");
    }

    // RB07
    #[test]
    fn a_48_that_has_nothing_left_takes_no_more_places() {
        let limiter = RateLimiter::new(1, 1);
        for network in 0..=u16::MAX {
            let _ = limiter.take(address(&format!("2001:db8:7:{network:x}::1")), noon());
        }
        let budgets = limiter.budgets.lock();
        assert!(budgets.young.len() + budgets.old.len() <= 3 * SHARE_OF_48 as usize + 256);
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        let limiter = RateLimiter::new(1, 1);
        assert_eq!(taken(&limiter, "::ffff:192.0.2.1", 1, noon()), 1);
        assert_eq!(taken(&limiter, "192.0.2.1", 9, noon()), 0);
    }

    #[test]
    fn zero_means_no_limit_and_no_rate_is_too_large() {
        for per_minute in [0, u32::MAX] {
            let limiter = RateLimiter::new(per_minute, u32::MAX);
            assert_eq!(taken(&limiter, "2001:db8::1", 10_000, noon()), 10_000);
        }
        let limiter = RateLimiter::new(0, 1);
        limiter.charge(address("192.0.2.1"), noon());
        assert!(limiter.check(address("192.0.2.1"), noon()).is_ok());
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_longer_than_a_burst_takes() {
        let limiter = RateLimiter::new(60, 2);
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon() + seconds(86_400)), 120);
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon()), 0);
        assert_eq!(taken(&limiter, "192.0.2.1", 500, noon() + seconds(30)), 30);
    }

    // TM8: whoever has many addresses costs no more memory than that, and the last ones are remembered.
    #[test]
    fn the_number_of_networks_remembered_is_bounded() {
        let limiter = RateLimiter::with_room(1, 2, 100);
        for n in 0..1_000_u32 {
            let client = IpAddr::from(n.to_be_bytes());
            assert!(limiter.take(client, noon()).is_ok() && limiter.take(client, noon()).is_ok());
            assert!(limiter.take(client, noon()).is_err());
        }
        let budgets = limiter.budgets.lock();
        assert!(budgets.young.len() <= 100 && budgets.old.len() <= 100);
        drop(budgets);
        assert!((900..1_000_u32).all(|n| limiter.take(IpAddr::from(n.to_be_bytes()), noon()).is_err()));
    }
}
