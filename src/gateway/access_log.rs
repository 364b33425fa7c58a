//! One line a request, written off the request's path.
//!
//! A request hands over what it owns anyway and goes on; a thread of its own formats and writes, many lines at a time.
//! If lines come faster than they can be written, lines are lost and counted, never requests delayed.

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
    loop {
        let mut count = 0;
        let open = loop {
            match lines.try_recv() {
                Ok(line) => line.write(format, &mut buffer),
                Err(TryRecvError::Empty) => break true,
                Err(TryRecvError::Disconnected) => break false,
            }
            count += 1;
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

impl Line {
    fn write(&self, format: LogFormat, out: &mut Vec<u8>) {
        let at = humantime::format_rfc3339_micros(self.at);
        let path = self.target.as_ref().map_or("", NormalTarget::path);
        let route = self.permit.as_ref().map_or("", |permit| permit.route().name.as_str());
        let (id, client, status, bytes) = (self.request_id.as_str(), self.client, self.status, self.bytes);
        let micros = self.took.as_micros();
        // Writing into a vector cannot fail.
        let _written = match format {
            LogFormat::Json => {
                let _written = write!(out, r#"{{"timestamp":"{at}","level":"INFO","message":"request","#);
                let _written = write!(out, r#""request_id":"{id}","client":"{client}","method":"#);
                text(self.method.as_str(), out);
                out.extend_from_slice(br#","host":"#);
                text(&self.host, out);
                out.extend_from_slice(br#","path":"#);
                text(path, out);
                out.extend_from_slice(br#","route":"#);
                text(route, out);
                writeln!(out, r#","status":{status},"bytes":{bytes},"micros":{micros},"target":"zengate::access"}}"#)
            }
            LogFormat::Human => writeln!(
                out,
                "{at}  INFO {status} {method} {host}{path} {micros} µs, {bytes} bytes, route `{route}`, {client}, {id}",
                method = self.method.as_str().escape_debug(),
                host = self.host.escape_debug(),
                path = path.escape_debug(),
            ),
        };
    }
}

/// A JSON string.
fn text(value: &str, out: &mut Vec<u8>) {
    let _written = serde_json::to_writer(out, value);
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
        line("app\u{1b}.te\"st\r\n", "/a?code=canary").write(LogFormat::Json, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["path"], "/a");
        assert_eq!(event["host"], "app\u{1b}.te\"st\r\n");
        assert_eq!(event["timestamp"], "2026-09-21T14:13:20.123456Z");
        assert!(!text.contains("canary"));
        let mut out = Vec::new();
        line("app\u{1b}.test\r\n", "/a?code=canary").write(LogFormat::Human, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.matches('\n').count() == 1 && !text.contains('\u{1b}') && !text.contains("canary"), "{text}");
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
