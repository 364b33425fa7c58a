//! An upgrade is a request like any other until it is not: judged first, then two streams of bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{refused, signed_in};
use crate::support::browser::Browser;
use crate::support::raw::{Connection, get};
use crate::support::rig::{Choices, Rig};
use crate::support::upstream::Then;

pub(super) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://localhost\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: x\r\n\r\n";

async fn rig() -> Rig {
    let routes =
        "  - { host: localhost, path: /ws, access: session, upstream: 'UPSTREAM', websocket: true, max_body: 1KiB }
  - { host: localhost, path: /off, access: session, upstream: 'UPSTREAM', websocket: false }
  - { host: localhost, path: /listed, access: session, upstream: 'UPSTREAM', websocket: { origins: ['https://other.test'] } }
  - { host: localhost, path: /any, access: session, upstream: 'UPSTREAM', websocket: { origins: any } }\n";
    let rig = Rig::with(Choices { routes: routes.to_owned(), ..Choices::default() }).await;
    rig.upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    rig
}

/// Reads an answer's head, to the byte.
pub(super) async fn head(connection: &mut Connection) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(connection.bytes(1).await);
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_nothing_is_upgraded_and_nobody_asked() {
    // I17, pingap#215: an upgrade is no way around the question
    let rig = rig().await;
    for lines in
        [UPGRADE.to_owned(), format!("{UPGRADE}Accept: text/html\r\n"), format!("{UPGRADE}Cookie: __Host-gw=x\r\n")]
    {
        for path in ["/ws", "/app"] {
            let answer = refused(&rig, get(path, &lines).as_bytes(), &[401]).await;
            assert_eq!(answer.header("upgrade"), None);
        }
    }
    assert_eq!(rig.upstream.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_session_bytes_flow_both_ways() {
    // G15
    let rig = rig().await;
    let cookie = signed_in(&rig).await;
    rig.upstream.script(SWITCHED, Then::Echo);
    let mut connection = Connection::open(rig.address).await;
    let forged = "X-Auth-Sub: root\r\nX-ZenKey-Sub: root\r\nX_ZenKey_Sub: root\r\nRemote-User: root\r\n";
    connection.send(get("/ws/chat?room=1", &format!("{cookie}{UPGRADE}{forged}"))).await;
    let head = head(&mut connection).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let seen = rig.upstream.last();
    assert_eq!(seen.target(), "/ws/chat?room=1");
    assert_eq!(seen.one("upgrade").unwrap().to_ascii_lowercase(), "websocket");
    assert_eq!(seen.one("sec-websocket-key").unwrap(), "dGhlIHNhbXBsZQ==");
    assert!(seen.one("x-zenkey-sub").is_some_and(|sub| sub != "root"), "{}", seen.head);
    assert_eq!((seen.one("x-auth-sub"), seen.one("remote-user"), seen.one("x_zenkey_sub")), (None, None, None));
    assert_eq!(seen.one("cookie"), None);
    for message in [&b"\x81\x85hello"[..], b"GET /public/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\0\xff\r\n"] {
        connection.send(message).await;
        assert_eq!(connection.bytes(message.len()).await, message);
    }
    // A route's limit is for bodies; a stream has no end to measure.
    let long = vec![b'x'; 100_000];
    connection.send(&long).await;
    assert_eq!(connection.bytes(long.len()).await, long);
    let count = rig.upstream.count();
    drop(connection);
    rig.upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut next = Connection::open(rig.address).await;
    assert_eq!(next.exchange(get("/ws", &cookie)).await.status(), 200);
    assert_eq!(rig.upstream.count(), count + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_passes_none_drops_the_upgrade_and_says_so() {
    // I17, W23
    let rig = rig().await;
    let cookie = signed_in(&rig).await;
    let mut connection = Connection::open(rig.address).await;
    let answer = connection.exchange(get("/off", &format!("{cookie}{UPGRADE}"))).await;
    assert_eq!(answer.status(), 200);
    let seen = rig.upstream.last();
    assert_eq!((seen.one("upgrade"), seen.one("connection")), (None, None), "{}", seen.head);
    // An app that switches all the same is not followed.
    rig.upstream.script(SWITCHED, Then::Echo);
    let mut connection = Connection::open(rig.address).await;
    connection.send(get("/off", &format!("{cookie}{UPGRADE}"))).await;
    let text = String::from_utf8_lossy(&connection.rest(Duration::from_secs(5)).await).into_owned();
    assert!(text.starts_with("HTTP/1.1 502 "), "{text}");
    assert_eq!(rig.app().metrics().dropped.with_label_values(&["upgrade"]).get(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_opens_no_websocket_with_the_persons_cookie() {
    // W42, MV05: on by default, for pages of the very host
    let rig = rig().await;
    let cookie = signed_in(&rig).await;
    rig.upstream.script(SWITCHED, Then::Echo);
    let port = rig.address.port();
    let own = format!("http://localhost:{port}");
    let plain = UPGRADE.replace("Origin: http://localhost\r\n", "");
    for (path, origin, passes) in [
        ("/app", Some(own.as_str()), true),
        ("/app", Some("http://localhost"), true),
        ("/app", Some("https://evil.example"), false),
        ("/app", Some("http://localhost:1"), false),
        ("/app", Some("null"), false),
        ("/app", None, false),
        ("/listed", Some("https://other.test"), true),
        ("/listed", Some(&own), true),
        ("/listed", Some("https://evil.example"), false),
        ("/any", Some("https://evil.example"), true),
        ("/any", None, true),
        // Nobody stands behind it, so no cookie is borrowed by a program.
        ("/public", None, true),
        ("/public", Some("https://evil.example"), false),
    ] {
        let before = rig.upstream.count();
        let lines = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
        let mut stream = Connection::open(rig.address).await;
        stream.send(get(path, &format!("{cookie}{plain}{lines}"))).await;
        if passes {
            assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "), "{path} {origin:?}");
            continue;
        }
        let answer = stream.answer().await;
        assert!(
            answer.status() == 403 && answer.body().contains("websocket_origin"),
            "{path} {origin:?}: {}",
            answer.text
        );
        assert_eq!(rig.upstream.count(), before, "{path} {origin:?}");
    }
    assert_eq!(rig.app().metrics().refusals.with_label_values(&["websocket_origin"]).get(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_session_it_was_opened_under_and_with_no_other() {
    // F06, F07: open WebSockets included
    let rig = rig().await;
    let (leaver, stayer) = (Browser::new(), Browser::new());
    for browser in [&leaver, &stayer] {
        assert_eq!(rig.sign_in(browser, "/app/x", "maya").await.status, 200);
    }
    rig.upstream.script(SWITCHED, Then::Echo);
    let mut streams = Vec::new();
    for browser in [&leaver, &stayer] {
        let mut stream = Connection::open(rig.address).await;
        stream.send(get("/ws", &format!("Cookie: {}\r\n{UPGRADE}", browser.cookie_header("localhost")))).await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101 "));
        streams.push(stream);
    }
    let left = leaver.post(rig.url("/oauth2/sign_out"), &[]).await;
    assert_eq!(left.status, 200);
    // In its own words (RFC 6455, 7.4.1): 1008.
    let told = streams[0].rest(Duration::from_secs(2)).await;
    assert_eq!(told, [&[0x88, 21, 0x03, 0xf0][..], b"the session is over"].concat(), "ended within two seconds");
    streams[1].send(b"still here").await;
    assert_eq!(streams[1].bytes(10).await, b"still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_switches_at_once_keeps_its_connection() {
    // FT11: the framework may meet the answer before it has passed on that the request has no body
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = app.local_addr().unwrap();
    let app = tokio::spawn(async move {
        while let Ok((mut stream, _)) = app.accept().await {
            tokio::spawn(async move {
                // So early that it is there before the framework has looked for anything.
                let _gone = stream.write_all(SWITCHED.as_bytes()).await;
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") {
                    asked.push(stream.read_u8().await?);
                }
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    let routes = format!("  - {{ host: localhost, path: /ws, access: anonymous, upstream: 'http://{at}' }}\n");
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    let address = rig.address;
    for _ in 0..10 {
        let sockets = (0..30).map(|number| async move {
            let mut socket = Connection::open(address).await;
            socket.send(get("/ws", UPGRADE)).await;
            assert!(head(&mut socket).await.starts_with("HTTP/1.1 101"));
            let said = [0x82, 1, number];
            socket.send(said).await;
            assert_eq!(socket.bytes(3).await, said);
        });
        futures_util::future::join_all(sockets).await;
    }
    app.abort();
}
