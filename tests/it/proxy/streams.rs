//! A stream ends with what it was opened under, in both directions, and with the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;

use super::websocket::{UPGRADE, head};
use crate::support::browser::Browser;
use crate::support::puppet::{Puppet, Strings};
use crate::support::raw::{Connection, get};
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};
use crate::support::wait_until;

/// Within this a stream ends, while the store answers: a second, and what a busy machine takes to notice.
pub(super) const SOON: Duration = Duration::from_millis(1300);

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: x\r\n\r\n";

/// An app with something that lasts at each path, and how many of its connections are open.
pub(super) async fn app() -> (Puppet, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    let puppet = Puppet::start(move |mut strings| {
        let open = Arc::clone(&count);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            play(&mut strings).await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    (puppet, open)
}

/// An app that answers ordinary things, streams and WebSockets, and then says nothing.
async fn silent_app() -> (Puppet, Rig) {
    let puppet = Puppet::start(|mut strings| async move {
        let path = strings.head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = match path.rsplit('/').next().unwrap_or_default() {
            "events" => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n".to_owned(),
            "socket" => SWITCHED.to_owned(),
            _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_owned(),
        };
        strings.say(answer).await;
        strings.listen().await;
    })
    .await;
    let route = |path: &str, limits: &str| {
        let at = puppet.address;
        format!(
            "  - {{ host: localhost, path: {path}, access: anonymous, upstream: 'http://{at}', timeouts: {{ {limits} }} }}\n"
        )
    };
    let routes = route("/patient", "read: 300ms, first_byte: 300ms") + &route("/brief", "stream_idle: 300ms");
    let rig = Rig::with(Choices { routes, ..Choices::default() }).await;
    (puppet, rig)
}

/// Whether a stream is open, whatever comes on it.
async fn goes_on(stream: &mut Connection) -> bool {
    let mut more = [0; 256];
    loop {
        match tokio::time::timeout(Duration::from_millis(100), stream.0.read(&mut more)).await {
            Err(_silent) => return true,
            Ok(Ok(1..)) => {}
            Ok(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_may_be_silent_for_longer_than_a_page() {
    // W37, O02: an ordinary answer is cut, streams are not; with a limit of their own they are
    let (_app, rig) = silent_app().await;
    let ended = |why: &str| rig.app().metrics().streams_ended.with_label_values(&[why]).get();
    let open = async |path: &str| {
        let mut stream = Connection::open(rig.address).await;
        stream.send(get(path, if path.ends_with("socket") { UPGRADE } else { "" })).await;
        head(&mut stream).await;
        stream
    };
    let mut page = open("/patient/page").await;
    let mut lasting = [open("/patient/events").await, open("/patient/socket").await];
    page.rest(Duration::from_secs(4)).await;
    wait_until(|| ended("read") == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((ended("read"), ended("stream_idle")), (1, 0));
    for stream in &mut lasting {
        assert!(goes_on(stream).await);
    }
    let mut brief = [open("/brief/events").await, open("/brief/socket").await];
    let mut page = open("/brief/page").await;
    for stream in &mut brief {
        stream.rest(Duration::from_secs(4)).await;
    }
    wait_until(|| ended("stream_idle") == 2).await;
    // The page has the minute of all pages.
    assert!(goes_on(&mut page).await);
    // Whoever says something now and then stays.
    let mut talker = open("/brief/socket").await;
    for _ in 0..20 {
        talker.send([0x89, 0x80, 0, 0, 0, 0]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ended("stream_idle"), 2);
}

async fn play(strings: &mut Strings) {
    let path = strings.head.split(' ').nth(1).unwrap_or_default().to_owned();
    match path.rsplit('/').next().unwrap_or_default() {
        "events" => {
            strings.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
            while strings.say("data: tick\n\n").await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        "silent-events" => {
            strings.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n").await;
            strings.listen().await;
        }
        "call" => {
            strings.say("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
            strings.listen().await;
        }
        "slow-head" => {
            strings.say("HTTP/1.1 200 OK\r\nX-Y: ").await;
            while strings.say("y").await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        "download" => {
            strings.say("HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n").await;
            while strings.say(vec![0; 10_000]).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        "socket" | "half-a-frame" => {
            strings.say(SWITCHED).await;
            let whole = path.ends_with("socket");
            strings.say(if whole { [0x81, 2, b'h', b'i'] } else { [0x81, 9, b'h', b'i'] }).await;
            strings.listen().await;
        }
        _ => drop(strings.listen().await),
    }
}

async fn rig(app: &Puppet, sessions: &str) -> Rig {
    let routes = format!(
        "  - {{ host: localhost, path: /s, access: session, upstream: 'http://{0}', websocket: true }}
  - {{ host: localhost, path: /open, access: anonymous, upstream: 'http://{0}', websocket: true }}\n",
        app.address
    );
    Rig::with(Choices { routes, sessions: sessions.to_owned(), ..Choices::default() }).await
}

async fn signed_in(rig: &Rig) -> Browser {
    let browser = Browser::new();
    assert_eq!(rig.sign_in(&browser, "/app/x", "maya").await.status, 200);
    browser
}

fn cookie(browser: &Browser) -> String {
    format!("Cookie: {}\r\n", browser.cookie_header("localhost"))
}

/// Opens each kind of stream under the session of `browser`.
async fn open_all(rig: &Rig, browser: &Browser) -> Vec<(&'static str, Connection)> {
    let mut streams = Vec::new();
    for path in ["events", "silent-events", "download", "long-poll", "socket", "half-a-frame"] {
        let mut stream = Connection::open(rig.address).await;
        let upgrade = if matches!(path, "socket" | "half-a-frame") { UPGRADE } else { "" };
        stream.send(get(&format!("/s/{path}"), &format!("{}{upgrade}", cookie(browser)))).await;
        if path != "long-poll" {
            assert!(head(&mut stream).await.starts_with(if upgrade.is_empty() {
                "HTTP/1.1 200"
            } else {
                "HTTP/1.1 101"
            }));
        }
        streams.push((path, stream));
    }
    let mut upload = Connection::open(rig.address).await;
    let lines = format!("{}Transfer-Encoding: chunked\r\n", cookie(browser));
    upload.send(get("/s/upload", &lines).replacen("GET", "POST", 1)).await;
    upload.send("5\r\nhello\r\n").await;
    streams.push(("upload", upload));
    streams
}

/// Asserts that each ended within [`SOON`] of `since`, and what it was told at last.
async fn all_ended(streams: Vec<(&'static str, Connection)>, since: Instant) {
    for (path, mut stream) in streams {
        let rest = stream.rest(Duration::from_secs(4)).await;
        assert!(since.elapsed() < SOON, "{path}: {:?}", since.elapsed());
        match path {
            // The app's frame, then ours.
            "socket" => {
                assert_eq!(rest, [&[0x81, 2, b'h', b'i', 0x88, 21, 0x03, 0xf0][..], b"the session is over"].concat())
            }
            "half-a-frame" => assert_eq!(rest, [0x81, 9, b'h', b'i'], "nothing is said in the middle of a frame"),
            "long-poll" | "upload" => assert_eq!(rest, b"", "{path}"),
            // Cut, so that nobody takes it for the whole.
            "events" | "silent-events" => assert!(!rest.ends_with(b"0\r\n\r\n"), "{path}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_stream_ends_within_a_second_of_a_sign_out_and_nobody_elses_does() {
    // W02, W42, F06, P09: both directions, in words where there are any
    let (app, open) = app().await;
    let rig = rig(&app, "  store: memory\n").await;
    let (leaver, stayer) = (signed_in(&rig).await, signed_in(&rig).await);
    let streams = open_all(&rig, &leaver).await;
    let mut theirs = Connection::open(rig.address).await;
    theirs.send(get("/s/events", &cookie(&stayer))).await;
    head(&mut theirs).await;
    wait_until(|| open.load(Ordering::SeqCst) == 8).await;
    let since = Instant::now();
    assert_eq!(leaver.post(rig.url("/oauth2/sign_out"), &[]).await.status, 200);
    all_ended(streams, since).await;
    assert_eq!(rig.app().metrics().streams_ended.with_label_values(&["session"]).get(), 7);
    // The app hears of it too; the other person's goes on.
    wait_until(|| open.load(Ordering::SeqCst) == 1).await;
    theirs.bytes(2000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_second_of_a_sign_out_elsewhere() {
    // W02, FT12: sessions in Redis, signed out at another gateway
    let Some(redis) = Redis::start("streams that end with a session ended elsewhere") else { return };
    let (app, open) = app().await;
    let rig = rig(&app, &redis.sessions()).await;
    let other = rig.another_node().await;
    let leaver = signed_in(&rig).await;
    let streams = open_all(&rig, &leaver).await;
    wait_until(|| open.load(Ordering::SeqCst) == 7).await;
    // They live for as long as the session does.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(open.load(Ordering::SeqCst), 7);
    let since = Instant::now();
    assert_eq!(leaver.post(rig.url_at(&other, "/oauth2/sign_out"), &[]).await.status, 200);
    all_ended(streams, since).await;
    other.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_stop_sends_streams_away_one_by_one() {
    // W36, FT10, P09: 1001, spread over the grace; what ends by itself is not hurried
    let (app, open) = app().await;
    let mut rig = rig(&app, "  store: memory\n").await;
    let person = signed_in(&rig).await;
    let mut streams = Vec::new();
    for turn in 0..12 {
        let mut stream = Connection::open(rig.address).await;
        let (path, lines) = match turn % 3 {
            0 => ("/open/socket", UPGRADE.to_owned()),
            1 => ("/s/socket", format!("{}{UPGRADE}", cookie(&person))),
            _ => ("/open/silent-events", String::new()),
        };
        stream.send(get(path, &lines)).await;
        head(&mut stream).await;
        streams.push((path, stream));
    }
    wait_until(|| open.load(Ordering::SeqCst) == 12).await;
    let began = Instant::now();
    let ends = streams.into_iter().map(|(path, mut stream)| async move {
        let rest = stream.rest(Duration::from_secs(8)).await;
        if path.ends_with("socket") {
            let words = [&[0x81, 2, b'h', b'i', 0x88, 19, 0x03, 0xe9][..], b"the gateway stops"].concat();
            assert_eq!(rest, words, "{path}");
        }
        began.elapsed()
    });
    let ends = tokio::spawn(futures_util::future::join_all(ends));
    let cut = rig.stop_within(Duration::from_secs(5)).await;
    let mut ends = ends.await.unwrap();
    ends.sort();
    assert_eq!(cut, 0);
    assert!(*ends.last().unwrap() < Duration::from_millis(4700), "{ends:?}");
    let widest = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(ends[11] - ends[0] > Duration::from_secs(2) && widest < Duration::from_secs(2), "{ends:?}");
}
