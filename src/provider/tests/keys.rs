//! Key sets: found fresh, fetched rarely, kept through outages, refused when too old.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::peer::{Play, answer, json_answer};
use super::*;

const JWKS: &str = "/jwks";

struct Rig {
    peer: Peer,
    federation: Federation,
    carrier: Carrier,
}

impl Rig {
    async fn new(kids: &[&str]) -> Self {
        let peer = Peer::start().await;
        peer.say(JWKS, &key_set(kids));
        let federation = Federation::new(plain(&peer.base)).unwrap();
        let carrier = carrier(&peer.base);
        Self { peer, federation, carrier }
    }

    async fn keys(&self, kid: &str, seconds: u64) -> Result<Arc<KeySet>, ProviderError> {
        self.federation.keys(&self.carrier, Some(kid), at(seconds)).await
    }

    /// Whether a token with `kid` would find its key.
    async fn finds(&self, kid: &str, seconds: u64) -> bool {
        self.keys(kid, seconds).await.is_ok_and(|keys| keys.has_kid(kid))
    }

    fn fetches(&self) -> usize {
        self.peer.count(JWKS)
    }
}

// E01, E02
#[tokio::test]
async fn a_key_that_is_new_since_the_last_sign_in_is_found_with_one_more_fetch() {
    let rig = Rig::new(&["old"]).await;
    assert!(rig.finds("old", 0).await);
    assert!(rig.finds("old", 5).await);
    assert_eq!(rig.fetches(), 1);
    rig.peer.say(JWKS, &key_set(&["new"]));
    assert!(rig.finds("new", 10).await);
    assert_eq!(rig.fetches(), 2);
    assert_eq!(rig.federation.stats().forced_found.get(), 1);
    assert!(!rig.keys("new", 11).await.unwrap().has_kid("old"));
}

// E01, C18
#[tokio::test]
async fn a_token_without_kid_that_fits_no_key_may_ask_once_for_newer_ones() {
    let rig = Rig::new(&["old"]).await;
    assert!(rig.federation.keys(&rig.carrier, None, at(0)).await.unwrap().has_kid("old"));
    rig.peer.say(JWKS, &key_set(&["new"]));
    assert!(rig.federation.keys(&rig.carrier, None, at(1)).await.unwrap().has_kid("old"));
    assert!(rig.keys("", 1).await.unwrap().has_kid("new"));
    // What was found costs nothing; what came in vain costs the cool-down.
    for second in 2..60 {
        rig.keys("", second).await.unwrap();
    }
    assert_eq!(rig.fetches(), 3);
}

// E02
#[tokio::test]
async fn a_fetch_that_began_before_the_rotation_does_not_use_up_the_sign_in() {
    let rig = Rig::new(&[]).await;
    let permits = Arc::new(Semaphore::new(0));
    rig.peer.play(JWKS, Play::Held(permits.clone(), json_answer(200, &key_set(&["old"]))));
    let (first, second) = tokio::join!(rig.finds("old", 0), async {
        rig.peer.until(JWKS, 1).await;
        let second = rig.finds("new", 0);
        let rotate = async {
            rig.peer.say(JWKS, &key_set(&["new"]));
            permits.add_permits(1);
        };
        tokio::join!(second, rotate).0
    });
    assert!(first && second);
    assert_eq!(rig.fetches(), 2);
}

// E03, E04
#[tokio::test]
async fn ten_thousand_unknown_kids_cost_one_fetch_a_minute() {
    let rig = Rig::new(&["good"]).await;
    assert!(rig.finds("good", 0).await);
    let kids: Vec<String> = (0..10_000).map(|number| format!("forged-{number}")).collect();
    join_all(kids.iter().enumerate().map(|(number, kid)| rig.keys(kid, number as u64 / 1000))).await;
    assert_eq!(rig.fetches(), 2);
    assert!(rig.finds("good", 10).await);
    assert_eq!(rig.federation.stats().forced_in_vain.get(), 1);
    assert!(rig.federation.stats().forced_suppressed.get() > 9_000);
    rig.keys("forged", 59).await.unwrap();
    assert_eq!(rig.fetches(), 2);
    rig.keys("forged", 60).await.unwrap();
    assert_eq!(rig.fetches(), 3);
}

// E03
#[tokio::test]
async fn the_cool_down_belongs_to_the_issuer_whatever_its_jwks_uri() {
    let rig = Rig::new(&["good"]).await;
    rig.peer.say("/other", &key_set(&["good"]));
    let mut other = rig.carrier.clone();
    other.jwks_uri = Url::parse(&format!("{}/other", rig.peer.base)).unwrap();
    for carrier in [&rig.carrier, &other] {
        rig.federation.keys(carrier, Some("good"), at(0)).await.unwrap();
    }
    for carrier in [&rig.carrier, &other, &rig.carrier] {
        rig.federation.keys(carrier, Some("forged"), at(1)).await.unwrap();
    }
    assert_eq!((rig.fetches(), rig.peer.count("/other")), (2, 1));
}

// E03, XS15: a failure costs seconds, not the cool-down, and never more than one question in each of them.
#[tokio::test]
async fn a_failed_forced_fetch_is_tried_again_after_seconds_and_ever_more_seldom() {
    let rig = Rig::new(&["good"]).await;
    assert!(rig.finds("good", 0).await);
    rig.peer.fail(JWKS, 500);
    for second in 1..50 {
        assert!(!rig.finds("new", second).await);
        assert!(rig.finds("good", second).await);
    }
    // At 1, 3, 7, 15 and 31.
    assert_eq!(rig.fetches(), 1 + 5);
    assert_eq!(rig.federation.stats().forced_failed.get(), 5);
    let rig = Rig::new(&["good"]).await;
    assert!(rig.finds("good", 0).await);
    rig.peer.fail(JWKS, 503);
    assert!(!rig.finds("new", 1).await);
    rig.peer.say(JWKS, &key_set(&["new"]));
    assert!(!rig.finds("new", 2).await);
    assert!(rig.finds("new", 3).await);
}

// MV07, FT05: only the issuer can change its keys, so a change that was found uses nothing up.
#[tokio::test]
async fn a_second_change_of_keys_within_the_cool_down_is_found_at_once_and_strangers_do_not_delay_it() {
    let rig = Rig::new(&["first"]).await;
    assert!(rig.finds("first", 0).await);
    for (second, kid) in [(1, "second"), (2, "third"), (3, "fourth")] {
        rig.peer.say(JWKS, &key_set(&[kid]));
        assert!(rig.finds(kid, second).await, "{kid}");
    }
    // The abuse: an id that nobody has costs one fetch, however often.
    for second in 4..60 {
        assert!(!rig.finds("made-up", second).await);
    }
    assert_eq!(rig.fetches(), 5);
}

// E05, E09
#[tokio::test]
async fn the_last_good_keys_serve_for_a_day_of_outage_and_no_longer() {
    let too_many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
    let big = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(256 << 10));
    let json = [("content-type", "application/json")];
    let bad = [
        json_answer(500, &json!({})),
        json_answer(404, &json!({})),
        json_answer(200, &json!({ "keys": "no" })),
        json_answer(200, &json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })),
        json_answer(200, &key_set(&too_many)),
        answer(200, &json, big.as_bytes()),
        answer(200, &json, b"garbage"),
        answer(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], b"{}"),
    ];
    for bad in bad {
        let rig = Rig::new(&["good"]).await;
        assert!(rig.finds("good", 0).await);
        rig.peer.play(JWKS, Play::Say(bad));
        assert!(rig.finds("good", 15 * MINUTE).await);
        assert_eq!(rig.fetches(), 2, "a set that grew old is refreshed before it is used");
        assert!(rig.finds("good", 15 * MINUTE + 4).await);
        assert_eq!(rig.fetches(), 2, "a failing issuer is left alone for a moment");
        assert!(rig.finds("good", 24 * HOUR).await);
        assert!(rig.keys("good", 24 * HOUR + 1).await.is_err());
        assert!(rig.federation.stats().stale_key_sets.get() >= 3);
        rig.peer.say(JWKS, &key_set(&["good"]));
        assert!(rig.finds("good", 24 * HOUR + 2).await);
    }
}

// E05
#[tokio::test]
async fn nobody_waits_for_an_issuer_that_is_known_to_hang() {
    let rig = Rig::new(&["good"]).await;
    assert!(rig.finds("good", 0).await);
    rig.peer.fail(JWKS, 500);
    assert!(rig.finds("good", 16 * MINUTE).await);
    rig.peer.play(JWKS, Play::Hang);
    assert!(rig.finds("good", 17 * MINUTE).await);
    rig.peer.until(JWKS, 3).await;
    assert!(rig.finds("good", 18 * MINUTE).await);
    assert_eq!(rig.fetches(), 3);
}

// E06
#[tokio::test]
async fn without_any_keys_an_unreachable_issuer_is_an_outage_and_recovery_is_immediate() {
    let rig = Rig::new(&["good"]).await;
    rig.peer.play(JWKS, Play::HangUp);
    assert!(rig.keys("good", 0).await.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
    rig.peer.fail(JWKS, 500);
    assert!(rig.keys("good", 0).await.is_err_and(|error| error.kind() == ErrorKind::Unavailable));
    rig.peer.play(JWKS, Play::Say(answer(503, &[("retry-after", "3600")], b"")));
    let wait = Some(Duration::from_secs(60));
    assert!(
        matches!(rig.keys("good", 0).await, Err(error) if error.kind() == ErrorKind::Unavailable && error.retry_after() == wait)
    );
    rig.peer.say(JWKS, &key_set(&["good"]));
    assert!(rig.finds("good", 0).await);
}

// E07
#[tokio::test]
async fn a_withdrawn_key_is_gone_after_the_refresh_interval() {
    let rig = Rig::new(&["good", "revoked"]).await;
    assert!(rig.finds("revoked", 0).await);
    rig.peer.say(JWKS, &key_set(&["good"]));
    assert!(rig.finds("revoked", 15 * MINUTE - 1).await);
    assert!(!rig.finds("revoked", 15 * MINUTE).await);
    assert!(rig.finds("good", 15 * MINUTE).await);
    // An empty list is a statement, not a fault: everything is withdrawn.
    rig.peer.say(JWKS, &key_set(&[]));
    assert!(!rig.finds("good", 30 * MINUTE).await);
}

// E07
#[tokio::test]
async fn a_clock_that_was_set_back_makes_keys_look_old_and_not_young() {
    let rig = Rig::new(&["good"]).await;
    assert!(rig.finds("good", 10 * HOUR).await);
    rig.peer.say(JWKS, &key_set(&["other"]));
    assert!(!rig.finds("good", 0).await);
}

// E08, E10
#[tokio::test]
async fn bad_keys_are_counted_and_good_ones_beside_them_used() {
    let rig = Rig::new(&[]).await;
    let shared = json!({ "kty": "oct", "kid": "shared", "k": "AAAA" });
    rig.peer
        .say(JWKS, &json!({ "keys": [key("good"), { "kty": "RSA", "kid": "bad", "n": "!", "e": "AQAB" }, shared] }));
    assert!(rig.finds("good", 0).await);
    assert!(!rig.finds("bad", 0).await);
    assert!(!rig.finds("shared", 0).await);
    assert_eq!(
        (rig.federation.stats().keys_skipped.get() > 0, rig.federation.stats().keys_alarming.get() > 0),
        (true, true)
    );
}

// E11
#[tokio::test]
async fn five_hundred_sign_ins_on_a_cold_cache_share_one_fetch() {
    let rig = Rig::new(&[]).await;
    let permits = Arc::new(Semaphore::new(0));
    rig.peer.play(JWKS, Play::Held(permits.clone(), json_answer(200, &key_set(&["good"]))));
    let found = AtomicUsize::new(0);
    let crowd = join_all((0..500).map(|_| async {
        if rig.finds("good", 0).await {
            found.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let release = async {
        rig.peer.until(JWKS, 1).await;
        permits.add_permits(1);
    };
    tokio::join!(crowd, release);
    assert_eq!((found.into_inner(), rig.fetches()), (500, 1));
}

// E11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_on_many_threads_share_each_fetch_however_they_interleave() {
    for _ in 0..50 {
        let rig = Arc::new(Rig::new(&["good"]).await);
        let readers: Vec<_> = (0..32)
            .map(|_| {
                let rig = Arc::clone(&rig);
                tokio::spawn(async move { rig.finds("good", 0).await })
            })
            .collect();
        assert!(join_all(readers).await.into_iter().all(|found| found.unwrap()));
        assert_eq!(rig.fetches(), 1);
    }
}

// E11
#[tokio::test]
async fn a_leader_that_gives_up_takes_nobody_with_it() {
    let rig = Rig::new(&[]).await;
    let permits = Arc::new(Semaphore::new(0));
    rig.peer.play(JWKS, Play::Held(permits.clone(), json_answer(200, &key_set(&["good"]))));
    let follower = {
        let leader = rig.finds("good", 0);
        tokio::select! { _ = leader => unreachable!("nothing was answered yet"), () = rig.peer.until(JWKS, 1) => {} }
        rig.finds("good", 0)
    };
    let (found, ()) = tokio::join!(follower, async { permits.add_permits(1) });
    assert!(found);
    assert_eq!(rig.fetches(), 1);
}

#[tokio::test]
async fn sets_are_refreshed_ahead_of_time_as_long_as_somebody_uses_them() {
    let rig = Rig::new(&["good"]).await;
    let store = rig.federation.key_store();
    store.refresh_due(at(0)).await;
    assert_eq!(rig.fetches(), 0);
    assert!(rig.finds("good", 0).await);
    store.refresh_due(at(12 * MINUTE - 1)).await;
    assert_eq!(rig.fetches(), 1);
    store.refresh_due(at(12 * MINUTE)).await;
    assert_eq!(rig.fetches(), 2);
    assert!(rig.finds("good", 20 * MINUTE).await);
    assert_eq!(rig.fetches(), 2, "the reader found it warm");
    rig.peer.fail(JWKS, 500);
    store.refresh_due(at(25 * MINUTE)).await;
    store.refresh_due(at(25 * MINUTE + 1)).await;
    assert_eq!(rig.fetches(), 3);
    store.refresh_due(at(25 * MINUTE + 5)).await;
    assert_eq!(rig.fetches(), 4);
    store.refresh_due(at(50 * HOUR)).await;
    assert_eq!(rig.fetches(), 4, "forgotten");
}

// D16
#[tokio::test]
async fn keys_of_an_issuer_that_is_not_on_the_list_are_not_fetched() {
    let (rig, stranger) = (Rig::new(&["good"]).await, Peer::start().await);
    stranger.say(JWKS, &key_set(&["good"]));
    let refused = rig.federation.keys(&carrier(&stranger.base), Some("good"), at(0)).await.err();
    assert_eq!(refused, Some(ProviderError::untrusted("issuer is not on the list")));
    let mut bent = rig.carrier.clone();
    bent.jwks_uri = Url::parse(&format!("{}/jwks", stranger.base)).unwrap();
    let refused = rig.federation.keys(&bent, Some("good"), at(0)).await.err();
    assert_eq!(refused, Some(ProviderError::untrusted("endpoint lies outside the issuer's hosts")));
    assert!(stranger.heard().is_empty());
}

// E05, E10
#[tokio::test]
async fn a_set_from_before_a_restart_is_as_old_as_it_is_and_holds_public_keys_only() {
    let rig = Rig::new(&["new"]).await;
    let store = rig.federation.key_store();
    let recalled = |document: &str, fetched: u64, now: u64| {
        let issuer = format!("https://{fetched}.{now}.{}.test", document.len());
        let uri = Url::parse(&format!("{issuer}/jwks")).unwrap();
        let taken = store.recall(&issuer, &uri, document, at(fetched), at(now));
        assert_eq!(store.at_hand(&issuer, &uri, at(now)).is_some_and(|keys| keys.has_kid("old")), taken);
        taken
    };
    let good = key_set(&["old"]).to_string();
    let private = good.replacen("\"kid\"", "\"d\":\"AQAB\",\"kid\"", 1);
    let shared = good.replacen("\"keys\":[", "\"keys\":[{\"kty\":\"oct\",\"k\":\"AQAB\"},", 1);
    assert!(recalled(&good, 0, 0) && recalled(&good, 0, 24 * HOUR));
    assert!(!recalled(&good, 0, 24 * HOUR + 1), "too old");
    assert!(!recalled(&good, 1, 0), "from the future");
    for bad in [private.as_str(), shared.as_str(), "{\"keys\":[]}", "garbage"] {
        assert_ne!(bad, good);
        assert!(!recalled(bad, 0, 5), "{bad}");
    }
    // What was fetched since is not replaced by what was kept.
    rig.finds("new", 10).await;
    store.recall(&rig.carrier.issuer, &rig.carrier.jwks_uri, &good, at(0), at(10));
    assert!(rig.finds("new", 11).await && rig.fetches() == 1);
}

// FT05: strangers send access tokens with made-up `kid`s; the issuer then rotates its keys.
#[tokio::test]
async fn strangers_spend_neither_the_budget_of_sign_ins_nor_that_of_other_clients() {
    let peer = Peer::start().await;
    peer.say(JWKS, &key_set(&["old"]));
    let mut settings = plain(&peer.base);
    settings.token_issuers = vec![TokenIssuerSettings {
        issuer: peer.base.clone(),
        jwks_uri: Some(Url::parse(&format!("{}{JWKS}", peer.base)).unwrap()),
        allowed_hosts: vec![],
    }];
    let federation = Federation::new(settings).unwrap();
    let carrier = carrier(&peer.base);
    let client = |number: u8| std::net::IpAddr::from([192, 0, 2, number]);
    let finds = async |kid: &str, number: u8, seconds: u64| {
        let keys = federation.token_keys(&peer.base, Some(kid), client(number), at(seconds)).await;
        keys.unwrap().has_kid(kid)
    };
    assert!(finds("old", 1, 0).await);
    for number in 0..50 {
        assert!(!finds(&format!("made up {number}"), 66, 1).await);
    }
    assert_eq!(peer.count(JWKS), 2);

    peer.say(JWKS, &key_set(&["new"]));
    let keys = federation.keys(&carrier, Some("new"), at(2)).await.unwrap();
    assert!(keys.has_kid("new"), "a person signs in");
    peer.say(JWKS, &key_set(&["newer"]));
    assert!(!finds("newer", 66, 3).await, "the stranger has spent theirs");
    assert!(finds("newer", 1, 3).await, "and another client has not");
    for number in 0..250 {
        finds("made up", number, 4).await;
    }
    assert!(peer.count(JWKS) <= 7, "all clients together: {}", peer.count(JWKS));
}
