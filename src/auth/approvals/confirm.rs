//! An approval in the browser: a page of ours says what is asked, and the person goes on to their issuer to agree, or says no.
//!
//! The page comes before the issuer because only some issuers show what they are asked for, and because a link of another site
//! must not lead straight to a question whose answer is one tap.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Method, header};
use tracing::warn;

use super::desk::Desk;
use super::watch::named_by;
use crate::approval::id::ApprovalId;
use crate::approval::{Found, Outcome};
use crate::auth::SignIn;
use crate::auth::own_address::OwnQuery;
use crate::auth::refusal::Refusal;
use crate::secret::{constant_time_eq, hmac_sha256};
use crate::session::StoreKey;
use crate::session::sessions::{Lookup, Purpose};
use crate::session::store::StoreError;
use crate::web::page::approval::{ApprovalQuestion, going_on_page};
use crate::web::{AsksFor, Reply, RequestView};

impl Desk<'_> {
    /// `approvals/{id}/confirm`: the question, and by its form what the person says to it.
    pub(super) async fn confirm(&self, own: &SignIn<'_>, view: &RequestView<'_>, now: SystemTime) -> Reply {
        let answers = &own.answers;
        let posts = view.method == Method::POST;
        if !posts && view.method != Method::GET {
            let mut reply = answers.refusal(Refusal::MethodNotAllowed, view);
            reply.set(header::ALLOW, HeaderValue::from_static("GET, POST"));
            return reply;
        }
        let not_found = || answers.refusal(Refusal::NotFound, view);
        // The session that counts is the one of the public host, where the answer comes to.
        let Some(id) = named_by(view).filter(|_| view.host == self.snapshot.public_host()) else { return not_found() };
        if !posts && (view.asks_for() != AsksFor::Page || view.is_speculative()) {
            return not_found();
        }
        if posts && !answers.is_same_origin(view) {
            return answers.refusal(Refusal::LinkForeign, view);
        }
        let (live, key) = match answers.session_of(view, Purpose::Ask, now).await {
            Lookup::SignedIn(live, key) => (live, key),
            Lookup::StoreDown => return answers.refusal(Refusal::StoreUnavailable, view),
            Lookup::Absent | Lookup::Dead => return answers.refusal(Refusal::Unauthenticated, view),
        };
        let identity = live.value().session().identity();
        let is_theirs = |found: &Found| {
            let approval = &found.approval;
            approval.is_in_browser()
                && identity.issuer() == approval.carrier.issuer
                && identity.subject() == approval.subject
        };
        let found = match self.watch(&id, Duration::ZERO, now).await {
            Ok(Some(found)) if is_theirs(&found) => found,
            Ok(_) => return not_found(),
            Err(error) => return self.store_down(&error, own, view),
        };
        if found.state().is_final() {
            return going_on_page(&own.place_after(&found.approval).location(), view.request_id);
        }
        let agreement = self.agreement(&id, key);
        let form = OwnQuery::of_form(view);
        let shown = form.value("agreement").unwrap_or_default();
        // Shown to another session, or not at all: they see it first.
        if !posts || !constant_time_eq(shown.as_bytes(), agreement.as_bytes()) {
            return self.question_page(view, &found, &agreement);
        }
        match form.value("decision").as_deref() {
            Some("go_on") => match own.lead_to_decision(view, &id, &found.approval, now).await {
                Ok(redirect) => {
                    // A page leads on: the policy of the one with the form would bind a redirect to this host.
                    let mut reply = going_on_page(redirect.to.as_str(), view.request_id);
                    redirect.cookies.into_iter().for_each(|cookie| reply.add_cookie(cookie));
                    reply
                }
                Err(refusal) => answers.refusal(refusal, view),
            },
            Some("no") => {
                let declined = Outcome::Declined { code: "access_denied".to_owned() };
                match self.decide(&id, declined, now).await {
                    Ok(()) => going_on_page(&own.place_after(&found.approval).location(), view.request_id),
                    Err(error) => self.store_down(&error, own, view),
                }
            }
            _ => self.question_page(view, &found, &agreement),
        }
    }

    fn question_page(&self, view: &RequestView<'_>, found: &Found, agreement: &str) -> Reply {
        let (issuer, registrations) = (found.approval.carrier.issuer.as_str(), &self.snapshot.settings().registrations);
        let registration = registrations.get(&found.approval.provider);
        let member = registration.and_then(|registration| registration.issuers.iter().find(|one| one.issuer == issuer));
        let names =
            [member.map(|member| member.name.as_str()), registration.map(|registration| registration.name.as_str())];
        let at = names.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or("your provider");
        ApprovalQuestion {
            address: view.target.path(),
            context: &found.approval.context,
            app: &self.settings.audience,
            at,
            agreement,
            request_id: view.request_id,
        }
        .page()
    }

    /// What the form of the page brings back: that it was shown for this question, and to this session.
    fn agreement(&self, id: &ApprovalId, session: StoreKey) -> String {
        let text = id.to_text();
        let secret = crate::secret::sha256(text.expose().as_bytes());
        let key = self.sessions.sealer().keys_for("agreement to an approval", &secret).next();
        URL_SAFE_NO_PAD.encode(key.map(|key| hmac_sha256(key.expose(), &session.0)).unwrap_or_default())
    }

    /// The first answer counts; a later one changes nothing, and is no fault of anybody.
    pub(in crate::auth) async fn decide(
        &self,
        id: &ApprovalId,
        outcome: Outcome,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let Some(found) = self.shelf().look(id, now).await? else { return Ok(()) };
        let found = self.settle(id, found, now).await?;
        if found.outcome.is_none() {
            self.end(id, found, outcome, now).await?;
        }
        Ok(())
    }

    /// What is written of an approval.
    pub(in crate::auth) async fn find(&self, id: &ApprovalId, now: SystemTime) -> Result<Option<Found>, StoreError> {
        self.shelf().look(id, now).await
    }

    /// The store did not answer: counted, logged, and said.
    pub(in crate::auth) fn store_refusal(&self, error: &StoreError, view: &RequestView<'_>) -> Refusal {
        self.sessions.store_failed(error, "an approval");
        warn!(request_id = view.request_id, "An answer to an approval could not be kept");
        Refusal::StoreUnavailable
    }
}
