//! Waiting for an answer: the app by its token, the person's browser by its session. Both only look.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::desk::Desk;
use crate::approval::id::ApprovalId;
use crate::approval::{Found, Outcome};
use crate::auth::SignIn;
use crate::auth::own_address::OwnQuery;
use crate::auth::refusal::Refusal;
use crate::ground::time::Timestamp;
use crate::session::Session;
use crate::session::sessions::{Lookup, Purpose};
use crate::session::store::StoreError;
use crate::web::page::error_json;
use crate::web::{Reply, RequestView};

/// The longest that a question waits for an answer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// What follows the address of an approval where the person is asked in their browser.
pub(super) const CONFIRM: &str = "/confirm";

/// How often it is looked whether another replica heard of it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Desk<'_> {
    /// Looks at an approval until it has ended, or `wait` is over. `None` if there is no such approval.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn watch(&self, id: &ApprovalId, wait: Duration, now: SystemTime) -> Result<Option<Found>, StoreError> {
        let began = tokio::time::Instant::now();
        loop {
            // Before the look: what ends in between is heard of.
            let ended = self.ended.notified();
            let now = now + began.elapsed();
            let Some(found) = self.shelf().look(id, now).await? else { return Ok(None) };
            let found = self.settle(id, found, now).await?;
            let left = wait.min(LONGEST_WAIT).saturating_sub(began.elapsed());
            if found.state().is_final() || left.is_zero() {
                return Ok(Some(found));
            }
            let pause = left.min(LOOK_EVERY).min(found.left(now).max(Duration::from_millis(1)));
            let _whichever_is_first = tokio::time::timeout(pause, ended).await;
        }
    }

    /// What the app is told of an approval.
    pub fn shown(&self, id: &ApprovalId, found: &Found, now: SystemTime) -> Value {
        let approval = &found.approval;
        let mut shown = outline(id, found, now);
        shown["issuer"] = approval.carrier.issuer.as_str().into();
        shown["subject"] = approval.subject.as_str().into();
        if let Some(reference) = &approval.reference {
            shown["reference"] = reference.as_str().into();
        }
        if approval.is_in_browser() {
            shown["confirm"] = format!("{}{CONFIRM}", self.own_page(id)).into();
        }
        if let Some(Outcome::Approved { acr, amr, auth_time, .. }) = &found.outcome {
            shown["acr"] = json!(acr);
            shown["amr"] = json!(amr);
            shown["auth_time"] = json!(auth_time);
            if let Some(receipt) = self.receipt(id, found, now) {
                shown["receipt"] = receipt.expose().into();
            }
        }
        shown
    }

    /// Where the person's browser looks.
    pub fn own_page(&self, id: &ApprovalId) -> String {
        let (snapshot, settings) = (self.snapshot, self.snapshot.settings());
        format!("{}{}/approvals/{}", snapshot.origin_of(snapshot.public_host()), settings.prefix, id.to_text().expose())
    }

    /// `GET approvals/{id}`: where it stands, for a browser of the person who is asked; `DELETE`: they left the page, and the
    /// question is taken back. Nobody else learns that there is such an approval.
    pub(in crate::auth) async fn page(&self, own: &SignIn<'_>, view: &RequestView<'_>, now: SystemTime) -> Reply {
        if view.target.path().ends_with(CONFIRM) {
            return self.confirm(own, view, now).await;
        }
        let answers = &own.answers;
        let deletes = view.method == Method::DELETE;
        if !deletes && view.method != Method::GET && view.method != Method::HEAD {
            let mut reply = answers.refusal(Refusal::MethodNotAllowed, view);
            reply.set(header::ALLOW, HeaderValue::from_static("GET, HEAD, DELETE"));
            return reply;
        }
        let not_found = || answers.refusal(Refusal::NotFound, view);
        let Some(id) = named_by(view) else { return not_found() };
        let (live, _) = match answers.session_of(view, Purpose::Ask, now).await {
            Lookup::SignedIn(live, key) => (live, key),
            Lookup::StoreDown => return answers.refusal(Refusal::StoreUnavailable, view),
            Lookup::Absent | Lookup::Dead => {
                return error_json(StatusCode::UNAUTHORIZED, "unauthenticated", view.request_id, None);
            }
        };
        let session = live.value().session();
        let found = match self.shelf().look(&id, now).await {
            Ok(Some(found)) if is_theirs(&found, session) => found,
            Ok(_) => return not_found(),
            Err(error) => return self.store_down(&error, own, view),
        };
        if deletes {
            if !own.answers.is_same_origin(view) {
                return error_json(StatusCode::FORBIDDEN, "foreign_origin", view.request_id, None);
            }
            return match self.cancel(&id, now).await {
                Ok(found) => told(&id, found, now).unwrap_or_else(not_found),
                Err(error) => self.store_down(&error, own, view),
            };
        }
        drop(found);
        let wait = OwnQuery::of(view).value("wait").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        match self.watch(&id, Duration::from_secs(wait), now).await {
            Ok(found) => told(&id, found, now).unwrap_or_else(not_found),
            Err(error) => self.store_down(&error, own, view),
        }
    }

    pub(in crate::auth) fn store_down(&self, error: &StoreError, own: &SignIn<'_>, view: &RequestView<'_>) -> Reply {
        self.sessions.store_failed(error, "an approval");
        own.answers.refusal(Refusal::StoreUnavailable, view)
    }
}

/// Whether the session is of the person who is asked, and was there when they were.
fn is_theirs(found: &Found, session: &Session) -> bool {
    let (identity, approval) = (session.identity(), &found.approval);
    identity.issuer() == approval.carrier.issuer
        && identity.subject() == approval.subject
        && Timestamp::of(session.created()) <= approval.sent()
}

/// The approval that an address names, or the one whose confirmation it is.
pub(super) fn named_by(view: &RequestView<'_>) -> Option<ApprovalId> {
    let path = view.target.path();
    let own = path.strip_suffix(CONFIRM).unwrap_or(path);
    ApprovalId::parse(own.rsplit('/').next().unwrap_or_default())
}

fn told(id: &ApprovalId, found: Option<Found>, now: SystemTime) -> Option<Reply> {
    let found = found?;
    Some(Reply::json(StatusCode::OK, outline(id, &found, now).to_string()))
}

/// What everybody is told who may ask at all.
fn outline(id: &ApprovalId, found: &Found, now: SystemTime) -> Value {
    let mut shown = json!({
        "id": id.to_text().expose(),
        "state": found.state().as_str(),
        "context": found.approval.context,
        "expires_in": found.left(now).as_secs(),
    });
    if let Some(code) = found.outcome.as_ref().and_then(Outcome::code) {
        shown["code"] = code.into();
    }
    shown
}
