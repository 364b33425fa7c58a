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
