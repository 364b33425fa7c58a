//! Beginning a sign-in needs no account: what a flood of beginnings may cost, and whom it does not touch.

use super::{assert_refused, at_once};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// Opens `start` as `client`, who came through a proxy that is believed.
async fn start_as(rig: &Rig, client: &str) -> Page {
    let headers = [("accept", "text/html"), ("x-forwarded-for", client)];
    Browser::new().send(reqwest::Method::GET, rig.url("/oauth2/start?rd=/app/x"), None, &headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_begins_so_many_sign_ins_and_others_theirs() {
    // L13
    let choices = Choices {
        sign_in: "  starts_per_minute: 2\n".to_owned(),
        top: "trusted_proxies: [127.0.0.1]\n".to_owned(),
        ..Choices::default()
    };
    let rig = Rig::with(choices).await;
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        for _ in 0..4 {
            assert_eq!(start_as(&rig, client).await.status, 302, "{client}");
        }
        let page = start_as(&rig, client).await;
        assert_refused(&page, 429, "too_many_sign_ins");
        let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(page.body.contains("href=\"/oauth2/start?rd=%2Fapp%2Fx\""), "back to the page: {}", page.body);
        assert!(page.set_cookies().is_empty());
    }
    assert_refused(&start_as(&rig, "2001:db8::ffff:1").await, 429, "too_many_sign_ins");
    assert_eq!(start_as(&rig, "2001:db8:0:1::1").await.status, 302, "another network");
    let metrics = rig.admin("/metrics").await.body;
    assert!(metrics.contains("zengate_limit_hits_total{limit=\"starts_per_minute\"} 4"), "{metrics}");
    assert!(metrics.contains("zengate_refusals_total{code=\"too_many_sign_ins\"} 4"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_48_begins_a_few_clients_worth_and_nobody_else_is_shut_out() {
    // RB07
    let choices = Choices {
        sign_in: "  starts_per_minute: 1\n".to_owned(),
        top: "trusted_proxies: [127.0.0.1]\n".to_owned(),
        ..Choices::default()
    };
    let rig = Rig::with(choices).await;
    let mut begun = 0;
    for network in 0..64 {
        // Each start from a /64, and every other one from a /56, that was never seen before.
        let page = start_as(&rig, &format!("2001:db8:7:{:x}::1", network * 128)).await;
        match page.status.as_u16() {
            302 => begun += 1,
            _ => assert_refused(&page, 429, "too_many_sign_ins"),
        }
    }
    // Sixteen clients' worth, two minutes' worth at once; a few come back while this runs.
    assert!((32..48).contains(&begun), "{begun}");
    assert_eq!(start_as(&rig, "2001:db8:8::1").await.status, 302, "the neighbour");
    assert_eq!(start_as(&rig, "192.0.2.1").await.status, 302, "the twin");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_begin_no_more_keeps_its_session_and_finishes_what_it_began() {
    // L13
    let choices = Choices { sign_in: "  starts_per_minute: 1\n".to_owned(), ..Choices::default() };
    let rig = Rig::with(choices).await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let under_way = rig.begin(&browser, "/app").await;
    let stranger = Browser::new();
    assert_eq!(stranger.open(rig.url("/oauth2/start")).await.status, 302);
    assert_refused(&stranger.open(rig.url("/oauth2/start")).await, 429, "too_many_sign_ins");
    let page = browser.follow(under_way).await;
    assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app"));
    assert_eq!(browser.open(rig.url("/app")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_sign_ins_are_under_way_at_once_in_every_store() {
    // L13
    let redis = Redis::start("the number of sign-ins under way in Redis");
    let memory = "  store: memory\n".to_owned();
    let embedded = "  store: embedded\n  path: DIR/sessions.redb\n".to_owned();
    for sessions in redis.iter().map(Redis::sessions).chain([memory, embedded]) {
        let sign_in = "  starts_per_minute: 0\n  max_attempts: 6\n".to_owned();
        let rig = Rig::with(Choices { sessions: sessions.clone(), sign_in, ..Choices::default() }).await;
        at_once(&rig, "maya");
        let person = Browser::new();
        assert_eq!(person.go(rig.url("/app")).await.status, 200);
        let under_way = Browser::new();
        let ui = under_way.open(rig.url("/oauth2/start?rd=/app")).await;
        for _ in 0..5 {
            assert_eq!(Browser::new().open(rig.url("/oauth2/start")).await.status, 302, "{sessions}");
        }
        let page = Browser::new().open(rig.url("/oauth2/start")).await;
        assert_refused(&page, 503, "sign_ins_full");
        assert!(page.headers.contains_key("retry-after") && page.set_cookies().is_empty());
        assert_eq!(person.open(rig.url("/app")).await.status, 200, "sessions are not touched");
        // The twin: what is under way goes on, and when it is done there is room for one more.
        assert_eq!(under_way.follow(ui).await.status, 200, "{sessions}");
        assert_eq!(Browser::new().open(rig.url("/oauth2/start")).await.status, 302, "{sessions}");
        assert_refused(&Browser::new().open(rig.url("/oauth2/start")).await, 503, "sign_ins_full");
    }
}
