//! The load: keep-alive connections, all used in turn, a bounded number of requests under way.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use memchr::memmem;

use crate::common::client::connect;
use crate::crowd::Crowd;

/// Threads that ask.
const THREADS: usize = 4;

/// What is sent, request after request.
pub struct Requests {
    kind: Kind,
    next: AtomicUsize,
}

enum Kind {
    /// These, in turn.
    Turns(Vec<Vec<u8>>),
    /// The same request of one person after another.
    People { before: Vec<u8>, crowd: Arc<Crowd>, after: Vec<u8>, count: usize, stride: usize },
}

impl Requests {
    /// For each host and path one request of the first person, in turn.
    pub fn to_places(crowd: &Crowd, places: impl IntoIterator<Item = (String, String)>) -> Self {
        let all = places.into_iter().map(|(host, path)| {
            let (before, after) = head(&host, &path);
            [before, crowd.cookie(0).to_vec(), after].concat()
        });
        Self { kind: Kind::Turns(all.collect()), next: AtomicUsize::new(0) }
    }

    /// One request each of the first `count` people, in an order that no cache guesses; `in_line`: one after the other.
    pub fn of_people(crowd: Arc<Crowd>, host: &str, path: &str, count: usize, in_line: bool) -> Self {
        let (before, after) = head(host, path);
        let stride = if in_line { 1 } else { stride(count) };
        Self { kind: Kind::People { before, crowd, after, count, stride }, next: AtomicUsize::new(0) }
    }

    fn next(&self, into: &mut Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        into.clear();
        match &self.kind {
            Kind::Turns(all) => into.extend_from_slice(&all[number % all.len()]),
            Kind::People { before, crowd, after, count, stride } => {
                into.extend_from_slice(before);
                into.extend_from_slice(crowd.cookie(number % count * stride % count));
                into.extend_from_slice(after);
            }
        }
    }
}

/// A request up to its session, and from there on. Other cookies come along, as they do.
fn head(host: &str, path: &str) -> (Vec<u8>, Vec<u8>) {
    let before = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Language: en\r\n\
         Cookie: theme=dark; __Host-gw="
    );
    (before.into_bytes(), b"; lang=en\r\n\r\n".to_vec())
}

/// Steps that lead through all of `count`, far from one to the next.
fn stride(count: usize) -> usize {
    let common = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // The golden part leaves no two neighbours near each other in time.
    let near = count * 618 / 1000;
    (near.max(1)..).find(|step| common(*step, count) == 1).unwrap_or(1)
}

/// Connections that are open, by the thread that uses them.
pub struct Lines {
    threads: Vec<Vec<TcpStream>>,
    in_flight: usize,
}

impl Lines {
    /// Opens `connections`, on which `in_flight` requests are under way at once.
    pub fn open(authority: &str, connections: usize, in_flight: usize) -> Result<Self, String> {
        let threads = THREADS.min(connections).min(in_flight);
        let threads = in_threads((0..threads).collect(), |thread| {
            let own = (thread..connections).step_by(threads);
            own.map(|_| connect(authority).map_err(|error| format!("no connection: {error}"))).collect()
        })?;
        Ok(Self { threads, in_flight })
    }

    /// Sends one request on each connection.
    pub fn each_once(&mut self, requests: &Requests) -> Result<usize, String> {
        self.send(requests, |sent, own| sent < own)
    }

    /// Sends `count` requests, or a few more.
    pub fn so_many(&mut self, requests: &Requests, count: usize) -> Result<usize, String> {
        let until = requests.next.load(Ordering::Relaxed) + count;
        self.send(requests, |_, _| requests.next.load(Ordering::Relaxed) < until)
    }

    /// As much as goes until then.
    pub fn until(&mut self, requests: &Requests, deadline: Instant) -> Result<usize, String> {
        self.send(requests, |_, _| Instant::now() < deadline)
    }

    /// Sends on one connection after the other while `more` (which is told how many a thread has sent, and how many
    /// connections it has); returns how many were answered.
    fn send(&mut self, requests: &Requests, more: impl Fn(usize, usize) -> bool + Sync) -> Result<usize, String> {
        let window = self.in_flight / self.threads.len();
        let answers = in_threads(self.threads.iter_mut().collect(), |lines: &mut Vec<TcpStream>| {
            let window = window.clamp(1, lines.len());
            let (mut sent, mut request, mut answer) = (0, Vec::new(), vec![0; 16 << 10]);
            while more(sent, lines.len()) {
                for place in sent..sent + window {
                    requests.next(&mut request);
                    let line = place % lines.len();
                    lines[line].write_all(&request).map_err(|error| format!("cannot send: {error}"))?;
                }
                for place in sent..sent + window {
                    let line = place % lines.len();
                    receive(&mut lines[line], &mut answer)?;
                }
                sent += window;
            }
            Ok(sent)
        })?;
        Ok(answers.into_iter().sum())
    }
}

/// Reads one whole answer, which has a length and is short; it must be a 200.
fn receive(line: &mut TcpStream, answer: &mut [u8]) -> Result<(), String> {
    let status = receive_any(line, answer)?;
    if status == 200 { Ok(()) } else { Err(format!("answered {status}: {}", String::from_utf8_lossy(&answer[..300]))) }
}

/// Reads one whole answer, which has a length and is short; returns its status.
pub fn receive_any(line: &mut TcpStream, answer: &mut [u8]) -> Result<u16, String> {
    let mut filled = 0;
    let mut whole = usize::MAX;
    while filled < whole {
        match line.read(&mut answer[filled..]) {
            Ok(0) => return Err(format!("hung up after {filled} bytes")),
            Ok(count) => filled += count,
            Err(error) => return Err(format!("no answer: {error}")),
        }
        if whole == usize::MAX
            && let Some(end) = memmem::find(&answer[..filled], b"\r\n\r\n")
        {
            whole = end + 4 + length(&answer[..end]).ok_or("an answer without a length")?;
        }
    }
    let status = answer.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| "an answer without a status".to_owned())
}

fn length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let lines = head.split(|byte| *byte == b'\n');
    let mut named = lines.filter(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
    str::from_utf8(&named.next()?[NAME.len()..]).ok()?.trim().parse().ok()
}

/// Does `work` with each of `items` in a thread of its own.
pub fn in_threads<I: Send, T: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "the load panicked".to_owned())?).collect()
    })
}
