//! A small HTTP/1.1 server that plays a provider: it says what it is told, remembers what it heard.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// How a path is answered.
#[derive(Clone)]
pub(super) enum Play {
    /// These bytes, then the end of the connection if they announce it.
    Say(Vec<u8>),
    /// These bytes, once a permit can be had.
    Held(Arc<Semaphore>, Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// These bytes, then nothing for ever.
    Stall(Vec<u8>),
    /// A chunked body without end.
    Endless,
    /// Interim answers (RFC 9110, 15.2) without end.
    Interim,
    /// The connection is closed without a word.
    HangUp,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Heard {
    pub(super) fn path(&self) -> &str {
        self.target().split('?').next().unwrap()
    }

    pub(super) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(super) struct Peer {
    /// `http://127.0.0.1:port`
    pub(super) base: String,
    pub(super) port: u16,
    plays: Arc<Mutex<HashMap<String, Play>>>,
    heard: watch::Receiver<Vec<Heard>>,
    written: Arc<AtomicUsize>,
}

impl Peer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plays = Arc::new(Mutex::new(HashMap::new()));
        let (sender, heard) = watch::channel(Vec::new());
        let written = Arc::new(AtomicUsize::new(0));
        let (script, sender, count) = (plays.clone(), Arc::new(sender), written.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), sender.clone(), count.clone()));
            }
        });
        Self { base: format!("http://127.0.0.1:{port}"), port, plays, heard, written }
    }

    pub(super) fn play(&self, path: &str, play: Play) {
        self.plays.lock().insert(path.to_owned(), play);
    }

    /// Answers `path` with JSON and 200.
    pub(super) fn say(&self, path: &str, body: &Value) {
        self.play(path, Play::Say(json_answer(200, body)));
    }

    /// Answers `path` with an empty object and `status`.
    pub(super) fn fail(&self, path: &str, status: u16) {
        self.play(path, Play::Say(json_answer(status, &serde_json::json!({}))));
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.borrow().clone()
    }

    /// How often `path` was asked for.
    pub(super) fn count(&self, path: &str) -> usize {
        self.heard.borrow().iter().filter(|heard| heard.path() == path).count()
    }

    /// Waits until `path` was asked for `times` times.
    pub(super) async fn until(&self, path: &str, times: usize) {
        let enough = |all: &Vec<Heard>| all.iter().filter(|heard| heard.path() == path).count() >= times;
        self.heard.clone().wait_for(enough).await.unwrap();
    }

    /// Bytes of endless bodies that found their way into a socket.
    pub(super) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    [out.as_bytes(), body].concat()
}

pub(super) fn json_answer(status: u16, body: &Value) -> Vec<u8> {
    answer(status, &[("content-type", "application/json")], body.to_string().as_bytes())
}

async fn serve(
    mut stream: TcpStream,
    plays: Arc<Mutex<HashMap<String, Play>>>,
    sender: Arc<watch::Sender<Vec<Heard>>>,
    written: Arc<AtomicUsize>,
) {
    while let Some(heard) = hear(&mut stream).await {
        let play = plays.lock().get(heard.path()).cloned();
        sender.send_modify(|all| all.push(heard));
        match play.unwrap_or_else(|| Play::Say(json_answer(404, &serde_json::json!({})))) {
            Play::Say(bytes) => {
                let _ = stream.write_all(&bytes).await;
                if !bytes.windows(17).any(|window| window == b"connection: close") {
                    continue;
                }
            }
            Play::Held(permits, bytes) => {
                permits.acquire().await.unwrap().forget();
                let _ = stream.write_all(&bytes).await;
            }
            Play::Hang => std::future::pending().await,
            Play::Stall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Play::Endless => {
                let head = "HTTP/1.1 200 x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(chunk.as_bytes()).await.is_ok() {
                    written.fetch_add(0x1000, Ordering::Relaxed);
                }
            }
            Play::Interim => {
                let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(100);
                while stream.write_all(interim.as_bytes()).await.is_ok() {
                    written.fetch_add(interim.len(), Ordering::Relaxed);
                }
            }
            Play::HangUp => {}
        }
        let _ = stream.shutdown().await;
        return;
    }
}

async fn hear(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Heard { line, headers, body: String::from_utf8(body).ok()? })
}
