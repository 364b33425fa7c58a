//! Lines that a stranger can cause, kept few.
//!
//! Whoever is refused causes a line, and being refused costs them nothing: a flood of bad requests would fill the disk
//! with one sentence. Of lines that say the same thing for the same reason so many are written in a second; the rest are
//! counted, and a line says how many they were. Only lines with a `code` or a `reason` are counted here, and those are
//! refusals and failures: who signed in and out is always written.

#![allow(clippy::disallowed_methods, reason = "a log line has no caller that could hand the moment down")]

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::IntCounter;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, warn};
use tracing_subscriber::layer::{Context, Layer};

use super::Metrics;

/// Lines of one kind that are written in [`SPAN`].
const MOST: u32 = 20;

const SPAN: Duration = Duration::from_secs(1);

/// Kinds of lines that are told apart; reasons are ours and few, so this is never reached.
const KINDS: usize = 512;

static COUNTER: OnceLock<IntCounter> = OnceLock::new();

/// From now on lines that are left out are counted in `zengate_log_lines_left_out_total` of `metrics`; a second call in
/// one process changes nothing.
pub fn count(metrics: &Metrics) {
    let _already_set = COUNTER.set(metrics.log_lines_left_out.clone());
}

/// Where a line stands in our program (file and line), and its reason.
type Kind = (Option<&'static str>, Option<u32>, u64);

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: HashMap<Kind, u32>,
    left_out: u64,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Flood(Mutex<Window>);

impl Flood {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Window { began: Instant::now(), lines: HashMap::new(), left_out: 0 }))
    }

    /// Whether a line of this kind is written now, and how many were left out in a span that is over.
    fn admit(&self, kind: Kind, now: Instant) -> (bool, u64) {
        let mut window = self.0.lock();
        let mut left_out = 0;
        if now.saturating_duration_since(window.began) >= SPAN || window.lines.len() >= KINDS {
            left_out = std::mem::take(&mut window.left_out);
            window.lines.clear();
            window.began = now;
        }
        let lines = window.lines.entry(kind).or_default();
        *lines = lines.saturating_add(1);
        let admitted = *lines <= MOST;
        window.left_out += u64::from(!admitted);
        (admitted, left_out)
    }
}

impl<S: Subscriber> Layer<S> for Flood {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let mut reason = Reason::default();
        event.record(&mut reason);
        if !reason.found {
            return true;
        }
        let metadata = event.metadata();
        let kind = (metadata.file(), metadata.line(), reason.hash.finish());
        let (admitted, left_out) = self.admit(kind, Instant::now());
        if !admitted && let Some(counter) = COUNTER.get() {
            counter.inc();
        }
        if left_out > 0 {
            warn!(lines = left_out, "Refusals came so fast that lines about them were left out");
        }
        admitted
    }
}

/// What a line gives as its reason.
#[derive(Default)]
struct Reason {
    found: bool,
    hash: DefaultHasher,
}

impl Visit for Reason {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "code" | "reason") {
            self.found = true;
            value.hash(&mut self.hash);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if matches!(field.name(), "code" | "reason") {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use tracing::info;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry()
            .with(Flood::new())
            .with(tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        let text = lines.0.lock().clone();
        String::from_utf8(text).unwrap()
    }

    // R: a flood of refusals is a few lines, whatever their ids; other reasons and other news are not touched.
    #[test]
    fn of_lines_with_one_reason_a_few_are_written() {
        let text = written(|| {
            for n in 0..5_000 {
                info!(request_id = n, code = "login_unknown", "Refused");
                if n % 500 == 0 {
                    info!(request_id = n, code = "cookie_lost", "Refused");
                    info!(request_id = n, outcome = "signed_in", "A person signed in");
                }
            }
        });
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        // Should this machine be so slow that a second passes, there are a few more.
        assert!((20..=100).contains(&count("login_unknown")), "{}", count("login_unknown"));
        assert_eq!((count("cookie_lost"), count("signed_in")), (10, 10));
    }

    #[test]
    fn when_a_second_is_over_it_is_told_how_many_were_left_out() {
        let (flood, began) = (Flood::new(), Instant::now());
        let kind = (Some("here.rs"), Some(1), 1);
        let admitted = (0..100).filter(|_| flood.admit(kind, began).0).count();
        assert_eq!(admitted, 20);
        assert_eq!(flood.admit(kind, began + SPAN), (true, 80));
    }
}
