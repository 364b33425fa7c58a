//! Whoever reads the log stops reading: the gateway goes on, and says afterwards what it could not say.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use super::sound;
use crate::support::process::Home;
use crate::support::raw::{Connection, exchange, get};

/// A gateway whose standard error is read until it is up, and not any further.
struct Stalled {
    child: Child,
    log: BufReader<ChildStderr>,
    public: SocketAddr,
    private: SocketAddr,
}

impl Stalled {
    fn serve(home: &Home) -> Self {
        let config = home.write("zengate.yaml", &sound());
        let mut command = Command::new(env!("CARGO_BIN_EXE_zengate"));
        command.args(["serve", "--config", config.to_str().unwrap()]).env_clear();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("The gateway is up") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it was up");
        }
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = |key: &str| event[key].as_str().unwrap().parse().unwrap();
        Self { public: address("listen"), private: address("private"), child, log }
    }

    /// `count` requests that nobody is allowed to make, each answered in time.
    async fn refused(&self, count: usize) {
        const LANES: usize = 8;
        let public = self.public;
        let lanes: Vec<_> = (0..LANES)
            .map(|_| {
                tokio::spawn(async move {
                    let mut connection = Connection::open(public).await;
                    for n in 0..count / LANES {
                        let path = ["/app", "/nowhere", "/oauth2/nowhere"][n % 3];
                        let answer = connection.exchange(get(path, "")).await;
                        assert!((401..=404).contains(&answer.status()), "{path}: {}", answer.text);
                    }
                })
            })
            .collect();
        for lane in lanes {
            lane.await.unwrap();
        }
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_neither_requests_nor_health_nor_the_end() {
    // FT03, RB06
    let home = Home::new();
    let mut stalled = Stalled::serve(&home);
    // Of one reason only so many lines a second are written: a few seconds' worth, so that more are due when the pipe is
    // full already.
    let began = Instant::now();
    stalled.refused(2_000).await;
    while began.elapsed() < Duration::from_millis(2_500) {
        stalled.refused(200).await;
    }
    for _ in 0..3 {
        assert_eq!(exchange(stalled.private, get("/livez", "").as_bytes()).await.status(), 200);
    }
    let terminated = Command::new("kill").args(["-TERM", &stalled.child.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let asked = Instant::now();
    let ended = loop {
        if let Some(status) = stalled.child.try_wait().unwrap() {
            break status;
        }
        assert!(asked.elapsed() < Duration::from_secs(6), "it does not end while its log is not read");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_were_lost_are_counted_and_told_once_somebody_reads_again() {
    // FT03
    let home = Home::new();
    let mut stalled = Stalled::serve(&home);
    // More than the pipe and the queue hold.
    stalled.refused(12_000).await;
    let metrics = exchange(stalled.private, get("/metrics", "").as_bytes()).await;
    let lost = metrics.body().lines().find_map(|line| line.strip_prefix("zengate_log_lines_lost_total ")).unwrap();
    assert!(lost.parse::<u64>().unwrap() > 0, "{lost}");
    // Somebody reads again: everything that waited comes, each line whole, and one that says how many did not.
    let (mut line, mut told) = (String::new(), None);
    while told.is_none() {
        line.clear();
        assert!(stalled.log.read_line(&mut line).unwrap() > 0);
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        told = (event["message"].as_str().unwrap().starts_with("Log lines were lost")).then(|| event["lines"].as_u64());
    }
    assert_eq!(told.flatten().map(|lines| lines.to_string()).as_deref(), Some(lost));
    // What was lost is over: the next line is there.
    exchange(stalled.public, get("/oauth2/nowhere", "").as_bytes()).await;
    let terminated = Command::new("kill").args(["-TERM", &stalled.child.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let mut rest = String::new();
    stalled.log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"Stopped\""), "{rest}");
}
