//! Asks the provider again about the person of a session, by a refresh token (OpenID Connect Core, 12).

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use crate::identity::Identity;
use crate::oidc::claims::{ClaimRules, Claims, Lack, Reading};
use crate::oidc::id_token::{Expectation, UnverifiedIdToken, VerifiedIdToken};
use crate::oidc::refresh::RefreshResponse;
use crate::provider::{Carrier, ErrorKind, Provider, ProviderError, Providers};
use crate::secret::{SecretString, constant_time_eq};
use crate::session::Session;
use crate::session::provider_check::{ProviderCheck, Recheck};
use crate::session::provider_session::{MAX_HINT, ProviderSession};
use crate::snapshot::{ClientRegistration, Snapshot};
use crate::telemetry::Metrics;
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;

/// See the module's page.
pub(super) struct AskAgain {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) providers: Providers,
    pub(super) unclear: UnclearRefusals,
    pub(super) metrics: Arc<Metrics>,
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
        match Verdict::of(&error) {
            Verdict::AboutPerson => Self::Refused(error.to_string()),
            Verdict::Unclear | Verdict::AboutUs => Self::Unavailable(error.to_string()),
        }
    }
}

/// Whom a refusal of a refresh token is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// RFC 6749, 5.2: the token is spent, withdrawn or of somebody else.
    AboutPerson,
    /// Some providers say `invalid_request`, or a word of their own, about somebody whom they have locked; others about a
    /// request that they do not take from anybody.
    Unclear,
    /// Our registration, or the day. It says nothing of the person.
    AboutUs,
}

impl Verdict {
    fn of(error: &ProviderError) -> Self {
        if error.kind() != ErrorKind::Refused {
            return Self::AboutUs;
        }
        match error.reason() {
            "invalid_grant" => Self::AboutPerson,
            "invalid_request" | "other" => Self::Unclear,
            _ => Self::AboutUs,
        }
    }
}

/// Who was refused in words that are not clear since an issuer last confirmed somebody: issuer and subject.
///
/// So many people in a row as `sessions.recheck_unclear` says may be refused so. From then on it is taken for a fault of the
/// configuration, as which it ends no session before `sessions.recheck_grace` is over: a provider that takes no refresh request
/// of ours any more must not sign everybody out at once.
#[derive(Default)]
pub(super) struct UnclearRefusals(Mutex<Vec<(String, String)>>);

impl UnclearRefusals {
    /// Whether one more may count as being about the person, where at most `most` of an issuer do.
    fn count(&self, issuer: &str, subject: &str, most: usize) -> bool {
        let mut refused = self.0.lock();
        if refused.iter().any(|known| known.0 == issuer && known.1 == subject) {
            return true;
        }
        if refused.iter().filter(|known| known.0 == issuer).count() >= most {
            return false;
        }
        refused.push((issuer.to_owned(), subject.to_owned()));
        true
    }

    /// `issuer` takes our requests.
    fn confirmed(&self, issuer: &str) {
        self.0.lock().retain(|known| known.0 != issuer);
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
        let member = registration.issuers.iter().find(|member| member.issuer == carrier.issuer);
        if !member.is_some_and(|member| member.names(who.issuer())) {
            return Err(gone());
        }
        let tokens = self.refreshed(&**provider, &carrier, refresh_token, who.subject(), now).await?;
        let token = match &tokens.id_token {
            Some(raw) => Some(self.verified(registration, &**provider, &carrier, raw, now).await?),
            None => None,
        };
        // Core 12.2: the same person, whatever the answer is signed with.
        let same = |subject: &str| constant_time_eq(subject.as_bytes(), who.subject().as_bytes());
        if token.as_ref().is_some_and(|token| !same(token.subject()) || token.issuer() != who.issuer()) {
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
                let assurance = registration.assurance_of(token.acr());
                let (confirmed, _) = Identity::from_verified(token, parts.mccmnc, assurance, further, reading);
                let mut confirmed = confirmed.parts();
                // How they signed in is not said again by every provider.
                if confirmed.acr.is_none() {
                    (confirmed.acr, confirmed.assurance) = (parts.acr, parts.assurance);
                }
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

    /// Asks with the refresh token. What is refused in words that are not clear is asked once more (a refused token is not
    /// used up), and the same words again are about the person, unless the issuer says them to everybody.
    async fn refreshed(
        &self,
        provider: &dyn Provider,
        carrier: &Carrier,
        refresh_token: &SecretString,
        subject: &str,
        now: SystemTime,
    ) -> Result<RefreshResponse, Unconfirmed> {
        let mut answer = provider.refresh(carrier, refresh_token, now).await;
        let first = answer.as_ref().err().filter(|error| Verdict::of(error) == Verdict::Unclear).cloned();
        if let Some(first) = first {
            answer = provider.refresh(carrier, refresh_token, now).await;
            if let Err(again) = &answer
                && *again == first
            {
                let most = self.snapshot.settings().recheck_unclear;
                let about_person = self.unclear.count(&carrier.issuer, subject, most);
                let about = if about_person { "person" } else { "registration" };
                self.metrics.unclear_refusals.with_label_values(&[about]).inc();
                if about_person {
                    return Err(Unconfirmed::Refused(format!("{again}, twice")));
                }
                let issuer = carrier.issuer.as_str();
                error!(
                    issuer,
                    reason = %again,
                    key = "sessions.recheck_unclear",
                    "`{issuer}` refuses every refresh token in the same words: is something wrong with our registration?"
                );
            }
        }
        if answer.is_ok() {
            self.unclear.confirmed(&carrier.issuer);
        }
        Ok(answer?)
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
            tenants: &trusted.tenants,
            client_id: registration.client_id_at(&carrier.issuer),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_refuses_everybody_signs_out_a_few_and_not_all() {
        for most in [0, 1, 3] {
            let unclear = UnclearRefusals::default();
            assert!((0..most).all(|person| unclear.count("a", &person.to_string(), most)));
            assert!(!unclear.count("a", "the next one", most));
            assert_eq!(unclear.count("a", "0", most), most > 0, "who was refused before, on another device");
            assert_eq!(unclear.count("b", "the next one", most), most > 0, "another issuer");
            unclear.confirmed("a");
            assert_eq!(unclear.count("a", "the next one", most), most > 0);
        }
    }

    #[test]
    fn only_words_about_a_token_are_about_its_person() {
        let of = |code| Verdict::of(&ProviderError::refused(code));
        assert_eq!(of("invalid_grant"), Verdict::AboutPerson);
        assert!(["invalid_request", "other"].iter().all(|code| of(code) == Verdict::Unclear));
        for ours in [
            "invalid_client",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
            "server_error",
            "temporarily_unavailable",
        ] {
            assert_eq!(of(ours), Verdict::AboutUs, "{ours}");
        }
        assert_eq!(Verdict::of(&ProviderError::invalid("invalid_request")), Verdict::AboutUs);
        assert_eq!(Verdict::of(&ProviderError::timeout()), Verdict::AboutUs);
    }
}
