//! An app whose every byte the test decides: for what no well-behaved app would say.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One that plays the same part on each of its connections. Ends when dropped.
#[derive(Debug)]
pub struct Puppet {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Puppet {
    /// Plays `part` on every connection, of which the head of the first request was read.
    pub async fn start<F, Played>(part: F) -> Self
    where
        F: Fn(Strings) -> Played + Send + 'static,
        Played: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut parts = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut strings = Strings { stream, head: String::new() };
                let Some(head) = strings.head().await else { continue };
                strings.head = head;
                parts.spawn(part(strings));
            }
        });
        Self { address, task }
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the test holds of one connection.
#[derive(Debug)]
pub struct Strings {
    pub stream: TcpStream,
    /// Head of the first request.
    pub head: String,
}

impl Strings {
    /// Says `text`; whether anybody listens.
    pub async fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(text.as_ref()).await.is_ok()
    }

    /// Reads until the other side ends the connection.
    pub async fn listen(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        let _cut_or_ended = self.stream.read_to_end(&mut heard).await;
        heard
    }

    /// Reads one head; `None` if the connection ends before.
    pub async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        String::from_utf8(head).ok()
    }
}
