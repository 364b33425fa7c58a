//! TLS: certificates by name, read anew when they change, deadlines, certificates of clients.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::raw::{Connection, get};
use crate::support::rig::Rig;
use crate::support::tls::{Client, Pair};
use crate::support::wait_until;

/// A listener with the certificates `names` (files in the rig's directory) and `more` keys of `tls`.
fn listener(names: &[&str], more: &str) -> String {
    let pairs: String = names
        .iter()
        .map(|name| format!("        - {{ certificate: DIR/{name}.pem, key: DIR/{name}.key }}\n"))
        .collect();
    format!("listeners:\n  - address: '127.0.0.1:0'\n    tls:\n      certificates:\n{pairs}{more}")
}

async fn status(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) -> String {
    let hung_up = stream.write_all(get("/public", "Connection: close\r\n").as_bytes()).await.is_err();
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer).await;
    if hung_up { String::new() } else { String::from_utf8_lossy(&answer).chars().take(12).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_chosen_by_name_and_read_anew_when_it_changes() {
    // H15: one listener has one policy, so a name in `Host` that is not the one in SNI reaches its own route
    let rig = Rig::start().await;
    let (first, wild, exact) =
        (Pair::of(&["first.test"]), Pair::of(&["*.wild.test"]), Pair::of(&["a.wild.test", "localhost"]));
    first.write(rig.dir(), "first");
    wild.write(rig.dir(), "wild");
    exact.write(rig.dir(), "exact");
    let node = rig.node_listening(&listener(&["first", "wild", "exact"], "")).await;
    let client = Client::trusting(&[&first, &wild, &exact]);
    for (name, pair) in [("first.test", &first), ("b.wild.test", &wild), ("a.wild.test", &exact), ("localhost", &exact)]
    {
        let mut stream = client.connect(node.address(), name).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], pair.der(), "{name}");
        assert_eq!(status(&mut stream).await, "HTTP/1.1 200", "{name}");
    }
    // Two labels are not one (RFC 9525, 6.3), and a name of none gets the first.
    for name in ["c.b.wild.test", "elsewhere.test"] {
        assert!(client.connect(node.address(), name).await.is_err(), "{name}");
    }
    let expiry = |file: &str| {
        let file = format!("{}/{file}.pem", rig.dir());
        node.metrics().certificate_expiry.with_label_values(&[&*file]).get()
    };
    assert!(expiry("first") > 1_700_000_000 && expiry("exact") > 1_700_000_000);

    // A pair that does not belong together: the one before goes on, and it is said.
    let next = Pair::of(&["first.test"]);
    std::fs::write(format!("{}/first.key", rig.dir()), &next.key).unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    while node.metrics().certificate_faults.get() == 0 {
        assert!(Instant::now() < deadline, "the fault is counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let stream = client.connect(node.address(), "first.test").await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], first.der());
    // The twin: now they do.
    next.write(rig.dir(), "first");
    let client = Client::trusting(&[&first, &next]);
    loop {
        let stream = client.connect(node.address(), "first.test").await.unwrap();
        if stream.get_ref().1.peer_certificates().unwrap()[0] == next.der() {
            break;
        }
        assert!(Instant::now() < deadline, "the new certificate is taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_is_refused_where_it_is_said_so() {
    let rig = Rig::start().await;
    let pair = Pair::of(&["localhost"]);
    pair.write(rig.dir(), "own");
    let old = Client { old: true, ..Client::trusting(&[&pair]) };
    for (more, works) in [("", true), ("      min_version: '1.3'\n", false)] {
        let node = rig.node_listening(&listener(&["own"], more)).await;
        assert_eq!(old.connect(node.address(), "localhost").await.is_ok(), works, "{more}");
        assert!(Client::trusting(&[&pair]).connect(node.address(), "localhost").await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_handshake_is_cut_at_its_deadline() {
    // L18
    let rig = Rig::start().await;
    let pair = Pair::of(&["localhost"]);
    pair.write(rig.dir(), "own");
    let node = rig.node_listening(&listener(&["own"], "      handshake_deadline: 1s\n")).await;
    let refused = |reason: &str| node.metrics().connections_refused.with_label_values(&[reason]).get();
    // Nothing at all, and the beginning of a hello.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stalled = Connection::open(node.address()).await;
        stalled.send(begun).await;
        let start = Instant::now();
        assert_eq!(stalled.rest(Duration::from_secs(4)).await, b"");
        assert!((900..3500).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
    assert_eq!(refused("handshake_deadline"), 2);
    // What is no TLS at all ends at once.
    let mut plain = Connection::open(node.address()).await;
    plain.send(get("/public", "")).await;
    plain.rest(Duration::from_millis(900)).await;
    wait_until(|| refused("handshake") == 1).await;
    assert_eq!(rig.upstream.count(), 0);
    // The twin: whoever is quick is served, and stays longer than the deadline.
    let mut stream = Client::trusting(&[&pair]).connect(node.address(), "localhost").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(status(&mut stream).await, "HTTP/1.1 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_certificate_that_is_asked_for_gets_no_further_than_the_handshake() {
    let rig = Rig::start().await;
    let (pair, machine, stranger) =
        (Pair::of(&["localhost"]), Pair::of(&["machine.test"]), Pair::of(&["stranger.test"]));
    pair.write(rig.dir(), "own");
    machine.write(rig.dir(), "clients");
    let asks = |required: bool| {
        listener(
            &["own"],
            &format!("      client_certificates: {{ ca_file: DIR/clients.pem, required: {required} }}\n"),
        )
    };
    let with = |shows: Option<&Pair>| Client { shows: shows.cloned(), ..Client::trusting(&[&pair]) };
    for (required, shows, served) in [
        (true, Some(&machine), true),
        (true, None, false),
        (true, Some(&stranger), false),
        (false, None, true),
        (false, Some(&machine), true),
        (false, Some(&stranger), false),
    ] {
        let node = rig.node_listening(&asks(required)).await;
        let answer = match with(shows).connect(node.address(), "localhost").await {
            // TLS 1.3 tells a client at its first read.
            Ok(mut stream) => status(&mut stream).await,
            Err(_) => String::new(),
        };
        assert_eq!(answer == "HTTP/1.1 200", served, "required {required}, {shows:?}: {answer}");
    }
}
