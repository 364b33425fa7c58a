//! Addresses, sockets in the file system, several at once.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_without_an_address_answers_in_both_families() {
    let rig = Rig::start().await;
    for listener in ["':0'", "'[::]:0'"] {
        let node = rig.node_listening(&format!("listeners:\n  - {{ address: {listener} }}\n")).await;
        let port = node.address().port();
        let families = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
        for address in families {
            if tokio::net::TcpListener::bind((address.ip(), 0)).await.is_err() {
                crate::support::skipped("both address families", "this machine has one of them");
                continue;
            }
            assert_eq!(exchange(address, get("/public", "").as_bytes()).await.status(), 200, "{address}");
            let seen = rig.upstream.last();
            assert_eq!(seen.one("x-forwarded-for"), Some(address.ip().to_string()), "a mapped address is no address");
        }
        node.stop(std::time::Duration::ZERO).await;
    }
    // The twin: of one family where it is written so.
    let node = rig.node_listening("listeners:\n  - { address: '0.0.0.0:0' }\n").await;
    let port = node.address().port();
    assert!(tokio::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_err());
    assert_eq!(exchange((Ipv4Addr::LOCALHOST, port).into(), get("/public", "").as_bytes()).await.status(), 200);
}

async fn over_unix(path: &str, request: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_in_the_file_system_is_served_beside_a_port() {
    let rig = Rig::start().await;
    let listeners = "listeners:\n  - { address: 'unix:DIR/http.sock' }\n  - { address: '127.0.0.1:0' }\n";
    let path = format!("{}/http.sock", rig.dir());
    let node = rig.node_listening(listeners).await;
    let shown: Vec<_> = node.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(shown, [format!("unix:{path}"), node.address().to_string()]);
    let request = get("/public", "Connection: close\r\nX-Forwarded-For: 203.0.113.9\r\n");
    assert!(over_unix(&path, &request).await.starts_with("HTTP/1.1 200 "));
    // Who comes this way is on this machine; it is not believed unless 127.0.0.1 is.
    assert_eq!(rig.upstream.last().one("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(exchange(node.address(), get("/public", "").as_bytes()).await.status(), 200);
    // In use: said, and not taken away.
    let refused = rig.try_listening(listeners).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("listeners[0].address: cannot listen on unix:"), "{refused}");
    assert!(over_unix(&path, &request).await.starts_with("HTTP/1.1 200 "));
    node.stop(std::time::Duration::ZERO).await;
    assert!(!std::path::Path::new(&path).exists(), "its place is free again");
    // Left behind by one that was killed: taken.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let _node = rig.node_listening(listeners).await;
    assert!(over_unix(&path, &request).await.starts_with("HTTP/1.1 200 "));
}
