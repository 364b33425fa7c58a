//! F: a session is one secret in one cookie, and worth nothing in any other form or place.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;

use super::{assert_refused, at_once, is_signed_in, start_url, until_signed_in};
use crate::support::browser::{Browser, Page};
use crate::support::raw::Connection;
use crate::support::redis::Redis;
use crate::support::rig::{CLIENT_ID, Choices, Rig};

const SESSION: &str = "__Host-gw";

async fn signed_in(rig: &Rig) -> Browser {
    at_once(rig, "maya");
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/app")).await.status, 200);
    browser
}

/// A browser that has nothing but one cookie.
fn with_cookie(name: &str, value: &str) -> Browser {
    let browser = Browser::new();
    browser.plant("localhost", name, value);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_has_every_attribute_and_no_meaning() {
    // F01
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let mut ids = HashSet::new();
    for _ in 0..5 {
        let page = until_signed_in(&Browser::new(), rig.url("/app")).await;
        for cookie in page.set_cookies() {
            let attributes: HashSet<_> = cookie.split("; ").skip(1).collect();
            for needed in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(attributes.contains(needed), "{cookie}");
            }
            assert!(cookie.starts_with("__Host-") && !cookie.contains("Domain"), "{cookie}");
        }
        let cookies = page.set_cookies();
        let id = cookies.iter().find_map(|cookie| cookie.strip_prefix("__Host-gw=")?.split(';').next()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 32);
        assert!(ids.insert(id.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_from_before_a_sign_in_is_worth_nothing_after_it() {
    // F02
    let rig = Rig::start().await;
    let attacker = signed_in(&rig).await;
    let planted = attacker.cookies("localhost")[SESSION].clone();
    for value in [planted.as_str(), &"A".repeat(43), "x", ""] {
        let victim = with_cookie(SESSION, value);
        at_once(&rig, "noor");
        until_signed_in(&victim, start_url(&rig, &[("rd", "/app")])).await;
        assert_ne!(victim.cookies("localhost")[SESSION], value);
        assert!(is_signed_in(&rig, &victim).await);
        assert!(!is_signed_in(&rig, &with_cookie(SESSION, value)).await, "{value:?}");
    }
    assert!(!is_signed_in(&rig, &attacker).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_one_exact_name_is_the_cookie() {
    // F03
    let rig = Rig::start().await;
    let id = signed_in(&rig).await.cookies("localhost")[SESSION].clone();
    for name in [
        "gw",
        "__Secure-gw",
        "__host-gw",
        "__HOST-GW",
        "__Host-GW",
        "__Host-gw2",
        "_Host-gw",
        "__Host-gwtx-a",
        "x__Host-gw",
        "Host-gw",
    ] {
        let page = with_cookie(name, &id).open(rig.url("/app")).await;
        assert_eq!(page.status, 302, "{name}");
    }
    for header in [
        format!("__Host-gw=A; __Host-gw={id}"),
        format!("__Host-gw={id}; __Host-gw=A"),
        format!("a=\"; __Host-gw = {id}\""),
    ] {
        let headers = [("accept", "text/html"), ("cookie", header.as_str())];
        let page = Browser::new().send(reqwest::Method::GET, rig.url("/app"), None, &headers).await;
        assert_eq!(page.status, 302, "{header}");
    }
    assert_eq!(rig.upstream.count(), 1);
    assert!(is_signed_in(&rig, &with_cookie(SESSION, &id)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_leads_nowhere_is_taken_away_and_costs_one_question() {
    // F04, F20
    let Some(redis) = Redis::start("made-up session ids") else { return };
    let routes = "  - { host: second.localhost, path: /app, access: session, upstream: 'UPSTREAM' }\n".to_owned();
    let rig = Rig::with(Choices { sessions: redis.sessions(), routes, ..Choices::default() }).await;
    let id = signed_in(&rig).await.cookies("localhost")[SESSION].clone();
    let commands = |redis: &Redis| -> u64 {
        let stats: String = redis.ask(&[b"INFO", b"commandstats"]);
        let ours = ["cmdstat_get:", "cmdstat_set:", "cmdstat_del:", "cmdstat_getdel:", "cmdstat_getex:"];
        let calls = |line: &str| line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok();
        stats.lines().filter(|line| ours.iter().any(|name| line.starts_with(name))).filter_map(calls).sum()
    };
    let long = "A".repeat(5_000);
    for value in
        ["A".repeat(43).as_str(), &id[..42], &format!("{id}A"), &long, "", "%00", "../../x", &id.to_lowercase()]
    {
        for path in ["/app", "/oauth2/sign_in", "/oauth2/session", "/oauth2/userinfo"] {
            let browser = with_cookie(SESSION, value);
            let before = commands(&redis);
            let page = browser.open(rig.url(path)).await;
            assert!([200, 302, 401].contains(&page.status.as_u16()), "{path}: {}", page.status);
            assert!(
                !browser.cookies("localhost").contains_key(SESSION),
                "{path} with {value:?}: {:?}",
                page.set_cookies()
            );
            assert!(commands(&redis) <= before + 1);
        }
        // A start writes what it begins; beside that there is the one question.
        let hand_off = format!("/oauth2/start?host=second.localhost&hand_off={}", "A".repeat(43));
        for path in ["/oauth2/start", &hand_off] {
            let browser = with_cookie(SESSION, value);
            let before = commands(&redis);
            assert_eq!(browser.open(rig.url(path)).await.status, 302);
            assert!(!browser.cookies("localhost").contains_key(SESSION), "start with {value:?}");
            assert!(commands(&redis) <= before + 2, "{path} with {value:?}");
        }
    }
    let good = with_cookie(SESSION, &id);
    for path in ["/app", "/oauth2/sign_in", "/oauth2/session", "/oauth2/start"] {
        good.open(rig.url(path)).await;
        assert_eq!(good.cookies("localhost")[SESSION], id, "the twin keeps its cookie at {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_an_expired_and_a_corrupt_session_look_alike() {
    // F08, R09
    let Some(redis) = Redis::start("corrupt session records") else { return };
    let rig = Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    let mut bent = Vec::new();
    for change in ["none", "gone", "flipped", "truncated", "empty", "swapped", "version"] {
        let browser = signed_in(&rig).await;
        let id = URL_SAFE_NO_PAD.decode(&browser.cookies("localhost")[SESSION]).unwrap();
        let name = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &id);
        let name: String = name.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("zengate:session:{name}");
        let mut record: Vec<u8> = redis.ask(&[b"GET", key.as_bytes()]);
        match change {
            "gone" => drop(redis.ask::<i64>(&[b"DEL", key.as_bytes()])),
            "flipped" => *record.last_mut().unwrap() ^= 1,
            "truncated" => record.truncate(record.len() / 2),
            "empty" => record.clear(),
            "version" => record[0] ^= 0x7f,
            _ => {}
        }
        if change == "swapped" {
            let other = redis.keys("zengate:session:").into_iter().find(|other| other != key.as_bytes()).unwrap();
            record = redis.ask(&[b"GET", &other]);
        }
        if change != "gone" {
            let _: String = redis.ask(&[b"SET", key.as_bytes(), &record, b"PX", b"600000"]);
        }
        bent.push((change, browser));
    }
    bent.push(("made up", with_cookie(SESSION, &"A".repeat(43))));
    // A gateway that has none of them in memory.
    let fresh = rig.another_node().await;
    let mut answers = HashSet::new();
    for (change, browser) in &bent {
        let plain = |page: Page| {
            let headers = page.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
            let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
            let body = page.body.split("request_id").next().unwrap().to_owned();
            format!("{} {headers:?} {body}", page.status)
        };
        // Nothing but this one cookie: what else a browser has may be answered too.
        let browser = with_cookie(SESSION, &browser.cookies("localhost")[SESSION]);
        let session = browser.fork().open(rig.url_at(&fresh, "/oauth2/session")).await;
        let app = browser.fork().open(rig.url_at(&fresh, "/app")).await;
        if *change == "none" {
            assert_eq!((session.status.as_u16(), app.status.as_u16()), (200, 200), "the twin");
        } else {
            answers.insert((plain(session), plain(app)));
        }
    }
    assert_eq!(answers.len(), 1, "{}", answers.iter().map(|(a, b)| format!("{a}\n{b}\n")).collect::<String>());
    fresh.stop(std::time::Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_live_through_a_change_of_keys_as_long_as_the_old_key_is_accepted() {
    // F10
    let [old, new] = ["lhnsOVrSQ7vM45w6ERvTTzyw5K9PzmS87LvoChHHDnU", "N+UBFH1qEJUAdxdFyqeX+e/bHAh2WC8c6bBHsHd35BI"];
    let sessions = |keys: &str| format!("  store: embedded\n  path: DIR/sessions.redb\n  keys: [{keys}]\n");
    let mut rig = Rig::with(Choices { sessions: sessions(old), ..Choices::default() }).await;
    let before = signed_in(&rig).await;
    rig.choices.sessions = sessions(&format!("{new}, {old}"));
    rig.restart().await;
    assert!(is_signed_in(&rig, &before).await, "the old key still opens");
    let after = signed_in(&rig).await;
    rig.choices.sessions = sessions(new);
    rig.restart().await;
    assert!(is_signed_in(&rig, &after).await, "the new key sealed it");
    assert!(!is_signed_in(&rig, &before).await, "the old key is gone");
    assert_eq!(before.go(rig.url("/app")).await.status, 200, "and its owner signs in again");
}

/// What must not be found in a store: everything that names the person or opens the session.
fn canaries(rig: &Rig, browser: &Browser) -> Vec<Vec<u8>> {
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let maya = zengate_simulator::personas().iter().find(|person| person.id == "maya").unwrap();
    let mut all: Vec<Vec<u8>> = [maya.email, maya.given_name, maya.family_name, maya.phone]
        .into_iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([aurora.subject(CLIENT_ID, maya).into_bytes(), aurora.issuer().into_bytes(), b"\"email\"".to_vec()])
        .collect();
    for (name, value) in browser.cookies("localhost") {
        all.push(value.clone().into_bytes());
        if name == SESSION {
            all.push(URL_SAFE_NO_PAD.decode(&value).unwrap());
        }
    }
    let token = aurora.last("token").unwrap();
    all.extend(
        ["code", "code_verifier", "correlation_id"].map(|name| token.parameter(name).unwrap().as_bytes().to_vec()),
    );
    let asked = aurora.last("authorize").unwrap();
    all.extend(["state", "nonce"].map(|name| asked.parameter(name).unwrap().as_bytes().to_vec()));
    all
}

fn assert_holds_none(what: &str, store: &[u8], canaries: &[Vec<u8>]) {
    assert!(!store.is_empty());
    for canary in canaries {
        let found = store.windows(canary.len()).any(|window| window == canary);
        assert!(!found, "{what} holds {:?}", String::from_utf8_lossy(canary));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_store_learns_nobodys_name_and_no_secret() {
    // F11
    let mut rig = Rig::embedded().await;
    let browser = signed_in(&rig).await;
    let unfinished = Browser::new();
    unfinished.open(rig.url("/app/secret-page")).await;
    unfinished.open(start_url(&rig, &[("rd", "/app/secret-page")])).await;
    let mut secrets = canaries(&rig, &browser);
    secrets.push(b"secret-page".to_vec());
    rig.stop_gateway().await;
    let file = std::fs::read(format!("{}/sessions.redb", rig.dir())).unwrap();
    assert_holds_none("the file", &file, &secrets);

    let Some(redis) = Redis::start("what Redis holds") else { return };
    let rig = Rig::with(Choices { sessions: redis.sessions(), ..Choices::default() }).await;
    let browser = signed_in(&rig).await;
    let unfinished = Browser::new();
    unfinished.open(start_url(&rig, &[("rd", "/app/secret-page")])).await;
    let mut secrets = canaries(&rig, &browser);
    secrets.push(b"secret-page".to_vec());
    assert_holds_none("Redis", &redis.dump(), &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn among_many_people_on_shared_connections_nobody_is_taken_for_another() {
    // F12
    const PEOPLE: usize = 20;
    const REQUESTS: usize = 500;
    let rig = Rig::start().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let mut cookies = Vec::new();
    for person in 0..PEOPLE {
        let browser = Browser::new();
        at_once(&rig, "maya");
        aurora.set(|rules| {
            rules.id_token_claims.insert("sub".into(), format!("person-{person}").into());
            rules.userinfo.insert("sub".into(), format!("person-{person}").into());
            rules.userinfo.insert("email".into(), serde_json::json!({ "value": format!("{person}@example.com") }));
        });
        assert_eq!(browser.go(rig.url("/app")).await.status, 200);
        cookies.push(browser.cookie_header("localhost"));
    }
    let skip = rig.upstream.count();
    let lines = (0..PEOPLE).map(|line| {
        let (cookies, address) = (&cookies, rig.address);
        async move {
            let mut connection = Connection::open(address).await;
            for turn in 0..REQUESTS {
                // Each connection carries everybody, one after the other; one in twenty is nobody.
                let person = (line * 7 + turn) % PEOPLE;
                let anonymous = turn % PEOPLE == line;
                let cookie = if anonymous { String::new() } else { format!("Cookie: {}\r\n", cookies[person]) };
                let path = if anonymous { "/public".to_owned() } else { format!("/app/{person}") };
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n");
                let answer = connection.exchange(&request).await;
                assert_eq!(answer.status(), 200, "{}", answer.text);
            }
        }
    });
    join_all(lines).await;
    let seen = rig.upstream.seen();
    assert_eq!(seen.len() - skip, PEOPLE * REQUESTS);
    for request in &seen[skip..] {
        let expected = request
            .target()
            .strip_prefix("/app/")
            .map(|person| (format!("person-{person}"), format!("{person}@example.com")));
        let told = request.one("x-auth-sub").zip(request.one("x-auth-email"));
        assert_eq!(told, expected, "{}", request.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_drops_the_session_cookie_is_told_so() {
    // A loop ends with an explanation, not with the browser's own error.
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let browser = Browser::new();
    let mut page = browser.open(rig.url("/app")).await;
    let mut hops = 0;
    while let Some(next) = page.location() {
        browser.forget("localhost", SESSION);
        page = browser.open(next).await;
        hops += 1;
        assert!(hops < 40, "it goes round in circles");
    }
    assert_refused(&page, 400, "cookie_lost");
    assert!(hops > 5 && rig.upstream.count() == 0);
    assert!(page.body.contains("does not keep our cookie"));
    // A browser that keeps it is never told so, however often it signs in and out.
    let browser = Browser::new();
    for _ in 0..8 {
        assert_eq!(browser.go(rig.url("/app")).await.status, 200);
        browser.post(rig.url("/oauth2/sign_out"), &[]).await;
    }
    for _ in 0..8 {
        assert_eq!(browser.go(start_url(&rig, &[("rd", "/app")])).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_keeps_no_cookie_at_all_cannot_get_lost_either() {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    let mut page = Browser::new().open(rig.url("/app")).await;
    for _ in 0..15 {
        let Some(next) = page.location() else { break };
        page = Browser::new().open(next).await;
    }
    assert_refused(&page, 400, "login_unknown");
    assert!(page.body.contains("did not keep our cookie"));
}
