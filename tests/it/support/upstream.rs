//! An app behind the gateway that remembers every byte it was sent, and answers what it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// Request target.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// Every value of a header, in order, by lower-case name.
    pub fn all(&self, name: &str) -> Vec<String> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// Every header as (lower-case name, value), sorted: what an app could know, whatever the order.
    pub fn fields(&self) -> Vec<(String, String)> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let mut fields: Vec<_> =
            lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        fields.sort();
        fields
    }

    /// The one value of a header; `None` if absent.
    pub fn one(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands {} times: {}", all.len(), self.head);
        all.into_iter().next()
    }
}

/// What the app does with a connection once it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// Waits for the next request.
    #[default]
    Listen,
    /// Hangs up.
    HangUp,
    /// Sends back every byte it gets: what an app does after an upgrade.
    Echo,
    /// Does nothing more, and keeps the connection.
    Stall,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    answer: Mutex<String>,
    pages: Mutex<HashMap<String, String>>,
    then: Mutex<Then>,
    connections: AtomicUsize,
    raw: Mutex<Vec<u8>>,
}

/// The recording app. Ends when dropped.
#[derive(Debug)]
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts one that answers `200 ok`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        *shared.answer.lock().unwrap() = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned();
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { address, shared, task }
    }

    /// Everything that arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The last request, which must be there.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the upstream was asked")
    }

    /// How many requests arrived.
    pub fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// A page of HTML to answer `path` with, whatever else is answered.
    pub fn serve(&self, path: &str, html: &str) {
        let length = html.len();
        let page = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{html}");
        self.shared.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// What to answer from now on: a whole HTTP/1.1 answer.
    pub fn answer(&self, raw: &str) {
        self.script(raw, Then::Listen);
    }

    /// What to answer from now on, and what to do after it. An empty text answers nothing.
    pub fn script(&self, raw: &str, then: Then) {
        raw.clone_into(&mut self.shared.answer.lock().unwrap());
        *self.shared.then.lock().unwrap() = then;
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes reached it, in whole requests or not.
    pub fn bytes(&self) -> usize {
        self.shared.raw.lock().unwrap().len()
    }

    /// Every byte that reached it, in the order of arrival.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.raw.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long the app takes to switch protocols.
const SWITCHING: std::time::Duration = std::time::Duration::from_millis(20);

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut buffer, &shared).await {
        let page = shared.pages.lock().unwrap().get(seen.target()).cloned();
        shared.seen.lock().unwrap().push(seen);
        let (answer, then) =
            (page.unwrap_or_else(|| shared.answer.lock().unwrap().clone()), *shared.then.lock().unwrap());
        if answer.starts_with("HTTP/1.1 101") {
            // As far away as a real app at least. The framework sends the end of the (empty) request and reads the answer
            // in no fixed order; an answer within the microseconds between the two ends the upgrade at once.
            tokio::time::sleep(SWITCHING).await;
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        match then {
            Then::Listen => {}
            Then::HangUp => return,
            Then::Echo => {
                while read_more(&mut stream, &mut buffer, &shared).await.is_some() {
                    let echoed = std::mem::take(&mut buffer);
                    if stream.write_all(&echoed).await.is_err() {
                        return;
                    }
                }
                return;
            }
            Then::Stall => while read_more(&mut stream, &mut buffer, &shared).await.is_some() {},
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<Seen> {
    let end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, buffer, shared).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let seen = Seen { head, body: Vec::new() };
    let body = if let Some(length) = seen.one("content-length") {
        let length: usize = length.parse().unwrap();
        while buffer.len() < length {
            read_more(stream, buffer, shared).await?;
        }
        buffer.drain(..length).collect()
    } else if seen.one("transfer-encoding").is_some() {
        loop {
            if let Some(at) = find(buffer, b"0\r\n\r\n") {
                break buffer.drain(..at + 5).collect();
            }
            read_more(stream, buffer, shared).await?;
        }
    } else {
        Vec::new()
    };
    Some(Seen { body, ..seen })
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> Option<()> {
    let mut chunk = [0; 8192];
    match stream.read(&mut chunk).await {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            buffer.extend_from_slice(&chunk[..count]);
            shared.raw.lock().unwrap().extend_from_slice(&chunk[..count]);
            Some(())
        }
    }
}

fn find(buffer: &[u8], what: &[u8]) -> Option<usize> {
    buffer.windows(what.len()).position(|window| window == what)
}
