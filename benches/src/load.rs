//! The load. As much as goes over many connections or over one (closed loop), so many a second whatever happens (open
//! loop), whole sign-ins.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::client::{Browser, connect};
use crate::requests::Requests;

/// Threads that ask.
const THREADS: usize = 4;
/// People who sign in at the same time.
const PEOPLE: usize = 8;

/// Answers in a time.
pub(crate) struct Count {
    /// How many.
    pub(crate) answers: usize,
    /// In which time.
    pub(crate) time: Duration,
}

/// Reads one whole answer; returns its status and whether the other side hangs up behind it.
fn receive(stream: &mut TcpStream, read: &mut [u8]) -> Result<(u16, bool), String> {
    let mut more = |read: &mut [u8]| match stream.read(read) {
        Ok(0) => Err("hung up in the middle of an answer".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("no answer: {error}")),
    };
    let mut filled = 0;
    let head = loop {
        filled += more(&mut read[filled..])?;
        if let Some(end) = memmem::find(&read[..filled], b"\r\n\r\n") {
            break end + 4;
        }
    };
    let status = read.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    let closing = field(&read[..head], b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    match field(&read[..head], b"content-length").and_then(|length| str::from_utf8(length).ok()?.parse::<usize>().ok())
    {
        Some(length) => {
            let mut left = (head + length).saturating_sub(filled);
            // What stands in front stays for whoever wants to see it.
            while left > 0 {
                left = left.saturating_sub(more(&mut read[head..])?);
            }
        }
        // In chunks: until the last one.
        None => {
            while !read[..filled].ends_with(b"0\r\n\r\n") {
                filled = more(read)?;
            }
        }
    }
    Ok((status.ok_or("an answer without a status")?, closing))
}

fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (field, value) = (line.get(..name.len())?, line.get(name.len()..)?.strip_prefix(b":")?);
        field.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
    })
}

/// Opens a connection for `requests`.
fn open(authority: &str) -> Result<TcpStream, String> {
    connect(authority).map_err(|error| format!("no connection: {error}"))
}

/// Keep-alive connections that are open, by the thread that uses them. One that the other side closes is opened again.
pub(crate) struct Lines<'a> {
    requests: &'a Requests,
    threads: Vec<Vec<TcpStream>>,
    in_flight: usize,
}

impl<'a> Lines<'a> {
    /// Opens `connections`, on which `in_flight` requests are under way at once.
    pub(crate) fn open(requests: &'a Requests, connections: usize, in_flight: usize) -> Result<Self, String> {
        let threads = THREADS.min(connections).min(in_flight);
        let threads = in_threads((0..threads).collect(), |thread| {
            (thread..connections).step_by(threads).map(|_| open(&requests.authority)).collect()
        })?;
        Ok(Self { requests, threads, in_flight })
    }

    /// Sends `times` requests on each connection.
    pub(crate) fn each(&mut self, times: usize) -> Result<Count, String> {
        self.send(|sent, own| sent < own * times)
    }

    /// Sends `count` requests, or a few more.
    pub(crate) fn so_many(&mut self, count: usize) -> Result<Count, String> {
        let threads = self.threads.len();
        self.send(|sent, _| sent < count.div_ceil(threads))
    }

    /// As much as goes for `span`.
    pub(crate) fn during(&mut self, span: Duration) -> Result<Count, String> {
        let begin = Instant::now();
        self.send(|_, _| begin.elapsed() < span)
    }

    /// Sends on one connection after the other while `more` (which is told how many a thread has sent, and how many
    /// connections it has).
    fn send(&mut self, more: impl Fn(usize, usize) -> bool + Sync) -> Result<Count, String> {
        let requests = self.requests;
        let window = self.in_flight / self.threads.len();
        let begin = Instant::now();
        let answers = in_threads(self.threads.iter_mut().collect(), |lines: &mut Vec<TcpStream>| {
            let window = window.clamp(1, lines.len());
            let (mut sent, mut request, mut read) = (0, Vec::new(), vec![0; 64 << 10]);
            while more(sent, lines.len()) {
                for place in sent..sent + window {
                    requests.next(&mut request);
                    let line = place % lines.len();
                    if lines[line].write_all(&request).is_err() {
                        lines[line] = open(&requests.authority)?;
                        lines[line].write_all(&request).map_err(|error| format!("cannot send: {error}"))?;
                    }
                }
                for place in sent..sent + window {
                    let line = place % lines.len();
                    let (status, closing) = receive(&mut lines[line], &mut read)?;
                    if status != requests.expect {
                        return Err(format!("answered {}", String::from_utf8_lossy(&read[..300])));
                    }
                    if closing {
                        lines[line] = open(&requests.authority)?;
                    }
                }
                sent += window;
            }
            Ok(sent)
        })?;
        Ok(Count { answers: answers.into_iter().sum(), time: begin.elapsed() })
    }
}

/// One request of an open loop.
pub(crate) struct Sample {
    /// What the request was about, as whoever made it said.
    pub(crate) tag: usize,
    /// When it was sent, counted from the beginning; how much too late that was; how long the answer took.
    pub(crate) sent: Duration,
    /// See [`Sample::sent`].
    pub(crate) late: Duration,
    /// See [`Sample::sent`].
    pub(crate) took: Duration,
    /// Whether it was late because the one before it on its connection was slow.
    pub(crate) behind: bool,
    /// 0 if there was no answer.
    pub(crate) status: u16,
}

/// `rate` requests a second for `span` from `begin` on, over `connections`, whatever the answers do. `request` writes the
/// one of that number, and says what it is about. Each is timed from when it was meant to be sent: a request that had to
/// wait behind a slow one has waited for the proxy all the same.
pub(crate) fn pace(
    authority: &str,
    (rate, connections): (u32, usize),
    (begin, span): (Instant, Duration),
    request: impl Fn(usize, &mut Vec<u8>) -> usize + Sync,
) -> Result<Vec<Sample>, String> {
    let between = Duration::from_secs(1) / rate;
    let count = usize::try_from(span.as_nanos() / between.as_nanos()).unwrap_or_default();
    let samples = in_threads((0..connections).collect(), |thread: usize| {
        sleep_exactly();
        let mut line = connect(authority).ok();
        let (mut bytes, mut read) = (Vec::new(), vec![0; 64 << 10]);
        let mut samples = Vec::with_capacity(count / connections + 1);
        for place in (thread..count).step_by(connections) {
            let due = begin + between * u32::try_from(place).unwrap_or(u32::MAX);
            let early = due.saturating_duration_since(Instant::now());
            std::thread::sleep(early);
            let tag = request(place, &mut bytes);
            let sent = Instant::now();
            let answer = line.as_mut().and_then(|line| {
                line.write_all(&bytes).ok()?;
                receive(line, &mut read).ok()
            });
            let took = sent.elapsed();
            if answer.is_none_or(|(status, closing)| closing || status >= 400) {
                // Who refuses may hang up as well: that is one failure, not two.
                line = connect(authority).ok();
            }
            samples.push(Sample {
                tag,
                sent: sent.saturating_duration_since(begin),
                late: sent.saturating_duration_since(due),
                took,
                behind: early.is_zero(),
                status: answer.map_or(0, |(status, _)| status),
            });
        }
        Ok(samples)
    })?;
    Ok(samples.into_iter().flatten().collect())
}

/// Times in microseconds, in order: of answers from when their requests were due, and by how much the load itself was
/// late.
pub(crate) fn times(samples: &[Sample]) -> (Vec<f64>, Vec<f64>) {
    let mut answers: Vec<f64> = samples.iter().map(|sample| micros(sample.late + sample.took)).collect();
    let mut late: Vec<f64> = samples.iter().filter(|sample| !sample.behind).map(|sample| micros(sample.late)).collect();
    answers.sort_by(f64::total_cmp);
    late.sort_by(f64::total_cmp);
    (answers, late)
}

/// One request after the other over one connection for `span`: how long each took, in microseconds, in order.
pub(crate) fn one(requests: &Requests, span: Duration) -> Result<Vec<f64>, String> {
    let mut line = Lines::open(requests, 1, 1)?;
    let mut times = Vec::new();
    let (begin, mut request, mut read) = (Instant::now(), Vec::new(), vec![0; 64 << 10]);
    let stream = &mut line.threads[0][0];
    while begin.elapsed() < span {
        let sent = Instant::now();
        requests.next(&mut request);
        stream.write_all(&request).map_err(|error| format!("cannot send: {error}"))?;
        let (status, closing) = receive(stream, &mut read)?;
        times.push(micros(sent.elapsed()));
        if status != requests.expect {
            return Err(format!("answered {status}"));
        }
        if closing {
            *stream = open(&requests.authority)?;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The first answer to `request` of whoever listens at `authority` as soon as it does, tried from 100 µs to 100 µs.
pub(crate) fn first_answer(authority: &str, request: &[u8], patience: impl Fn() -> bool) -> Result<u16, String> {
    let mut line = loop {
        match connect(authority) {
            Ok(line) => break line,
            Err(error) if !patience() => return Err(format!("no start: {error}")),
            Err(_) => std::thread::sleep(Duration::from_micros(100)),
        }
    };
    line.write_all(request).map_err(|error| error.to_string())?;
    receive(&mut line, &mut [0; 16 << 10]).map(|(status, _)| status)
}

/// The kernel lets sleepers oversleep by 50 µs unless told otherwise, thread by thread.
fn sleep_exactly() {
    let thread = fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(id) = thread.file_name() {
        let _then_a_little_late = fs::write(Path::new("/proc").join(id).join("timerslack_ns"), "1");
    }
}

/// Whole sign-ins, each by a new browser, from the app's page to the app's page.
pub(crate) fn sign_ins(authority: &str, path: &str, span: Duration) -> Result<Count, String> {
    let begin = Instant::now();
    let url = format!("http://{authority}{path}");
    let ends = in_threads((0..PEOPLE).collect(), |_: usize| {
        let mut ends = 0;
        while begin.elapsed() < span {
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

/// Does `work` with each of `items` in a thread of its own.
fn in_threads<I: Send, T: Send>(items: Vec<I>, work: impl Fn(I) -> Result<T, String> + Sync) -> Result<Vec<T>, String> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || work(item))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "the load panicked".to_owned())?).collect()
    })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
