//! Attributes: what userinfo adds to an ID token that was verified.

use std::time::SystemTime;

use tracing::warn;

use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::oidc::claims::{Claims, Lack, Reading};
use crate::oidc::id_token::VerifiedIdToken;
use crate::provider::{Carrier, ProviderError, Tokens};
use crate::secret::constant_time_eq;
use crate::web::RequestView;

impl SignIn<'_> {
    /// What userinfo says beside the ID token. It is asked only for what the configuration names and the token lacks: an
    /// endpoint that is away must not end a sign-in that needs nothing of it (MV08).
    pub(super) async fn attributes(
        &self,
        view: &RequestView<'_>,
        carrier: &Carrier,
        (tokens, token): (&Tokens, &VerifiedIdToken),
        reading: Reading<'_>,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<Claims, Refusal> {
        let lack = reading.named.lack(&token.claims(reading).values);
        if !self.registration.userinfo || carrier.userinfo_endpoint.is_none() || lack == Lack::Nothing {
            return Ok(Claims::default());
        }
        let answer = match &tokens.access_token {
            Some(access_token) => self.provider.userinfo(carrier, access_token, correlation_id, now).await,
            None => Err(ProviderError::invalid("token answer without usable access token")),
        };
        match answer {
            Ok(info) if constant_time_eq(info.subject.as_bytes(), token.subject().as_bytes()) => {
                Ok(info.claims(reading))
            }
            Ok(_) => {
                // Core 5.3.2: without this comparison a userinfo answer could dress one person in another's name.
                warn!(request_id = view.request_id, reason = "userinfo_subject", "Userinfo is about somebody else");
                Err(Refusal::ProviderInvalid)
            }
            Err(error) if lack == Lack::Shown => {
                let reason = "no rule and no header needs what it would have told";
                warn!(request_id = view.request_id, %error, reason, "Userinfo was not answered; the sign-in goes on");
                Ok(Claims::default())
            }
            Err(error) => {
                // N04: what the carrier just signed is good, so its userinfo being away is a broken answer, not an
                // outage that a wait of ours would end.
                Err(match self.provider_refusal(view, &error) {
                    Refusal::ProviderUnavailable(_) | Refusal::ProviderRefused => Refusal::ProviderInvalid,
                    refusal => refusal,
                })
            }
        }
    }
}
