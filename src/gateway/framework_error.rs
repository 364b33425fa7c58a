//! Answers to heads that even the framework could not read.
//!
//! The framework answers those by itself, before any of our code is asked: a bare 400 that names the program, without
//! an id, and without a line in the log. So whatever is written while a head is still being waited for is not ours, and
//! is replaced here by what every other refused request gets.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::header;

use super::access_log::{AccessLog, Line};
use super::adapt::{Untranslatable, refuse_head};
use super::connections::Side;
use super::context::RequestId;
use super::head::HeadFault;
use super::named_limits::NamedLimits;
use crate::auth::{Recipient, Refusal, RefusalExit, Refused};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::RequestOutcome;

/// Where such answers come from; one for all connections.
pub(super) struct FrameworkErrorReplacement {
    pub(super) side: Side,
    pub(super) ids: Arc<AtomicU64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) exit: RefusalExit,
    /// The limits as the operator knows them.
    pub(super) named: Option<NamedLimits>,
    /// `None` if requests get no line.
    pub(super) access_log: Option<Arc<AccessLog>>,
}

impl FrameworkErrorReplacement {
    /// The whole answer, with the end of the connection announced. `instead_of` is what the framework wanted to say:
    /// its date is kept.
    pub(super) fn answer(
        &self,
        client: IpAddr,
        fault: Option<HeadFault>,
        request_line: &[u8],
        instead_of: &[u8],
    ) -> Vec<u8> {
        let Untranslatable { refusal, reason } = match fault {
            Some(fault) => refuse_head(fault),
            None if request_line.starts_with(b"CONNECT ") => {
                Untranslatable { refusal: Refusal::MethodNotServed, reason: "method" }
            }
            None => Untranslatable { refusal: Refusal::RequestMalformed, reason: "unreadable" },
        };
        let request_id = RequestId::next(&self.ids);
        self.metrics.limit_hits.with_label_values(&[reason]).inc();
        if self.side == Side::Public {
            self.metrics.requests.of(RequestOutcome::Answered).inc();
        }

        let rule = reason;
        let reason = self.named.map_or(reason.into(), |named| named.explain(reason));
        let refused = Refused { refusal, request_id: request_id.as_str(), client, route: None, reason: Some(&*reason) };
        let reply = self.exit.refuse(refused, Recipient::Unjudged { html: false });
        let mut answer = format!("HTTP/1.1 {}\r\n", reply.status).into_bytes();
        let length = reply.body.len().to_string();
        let fields = reply.headers.iter().map(|(name, value)| (name, value.as_bytes()));
        let ours = [(&header::CONTENT_LENGTH, length.as_bytes()), (&header::CONNECTION, b"close")];
        for (name, value) in fields.chain(ours) {
            for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                answer.extend_from_slice(part);
            }
        }
        answer.extend_from_slice(date_line(instead_of));
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&reply.body);
        if let Some(log) = &self.access_log {
            log.say(Line::of_unread(request_id, client, request_line, (rule, reply.status.as_u16(), reply.body.len())));
        }
        answer
    }
}

/// The `Date` line of a head, with its line end; empty if there is none.
fn date_line(head: &[u8]) -> &[u8] {
    let Some(start) = memchr::memmem::find(head, b"\r\nDate: ") else { return b"" };
    let line = head.get(start + 2..).unwrap_or_default();
    let end = memchr::memmem::find(line, b"\r\n").map_or(0, |end| end + 2);
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_one_of_ours_and_ends_the_connection() {
        let metrics = Arc::<Metrics>::default();
        let exit = RefusalExit::new(Arc::clone(&metrics));
        let replacement = FrameworkErrorReplacement {
            side: Side::Public,
            ids: Arc::default(),
            metrics,
            exit,
            named: None,
            access_log: None,
        };
        let client = IpAddr::from([127, 0, 0, 1]);
        let theirs = b"HTTP/1.1 400 Bad Request\r\nServer: Them\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
        let say = |fault, line: &[u8]| String::from_utf8(replacement.answer(client, fault, line, theirs)).unwrap();
        let text = say(None, b"GET / HTTP/1.1");
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(text.contains("\r\nconnection: close\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{"), "{text}");
        assert!(!text.contains("Them"));
        assert!(say(None, b"CONNECT a:1 HTTP/1.1").starts_with("HTTP/1.1 405 "));
        assert!(say(Some(HeadFault::TooManyFields), b"GET / HTTP/1.1").starts_with("HTTP/1.1 431 "));
        assert!(say(Some(HeadFault::TargetTooLong), b"GET /").starts_with("HTTP/1.1 414 "));
        assert_eq!(replacement.metrics.limit_hits.with_label_values(&["too_many_fields"]).get(), 1);
    }
}
