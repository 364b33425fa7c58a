//! The one exit of every refusal: counted, logged, and put into words, here and nowhere else.

use std::net::IpAddr;
use std::sync::Arc;

use super::Refusal;
use crate::telemetry::Metrics;
use crate::telemetry::events::SecurityEvent;
use crate::web::{Reply, RequestView};

/// A request that is refused, as log and metrics are told of it.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// What the client is told.
    pub refusal: Refusal,
    /// Id of the request.
    pub request_id: &'a str,
    /// Who sent it.
    pub client: IpAddr,
    /// Name of the route, if one was found.
    pub route: Option<&'a str>,
    /// Why, for the log alone: words of ours, no secret.
    pub reason: Option<&'a str>,
}

impl<'a> Refused<'a> {
    /// A refusal of the request in `view`, without a route and without a reason.
    pub fn of(refusal: Refusal, view: &RequestView<'a>) -> Self {
        Self { refusal, request_id: view.request_id, client: view.client, route: None, reason: None }
    }
}

/// A refusal on its way to the exit, with the reason that the log is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// What the client is told.
    pub refusal: Refusal,
    /// Why, for the log alone.
    pub reason: Option<String>,
}

impl Denied {
    /// A refusal for `reason`.
    pub(crate) fn because(refusal: Refusal, reason: impl std::fmt::Display) -> Self {
        Self { refusal, reason: Some(reason.to_string()) }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, reason: None }
    }
}

/// Who is answered, and so in which form.
#[derive(Debug, Clone, Copy)]
pub enum Recipient<'a> {
    /// A person or a program that brought no access token: a page or JSON, whichever it can read. Starting again leads to
    /// `start`.
    Anyone {
        /// The request.
        view: &'a RequestView<'a>,
        /// Where a sign-in begins.
        start: &'a str,
    },
    /// A program that brought an access token, or should have: JSON, nothing of the request in it.
    Program,
    /// Whoever sent a request that cannot be judged: nothing of the request in the answer, no way on.
    Unjudged {
        /// Whether a page can be shown.
        html: bool,
    },
}

/// See the module's page.
#[derive(Debug, Clone)]
pub struct RefusalExit {
    metrics: Arc<Metrics>,
}

impl RefusalExit {
    /// An exit that counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// Counts a refusal, logs it, and says it to `recipient`.
    pub fn refuse(&self, refused: Refused<'_>, recipient: Recipient<'_>) -> Reply {
        self.note(refused);
        let Refused { refusal, request_id, .. } = refused;
        match recipient {
            Recipient::Anyone { view, start } => refusal.reply(view, start),
            Recipient::Program => refusal.plain_reply(request_id),
            Recipient::Unjudged { html } => refusal.unjudged_reply(request_id, html),
        }
    }

    /// Counts and logs a refusal that nobody can be told any more: the answer has begun, or the client is gone.
    pub fn note(&self, refused: Refused<'_>) {
        let message = refused.refusal.message();
        self.metrics.refusals.with_label_values(&[message.code]).inc();
        SecurityEvent::Refusal {
            request_id: refused.request_id,
            client: refused.client,
            route: refused.route,
            code: message.code,
            status: message.status.as_u16(),
            reason: refused.reason.or_else(|| refused.refusal.limit()),
        }
        .emit();
    }
}
