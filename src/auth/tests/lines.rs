//! The lines of the log that a test causes.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// What was written since [`Lines::of_this_thread`].
#[derive(Clone, Default)]
pub(in crate::auth) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Listens until the guard is dropped.
    pub(in crate::auth) fn of_this_thread() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || to.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The fields of each line.
    pub(in crate::auth) fn all(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take()).collect()
    }

    /// The one line that begins with `message`.
    pub(in crate::auth) fn one(&self, message: &str) -> Value {
        let all = self.all();
        let mut found = all.iter().filter(|line| line["message"].as_str().unwrap().starts_with(message));
        let first = found.next().unwrap_or_else(|| panic!("no {message:?} in {all:#?}"));
        assert!(found.next().is_none(), "{message:?} stands twice");
        first.clone()
    }
}
