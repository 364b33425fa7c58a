//! The private listener: for whoever runs the gateway, and for nobody else.

use std::net::TcpListener;

use super::{CANARY, sound};
use crate::support::process::{Home, Process};
use crate::support::raw::{Connection, exchange, get};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_on_the_private_listener_only() {
    // R07, H12
    let home = Home::new();
    let (process, public, private) = Process::serve(&home.write("zengate.yaml", &sound()));
    let (public, private): (std::net::SocketAddr, std::net::SocketAddr) =
        (public.parse().unwrap(), private.parse().unwrap());
    assert!(private.ip().is_loopback());
    for (path, words) in
        [("/livez", "alive"), ("/ping", "alive"), ("/readyz", "ready"), ("/metrics", "zengate_requests_total")]
    {
        let answer = exchange(private, get(path, "").as_bytes()).await;
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text);
        assert!(answer.body().contains(words), "{path}: {}", answer.text);
        assert_eq!((answer.header("server"), answer.header("cache-control")), (None, Some("no-store")), "{path}");
        let answer = exchange(public, get(path, "").as_bytes()).await;
        assert_eq!(answer.status(), 403, "{path}: {}", answer.text);
        assert!(!answer.text.contains("zengate_"), "{path}: {}", answer.text);
        let answer = exchange(public, get(&format!("/oauth2{path}"), "").as_bytes()).await;
        assert_eq!(answer.status(), 404, "{path}: {}", answer.text);
    }
    for path in [
        "/",
        "/debug",
        "/config",
        "/status/",
        "/metrics/",
        "/oauth2/start",
        "/public",
        "/../metrics",
        "//metrics",
        "/livez?x",
    ] {
        let answer = exchange(private, get(path, "").as_bytes()).await;
        let status = if path == "/livez?x" { 200 } else { 404 };
        assert_eq!(answer.status(), status, "{path}: {}", answer.text);
    }
    let answer = exchange(private, b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answer.status(), 405, "{}", answer.text);
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await;
    assert!(!metrics.text.contains(CANARY));

    // The program asks itself.
    let private = private.to_string();
    let health = |args: &[&str]| Process::run(args);
    let ended = health(&["health", "--address", &private]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "ready"), "{}", ended.stderr);
    let ended = health(&["health", "--address", &private, "--live"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "alive"), "{}", ended.stderr);
    drop(process);
    let ended = health(&["health", "--address", &private]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&private), "{}", ended.stderr);
    // Somebody else's port, and no address at all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(silent);
    let ended = health(&["health", "--address", "no address"]);
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_labels_from_closed_sets() {
    // R06
    let home = Home::new();
    let (process, public, private) = Process::serve(&home.write("zengate.yaml", &sound()));
    let public = public.parse().unwrap();
    for path in [
        "/canary-path",
        "/public/canary-path",
        "/app?canary-query",
        "/oauth2/canary-path",
        "/oauth2/callback?state=canary-state&code=x&iss=canary-iss",
    ] {
        for host in ["localhost", "canary-host.test"] {
            let request = format!(
                "CANARY-METHOD {path} HTTP/1.1\r\nHost: {host}\r\nCookie: __Host-gw=canary-cookie\r\nX-Canary: canary-header\r\n\r\n"
            );
            exchange(public, request.as_bytes()).await;
            exchange(public, request.replace("CANARY-METHOD", "GET").as_bytes()).await;
        }
    }
    exchange(public, b"canary-garbage\r\n\r\n").await;
    let metrics = exchange(private.parse().unwrap(), get("/metrics", "").as_bytes()).await;
    assert!(!metrics.text.to_ascii_lowercase().contains("canary"), "{}", metrics.text);
    for line in metrics.body().lines().filter(|line| !line.starts_with('#')) {
        let Some((_, labels)) = line.split_once('{') else { continue };
        let names: Vec<_> = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name).collect();
        let known = ["outcome", "code", "event", "exchange", "from", "reason", "limit", "task", "provider", "le"];
        assert!(names.iter().all(|name| known.contains(name)), "{line}");
    }
    drop(process);
}

/// A gateway with two tokens, and its private address.
fn with_tokens() -> (Home, Process, std::net::SocketAddr) {
    let home = Home::new();
    home.write("read.txt", &"r".repeat(44));
    home.write("operate.txt", &"o".repeat(44));
    let tokens = "admin:
  hosts: [gateway.internal]
  connections: 8
  header_deadline: 1s
  tokens:
    - { name: ops, token: { file: read.txt }, scope: read }
    - { name: deploy, token: { file: operate.txt }, scope: operate }
";
    let (process, _, private) = Process::serve(&home.write("zengate.yaml", &format!("{}{tokens}", sound())));
    (home, process, private.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_open_is_given_for_a_token_and_to_a_host_of_ours() {
    // FT13, and the private listener's one authentication
    let (_home, process, private) = with_tokens();
    let status = |lines: String| async move { exchange(private, get("/status", &lines).as_bytes()).await };
    let answer = status(String::new()).await;
    assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some("Bearer realm=\"zengate\"")));
    assert_eq!(status(format!("Authorization: Bearer {}\r\n", "x".repeat(44))).await.status(), 401);
    for letter in ["r", "o"] {
        let answer = status(format!("Authorization: Bearer {}\r\n", letter.repeat(44))).await;
        assert_eq!(answer.status(), 200, "{}", answer.text);
        let told: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!(
            (&told["version"], &told["store"]),
            (&env!("CARGO_PKG_VERSION").into(), &"answers".into()),
            "{told}"
        );
        assert!(told["configuration_generation"].as_u64().unwrap() >= 1 && told["stopping"] == false, "{told}");
    }
    for (host, status) in
        [("gateway.internal", 200), ("127.0.0.1", 200), ("evil.example", 421), ("localhost.evil.example:80", 421)]
    {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = exchange(private, request.as_bytes()).await;
        assert_eq!(answer.status(), status, "{host}");
        assert_eq!(answer.text.contains("zengate_requests_total"), status == 200, "{host}");
    }
    assert_eq!(exchange(private, b"GET /livez HTTP/1.0\r\n\r\n").await.status(), 200);
    process.signal("TERM");
    let log = process.end().stderr;
    assert!(log.contains("\"ops\"") && !log.contains(&"r".repeat(44)) && !log.contains(&"x".repeat(44)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_heads_on_the_private_listener_are_few_and_cut() {
    // FT13, RB25
    let (_home, process, private) = with_tokens();
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let mut connection = Connection::open(private).await;
        connection.send("GET /livez HTTP/1.1\r\nHost: loc").await;
        waiting.push(connection);
    }
    // Beyond its places nobody is kept; and those who got one are cut at the deadline, whatever they drip.
    let began = std::time::Instant::now();
    for connection in &mut waiting {
        connection.send("a").await;
        connection.rest(std::time::Duration::from_secs(4)).await;
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
    let metrics = exchange(private, get("/metrics", "").as_bytes()).await;
    let refused = metrics.body().lines().find_map(|line| {
        line.strip_prefix("zengate_connections_refused_total{reason=\"private\"} ")?.parse::<u32>().ok()
    });
    assert!(refused.unwrap_or(0) >= 20, "{refused:?}");
    // A head that is none is refused, and not by the framework's own words.
    let answer = exchange(private, b"GET /livez HTTP/1.1\nHost: localhost\n\n").await;
    assert_eq!((answer.status(), answer.header("server")), (400, None), "{}", answer.text);
    drop(process);
}
