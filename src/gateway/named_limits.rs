//! The limits of a request's head by the keys that set them: what the log is told when one was overstepped.

use std::borrow::Cow;
use std::time::Duration;

use super::GatewaySettings;

/// See the module's page. The private listener has none: its limits are fixed.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedLimits {
    cookie_bytes: usize,
    header_bytes: usize,
    header_count: usize,
    header_deadline: Duration,
    uri_bytes: usize,
}

impl NamedLimits {
    /// Those in force; `uri_bytes` is the longest address of a request.
    pub(super) fn of(settings: &GatewaySettings, uri_bytes: usize) -> Self {
        Self {
            cookie_bytes: settings.max_cookie_bytes,
            header_bytes: settings.limits.head.bytes,
            header_count: settings.limits.head.fields,
            header_deadline: settings.limits.head_deadline,
            uri_bytes,
        }
    }

    /// `reason`, the word for why a head was refused, with the key and the size of the limit that it went over, if it
    /// went over one.
    pub(super) fn explain(self, reason: &'static str) -> Cow<'static, str> {
        match reason {
            "cookie_too_large" => format!("{reason}: over `limits.cookie_bytes` of {} bytes", self.cookie_bytes).into(),
            "head_deadline" => {
                format!("{reason}: not whole within `limits.header_deadline` of {:?}", self.header_deadline).into()
            }
            "head_too_large" => format!("{reason}: over `limits.header_bytes` of {} bytes", self.header_bytes).into(),
            "target_too_long" => format!("{reason}: over `limits.uri_bytes` of {} bytes", self.uri_bytes).into(),
            "too_many_fields" => {
                format!("{reason}: over `limits.header_count` of {} header fields", self.header_count).into()
            }
            _ => reason.into(),
        }
    }
}
