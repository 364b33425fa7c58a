//! Several servers behind one route: shares, servers that die, that are asked how they are, and connections that just close.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zengate::app::App;

use super::signed_in;
use crate::support::app::{Speaks, WebApp};
use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

/// A gateway with an anonymous route `/pool` to these servers.
pub(super) async fn node(rig: &mut Rig, upstream: &str) -> App {
    rig.choices.routes = format!("  - {{ host: localhost, path: /pool, access: anonymous, upstream: {upstream} }}\n");
    rig.another_node().await
}

fn servers(apps: &[&WebApp], more: &str) -> String {
    let urls: Vec<_> = apps.iter().map(|app| format!("'http://{}'", app.address)).collect();
    format!("{{ servers: [{}]{more} }}", urls.join(", "))
}

/// The name of the app that answers.
async fn who(address: SocketAddr, lines: &str) -> String {
    let answer = exchange(address, get("/pool/who", lines).as_bytes()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    answer.body().split(' ').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_shared_and_those_of_a_session_stay_together() {
    let mut rig = Rig::start().await;
    let (a, b) = (WebApp::start("a").await, WebApp::start("b").await);
    let in_turn = node(&mut rig, &servers(&[&a, &b], "")).await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..20 {
        *seen.entry(who(in_turn.address(), "").await).or_default() += 1;
    }
    assert!(seen.values().all(|count| (7..=13).contains(count)) && seen.len() == 2, "{seen:?}");
    in_turn.stop(Duration::ZERO).await;

    rig.choices.routes = format!(
        "  - {{ host: localhost, path: /pool, access: session, upstream: {} }}\n",
        servers(&[&a, &b], ", balance: session")
    );
    let by_session = rig.another_node().await;
    // Each gateway of a rig has a store of its own: sessions are those of the rig's first one, so this one signs in by itself.
    rig.stop_gateway().await;
    by_session.stop(Duration::ZERO).await;
    rig.start_gateway().await;
    let mut servers_seen = Vec::new();
    for _ in 0..6 {
        let cookie = signed_in(&rig).await;
        let first = who(rig.address, &cookie).await;
        for _ in 0..5 {
            assert_eq!(who(rig.address, &cookie).await, first);
        }
        servers_seen.push(first);
    }
    assert!(servers_seen.len() == 6);
}

// O01, O07, must show 3: the requests in flight may fail, no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_takes_no_request_with_it_that_was_not_with_it() {
    let mut rig = Rig::start().await;
    let (a, b, c) = (WebApp::start("a").await, WebApp::start("b").await, WebApp::start("c").await);
    let node = Arc::new(node(&mut rig, &servers(&[&a, &b, &c], ", ejection: { failures: 2, time: 1s }")).await);
    let (stop, failed, whole) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (stop, failed, whole) = (Arc::clone(&stop), Arc::clone(&failed), Arc::clone(&whole));
            let address = node.address();
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let request = if number % 2 == 0 {
                        get("/pool/x", "")
                    } else {
                        "POST /pool/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx".to_owned()
                    };
                    match exchange(address, request.as_bytes()).await.status() {
                        200 => whole.fetch_add(1, Ordering::Relaxed),
                        _ => failed.fetch_add(1, Ordering::Relaxed),
                    };
                }
            })
        })
        .collect();
    let until = |count: usize| {
        let whole = Arc::clone(&whole);
        async move {
            let deadline = Instant::now() + Duration::from_secs(20);
            let wanted = whole.load(Ordering::Relaxed) + count;
            while whole.load(Ordering::Relaxed) < wanted {
                assert!(Instant::now() < deadline, "the app does not answer any more");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    until(200).await;
    let address = b.address;
    drop(b);
    until(100).await;
    // Eight clients, each with one request under way at most.
    let lost = failed.swap(0, Ordering::Relaxed);
    assert!(lost <= 8, "{lost}");
    until(400).await;
    assert_eq!(failed.load(Ordering::Relaxed), 0, "none is lost once it is left out");
    assert!(node.metrics().upstream_ejections.with_label_values(&[&address.to_string()]).get() > 0);

    let back = WebApp::start_with("b", &address.to_string(), Speaks::Either, None).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while back.requests() < 20 {
        assert!(Instant::now() < deadline, "it gets no requests again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0, "nor when it comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_it_is_not_well_gets_nothing_until_it_is() {
    let mut rig = Rig::start().await;
    let (a, b) = (WebApp::start("a").await, WebApp::start("b").await);
    let health = ", health: { path: /health, every: 100ms, timeout: 100ms, healthy: 1, unhealthy: 1 }";
    let node = node(&mut rig, &servers(&[&a, &b], health)).await;
    let available =
        |app: &WebApp| node.metrics().upstream_available.with_label_values(&[&app.address.to_string()]).get();
    let until = async |app: &WebApp, wanted: i64| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while available(app) != wanted {
            assert!(Instant::now() < deadline, "it is never noticed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until(&a, 1).await;
    until(&b, 1).await;
    b.is_well(StatusCode::SERVICE_UNAVAILABLE);
    until(&b, 0).await;
    for _ in 0..10 {
        assert_eq!(who(node.address(), "").await, "a");
    }
    b.is_well(StatusCode::OK);
    until(&b, 1).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while who(node.address(), "").await != "b" {
        assert!(Instant::now() < deadline, "it gets no requests again");
    }
    // Where all say that they are not well, all are asked.
    a.is_well(StatusCode::INTERNAL_SERVER_ERROR);
    b.is_well(StatusCode::INTERNAL_SERVER_ERROR);
    until(&a, 0).await;
    until(&b, 0).await;
    who(node.address(), "").await;
    node.stop(Duration::ZERO).await;
}

/// An app that closes each connection `idle` after an answer, without a word about it.
async fn impatient(idle: Duration, says: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut read = Vec::new();
                loop {
                    let mut chunk = [0; 4096];
                    let Ok(Ok(size @ 1..)) = tokio::time::timeout(idle, stream.read(&mut chunk)).await else { return };
                    read.extend_from_slice(&chunk[..size]);
                    if read.ends_with(b"\r\n\r\n") || read.ends_with(b"\r\n\r\nx") {
                        let is_whole = !read.starts_with(b"POST") || read.ends_with(b"x");
                        if is_whole {
                            read.clear();
                            count.fetch_add(1, Ordering::Relaxed);
                            let answer = format!("HTTP/1.1 200 OK\r\n{says}Content-Length: 2\r\n\r\nok");
                            if stream.write_all(answer.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    (address, answered)
}

// W20: the app closes an idle connection at the very moment at which the next request comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_closes_idle_connections_is_never_a_502() {
    let mut rig = Rig::start().await;
    // 600 ms: within the 4 s that connections are kept, beyond the 500 ms within which a POST takes one.
    for (idle, says) in [(600, ""), (1000, "Keep-Alive: timeout=1\r\n")] {
        let (address, answered) = impatient(Duration::from_millis(idle), says).await;
        let node = Arc::new(node(&mut rig, &format!("'http://{address}'")).await);
        let rounds = (0..24_u64).map(|number| {
            let address = node.address();
            tokio::spawn(async move {
                let mut faults = Vec::new();
                for round in 0..3_u64 {
                    let post = "POST /pool HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx".to_owned();
                    let request = if number % 2 == 0 { post } else { get("/pool", "") };
                    let answer = exchange(address, request.as_bytes()).await;
                    if answer.status() != 200 {
                        faults.push(format!("{number}.{round}: {}", answer.text));
                    }
                    // Spread around the moment at which the app closes.
                    tokio::time::sleep(Duration::from_millis(idle - 3) + Duration::from_micros(number * 250)).await;
                }
                faults
            })
        });
        let mut faults = Vec::new();
        for round in rounds.collect::<Vec<_>>() {
            faults.extend(round.await.unwrap());
        }
        assert!(faults.is_empty(), "{faults:?}");
        assert!(answered.load(Ordering::Relaxed) >= 72);
    }
}

// W05, FD16: no address of any server.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_can_be_reached_the_answer_is_502_and_says_nothing_of_them() {
    let mut rig = Rig::start().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let node = node(&mut rig, &format!("{{ servers: ['http://{free}', 'http://{other}'] }}")).await;
    let answer = exchange(node.address(), get("/pool", "").as_bytes()).await;
    assert_eq!(answer.status(), 502, "{}", answer.text);
    assert!(answer.body().contains("upstream_unavailable") && !answer.text.contains(&free.port().to_string()));
    assert!(TcpStream::connect(node.address()).await.is_ok());
    node.stop(Duration::ZERO).await;
}
