//! What all of our own addresses need to answer: the configuration, the sessions, and the exit of refusals.

use std::sync::Arc;
use std::time::SystemTime;

use tracing::info;

use super::refusal::{Recipient, Refusal, RefusalExit, Refused};
use super::session_cookie::session_of;
use crate::route::path::ReturnTo;
use crate::session::sessions::{Lookup, Purpose, Sessions};
use crate::snapshot::{AuthSettings, Snapshot};
use crate::telemetry::Metrics;
use crate::web::cookie::clear_cookie;
use crate::web::page::framed_sign_in_page;
use crate::web::{Reply, RequestView};

/// See the module's page. Made for one request.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) settings: &'a AuthSettings,
    pub(super) sessions: &'a Arc<Sessions>,
    pub(super) exit: &'a RefusalExit,
    pub(super) metrics: &'a Metrics,
}

/// One value of a query, decoded; `None` if it is absent or there more than once: which of several counts would depend
/// on who reads them.
pub(super) fn query_value(view: &RequestView<'_>, name: &str) -> Option<String> {
    let query = view.target.query()?;
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let first = values.next()?;
    values.next().is_none().then(|| first.1.into_owned())
}

impl Answers<'_> {
    /// The session that the request's cookie names.
    pub(super) async fn session_of(&self, view: &RequestView<'_>, purpose: Purpose, now: SystemTime) -> Lookup {
        session_of(self.snapshot, self.sessions, view, purpose, now).await
    }

    /// Where to go afterwards; what is not ours to send anybody to becomes the start page.
    pub(super) fn return_to(&self, wanted: Option<&str>, view: &RequestView<'_>) -> ReturnTo {
        let Some(wanted) = wanted else { return ReturnTo::home() };
        let wanted = ReturnTo::parse(wanted, self.snapshot.return_policy());
        wanted.map(|place| place.seen_from(&self.snapshot.origin_of(view.host))).unwrap_or_else(|fault| {
            self.metrics.return_refused.inc();
            info!(code = "redirect_rejected", reason = %fault, "A return address was refused; the start page is used");
            ReturnTo::home()
        })
    }

    /// Takes a session cookie that leads nowhere away (F20): a browser that kept it would bring it to every page.
    pub(super) fn without_dead_cookie(&self, mut reply: Reply, found: &Lookup) -> Reply {
        if matches!(found, Lookup::Dead) {
            reply.add_cookie(clear_cookie(&self.settings.cookies.session));
        }
        reply
    }

    /// Leads out of a frame to the very address that was asked for in it.
    pub(super) fn leave_the_frame(&self, view: &RequestView<'_>) -> Reply {
        self.exit.note(Refused::of(Refusal::Unauthenticated, view));
        framed_sign_in_page(view.target.as_str(), Refusal::Unauthenticated.message().code, view.request_id)
    }

    /// A refusal, counted and logged where it is handled.
    pub(super) fn refusal(&self, refusal: Refusal, view: &RequestView<'_>) -> Reply {
        self.refusal_to(refusal, view, None)
    }

    /// A refusal of somebody who was on the way to a page: starting again leads there.
    pub(super) fn refusal_to(&self, refusal: Refusal, view: &RequestView<'_>, to: Option<&ReturnTo>) -> Reply {
        let mut start = self.snapshot.start().to_owned();
        if let Some(to) = to.filter(|to| **to != ReturnTo::home()) {
            start.push_str("?rd=");
            start.extend(url::form_urlencoded::byte_serialize(to.location().as_bytes()));
        }
        self.exit.refuse(Refused::of(refusal, view), Recipient::Anyone { view, start: &start })
    }
}
