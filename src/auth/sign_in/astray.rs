//! Answers that cannot be used: brought twice, late, by another browser, or refused at the provider.
//!
//! Whoever is signed in meanwhile goes to the page that the sign-in was for. Anybody else begins another one for that page
//! by themselves, once: what its answer lacks is said on a page. No code is redeemed for any of it, and no session opened
//! or changed. A state that this browser never had names no page, so its way leads to the start page.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode};
use tracing::{info, warn};

use super::attempts::TakeError;
use super::binding::{Binding, State};
use super::start_cookie::StartCookies;
use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::route::path::ReturnTo;
use crate::session::sessions::{Lookup, Purpose};
use crate::web::{Reply, RequestView};

/// How a browser is sent on from a callback.
pub(super) fn onward_status(view: &RequestView<'_>) -> StatusCode {
    if view.method == Method::POST { StatusCode::SEE_OTHER } else { StatusCode::FOUND }
}

impl SignIn<'_> {
    /// A state that this browser was not given, or none that we wrote (`None`). The attempt stays usable for its owner
    /// (B04).
    pub(super) async fn not_this_browsers(
        &self,
        view: &RequestView<'_>,
        state: Option<&State>,
        now: SystemTime,
    ) -> Reply {
        // Before anything is asked about who brings it.
        if let Err(wait) = self.limits.forged.check(view.client, now) {
            return self.too_many_forged(wait, view);
        }
        if self.is_signed_in(view, now).await {
            return self.late(view, &ReturnTo::home());
        }
        if let Err(wait) = self.limits.forged.take(view.client, now) {
            return self.too_many_forged(wait, view);
        }
        let again = state.is_some_and(State::is_again);
        self.anew(view, again, &ReturnTo::home(), Refusal::AttemptUnknown)
    }

    /// A callback that belongs to no sign-in of this browser, at the expense of whoever sent it.
    pub(super) fn forged(&self, refusal: Refusal, view: &RequestView<'_>, now: SystemTime) -> Reply {
        match self.limits.forged.take(view.client, now) {
            Ok(()) => self.answers.refusal(refusal, view),
            Err(wait) => self.too_many_forged(wait, view),
        }
    }

    fn too_many_forged(&self, wait: Duration, view: &RequestView<'_>) -> Reply {
        self.metrics.limit_hits.with_label_values(&["forged_callbacks"]).inc();
        self.answers.refusal(Refusal::TooManySignIns(wait), view)
    }

    /// A state of this browser whose attempt is over, or took too long.
    pub(super) async fn not_taken(
        &self,
        view: &RequestView<'_>,
        state: &State,
        binding: &Binding,
        error: &TakeError,
        now: SystemTime,
    ) -> Reply {
        let starts = StartCookies::of(view.headers, &self.settings.cookies);
        let refusal = match error {
            TakeError::Expired => Refusal::AttemptExpired,
            TakeError::Gone => Refusal::AttemptUnknown,
            TakeError::Store(error) => {
                self.metrics.store_errors.inc();
                warn!(request_id = view.request_id, reason = %error, "The session store did not answer a callback");
                let page = self.attempts().page_of_start(state, binding, &starts, view.host);
                return self.refused(view, Refusal::StoreUnavailable, page.as_ref());
            }
        };
        let page = self.attempts().return_note(state, binding, &starts, view.host, now).await;
        let page = page.unwrap_or_else(ReturnTo::home);
        if self.is_signed_in(view, now).await {
            return self.late(view, &page);
        }
        self.anew(view, state.is_again(), &page, refusal)
    }

    /// A sign-in of this browser that did not come to its end. `by_provider`: it was the provider who said no, as providers
    /// also do to a second window when the first has just signed the person in.
    pub(super) async fn not_finished(
        &self,
        view: &RequestView<'_>,
        state: &State,
        refusal: Refusal,
        by_provider: bool,
        page: &ReturnTo,
        now: SystemTime,
    ) -> Reply {
        if by_provider && self.is_signed_in(view, now).await {
            return self.late(view, page);
        }
        if refusal == Refusal::AttemptExpired {
            return self.anew(view, state.is_again(), page, refusal);
        }
        self.refused(view, refusal, Some(page))
    }

    async fn is_signed_in(&self, view: &RequestView<'_>, now: SystemTime) -> bool {
        matches!(self.answers.session_of(view, Purpose::Use, now).await, Lookup::SignedIn(..))
    }

    /// On to the page, for somebody who is signed in.
    fn late(&self, view: &RequestView<'_>, page: &ReturnTo) -> Reply {
        info!(request_id = view.request_id, outcome = "late_answer", "A late answer goes to its own page");
        self.metrics.sign_ins.with_label_values(&["late_answer"]).inc();
        match HeaderValue::try_from(page.location()) {
            Ok(location) => Reply::redirect(onward_status(view), location),
            Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
        }
    }

    /// Begins another sign-in for `page`, unless this one was begun that way itself.
    fn anew(&self, view: &RequestView<'_>, again: bool, page: &ReturnTo, refusal: Refusal) -> Reply {
        if again || !(view.is_navigation() && view.method == Method::GET || view.is_form_navigation()) {
            return self.refused(view, refusal, Some(page));
        }
        let code = refusal.message().code;
        info!(
            request_id = view.request_id,
            code,
            outcome = "begun_anew",
            "An answer could not be used; a sign-in begins anew"
        );
        self.metrics.sign_ins.with_label_values(&["begun_anew"]).inc();
        match HeaderValue::try_from(self.answers.start_again(page)) {
            Ok(location) => Reply::redirect(onward_status(view), location),
            Err(_) => self.refused(view, refusal, None),
        }
    }

    /// A refused sign-in; whatever session the browser already had stays. A person is sent on to a page that says why: what
    /// they reload then says the same, and not that the answer was brought twice.
    pub(super) fn refused(&self, view: &RequestView<'_>, refusal: Refusal, page: Option<&ReturnTo>) -> Reply {
        self.metrics.sign_ins.with_label_values(&[refusal.message().code]).inc();
        self.answers.refusal_elsewhere(refusal, view, page, &self.registration.id)
    }
}
