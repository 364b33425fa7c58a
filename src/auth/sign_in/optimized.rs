//! Optimized discovery (dossier 7): one redirect leads through discovery to the carrier and back, and the answer says both the
//! code and whose it is.
//!
//! Whoever can bend that answer could have the code of one carrier brought to another (mix-up, RFC 9700 4.4). So the network must
//! be one that the configuration lists as a member's, the answer must name that member by `iss` (RFC 9207), discovery must lead
//! the network to that member as well, and the code goes out with a verifier and an assertion that is good at that member alone.
//! What does not agree is refused before anything is asked or redeemed. The configuration refuses this way for carriers that are
//! shown a secret, or whose networks are not listed.

use std::time::SystemTime;

use tracing::warn;

use super::attempt::{AuthorizationLeg, OptimizedLeg, SignInAttempt};
use super::callback::{LegOutcome, Said};
use super::start::LegRequest;
use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::oidc::authorization::{CallbackParams, ErrorCode};
use crate::provider::{Discovery, IssuerSettings};
use crate::secret::constant_time_eq;

impl SignIn<'_> {
    /// The answer of a carrier that is not known before it.
    pub(super) async fn finish_optimized(
        &self,
        request: &LegRequest<'_>,
        attempt: SignInAttempt,
        leg: OptimizedLeg,
        params: CallbackParams,
        now: SystemTime,
    ) -> Result<LegOutcome, Refusal> {
        let view = request.view;
        let bent = |reason: &'static str| {
            warn!(request_id = view.request_id, reason, "The answer of optimized discovery was refused");
            Refusal::CarrierMismatch
        };
        // A refusal redeems nothing; if it says whose it is, it must be somebody whom we know.
        if let (Some(error), None) = (&params.error, &params.code) {
            let is_known = |issuer: &String| self.registration.trusts(issuer);
            if !params.iss.as_ref().is_none_or(is_known) {
                return Err(bent("iss_not_listed"));
            }
            let said = Said { code: &ErrorCode::read(error), description: params.error_description.as_deref() };
            return self.after_carrier_error(request, attempt, said, None, now).await.map(LegOutcome::Continue);
        }
        let network = params.mccmnc.clone().ok_or(Refusal::CallbackMalformed)?;
        let member = self.registration.member_of(&network).ok_or_else(|| bent("network_not_listed"))?;
        if !is_named(member, params.iss.as_deref()) {
            return Err(bent("iss_is_not_the_networks"));
        }
        let found = self.provider.discover(&network, &attempt.correlation_id, now).await;
        let carrier = match found.map_err(|error| self.provider_refusal(view, &error))? {
            Discovery::Carrier(carrier) if carrier.issuer == member.issuer => *carrier,
            Discovery::Carrier(_) => return Err(bent("discovery_disagrees")),
            Discovery::AskUser(_) => return Err(Refusal::CarrierUnknownPerson),
        };
        let OptimizedLeg { nonce, code_verifier } = leg;
        let leg = AuthorizationLeg { carrier, member: String::new(), nonce, code_verifier, form_post: false };
        self.finish_authorization(request, attempt, leg, params, now).await
    }
}

/// Whether an answer names this very member.
fn is_named(member: &IssuerSettings, iss: Option<&str>) -> bool {
    iss.is_some_and(|iss| constant_time_eq(iss.as_bytes(), member.issuer.as_bytes()))
}
