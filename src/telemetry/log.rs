//! Log lines: JSON for machines, plain for people; the framework's own chatter kept to what an operator can act on.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::flood::Flood;
use super::writer::{self, LogWriter};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line: control characters are escaped, so one event is always one line.
    #[default]
    Json,
    /// For a terminal.
    Human,
}

/// The least important events that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What needs a person now.
    Error,
    /// What may need one.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Why it happened.
    Debug,
    /// Everything; never needed in production.
    Trace,
}

impl LogLevel {
    /// The word filters know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// Format. Default JSON.
    pub format: LogFormat,
    /// Level. Default `info`.
    pub level: LogLevel,
    /// Whether every request gets a line. Default yes.
    pub access: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: LogLevel::default(), access: true }
    }
}

/// Starts logging to standard error, once a process; a second call changes nothing. Whoever logs never waits for it
/// (writer.rs).
///
/// # Errors
/// If the system has no thread or no descriptor to give.
pub fn init(settings: &LogSettings) -> io::Result<()> {
    let writer = writer::stderr()?;
    // The framework logs every scanner's broken handshake and every aborted client as an error. What matters of it
    // reaches the log through our own lines, with a request id.
    let quiet = "pingora_core=warn,pingora_proxy=off,pingora_core::services::listening=off,hyper=warn,reqwest=warn";
    let filter = format!("{},{quiet}", settings.level.as_str());
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(format!("info,{quiet}")));
    let registry = tracing_subscriber::registry().with(filter).with(Flood::new());
    let _already_started = match settings.format {
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(move || Line(writer)),
            )
            .try_init(),
        LogFormat::Human => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(move || Line(writer)),
            )
            .try_init(),
    };
    Ok(())
}

/// One line on its way: the formatter writes each in one piece.
struct Line(&'static LogWriter);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.offer(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A short pseudonym of a subject for log lines: the same person gives the same word, nobody can read the person back
/// without already knowing who they look for.
pub fn pseudonym(issuer: &str, subject: &str) -> String {
    let mut input = Vec::with_capacity(issuer.len() + subject.len() + 1);
    input.extend_from_slice(issuer.as_bytes());
    input.push(0);
    input.extend_from_slice(subject.as_bytes());
    let digest = crate::secret::sha256(&input);
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
