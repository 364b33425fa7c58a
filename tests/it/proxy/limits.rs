//! L: what one client may use up.

use std::time::{Duration, Instant};

use super::{plain, refused, signed_in};
use crate::support::raw::{Connection, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::wait_until;

async fn rig(limits: &str) -> Rig {
    Rig::with(Choices { top: format!("limits:\n{limits}"), ..Choices::default() }).await
}

/// Sends `bytes` one at a time, each `pause` after the one before, until the other side ends the connection; how long
/// that took.
async fn drip(connection: &mut Connection, bytes: &[u8], pause: Duration) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let (mut reader, mut writer) = connection.0.split();
    let dripping = async {
        for byte in bytes {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, &[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        std::future::pending::<()>().await;
    };
    let mut read = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ended = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut read) => {}
        () = tokio::time::sleep(Duration::from_secs(8)) => panic!("still open after eight seconds"),
    }
    (start.elapsed(), read)
}

/// For `time` nothing is heard on the connection, not even its end.
async fn stays_open(connection: &mut Connection, time: Duration) {
    let heard = tokio::time::timeout(time, connection.0.readable()).await;
    assert!(heard.is_err(), "the connection spoke or ended: {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_head_is_cut_at_its_deadline() {
    // L01: further bytes do not stop the clock
    let rig = rig("  header_deadline: 1s\n").await;
    let head = get("/public", &"X-Slow: 1\r\n".repeat(50));
    let pause = Duration::from_millis(50);
    let mut connection = Connection::open(rig.address).await;
    let (took, told) = drip(&mut connection, head.as_bytes(), pause).await;
    assert!((900..2500).contains(&took.as_millis()), "{took:?}");
    // FT31: told and counted
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("client_too_slow"), "{told}");
    assert_eq!(rig.app().metrics().refusals.with_label_values(&["client_too_slow"]).get(), 1);
    // On the second request of a connection as on the first.
    let mut connection = Connection::open(rig.address).await;
    assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
    let (took, _) = drip(&mut connection, head.as_bytes(), pause).await;
    assert!((900..2500).contains(&took.as_millis()), "{took:?}");
    assert_eq!(rig.upstream.count(), 1);
    // Whoever is quick is served meanwhile.
    assert_eq!(exchange(rig.address, get("/public", "").as_bytes()).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_was_refused_already_cannot_go_on_for_ever() {
    // L01, L03: the parser forgives what the watch does not; it must not be fed on
    let rig = rig("  header_deadline: 1s\n").await;
    let field = "X-Slow: 1\r\n".repeat(200);
    for start in [
        "GET /public HTTP/1.1\nHost: localhost\n".to_owned(),
        "\r\n\r\nGET /public HTTP/1.1\r\nHost: localhost\r\n".to_owned(),
        format!("GET /public HTTP/1.1\r\nHost: localhost\r\n{}", "a: b\r\n".repeat(101)),
    ] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(&start).await;
        let (took, _) = drip(&mut connection, field.as_bytes(), Duration::from_millis(50)).await;
        assert!(took.as_millis() < 2500, "{took:?} for {start:?}");
        let mut connection = Connection::open(rig.address).await;
        connection.send(format!("{start}X-Huge: {}", "a".repeat(900_000))).await;
        let answer = connection.rest(Duration::from_secs(5)).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{start:?}");
    }
    assert_eq!(rig.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_so_many_connections_and_no_more() {
    // L02
    let rig = rig("  connections_per_client: 5\n").await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut connection = Connection::open(rig.address).await;
        assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
        held.push(connection);
    }
    let mut sixth = Connection::open(rig.address).await;
    sixth.send(get("/public", "")).await;
    assert_eq!(sixth.rest(Duration::from_secs(5)).await, b"");
    assert_eq!(rig.app().metrics().connections_refused.with_label_values(&["client"]).get(), 1);
    // The private listener has its own.
    assert_eq!(rig.admin("/livez").await.status.as_u16(), 200);
    held.pop();
    wait_until(|| rig.app().metrics().connections.get() == 4).await;
    assert_eq!(exchange(rig.address, get("/public", "").as_bytes()).await.status(), 200);
    // Those that are held still work.
    assert_eq!(held[0].exchange(get("/public", "")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_not_one_client_but_the_total_holds() {
    // L02
    let top = "trusted_proxies: [127.0.0.0/8]\nlimits:\n  connections_per_client: 2\n  connections: 4\n".to_owned();
    let rig = Rig::with(Choices { top, ..Choices::default() }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::open(rig.address).await;
        assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
        held.push(connection);
    }
    let mut fifth = Connection::open(rig.address).await;
    fifth.send(get("/public", "")).await;
    assert_eq!(fifth.rest(Duration::from_secs(5)).await, b"");
    assert_eq!(rig.app().metrics().connections_refused.with_label_values(&["total"]).get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_limit_in_every_direction() {
    // L03–L05
    let rig = Rig::start().await;
    let long = |name: &str, length: usize| format!("{name}: {}\r\n", "x".repeat(length));
    for lines in [
        long("X-Long", 33 * 1024),
        long("X-Long", 70 * 1024),
        long("X-Long", 900 * 1024),
        "X-Many: 1\r\n".repeat(101),
        "X-Many: 1\r\n".repeat(255),
        "X-Many: 1\r\n".repeat(3000),
        long("Cookie", 17 * 1024),
        long("Cookie", 9 * 1024).repeat(2),
    ] {
        let answer = refused(&rig, get("/public", &lines).as_bytes(), &[431]).await;
        assert!(answer.closed, "{}", answer.text);
    }
    for length in [8 * 1024, 9 * 1024, 33 * 1024, 70 * 1024, 900 * 1024] {
        for target in [format!("/public/{}", "a".repeat(length)), format!("/public?{}", "a".repeat(length))] {
            let answer = refused(&rig, get(&target, "").as_bytes(), &[414]).await;
            assert!(answer.closed, "{length}: {}", answer.text);
        }
    }
    for lines in [long("X-Long", 30 * 1024), "X-Many: 1\r\n".repeat(98), long("Cookie", 15 * 1024)] {
        let answer = exchange(rig.address, get("/public", &lines).as_bytes()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
    }
    let target = format!("/public/{}", "a".repeat(8000));
    assert_eq!(exchange(rig.address, get(&target, "").as_bytes()).await.status(), 200);
    // Written in small pieces, the same.
    let mut connection = Connection::open(rig.address).await;
    for piece in get("/public", &long("X-Long", 40 * 1024)).as_bytes().chunks(1000) {
        connection.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(connection.answer().await.status(), 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_the_limit_of_its_route() {
    // L06
    let routes = "  - { host: localhost, path: /small, access: anonymous, upstream: 'UPSTREAM', max_body: 1KiB }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    let known = |length: usize| {
        format!("POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
    };
    refused(&rig, known(1025).as_bytes(), &[413]).await;
    refused(&rig, known(100_000).as_bytes(), &[413]).await;
    assert_eq!(exchange(rig.address, known(1024).as_bytes()).await.status(), 200);
    assert_eq!(rig.upstream.last().body.len(), 1024);

    let before = rig.upstream.count();
    let chunk = format!("200\r\n{}\r\n", "y".repeat(512));
    let chunked = format!(
        "POST /small HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(9)
    );
    let answer = exchange(rig.address, chunked.as_bytes()).await;
    assert_eq!((answer.status(), answer.closed), (413, true), "{}", answer.text);
    plain(&answer, "chunked");
    assert_eq!(rig.upstream.count(), before, "the app saw a whole request");
    let answer = exchange(rig.address, get("/small/next", "").as_bytes()).await;
    assert_eq!((answer.status(), rig.upstream.last().target()), (200, "/small/next"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_body_is_cut() {
    // L07
    let rig = rig("  body_min_rate: 500B\n  body_rate_window: 1s\n").await;
    let mut connection = Connection::open(rig.address).await;
    connection.send("POST /public HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n").await;
    let (took, read) = drip(&mut connection, &[b'x'; 1000], Duration::from_millis(50)).await;
    assert!((900..3000).contains(&took.as_millis()), "{took:?}");
    let text = String::from_utf8_lossy(&read);
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("\"client_too_slow\""), "{text}");
    assert_eq!(rig.upstream.count(), 0, "the app saw a whole request");
    // A slow body that is quick enough arrives.
    let mut connection = Connection::open(rig.address).await;
    connection.send("POST /public HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n").await;
    for _ in 0..15 {
        connection.send([b'y'; 200]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connection.answer().await.status(), 200);
    assert_eq!(rig.upstream.last().body.len(), 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut() {
    // L08
    let rig = rig("  write_timeout: 1s\n").await;
    let length = 30_000_000;
    rig.upstream.answer(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length)));
    let mut connection = Connection::open(rig.address).await;
    connection.send(get("/public", "")).await;
    wait_until(|| rig.app().metrics().connections.get() == 1).await;
    wait_until(|| rig.app().metrics().connections.get() == 0).await;
    let read = connection.rest(Duration::from_secs(5)).await;
    assert!(read.len() < length, "the whole answer was buffered: {}", read.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends_after_its_time() {
    // trap 1 of the framework: it forgets the limit with each request
    let rig = rig("  keepalive: 1s\n").await;
    let mut connection = Connection::open(rig.address).await;
    for _ in 0..3 {
        assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
    }
    let start = Instant::now();
    assert_eq!(connection.rest(Duration::from_secs(5)).await, b"");
    assert!((800..2500).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    // After an answer of our own, too.
    let mut connection = Connection::open(rig.address).await;
    assert_eq!(connection.exchange(get("/app", "")).await.status(), 401);
    assert_eq!(connection.rest(Duration::from_secs(5)).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_head_that_came_in_time_cuts_nothing_later() {
    // L01: head and idle time share one timer, and the earlier deadline is still set when the later one counts
    let rig = rig("  header_deadline: 1s\n  keepalive: 4s\n").await;
    let mut connection = Connection::open(rig.address).await;
    for _ in 0..2 {
        let request = get("/public", "");
        let (begin, end) = request.split_at(20);
        connection.send(begin).await;
        stays_open(&mut connection, Duration::from_millis(300)).await;
        assert_eq!(connection.exchange(end).await.status(), 200);
        // Idle for longer than a head may take.
        stays_open(&mut connection, Duration::from_millis(1500)).await;
    }
    assert_eq!(connection.exchange(get("/public", "")).await.status(), 200);
    assert_eq!(rig.upstream.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_odd_upsets_an_address_of_ours() {
    // L12: CVE-2025-3891, CVE-2023-27496
    let rig = Rig::start().await;
    let cookie = signed_in(&rig).await;
    let endpoints = ["callback", "session", "sign_in", "sign_out", "start", "userinfo", "nothing", ""];
    let long = format!("?{}", "a=1&".repeat(900));
    let queries =
        ["", "?", "?&&&", "?=", "?=&=", "?code", "?code=&state=", "?state=x&state=x", "?%", "?a=%ff", "?rd=", &long];
    let cookies = [
        "",
        "Cookie:\r\n",
        "Cookie: ;;;=;\r\n",
        "Cookie: =\r\n",
        "Cookie: __Host-gw=\r\n",
        "Cookie: __Host-gw\r\n",
        "Cookie: __Host-gw=\"\"; __Host-gwtx-=;__Host-gwtx-x\r\n",
        "Cookie: \u{e9}=\u{e9}; __Host-gw=%00\r\n",
    ];
    let mut connection = Connection::open(rig.address).await;
    for endpoint in endpoints {
        for (turn, query) in queries.iter().enumerate() {
            for (place, odd) in cookies.iter().chain([&cookie.as_str()]).enumerate() {
                let method = ["GET", "POST", "HEAD", "OPTIONS", "PUT"][(turn + place) % 5];
                let request = format!(
                    "{method} /oauth2/{endpoint}{query} HTTP/1.1\r\nHost: localhost\r\n{odd}Content-Length: 0\r\n\
                     Connection: close\r\n\r\n"
                );
                let answer = connection.exchange(&request).await;
                let known = [200, 302, 303, 400, 401, 403, 404, 405];
                assert!(known.contains(&answer.status()), "{request}: {}", answer.text);
                assert!(!answer.gives_session(), "{request}: {}", answer.text);
                connection = Connection::open(rig.address).await;
            }
        }
    }
    assert_eq!(rig.app().metrics().panics.get(), 0);
    assert_eq!(rig.upstream.count(), 1, "only the sign-in itself ended at the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_be_as_long_as_the_operator_says() {
    // L04
    for (limits, longest) in
        [("", 8 << 10), ("  uri_bytes: 20KiB\n", 20 << 10), ("  header_bytes: 64KiB\n  uri_bytes: 60KiB\n", 60 << 10)]
    {
        let rig = rig(&format!("  header_count: 100\n{limits}")).await;
        let target = |length: usize| format!("/public/{}", "a".repeat(length - 8));
        let answer = exchange(rig.address, get(&target(longest), "").as_bytes()).await;
        assert_eq!((answer.status(), rig.upstream.last().target().len()), (200, longest), "{limits}");
        assert_eq!(exchange(rig.address, get(&target(longest + 1), "").as_bytes()).await.status(), 414, "{limits}");
    }
}
