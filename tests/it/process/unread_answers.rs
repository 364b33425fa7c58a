//! Clients that do not read their answers: they lose their connection, and never get the gateway killed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::sound;
use crate::support::flood::{LARGE, LargeApp, MemoryLimit, connect_from, resident};
use crate::support::process::{Home, Process};
use crate::support::raw::{exchange, get, read_answer};
use crate::support::skipped;

const MIB: u64 = 1024 * 1024;

/// A configuration whose anonymous route leads to `app`; `limits` are further lines under that key.
fn in_front_of(app: &LargeApp, limits: &str) -> String {
    let text = sound().replacen("127.0.0.1:9' }", &format!("{}' }}", app.address), 1);
    format!("{text}limits:\n{limits}\n").replace("level: trace", "level: info\n  access: false")
}

async fn metric(private: SocketAddr, name: &str) -> u64 {
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await;
    let value = metrics.body().lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_that_do_not_read_never_get_the_process_killed() {
    // FT21
    let (home, app) = (Home::new(), LargeApp::start().await);
    let limit = MemoryLimit::new(512 * MIB);
    let (shell, limits) = match &limit {
        Some(limit) => (format!("echo $$ > {}", limit.processes().display()), "  keepalive: 75s"),
        None => {
            skipped("the kernel's own limit of memory (FT21); the gateway is told of it instead", "no control group");
            (String::new(), "  memory: 512MiB")
        }
    };
    let config = home.write("zengate.yaml", &in_front_of(&app, limits));
    let (process, public, private) = Process::serve_after(&shell, &config);
    let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
    let told = process.line("limits.connections");
    assert!(told.contains("\"memory\":\"512 MiB\"") && told.contains("\"large_answers\":384"), "{told}");

    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = connect_from("127.0.0.1", public).await.unwrap();
        let _refused = client.write_all(get("/public/large", "").as_bytes()).await;
        clients.push(client);
    }
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(5)
        || metric(private, "zengate_connections_ended_total{reason=\"crowded\"} ").await < 300
    {
        assert!(began.elapsed() < Duration::from_secs(60), "hardly anybody was ended:\n{}", process.stderr());
        let resident = resident(process.id());
        assert!(resident > 0, "the process is gone:\n{}", process.stderr());
        most = most.max(resident);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(most < 512 * MIB, "{} MiB", most / MIB);
    assert!(metric(private, "zengate_large_answers ").await <= 384);
    // Somebody else is served all the same, in full, at a speed of their own.
    let mut person = connect_from("127.0.0.2", public).await.unwrap();
    person.write_all(get("/public/large", "").as_bytes()).await.unwrap();
    assert!(read_all(&mut person, 20_000, Duration::from_millis(1)).await > LARGE);
    drop((clients, person, process));
}

/// Reads to the end, in pieces with pauses; how many bytes came.
async fn read_all(client: &mut TcpStream, piece: usize, pause: Duration) -> usize {
    let (mut buffer, mut sum) = (vec![0; piece], 0);
    while sum < LARGE {
        match tokio::time::timeout(Duration::from_secs(20), client.read(&mut buffer)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(count) => sum += count,
        }
        tokio::time::sleep(pause).await;
    }
    // The head came too.
    if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_secs(1), client.read(&mut buffer)).await {
        sum += count;
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_below_the_floor_of_reading_loses_its_connection_and_a_slow_one_above_it_does_not() {
    // FT21
    let (home, app) = (Home::new(), LargeApp::start().await);
    let text = in_front_of(&app, "  answer_min_rate: 1KB\n  answer_rate_window: 2s");
    let (process, public, private) = Process::serve(&home.write("zengate.yaml", &text));
    let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
    let mut lazy = connect_from("127.0.0.1", public).await.unwrap();
    lazy.write_all(get("/public/large", "").as_bytes()).await.unwrap();
    let mut slow = connect_from("127.0.0.1", public).await.unwrap();
    slow.write_all(get("/public/large", "").as_bytes()).await.unwrap();
    // Some megabytes a second, well above the floor; and nothing at all.
    assert!(read_all(&mut slow, 20_000, Duration::from_millis(5)).await > LARGE);
    process.line("answer_rate");
    assert_eq!(metric(private, "zengate_connections_ended_total{reason=\"answer_rate\"} ").await, 1);
    assert!(read_all(&mut lazy, 100_000, Duration::ZERO).await < LARGE);
    assert_eq!(metric(private, "zengate_connections_stalled ").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_by_hand_stands_in_the_place_of_what_the_container_says() {
    // FT21
    let (home, app) = (Home::new(), LargeApp::start().await);
    let text = in_front_of(&app, "  memory: 4GiB\n  large_answers: 3\n  connections: 50\n  connections_per_client: 5");
    let (process, public, private) = Process::serve(&home.write("zengate.yaml", &text));
    let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
    let told = process.line("Connections that there may be");
    for words in
        ["\"connections\":50", "\"connections_per_client\":5", "\"large_answers\":3", "\"memory\":\"4096 MiB\""]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = connect_from("127.0.0.3", public).await.unwrap();
        client.write_all(get("/public/large", "").as_bytes()).await.unwrap();
        clients.push(client);
    }
    let began = Instant::now();
    while metric(private, "zengate_connections_ended_total{reason=\"crowded\"} ").await < 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody was ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(metric(private, "zengate_large_answers ").await, 3);
    // The cap of one client, which counts only what is open; and the twin from another address.
    for _ in 0..2 {
        clients.push(connect_from("127.0.0.3", public).await.unwrap());
    }
    let mut sixth = connect_from("127.0.0.3", public).await.unwrap();
    assert_eq!(sixth.read(&mut [0; 16]).await.unwrap_or(0), 0);
    let mut other = connect_from("127.0.0.4", public).await.unwrap();
    other.write_all(get("/app", "").as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut other).await.status(), 401);
}
