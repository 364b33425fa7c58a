//! The provider says that a session of its own is over: by its server (OpenID Connect Back-Channel Logout 1.0), or by a
//! frame in the person's browser (Front-Channel Logout 1.0).

use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tracing::{info, warn};

use super::SignIn;
use super::answers::query_value;
use super::refusal::Refusal;
use crate::oidc::logout_token::{
    LogoutTokenError, LogoutTokenRule, MAX_AGE, UnverifiedLogoutToken, VerifiedLogoutToken,
};
use crate::secret::{SecretString, sha256_of};
use crate::session::StoreKey;
use crate::session::ending::EndedSessions;
use crate::session::store::{Kind, Relation, StoreError};
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::{Reply, RequestView};

/// Longest body of a back-channel logout, in bytes: a token and its form.
pub(super) const MAX_BODY: usize = 32 * 1024;

/// Why a message of a provider ended nothing.
#[derive(Debug)]
enum Unheard {
    /// No form with exactly one `logout_token`.
    Form,
    /// Nobody whose tokens are taken.
    UnknownIssuer,
    /// The token is not what it should be.
    Token(LogoutTokenError),
    /// It was used before.
    Replayed,
    /// The issuer's keys, or the store, cannot be had.
    Unavailable(String),
    /// Whoever sent it has sent too many that were not good.
    Limited(Duration),
}

impl Unheard {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Form | Self::UnknownIssuer | Self::Token(_) => "refused",
            Self::Replayed => "replayed",
            Self::Unavailable(_) => "unavailable",
            Self::Limited(_) => "limited",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Form => "the body is no form with one logout_token".to_owned(),
            Self::UnknownIssuer => "the issuer is not one of those that people sign in with here".to_owned(),
            Self::Token(error) => error.to_string(),
            Self::Replayed => "the logout token was used before".to_owned(),
            Self::Unavailable(_) => "try again later".to_owned(),
            Self::Limited(_) => "too many logout tokens that were not good".to_owned(),
        }
    }

    fn reply(&self) -> Reply {
        let (status, error) = match self {
            Self::Form | Self::UnknownIssuer | Self::Token(_) | Self::Replayed => {
                (StatusCode::BAD_REQUEST, "invalid_request")
            }
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Self::Limited(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        };
        let mut reply = Reply::json(status, json!({ "error": error, "error_description": self.words() }).to_string());
        let wait = match self {
            Self::Limited(wait) => wait.as_secs().max(1),
            Self::Unavailable(_) => 5,
            _ => return reply,
        };
        reply.set(header::RETRY_AFTER, HeaderValue::from(wait));
        reply
    }
}

impl From<StoreError> for Unheard {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LogoutTokenError> for Unheard {
    fn from(error: LogoutTokenError) -> Self {
        Self::Token(error)
    }
}

impl SignIn<'_> {
    /// `POST backchannel_logout`: a form with a `logout_token`. 200 once the sessions it names are over, here at once and
    /// everywhere else as after any sign-out; that there were none is fine too.
    pub(super) async fn backchannel_logout(&self, view: &RequestView<'_>, body: &[u8], now: SystemTime) -> Reply {
        let heard = self.hear(view, body, now).await;
        let outcome = heard.as_ref().map_or_else(Unheard::outcome, |_| "ended");
        self.metrics.logout_tokens.with_label_values(&[outcome]).inc();
        match heard {
            Ok(ended) => {
                info!(request_id = view.request_id, sessions = ended.sessions, "The provider has ended sessions");
                Reply::empty(StatusCode::OK)
            }
            Err(unheard) => {
                if matches!(unheard, Unheard::Form | Unheard::UnknownIssuer | Unheard::Token(_)) {
                    self.limits.forged.charge(view.client, now);
                }
                let reason = match &unheard {
                    Unheard::Unavailable(reason) => reason.clone(),
                    other => other.words(),
                };
                warn!(request_id = view.request_id, outcome, reason = %reason, "A logout token ended nothing");
                unheard.reply()
            }
        }
    }

    async fn hear(&self, view: &RequestView<'_>, body: &[u8], now: SystemTime) -> Result<EndedSessions, Unheard> {
        self.limits.forged.check(view.client, now).map_err(Unheard::Limited)?;
        let raw = token_of(body).ok_or(Unheard::Form)?;
        let token = self.verified(view, &raw, now).await?;
        // Before anything ends: of any number of replicas one hears it, and nobody can end later sessions by it.
        let mark = StoreKey(sha256_of(&[
            b"zengate logout token v1 ",
            &sha256_of(&[token.issuer().as_bytes()]),
            token.token_id().as_bytes(),
        ]));
        let keep = MAX_AGE + 2 * self.settings.skew;
        if !self.store.insert(Kind::Spent, mark, &[], keep, now).await? {
            return Err(Unheard::Replayed);
        }
        let (relation, sets) = match (token.session_id(), token.subject()) {
            (Some(sid), _) => (Relation::ProviderSession, self.sealer.provider_session_keys(token.issuer(), sid)),
            (None, Some(subject)) => (Relation::Person, self.sealer.person_keys(token.issuer(), subject)),
            (None, None) => return Err(Unheard::Token(LogoutTokenError::Missing("sid"))),
        };
        let ended = match self.sessions.end_listed(relation, &sets, now).await {
            Ok(ended) => ended,
            Err(error) => {
                // The provider may say it again with the same token.
                let _or_it_runs_out = self.store.remove(Kind::Spent, mark).await;
                return Err(error.into());
            }
        };
        if ended.sessions > 0 {
            let subject = token.subject().map_or_else(|| "unknown".to_owned(), |sub| pseudonym(token.issuer(), sub));
            let (outcome, request_id, issuer) = ("provider_logout", view.request_id, token.issuer());
            SecurityEvent::SessionEnd { outcome, request_id, issuer, subject: &subject }.emit();
        }
        Ok(ended)
    }

    async fn verified(
        &self,
        view: &RequestView<'_>,
        raw: &SecretString,
        now: SystemTime,
    ) -> Result<VerifiedLogoutToken, Unheard> {
        let token = UnverifiedLogoutToken::parse(raw)?;
        let there = self.at_issuer(token.issuer()).ok_or(Unheard::UnknownIssuer)?;
        let mut issuers = there.registration.issuers.iter();
        let issuer = issuers.find(|known| known.names(token.issuer())).ok_or(Unheard::UnknownIssuer)?;
        // Of many tenants it is the one that the token names, which is listed; the keys are those of all.
        let named = issuer.named().find(|named| *named == token.issuer()).ok_or(Unheard::UnknownIssuer)?;
        let rule = LogoutTokenRule {
            issuer: named,
            client_id: there.registration.client_id_at(&issuer.issuer),
            algorithms: &issuer.algorithms,
            skew: self.settings.skew,
        };
        let token = token.check(rule, now)?;
        // A key that nobody knows is looked for at the sender's expense: anybody may send such a token.
        let keys = there.provider.logout_keys(&issuer.issuer, token.kid(), view.client, now).await;
        let keys = keys.map_err(|error| Unheard::Unavailable(error.to_string()))?;
        Ok(token.verify(&keys)?)
    }

    /// `GET frontchannel_logout?iss=&sid=`, in a frame of the provider's page. A browser sends no `SameSite=Lax` cookie into
    /// the frame of another site, so the session is found by its name at the provider and not by its cookie; who knows that
    /// name may end it. For that reason it is off unless the operator wants it (`sign_out.front_channel`).
    pub(super) async fn frontchannel_logout(&self, view: &RequestView<'_>, now: SystemTime) -> Reply {
        if !self.settings.front_channel_logout {
            return self.answers.refusal(Refusal::NotFound, view);
        }
        let (Some(issuer), Some(sid)) = (query_value(view, "iss"), query_value(view, "sid")) else {
            return Unheard::Form.reply();
        };
        if let Err(wait) = self.limits.forged.check(view.client, now) {
            return Unheard::Limited(wait).reply();
        }
        if self.at_issuer(&issuer).is_none() {
            self.limits.forged.charge(view.client, now);
            return Unheard::UnknownIssuer.reply();
        }
        let sets = self.sealer.provider_session_keys(&issuer, &sid);
        match self.sessions.end_listed(Relation::ProviderSession, &sets, now).await {
            Ok(ended) => {
                if ended.sessions == 0 {
                    // Whoever tries names pays for it.
                    self.limits.forged.charge(view.client, now);
                } else {
                    let (outcome, request_id) = ("provider_logout", view.request_id);
                    SecurityEvent::SessionEnd { outcome, request_id, issuer: &issuer, subject: "unknown" }.emit();
                }
                Reply::empty(StatusCode::OK)
            }
            Err(error) => Unheard::from(error).reply(),
        }
    }
}

/// The one `logout_token` of a form.
fn token_of(body: &[u8]) -> Option<SecretString> {
    let mut tokens = url::form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| SecretString::new(token.into_owned()))
}
