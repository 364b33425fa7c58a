//! I: where one request ends and the next begins is a question with one answer, or none at all.

use std::time::Duration;

use super::{plain, refused, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Then;
use crate::support::wait_until;

/// A second request that must never be parsed; if it were, the app would see `/public/smuggled`.
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn malformed(rig: &Rig, head: &str) {
    let bytes = format!("{head}\r\n\r\n{SMUGGLED}");
    let mut connection = Connection::open(rig.address).await;
    let before = rig.upstream.bytes();
    connection.send(&bytes).await;
    let all = connection.rest(Duration::from_secs(5)).await;
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.starts_with("HTTP/1.1 400 "), "{head:?}: {text:?}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{head:?}: {text:?}");
    assert!(text.to_ascii_lowercase().contains("connection: close"), "{head:?}: {text:?}");
    assert!(!text.contains("ingora") && text.contains("\"request_malformed\""), "{head:?}: {text:?}");
    assert_eq!(rig.upstream.bytes(), before, "{head:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_of_two_readings_is_refused() {
    // I01–I05, I07
    let rig = Rig::start().await;
    let post = |lines: &str| format!("POST /public HTTP/1.1\r\nHost: localhost\r\n{lines}");
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5,6",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 18446744073709551621",
        "Content-Length: +5",
        "Content-Length: 5;",
        "Content-Length: ５",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunk",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
    ] {
        malformed(&rig, &post(lines)).await;
    }
    malformed(&rig, "POST /public HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked").await;
    malformed(&rig, "POST /public HTTP/1.0\r\nTransfer-Encoding: chunked").await;
    for body in ["Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"] {
        let answer = exchange(rig.address, post(body).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{body}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_no_field_is_refused() {
    // I06, I09, I12, I14
    let rig = Rig::start().await;
    let with = |lines: &str| format!("GET /public HTTP/1.1\r\nHost: localhost\r\n{lines}");
    for lines in [
        "Transfer-Encoding : chunked",
        "Content-Length : 5",
        "X-A: b\r\n folded",
        "X-A: b\r\n\tfolded",
        "X-A: a\0b",
        "X-A: a\rb",
        "X A: b",
        "X\tA: b",
        ": b",
        "X-A",
        "X-A\r\n: b",
        "X(A: b",
        "X-A\0: b",
        "Host: localhost",
        "Host: evil.test",
        "X-Ä: b",
        "\x01: b",
        "X-A: a\x01b",
    ] {
        malformed(&rig, &with(lines)).await;
    }
    for head in [
        "GET /public HTTP/1.1",
        "GET /public HTTP/1.1\r\nHost:",
        "GET /public HTTP/1.1\r\nHost: a@b",
        "GET /public HTTP/1.1\r\nHost: localhost, evil.test",
        "GET /public HTTP/1.1\r\nHost: localhost/x",
        "GET /public HTTP/1.1\r\nHost: local host",
        "GET /public HTTP/1.1\r\nHost: localhost:80:80",
        "GET /public HTTP/1.1\r\nHost: localhost:x",
        "GET /public HTTP/1.1\r\nHost: [localhost]",
        " GET /public HTTP/1.1\r\nHost: localhost",
        "GET  /public HTTP/1.1\r\nHost: localhost",
        "GET /public  HTTP/1.1\r\nHost: localhost",
        "GET\t/public HTTP/1.1\r\nHost: localhost",
        "GET /public HTTP/1.1 \r\nHost: localhost",
        "GET /public HTTP/1.2\r\nHost: localhost",
        "GET /public HTTP/2.0\r\nHost: localhost",
        "GET /public HTTP/0.9\r\nHost: localhost",
        "GET /public http/1.1\r\nHost: localhost",
        "GET /public HTTP/11\r\nHost: localhost",
        "G(T /public HTTP/1.1\r\nHost: localhost",
        "\x16\x03\x01 /public HTTP/1.1\r\nHost: localhost",
        "\0GET /public HTTP/1.1\r\nHost: localhost",
        "GET /public\r\nHost: localhost",
        "GET /public",
        "GET",
        "\x01\x02",
        "GET /public HTTP/1.1\r\n Host: localhost",
        "PRI * HTTP/2.0",
    ] {
        malformed(&rig, head).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_end_in_one_way() {
    // I09
    let rig = Rig::start().await;
    for request in [
        "GET /public HTTP/1.1\nHost: localhost\n\n",
        "GET /public HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /public HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: localhost\r\n\n",
        "GET /public HTTP/1.1\rHost: localhost\r\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: localhost\r\nX-A: b\rX-B: c\r\n\r\n",
        "\r\n\r\nGET /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\nGET /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\rGET /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\nGET /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        refused(&rig, request.as_bytes(), &[400]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_as_long_as_it_says() {
    // I08
    let rig = Rig::start().await;
    let head = "POST /public HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bodies = [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\nhello\n0\n\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        ";x\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
    ];
    // Together with the head, and once the app has seen an honest beginning.
    for (body, at_once) in bodies.iter().flat_map(|body| [(body, true), (body, false)]) {
        let requests = rig.upstream.count();
        let mut connection = Connection::open(rig.address).await;
        if at_once {
            connection.send(format!("{head}{body}{SMUGGLED}")).await;
        } else {
            let bytes = rig.upstream.bytes();
            connection.send(format!("{head}3\r\nabc\r\n")).await;
            wait_until(|| rig.upstream.bytes() > bytes && rig.upstream.raw().ends_with(b"abc\r\n")).await;
            connection.send(format!("{body}{SMUGGLED}")).await;
        }
        let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
        assert!(text.matches("HTTP/1.1 ").count() <= 1, "{body:?}: {text}");
        assert!(text.starts_with("HTTP/1.1 400 "), "{body:?} {at_once}: {text:?}");
        assert_eq!(rig.upstream.count(), requests, "{body:?}: the app saw a whole request");
        // A connection to the app on which half a body lies is not used again: the app would take this for its rest.
        let answer = exchange(rig.address, get("/public/next", "").as_bytes()).await;
        assert_eq!(answer.status(), 200, "{body:?}: {}", answer.text);
        assert_eq!(rig.upstream.last().target(), "/public/next");
    }
    assert!(!String::from_utf8_lossy(&rig.upstream.raw()).contains("smuggled"));
    // What is forgiven is written anew: the app reads it in one way.
    for body in ["05\r\nhello\r\n0\r\n\r\n", "5;x=y\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n00\r\nX: y\r\n\r\n"] {
        let before = rig.upstream.count();
        let answer = exchange(rig.address, format!("{head}{body}").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.count()), (200, before + 1), "{body:?}: {}", answer.text);
        assert_eq!(String::from_utf8_lossy(&rig.upstream.last().body), "5\r\nhello\r\n0\r\n\r\n", "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_looks_like_a_request_stays_a_body() {
    // I10
    let rig = Rig::start().await;
    for method in ["GET", "DELETE", "OPTIONS", "POST", "PUT"] {
        let before = rig.upstream.count();
        let request = format!(
            "{method} /public HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{SMUGGLED}",
            SMUGGLED.len()
        );
        let answer = exchange(rig.address, request.as_bytes()).await;
        assert_eq!(answer.status(), 200, "{method}: {}", answer.text);
        assert_eq!(rig.upstream.count(), before + 1, "{method}");
        assert_eq!(rig.upstream.last().body, SMUGGLED.as_bytes(), "{method}");
    }
    // HEAD, whose answer has no body
    let request = format!(
        "HEAD /public HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );
    rig.upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    exchange(rig.address, request.as_bytes()).await;
    assert_eq!(rig.upstream.last().body, SMUGGLED.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_after_an_early_refusal_is_taken_for_a_request() {
    // I11
    let rig = Rig::start().await;
    for (path, status) in [("/app", 401), ("/nowhere", 403), ("/oauth2/nothing", 404)] {
        for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nffff\r\n"] {
            let before = rig.upstream.bytes();
            let mut connection = Connection::open(rig.address).await;
            connection.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}{SMUGGLED}")).await;
            let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {framing}: {text}");
            assert_eq!(
                (text.matches("HTTP/1.1 ").count(), rig.upstream.bytes()),
                (1, before),
                "{path} {framing}: {text}"
            );
        }
    }
    // A small body is read away, and the connection goes on with what follows it.
    let mut connection = Connection::open(rig.address).await;
    let answer = connection.exchange("POST /app HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!((answer.status(), answer.header("connection")), (401, Some("keep-alive")));
    let answer = connection.exchange(get("/public/after", "")).await;
    assert_eq!((answer.status(), rig.upstream.last().target()), (200, "/public/after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_pipeline_is_judged_by_itself() {
    // I13
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    let before = rig.upstream.count();
    let mut connection = Connection::open(rig.address).await;
    connection.send(format!("{}{}{}", get("/app/1", &cookie), get("/app/2", ""), get("/app/3", &cookie))).await;
    let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let targets: Vec<_> = rig.upstream.seen()[before..].iter().map(|seen| seen.target().to_owned()).collect();
    assert!(!targets.contains(&"/app/2".to_owned()), "{targets:?}");
    // On one connection, one after the other: a session does not rub off.
    let mut connection = Connection::open(rig.address).await;
    assert_eq!(connection.exchange(get("/app", &cookie)).await.status(), 200);
    assert_eq!(connection.exchange(get("/app", "")).await.status(), 401);
    assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
    assert_eq!(rig.upstream.last().one("x-auth-sub"), None);
    assert_eq!(connection.exchange(get("/app", &cookie)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_did_not_happen_lets_nothing_through() {
    // I16, I17: CVE-2026-2833
    let routes =
        "  - { host: localhost, path: /ws, access: anonymous, upstream: 'UPSTREAM', websocket: true }\n".to_owned();
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n";
    for path in ["/ws", "/public"] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(get(path, upgrade) + SMUGGLED).await;
        let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 ") || text.starts_with("HTTP/1.1 4"), "{path}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{path}: {text}");
    }
    for upgrade in ["h2c", "foo", "websocket, h2c", "TLS/1.0"] {
        for path in ["/ws", "/public"] {
            exchange(rig.address, get(path, &format!("Connection: Upgrade\r\nUpgrade: {upgrade}\r\n")).as_bytes())
                .await;
            assert_eq!(rig.upstream.last().all("upgrade"), Vec::<String>::new(), "{path} {upgrade}");
        }
    }
    assert!(!String::from_utf8_lossy(&rig.upstream.raw()).contains("smuggled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_never_opened() {
    // I18
    let rig = Rig::start().await;
    for request in [
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "CONNECT /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "TRACE /public HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let answer = refused(&rig, format!("{request}{SMUGGLED}").as_bytes(), &[400, 405]).await;
        assert!(answer.closed, "{request}: {}", answer.text);
        assert!(answer.body().contains("request_id"), "{request}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_leaves_no_trace_in_the_next_request() {
    // I19
    let rig = Rig::start().await;
    assert_eq!(exchange(rig.address, get("/public/warm", "").as_bytes()).await.status(), 200);
    rig.upstream.script("", Then::Listen);
    for framing in
        ["Content-Length: 1000\r\n\r\nGET /public/x", "Transfer-Encoding: chunked\r\n\r\n64\r\nGET /public/x"]
    {
        let bytes = rig.upstream.bytes();
        let mut connection = Connection::open(rig.address).await;
        connection.send(format!("POST /public/broken HTTP/1.1\r\nHost: localhost\r\n{framing}")).await;
        wait_until(|| rig.upstream.bytes() > bytes).await;
        drop(connection);
    }
    rig.upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    for turn in 0..5 {
        let answer = exchange(rig.address, get(&format!("/public/{turn}"), "").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.last().target()), (200, format!("/public/{turn}").as_str()));
        plain(&answer, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_only_where_both_ends_agree_that_it_may() {
    // I08: what a proxy in front of us takes for the end of a chunked body may be elsewhere
    let rig = Rig::start().await;
    let post = |lines: &str, body: &str| format!("POST /public HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{body}");
    let bent = post("Transfer-Encoding: chunked", "1;a\nx\r\nB\r\n0\r\n\r\n");
    let chunked = post("Transfer-Encoding: chunked", "1;a=b\r\nB\r\n0\r\n\r\n");
    let plain = post("Content-Length: 1", "B");
    let old = "GET /public HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned();
    for (request, kept) in [(bent, false), (chunked, true), (plain, true), (old, false)] {
        let mut connection = Connection::open(rig.address).await;
        let answer = connection.exchange(&request).await;
        assert_ne!(answer.status(), 0, "{request:?}");
        let before = rig.upstream.count();
        connection.send(SMUGGLED).await;
        if kept {
            assert_eq!(connection.answer().await.status(), 200);
            assert_eq!(rig.upstream.last().target(), "/public/smuggled");
        } else {
            assert_eq!(connection.rest(Duration::from_secs(5)).await, b"", "{request:?}");
            assert_eq!(rig.upstream.count(), before);
        }
    }
}
