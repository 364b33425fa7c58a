//! O: what an app does wrong, the person is told in plain words, and nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{plain, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Then;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A rig with `/dead`, whose app is not there, and `/slow`, whose app has little time.
async fn rig() -> (Rig, tokio::net::TcpSocket) {
    // Bound, so that nobody else gets it, and never listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = socket.local_addr().unwrap();
    let routes = format!(
        "  - {{ host: localhost, path: /dead, access: session, upstream: 'http://{dead}' }}
  - {{ host: localhost, path: /slow, access: session, upstream: 'UPSTREAM', timeouts: {{ read: 300ms }} }}
  - {{ host: localhost, path: /plain, access: anonymous, upstream: 'UPSTREAM', websocket: false }}
  - {{ host: localhost, path: /small, access: session, upstream: 'UPSTREAM', max_body: 8B }}\n"
    );
    (Rig::with(Choices { routes, ..Choices::default() }).await, socket)
}

fn post(path: &str, lines: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: 5\r\n\r\nhello")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_there_is_named_at_once_and_kindly() {
    // O01, R09
    let (rig, _dead) = rig().await;
    let cookie = signed_in(&rig).await;
    let start = Instant::now();
    let page =
        exchange(rig.address, get("/dead/x?token=abc", &format!("{cookie}Accept: text/html\r\n")).as_bytes()).await;
    assert_eq!(page.status(), 502, "{}", page.text);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    for words in ["The app is not there", "This is not your fault", "upstream_unavailable"] {
        assert!(page.body().contains(words), "{}", page.body());
    }
    for leak in ["127.0.0.1", "abc", "refused", "ingora"] {
        assert!(!page.text.contains(leak), "{leak}: {}", page.text);
    }
    assert_eq!(page.header("set-cookie"), None);
    // FD20: a click asks for the same page; what was sent by a form is not sent again by one.
    assert!(page.body().contains("<a href=\"\">Try again</a>"), "{}", page.body());
    let sent = exchange(rig.address, post("/dead", &format!("{cookie}Accept: text/html\r\n")).as_bytes()).await;
    assert!(sent.status() == 502 && !sent.body().contains("<a "), "{}", sent.body());
    for request in [get("/dead", &cookie), post("/dead", &cookie)] {
        let answer = exchange(rig.address, request.as_bytes()).await;
        assert_eq!(answer.status(), 502);
        plain(&answer, &request);
        let body: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(body["error"], "upstream_unavailable", "{body}");
        assert_eq!(body["request_id"].as_str().map(str::len), Some(16), "{body}");
    }
    // The others go on.
    assert_eq!(exchange(rig.address, get("/app", &cookie).as_bytes()).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_never_answers_is_given_up() {
    // O02
    let (rig, _dead) = rig().await;
    let cookie = signed_in(&rig).await;
    rig.upstream.script("", Then::Stall);
    let before = rig.upstream.count();
    let start = Instant::now();
    let page = exchange(rig.address, get("/slow", &format!("{cookie}Accept: text/html\r\n")).as_bytes()).await;
    assert_eq!(page.status(), 504, "{}", page.text);
    // The route's 300 ms and not the 60 s of all others; on a busy machine whoever measures may be late.
    assert!((250..20_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert!(page.body().contains("The app did not answer"), "{}", page.body());
    let answer = exchange(rig.address, post("/slow", &cookie).as_bytes()).await;
    assert_eq!(answer.status(), 504);
    plain(&answer, "POST");
    assert_eq!(rig.upstream.count(), before + 2, "asked once each");
}

// RB26, FT30: all refusals leave by one exit, whoever found the fault: the judge, the proxy, or the framework before us.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_is_counted_once_under_its_code() {
    let (rig, _dead) = rig().await;
    let cookie = signed_in(&rig).await;
    rig.upstream.script("", Then::Stall);
    let chunked = format!("{cookie}Transfer-Encoding: chunked\r\n");
    let long = format!("POST /small HTTP/1.1\r\nHost: localhost\r\n{cookie}Content-Length: 9\r\n\r\n123456789");
    let stream = format!("POST /small HTTP/1.1\r\nHost: localhost\r\n{chunked}\r\n9\r\n123456789\r\n0\r\n\r\n");
    let unreadable = "GET / HTTP/1.1\r\nHost localhost\r\n\r\n".to_owned();
    let cases = [
        (get("/dead", &cookie), 502, "upstream_unavailable"),
        (get("/slow", &cookie), 504, "upstream_timeout"),
        (long, 413, "body_too_large"),
        (stream, 413, "body_too_large"),
        (unreadable, 400, "request_malformed"),
        (get("/public/%00", ""), 400, "request_malformed"),
        (get("/nowhere", ""), 403, "no_route"),
        (get("/oauth2/nowhere", ""), 404, "not_found"),
    ];
    let refusals = &rig.app().metrics().refusals;
    for (request, status, code) in cases {
        let before = refusals.with_label_values(&[code]).get();
        let answer = exchange(rig.address, request.as_bytes()).await;
        assert_eq!(answer.status(), status, "{request}: {}", answer.text);
        assert!(answer.body().contains(code), "{request}: {}", answer.text);
        assert_eq!(refusals.with_label_values(&[code]).get(), before + 1, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_never_looks_whole() {
    // O03
    let (rig, _dead) = rig().await;
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf of it",
    ] {
        rig.upstream.script(broken, Then::HangUp);
        let mut connection = Connection::open(rig.address).await;
        connection.send(get("/public", "")).await;
        let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{broken}: {text}");
        let whole = text.ends_with("0\r\n\r\n") && text.to_ascii_lowercase().contains("chunked");
        assert!(!whole, "{broken}: {text}");
        assert!(!text.contains("Content-Length: 10\r\n"), "{broken}: {text}");
    }
    for nothing in ["", "HTTP/1.1 200 OK\r\nContent-", "garbage\r\n\r\n", "HTTP/1.1 99999 No\r\n\r\n"] {
        rig.upstream.script(nothing, Then::HangUp);
        let answer = exchange(rig.address, get("/public", "").as_bytes()).await;
        assert_eq!(answer.status(), 502, "{nothing}: {}", answer.text);
        plain(&answer, nothing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_sent_once() {
    // O04: the app reads the request on a connection that was used before, does what it says, and hangs up
    let (rig, _dead) = rig().await;
    for method in ["POST", "PATCH"] {
        rig.upstream.answer(OK);
        assert_eq!(exchange(rig.address, get("/public", "").as_bytes()).await.status(), 200);
        rig.upstream.script("", Then::HangUp);
        let before = rig.upstream.count();
        let answer = exchange(rig.address, post("/public/pay", "").replace("POST", method).as_bytes()).await;
        assert_eq!(answer.status(), 502, "{}", answer.text);
        assert_eq!(rig.upstream.count(), before + 1, "{method} was sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_cannot_switch_protocols_unasked() {
    // O09, I16
    let (rig, _dead) = rig().await;
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
        "HTTP/1.1 101 Switching Protocols\r\n\r\nraw",
    ] {
        rig.upstream.script(answer, Then::HangUp);
        let upgrade =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n";
        for lines in ["", upgrade] {
            let got = exchange(rig.address, get("/plain", lines).as_bytes()).await;
            assert_eq!(got.status(), 502, "{answer}: {}", got.text);
            assert!(!got.text.contains("raw"), "{}", got.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_two_readings_reaches_nobody_else() {
    // I25, O06
    let (rig, _dead) = rig().await;
    let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
    for (answer, forgiven) in [
        (
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{smuggled}"
            ),
            true,
        ),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 60\r\n\r\nok{smuggled}"), false),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{smuggled}"), true),
        (format!("HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n{smuggled}"), true),
        (format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(2_000_000)), false),
        (format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(300_000)), false),
        (format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(200_000)), true),
    ] {
        rig.upstream.answer(&answer);
        let shown = &answer[..answer.len().min(90)];
        let mut connection = Connection::open(rig.address).await;
        connection.send(get("/public", "Connection: close\r\n")).await;
        let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
        assert!(
            text.starts_with("HTTP/1.1 502 ") || (forgiven && text.starts_with("HTTP/1.1 20")),
            "{shown}: {text:.300}"
        );
        assert!(!text.contains("EVIL"), "{shown}: {text:.300}");
        rig.upstream.answer(OK);
        for _ in 0..3 {
            let next = exchange(rig.address, get("/public", "").as_bytes()).await;
            assert_eq!((next.status(), next.body()), (200, "ok"), "{shown}: the next answer was not its own");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_says_of_itself_is_its_own_business() {
    // O10
    let (rig, _dead) = rig().await;
    let cookie = signed_in(&rig).await;
    for (status, more) in [
        ("401 Unauthorized", "WWW-Authenticate: Basic realm=x\r\n"),
        ("403 Forbidden", ""),
        ("302 Found", "Location: /login\r\n"),
        ("500 Internal Server Error", ""),
        ("418 I'm a teapot", "Server: theirs\r\n"),
    ] {
        rig.upstream.answer(&format!("HTTP/1.1 {status}\r\n{more}Content-Length: 6\r\n\r\ntheirs"));
        let answer = exchange(rig.address, get("/app", &cookie).as_bytes()).await;
        assert!(answer.text.starts_with(&format!("HTTP/1.1 {}", &status[..3])), "{}", answer.text);
        assert_eq!((answer.body(), answer.header("set-cookie")), ("theirs", None));
        let (name, value) = more.trim_end().split_once(": ").unwrap_or(("content-length", "6"));
        assert_eq!(answer.header(name), Some(value), "{}", answer.text);
    }
    rig.upstream.answer(OK);
    assert_eq!(exchange(rig.address, get("/app", &cookie).as_bytes()).await.status(), 200);
}

/// An app that begins an answer and sends a byte of `slowly` each 20 ms, for ever if it ends.
async fn dripping(begins: &'static str, slowly: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _size = stream.read(&mut head).await;
                let mut rest = slowly.bytes().cycle();
                let mut next = begins.as_bytes().to_vec();
                while stream.write_all(&next).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    next = vec![rest.next().unwrap()];
                }
            });
        }
    });
    address
}

// FT18: each byte renewed the limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_and_an_answer_have_a_total_limit_however_slowly_they_come() {
    let mut rig = Rig::start().await;
    let head = dripping("HTTP/1.1 200 OK\r\nX: ", "x").await;
    let body = dripping("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "y").await;
    let route = |path: &str, to: SocketAddr, timeouts: &str| {
        format!(
            "  - {{ host: localhost, path: {path}, access: anonymous, upstream: 'http://{to}', timeouts: {{ {timeouts} }} }}\n"
        )
    };
    rig.choices.routes = route("/head", head, "first_byte: 300ms")
        + &route("/read", head, "read: 300ms")
        + &route("/whole", body, "first_byte: 300ms, total: 1s")
        + &route("/nothing", head, "total: 300ms, first_byte: 300ms");
    let node = rig.another_node().await;
    for path in ["/head", "/read", "/nothing"] {
        let began = Instant::now();
        let answer = exchange(node.address(), get(path, "").as_bytes()).await;
        assert_eq!(answer.status(), 504, "{path}: {}", answer.text);
        assert!(answer.body().contains("upstream_timeout"), "{}", answer.text);
        assert!(began.elapsed() >= Duration::from_millis(300));
    }
    // One that has begun can only be cut; and it lives as long as it may.
    let mut connection = Connection::open(node.address()).await;
    let began = Instant::now();
    connection.send(get("/whole", "")).await;
    let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(10)).await).into_owned();
    assert!(began.elapsed() >= Duration::from_secs(1) && text.len() < 100_000, "{text}");
    let ended = |why: &str| node.metrics().streams_ended.with_label_values(&[why]).get();
    assert_eq!((ended("first_byte") + ended("total"), ended("session")), (4, 0));
    // A body that takes its time is no app that does.
    let mut connection = Connection::open(node.address()).await;
    connection.send("POST /head HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n".to_owned()).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        connection.send("x".to_owned()).await;
    }
    let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    node.stop(Duration::ZERO).await;
}
