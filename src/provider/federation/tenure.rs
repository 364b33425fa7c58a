//! How long a person's number has been on its SIM: asked of their carrier, within a budget of its own (dossier 16).

use std::time::SystemTime;

use super::Federation;
use super::question::document;
use crate::carrier::usertrait::{SimTenure, TenureQuestion, read_tenure};
use crate::provider::{Carrier, ProviderError};
use crate::secret::SystemEntropy;

impl Federation {
    pub(super) async fn tenure_of(
        &self,
        issuer: &str,
        subject: &str,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<Option<SimTenure>, ProviderError> {
        let end = tokio::time::Instant::now() + self.settings.sim_tenure_timeout;
        // Metadata that is not at hand is waited for no longer either.
        let carrier = tokio::time::timeout_at(end, self.carrier_by_metadata(issuer, now)).await;
        let carrier = carrier.unwrap_or(Err(ProviderError::timeout()))?;
        if carrier.sim_tenure_endpoint.is_none() {
            return Ok(None);
        }
        let guard = self.tenure_guards.get(issuer).ok_or(ProviderError::untrusted("issuer is not on the list"))?;
        // The end of patience is the breaker's business too: a carrier that is slow each time is left alone.
        let question = async {
            let asked = self.ask_tenure(&carrier, subject, correlation_id, now);
            tokio::time::timeout_at(end, asked).await.unwrap_or(Err(ProviderError::timeout()))
        };
        let outcome = guard.run(question).await;
        self.stats.sim_tenures.count(&outcome);
        outcome.map(Some)
    }

    async fn ask_tenure(
        &self,
        carrier: &Carrier,
        subject: &str,
        correlation_id: &str,
        now: SystemTime,
    ) -> Result<SimTenure, ProviderError> {
        let endpoint = self.trust.check_sim_tenure(carrier)?;
        let endpoint = endpoint.ok_or(ProviderError::invalid("no endpoint for questions about SIMs"))?;
        let question = TenureQuestion {
            client_id: self.settings.client_id_at(&carrier.issuer),
            issuer: &carrier.issuer,
            subject,
            correlation_id: self.correlation(Some(&carrier.issuer), correlation_id),
        };
        let body = document(&question.object(now, &SystemEntropy), self.authentication(carrier))?;
        let answer = self.client.post_json("sim_tenure", endpoint, &body).await?;
        answer.expect_ok()?;
        read_tenure(&answer.body, subject)
            .map_err(|fault| answer.blame(ProviderError::invalid("not a usertrait answer").found(&fault.to_string())))
    }
}
