//! Kinds of load: as much as goes over many connections or over one (closed loop), so many a second whatever happens
//! (open loop), whole sign-ins.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::common::client::{Browser, connect};

/// Threads that saturate.
const THREADS: usize = 4;
/// Connections of the open loop at a given rate.
pub const OPEN_CONNECTIONS: usize = 16;
/// People who sign in at the same time.
const PEOPLE: usize = 8;

/// What is sent: request after request, from the first to the last and over again.
pub struct Requests {
    all: Vec<Vec<u8>>,
    next: AtomicUsize,
    authority: String,
    expect: u16,
}

impl Requests {
    /// `all` go to `authority`; each must be answered with the status `expect`.
    pub fn new(authority: String, all: Vec<Vec<u8>>, expect: u16) -> Self {
        Self { all, next: AtomicUsize::new(0), authority, expect }
    }

    /// How many different ones there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    fn next(&self) -> &[u8] {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        &self.all[place % self.all.len()]
    }
}

/// Answers in a time.
pub struct Count {
    pub answers: usize,
    pub time: Duration,
}

/// A connection that is opened again when the other side closes it.
struct Line<'a> {
    requests: &'a Requests,
    stream: TcpStream,
    read: Vec<u8>,
}

impl<'a> Line<'a> {
    fn open(requests: &'a Requests) -> Result<Self, String> {
        let stream = connect(&requests.authority).map_err(|error| format!("no connection: {error}"))?;
        Ok(Self { requests, stream, read: vec![0; 64 << 10] })
    }

    fn send(&mut self) -> Result<(), String> {
        let request = self.requests.next();
        if self.stream.write_all(request).is_ok() {
            return Ok(());
        }
        self.stream = Self::open(self.requests)?.stream;
        self.stream.write_all(request).map_err(|error| format!("cannot send: {error}"))
    }

    fn receive(&mut self) -> Result<(), String> {
        let mut filled = 0;
        let (head, length) = loop {
            let count = self.stream.read(&mut self.read[filled..]).map_err(|error| format!("no answer: {error}"))?;
            if count == 0 {
                return Err(format!("hung up after {filled} bytes"));
            }
            filled += count;
            if let Some(end) = memmem::find(&self.read[..filled], b"\r\n\r\n") {
                break (end + 4, body_length(&self.read[..end + 2]));
            }
        };
        let status = self.read.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        if status != Some(self.requests.expect) {
            return Err(format!("answered {}", String::from_utf8_lossy(&self.read[..head.min(300)])));
        }
        let closing =
            field(&self.read[..head], b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        match length {
            Some(length) => {
                let mut left = (head + length).saturating_sub(filled);
                while left > 0 {
                    let count = self.stream.read(&mut self.read).map_err(|error| format!("half an answer: {error}"))?;
                    if count == 0 {
                        return Err("hung up in the middle of an answer".to_owned());
                    }
                    left = left.saturating_sub(count);
                }
            }
            // In chunks: until the last one.
            None => {
                while !self.read[..filled].ends_with(b"0\r\n\r\n") {
                    filled = self.stream.read(&mut self.read).map_err(|error| format!("half an answer: {error}"))?;
                    if filled == 0 {
                        return Err("hung up in the middle of an answer".to_owned());
                    }
                }
            }
        }
        if closing {
            self.stream = Self::open(self.requests)?.stream;
        }
        Ok(())
    }
}

fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (field, value) = (line.get(..name.len())?, line.get(name.len()..)?.strip_prefix(b":")?);
        field.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
    })
}

fn body_length(head: &[u8]) -> Option<usize> {
    str::from_utf8(field(head, b"content-length")?).ok()?.parse().ok()
}

/// Sends every different request once, unmeasured: caches are as warm as they get.
pub fn warm(requests: &Requests) -> Result<(), String> {
    in_threads(THREADS, |_| {
        let mut line = Line::open(requests)?;
        for _ in 0..requests.len().div_ceil(THREADS) {
            line.send()?;
            line.receive()?;
        }
        Ok(())
    })?;
    Ok(())
}

/// As much as goes for `span`, over `connections`, each with one request under way.
pub fn saturate(requests: &Requests, connections: usize, span: Duration) -> Result<Count, String> {
    let all_connected = Barrier::new(THREADS);
    let counts = in_threads(THREADS, |_| {
        let lines: Result<Vec<_>, _> = (0..connections / THREADS).map(|_| Line::open(requests)).collect();
        all_connected.wait();
        let begin = Instant::now();
        let mut lines = lines?;
        let mut answers = 0;
        while begin.elapsed() < span {
            for line in &mut lines {
                line.send()?;
            }
            for line in &mut lines {
                line.receive()?;
                answers += 1;
            }
        }
        Ok(Count { answers, time: begin.elapsed() })
    })?;
    let time = counts.iter().map(|count| count.time).max().unwrap_or(span);
    Ok(Count { answers: counts.iter().map(|count| count.answers).sum(), time })
}

/// One request after the other over one connection for `span`: how long each took, in microseconds, in order.
pub fn one(requests: &Requests, span: Duration) -> Result<Vec<f64>, String> {
    let mut line = Line::open(requests)?;
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < span {
        let sent = Instant::now();
        line.send()?;
        line.receive()?;
        times.push(micros(sent.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Times of an open loop, in microseconds, in order; and how late the load itself was.
pub struct Latencies {
    pub answers: Vec<f64>,
    pub late: Vec<f64>,
}

/// `rate` requests a second for `span` over `connections`, whatever the answers do. Each is timed from when it was meant to be sent: a
/// request that had to wait behind a slow one has waited for the proxy all the same.
pub fn pace(requests: &Requests, rate: u32, connections: usize, span: Duration) -> Result<Latencies, String> {
    let between = Duration::from_secs(1) / rate;
    let count = usize::try_from(span.as_nanos() / between.as_nanos()).unwrap_or_default();
    let begin = Instant::now() + Duration::from_millis(20);
    let times = in_threads(connections, |thread| {
        sleep_exactly();
        let mut line = Line::open(requests)?;
        let mut times = Vec::new();
        for place in (thread..count).step_by(connections) {
            let due = begin + between * u32::try_from(place).unwrap_or(u32::MAX);
            let early = due.saturating_duration_since(Instant::now());
            let waited_for_time = !early.is_zero();
            std::thread::sleep(early);
            let sent = Instant::now();
            line.send()?;
            line.receive()?;
            times.push((micros(due.elapsed()), waited_for_time.then(|| micros(sent - due))));
        }
        Ok(times)
    })?;
    let times: Vec<_> = times.into_iter().flatten().collect();
    let mut answers: Vec<f64> = times.iter().map(|(time, _)| *time).collect();
    let mut late: Vec<f64> = times.iter().filter_map(|(_, late)| *late).collect();
    answers.sort_by(f64::total_cmp);
    late.sort_by(f64::total_cmp);
    Ok(Latencies { answers, late })
}

/// The kernel lets sleepers oversleep by 50 µs unless told otherwise, thread by thread.
fn sleep_exactly() {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(id) = thread.file_name() {
        let _then_a_little_late = fs::write(Path::new("/proc").join(id).join("timerslack_ns"), "1");
    }
}

/// Whole sign-ins, each by a new browser, from the app's page to the app's page.
pub fn sign_ins(authority: &str, path: &str, span: Duration) -> Result<Count, String> {
    let begin = Instant::now();
    let deadline = begin + span;
    let url = format!("http://{authority}{path}");
    let ends = in_threads(PEOPLE, |_| {
        let mut ends = 0;
        while Instant::now() < deadline {
            let page = Browser::default().visit(&url)?;
            if page.status != 200 {
                return Err(format!("a sign-in ended with {}", page.head));
            }
            ends += 1;
        }
        Ok(ends)
    })?;
    Ok(Count { answers: ends.into_iter().sum(), time: begin.elapsed() })
}

fn in_threads<T: Send>(count: usize, work: impl Fn(usize) -> Result<T, String> + Sync) -> Result<Vec<T>, String> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "the load panicked".to_owned())?).collect()
    })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
