//! From http to https, and staying there.

use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zengate::app::App;

use crate::support::raw::{RawAnswer, exchange, get};
use crate::support::rig::{Choices, Rig};
use crate::support::tls::{Client, Pair, ask};

async fn rig(top: &str) -> Rig {
    let routes = "  - { host: wiki.test, access: session, upstream: 'UPSTREAM' }\n".to_owned();
    Rig::with(Choices { top: top.to_owned(), routes, ..Choices::default() }).await
}

async fn over_tls(client: &Client, node: &App, request: &str) -> RawAnswer {
    let mut stream = client.connect(node.address(), "localhost").await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let _ended = stream.read_to_string(&mut text).await;
    RawAnswer { text, closed: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_by_plain_http_is_sent_to_the_same_place_by_https() {
    let rig = rig("trusted_proxies: [127.0.0.7]\n").await;
    let listeners =
        "listeners: [{ address: '127.0.0.1:0', redirect_to_https: true, h2c: true }]\nhsts: { max_age: 365d }\n";
    let node = rig.node_at_https(listeners).await;
    let told = |method: &str, host: &str, target: &str, lines: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")
    };
    for (request, location) in [
        (told("GET", "localhost", "/public?a=b&c=%20", ""), "https://localhost:8443/public?a=b&c=%20"),
        (told("GET", "Wiki.TEST:8080", "/", ""), "https://wiki.test:8443/"),
        (told("POST", "wiki.test", "/x", "Content-Length: 0\r\n"), "https://wiki.test:8443/x"),
        (told("HEAD", "localhost", "/oauth2/start", ""), "https://localhost:8443/oauth2/start"),
        // What a client says of itself is not believed.
        (told("GET", "localhost", "/public", "X-Forwarded-Proto: https\r\n"), "https://localhost:8443/public"),
    ] {
        let answer = exchange(node.address(), request.as_bytes()).await;
        assert_eq!((answer.status(), answer.header("location")), (308, Some(location)), "{request}");
        assert_eq!(answer.header("strict-transport-security"), None, "{request}");
    }
    let http2 = crate::support::tls::speak_http2(tokio::net::TcpStream::connect(node.address()).await.unwrap()).await;
    let request = Request::builder().method(Method::GET).uri("http://localhost/public").body(()).unwrap();
    assert_eq!(ask(&http2, request, &[]).await.unwrap().status, 308);
    // A name of nobody's leads nowhere, and what cannot be read is told so.
    for (request, status) in [
        (told("GET", "elsewhere.test", "/", ""), 421),
        (told("GET", "localhost", "/a//b", ""), 400),
        (told("GET", "localhost@elsewhere.test", "/", ""), 400),
    ] {
        let answer = exchange(node.address(), request.as_bytes()).await;
        assert_eq!((answer.status(), answer.header("location")), (status, None), "{request}");
    }
    assert_eq!(rig.upstream.count(), 0);
    // The twin: a proxy that is believed says that it was https already.
    for (said, status, strict) in [("https", 200, Some("max-age=31536000")), ("http", 308, None)] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 7], 0).into()).unwrap();
        let mut connection = crate::support::raw::Connection(socket.connect(node.address()).await.unwrap());
        let answer = connection.exchange(get("/public", &format!("X-Forwarded-Proto: {said}\r\n"))).await;
        assert_eq!((answer.status(), answer.header("strict-transport-security")), (status, strict), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_by_https_is_told_to_stay_by_apps_and_by_us() {
    let rig = rig("").await;
    let pair = Pair::of(&["localhost"]);
    pair.write(rig.dir(), "own");
    let hsts = "hsts: { max_age: 30d, include_subdomains: true }\n";
    let tls = "tls: { certificates: [{ certificate: DIR/own.pem, key: DIR/own.key }] }";
    let node = rig.node_at_https(&format!("listeners: [{{ address: '127.0.0.1:0', {tls} }}]\n{hsts}")).await;
    let plain = rig.node_at_https(&format!("listen: '127.0.0.1:0'\n{hsts}")).await;
    let client = Client::trusting(&[&pair]);
    rig.upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStrict-Transport-Security: max-age=1\r\n\r\nhi");
    let value = "max-age=2592000; includeSubDomains";
    // An app's answer, a refusal, a way to sign in, and an address of ours.
    for (path, status) in [("/public", 200), ("/nowhere", 403), ("/app", 302), ("/oauth2/start?rd=/app", 302)] {
        let answer = over_tls(&client, &node, &get(path, "Accept: text/html\r\nConnection: close\r\n")).await;
        assert_eq!((answer.status(), answer.header("strict-transport-security")), (status, Some(value)), "{path}");
        assert_eq!(answer.text.to_ascii_lowercase().matches("strict-transport-security").count(), 1, "{path}");
        // The twin: never by plain HTTP.
        let answer = exchange(plain.address(), get(path, "Accept: text/html\r\n").as_bytes()).await;
        let own = (path == "/public").then_some("max-age=1");
        assert_eq!((answer.status(), answer.header("strict-transport-security")), (status, own), "{path}");
    }
    let http2 = client.http2(node.address(), "localhost").await;
    let request = Request::builder().uri("https://localhost/app").body(()).unwrap();
    let (answer, _) = http2.clone().ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().headers()["strict-transport-security"], value);
}
