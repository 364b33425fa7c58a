//! How long a person's number has been on its SIM: asked once for each sign-in, where a route or a header wants to know (dossier
//! 16). Whatever comes of it the person is signed in; what follows is each route's.

use std::time::SystemTime;

use tracing::{info, warn};

use crate::auth::SignIn;
use crate::carrier::usertrait::{SimAnswer, SimTenure};
use crate::ground::time::Timestamp;
use crate::oidc::id_token::VerifiedIdToken;
use crate::telemetry::log::pseudonym;
use crate::web::RequestView;

impl SignIn<'_> {
    /// What the carrier says of the person whom `token` names; `None` where nobody wants to know.
    pub(super) async fn sim_of(
        &self,
        view: &RequestView<'_>,
        token: &VerifiedIdToken,
        correlation_id: &str,
        now: SystemTime,
    ) -> Option<SimAnswer> {
        if !self.snapshot.asks_sim_tenure() {
            return None;
        }
        let (request_id, issuer) = (view.request_id, token.issuer());
        let asked = Box::pin(self.provider.sim_tenure(issuer, token.subject(), correlation_id, now)).await;
        let tenure = match asked {
            Ok(Some(tenure)) => tenure,
            Ok(None) => SimTenure::Unknown,
            Err(error) => {
                let key = "provider.sim_tenure_timeout";
                warn!(request_id, issuer, key, reason = %error, "It is not known whether somebody's SIM is new");
                SimTenure::Unknown
            }
        };
        self.metrics.sim_tenures.with_label_values(&[tenure.as_str()]).inc();
        if tenure == SimTenure::Recent {
            let subject = pseudonym(issuer, token.subject());
            info!(
                request_id,
                issuer, subject, "Somebody signed in whose number has been on its SIM for less than a day"
            );
        }
        Some(SimAnswer { tenure, at: Timestamp::of(now).as_numeric_date() })
    }
}
