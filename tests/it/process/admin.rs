//! The private listener: for whoever runs the gateway, and for nobody else.

use std::net::TcpListener;

use super::{CANARY, sound};
use crate::support::process::{Home, Process};
use crate::support::raw::{exchange, get};

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
    for path in
        ["/", "/debug", "/config", "/metrics/", "/oauth2/start", "/public", "/../metrics", "//metrics", "/livez?x"]
    {
        let answer = exchange(private, get(path, "").as_bytes()).await;
        let status = if path == "/livez?x" { 200 } else { 404 };
        assert_eq!(answer.status(), status, "{path}: {}", answer.text);
    }
    let answer = exchange(private, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
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
        let known = ["outcome", "code", "event", "exchange", "from", "reason", "limit", "le"];
        assert!(names.iter().all(|name| known.contains(name)), "{line}");
    }
    drop(process);
}
