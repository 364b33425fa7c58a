//! `POST signals`: an issuer says that something happened to a person of its own (RFC 8935; dossier 16). Whatever came of it is
//! in the store before it is acknowledged.
//!
//! A signal never gives anybody anything: it ends sessions, or has the person authenticate anew, or does nothing.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tracing::{info, warn};

use super::SignIn;
use super::refusal::Refusal;
use crate::carrier::event::{Event, Said};
use crate::oidc::security_event::{
    MAX_BYTES, SecurityEventError, SecurityEventRule, UnverifiedSecurityEvent, VerifiedSecurityEvent,
};
use crate::secret::{SecretString, sha256_of};
use crate::session::StoreKey;
use crate::session::anew;
use crate::session::store::{Kind, Relation, StoreError};
use crate::snapshot::{SignalAct, SignalSettings};
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::{Reply, RequestView, single_value};

/// Longest body, in bytes: a token and nothing else.
pub(super) const MAX_BODY: usize = MAX_BYTES;

/// Why a signal had no consequence.
#[derive(Debug)]
enum Unheard {
    /// The body is no token, or says that it is something else.
    Form,
    /// Nobody whose signals are taken.
    UnknownIssuer,
    /// The token is not what it should be.
    Token(SecurityEventError),
    /// The issuer's keys, or the store, cannot be had.
    Unavailable(String),
    /// Whoever sent it has sent too many that were not good.
    Limited(Duration),
}

impl Unheard {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Form | Self::UnknownIssuer | Self::Token(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Limited(_) => "limited",
        }
    }

    /// For the log: whoever sends it is told less.
    fn reason(&self) -> String {
        match self {
            Self::Form => "the body is no security event token".to_owned(),
            Self::UnknownIssuer => "the issuer is not one of those that people sign in with here".to_owned(),
            Self::Token(error) => error.to_string(),
            Self::Unavailable(reason) => reason.clone(),
            Self::Limited(_) => "too many signals that were not good".to_owned(),
        }
    }

    /// RFC 8935, 2.3 and 2.4.
    fn reply(&self) -> Reply {
        let refused = |err: &str, words: &str| {
            Reply::json(StatusCode::BAD_REQUEST, json!({ "err": err, "description": words }).to_string())
        };
        let (status, wait) = match self {
            Self::Form => return refused("invalid_request", "expected one security event token"),
            Self::UnknownIssuer | Self::Token(SecurityEventError::IssuerMismatch) => {
                return refused("invalid_issuer", "no signals of this issuer are taken here");
            }
            Self::Token(SecurityEventError::AudienceMismatch) => {
                return refused("invalid_audience", "the token is not for this client");
            }
            Self::Token(SecurityEventError::Jwt(_)) => {
                return refused("invalid_key", "the token is not signed as this issuer signs");
            }
            Self::Token(_) => {
                return refused("invalid_request", "the token is not what a security event token must be");
            }
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, 5),
            Self::Limited(wait) => (StatusCode::TOO_MANY_REQUESTS, wait.as_secs().max(1)),
        };
        let mut reply = Reply::empty(status);
        reply.set(header::RETRY_AFTER, HeaderValue::from(wait));
        reply
    }
}

impl From<StoreError> for Unheard {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SecurityEventError> for Unheard {
    fn from(error: SecurityEventError) -> Self {
        Self::Token(error)
    }
}

/// What became of a signal that was heard, in a word for metrics and logs.
#[derive(Debug, Clone, Copy)]
enum Heard {
    Acted(SignalAct),
    /// A name that we do not know, or one that is about the way of the signals itself.
    Ignored,
    /// It was heard before.
    Repeated,
}

impl Heard {
    fn as_str(self) -> &'static str {
        match self {
            Self::Acted(act) => act.as_str(),
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
        }
    }
}

impl SignIn<'_> {
    /// Answers a signal: 202 once it cannot be lost any more. Nothing in the answer says whether there is such a person.
    pub(super) async fn signal(&self, view: &RequestView<'_>, body: &[u8], now: SystemTime) -> Reply {
        let Some(settings) = &self.settings.signals else { return self.answers.refusal(Refusal::NotFound, view) };
        if view.method != Method::POST {
            let mut reply = self.answers.refusal(Refusal::MethodNotAllowed, view);
            reply.set(header::ALLOW, HeaderValue::from_static("POST"));
            return reply;
        }
        let heard = self.hear_signal(view, settings, body, now).await;
        let outcome = heard.as_ref().map_or_else(Unheard::outcome, |heard| heard.as_str());
        self.metrics.signals.with_label_values(&[outcome]).inc();
        match heard {
            Ok(_) => Reply::empty(StatusCode::ACCEPTED),
            Err(unheard) => {
                if matches!(unheard, Unheard::Form | Unheard::UnknownIssuer | Unheard::Token(_)) {
                    self.limits.forged.charge(view.client, now);
                }
                let reason = unheard.reason();
                warn!(request_id = view.request_id, outcome, reason, key = "signals", "A signal had no consequence");
                unheard.reply()
            }
        }
    }

    async fn hear_signal(
        &self,
        view: &RequestView<'_>,
        settings: &SignalSettings,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Heard, Unheard> {
        self.limits.forged.check(view.client, now).map_err(Unheard::Limited)?;
        let kind = single_value(view.headers, header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let raw = std::str::from_utf8(body).ok().filter(|_| kind.eq_ignore_ascii_case("application/secevent+jwt"));
        let raw = SecretString::new(raw.ok_or(Unheard::Form)?.trim_ascii().to_owned());
        let token = self.verified_signal(view, settings, &raw, now).await?;
        let mark = StoreKey(sha256_of(&[
            b"zengate signal v1 ",
            &sha256_of(&[token.issuer().as_bytes()]),
            token.token_id().as_bytes(),
        ]));
        // What is done is done twice without harm; what was acknowledged and not done would be lost. So the mark comes last.
        if self.store.get(Kind::Spent, mark, now).await?.is_some() {
            return Ok(Heard::Repeated);
        }
        let heard = match Event::read(token.event()) {
            Said::Happened(event) => self.act_on(view, settings, event, &token, now).await?,
            Said::Nothing => Heard::Ignored,
            Said::Unknown => {
                info!(request_id = view.request_id, issuer = token.issuer(), "A signal has a name that we do not know");
                Heard::Ignored
            }
        };
        self.store.put(Kind::Spent, mark, &[], settings.max_age + 2 * self.settings.skew, now).await?;
        Ok(heard)
    }

    async fn act_on(
        &self,
        view: &RequestView<'_>,
        settings: &SignalSettings,
        event: Event,
        token: &VerifiedSecurityEvent,
        now: SystemTime,
    ) -> Result<Heard, Unheard> {
        let act = settings.act(event);
        if act == SignalAct::Ignore {
            return Ok(Heard::Acted(act));
        }
        let (issuer, subject) = (token.issuer(), token.subject());
        let persons = self.sealer.person_keys(issuer, subject);
        if act == SignalAct::Reauthenticate {
            // Before anything ends: nobody must be back by then without having authenticated.
            let keep = self.settings.lifetimes.absolute;
            anew::demand(self.store, &persons, token.issued_at(), keep, now).await?;
        }
        let ended = match token.session_id().filter(|_| event == Event::SessionRevoked) {
            Some(sid) => {
                let sets = self.sealer.provider_session_keys(issuer, sid);
                self.sessions.end_listed(Relation::ProviderSession, &sets, now).await?
            }
            None => self.sessions.end_listed(Relation::Person, &persons, now).await?,
        };
        let (name, sessions) = (event.as_str(), ended.sessions);
        info!(
            request_id = view.request_id,
            issuer,
            signal = name,
            act = act.as_str(),
            sessions,
            "An issuer sent a signal"
        );
        if sessions > 0 {
            let subject = pseudonym(issuer, subject);
            SecurityEvent::SessionEnd { outcome: "signal", request_id: view.request_id, issuer, subject: &subject }
                .emit();
        }
        Ok(Heard::Acted(act))
    }

    async fn verified_signal(
        &self,
        view: &RequestView<'_>,
        settings: &SignalSettings,
        raw: &SecretString,
        now: SystemTime,
    ) -> Result<VerifiedSecurityEvent, Unheard> {
        let token = UnverifiedSecurityEvent::parse(raw)?;
        let there = self.at_issuer(token.issuer()).ok_or(Unheard::UnknownIssuer)?;
        let mut issuers = there.registration.issuers.iter();
        let issuer = issuers.find(|known| known.names(token.issuer())).ok_or(Unheard::UnknownIssuer)?;
        let named = issuer.named().find(|named| *named == token.issuer()).ok_or(Unheard::UnknownIssuer)?;
        let rule = SecurityEventRule {
            issuer: named,
            client_id: there.registration.client_id_at(&issuer.issuer),
            algorithms: &issuer.algorithms,
            max_age: settings.max_age,
            skew: self.settings.skew,
        };
        let token = token.check(rule, now)?;
        // A key that nobody knows is looked for at the sender's expense: anybody may send such a token.
        let keys = there.provider.logout_keys(&issuer.issuer, token.kid(), view.client, now).await;
        let keys = keys.map_err(|error| Unheard::Unavailable(error.to_string()))?;
        Ok(token.verify(&keys)?)
    }

    /// Whether an authentication at `auth_time` is from before something that the issuer told us of the person.
    pub(super) async fn is_from_before(
        &self,
        issuer: &str,
        subject: &str,
        auth_time: Option<i64>,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        if self.settings.signals.is_none() {
            return Ok(false);
        }
        let persons = self.sealer.person_keys(issuer, subject);
        let since = anew::demanded(self.store, &persons, now).await?;
        Ok(since.is_some_and(|since| auth_time.is_none_or(|at| at < since)))
    }
}
