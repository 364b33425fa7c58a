//! The state machine at work: what came is judged, and the first ending is written down, told and counted.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Notify;
use tracing::{info, warn};

use super::webhook;
use crate::approval::id::ApprovalId;
use crate::approval::quota::Person;
use crate::approval::shelf::Shelf;
use crate::approval::verdict::{Doubt, Judge};
use crate::approval::{Approval, ApprovalSettings, Found, Outcome, State};
use crate::assertion::keeper::AssertionKeys;
use crate::carrier::approval::notice::{Answer, Ending, Notice};
use crate::ground::time::Timestamp;
use crate::provider::{HttpClient, Provider, Providers};
use crate::session::sessions::Sessions;
use crate::session::store::StoreError;
use crate::snapshot::{ClientRegistration, Snapshot};
use crate::telemetry::Metrics;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;

/// Everything that an approval needs, for one request.
pub struct Desk<'a> {
    pub(in crate::auth) snapshot: &'a Snapshot,
    pub(in crate::auth) settings: Arc<ApprovalSettings>,
    pub(in crate::auth) sessions: &'a Arc<Sessions>,
    pub(in crate::auth) providers: &'a Providers,
    pub(in crate::auth) keys: Option<&'a Arc<AssertionKeys>>,
    pub(in crate::auth) metrics: &'a Metrics,
    /// Told whenever an approval ends here.
    pub(in crate::auth) ended: &'a Notify,
    /// The way to the app.
    pub(in crate::auth) webhook: Option<&'a Arc<HttpClient>>,
}

impl Desk<'_> {
    pub(super) fn shelf(&self) -> Shelf<'_> {
        let (store, sealer, entropy) = (self.sessions.store(), self.sessions.sealer(), self.sessions.entropy());
        Shelf { store: &**store, sealer, entropy, keep: self.settings.keep }
    }

    /// What is kept of a person; `None` never: there is a key always.
    pub(super) fn person(&self, issuer: &str, subject: &str) -> Option<Person<'_>> {
        let key = self.sessions.sealer().person_keys(issuer, subject).first().copied()?;
        Some(Person { store: &**self.sessions.store(), key })
    }

    pub(super) fn registration(&self, id: &str) -> Option<(&ClientRegistration, &dyn Provider)> {
        let registration = self.snapshot.settings().registrations.get(id)?;
        Some((registration, &**self.providers.get(id)?))
    }

    /// Judges what is there; whatever ends it is written down. Asked by everybody who looks, so that nothing is lost with a
    /// process that stopped in between.
    pub(super) async fn settle(&self, id: &ApprovalId, found: Found, now: SystemTime) -> Result<Found, StoreError> {
        if found.outcome.is_some() {
            return Ok(found);
        }
        match self.ending(&found, now).await {
            Some(outcome) => Ok(self.end(id, found, outcome, now).await?.0),
            None => Ok(found),
        }
    }

    /// How it ends by what is there now; `None` while it goes on.
    async fn ending(&self, found: &Found, now: SystemTime) -> Option<Outcome> {
        let over = found.left(now).is_zero();
        let (Some(taken), Some(body)) = (&found.acknowledged, &found.notice) else {
            return over.then(Outcome::expired);
        };
        let invalid = || Some(Outcome::failed("provider_invalid"));
        let Ok(notice) = Notice::parse(body) else { return invalid() };
        if notice.auth_req_id != taken.auth_req_id {
            warn!(reason = "the notification named another question than the acknowledgement", "An approval failed");
            return invalid();
        }
        match notice.answer {
            Answer::None(Ending::Declined(code)) => Some(Outcome::Declined { code: code.to_owned() }),
            Answer::None(Ending::Expired(code)) => Some(Outcome::Expired { code: code.to_owned() }),
            Answer::None(Ending::Failed(code)) => Some(Outcome::failed(code)),
            Answer::Tokens { id_token, access_token } => {
                let Some(judge) = self.judge_of(&found.approval) else { return invalid() };
                match judge.judge(&found.approval, &id_token, access_token.as_ref(), now).await {
                    Ok(outcome) => Some(outcome),
                    Err(doubt) => self.doubted(&doubt, &found.approval, over),
                }
            }
        }
    }

    fn doubted(&self, doubt: &Doubt, approval: &Approval, over: bool) -> Option<Outcome> {
        let issuer = approval.carrier.issuer.as_str();
        let code = doubt.code().or(over.then_some("provider_unavailable"));
        warn!(issuer, reason = %doubt, code, "The answer to an approval is not taken");
        code.map(Outcome::failed)
    }

    /// None if the operator no longer trusts the issuer.
    fn judge_of(&self, approval: &Approval) -> Option<Judge<'_>> {
        let (registration, provider) = self.registration(&approval.provider)?;
        let trusted = registration.issuers.iter().find(|trusted| trusted.issuer == approval.carrier.issuer)?;
        let (words, longest) = (registration.acr_vocabulary(), registration.max_id_token);
        Some(Judge { provider, trusted, words, longest, skew: self.snapshot.settings().skew })
    }

    /// Writes an ending down, and says whether it is this one. Whoever wrote it tells everybody.
    pub(super) async fn end(
        &self,
        id: &ApprovalId,
        mut found: Found,
        outcome: Outcome,
        now: SystemTime,
    ) -> Result<(Found, bool), StoreError> {
        if !self.shelf().end(id, &found.approval, &outcome, now).await? {
            let seen = self.shelf().look(id, now).await?;
            return Ok((seen.unwrap_or(found), false));
        }
        found.outcome = Some(outcome);
        self.tell(id, &found, now).await;
        Ok((found, true))
    }

    async fn tell(&self, id: &ApprovalId, found: &Found, now: SystemTime) {
        let (approval, state) = (&found.approval, found.state());
        let issuer = approval.carrier.issuer.as_str();
        self.metrics.approvals.with_label_values(&[state.as_str()]).inc();
        let subject = pseudonym(issuer, &approval.subject);
        let (code, by) = (found.outcome.as_ref().and_then(Outcome::code).unwrap_or_default(), approval.by.as_str());
        SecurityEvent::Approval { outcome: state.as_str(), code, issuer, subject: &subject, by }.emit();
        if let Some(person) = self.person(issuer, &approval.subject) {
            // Who says no on a page that they opened themselves was not bothered.
            let declined = state == State::Declined && !approval.is_in_browser();
            let paused = if declined { person.pause(&self.settings.quota, now).await } else { Ok(()) };
            // What is not released runs out by itself.
            let released = person.release(id, now).await;
            if let Err(error) = paused.and(released) {
                self.sessions.store_failed(&error, "what is kept of somebody who was asked");
            }
        }
        self.ended.notify_waiters();
        if let (Some(client), Some(to)) = (self.webhook, &self.settings.webhook)
            && let Some(statement) = self.event(id, found, now)
        {
            webhook::send(Arc::clone(client), to.clone(), statement, self.metrics.clone());
        }
    }

    /// Takes an approval back: nobody's later answer counts. `None` if there is no such approval.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn cancel(&self, id: &ApprovalId, now: SystemTime) -> Result<Option<Found>, StoreError> {
        let Some(found) = self.shelf().look(id, now).await? else { return Ok(None) };
        let found = self.settle(id, found, now).await?;
        if found.outcome.is_some() {
            return Ok(Some(found));
        }
        let (found, ours) = self.end(id, found, Outcome::failed("cancelled"), now).await?;
        if ours {
            self.withdraw(&found, now).await;
        }
        Ok(Some(found))
    }

    /// Has the carrier take the question from the person's phone. Best effort: here it is over in any case.
    pub(super) async fn withdraw(&self, found: &Found, now: SystemTime) {
        let approval = &found.approval;
        let (Some(taken), Some((_, provider))) = (&found.acknowledged, self.registration(&approval.provider)) else {
            return;
        };
        let mut carrier = approval.carrier.clone();
        carrier.server_initiated_cancel_endpoint.clone_from(&approval.cancel);
        let withdrawn = provider.withdraw(&carrier, &approval.client_id, &taken.auth_req_id, now).await;
        match withdrawn {
            Ok(()) => info!(issuer = %carrier.issuer, "A question was taken back from a phone"),
            Err(error) => {
                warn!(issuer = %carrier.issuer, %error, "A question could not be taken back from a phone; its answer does not count");
            }
        }
    }

    /// When it was written down.
    pub(super) fn stamp(now: SystemTime) -> u64 {
        Timestamp::of(now).as_millis()
    }
}
