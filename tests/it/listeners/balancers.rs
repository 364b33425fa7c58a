//! Behind a balancer: who the client is.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zengate::app::App;

use crate::support::raw::{Connection, exchange, get};
use crate::support::redis::free_port;
use crate::support::rig::{Choices, Rig};
use crate::support::skipped;
use crate::support::tls::{Client, Pair};

const ONE: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 12345 443\r\n";
const TWO: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\x0a\x00\x00\x01\x30\x39\x01\xbb";

async fn rig() -> Rig {
    Rig::with(Choices { top: "limits:\n  header_deadline: 1s\n".to_owned(), ..Choices::default() }).await
}

/// A node that lets balancers in `from` speak for clients.
async fn behind(rig: &Rig, from: &str, more: &str) -> App {
    let listener = format!("{{ address: '127.0.0.1:0', proxy_protocol: {{ from: [{from}] }}{more} }}");
    rig.node_listening(&format!("listeners:\n  - {listener}\n")).await
}

fn refused(node: &App) -> u64 {
    node.metrics().connections_refused.with_label_values(&["proxy_protocol"]).get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_who_its_balancer_says() {
    // W40
    let rig = rig().await;
    let node = behind(&rig, "127.0.0.1", "").await;
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    for (header, client) in
        [(ONE, "203.0.113.9"), (TWO, "198.51.100.7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"), (local, "127.0.0.1")]
    {
        // In one piece with the request, and what a client says of itself is not believed.
        let request = [header, get("/public", "X-Forwarded-For: 192.0.2.1\r\n").as_bytes()].concat();
        assert_eq!(exchange(node.address(), &request).await.status(), 200, "{client}");
        assert_eq!(rig.upstream.last().one("x-forwarded-for").as_deref(), Some(client));
    }
    // In two pieces, wherever they part, and for every request of the connection.
    for (header, client) in [(ONE, "203.0.113.9"), (TWO, "198.51.100.7")] {
        for part in 1..header.len() {
            let mut connection = Connection::open(node.address()).await;
            connection.0.set_nodelay(true).unwrap();
            connection.send(&header[..part]).await;
            tokio::task::yield_now().await;
            connection.send(&header[part..]).await;
            for _ in 0..2 {
                assert_eq!(connection.exchange(get("/public", "")).await.status(), 200, "{part} of {client}");
                assert_eq!(rig.upstream.last().one("x-forwarded-for").as_deref(), Some(client));
            }
        }
    }
    assert_eq!(refused(&node), 0);
    // A listener that knows of no balancer reads a request that is none.
    let before = rig.upstream.count();
    let asked = [ONE, get("/public", "").as_bytes()].concat();
    assert_eq!(exchange(rig.address, &asked).await.status(), 400);
    assert_eq!(rig.upstream.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_speaks_for_a_client_and_a_balancer_must() {
    // W40
    let rig = rig().await;
    let node = behind(&rig, "127.0.0.1", "").await;
    // Without it, twice, and one that stops in the middle.
    for (sent, at_least) in [(get("/public", "").into_bytes(), 0), ([ONE, ONE].concat(), 0), (ONE[..20].to_vec(), 900)]
    {
        let mut connection = Connection::open(node.address()).await;
        let start = Instant::now();
        connection.send(&sent).await;
        let answer = connection.rest(Duration::from_secs(4)).await;
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "));
        let took = start.elapsed().as_millis();
        assert!((at_least..3500).contains(&took), "{took}");
    }
    // The second header is the client's own: a request line that is none.
    assert_eq!(refused(&node), 2);
    // From somebody who is not named.
    let elsewhere = behind(&rig, "203.0.113.0/24", "").await;
    let mut connection = Connection::open(elsewhere.address()).await;
    connection.send([ONE, get("/public", "").as_bytes()].concat()).await;
    assert_eq!(connection.rest(Duration::from_secs(4)).await, b"");
    assert_eq!((refused(&elsewhere), rig.upstream.count()), (1, 0));
    // The twin.
    let asked = [ONE, get("/public", "").as_bytes()].concat();
    assert_eq!(exchange(node.address(), &asked).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_behind_a_balancer_is_believed_and_the_balancer_is_not() {
    // W40
    let top = "trusted_proxies: [203.0.113.9]\n".to_owned();
    let rig = Rig::with(Choices { top, ..Choices::default() }).await;
    let node = behind(&rig, "127.0.0.1", "").await;
    for (header, client) in
        [(ONE, "192.0.2.1, 203.0.113.9"), (TWO, "198.51.100.7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")]
    {
        let request = [header, get("/public", "X-Forwarded-For: 192.0.2.1\r\n").as_bytes()].concat();
        assert_eq!(exchange(node.address(), &request).await.status(), 200);
        assert_eq!(rig.upstream.last().one("x-forwarded-for").as_deref(), Some(client));
    }
}

/// HAProxy in front of `node`, with `send` at its server; where it listens.
fn haproxy(rig: &Rig, node: &App, send: &str) -> Option<(Ended, std::net::SocketAddr)> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let file = format!("{}/haproxy-{}.cfg", rig.dir(), address.port());
    let text = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
         listen in\n  bind {address}\n  server node {} {send}\n",
        node.address()
    );
    std::fs::write(&file, text).unwrap();
    let started = Command::new("haproxy").args(["-db", "-f", &file]).stderr(Stdio::null()).spawn();
    started.ok().map(|child| (Ended(child), address))
}

/// Ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_is_understood_in_both_versions_and_before_tls() {
    // W40
    let rig = rig().await;
    let pair = Pair::of(&["localhost"]);
    pair.write(rig.dir(), "own");
    let tls = ", tls: { certificates: [{ certificate: DIR/own.pem, key: DIR/own.key }] }";
    let (plain, secret) = (behind(&rig, "127.0.0.1", "").await, behind(&rig, "127.0.0.1", tls).await);
    let client = Client::trusting(&[&pair]);
    assert!(client.connect(secret.address(), "localhost").await.is_err(), "TLS without the header");
    for send in ["send-proxy", "send-proxy-v2"] {
        let Some((_haproxy, address)) = haproxy(&rig, &plain, send) else {
            return skipped("what HAProxy says of clients (W40)", "no haproxy on PATH (apt-get install haproxy)");
        };
        let (_second, behind_tls) = haproxy(&rig, &secret, send).unwrap();
        for address in [address, behind_tls] {
            let deadline = Instant::now() + Duration::from_secs(10);
            while tokio::net::TcpStream::connect(address).await.is_err() {
                assert!(Instant::now() < deadline, "haproxy listens");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        // From an address of its own, so that it is not taken for the balancer's.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 7], 0).into()).unwrap();
        let mut connection = Connection(socket.connect(address).await.unwrap());
        for _ in 0..2 {
            assert_eq!(connection.exchange(get("/public", "")).await.status(), 200, "{send}");
            assert_eq!(rig.upstream.last().one("x-forwarded-for").as_deref(), Some("127.0.0.7"), "{send}");
        }
        let mut stream = client.connect(behind_tls, "localhost").await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, get("/public", "Connection: close\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        let _ended = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{send}: {answer}");
    }
    assert_eq!((refused(&plain), refused(&secret)), (0, 1));
}
