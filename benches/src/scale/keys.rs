//! Where the gateway gets an issuer's keys while they rotate: the issuer's own answer, slowly, with its times noted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client;
use crate::roles::listener;

/// How long an answer takes: much longer than any request that waits for nothing.
pub(crate) const SLOW: Duration = Duration::from_millis(100);

/// A server that passes questions for keys on; it ends with this program.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: String,
    fetches: Arc<Mutex<Vec<Instant>>>,
}

impl Relay {
    /// Stands in front of the keys at `authority` and `path`.
    pub(crate) fn start(authority: String, path: String) -> Self {
        let (listener, address) = listener();
        let fetches: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noted = Arc::clone(&fetches);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (authority, path, noted) = (authority.clone(), path.clone(), Arc::clone(&noted));
                std::thread::spawn(move || {
                    if pass(stream, &authority, &path).is_ok()
                        && let Ok(mut noted) = noted.lock()
                    {
                        noted.push(Instant::now());
                    }
                });
            }
        });
        Self { address: address.to_string(), fetches }
    }

    /// When fetches ended, since the last time this was asked.
    pub(crate) fn fetches(&self) -> Vec<Instant> {
        self.fetches.lock().map(|mut noted| std::mem::take(&mut *noted)).unwrap_or_default()
    }
}

fn pass(mut stream: TcpStream, authority: &str, path: &str) -> std::io::Result<()> {
    let (mut question, mut filled) = ([0; 8 << 10], 0);
    while !question[..filled].ends_with(b"\r\n\r\n") {
        match stream.read(&mut question[filled..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    std::thread::sleep(SLOW);
    let keys = client::ask("GET", authority, path, "", "").map_err(std::io::Error::other)?.body;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{keys}", keys.len()).as_bytes())
}
