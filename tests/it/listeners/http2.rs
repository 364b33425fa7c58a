//! HTTP/2 of clients.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::{Method, Request};
use tokio::net::TcpStream;
use zengate::app::App;

use crate::support::browser::Browser;
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::tls::{Client, Pair, ask, speak_http2};

/// A rig, a node of it that speaks HTTP/2 under TLS, and a client for it.
async fn under_tls() -> (Rig, App, Client) {
    let rig = Rig::start().await;
    let (node, client) = node_of(&rig).await;
    (rig, node, client)
}

/// Cookies of people who signed in, and a node with the same sessions.
async fn signed_in(people: &[&str]) -> (Rig, App, Client, Vec<(String, String)>) {
    let mut rig = Rig::embedded().await;
    let mut signed_in = Vec::new();
    for person in people {
        let browser = Browser::new();
        let page = rig.sign_in(&browser, "/app", person).await;
        assert_eq!(page.status, 200, "{person}");
        signed_in.push((browser.cookie_header("localhost"), rig.upstream.last().one("x-auth-sub").unwrap()));
    }
    rig.stop_gateway().await;
    let (node, client) = node_of(&rig).await;
    (rig, node, client, signed_in)
}

async fn node_of(rig: &Rig) -> (App, Client) {
    let pair = Pair::of(&["localhost"]);
    pair.write(rig.dir(), "own");
    let tls = "tls: { certificates: [{ certificate: DIR/own.pem, key: DIR/own.key }] }";
    let node = rig.node_listening(&format!("listeners:\n  - {{ address: '127.0.0.1:0', {tls} }}\n")).await;
    (node, Client::trusting(&[&pair]))
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://localhost{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_protocol_that_both_speak_is_spoken() {
    let (rig, node, client) = under_tls().await;
    for (offered, spoken) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1"), (&["h2"], "h2")] {
        let stream = client.clone().offering(offered).connect(node.address(), "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(spoken.as_bytes()));
    }
    // Whoever agreed on HTTP/2 and speaks something else is told nothing.
    let mut stream = client.clone().offering(&["h2"]).connect(node.address(), "localhost").await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, get("/public", "").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ended = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    assert_eq!((answer.as_slice(), rig.upstream.count()), (&b""[..], 0));
    let http2 = client.http2(node.address(), "localhost").await;
    let answer = ask(&http2, request(Method::GET, "/public").body(()).unwrap(), &[]).await.unwrap();
    assert_eq!(answer.status, 200);
    let seen = rig.upstream.last();
    assert_eq!(
        (seen.one("host").as_deref(), seen.one("x-forwarded-proto").as_deref()),
        (Some("localhost"), Some("http"))
    );
    assert_eq!(seen.one("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sees_one_cookie_one_end_and_no_header_of_ours() {
    // G08
    let (rig, node, client, people) = signed_in(&["maya"]).await;
    let http2 = client.http2(node.address(), "localhost").await;
    // Crumbs (RFC 9113, 8.2.3): nobody is signed in if only the first is read.
    let mut asked = request(Method::GET, "/app").header("x-auth-sub", "forged").header("te", "trailers");
    asked = asked.header("cookie", "theme=dark");
    for crumb in people[0].0.split("; ") {
        asked = asked.header("cookie", crumb.to_owned());
    }
    let answer = ask(&http2, asked.header("cookie", "last=1").body(()).unwrap(), &[]).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let seen = rig.upstream.last();
    assert_eq!(seen.all("cookie").len(), 1, "{:?}", seen.fields());
    let cookie = seen.one("cookie").unwrap();
    assert!(cookie.contains("theme=dark") && cookie.contains("last=1") && !cookie.contains("__Host-gw"), "{cookie}");
    assert!(seen.all("x-auth-sub").len() == 1 && seen.one("x-auth-sub").as_deref() != Some("forged"));
    // A body whose last frame is empty has one end, or the next request on the same connection is read wrongly.
    for _ in 0..2 {
        let post = request(Method::POST, "/public").body(()).unwrap();
        assert_eq!(ask(&http2, post, &[b"hel", b"lo"]).await.unwrap().status, 200);
    }
    let raw = rig.upstream.raw();
    let ends = memchr::memmem::find_iter(&raw, b"\r\n0\r\n\r\n").count();
    assert_eq!((ends, memchr::memmem::find_iter(&raw, b"0\r\n\r\n0\r\n\r\n").count()), (2, 0));
    // HEAD has no body, of the app as of ours.
    for path in ["/public", "/app", "/nowhere"] {
        let answer = ask(&http2, request(Method::HEAD, path).body(()).unwrap(), &[]).await.unwrap();
        assert_eq!(answer.body, b"", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_of_two_people_at_once_are_answered_as_themselves() {
    // F13
    let (rig, node, client, people) = signed_in(&["maya", "ines"]).await;
    assert_ne!(people[0].1, people[1].1);
    let http2 = client.http2(node.address(), "localhost").await;
    let before = rig.upstream.count();
    let asking = (0..100).map(|number| {
        let path = format!("/app/{}/{number}", number % 2);
        let request = request(Method::GET, &path).header("cookie", &people[number % 2].0).body(()).unwrap();
        let http2 = http2.clone();
        async move { ask(&http2, request, &[]).await.unwrap().status.as_u16() }
    });
    let statuses: BTreeSet<u16> = futures_util::future::join_all(asking).await.into_iter().collect();
    assert_eq!(statuses, BTreeSet::from([200]));
    let seen = rig.upstream.seen();
    assert_eq!(seen.len() - before, 100);
    for seen in &seen[before..] {
        let whose = usize::from(seen.target().starts_with("/app/1/"));
        assert_eq!(seen.one("x-auth-sub").as_ref(), Some(&people[whose].1), "{}", seen.target());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_the_limits_that_it_has_on_http_1() {
    // L10, L03
    let (rig, node, client) = under_tls().await;
    let http2 = client.http2(node.address(), "localhost").await;
    let with = |count: usize, length: usize| {
        let mut asked = request(Method::GET, "/public");
        for number in 0..count {
            asked = asked.header(format!("x-{number}"), "v".repeat(length));
        }
        asked.body(()).unwrap()
    };
    for (count, length, status) in [(90, 10, 200), (110, 10, 431), (3, 9_000, 200), (4, 9_000, 431), (8, 9_000, 431)] {
        let answer = ask(&http2, with(count, length), &[]).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{count} of {length}");
    }
    assert_eq!(rig.upstream.count(), 2);
    let long = format!("/public?{}", "a".repeat(9_000));
    assert_eq!(ask(&http2, request(Method::GET, &long).body(()).unwrap(), &[]).await.unwrap().status, 414);
}

async fn plain(h2c: bool) -> (Rig, App) {
    let rig = Rig::with(Choices { top: "limits:\n  header_deadline: 1s\n".to_owned(), ..Choices::default() }).await;
    let node = rig.node_listening(&format!("listeners:\n  - {{ address: '127.0.0.1:0', h2c: {h2c} }}\n")).await;
    (rig, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_http_2_is_spoken_only_where_it_is_said_so() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (rig, node) = plain(false).await;
    assert_ne!(exchange(node.address(), preface).await.status(), 200);
    assert_eq!(rig.upstream.count(), 0);
    let (rig, node) = plain(true).await;
    let http2 = speak_http2(TcpStream::connect(node.address()).await.unwrap()).await;
    let asked = Request::get("http://localhost/public").body(()).unwrap();
    assert_eq!(ask(&http2, asked, &[]).await.unwrap().status, 200);
    // HTTP/1.1 beside it, and whole.
    let mut connection = Connection::open(node.address()).await;
    for _ in 0..2 {
        assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
    }
    assert_eq!(rig.upstream.count(), 3);
    // Nobody is waited for: not with a part of a preface, not with one of a request line.
    for begun in [&preface[..10], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"GET /public HT"] {
        let mut stalled = Connection::open(node.address()).await;
        stalled.send(begun).await;
        let start = Instant::now();
        stalled.rest(Duration::from_secs(4)).await;
        assert!((900..3500).contains(&start.elapsed().as_millis()), "{begun:?}: {:?}", start.elapsed());
    }
}
