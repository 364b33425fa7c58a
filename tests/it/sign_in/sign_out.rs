//! F06, F07, B16: leaving works at once, everywhere, and only for the person who wants to leave.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::{assert_own_page, at_once, is_signed_in};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

async fn signed_in(rig: &Rig) -> Browser {
    at_once(rig, "maya");
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    browser
}

/// The address the form on `page` posts to.
fn form_of(page: &Page) -> String {
    let action = page.body.split("action=\"").nth(1).expect("a form").split('"').next().unwrap();
    page.url.join(&action.replace("&amp;", "&")).unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_asks_first_leads_to_signing_out() {
    // B16
    let rig = Rig::start().await;
    for (query, end) in
        [("", ""), ("?rd=/public", "/public"), ("?rd=%2Fapp%3Fx%3D1%26y%3D2", "/app?x=1&y=2"), ("?rd=//evil.test", "")]
    {
        let browser = signed_in(&rig).await;
        let asked = browser.open(rig.url(&format!("/oauth2/sign_out{query}"))).await;
        assert_eq!(asked.status, 200);
        assert_own_page(&asked);
        assert!(is_signed_in(&rig, &browser).await, "asking ends nothing");
        let out = browser.post(form_of(&asked), &[]).await;
        assert_eq!((out.status.as_u16(), out.raw_location()), (if end.is_empty() { 200 } else { 303 }, end));
        assert!(!is_signed_in(&rig, &browser).await);
        assert!(!browser.cookies("localhost").contains_key("__Host-gw"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_cannot_sign_anybody_out() {
    // B16
    let rig = Rig::start().await;
    let browser = signed_in(&rig).await;
    let own = rig.url("").trim_end_matches('/').to_owned();
    let other_port = format!("http://localhost:{}", rig.upstream.address.port());
    let foreign: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[("origin", &other_port)],
        &[("origin", "http://localhost")],
        &[("origin", &own.replace("http:", "https:"))],
        &[("origin", &format!("{own}.evil.test"))],
        &[("origin", "")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")],
        &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[("sec-fetch-site", "same-site"), ("origin", "null")],
        &[("referer", &own)],
        // Attacks, class G: said twice is not said.
        &[("origin", &own), ("origin", "https://evil.test")],
        &[("origin", "https://evil.test"), ("origin", &own)],
        &[("origin", &own), ("origin", &own)],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("sec-fetch-site", "same-origin"), ("origin", &own), ("origin", "null")],
    ];
    for headers in foreign {
        let mut headers = headers.to_vec();
        headers.push(("accept", "text/html"));
        let page = browser.send(Method::POST, rig.url("/oauth2/sign_out"), Some(String::new()), &headers).await;
        assert_eq!(page.status, 403, "{headers:?}");
        assert_own_page(&page);
        assert!(page.set_cookies().is_empty());
        assert!(is_signed_in(&rig, &browser).await, "{headers:?}");
    }
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let page = browser.send(method.clone(), rig.url("/oauth2/sign_out"), None, &[("origin", &own)]).await;
        assert!(page.set_cookies().is_empty());
        assert!(is_signed_in(&rig, &browser).await, "{method}");
    }
    let fetched = [("sec-fetch-site", "same-origin")];
    assert_eq!(browser.send(Method::POST, rig.url("/oauth2/sign_out"), None, &fetched).await.status, 200);
    assert!(!is_signed_in(&rig, &browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_cookie_is_worth_nothing_after_its_owner_left() {
    // F06, F07: on this node at once.
    let rig = Rig::start().await;
    let owner = signed_in(&rig).await;
    let thief = owner.fork();
    assert_eq!(thief.open(rig.url("/app")).await.status, 200);
    owner.post(rig.url("/oauth2/sign_out"), &[]).await;
    let seen = rig.upstream.count();
    let page = thief.open(rig.url("/app")).await;
    assert_eq!((page.status.as_u16(), rig.upstream.count()), (302, seen));
    assert!(!thief.cookies("localhost").contains_key("__Host-gw"), "and it is taken away");
    // Somebody else's session is not touched.
    let other = signed_in(&rig).await;
    owner.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert!(is_signed_in(&rig, &other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_reaches_every_replica_within_two_seconds() {
    // F06, F07
    let Some(redis) = Redis::start("signing out on all replicas") else { return };
    let rig = Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    let replica = rig.another_node().await;
    let owner = signed_in(&rig).await;
    let thief = owner.fork();
    assert_eq!(thief.open(rig.url_at(&replica, "/app")).await.status, 200, "one session, two gateways");
    assert_eq!(redis.keys("zengate:session:").len(), 1);
    let out = owner.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert_eq!(out.status, 200);
    let left = Instant::now();
    assert!(redis.keys("zengate:session:").is_empty(), "the record is gone");
    let thief_here = thief.fork();
    assert_eq!(thief_here.open(rig.url("/app")).await.status, 302, "at once where it happened");
    loop {
        let asked = Instant::now();
        let page = thief.fork().open(rig.url_at(&replica, "/app")).await;
        if page.status == 302 {
            break;
        }
        assert!(asked - left < Duration::from_secs(2), "still served {:?} after signing out", asked - left);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    replica.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_session_signs_nobody_out_and_writes_nothing() {
    // F04
    let Some(redis) = Redis::start("signing out without a session") else { return };
    let rig = Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    let browser = signed_in(&rig).await;
    let writes = |redis: &Redis| -> u64 {
        let stats: String = redis.ask(&[b"INFO", b"commandstats"]);
        let calls = |line: &str| line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok();
        let written = ["cmdstat_set:", "cmdstat_del:", "cmdstat_unlink:", "cmdstat_getdel:", "cmdstat_psetex:"];
        stats.lines().filter(|line| written.iter().any(|name| line.starts_with(name))).filter_map(calls).sum()
    };
    let before = writes(&redis);
    assert!(before > 0);
    for value in ["A".repeat(43), "B".repeat(43), "short".to_owned(), "C".repeat(500)] {
        let stranger = Browser::new();
        stranger.plant("localhost", "__Host-gw", &value);
        assert_eq!(stranger.post(rig.url("/oauth2/sign_out"), &[]).await.status, 200);
        stranger.plant("localhost", "__Host-gw", &value);
        assert_eq!(stranger.open(rig.url("/app")).await.status, 302);
        assert!(!stranger.cookies("localhost").contains_key("__Host-gw"));
    }
    assert_eq!(writes(&redis), before);
    assert!(is_signed_in(&rig, &browser).await);
}

// F26: what reaches the network side of the back-channel logout.
#[tokio::test(flavor = "multi_thread")]
async fn a_back_channel_logout_is_a_small_form_that_is_posted() {
    let rig = Rig::start().await;
    let browser = signed_in(&rig).await;
    let url = rig.url("/oauth2/backchannel_logout");
    let post = async |body: String, kind: &str| {
        Browser::new()
            .send(Method::POST, &url, Some(body), &[("content-type", kind), ("accept", "application/json")])
            .await
    };
    let form = "application/x-www-form-urlencoded";
    for (body, kind, status) in [
        (String::new(), form, 400),
        ("logout_token=a.b.c".to_owned(), form, 400),
        ("{\"logout_token\":\"a.b.c\"}".to_owned(), "application/json", 400),
        (format!("logout_token={}", "a".repeat(40_000)), form, 413),
    ] {
        let answer = post(body, kind).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        if status == 400 {
            assert_eq!(answer.json()["error"], "invalid_request", "{}", answer.body);
        }
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(browser.send(method, &url, None, &[]).await.status, 405);
    }
    assert_eq!(browser.open(rig.url("/oauth2/frontchannel_logout?iss=a&sid=b")).await.status, 404, "off by default");
    assert!(is_signed_in(&rig, &browser).await);
}
