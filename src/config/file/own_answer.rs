//! What a route answers by itself: a fixed answer, a redirect, or that it is closed for a while.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Time;
use crate::config::form::Written;
use crate::config::form::text::{FilePath, Purpose};

/// A fixed answer.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerFile {
    /// Status, no redirect; 204 and 205 have no body. Without it: 200.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status: Option<u16>,
    /// The body.
    pub(crate) body: Option<String>,
    /// A file with the body, read at the start, of at most 64 KiB.
    pub(crate) file: Option<Written<FilePath>>,
    /// `Content-Type` of the body. Without it: `text/plain; charset=utf-8`.
    pub(crate) content_type: Option<String>,
}

/// Another address.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedirectFile {
    /// An `http://` or `https://` address, or a path. With `%path%` at its end, what follows the route's `path`, and the query,
    /// stand there: `https://new.example.com/docs%path%`.
    #[schemars(required)]
    pub(crate) to: Option<String>,
    /// 301 or 308 for good, 302 or 307 for now (307 and 308 keep method and body), 303 for another method.
    #[schemars(extend("default" = 302), range(min = 301, max = 308))]
    pub(crate) status: Option<u16>,
}

/// Whether a route is closed for a while, or what is said then.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum MaintenanceEntry {
    Switch(bool),
    Of(MaintenanceFile),
}

/// A route that is closed for a while.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaintenanceFile {
    /// What people read, in at most 140 bytes. Without it: words of ours.
    pub(crate) message: Option<Written<Purpose>>,
    /// When programs may ask again (`Retry-After`). Without it nothing is said.
    #[schemars(extend("x-min" = "1s", "x-max" = "1d"))]
    pub(crate) retry_after: Time,
}
