//! Frames that no well-behaved client would send (RFC 9113), byte for byte.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zengate::app::App;

use crate::support::raw::{exchange, get};
use crate::support::rig::Rig;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A header block of literals that enter no table (RFC 7541, 6.2.2), names and values shorter than 127 bytes.
fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let text = |text: &[u8]| [&[u8::try_from(text.len()).unwrap()], text].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn honest() -> Vec<(&'static [u8], &'static [u8])> {
    vec![(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost"), (b":path", b"/public")]
}

/// What became of the first stream of a connection.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The first byte of its head: 0x88 is 200, 0x8c is 400 (RFC 7541, A).
    Answered(u8),
    Reset,
    GoneAway,
    Closed,
}

async fn open(node: &App) -> TcpStream {
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    stream
}

async fn next(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

async fn end(stream: &mut TcpStream) -> End {
    let reading = async {
        loop {
            match next(stream).await {
                None => return End::Closed,
                Some((HEADERS, payload)) => return End::Answered(payload[0]),
                Some((RST_STREAM, _)) => return End::Reset,
                Some((GOAWAY, _)) => return End::GoneAway,
                Some(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reading).await.expect("an end within five seconds")
}

async fn plain_node() -> (Rig, App) {
    let rig = Rig::start().await;
    let node = rig.node_listening("listeners:\n  - { address: '127.0.0.1:0', h2c: true }\n").await;
    (rig, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_none_ends_its_stream_and_reaches_no_app() {
    // I20, I21, I23, I24
    let (rig, node) = plain_node().await;
    let more = |name: &'static [u8], value: &'static [u8]| {
        let mut fields = honest();
        fields.push((name, value));
        fields
    };
    let instead = |name: &[u8], value: &'static [u8]| {
        let mut fields = honest();
        fields.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value);
        fields
    };
    let bad = [
        more(b"x-a", b"b\r\nx-auth-sub: c"),
        more(b"x-a", b"b\0"),
        more(b"X-Upper", b"b"),
        more(b"x a", b"b"),
        more(b"connection", b"close"),
        more(b"transfer-encoding", b"chunked"),
        more(b"upgrade", b"websocket"),
        more(b"te", b"gzip"),
        more(b":path", b"/public"),
        more(b":unknown", b"x"),
        more(b":authority", b"elsewhere.test"),
        more(b"host", b"elsewhere.test"),
        instead(b":path", b"public"),
        instead(b":path", b"http://localhost/public"),
        instead(b":path", b"/pub lic"),
        instead(b":path", b"/public\r\nx: y"),
        instead(b":path", b""),
        [vec![(&b"x-first"[..], &b"1"[..])], honest()].concat(),
        honest().into_iter().filter(|field| field.0 != b":authority").collect(),
        honest().into_iter().filter(|field| field.0 != b":path").collect(),
        honest().into_iter().filter(|field| field.0 != b":method").collect(),
    ];
    for fields in bad {
        let mut stream = open(&node).await;
        let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields));
        stream.write_all(&head).await.unwrap();
        let end = end(&mut stream).await;
        assert!(
            end != End::Answered(0x88),
            "{:?}",
            fields
                .iter()
                .map(|(name, value)| (String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
                .collect::<Vec<_>>()
        );
        assert_eq!(rig.upstream.count(), 0, "{fields:?} reached the app");
    }
    // The twins.
    for fields in [honest(), more(b"host", b"localhost"), more(b"te", b"trailers"), more(b"x-a", b"b")] {
        let mut stream = open(&node).await;
        stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&fields))).await.unwrap();
        assert_eq!(end(&mut stream).await, End::Answered(0x88), "{fields:?}");
    }
    assert_eq!(rig.upstream.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_as_long_as_it_says_is_no_request() {
    // I22
    let (rig, node) = plain_node().await;
    for (announced, sent, good) in [("5", &b"hello"[..], true), ("9", b"hello", false), ("3", b"hello", false)] {
        let before = rig.upstream.count();
        let mut stream = open(&node).await;
        let mut fields = honest();
        fields[0].1 = b"POST";
        fields.push((b"content-length", announced.as_bytes()));
        stream.write_all(&frame(HEADERS, END_HEADERS, 1, &block(&fields))).await.unwrap();
        stream.write_all(&frame(DATA, END_STREAM, 1, sent)).await.unwrap();
        let end = end(&mut stream).await;
        assert_eq!(end == End::Answered(0x88), good, "{announced}: {end:?}");
        assert_eq!(rig.upstream.count() - before, usize::from(good), "{announced}: a whole request at the app");
    }
}

/// Writes `bytes` again and again until the other side hangs up, at most for five seconds; how long that took.
async fn flood(node: &App, begin: &[u8], bytes: impl Fn(u32) -> Vec<u8>) -> Option<Duration> {
    let mut stream = open(node).await;
    stream.write_all(begin).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    // Whoever does not read is ended for that.
    let reading = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    let start = Instant::now();
    let writing = async {
        for round in 0.. {
            let batch: Vec<u8> = (0..100).flat_map(|number| bytes(round * 100 + number)).collect();
            if writer.write_all(&batch).await.is_err() || reading.is_finished() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), writing).await.ok().map(|()| start.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_frames_ends_its_connection_and_nobody_elses() {
    // L09
    let (rig, node) = plain_node().await;
    let asked = block(&honest());
    let reset = |number: u32| {
        let stream = number * 2 + 1;
        [frame(HEADERS, END_STREAM | END_HEADERS, stream, &asked), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    assert!(flood(&node, b"", reset).await.is_some(), "rapid reset");
    let endless = frame(HEADERS, END_STREAM, 1, &asked);
    let more = block(&[(b"x-more", &[b'v'; 120])]);
    assert!(flood(&node, &endless, |_| frame(CONTINUATION, 0, 1, &more)).await.is_some(), "CONTINUATION");
    assert!(rig.upstream.count() < 1_000, "{}", rig.upstream.count());
    // Frames that ask for an answer, and are read, cost no more than the answers.
    flood(&node, b"", |_| frame(PING, 0, 0, &[0; 8])).await;
    assert_eq!(exchange(node.address(), get("/public", "").as_bytes()).await.status(), 200);
}
