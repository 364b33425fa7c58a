//! The end of a sign-in with a provider that issues no ID tokens: its API says who it was.

use super::callback::LegOutcome;
use crate::auth::SignIn;
use crate::auth::left_out::say_left_out;
use crate::auth::refusal::Refusal;
use crate::identity::{ApiAccount, Identity, headers};
use crate::provider::ProviderError;
use crate::session::Session;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::RequestView;

use std::time::SystemTime;

impl SignIn<'_> {
    /// The session of whom the API described. Nothing of the provider is kept: there is no session there that we could end
    /// or ask after.
    pub(super) fn signed_in_by_api(
        &self,
        view: &RequestView<'_>,
        account: Result<ApiAccount, ProviderError>,
        now: SystemTime,
    ) -> Result<LegOutcome, Refusal> {
        let account = account.map_err(|error| self.provider_refusal(view, &error))?;
        let identity = Identity::from_api_account(&account);
        let left_out: Vec<_> = headers::left_out(self.snapshot.plans(), &identity).into_iter().collect();
        say_left_out(self.metrics, &left_out, account.issuer(), view.request_id);
        let subject = pseudonym(account.issuer(), account.subject());
        let (request_id, issuer) = (view.request_id, account.issuer());
        SecurityEvent::SignIn { request_id, issuer, subject: &subject, acr: "none" }.emit();
        Ok(LegOutcome::SignedIn(Box::new(Session::open(identity, now)), None))
    }
}
