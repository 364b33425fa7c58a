//! The app asks: who is to be asked for what, and whether they may be asked now.

use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::desk::Desk;
use crate::approval::id::{ApprovalId, Bearer};
use crate::approval::quota::Busy;
use crate::approval::{Acknowledged, Approval, Found};
use crate::carrier::approval::request::{MAX_CONTEXT, MAX_LIFE, Question};
use crate::ground::time::{Timestamp, millis_of};
use crate::provider::{Carrier, ProviderError};
use crate::secret::random_text;
use crate::session::store::{Kind, Relation, StoreError};
use crate::snapshot::ClientRegistration;
use crate::telemetry::log::pseudonym;

/// Longest word of the app's own for an approval, in bytes.
const LONGEST_REFERENCE: usize = 255;

/// Most authentication contexts of one question.
const MOST_WORDS: usize = 8;

/// What the app asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The issuer of the person.
    pub issuer: String,
    /// Their subject there.
    pub subject: String,
    /// What they are shown.
    pub context: String,
    /// Contexts of which one must be reached; none: those of the provider's configuration.
    pub acr_values: Option<Vec<String>>,
    /// How long they have to answer; none: `approvals.ttl`.
    pub expires_in: Option<Duration>,
    /// The app's own word for it.
    pub reference: Option<String>,
    /// Where their browser goes on to, if they are asked there; `None`: on their phone.
    pub return_to: Option<String>,
}

/// Why nobody was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// What was asked for cannot be asked.
    #[error("{0}")]
    Malformed(&'static str),
    /// No provider of the configuration speaks for the issuer.
    #[error("the gateway trusts no issuer of this very name")]
    UnknownIssuer,
    /// The issuer, or what we have to show it, does not allow it.
    #[error("nobody of this issuer can be asked in this way: {0}")]
    Unsupported(&'static str),
    /// The person is not signed in here (RFC 10027).
    #[error("this person is not signed in; whoever is to be asked has a session first")]
    NotSignedIn,
    /// They must not be bothered now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// There is no such approval to ask for anew.
    #[error("there is no such approval")]
    Unknown,
    /// The carrier did not take the question.
    #[error("{0}")]
    Provider(ProviderError),
}

impl From<StoreError> for NotAsked {
    fn from(error: StoreError) -> Self {
        Self::Busy(Busy::Store(error))
    }
}

impl Asked {
    fn check(&self, longest: Duration) -> Result<(), NotAsked> {
        let fault = |text| Err(NotAsked::Malformed(text));
        let unseen =
            |letter: char| letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if self.context.trim().is_empty() || self.context.chars().count() > MAX_CONTEXT {
            return fault("context: expected 1 to 280 characters: what the person is shown");
        }
        if self.context.chars().any(unseen) {
            return fault("context: control characters would show the person something else than is meant");
        }
        let is_plain =
            |text: &str| !text.is_empty() && text.len() <= LONGEST_REFERENCE && !text.chars().any(char::is_control);
        if self.reference.as_deref().is_some_and(|reference| !is_plain(reference)) {
            return fault("reference: expected 1 to 255 bytes without control characters");
        }
        let is_word = |word: &String| is_plain(word) && !word.contains(' ');
        let sound = |words: &Vec<String>| (1..=MOST_WORDS).contains(&words.len()) && words.iter().all(is_word);
        if self.acr_values.as_ref().is_some_and(|words| !sound(words)) {
            return fault("acr_values: expected 1 to 8 words without spaces");
        }
        if self.expires_in.is_some_and(|life| life < Duration::from_secs(10) || life > longest) {
            return fault("expires_in: expected 10 seconds to 48 hours");
        }
        Ok(())
    }
}

impl Desk<'_> {
    /// Has somebody asked, for `by`.
    ///
    /// # Errors
    /// [`NotAsked`]; nothing is left of it, but for the person's turn if the carrier was reached.
    pub async fn begin(&self, asked: &Asked, by: &str, now: SystemTime) -> Result<(ApprovalId, Found), NotAsked> {
        let begun = self.begin_counted(asked, by, now).await;
        match &begun {
            Ok(_) => self.metrics.approvals.with_label_values(&["asked"]).inc(),
            Err(error) => {
                let outcome = match error {
                    NotAsked::Busy(busy) => busy.words().map_or("unavailable", |(word, _)| word),
                    NotAsked::NotSignedIn => "not_signed_in",
                    NotAsked::Provider(_) => "not_taken",
                    _ => "refused",
                };
                self.metrics.approvals.with_label_values(&[outcome]).inc();
                let subject = pseudonym(&asked.issuer, &asked.subject);
                warn!(subject, by, outcome, reason = %error, "Nobody was asked for an approval");
            }
        }
        begun
    }

    /// Asks once more for what `id` was asked for: a new question with an id, a bearer and a nonce of its own. The old one
    /// is over.
    ///
    /// # Errors
    /// As [`Desk::begin`].
    pub async fn again(&self, id: &ApprovalId, by: &str, now: SystemTime) -> Result<(ApprovalId, Found), NotAsked> {
        let found = self.cancel(id, now).await?.ok_or(NotAsked::Unknown)?;
        let Approval { carrier, subject, context, acr_values, reference, lasts, return_to, .. } = found.approval;
        let asked = Asked {
            issuer: carrier.issuer,
            subject,
            context,
            acr_values: (!acr_values.is_empty()).then_some(acr_values),
            expires_in: Some(Duration::from_millis(lasts)),
            reference,
            return_to,
        };
        self.begin(&asked, by, now).await
    }

    async fn begin_counted(&self, asked: &Asked, by: &str, now: SystemTime) -> Result<(ApprovalId, Found), NotAsked> {
        asked.check(MAX_LIFE)?;
        let (registration, carrier) = self.whom(asked, now).await?;
        if !self.is_signed_in(asked, now).await? {
            return Err(NotAsked::NotSignedIn);
        }
        let bearer = Bearer::draw(self.sessions.sealer(), self.sessions.entropy());
        let approval = self.question(asked, by, registration, carrier, now);
        let person = self.person(&asked.issuer, &asked.subject).ok_or(NotAsked::UnknownIssuer)?;
        if approval.is_in_browser() {
            person.take_in_browser(&self.settings.quota, now).await?;
            let (id, shelf) = (bearer.id(), self.shelf());
            shelf.prepare(id, &approval, now).await?;
            info!(issuer = asked.issuer, by, "Somebody may be asked for an approval in their browser");
            let found = shelf.look(id, now).await?.ok_or(NotAsked::Unknown)?;
            return Ok((id.clone(), found));
        }
        person.take(bearer.id(), approval.lasts(), &self.settings.quota, now).await?;
        let sent = self.send(&bearer, approval, registration, now).await;
        if sent.is_err() {
            // Their turn is used, but they are not being asked.
            if let Err(error) = person.release(bearer.id(), now).await {
                self.sessions.store_failed(&error, "that somebody is not asked after all");
            }
        }
        Ok((bearer.id().clone(), sent?))
    }

    /// The issuer of the person, if it can ask them.
    async fn whom(&self, asked: &Asked, now: SystemTime) -> Result<(&ClientRegistration, Carrier), NotAsked> {
        let registrations = &self.snapshot.settings().registrations;
        let registration = registrations.iter().find(|known| known.trusts(&asked.issuer));
        let registration = registration.ok_or(NotAsked::UnknownIssuer)?;
        let (registration, provider) = self.registration(&registration.id).ok_or(NotAsked::UnknownIssuer)?;
        if asked.return_to.is_some() {
            if !registration.profile.issues_id_tokens {
                return Err(NotAsked::Unsupported("it issues no ID tokens that could say that they agreed"));
            }
            let carrier = provider.carrier_of(&asked.issuer, now).await.map_err(NotAsked::Provider)?;
            return Ok((registration, carrier));
        }
        if !provider.can_ask(&asked.issuer) {
            let why = "it takes signed requests of servers (`client_keys` with a key for RS256), or none";
            return Err(NotAsked::Unsupported(why));
        }
        let carrier = provider.carrier_of(&asked.issuer, now).await.map_err(NotAsked::Provider)?;
        if carrier.server_initiated_endpoint.is_none() {
            return Err(NotAsked::Unsupported("its metadata names no endpoint for it"));
        }
        Ok((registration, carrier))
    }

    /// Whether some session of theirs is open. Whoever has none would be asked for something that nobody of theirs began.
    async fn is_signed_in(&self, asked: &Asked, now: SystemTime) -> Result<bool, StoreError> {
        let store = self.sessions.store();
        for set in self.sessions.sealer().person_keys(&asked.issuer, &asked.subject) {
            for session in store.members(Relation::Person, set, now).await? {
                if store.get(Kind::Session, session, now).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn question(
        &self,
        asked: &Asked,
        by: &str,
        registration: &ClientRegistration,
        carrier: Carrier,
        now: SystemTime,
    ) -> Approval {
        let entropy = self.sessions.entropy();
        let lasts = asked.expires_in.unwrap_or(self.settings.ttl);
        Approval {
            provider: registration.id.clone(),
            cancel: carrier.server_initiated_cancel_endpoint.clone(),
            carrier,
            client_id: registration.client_id.clone(),
            subject: asked.subject.clone(),
            acr_values: asked.acr_values.clone().unwrap_or_else(|| registration.acr_values.clone()),
            state: random_text::<16>(entropy),
            nonce: random_text::<32>(entropy),
            // 16 characters of the 8 to 16 that carriers take (dossier 20, row 17).
            correlation_id: correlation_id(&random_text::<12>(entropy)),
            context: asked.context.clone(),
            reference: asked.reference.clone(),
            by: by.to_owned(),
            sent: Self::stamp(now),
            lasts: millis_of(lasts),
            return_to: asked.return_to.clone(),
        }
    }

    /// Written down, sent, acknowledged.
    async fn send(
        &self,
        bearer: &Bearer,
        approval: Approval,
        registration: &ClientRegistration,
        now: SystemTime,
    ) -> Result<Found, NotAsked> {
        let (id, shelf) = (bearer.id(), self.shelf());
        let (_, provider) = self.registration(&registration.id).ok_or(NotAsked::UnknownIssuer)?;
        shelf.prepare(id, &approval, now).await?;
        let (redirect_uri, notification_uri) = (self.snapshot.redirect_uri(registration), self.notification_uri());
        let question = Question {
            client_id: &approval.client_id,
            issuer: &approval.carrier.issuer,
            redirect_uri: &redirect_uri,
            notification_uri: &notification_uri,
            bearer: bearer.text(),
            subject: &approval.subject,
            state: &approval.state,
            nonce: &approval.nonce,
            acr_values: &approval.acr_values,
            context: &approval.context,
            expires_in: approval.lasts(),
            correlation_id: &approval.correlation_id,
        };
        let taken = match provider.ask(&approval.carrier, &question, now).await {
            Ok(taken) => taken,
            Err(error) => {
                shelf.forget(id).await?;
                return Err(NotAsked::Provider(error));
            }
        };
        let until = Timestamp::of(now).plus(taken.expires_in.min(MAX_LIFE));
        let taken = Acknowledged { auth_req_id: taken.auth_req_id, until: until.as_millis() };
        shelf.acknowledge(id, &approval, &taken, now).await?;
        info!(issuer = %approval.carrier.issuer, by = approval.by, "Somebody is asked for an approval");
        // An answer may have come meanwhile, or somebody took the question back.
        let found = shelf.look(id, now).await?.ok_or(NotAsked::Unknown)?;
        if found.outcome.is_some() {
            self.withdraw(&found, now).await;
        }
        Ok(self.settle(id, found, now).await?)
    }

    /// Where carriers answer: to be registered with them.
    fn notification_uri(&self) -> String {
        let settings = self.snapshot.settings();
        format!("{}{}/approvals/notify", settings.public_url.origin().ascii_serialization(), settings.prefix)
    }
}

/// Letters and digits alone, of a random text in base64url.
fn correlation_id(random: &str) -> String {
    random.chars().map(|letter| if letter == '_' { '-' } else { letter }).collect()
}
