//! One line a request, written off the request's path.
//!
//! A request hands over what it owns anyway and goes on; a thread of its own formats and writes, many lines at a time.
//! If lines come faster than they can be written, lines are lost and counted, never requests delayed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};

use http::Method;

use super::context::RequestId;
use crate::auth::Permit;
use crate::route::path::NormalTarget;
use crate::telemetry::Metrics;
use crate::telemetry::log::LogFormat;

/// Lines that may wait. At 100,000 requests a second this is the pause of two rounds.
const QUEUE: usize = 8192;

/// How often waiting lines are written. The writer sleeps in between instead of being woken by each request: waking a
/// thread would cost the request more than everything else in this file.
const EVERY: Duration = Duration::from_millis(25);

/// Lines after which the writer lets others have its core. Where it shares one with requests, those would else wait for
/// all lines of a pause: half a millisecond's worth at 40,000 requests a second.
const BREATH: u64 = 32;

/// What a line says. Never a query: codes and tokens travel there (R02).
pub(super) struct Line {
    pub(super) at: SystemTime,
    pub(super) request_id: RequestId,
    pub(super) client: IpAddr,
    pub(super) method: Method,
    pub(super) host: String,
    pub(super) target: Option<NormalTarget>,
    pub(super) permit: Option<Permit>,
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

/// The way to the writer.
pub(super) struct AccessLog {
    queue: SyncSender<Line>,
    handed: AtomicU64,
    written: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl AccessLog {
    /// Starts the writer; it writes to standard error, as all logging does.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub(super) fn start(format: LogFormat, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let writer = std::thread::Builder::new().name("zengate-access".to_owned());
        writer.spawn(move || write_all(&lines, format, &count))?;
        Ok(Self { queue, handed: AtomicU64::new(0), written, metrics })
    }

    /// Hands a line over, or counts it as lost.
    pub(super) fn say(&self, line: Line) {
        match self.queue.try_send(line) {
            Ok(()) => {
                self.handed.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => self.metrics.log_lines_lost.inc(),
        }
    }

    /// Waits until everything that was handed over is written, for at most `patience`: before the process ends.
    pub(super) async fn drain(&self, patience: Duration) {
        let handed = self.handed.load(Ordering::Relaxed);
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let written = async {
            while self.written.load(Ordering::Acquire) < handed {
                tick.tick().await;
            }
        };
        let _out_of_patience = tokio::time::timeout(patience, written).await;
    }
}

fn write_all(lines: &Receiver<Line>, format: LogFormat, written: &AtomicU64) {
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut stamp = Stamp::default();
    loop {
        let mut count = 0;
        let open = loop {
            match lines.try_recv() {
                Ok(line) => line.write(format, &mut stamp, &mut buffer),
                Err(TryRecvError::Empty) => break true,
                Err(TryRecvError::Disconnected) => break false,
            }
            count += 1;
            if count % BREATH == 0 {
                std::thread::yield_now();
            }
            if buffer.len() > 60 * 1024 {
                flush(&mut buffer);
            }
        };
        flush(&mut buffer);
        written.fetch_add(count, Ordering::Release);
        if !open {
            return;
        }
        std::thread::sleep(EVERY);
    }
}

/// Whole lines at a time, so that no other line of the log is ever cut in two.
fn flush(buffer: &mut Vec<u8>) {
    if !buffer.is_empty() {
        // Nobody is left to be told that standard error is gone.
        let _closed = std::io::stderr().lock().write_all(buffer);
        buffer.clear();
    }
}

/// The time of a line; what lines of the same second share of it is written once.
#[derive(Default)]
struct Stamp {
    second: u64,
    text: String,
}

impl Stamp {
    /// `2026-11-21T23:36:46.123456Z`.
    fn write(&mut self, at: SystemTime, out: &mut Vec<u8>) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if self.text.is_empty() || self.second != since.as_secs() {
            self.second = since.as_secs();
            self.text.clear();
            // A clock beyond the year 9999 has no such form; then only the fraction is written.
            let _no_form = write!(self.text, "{}", humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since));
        }
        out.extend_from_slice(self.text.trim_end_matches('Z').as_bytes());
        let (micros, mut digits) = (since.subsec_micros(), *b".000000Z");
        let mut rest = micros;
        for digit in digits.iter_mut().skip(1).take(6).rev() {
            *digit += u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

impl Line {
    fn write(&self, format: LogFormat, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match format {
            LogFormat::Json => self.write_json(stamp, out),
            LogFormat::Human => self.write_human(stamp, out),
        }
    }

    fn path(&self) -> &str {
        self.target.as_ref().map_or("", NormalTarget::path)
    }

    fn route(&self) -> &str {
        self.permit.as_ref().map_or("", |permit| permit.route().name.as_str())
    }

    /// Piece by piece: the machinery behind `write!` costs as much as all else that a line takes.
    fn write_json(&self, stamp: &mut Stamp, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"timestamp":""#);
        stamp.write(self.at, out);
        out.extend_from_slice(br#"","level":"INFO","message":"request","request_id":""#);
        out.extend_from_slice(self.request_id.as_str().as_bytes());
        out.extend_from_slice(br#"","client":""#);
        address(self.client, out);
        out.extend_from_slice(br#"","method":"#);
        json(self.method.as_str(), out);
        out.extend_from_slice(br#","host":"#);
        json(self.host.as_str(), out);
        out.extend_from_slice(br#","path":"#);
        json(self.path(), out);
        out.extend_from_slice(br#","route":"#);
        json(self.route(), out);
        out.extend_from_slice(br#","status":"#);
        json(&self.status, out);
        out.extend_from_slice(br#","bytes":"#);
        json(&self.bytes, out);
        out.extend_from_slice(br#","micros":"#);
        json(&u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX), out);
        out.extend_from_slice(b",\"target\":\"zengate::access\"}\n");
    }

    fn write_human(&self, stamp: &mut Stamp, out: &mut Vec<u8>) {
        stamp.write(self.at, out);
        // Writing into a vector cannot fail.
        let _written = writeln!(
            out,
            "  INFO {status} {method} {host}{path} {micros} µs, {bytes} bytes, route `{route}`, {client}, {id}",
            status = self.status,
            method = self.method.as_str().escape_debug(),
            host = self.host.escape_debug(),
            path = self.path().escape_debug(),
            micros = self.took.as_micros(),
            bytes = self.bytes,
            route = self.route(),
            client = self.client,
            id = self.request_id.as_str(),
        );
    }
}

/// A value as JSON.
fn json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _written = serde_json::to_writer(out, value);
}

fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                json(octet, out);
            }
        }
        IpAddr::V6(address) => {
            let _written = write!(out, "{address}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str, target: &str) -> Line {
        Line {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_790_000_000_123_456),
            request_id: RequestId::next(&AtomicU64::new(1)),
            client: IpAddr::from([127, 0, 0, 1]),
            method: Method::GET,
            host: host.to_owned(),
            target: NormalTarget::parse(target.as_bytes()).ok(),
            permit: None,
            status: 200,
            bytes: 2,
            took: Duration::from_micros(412),
        }
    }

    #[test]
    fn a_line_is_one_line_of_json_without_the_query() {
        // R02, R03
        let mut out = Vec::new();
        line("app\u{1b}.te\"st\r\n", "/a?code=canary").write(LogFormat::Json, &mut Stamp::default(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["path"], "/a");
        assert_eq!(event["host"], "app\u{1b}.te\"st\r\n");
        assert_eq!(event["timestamp"], "2026-09-21T14:13:20.123456Z");
        assert!(!text.contains("canary"));
        let mut out = Vec::new();
        line("app\u{1b}.test\r\n", "/a?code=canary").write(LogFormat::Human, &mut Stamp::default(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.matches('\n').count() == 1 && !text.contains('\u{1b}') && !text.contains("canary"), "{text}");
    }

    #[test]
    fn a_line_says_its_own_time_and_the_client_in_full() {
        let mut stamp = Stamp::default();
        let mut say = |micros: u64, client: IpAddr| {
            let mut out = Vec::new();
            let at = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
            Line { at, client, ..line("a", "/") }.write(LogFormat::Json, &mut stamp, &mut out);
            let event: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(event["client"], client.to_string());
            event["timestamp"].as_str().unwrap().to_owned()
        };
        for micros in [0, 7, 1_790_000_000_000_000, 1_790_000_000_999_999, 1_790_000_001_000_010, 1_790_000_000_000_100]
        {
            let at = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
            let expected = humantime::format_rfc3339_micros(at).to_string();
            assert_eq!(say(micros, "203.0.113.255".parse().unwrap()), expected);
            assert_eq!(say(micros, "2001:db8::7".parse().unwrap()), expected);
        }
    }

    #[test]
    fn lines_that_cannot_be_kept_are_counted() {
        let metrics = Arc::new(Metrics::new());
        let (queue, _nobody_reads) = sync_channel(1);
        let log =
            AccessLog { queue, handed: AtomicU64::new(0), written: Arc::default(), metrics: Arc::clone(&metrics) };
        log.say(line("a", "/"));
        log.say(line("b", "/"));
        assert_eq!(metrics.log_lines_lost.get(), 1);
    }
}
