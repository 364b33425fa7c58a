//! Asks the provider again about the person of a session, by a refresh token (OpenID Connect Core, 12).

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tracing::{info, warn};

use crate::identity::Identity;
use crate::oidc::claims::{ClaimRules, Claims, Lack, Reading};
use crate::oidc::id_token::{Expectation, UnverifiedIdToken, VerifiedIdToken};
use crate::provider::{Carrier, Provider, ProviderError, Providers};
use crate::secret::{SecretString, constant_time_eq};
use crate::session::Session;
use crate::session::provider_check::{ProviderCheck, Recheck};
use crate::session::provider_session::{MAX_HINT, ProviderSession};
use crate::snapshot::{ClientRegistration, Snapshot};
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;

/// See the module's page.
pub(super) struct AskAgain {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) providers: Providers,
}

/// Why the person is not who they were.
enum Unconfirmed {
    /// The provider says that they may not go on, or speaks of somebody else.
    Refused(String),
    /// It says nothing that can be used.
    Unavailable(String),
}

impl From<ProviderError> for Unconfirmed {
    fn from(error: ProviderError) -> Self {
        // RFC 6749, 5.2: the token is spent, withdrawn or of somebody else. Every other word is about us, or about the day.
        if error == ProviderError::refused("invalid_grant") {
            Self::Refused(error.to_string())
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

#[async_trait]
impl ProviderCheck for AskAgain {
    async fn recheck(&self, session: &Session, kept: &ProviderSession, now: SystemTime) -> Recheck {
        let who = session.identity();
        let (issuer, subject) = (who.issuer().to_owned(), pseudonym(who.issuer(), who.subject()));
        match self.ask(session, kept, now).await {
            Ok((identity, kept)) => {
                info!(issuer, subject, "The provider has confirmed the person of a session");
                Recheck::Confirmed(Box::new(identity), kept)
            }
            Err(Unconfirmed::Refused(reason)) => {
                info!(issuer, subject, reason, "The provider knows the person of a session no more");
                let outcome = "provider_refused";
                SecurityEvent::SessionEnd { outcome, request_id: "", issuer: &issuer, subject: &subject }.emit();
                Recheck::Refused
            }
            Err(Unconfirmed::Unavailable(reason)) => {
                warn!(
                    issuer,
                    reason,
                    key = "sessions.recheck_grace",
                    "The provider could not be asked about a session"
                );
                Recheck::Unavailable
            }
        }
    }
}

impl AskAgain {
    async fn ask(
        &self,
        session: &Session,
        kept: &ProviderSession,
        now: SystemTime,
    ) -> Result<(Identity, ProviderSession), Unconfirmed> {
        let who = session.identity();
        let registration =
            self.snapshot.settings().registrations.iter().find(|registration| registration.trusts(who.issuer()));
        let registration = registration.ok_or_else(|| Unconfirmed::Refused("issuer is trusted no more".to_owned()))?;
        let gone = || Unconfirmed::Unavailable("nothing to ask by".to_owned());
        let provider = self.providers.get(&registration.id).ok_or_else(gone)?;
        let refresh_token = kept.refresh_token.as_ref().ok_or_else(gone)?;
        let carrier = provider.issuer(now).await?;
        if carrier.issuer != who.issuer() {
            return Err(gone());
        }
        let tokens = provider.refresh(&carrier, refresh_token, now).await?;
        let token = match &tokens.id_token {
            Some(raw) => Some(self.verified(registration, &**provider, &carrier, raw, now).await?),
            None => None,
        };
        // Core 12.2: the same person, whatever the answer is signed with.
        let same = |subject: &str| constant_time_eq(subject.as_bytes(), who.subject().as_bytes());
        if token.as_ref().is_some_and(|token| !same(token.subject())) {
            return Err(Unconfirmed::Refused("the answer is about somebody else".to_owned()));
        }
        let mut parts = who.parts();
        let unknown = ClaimRules::default();
        let trusted = registration.issuers.iter().find(|trusted| trusted.issuer == carrier.issuer);
        let rules = trusted.map_or(&unknown, |trusted| &trusted.claims);
        let reading = Reading { named: self.snapshot.named_claims(), rules };
        let lacks =
            token.as_ref().is_none_or(|token| reading.named.lack(&token.claims(reading).values) != Lack::Nothing);
        let asks = lacks && registration.userinfo && carrier.userinfo_endpoint.is_some();
        let further = match &tokens.access_token {
            Some(access) if asks => {
                let info = provider.userinfo(&carrier, access, "", now).await?;
                if !same(&info.subject) {
                    return Err(Unconfirmed::Refused("the answer is about somebody else".to_owned()));
                }
                info.claims(reading)
            }
            _ => Claims::default(),
        };
        let identity = match &token {
            Some(token) => {
                let (confirmed, _) = Identity::from_verified(token, parts.mccmnc, further, reading);
                let mut confirmed = confirmed.parts();
                // How they signed in is not said again by every provider.
                confirmed.acr = confirmed.acr.or(parts.acr);
                if confirmed.amr.is_empty() {
                    confirmed.amr = parts.amr;
                }
                confirmed.auth_time = confirmed.auth_time.or(parts.auth_time);
                Identity::restore(confirmed)
            }
            None => {
                parts.claims.extend(further.values);
                Identity::restore(parts)
            }
        };
        let id_token = tokens.id_token.filter(|hint| hint.expose().len() <= MAX_HINT);
        let kept = ProviderSession {
            sid: None,
            id_token: if kept.id_token.is_some() { id_token.or_else(|| kept.id_token.clone()) } else { None },
            refresh_token: tokens.refresh_token.or_else(|| kept.refresh_token.clone()),
        };
        Ok((identity, kept))
    }

    async fn verified(
        &self,
        registration: &ClientRegistration,
        provider: &dyn Provider,
        carrier: &Carrier,
        raw: &SecretString,
        now: SystemTime,
    ) -> Result<VerifiedIdToken, Unconfirmed> {
        let broken = |error: &dyn std::fmt::Display| Unconfirmed::Unavailable(error.to_string());
        let trusted = registration.issuers.iter().find(|trusted| trusted.issuer == carrier.issuer);
        let trusted = trusted.ok_or_else(|| Unconfirmed::Refused("issuer is trusted no more".to_owned()))?;
        let expect = Expectation {
            issuer: &carrier.issuer,
            client_id: &registration.client_id,
            nonce: "",
            algorithms: &trusted.algorithms,
            acr_values: &[],
            acr_vocabulary: registration.acr_vocabulary(),
            require_acr: false,
            skew: self.snapshot.settings().skew,
            max_age: None,
            accept_at_jwt_typ: trusted.accept_at_jwt_typ,
            access_token: None,
            trusted_audiences: &trusted.trusted_audiences,
        };
        let token = UnverifiedIdToken::parse(raw, registration.max_id_token).map_err(|error| broken(&error))?;
        let keys = provider.keys(carrier, token.kid(), now).await?;
        token.verify_refreshed(&keys, &expect, now).map_err(|error| broken(&error))
    }
}
