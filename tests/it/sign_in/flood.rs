//! Beginning a sign-in needs no account: what a flood of beginnings may cost, and whom it does not touch.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use reqwest::Method;

use super::{assert_begun_anew, assert_refused, at_once, until, until_code, value};
use crate::support::browser::{Browser, Page};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// How often a Redis was asked about records.
fn questions(redis: &Redis) -> u64 {
    let stats: String = redis.ask(&[b"INFO", b"commandstats"]);
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let about_records = ["get", "getdel", "set", "del"].contains(&name);
        about_records.then(|| rest.split(',').next().unwrap().parse::<u64>().unwrap())
    });
    calls.sum()
}

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
async fn sign_ins_that_have_only_begun_cost_no_store_anything_and_shut_nobody_out() {
    // RB07, FT04
    let redis = Redis::start("sign-ins that have only begun in Redis");
    let memory = "  store: memory\n".to_owned();
    let embedded = "  store: embedded\n  path: DIR/sessions.redb\n".to_owned();
    for sessions in redis.iter().map(Redis::sessions).chain([memory, embedded]) {
        let sign_in = "  starts_per_minute: 0\n  max_attempts: 1\n".to_owned();
        let rig = Rig::with(Choices { sessions: sessions.clone(), sign_in, ..Choices::default() }).await;
        at_once(&rig, "maya");
        let keys = || {
            redis.as_ref().filter(|_| sessions.contains("redis")).map(|redis| {
                // The gateway itself looks whether its store can be written to.
                let is_probe = |key: &Vec<u8>| key.windows(7).any(|part| part == b":probe:");
                redis.keys("").iter().filter(|key| !is_probe(key)).count()
            })
        };
        let before = keys();
        let person = Browser::new();
        let ui = person.open(rig.url("/oauth2/start?rd=/app/mine")).await;
        for _ in 0..50 {
            assert_eq!(Browser::new().open(rig.url("/oauth2/start")).await.status, 302, "{sessions}");
        }
        assert_eq!(keys(), before, "nothing is stored before a browser has shown our cookie");
        let page = person.follow(ui).await;
        assert_eq!((page.status.as_u16(), page.url.path()), (200, "/app/mine"), "{sessions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_used_once_on_whichever_replica_and_over_a_restart() {
    // RB07, B06
    let redis = Redis::start("starts that are used once");
    let embedded = "  store: embedded\n  path: DIR/sessions.redb\n".to_owned();
    for sessions in redis.iter().map(Redis::sessions).chain([embedded]) {
        let on_redis = !sessions.contains("embedded");
        let mut rig = Rig::with(Choices { sessions, ..Choices::default() }).await;
        at_once(&rig, "maya");
        let browser = Browser::new();
        let carries = |page: &Page| page.location().is_some_and(|to| value(&to, "mccmnc").is_some());
        let back = until(&browser, rig.url("/app/once"), carries).await.location().unwrap();
        let windows: Vec<_> = (0..4).map(|_| browser.fork()).collect();
        let asked = rig.simulator.discovery().count();
        let replica = if on_redis { Some(rig.another_node().await) } else { None };
        let pages = join_all(windows.iter().enumerate().map(|(n, window)| {
            let mut back = back.clone();
            if let Some(replica) = replica.as_ref().filter(|_| n % 2 == 1) {
                back.set_port(Some(replica.address().port())).unwrap();
            }
            async move { window.open(back).await }
        }))
        .await;
        let anew = |page: &&Page| page.raw_location().starts_with("/oauth2/start?again=1");
        assert_eq!(pages.iter().filter(anew).count(), 3, "one of them goes on");
        assert!(pages.iter().all(|page| page.status == 302));
        assert!(rig.simulator.discovery().count() <= asked + 1);
        for page in pages.iter().filter(anew) {
            assert_begun_anew(page, "/app/once");
        }
        if let Some(replica) = replica {
            replica.stop(std::time::Duration::ZERO).await;
        }
        rig.restart().await;
        assert_begun_anew(&browser.fork().open(&back).await, "/app/once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_not_this_browsers_or_not_whole_is_nothing() {
    // RB07, B04, B05
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let is_start = |value: &str| value.starts_with("s.");
    let carries = |page: &Page| page.location().is_some_and(|to| value(&to, "mccmnc").is_some());
    type Bend = fn(&Browser, &str, &str);
    let bends: [(&str, Bend); 5] = [
        ("missing", |browser, name, _| browser.forget("localhost", name)),
        ("bent", |browser, name, value| {
            let middle = value.len() / 2;
            let other = if &value[middle..=middle] == "A" { "B" } else { "A" };
            browser.plant("localhost", name, &format!("{}{other}{}", &value[..middle], &value[middle + 1..]));
        }),
        ("cut", |browser, name, value| browser.plant("localhost", name, &value[..value.len() - 4])),
        ("doubled", |browser, _, value| {
            let other = if value.ends_with('A') { "Q" } else { "A" };
            browser.plant("localhost", "__Host-gwtx-planted", &format!("{}{other}", &value[..value.len() - 1]));
        }),
        ("of another start", |browser, name, value| {
            let (head, _) = value.rsplit_once('.').unwrap();
            browser.plant("localhost", name, &format!("{head}.{}", "A".repeat(160)));
        }),
    ];
    for (what, bend) in bends {
        let browser = Browser::new();
        let back = until(&browser, rig.url("/app/mine"), carries).await.location().unwrap();
        let cookies = browser.cookies("localhost");
        let (name, text) = cookies.iter().find(|(_, value)| is_start(value)).expect("a start");
        bend(&browser, name, text);
        let asked = rig.simulator.discovery().count();
        assert_begun_anew(&browser.open(&back).await, "/");
        assert_eq!(rig.simulator.discovery().count(), asked, "{what}");
    }
    // Another browser's start, with that browser's state and one's own binding.
    let (victim, attacker) = (Browser::new(), Browser::new());
    let own = until(&victim, rig.url("/app/mine"), carries).await.location().unwrap();
    let theirs = until(&attacker, rig.url("/app/trap"), carries).await.location().unwrap();
    for (name, value) in attacker.cookies("localhost").iter().filter(|(_, value)| is_start(value)) {
        victim.plant("localhost", name, value);
    }
    assert_begun_anew(&victim.open(&theirs).await, "/");
    assert_eq!(victim.go(&own).await.url.path(), "/app/mine", "the twin");
    assert_eq!(attacker.go(&theirs).await.url.path(), "/app/trap", "and nobody used up the owner's");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_person_can_have_meant_begins_no_sign_in() {
    // Attacks, class H
    let choices = Choices { sign_in: "  starts_per_minute: 1\n".to_owned(), ..Choices::default() };
    let rig = Rig::with(choices).await;
    let html = ("accept", "text/html,application/xhtml+xml");
    let image = ("accept", "image/avif,image/webp,*/*;q=0.8");
    type Request = (&'static str, Method, Vec<(&'static str, &'static str)>);
    let requests: [Request; 11] = [
        ("HEAD", Method::HEAD, vec![html]),
        ("an image", Method::GET, vec![image, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]),
        ("an image of an old browser", Method::GET, vec![image]),
        ("a script", Method::GET, vec![("accept", "*/*"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")]),
        ("fetch", Method::GET, vec![html, ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]),
        ("a frame", Method::GET, vec![html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]),
        ("an object", Method::GET, vec![html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "object")]),
        ("a prefetch", Method::GET, vec![html, ("sec-purpose", "prefetch"), ("sec-fetch-mode", "cors")]),
        (
            "a prerender",
            Method::GET,
            vec![
                html,
                ("sec-purpose", "prefetch;prerender"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
        ),
        ("an old prefetch", Method::GET, vec![html, ("purpose", "prefetch")]),
        ("an XMLHttpRequest", Method::GET, vec![html, ("x-requested-with", "XMLHttpRequest")]),
    ];
    for (what, method, headers) in requests {
        for _ in 0..4 {
            let page = Browser::new().send(method.clone(), rig.url("/oauth2/start?rd=/app"), None, &headers).await;
            assert!([401, 405].contains(&page.status.as_u16()), "{what}: {}", page.status);
            assert!(page.set_cookies().is_empty(), "{what}");
        }
    }
    // The twins: a navigation of a browser that says what it does, from wherever, and of one that does not.
    let navigation =
        [html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), ("sec-fetch-site", "cross-site")];
    for headers in [&navigation[..], &[html][..]] {
        let page = Browser::new().send(Method::GET, rig.url("/oauth2/start?rd=/app"), None, headers).await;
        assert_eq!(page.status, 302, "nobody spent the budget of two");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_callbacks_and_tickets_are_charged_to_whoever_sends_them_and_ask_the_store_nothing() {
    // RB12, FT17
    let Some(redis) = Redis::start("forged callbacks") else { return };
    let choices = Choices {
        sessions: redis.sessions(),
        sign_in: "  starts_per_minute: 2\n".to_owned(),
        top: "trusted_proxies: [127.0.0.1]\n".to_owned(),
        ..Choices::default()
    };
    let rig = Rig::with(choices).await;
    at_once(&rig, "maya");
    let person = Browser::new();
    let callback = until_code(&person, rig.url("/app/mine")).await;
    let asked = questions(&redis);
    // A pair of cookie and state that fits as far as anybody without our key can make it fit.
    let (secret, random) = ([7_u8; 32], [8_u8; 16]);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let mac = aws_lc_rs::hmac::sign(&key, &[&b"zengate state v1"[..], &random].concat());
    let state = URL_SAFE_NO_PAD.encode([&random[..], &mac.as_ref()[..16]].concat());
    let ticket = "A".repeat(43);
    let mut answers = std::collections::BTreeMap::new();
    for n in 0..40 {
        let stranger = Browser::new();
        stranger.plant("localhost", "__Host-gwtx-forged", &format!("1{:x}.{}", 1, URL_SAFE_NO_PAD.encode(secret)));
        let more = if n % 2 == 0 { "code=x".to_owned() } else { format!("ticket={ticket}") };
        let url = rig.url(&format!("/oauth2/callback?state={state}&{more}"));
        let headers = [("accept", "text/html"), ("x-forwarded-for", "192.0.2.7")];
        let page = stranger.send(Method::GET, url, None, &headers).await;
        *answers.entry(page.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(questions(&redis), asked, "the store heard of none of them");
    assert_eq!(answers.get(&302), Some(&4), "{answers:?}");
    assert_eq!(answers.get(&429), Some(&36), "{answers:?}");
    // The twin: whoever has a sign-in of their own ends it, from the same address too.
    let headers = [("accept", "text/html"), ("x-forwarded-for", "192.0.2.7")];
    let page = person.send(Method::GET, &callback, None, &headers).await;
    assert_eq!((page.raw_location(), page.gives_session()), ("/app/mine", true));
}
