//! The slowest reader that is served, and why one is not.

use std::io;
use std::time::Duration;

/// The slowest reader that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRate {
    /// Bytes a second, on average over a window. 0 for no limit. Default 1 KiB.
    pub bytes_per_second: u64,
    /// The window. Default 30 s.
    pub window: Duration,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum TooSlow {
    /// Below the rate.
    Rate,
    /// Others wait too, more than there is memory for.
    Crowded,
}

impl TooSlow {
    /// Word for metrics and the log.
    pub(in crate::gateway) fn word(self) -> &'static str {
        match self {
            Self::Rate => "answer_rate",
            Self::Crowded => "crowded",
        }
    }
}

impl From<TooSlow> for io::Error {
    fn from(why: TooSlow) -> Self {
        match why {
            TooSlow::Rate => Self::new(io::ErrorKind::TimedOut, "the client reads its answer too slowly"),
            TooSlow::Crowded => {
                Self::new(io::ErrorKind::ConnectionAborted, "more large answers than there is memory for")
            }
        }
    }
}
