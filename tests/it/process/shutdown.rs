//! P01, light: who is being served is served to the end; nobody new is let in.

use std::net::SocketAddr;
use std::time::Duration;

use super::sound;
use crate::support::process::{Home, Process};
use crate::support::raw::{Connection, exchange, get};
use crate::support::upstream::{Then, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_finished_and_the_process_ends_well() {
    // P01
    // and class L of the attacks
    for signal in ["TERM", "INT", "QUIT"] {
        let home = Home::new();
        let upstream = Upstream::start().await;
        let text = sound().replace(
            "http://127.0.0.1:9' }\n  - { host: localhost, path: /app",
            &format!("http://{}' }}\n  - {{ host: localhost, path: /app", upstream.address),
        );
        let (process, public, private) = Process::serve(&home.write("zengate.yaml", &text));
        let (public, private): (SocketAddr, SocketAddr) = (public.parse().unwrap(), private.parse().unwrap());
        assert_eq!(exchange(private, get("/readyz", "").as_bytes()).await.status(), 200);

        // Half of a request is there when the signal comes; the app has begun to read it.
        let mut under_way = Connection::open(public).await;
        under_way.send("POST /public/long HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nfirst").await;
        let arrived = async {
            while !String::from_utf8_lossy(&upstream.raw()).contains("first") {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap();
        let mut idle = Connection::open(public).await;
        assert_eq!(idle.exchange(get("/public", "")).await.status(), 200);
        process.signal(signal);
        process.line("Stopping");

        // An idle connection ends, a new one is not served, readiness says no, the request goes on.
        assert_eq!(idle.rest(Duration::from_secs(5)).await, b"");
        let ready = exchange(private, get("/readyz", "").as_bytes()).await;
        assert_eq!(ready.status(), 503, "{}", ready.text);
        assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
        under_way.send("last!").await;
        let answer = under_way.answer().await;
        assert_eq!((answer.status(), answer.body()), (200, "ok"), "{signal}: {}", answer.text);
        assert_eq!(answer.header("connection"), Some("close"));
        drop(under_way);
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert!(ended.stderr.contains("\"cut\":0"), "{}", ended.stderr);
        assert!(tokio::net::TcpStream::connect(public).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_ended() {
    // P01: grace is not for ever
    let home = Home::new();
    let upstream = Upstream::start().await;
    upstream.script("", Then::Stall);
    let text = sound().replace("127.0.0.1:9' }", &format!("{}' }}", upstream.address));
    let (process, public, _) =
        Process::serve(&home.write("zengate.yaml", &format!("{text}shutdown: {{ grace: 300ms }}\n")));
    let mut stuck = Connection::open(public.parse().unwrap()).await;
    stuck.send(get("/public", "")).await;
    let arrived = async {
        while upstream.count() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap();
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"cut\":1"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_of_other_meanings_end_nothing_and_a_second_stop_means_now() {
    // RB18, FT33, class L of the attacks
    let home = Home::new();
    let upstream = Upstream::start().await;
    upstream.script("", Then::Stall);
    let text = sound().replace("127.0.0.1:9' }", &format!("{}' }}", upstream.address));
    for (first, second) in [("TERM", "TERM"), ("INT", "QUIT")] {
        let config = home.write("zengate.yaml", &format!("{text}shutdown: {{ grace: 50s }}\n"));
        let (process, public, private) = Process::serve(&config);
        for (signal, name) in [("HUP", "SIGHUP"), ("USR1", "SIGUSR1"), ("USR2", "SIGUSR2")] {
            process.signal(signal);
            process.line(&format!("\"{name}\""));
        }
        let private: SocketAddr = private.parse().unwrap();
        assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
        let mut stuck = Connection::open(public.parse().unwrap()).await;
        let before = upstream.count();
        stuck.send(get("/public", "")).await;
        let arrived = async {
            while upstream.count() == before {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap();
        process.signal(first);
        process.line("Stopping");
        // One that means nothing does not hurry it either.
        process.signal("HUP");
        assert_eq!(exchange(private, get("/livez", "").as_bytes()).await.status(), 200);
        let asked = std::time::Instant::now();
        process.signal(second);
        let ended = process.end();
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("a second signal came"), "{}", ended.stderr);
        assert_eq!(ended.stderr.matches("A signal was ignored").count(), 4, "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_announced_before_it_begins() {
    // FT09
    let home = Home::new();
    let upstream = Upstream::start().await;
    let text = sound().replace("127.0.0.1:9' }", &format!("{}' }}", upstream.address));
    let text = format!("{text}shutdown: {{ delay: 1s, grace: 5s }}\nhealth_path: /healthz\n");
    let (process, public, _) = Process::serve(&home.write("zengate.yaml", &text));
    let public: SocketAddr = public.parse().unwrap();
    assert_eq!(exchange(public, get("/healthz", "").as_bytes()).await.status(), 200);
    let asked = std::time::Instant::now();
    process.signal("TERM");
    process.line("Stopping");
    assert_eq!(exchange(public, get("/healthz", "").as_bytes()).await.status(), 503);
    assert_eq!(exchange(public, get("/public", "").as_bytes()).await.status(), 200);
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let took = asked.elapsed().as_millis();
    assert!((1000..5000).contains(&took), "{took}");
}
