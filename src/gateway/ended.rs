//! Why a stream did not end by itself, and what its client is told.

use super::answer_deadline::Limit;
use super::websocket::close_frame;

/// Why a stream was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The session or the access token is over.
    Session,
    /// The gateway stops.
    Stop,
    /// A limit of the route is over.
    Limit(Limit),
}

impl Ended {
    /// Its word in metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Stop => "stop",
            Self::Limit(Limit::FirstByte) => "first_byte",
            Self::Limit(Limit::Total) => "total",
            Self::Limit(Limit::Read) => "read",
            Self::Limit(Limit::StreamIdle) => "stream_idle",
        }
    }

    /// The words to the client of a WebSocket (RFC 6455, 7.4.1).
    pub(super) fn frame(self) -> Vec<u8> {
        match self {
            Self::Session => close_frame(1008, "the session is over"),
            Self::Stop => close_frame(1001, "the gateway stops"),
            Self::Limit(_) => close_frame(1001, "its time is over"),
        }
    }
}
