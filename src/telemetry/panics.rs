//! What becomes of a defect of ours: the request at hand ends, the process goes on, and the operator hears of it once.

use std::panic::{Location, PanicHookInfo};
use std::sync::OnceLock;

use prometheus::IntCounter;
use tracing::error;

use super::Metrics;

/// The counter of this process's gateway.
static COUNTER: OnceLock<IntCounter> = OnceLock::new();

/// From now on every panic is counted in `zengate_panics_total` of `metrics` and logged as one line; a second call in
/// one process changes nothing.
///
/// The line says where, never what: a panic's message is made of the values at hand, and those may be anybody's
/// (security R05). The framework ends the one connection whose request panicked; everything else goes on.
pub fn count(metrics: &Metrics) {
    if COUNTER.set(metrics.panics.clone()).is_ok() {
        std::panic::set_hook(Box::new(on_panic));
    }
}

fn on_panic(info: &PanicHookInfo<'_>) {
    if let Some(counter) = COUNTER.get() {
        record(counter, info.location());
    }
}

fn record(counter: &IntCounter, location: Option<&Location<'_>>) {
    counter.inc();
    let (file, line) = location.map_or(("unknown", 0), |location| (location.file(), location.line()));
    error!(file, line, code = "panic", "A request ended in a panic; this is a defect of the gateway");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_one_count_and_one_line_that_says_where() {
        // R05, L16
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let metrics = Metrics::new();
        tracing::subscriber::with_default(subscriber, || record(&metrics.panics, Some(Location::caller())));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!((metrics.panics.get(), text.lines().count()), (1, 1), "{text}");
        assert!(text.contains("\"code\":\"panic\"") && text.contains("panics.rs"), "{text}");
    }
}
