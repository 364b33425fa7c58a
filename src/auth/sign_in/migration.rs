//! Somebody signs in at a carrier and was somebody's customer before: their account follows them, if the old carrier vouches for
//! it (dossier 14) and the operator lets people move between these two.
//!
//! Nothing that goes wrong here keeps anybody from signing in: they are then somebody new to the app, and what was said of them
//! is in the log. Only a store that is away does, as it does everywhere.

use std::collections::BTreeSet;
use std::time::SystemTime;

use tracing::{info, warn};

use crate::account::Subject;
use crate::account::moves::{Former, Settled, Settlement};
use crate::account::person::StableSubject;
use crate::auth::SignIn;
use crate::auth::refusal::Refusal;
use crate::carrier::port_token::{PlausiblePortToken, PortTokenRule, presented};
use crate::oidc::id_token::VerifiedIdToken;
use crate::secret::SecretString;
use crate::session::Standing;
use crate::session::store::{Relation, StoreError};
use crate::telemetry::events::SecurityEvent;
use crate::telemetry::log::pseudonym;
use crate::web::RequestView;

/// What came of one port token.
enum Word {
    /// Who they were.
    Proven(Subject),
    /// It may be good; the keys to tell could not be had.
    Unproven,
    /// It says nothing.
    Ignored,
}

impl SignIn<'_> {
    /// What is known of the person that `token` names beside what it says; `None` where nobody is kept.
    pub(super) async fn standing(
        &self,
        view: &RequestView<'_>,
        token: &VerifiedIdToken,
        now: SystemTime,
    ) -> Result<Option<Standing>, Refusal> {
        let Some(linking) = self.linking.filter(|_| self.registration.lets_people_migrate()) else { return Ok(None) };
        // Whoever cannot be linked cannot be kept either.
        let Ok(subject) = Subject::parse(token.issuer(), token.subject()) else { return Ok(None) };
        let away = |error: StoreError| self.kept_nobody(view, &error);
        let known = linking.links().known(&subject, now).await.map_err(away)?;
        // Whoever is known by this very name needs no word of an earlier carrier (S14).
        let former = if known.is_some() { Former::default() } else { self.former(view, token, now).await };
        match linking.links().settle(&subject, &former, now).await {
            Ok(settlement) => Ok(Some(self.settled(view, &subject, settlement, now).await)),
            Err(StoreError::Full) => {
                self.count_migration("unavailable");
                let key = "accounts.max_links";
                warn!(
                    request_id = view.request_id,
                    key, "A person is not kept: there are as many as accounts.max_links allows"
                );
                Ok(Some(Standing::default()))
            }
            Err(error) => Err(away(error)),
        }
    }

    /// Who the person was, by every word that the token brings.
    async fn former(&self, view: &RequestView<'_>, token: &VerifiedIdToken, now: SystemTime) -> Former {
        let mut former = Former { subjects: BTreeSet::new(), unproven: false };
        let Some(member) = self.registration.issuers.iter().find(|member| member.names(token.issuer())) else {
            return former;
        };
        let Some(claim) = self.registration.profile.port_tokens.and_then(|name| token.member(name)) else {
            return former;
        };
        let rule = PortTokenRule {
            new_issuer: token.issuer(),
            old_issuers: &member.migrates_from,
            client_id: &self.registration.client_id,
            settings: &self.registration.port_tokens,
            skew: self.settings.skew,
        };
        let tokens = match presented(Some(claim), rule.settings) {
            Ok(tokens) => tokens,
            Err(reason) => {
                self.ignored(view, token.issuer(), &reason);
                return former;
            }
        };
        for raw in &tokens {
            match self.word(view, raw, rule, now).await {
                Word::Proven(subject) => former.subjects.extend([subject]),
                Word::Unproven => former.unproven = true,
                Word::Ignored => {}
            }
        }
        former
    }

    async fn word(&self, view: &RequestView<'_>, raw: &SecretString, rule: PortTokenRule<'_>, now: SystemTime) -> Word {
        let plausible = match PlausiblePortToken::check(raw, rule, now) {
            Ok(plausible) => plausible,
            Err(reason) => {
                self.ignored(view, rule.new_issuer, &reason);
                return Word::Ignored;
            }
        };
        let issuer = plausible.issuer();
        let keys = match self.provider.former_keys(issuer, plausible.kid(), view.client, now).await {
            Ok(keys) => keys,
            Err(error) => {
                warn!(
                    request_id = view.request_id,
                    issuer,
                    reason = %error,
                    "The keys of an earlier carrier could not be had: whether an account moves is left open"
                );
                return Word::Unproven;
            }
        };
        let former = plausible.verify(&keys).map(|former| Subject::parse(former.issuer(), former.subject()));
        match former {
            Ok(Ok(subject)) => Word::Proven(subject),
            Ok(Err(reason)) => {
                self.ignored(view, rule.new_issuer, &reason);
                Word::Ignored
            }
            Err(reason) => {
                self.ignored(view, rule.new_issuer, &reason);
                Word::Ignored
            }
        }
    }

    fn ignored(&self, view: &RequestView<'_>, issuer: &str, reason: &dyn std::fmt::Display) {
        self.count_migration("ignored");
        warn!(request_id = view.request_id, issuer, reason = %reason, "A port token says nothing");
    }

    /// Says what became of somebody, and ends what their old name had opened.
    async fn settled(
        &self,
        view: &RequestView<'_>,
        subject: &Subject,
        settlement: Settlement,
        now: SystemTime,
    ) -> Standing {
        let Settlement { settled, stable } = settlement;
        let stable = stable.as_ref().map(StableSubject::as_str).map(Into::into);
        let (outcome, previous) = match &settled {
            Settled::Known | Settled::New => return Standing { stable, ..Standing::default() },
            Settled::Moved(old) => ("moved", Some(old)),
            Settled::Ambiguous => ("ambiguous", None),
            Settled::Conflict => ("conflict", None),
            Settled::Unproven => ("unproven", None),
        };
        self.count_migration(outcome);
        let old = previous.map(|old| pseudonym(old.issuer(), old.subject()));
        SecurityEvent::Migration {
            request_id: view.request_id,
            outcome,
            issuer: subject.issuer(),
            subject: &pseudonym(subject.issuer(), subject.subject()),
            previous_issuer: previous.map(Subject::issuer),
            previous_subject: old.as_deref(),
        }
        .emit();
        if let Some(old) = previous {
            // Were it not done, whoever has the old phone would go on.
            if let Err(error) = self.end_sessions_of(old, now).await {
                warn!(request_id = view.request_id, reason = %error, "Sessions of somebody who moved may be open still");
            }
        }
        let previous = previous.map(|old| (old.issuer().into(), old.subject().into()));
        Standing { stable, previous, migration: Some(outcome.into()), sim: None }
    }

    async fn end_sessions_of(&self, subject: &Subject, now: SystemTime) -> Result<(), StoreError> {
        let sets = self.sealer.person_keys(subject.issuer(), subject.subject());
        let ended = self.sessions.end_listed(Relation::Person, &sets, now).await?;
        if ended.sessions > 0 {
            info!(sessions = ended.sessions, "Sessions of somebody who moved to another carrier have ended");
        }
        Ok(())
    }

    fn count_migration(&self, outcome: &'static str) {
        self.metrics.migrations.with_label_values(&[outcome]).inc();
    }

    fn kept_nobody(&self, view: &RequestView<'_>, error: &StoreError) -> Refusal {
        self.count_migration("unavailable");
        self.metrics.store_errors.inc();
        warn!(request_id = view.request_id, reason = %error, "It cannot be told who somebody was: the store did not answer");
        match error {
            StoreError::NotWritable(_) => Refusal::StoreNotWritable,
            _ => Refusal::StoreUnavailable,
        }
    }
}
