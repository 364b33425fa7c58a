//! One line a request, written off the request's path.
//!
//! A request hands over what it owns anyway and goes on; the thread that writes the log (telemetry/writer.rs) formats the
//! line too. If lines come faster than they can be written, lines are lost and counted, never requests delayed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};

use http::Method;

use super::adapt::shown_path;
use super::context::RequestId;
use crate::auth::Permit;
use crate::route::path::NormalTarget;
use crate::telemetry::log::LogFormat;
use crate::telemetry::writer::{self, Drained, LogWriter, Source};

/// Lines that may wait. At 100,000 requests a second this is the pause of two rounds.
const QUEUE: usize = 8192;

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
    /// The rule that a refused head broke, and the path of a target that could not be read.
    pub(super) refused: Option<(&'static str, String)>,
    pub(super) permit: Option<Permit>,
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

/// The way to the thread that writes.
pub(super) struct AccessLog {
    queue: SyncSender<Line>,
    writer: &'static LogWriter,
}

impl AccessLog {
    /// Lines of requests go to standard error from now on, as all logging does.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub(super) fn start(format: LogFormat) -> std::io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let writer = writer::stderr()?;
        writer.attach(Box::new(Lines { lines, format, stamp: Stamp::default() }));
        Ok(Self { queue, writer })
    }

    /// Hands a line over, or counts it as lost.
    pub(super) fn say(&self, line: Line) {
        if self.queue.try_send(line).is_err() {
            self.writer.lose(1);
        }
    }
}

/// Where lines wait until they are written.
struct Lines {
    lines: Receiver<Line>,
    format: LogFormat,
    stamp: Stamp,
}

impl Source for Lines {
    fn drain(&mut self, out: &mut Vec<u8>, most: usize) -> Drained {
        let mut count = 0_u64;
        while out.len() <= most {
            match self.lines.try_recv() {
                Ok(line) => line.write(self.format, &mut self.stamp, out),
                Err(TryRecvError::Empty) => return Drained::Empty,
                Err(TryRecvError::Disconnected) => return Drained::Ended,
            }
            count += 1;
            if count.is_multiple_of(BREATH) {
                std::thread::yield_now();
            }
        }
        Drained::More
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
    /// The line of a head that could not be read: what of it is known, and by which rule, with which status and how many
    /// bytes it was refused.
    pub(super) fn of_unread(
        request_id: RequestId,
        client: IpAddr,
        request_line: &[u8],
        (rule, status, bytes): (&'static str, u16, usize),
    ) -> Self {
        let mut words = request_line.split(|byte| *byte == b' ');
        let method = words.next().and_then(|word| Method::from_bytes(word).ok());
        Self {
            at: SystemTime::now(),
            request_id,
            client,
            method: method.or_else(|| Method::from_bytes(b"-").ok()).unwrap_or_default(),
            host: String::new(),
            target: None,
            refused: Some((rule, shown_path(words.next().unwrap_or_default()))),
            permit: None,
            status,
            bytes,
            took: Duration::ZERO,
        }
    }

    fn write(&self, format: LogFormat, stamp: &mut Stamp, out: &mut Vec<u8>) {
        match format {
            LogFormat::Json => self.write_json(stamp, out),
            LogFormat::Human => self.write_human(stamp, out),
        }
    }

    fn path(&self) -> &str {
        let unread = self.refused.as_ref().map_or("", |(_, path)| path.as_str());
        self.target.as_ref().map_or(unread, NormalTarget::path)
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
        // A method is a token (RFC 9110, 9.1): nothing in it needs an escape.
        out.extend_from_slice(br#"","method":""#);
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.extend_from_slice(br#"","host":"#);
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
        if let Some((rule, _)) = &self.refused {
            out.extend_from_slice(br#","rule":""#);
            out.extend_from_slice(rule.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b",\"target\":\"zengate::access\"}\n");
    }

    fn write_human(&self, stamp: &mut Stamp, out: &mut Vec<u8>) {
        stamp.write(self.at, out);
        // Writing into a vector cannot fail.
        let _written = writeln!(
            out,
            "  INFO {status} {method} {host}{path} {micros} µs, {bytes} bytes, route `{route}`, {client}, {id}{rule}",
            status = self.status,
            method = self.method.as_str().escape_debug(),
            host = self.host.escape_debug(),
            path = self.path().escape_debug(),
            micros = self.took.as_micros(),
            bytes = self.bytes,
            route = self.route(),
            client = self.client,
            id = self.request_id.as_str(),
            rule = self.refused.as_ref().map_or_else(String::new, |(rule, _)| format!(", refused by `{rule}`")),
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
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn line(host: &str, target: &str) -> Line {
        Line {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_790_000_000_123_456),
            request_id: RequestId::next(&AtomicU64::new(1)),
            client: IpAddr::from([127, 0, 0, 1]),
            method: Method::GET,
            host: host.to_owned(),
            target: NormalTarget::parse(target.as_bytes()).ok(),
            refused: None,
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
        let (queue, _nobody_reads) = sync_channel(1);
        let writer: &'static LogWriter = Box::leak(Box::new(LogWriter::start(std::io::sink()).unwrap().0));
        let log = AccessLog { queue, writer };
        log.say(line("a", "/"));
        log.say(line("b", "/"));
        assert_eq!(writer.lost(), 1);
    }

    #[test]
    fn lines_are_handed_on_in_pieces_until_nobody_can_add_to_them() {
        let (queue, lines) = sync_channel(100);
        let mut lines = Lines { lines, format: LogFormat::Json, stamp: Stamp::default() };
        (0..100).for_each(|_| queue.try_send(line("a", "/")).unwrap());
        let mut out = Vec::new();
        assert_eq!(lines.drain(&mut out, 1000), Drained::More);
        assert!(out.len() > 1000 && out.ends_with(b"\n"), "{}", out.len());
        assert_eq!(lines.drain(&mut out, usize::MAX), Drained::Empty);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 100);
        drop(queue);
        assert_eq!(lines.drain(&mut out, usize::MAX), Drained::Ended);
    }
}
