//! What all of our own addresses need to answer: the configuration, the sessions, and the exit of refusals.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderValue, StatusCode};
use tracing::info;

use super::own_address::{OwnQuery, PROVIDER, with_page};
use super::refusal::{Recipient, Refusal, RefusalExit, Refused};
use super::session_cookie::session_of;
use crate::route::path::{NormalTarget, ReturnTo};
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
        // The one address of ours that a sign-in may end on: it asks, and does nothing by itself.
        if let Some(page) = self.own_link_page().filter(|page| page.target() == wanted && self.is_public_host(view)) {
            return page;
        }
        let wanted = ReturnTo::parse(wanted, self.snapshot.return_policy());
        wanted.map(|place| place.seen_from(&self.snapshot.origin_of(view.host))).unwrap_or_else(|fault| {
            self.metrics.return_refused.inc();
            info!(code = "redirect_rejected", reason = %fault, "A return address was refused; the start page is used");
            ReturnTo::home()
        })
    }

    fn is_public_host(&self, view: &RequestView<'_>) -> bool {
        view.host == self.snapshot.public_host()
    }

    /// The page on which people link their sign-in to an account; `None` where there are no accounts.
    pub(super) fn own_link_page(&self) -> Option<ReturnTo> {
        let target = NormalTarget::parse(format!("{}/link", self.settings.prefix).as_bytes()).ok();
        target.filter(|_| self.settings.has_accounts).map(|target| ReturnTo::local(&target))
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
        let start = self.start_for(to);
        self.exit.refuse(Refused::of(refusal, view), Recipient::Anyone { view, start: &start })
    }

    /// The same for a person whose address must not be asked for twice: it is counted and logged, and told at an address of
    /// its own, where it can be reloaded.
    /// It says so in the words of the provider with the id `of`.
    pub(super) fn refusal_elsewhere(
        &self,
        refusal: Refusal,
        view: &RequestView<'_>,
        to: Option<&ReturnTo>,
        of: &str,
    ) -> Reply {
        let code = refusal.message().code;
        if !(view.is_navigation() || view.is_form_navigation()) || Refusal::of_sign_in(code).is_none() {
            return self.refusal_to(refusal, view, to);
        }
        self.exit.note(Refused::of(refusal, view));
        let of = if of.is_empty() { String::new() } else { format!("&{PROVIDER}={of}") };
        let address = format!("{}/refused?code={code}&id={}{of}", self.settings.prefix, view.request_id);
        match HeaderValue::try_from(self.carrying(&address, to)) {
            Ok(location) => Reply::redirect(StatusCode::SEE_OTHER, location),
            Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
        }
    }

    /// `refused?code=&id=&provider=&rd=`: what a sign-in was refused with. The codes are a closed set of ours, and nothing is counted:
    /// anybody can open this address.
    pub(super) fn refused(&self, view: &RequestView<'_>) -> Reply {
        let query = OwnQuery::of(view);
        let Some(refusal) = query.value("code").and_then(|code| Refusal::of_sign_in(&code)) else {
            return self.refusal(Refusal::NotFound, view);
        };
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let id = query.value("id").filter(|id| id.len() == 16 && id.bytes().all(digit));
        let shown = RequestView { request_id: id.as_deref().unwrap_or(view.request_id), ..*view };
        let to = self.return_to(query.wanted().as_deref(), view);
        let registrations = &self.settings.registrations;
        let of = query.value(PROVIDER).and_then(|id| registrations.get(&id)).unwrap_or(registrations.first());
        refusal.reply_in(of.profile.words, &shown, &self.start_for(Some(&to)))
    }

    /// The address on this host that begins a sign-in and returns to `to`.
    pub(super) fn start_for(&self, to: Option<&ReturnTo>) -> String {
        self.carrying(self.snapshot.start(), to)
    }

    /// The same with `more`, a query of ours.
    pub(super) fn start_with(&self, more: &str, to: &ReturnTo) -> String {
        self.carrying(&format!("{}{more}", self.snapshot.start()), Some(to))
    }

    /// The address that begins a sign-in for somebody whose answer could not be used, on the host of the page.
    pub(super) fn start_again(&self, to: &ReturnTo) -> String {
        let start = self.snapshot.start();
        match to.origin().filter(|origin| self.snapshot.return_policy().is_own(origin)) {
            Some(origin) => with_page(&format!("{origin}{start}?again=1"), to.target(), self.settings),
            None => self.carrying(&format!("{start}?again=1"), Some(to)),
        }
    }

    fn carrying(&self, address: &str, to: Option<&ReturnTo>) -> String {
        match to.filter(|to| **to != ReturnTo::home()) {
            Some(to) => with_page(address, &to.location(), self.settings),
            None => address.to_owned(),
        }
    }
}
