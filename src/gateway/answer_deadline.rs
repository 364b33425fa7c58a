//! When an answer must have begun, and when all of it must be over.
//!
//! The framework's limits begin anew with each byte, so an app that sends a byte of its head each second keeps a client waiting
//! for hours (FT18).

use std::time::Duration;

use tokio::time::Instant;

use crate::route::upstream::UpstreamSettings;

/// Which limit of a route is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// `timeouts.first_byte`: no head of an answer came.
    FirstByte,
    /// `timeouts.total`: the answer is not over.
    Total,
    /// `timeouts.read`: nothing more of an answer that began.
    Read,
    /// `timeouts.stream_idle`: nothing either way on a stream that lasts.
    StreamIdle,
}

impl Limit {
    /// Why, for the log.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::FirstByte => "no head of an answer within `timeouts.first_byte` (else `timeouts.read`)",
            Self::Total => "no end within `timeouts.total`",
            Self::Read => "nothing more of an answer that had begun within `timeouts.read`",
            Self::StreamIdle => "nothing either way on a stream within `timeouts.stream_idle`",
        }
    }
}

/// The limits of the request at hand.
#[derive(Debug, Default)]
pub(super) struct AnswerDeadline {
    first_byte: Duration,
    head_by: Option<Instant>,
    over_by: Option<Instant>,
}

impl AnswerDeadline {
    /// Of a request that began at `now`.
    pub(super) fn of(settings: &UpstreamSettings, now: Instant) -> Self {
        Self {
            first_byte: settings.first_byte_timeout,
            head_by: now.checked_add(settings.first_byte_timeout),
            over_by: settings.total_timeout.and_then(|total| now.checked_add(total)),
        }
    }

    /// The client sent more of its body at `now`: what is not asked in full cannot be answered.
    pub(super) fn asked_more(&mut self, now: Instant) {
        if self.head_by.is_some() {
            self.head_by = now.checked_add(self.first_byte);
        }
    }

    /// The answer's head is there.
    pub(super) fn answered(&mut self) {
        self.head_by = None;
    }

    /// Whether the answer's head is not there yet.
    pub(super) fn awaits_head(&self) -> bool {
        self.head_by.is_some()
    }

    /// The next moment at which a limit is over.
    pub(super) fn due(&self) -> Option<Instant> {
        self.head_by.into_iter().chain(self.over_by).min()
    }

    /// The limit that is over at `now`.
    pub(super) fn hit(&self, now: Instant) -> Option<Limit> {
        if self.over_by.is_some_and(|moment| now >= moment) {
            return Some(Limit::Total);
        }
        self.head_by.is_some_and(|moment| now >= moment).then_some(Limit::FirstByte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::upstream::{GroupSettings, HostRule, ServerAddress, ServerSettings};

    #[test]
    fn the_head_is_due_after_the_last_of_the_body_and_the_whole_after_its_beginning() {
        let server = ServerSettings { at: ServerAddress::Unix("/run/app.sock".into()), weight: 1 };
        let second = Duration::from_secs(1);
        let settings = UpstreamSettings {
            group: std::sync::Arc::new(GroupSettings::of(server, None)),
            host: HostRule::Keep,
            connect_timeout: second,
            first_byte_timeout: second * 3,
            read_timeout: second * 3,
            stream_idle: second * 3,
            write_timeout: second,
            total_timeout: Some(second * 10),
        };
        let start = Instant::now();
        let mut deadline = AnswerDeadline::of(&settings, start);
        assert_eq!((deadline.due(), deadline.hit(start + second * 2)), (Some(start + second * 3), None));
        assert_eq!(deadline.hit(start + second * 3), Some(Limit::FirstByte));
        deadline.asked_more(start + second * 2);
        assert_eq!(deadline.hit(start + second * 4), None);
        assert_eq!(deadline.hit(start + second * 5), Some(Limit::FirstByte));
        deadline.answered();
        assert_eq!((deadline.due(), deadline.hit(start + second * 9)), (Some(start + second * 10), None));
        deadline.asked_more(start + second * 9);
        assert_eq!(deadline.hit(start + second * 10), Some(Limit::Total));
        assert_eq!(AnswerDeadline::default().due(), None);
    }
}
