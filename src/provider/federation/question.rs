//! Questions for people's phones: sent to the carrier, or taken back (dossier 13).

use std::time::SystemTime;

use serde_json::json;

use super::Federation;
use crate::carrier::approval::request::{Acknowledgement, Question, refused, withdrawal};
use crate::oidc::client_auth::ClientAuthentication;
use crate::oidc::request_object::{RequestObject, can_sign};
use crate::provider::metadata::Source;
use crate::provider::{Carrier, Discovery, ProviderError};
use crate::secret::{SecretString, SystemEntropy};

impl Federation {
    /// The carrier that its own metadata describes; only for one on the list.
    pub(super) async fn carrier_by_metadata(&self, issuer: &str, now: SystemTime) -> Result<Carrier, ProviderError> {
        if self.trusted(issuer).is_none() {
            return Err(ProviderError::untrusted("issuer is not on the list").found(issuer));
        }
        match self.configurations.find(Source::Issuer(issuer.to_owned()), now).await? {
            Discovery::Carrier(carrier) => Ok(*carrier),
            Discovery::AskUser(_) => Err(ProviderError::invalid("no configuration of its own")),
        }
    }

    /// Whether a question to `issuer` can be signed.
    pub(super) fn has_key_for_questions(&self, issuer: &str) -> bool {
        let asks = self.settings.federation.profile.asks_on_phone;
        self.trusted(issuer).is_some_and(|member| {
            asks && can_sign(member.authentication.as_ref().unwrap_or(&self.settings.authentication))
        })
    }

    pub(super) async fn ask_once(
        &self,
        carrier: &Carrier,
        question: &Question<'_>,
        now: SystemTime,
    ) -> Result<Acknowledgement, ProviderError> {
        let (member, endpoint) = ("server_initiated_authorization_endpoint", &carrier.server_initiated_endpoint);
        let endpoint = self.trust.check_question(carrier, member, endpoint.as_ref())?;
        let body = document(&question.object(now, &SystemEntropy), self.authentication(carrier))?;
        let answer = self.client.post_json("question", endpoint, &body).await?;
        let invalid = |reason| answer.blame(ProviderError::invalid(reason));
        match answer.status {
            200 => Acknowledgement::parse(&answer.body, question.correlation_id)
                .map_err(|fault| invalid("not an acknowledgement").found(&fault.to_string())),
            429 | 503 => Err(answer.overloaded()),
            400..=499 => Err(answer.blame(ProviderError::refused(refused(&answer.body).as_str()))),
            500..=599 => Err(invalid("server error")),
            _ => Err(invalid("unexpected status")),
        }
    }

    pub(super) async fn withdraw_once(
        &self,
        carrier: &Carrier,
        client_id: &str,
        auth_req_id: &str,
        now: SystemTime,
    ) -> Result<(), ProviderError> {
        let (member, endpoint) = ("server_initiated_cancel_endpoint", &carrier.server_initiated_cancel_endpoint);
        let endpoint = self.trust.check_question(carrier, member, endpoint.as_ref())?;
        let object = withdrawal(client_id, &carrier.issuer, auth_req_id, now, &SystemEntropy);
        let body = document(&object, self.authentication(carrier))?;
        let answer = self.client.post_json("question", endpoint, &body).await?;
        match answer.status {
            // What is not there any more needs no taking back.
            200..=204 | 400 | 404 => Ok(()),
            429 | 503 => Err(answer.overloaded()),
            500..=599 => Err(answer.blame(ProviderError::invalid("server error"))),
            _ => Err(answer.blame(ProviderError::invalid("unexpected status"))),
        }
    }
}

/// Everything stands in the signed object, and nothing beside it that could contradict it.
pub(super) fn document(object: &RequestObject, ours: &ClientAuthentication) -> Result<SecretString, ProviderError> {
    let none = || {
        ProviderError::invalid("no key to sign a question with")
            .advise("`client_keys` needs a key for RS256 (`zengate keys --algorithm RS256`)")
    };
    let request = object.signed(ours).ok_or_else(none)?;
    Ok(SecretString::new(json!({ "request": request.expose() }).to_string()))
}
