//! The answer to an approval in the browser: the person authenticates at their issuer, as for a step-up, and what comes back
//! decides the question that the app asked. It signs nobody in, and changes no session (RFC 10027).

use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode};
use tracing::info;

use super::attempt::SignInAttempt;
use super::callback::LegOutcome;
use super::choice::Picked;
use super::demand::Asked;
use super::start::OutgoingRedirect;
use crate::approval::id::ApprovalId;
use crate::approval::{Approval, Outcome};
use crate::auth::SignIn;
use crate::auth::approvals::Desk;
use crate::auth::own_address::OwnQuery;
use crate::auth::refusal::Refusal;
use crate::ground::time::Timestamp;
use crate::oidc::id_token::VerifiedIdToken;
use crate::route::path::ReturnTo;
use crate::web::{Reply, RequestView};

impl<'a> SignIn<'a> {
    /// What an authorization request of `attempt` asks for: what its page demands, or what an approval does.
    pub(super) async fn asked_by(
        &self,
        view: &RequestView<'_>,
        attempt: &SignInAttempt,
        now: SystemTime,
    ) -> Result<Asked, Refusal> {
        let Some(id) = &attempt.approval else {
            let asked = self.asked_for(attempt.demand.as_ref());
            return Ok(if attempt.anew { asked.anew() } else { asked });
        };
        let approval = self.open_approval(view, id, now).await?.2;
        Ok(Asked {
            acr_values: approval.acr_values,
            // OpenID Connect Core 3.1.2.1: with it `auth_time` must come back, and tells whether they did it for this question.
            max_age: Some(Duration::ZERO),
            prompt: Some("login"),
            context: Some(approval.context).filter(|_| self.registration.profile.shows_context),
        })
    }

    /// The way to the issuer of the person who is to decide the approval `id`.
    pub(in crate::auth) async fn lead_to_decision(
        &self,
        view: &RequestView<'_>,
        id: &ApprovalId,
        approval: &Approval,
        now: SystemTime,
    ) -> Result<OutgoingRedirect, Refusal> {
        self.limits.starts.take(view.client, now).map_err(|wait| {
            self.metrics.limit_hits.with_label_values(&["starts_per_minute"]).inc();
            Refusal::TooManySignIns(wait)
        })?;
        let registration = self.settings.registrations.get(&approval.provider).ok_or(Refusal::UnknownIssuer)?;
        let chosen = self.at(registration).ok_or(Refusal::UnknownIssuer)?;
        let picked = match chosen.picked(&OwnQuery::of(view), Some(&approval.carrier.issuer))? {
            Picked::Member(member) => Some(member),
            Picked::LeftOpen => None,
            Picked::Nothing => return Err(Refusal::UnknownIssuer),
        };
        let attempt = chosen.new_attempt(view.host, ReturnTo::home(), None, now);
        let attempt = SignInAttempt { approval: Some(id.to_text().expose().to_owned()), ..attempt };
        chosen.lead_out(view, attempt, picked, now).await
    }

    /// Whether a verified ID token says that this person agreed to this question now.
    ///
    /// # Errors
    /// It does not: somebody else came back, or they were not asked anew. Whoever sits down at a signed-in browser could take
    /// `prompt` out of the address and have the provider say yes by itself.
    pub(super) async fn agreed(
        &self,
        view: &RequestView<'_>,
        id: &str,
        attempt: &SignInAttempt,
        token: &VerifiedIdToken,
        now: SystemTime,
    ) -> Result<Outcome, Refusal> {
        let approval = self.open_approval(view, id, now).await?.2;
        let request_id = view.request_id;
        if token.issuer() != approval.carrier.issuer || token.subject() != approval.subject {
            info!(request_id, reason = "other_person", "An approval was answered by somebody else");
            return Err(Refusal::OtherPerson);
        }
        let asked = Timestamp::from_millis(attempt.created_ms).as_numeric_date();
        let skew = i64::try_from(self.settings.skew.as_secs()).unwrap_or(i64::MAX);
        if token.auth_time().is_none_or(|at| at.saturating_add(skew) < asked) {
            info!(
                request_id,
                reason = "auth_time",
                "An approval was answered without the person having been asked anew"
            );
            return Err(Refusal::WeakSignIn);
        }
        Ok(Outcome::Approved {
            acr: token.acr().map(str::to_owned),
            amr: token.amr().to_vec(),
            auth_time: token.auth_time(),
            at: Timestamp::of(now).as_millis(),
        })
    }

    /// Writes down how the question was answered, and sends the browser back to the app, which asks us what came of it.
    pub(super) async fn decided(
        &self,
        view: &RequestView<'_>,
        id: &str,
        ended: Result<LegOutcome, Refusal>,
        now: SystemTime,
    ) -> Reply {
        let outcome = match ended {
            Ok(LegOutcome::Continue(redirect)) => return self.redirect_out(redirect),
            Ok(LegOutcome::Agreed(outcome)) => outcome,
            // No answer to a question opens a session.
            Ok(LegOutcome::SignedIn(..) | LegOutcome::FromBefore) => Outcome::failed("provider_invalid"),
            // It is not known how it was answered.
            Err(refusal @ (Refusal::StoreUnavailable | Refusal::StoreNotWritable)) => {
                return self.answers.refusal(refusal, view);
            }
            Err(Refusal::Declined) => Outcome::Declined { code: "access_denied".to_owned() },
            Err(Refusal::TimedOut) => Outcome::expired(),
            Err(Refusal::OtherPerson) => Outcome::failed("other_person"),
            Err(Refusal::WeakSignIn) => Outcome::failed("acr_unmet"),
            Err(refusal) => Outcome::failed(refusal.message().code),
        };
        match self.open_approval(view, id, now).await {
            Ok((desk, id, approval)) => match desk.decide(&id, outcome, now).await {
                Ok(()) => self.back_to_the_app(&approval),
                Err(error) => desk.store_down(&error, self, view),
            },
            Err(refusal) => self.answers.refusal(refusal, view),
        }
    }

    /// To where the app wants the person afterwards. The operator may have taken it off the list meanwhile.
    pub(in crate::auth) fn back_to_the_app(&self, approval: &Approval) -> Reply {
        match HeaderValue::try_from(self.place_after(approval).location()) {
            Ok(location) => Reply::redirect(StatusCode::SEE_OTHER, location),
            Err(_) => Reply::empty(StatusCode::BAD_REQUEST),
        }
    }

    /// See [`SignIn::back_to_the_app`].
    pub(in crate::auth) fn place_after(&self, approval: &Approval) -> ReturnTo {
        let wanted = approval.return_to.as_deref().map(|to| ReturnTo::parse(to, self.snapshot.return_policy()));
        let own = self.snapshot.origin_of(self.snapshot.public_host());
        wanted.and_then(Result::ok).map_or_else(ReturnTo::home, |place| place.seen_from(&own))
    }

    async fn open_approval(
        &self,
        view: &RequestView<'_>,
        id: &str,
        now: SystemTime,
    ) -> Result<(Desk<'a>, ApprovalId, Approval), Refusal> {
        let (desk, id) = self.desk().zip(ApprovalId::parse(id)).ok_or(Refusal::AttemptUnknown)?;
        match desk.find(&id, now).await {
            Ok(Some(found)) => Ok((desk, id, found.approval)),
            Ok(None) => Err(Refusal::AttemptUnknown),
            Err(error) => Err(desk.store_refusal(&error, view)),
        }
    }
}
