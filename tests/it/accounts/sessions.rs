//! What a link does to sessions: those that are open and those to come, over restarts, at other gateways.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::{House, KEY, NEWER_KEY, Who};
use crate::support::browser::Browser;
use crate::support::redis::Redis;

const FORBIDDEN: Result<String, StatusCode> = Err(StatusCode::FORBIDDEN);

async fn a_link_is_in_force_until_it_is_removed(mut house: House) {
    let (browser, another) = (Browser::new(), Browser::new());
    let maya = house.sign_in(&browser, "maya").await;
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    let page = house.open(&browser, "/members").await;
    assert!(page.body.contains("Code: unlinked_user"), "{}", page.body);
    assert_ne!(house.sign_in(&another, "noor").await, maya);
    // One person is linked; it counts at once for the session that is open, and for nobody else's.
    assert_eq!(house.link(&maya, "customer-17", "").await, 201);
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    assert_eq!(house.members(&another).await, FORBIDDEN);
    house.open(&browser, "/app").await;
    assert_eq!(house.rig.upstream.last().one("x-zenkey-account").as_deref(), Some("customer-17"), "on every route");
    house.restart();
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    assert_eq!(house.members(&another).await, FORBIDDEN);
    // Links outlive sessions: the next sign-in reaches the same account.
    browser.fork().post(house.rig.url("/oauth2/sign_out"), &[]).await;
    let browser = Browser::new();
    assert_eq!(house.sign_in(&browser, "maya").await, maya);
    assert_eq!(house.members(&browser).await, Ok("customer-17".to_owned()));
    assert_eq!(house.link(&maya, "customer-18", "&replace=true").await, 200);
    assert_eq!(house.members(&browser).await, Ok("customer-18".to_owned()));
    house.open(&browser, "/app").await;
    assert_eq!(house.ask("DELETE", &maya.path(), "").await.0, 204);
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    // They are signed in still, and the app is told of no account.
    assert_eq!(house.open(&browser, "/app").await.status, 200);
    assert_eq!(house.rig.upstream.last().one("x-zenkey-account"), None);
    house.restart();
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    let log = house.log();
    assert!(!log.contains(&maya.subject), "people stand in the log by a pseudonym: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_links_in_a_file() {
    a_link_is_in_force_until_it_is_removed(House::embedded().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_links_in_redis() {
    let Some(redis) = Redis::start("links in Redis") else { return };
    a_link_is_in_force_until_it_is_removed(House::with(&format!("{}  keys: [{KEY}]\n", redis.sessions()), "").await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_in_json_and_a_forged_account_is_taken_away() {
    let house = House::embedded().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let cookie = browser.cookie_header("localhost");
    let ask = async |path: &str, name: &str| {
        let request = house.client.get(house.rig.url(path)).header("cookie", &cookie).header(name, "boss");
        let answer = request.header("accept", "application/json").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, body) = ask("/members", "x-zenkey-account").await;
    assert_eq!((status, super::parsed(&body)["error"].as_str()), (403, Some("unlinked_user")), "{body}");
    for name in ["X-ZenKey-Account", "x_zenkey_account", "X-Auth-Request-Account", "x-auth-request_account"] {
        assert_eq!(ask("/app", name).await.0, 200);
        assert!(!house.rig.upstream.last().head.contains("boss"), "{name}");
    }
    // The twin: what the gateway knows reaches the app, under both names where both presets are on.
    house.link(&maya, "Åsa, 100%", "").await;
    assert_eq!(ask("/app", "x-zenkey-account").await.0, 200);
    let seen = house.rig.upstream.last();
    for name in ["x-zenkey-account", "x-auth-request-account"] {
        assert_eq!(seen.one(name).as_deref(), Some("%C3%85sa, 100%25"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_at_one_gateway_counts_at_the_others_as_soon_as_a_sign_out() {
    // F07
    let Some(redis) = Redis::start("links across gateways") else { return };
    let house = House::with(&format!("{}  keys: [{KEY}]\n", redis.sessions()), "").await;
    let elsewhere = house.rig.another_node().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let there = async || {
        let page = browser.open(house.rig.url_at(&elsewhere, "/members")).await;
        (page.status.as_u16(), house.rig.upstream.last().one("x-zenkey-account"))
    };
    assert_eq!(there().await.0, 403);
    // A new link counts with the next request, wherever it comes: whoever was linked a moment ago is not sent away.
    assert_eq!(house.link(&maya, "one", "").await, 201);
    assert_eq!(there().await, (200, Some("one".to_owned())));
    // One that was changed or removed counts within two seconds, whether or not the session is in use all the time.
    for (status, account) in [(200, Some("two")), (403, None)] {
        match account {
            Some(account) => assert_eq!(house.link(&maya, account, "&replace=true").await, 200),
            None => assert_eq!(house.ask("DELETE", &maya.path(), "").await.0, 204),
        }
        let began = Instant::now();
        loop {
            let (now, told) = there().await;
            if now == status && (now == 403 || told.as_deref() == account) {
                break;
            }
            assert!(began.elapsed() < Duration::from_millis(2500), "{now} {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    elsewhere.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_handed_over_has_the_account_too() {
    let house = House::embedded().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    house.link(&maya, "one", "").await;
    let second = format!("http://127.0.0.1:{}/members", house.rig.address.port());
    let told = async || {
        let page = browser.go(&second).await;
        (page.status.as_u16(), house.rig.upstream.last().one("x-zenkey-account"))
    };
    assert_eq!(told().await, (200, Some("one".to_owned())));
    house.link(&maya, "two", "&replace=true").await;
    assert_eq!(told().await, (200, Some("two".to_owned())), "at once");
    house.ask("DELETE", &maya.path(), "").await;
    assert_eq!(told().await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_without_losing_a_link() {
    let mut house = House::embedded().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    house.link(&maya, "one", "").await;
    let keys = |keys: String| move |config: &str| config.replace(&format!("keys: [{KEY}]"), &format!("keys: [{keys}]"));
    house.restart_with(keys(format!("{NEWER_KEY}, {KEY}")));
    assert_eq!(house.members(&browser).await, Ok("one".to_owned()), "old keys open");
    let saved = house.ask("GET", "/links.csv", "").await.1;
    let again = house.ask("POST", "/links.csv", saved).await;
    assert_eq!((again.0, super::parsed(&again.1)["same"].as_u64()), (200, Some(1)), "{}", again.1);
    house.restart_with(keys(NEWER_KEY.to_owned()));
    house.sign_in(&browser, "maya").await;
    assert_eq!(house.members(&browser).await, Ok("one".to_owned()), "written with the new key");
    // The twin: without that step the key takes the link along, and the export says so.
    house.restart_with(keys(KEY.to_owned()));
    house.sign_in(&browser, "maya").await;
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    let saved = house.ask("GET", "/links.csv", "").await.1;
    assert!(saved.ends_with("# 0 links; 1 more that no key in sessions.keys opens\n"), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_subject_at_another_issuer_is_somebody_else() {
    let house = House::embedded().await;
    let browser = Browser::new();
    let maya = house.sign_in(&browser, "maya").await;
    let issuers = house.rig.simulator.issuers();
    let other = issuers.iter().find(|issuer| **issuer != maya.issuer).unwrap();
    let other = Who { issuer: other.clone(), subject: maya.subject.clone() };
    assert_eq!(house.link(&other, "boss", "").await, 201);
    assert_eq!(house.members(&browser).await, FORBIDDEN);
    assert_eq!(house.link(&maya, "one", "").await, 201);
    assert_eq!(house.members(&browser).await, Ok("one".to_owned()), "the twin");
}
