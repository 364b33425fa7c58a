//! Bytes on a socket, exactly as written: for requests no well-behaved client would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer may take before the test says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer's head and body as text, and whether the connection was closed after it.
#[derive(Debug)]
pub struct RawAnswer {
    pub text: String,
    pub closed: bool,
}

impl RawAnswer {
    /// The status code; 0 if there was no answer.
    pub fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The value of a header, by lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find_map(|(field, value)| field.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// Whether the answer gives out a session cookie.
    pub fn gives_session(&self) -> bool {
        self.text
            .lines()
            .any(|line| line.to_ascii_lowercase().starts_with("set-cookie: __host-gw=") && !line.contains("Max-Age=0"))
    }

    /// What comes after the head.
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// Sends `bytes` and reads until the connection is closed or the whole answer (by its `Content-Length`) is there.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_answer(&mut stream).await
}

/// Reads one answer from an open connection.
pub async fn read_answer(stream: &mut TcpStream) -> RawAnswer {
    let mut read = Vec::new();
    let mut closed = false;
    let reading = async {
        let mut chunk = [0; 8192];
        while !is_whole(&read) {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => {
                    closed = true;
                    break;
                }
                Ok(count) => read.extend_from_slice(&chunk[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an answer or an end within five seconds");
    let text = String::from_utf8_lossy(&read).into_owned();
    if !closed && text.to_ascii_lowercase().contains("connection: close") {
        let mut rest = [0; 64];
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut rest)).await;
        closed = matches!(end, Ok(Ok(0) | Err(_)));
    }
    RawAnswer { text, closed }
}

fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\n").filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    length.is_some_and(|length| body.len() >= length)
}

/// A connection of one's own, for several requests or none at all.
#[derive(Debug)]
pub struct Connection(pub TcpStream);

impl Connection {
    /// Opens one.
    pub async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Writes; that the other side may have hung up already is for the reader to find out.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _hung_up = self.0.write_all(bytes.as_ref()).await;
    }

    /// Reads one answer.
    pub async fn answer(&mut self) -> RawAnswer {
        read_answer(&mut self.0).await
    }

    /// Sends a whole request and reads its answer.
    pub async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> RawAnswer {
        self.send(bytes).await;
        self.answer().await
    }

    /// Everything that comes until the other side ends the connection, which it must do within `patience`.
    pub async fn rest(&mut self, patience: Duration) -> Vec<u8> {
        let mut read = Vec::new();
        let reading = async {
            let mut chunk = [0; 8192];
            while let Ok(count @ 1..) = self.0.read(&mut chunk).await {
                read.extend_from_slice(&chunk[..count]);
            }
        };
        tokio::time::timeout(patience, reading).await.expect("the connection ends");
        read
    }

    /// Exactly `count` bytes.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut read = vec![0; count];
        tokio::time::timeout(PATIENCE, self.0.read_exact(&mut read)).await.expect("bytes in time").unwrap();
        read
    }
}

/// The text of a `GET`; `lines` are further header lines, each with its line end.
pub fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}
