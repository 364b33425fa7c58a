//! Health on the public listener.

use std::time::Duration;

use crate::support::raw::{Connection, RawAnswer, exchange};
use crate::support::rig::Rig;

fn ask(method: &str, host: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

fn is_ours(answer: &RawAnswer) -> bool {
    matches!(answer.body(), "ok\n" | "stopping\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_told_under_any_name_and_no_app_is_asked() {
    // MV20
    let rig = Rig::start().await;
    let node = rig.node_listening("listen: '127.0.0.1:0'\nhealth_path: /healthz\n").await;
    for host in ["localhost", "10.0.0.7:4180", "[fd00::7]:4180", "elsewhere.test"] {
        let answer = exchange(node.address(), ask("GET", host, "/healthz?probe=1").as_bytes()).await;
        let said = (answer.status(), answer.body(), answer.header("cache-control"));
        assert_eq!(said, (200, "ok\n", Some("no-store")), "{host}");
    }
    // As balancers ask that speak HTTP/1.0.
    let answer = exchange(node.address(), b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status(), answer.body(), answer.closed), (200, "ok\n", true));
    let mut connection = Connection::open(node.address()).await;
    connection.send(ask("HEAD", "x", "/healthz")).await;
    connection.send(ask("GET", "x", "/healthz").replace("Host: x", "Host: x\r\nConnection: close")).await;
    let both = connection.rest(Duration::from_secs(4)).await;
    let both = String::from_utf8_lossy(&both).into_owned();
    assert_eq!((both.matches("HTTP/1.1 200").count(), both.matches("\r\n\r\nok\n").count()), (2, 1), "{both}");
    // Whatever is not that very question is judged as everything is.
    for other in [
        ask("POST", "localhost", "/healthz"),
        ask("OPTIONS", "localhost", "/healthz"),
        ask("GET", "localhost", "/healthz/"),
        ask("GET", "localhost", "/healthz/x"),
        ask("GET", "localhost", "/Healthz"),
        ask("GET", "bad host", "/healthz"),
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "GET /public HTTP/1.0\r\n\r\n".to_owned(),
        "POST /healthz HTTP/1.0\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ] {
        let answer = exchange(node.address(), other.as_bytes()).await;
        assert!(!is_ours(&answer) && answer.status() != 200, "{other}: {}", answer.text);
    }
    // The twin: off by default.
    let answer = exchange(rig.address, ask("GET", "localhost", "/healthz").as_bytes()).await;
    assert!(!is_ours(&answer), "{}", answer.text);
    assert_eq!(rig.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_will_stop_says_so_and_serves_on() {
    // FT09, MV20
    let rig = Rig::start().await;
    let node = rig.node_listening("listen: '127.0.0.1:0'\nhealth_path: /healthz\n").await;
    let mut kept = Connection::open(node.address()).await;
    assert_eq!(kept.exchange(ask("GET", "localhost", "/public")).await.status(), 200);
    node.announce_stop();
    let answer = exchange(node.address(), ask("GET", "x", "/healthz").as_bytes()).await;
    assert_eq!((answer.status(), answer.body(), answer.header("connection")), (503, "stopping\n", Some("close")));
    let private = exchange(node.admin_address(), ask("GET", "localhost", "/readyz").as_bytes()).await;
    assert_eq!(private.status(), 503);
    // Whoever comes is served, on a kept connection and on a new one, and told to go elsewhere.
    let before = rig.upstream.count();
    let answers = [
        kept.exchange(ask("GET", "localhost", "/public")).await,
        exchange(node.address(), ask("GET", "localhost", "/public").as_bytes()).await,
    ];
    for answer in answers {
        assert_eq!((answer.status(), answer.header("connection"), answer.closed), (200, Some("close"), true));
    }
    assert_eq!(rig.upstream.count() - before, 2);
    assert_eq!(node.stop(Duration::from_secs(2)).await, 0);
}
