//! Who of several servers gets a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::route::upstream::{Balance, EjectionSettings, GroupSettings, HealthSettings, ServerAddress, ServerSettings};
use crate::upstream::{Group, Upstreams};

fn group(weights: &[u32], change: impl FnOnce(&mut GroupSettings)) -> Arc<Group> {
    let server = |(place, weight): (usize, &u32)| {
        let at = ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 + u16::try_from(place).unwrap() };
        ServerSettings { at, weight: *weight }
    };
    let mut servers: Vec<_> = weights.iter().enumerate().map(server).collect();
    let mut settings = GroupSettings::of(servers.remove(0), None);
    settings.servers.extend(servers);
    change(&mut settings);
    Upstreams::default().group(&Arc::new(settings))
}

fn shares(group: &Group, rounds: u64, now: Instant) -> BTreeMap<usize, u64> {
    let mut shares = BTreeMap::new();
    for key in 0..rounds {
        *shares.entry(group.pick(0, || key.wrapping_mul(0x1234_5678_9abc_def1), now).unwrap()).or_default() += 1;
    }
    shares
}

/// Whether each server got about its part of `rounds`.
fn is_about(shares: &BTreeMap<usize, u64>, wanted: &[u64]) -> bool {
    wanted.iter().enumerate().all(|(place, wanted)| {
        let got = shares.get(&place).copied().unwrap_or(0);
        got.abs_diff(*wanted) <= wanted / 10 + 2
    })
}

#[test]
fn each_server_gets_its_share_in_turn_and_by_session() {
    let now = Instant::now();
    for balance in [Balance::RoundRobin, Balance::Session] {
        let group = group(&[1, 3], |settings| settings.balance = balance);
        let shares = shares(&group, 4000, now);
        assert!(is_about(&shares, &[1000, 3000]), "{balance:?}: {shares:?}");
    }
    // In turn, and not one server for long.
    let group = group(&[1, 1, 1], |_| {});
    let turns: Vec<_> = (0..30).map(|_| group.pick(0, || 0, now).unwrap()).collect();
    assert!(turns.windows(5).all(|turns| (0..3).all(|place| turns.contains(&place))), "{turns:?}");
}

#[test]
fn the_server_with_the_fewest_requests_under_way_gets_the_next() {
    let now = Instant::now();
    let group = group(&[1, 1, 2], |settings| settings.balance = Balance::LeastRequests);
    let mut held: Vec<_> = (0..40)
        .map(|_| {
            let place = group.pick(0, || 0, now).unwrap();
            (place, group.begin(place).unwrap())
        })
        .collect();
    let count = |held: &[(usize, _)], of: usize| held.iter().filter(|(place, _)| *place == of).count();
    assert_eq!([0, 1, 2].map(|place| count(&held, place)), [10, 10, 20]);
    // Those of one server end; the next all go there.
    held.retain(|(place, _)| *place != 1);
    let next: Vec<_> = (0..5)
        .map(|_| {
            let place = group.pick(0, || 0, now).unwrap();
            (place, group.begin(place).unwrap())
        })
        .collect();
    assert_eq!(count(&next, 1), 5);
}

#[test]
fn a_session_keeps_its_server_and_only_its_own_move_when_one_goes() {
    let now = Instant::now();
    let group = group(&[1, 1, 1, 1], |settings| settings.balance = Balance::Session);
    let all = |now| (0..1000_u64).map(|key| group.pick(0, || key, now).unwrap()).collect::<Vec<_>>();
    let before = all(now);
    assert_eq!(before, all(now));
    for _ in 0..3 {
        group.failed(2, now);
    }
    for (was, is) in before.iter().zip(all(now)) {
        assert!(is != 2 && (*was == 2 || *was == is), "{was} {is}");
    }
    assert_eq!(before, all(now + Duration::from_secs(11)), "and they come back");
}

#[test]
fn a_server_that_fails_is_left_out_for_longer_each_time() {
    let start = Instant::now() + Duration::from_secs(1);
    let group = group(&[1, 1], |settings| {
        settings.ejection = EjectionSettings { failures: 3, time: Duration::from_secs(10) };
    });
    assert!(!group.failed(0, start) && !group.failed(0, start));
    group.succeeded(0);
    assert!(!group.failed(0, start) && !group.failed(0, start), "what failed before an answer does not count");
    assert!(group.failed(0, start));
    assert!(!group.is_available(0, start + Duration::from_secs(9)));
    assert!((0..20).all(|_| group.pick(0, || 0, start) == Some(1)));
    let back = start + Duration::from_secs(11);
    assert!(group.is_available(0, back));
    assert!(group.failed(0, back), "one failure is enough now");
    assert!(!group.is_available(0, back + Duration::from_secs(19)));
    let back = back + Duration::from_secs(21);
    assert!(group.is_available(0, back));
    group.succeeded(0);
    for wanted in [false, false, true] {
        assert_eq!(group.failed(0, back), wanted);
    }
    assert!(group.is_available(0, back + Duration::from_secs(11)), "after an answer it begins anew");
    // `failures: 0` never leaves one out.
    let never = self::group(&[1, 1], |settings| settings.ejection.failures = 0);
    assert!((0..100).all(|_| !never.failed(0, start)));
}

#[test]
fn where_no_server_is_well_all_are_asked() {
    let now = Instant::now() + Duration::from_secs(1);
    let group = group(&[1, 1], |_| {});
    for _ in 0..3 {
        group.failed(0, now);
        group.failed(1, now);
    }
    assert!(!group.is_available(0, now) && !group.is_available(1, now));
    assert_eq!(shares(&group, 100, now).len(), 2);
    // But no server twice by one request.
    assert_eq!(group.pick(0b01, || 0, now), Some(1));
    assert_eq!(group.pick(0b11, || 0, now), None);
    assert!(group.has_left(0b01) && !group.has_left(0b11));
}

#[test]
fn one_server_is_asked_whatever_is_thought_of_it() {
    let now = Instant::now();
    let group = group(&[1], |_| {});
    for _ in 0..10 {
        assert!(!group.failed(0, now));
    }
    assert_eq!(group.pick(0, || 0, now), Some(0));
    assert_eq!(group.pick(1, || 0, now), None);
}

#[test]
fn answers_to_health_checks_count_in_rows() {
    let now = Instant::now();
    let health = HealthSettings {
        path: "/health".to_owned(),
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        status: None,
        healthy: 2,
        unhealthy: 3,
    };
    let group = group(&[1, 1], |settings| settings.slow_start = Duration::from_secs(10));
    let say = |good, now| group.checked(0, good, now, &health);
    assert_eq!([false, false, true, false, false].map(|good| say(good, now)), [None; 5], "never three in a row");
    assert_eq!(say(false, now), Some(false));
    assert!((0..20).all(|_| group.pick(0, || 0, now) == Some(1)));
    assert_eq!([true, false, true].map(|good| say(good, now)), [None; 3]);
    assert_eq!(say(true, now), Some(true));
    // It came back, and gets more from moment to moment.
    let at = |seconds| shares(&group, 1100, now + Duration::from_secs(seconds))[&0];
    let (first, half, whole) = (at(0), at(5), at(10));
    assert!(
        (80..130).contains(&first) && (330..410).contains(&half) && (520..580).contains(&whole),
        "{first} {half} {whole}"
    );
}

#[test]
fn a_connection_is_kept_for_a_shorter_time_than_the_server_keeps_it() {
    let group = group(&[1], |_| {});
    let server = group.server(0).unwrap();
    let (ours, millis) = (Duration::from_secs(4), Duration::from_millis);
    assert_eq!(server.keepalive(ours), ours);
    for (says, kept) in [(1, millis(500)), (2, millis(1000)), (3, millis(2000)), (5, ours), (60, ours)] {
        server.says_it_keeps(Duration::from_secs(says));
        assert_eq!(server.keepalive(ours), kept, "{says}");
    }
}

#[test]
fn two_routes_with_the_same_servers_share_what_is_known_of_them() {
    let mut upstreams = Upstreams::default();
    let settings = |port| {
        let at = ServerAddress::Tcp { host: "app.internal".to_owned(), port };
        Arc::new(GroupSettings::of(ServerSettings { at, weight: 1 }, None))
    };
    let (one, same, other) =
        (upstreams.group(&settings(1)), upstreams.group(&settings(1)), upstreams.group(&settings(2)));
    assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    assert!(one.number().abs_diff(other.number()) >= 2, "two sets of connections each");
}
