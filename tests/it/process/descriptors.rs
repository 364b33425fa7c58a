//! Too few descriptors: told at the start; whoever comes too many is refused, and whoever watches gets in.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::sound;
use crate::support::process::{Home, Process};
use crate::support::raw::{exchange, get};
use crate::support::skipped;

async fn refused(private: SocketAddr, reason: &str) -> u64 {
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await;
    let name = format!("zengate_connections_refused_total{{reason=\"{reason}\"}} ");
    metrics.body().lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// Whether the other side ends `client` within a second.
async fn is_ended(client: &mut TcpStream) -> bool {
    let mut rest = [0; 16];
    let read = tokio::time::timeout(Duration::from_secs(1), client.read(&mut rest)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_open_files_is_raised_and_connections_stay_within_it() {
    // FT29, RB24, W21
    let home = Home::new();
    let config = home.write("zengate.yaml", &sound());
    let (process, public, private) = Process::serve_after("ulimit -Sn 100; ulimit -Hn 512", &config);
    let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
    let told = process.line("limits.connections");
    assert!(
        told.contains("WARN") && told.contains("\"files\":\"512\"") && told.contains("\"connections\":160"),
        "{told}"
    );
    let mut clients = Vec::new();
    for _ in 0..400 {
        clients.push(TcpStream::connect(public).await.unwrap());
    }
    let began = Instant::now();
    while refused(private, "client").await + refused(private, "total").await < 240 {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", refused(private, "client").await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(is_ended(clients.last_mut().unwrap()).await);
    assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
    // The twin: whoever comes when they are gone is served.
    drop(clients);
    let began = Instant::now();
    while TcpStream::connect(public).await.is_err()
        || exchange(public, get("/app", "").as_bytes()).await.status() != 401
    {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(refused(private, "files").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_descriptor_clients_are_refused_at_once_and_health_is_answered() {
    // FT29
    let home = Home::new();
    let (process, public, private) = Process::serve(&home.write("zengate.yaml", &sound()));
    let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
    assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap().count();
    // Somebody lowers the limit under a running gateway: a few clients' worth is left.
    let limit = format!("--nofile={}", open + 3);
    match Command::new("prlimit").args(["--pid", &process.id().to_string(), &limit]).status() {
        Ok(status) if status.success() => {}
        _ => return skipped("accepting without descriptors (FT29)", "no prlimit command"),
    }
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(TcpStream::connect(public).await.unwrap());
    }
    assert!(is_ended(clients.last_mut().unwrap()).await, "a client without a descriptor is left waiting");
    for _ in 0..20 {
        let asked = Instant::now();
        let answer = exchange(private, get("/livez", "").as_bytes()).await;
        assert_eq!(answer.status(), 200);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    assert!(refused(private, "files").await > 30);
    // The twin: with clients gone there is room again.
    drop(clients);
    let began = Instant::now();
    while exchange(public, get("/app", "").as_bytes()).await.status() != 401 {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
