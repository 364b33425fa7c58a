//! One HTTP/1.1 message off a socket, byte for byte.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// One side of a connection: messages are read whole, and what came after one is kept for the next.
pub struct Messages {
    stream: TcpStream,
    read: Vec<u8>,
}

/// Where the body of a message ends.
enum Body {
    Length(usize),
    Chunks,
    /// With the connection.
    Rest,
}

impl Messages {
    pub fn of(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The next message with its body; `None` if the connection ends before there is one.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let head = self.until(0, b"\r\n\r\n").await?;
        let end = match body_of(&String::from_utf8_lossy(&self.read[..head])) {
            Body::Length(length) => head + length,
            Body::Chunks => self.until(head, b"\r\n0\r\n\r\n").await?,
            Body::Rest => {
                while self.more().await.is_some() {}
                self.read.len()
            }
        };
        while self.read.len() < end {
            self.more().await?;
        }
        Some(self.read.drain(..end).collect())
    }

    /// Where the first `mark` at or after `from` ends. (The chunk before the last one ends with a line end as well.)
    async fn until(&mut self, from: usize, mark: &[u8]) -> Option<usize> {
        loop {
            let found = self.read[from..].windows(mark.len()).position(|window| window == mark);
            if let Some(at) = found {
                return Some(from + at + mark.len());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        let mut chunk = [0; 8192];
        let count = self.stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        self.read.extend_from_slice(&chunk[..count]);
        Some(())
    }
}

fn body_of(head: &str) -> Body {
    if let Some(length) = header(head, "content-length") {
        return Body::Length(length.parse().unwrap());
    }
    if header(head, "transfer-encoding").is_some() {
        return Body::Chunks;
    }
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    match status {
        Some("204" | "304") | None => Body::Length(0),
        Some(_) => Body::Rest,
    }
}

/// The first value of a header, by lower-case name.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    headers(message, name).next()
}

/// Every value of a header, by lower-case name.
pub fn headers<'a>(message: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
