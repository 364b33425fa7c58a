//! Fields that some server takes for others, numbers that some server reads in another way, in both directions; and what
//! happens to a body that is sent twice or not at all.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{refused, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_framing_does_not_reach_the_app() {
    // attacks, class F
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    for path in ["/public", "/app"] {
        let known = |lines: String| {
            let (rig, cookie) = (&rig, if path == "/app" { cookie.clone() } else { String::new() });
            async move {
                let answer = exchange(rig.address, get(path, &format!("{cookie}{lines}")).as_bytes()).await;
                assert_eq!(answer.status(), 200, "{lines}: {}", answer.text);
                let fields = rig.upstream.last().fields();
                fields.into_iter().filter(|(name, _)| name != "x-request-id").collect::<Vec<_>>()
            }
        };
        let honest = known(String::new()).await;
        for field in [
            "Transfer_Encoding: chunked",
            "TRANSFER_ENCODING: chunked",
            "transfer.encoding: chunked",
            "Transfer~Encoding: chunked",
            "Content_Length: 5",
            "content.length: 5",
            "Keep_Alive: timeout=5",
            "Proxy_Connection: keep-alive",
            "Proxy_Authorization: Basic eDp4",
            "Expect: something",
            "Expect: 200-ok",
            "Expect: 100-continue, something",
            "Expect: 100-continue\r\nExpect: 100-continue",
            "Expect:",
        ] {
            assert_eq!(known(format!("{field}\r\n")).await, honest, "{path}: {field}");
        }
        // The twins: other names with an underscore are the app's own business, and an honest expectation is passed on.
        for (name, value) in [("x_tone", "1"), ("content_type_x", "2"), ("expect", "100-continue")] {
            let mut more = honest.clone();
            more.push((name.to_owned(), value.to_owned()));
            more.sort();
            assert_eq!(known(format!("{name}: {value}\r\n")).await, more, "{path}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_says_neither_who_somebody_is_nor_how_long_its_answer_is_in_two_ways() {
    // attacks, classes E and F
    let rig = Rig::start().await;
    let ask = |head: &str, body: &str| {
        rig.upstream.answer(&format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
        async { exchange(rig.address, get("/public", "").as_bytes()).await }
    };
    for name in [
        "X-Auth-Sub",
        "x_auth_sub",
        "Remote-User",
        "X-Forwarded-User",
        "X-ZenKey-Sub",
        "X-WebAuth-User",
        "OIDC_CLAIM_sub",
    ] {
        let answer = ask(&format!("Content-Length: 2\r\n{name}: admin\r\nX-Own: 1\r\n"), "ok").await;
        assert_eq!((answer.status(), answer.body(), answer.header("x-own")), (200, "ok", Some("1")), "{name}");
        assert!(!answer.text.contains("admin"), "{name}: {}", answer.text);
    }
    for field in ["Content_Length: 9", "Transfer_Encoding: chunked", "content.length: 9"] {
        let answer = ask(&format!("Content-Length: 2\r\n{field}\r\n"), "ok").await;
        let name = field.split(':').next().unwrap().to_ascii_lowercase();
        assert_eq!((answer.status(), answer.body(), answer.header(&name)), (200, "ok", None), "{field}");
    }
    for framing in [
        "Content-Length: 02",
        "Content-Length: +2",
        "Content-Length: 2, 2",
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 0x2",
        "Content-Length: 2e0",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let answer = ask(&format!("{framing}\r\nConnection: close\r\n"), "ok").await;
        assert_eq!(answer.status(), 502, "{framing}: {}", answer.text);
        assert!(!answer.body().ends_with("ok"), "{framing}: {}", answer.text);
    }
    // The twins.
    assert_eq!(ask("Content-Length: 2\r\n", "ok").await.body(), "ok");
    rig.upstream.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let answer = exchange(rig.address, get("/public", "Connection: close\r\n").as_bytes()).await;
    assert_eq!((answer.status(), answer.header("content-length")), (200, None), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_a_request_has_one_spelling() {
    // attacks, class E
    let rig = Rig::start().await;
    for length in ["05", "00", "0000000000000000005", "9223372036854775808", "18446744073709551615", "5.0", "5e0"] {
        let request = format!("POST /public HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nhello");
        refused(&rig, request.as_bytes(), &[400]).await;
    }
    for host in ["localhost:", "localhost:0", "localhost:080", "localhost:65536", "localhost:99999", "localhost:+80"] {
        refused(&rig, format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), &[400]).await;
    }
    for size in ["8000000000000000", "ffffffffffffffff"] {
        let request =
            format!("POST /public HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello");
        let answer = exchange(rig.address, request.as_bytes()).await;
        assert_eq!(answer.status(), 400, "{size}: {}", answer.text);
    }
    // The twins.
    let request = "POST /public HTTP/1.1\r\nHost: localhost:65535\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(exchange(rig.address, request.as_bytes()).await.status(), 200);
    assert_eq!(rig.upstream.last().one("content-length").as_deref(), Some("5"));
}

/// An app that answers a connection's first request, and hangs up on its second once it has all of it. Counts what it
/// got of whole requests.
async fn app_that_hangs_up() -> (std::net::SocketAddr, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) =
        (listener.local_addr().unwrap(), std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let counted = std::sync::Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = std::sync::Arc::clone(&counted);
            tokio::spawn(async move {
                let mut answered = false;
                let mut read = Vec::new();
                let mut chunk = [0; 4096];
                while let Ok(bytes @ 1..) = stream.read(&mut chunk).await {
                    read.extend_from_slice(&chunk[..bytes]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    if head.starts_with("PUT") && body.len() < 5 {
                        continue;
                    }
                    counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if answered {
                        return;
                    }
                    answered = true;
                    read.clear();
                    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_sent_again_is_counted_once() {
    // RB09
    let (app, count) = app_that_hangs_up().await;
    let routes =
        format!("  - {{ host: localhost, path: /put, access: anonymous, upstream: 'http://{app}', max_body: 6B }}\n");
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let put =
        |body: &str| format!("PUT /put HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(exchange(rig.address, get("/put", "").as_bytes()).await.status(), 200);
    let answer = exchange(rig.address, put("hello").as_bytes()).await;
    assert_eq!((answer.status(), answer.body()), (200, "ok"), "{}", answer.text);
    // The first, the one that was hung up on, and its repetition.
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 3);
    // The twin: a body over the limit is refused however often it is sent.
    assert_eq!(exchange(rig.address, put("too long").as_bytes()).await.status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_does_not_wait_for_a_body_that_was_not_asked_for() {
    // RB10
    let rig = Rig::start().await;
    let post = |lines: &str| format!("POST /app HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: 5\r\n\r\n");
    let mut connection = Connection::open(rig.address).await;
    let asked = Instant::now();
    let answer = connection.exchange(post("Expect: 100-continue\r\n")).await;
    // Without it a second is waited for the body, by which a slow machine is told from a wait.
    assert!(asked.elapsed() < Duration::from_millis(900), "{:?}", asked.elapsed());
    assert_eq!((answer.status(), answer.header("connection")), (401, Some("close")), "{}", answer.text);
    assert!(answer.closed);
    // The twin: a body that is on its way is read, and the connection kept.
    let mut connection = Connection::open(rig.address).await;
    let answer = connection.exchange(format!("{}hello", post(""))).await;
    assert_eq!((answer.status(), answer.closed), (401, false), "{}", answer.text);
    assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
}
