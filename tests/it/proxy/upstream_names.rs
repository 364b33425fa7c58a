//! Names of upstreams: unknown at the start, with a first address that is dead, made anew while the gateway runs.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use zengate::upstream::NameService;

use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

/// A name service that says what the test wants.
#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

#[async_trait]
impl NameService for Names {
    async fn addresses(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let known = self.0.lock().unwrap().clone();
        if known.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(known.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }
}

// FD16, W04, W05
#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_reached_as_soon_as_its_name_is_known_and_by_any_of_its_addresses() {
    let mut rig = Rig::start().await;
    let port = rig.upstream.address.port();
    rig.choices.routes =
        format!("  - {{ host: localhost, path: /named, access: anonymous, upstream: 'http://app.internal:{port}' }}\n");
    rig.choices.top.push_str("resolve_upstreams: 1s\n");
    let names = Arc::new(Names::default());
    let node = rig.node_with(Arc::clone(&names) as Arc<dyn NameService>).await;

    // Nobody knows the name: the gateway is up all the same, and says which app is missing.
    let answer = exchange(node.address(), get("/named", "").as_bytes()).await;
    assert_eq!(answer.status(), 502, "{}", answer.text);
    assert!(answer.body().contains("upstream_unavailable"), "{}", answer.body());
    assert_eq!(node.metrics().upstreams_unreachable.get(), 1);

    // Bound, so that nobody else gets it, and never listening.
    let dead = tokio::net::TcpSocket::new_v4().unwrap();
    dead.bind(SocketAddr::new("127.0.0.2".parse().unwrap(), port)).unwrap();
    *names.0.lock().unwrap() = vec!["127.0.0.2", "127.0.0.1"];
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.metrics().upstreams_unreachable.get() > 0 {
        assert!(Instant::now() < deadline, "the name is never learnt");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Already the first request arrives, once, though the first address is dead.
    let post = "POST /named HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let before = rig.upstream.count();
    let answer = exchange(node.address(), post.as_bytes()).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    assert_eq!(rig.upstream.count(), before + 1);
    assert!(rig.upstream.raw().ends_with(b"hello"));

    // The app moves; a connection that fails is reason enough to ask again.
    *names.0.lock().unwrap() = vec!["127.0.0.2"];
    let deadline = Instant::now() + Duration::from_secs(10);
    while exchange(node.address(), get("/named", "").as_bytes()).await.status() == 200 {
        assert!(Instant::now() < deadline, "the new address is never learnt");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    *names.0.lock().unwrap() = vec!["127.0.0.1"];
    while exchange(node.address(), get("/named", "").as_bytes()).await.status() != 200 {
        assert!(Instant::now() < deadline, "the old address is never learnt again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.stop(Duration::ZERO).await;
}
