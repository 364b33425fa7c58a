//! Whether the tokens of a notification say that this person agreed to this thing now.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{Approval, Outcome};
use crate::ground::time::Timestamp;
use crate::oidc::TokenError;
use crate::oidc::acr::Vocabulary;
use crate::oidc::id_token::{Expectation, UnverifiedIdToken, VerifiedIdToken};
use crate::oidc::jwks::KeySet;
use crate::provider::{IssuerSettings, Provider, ProviderError};
use crate::secret::SecretString;

/// What an answer is held to. All of it is configuration or was frozen when the question left.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// Where keys come from.
    pub provider: &'a dyn Provider,
    /// What the operator says of the issuer.
    pub trusted: &'a IssuerSettings,
    /// What the issuer's words for authentication contexts mean.
    pub words: Vocabulary,
    /// Longest ID token that is looked at.
    pub longest: usize,
    /// Allowed difference between clocks.
    pub skew: Duration,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The ID token breaks a rule.
    #[error("{0}")]
    Token(TokenError),
    /// The ID token was made before the question left.
    #[error("the token is older than the question")]
    Older,
    /// Somebody else answered (CR-S11).
    #[error("somebody else answered")]
    OtherPerson,
    /// The person was shown something else than was asked.
    #[error("the person was shown another text")]
    OtherContext,
    /// The keys cannot be had now: nothing is decided.
    #[error("the issuer's keys cannot be had: {0}")]
    NoKeys(ProviderError),
}

impl Doubt {
    /// The word under which the approval ends; `None` while nothing is decided.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::NoKeys(_) => None,
            Self::Token(TokenError::AcrNotMet) => Some("acr_unmet"),
            Self::OtherPerson => Some("other_person"),
            Self::Token(_) | Self::Older | Self::OtherContext => Some("provider_invalid"),
        }
    }
}

impl Judge<'_> {
    /// Checks the answer to `approval` as a sign-in's ID token is checked, and that it is this person's to this question.
    pub async fn judge(
        &self,
        approval: &Approval,
        id_token: &SecretString,
        access_token: Option<&SecretString>,
        now: SystemTime,
    ) -> Result<Outcome, Doubt> {
        let expect = Expectation {
            issuer: &approval.carrier.issuer,
            tenants: &self.trusted.tenants,
            client_id: &approval.client_id,
            nonce: &approval.nonce,
            algorithms: &self.trusted.algorithms,
            acr_values: &approval.acr_values,
            acr_vocabulary: self.words,
            require_acr: true,
            skew: self.skew,
            max_age: None,
            accept_at_jwt_typ: self.trusted.accept_at_jwt_typ,
            access_token,
            trusted_audiences: &self.trusted.trusted_audiences,
        };
        let verified = self.verified(approval, id_token, &expect, now).await?;
        let (sent, skew) = (approval.sent().as_numeric_date(), i64::try_from(self.skew.as_secs()).unwrap_or(i64::MAX));
        if verified.issued_at().is_none_or(|issued| issued.saturating_add(skew) < sent) {
            return Err(Doubt::Older);
        }
        if verified.subject() != approval.subject {
            return Err(Doubt::OtherPerson);
        }
        if verified.shown_context().is_some_and(|shown| !is_of(shown, &approval.context)) {
            return Err(Doubt::OtherContext);
        }
        Ok(Outcome::Approved {
            acr: verified.acr().map(str::to_owned),
            amr: verified.amr().to_vec(),
            auth_time: verified.auth_time(),
            at: Timestamp::of(now).as_millis(),
        })
    }

    async fn verified(
        &self,
        approval: &Approval,
        raw: &SecretString,
        expect: &Expectation<'_>,
        now: SystemTime,
    ) -> Result<VerifiedIdToken, Doubt> {
        let parse = || UnverifiedIdToken::parse(raw, self.longest).map_err(Doubt::Token);
        let token = parse()?;
        let keys = self.provider.keys(&approval.carrier, token.kid(), now).await.map_err(Doubt::NoKeys)?;
        match token.verify(&keys, expect, now) {
            // As for a sign-in: only the signature shows that keys were rotated under one `kid`, or none (E02).
            Err(error @ (TokenError::SignatureInvalid | TokenError::UnknownKey)) => {
                let newer: Arc<KeySet> =
                    self.provider.keys_after_rotation(&approval.carrier, now).await.map_err(Doubt::NoKeys)?;
                if Arc::ptr_eq(&keys, &newer) {
                    return Err(Doubt::Token(error));
                }
                parse()?.verify(&newer, expect, now).map_err(Doubt::Token)
            }
            verified => verified.map_err(Doubt::Token),
        }
    }
}

/// Whether a carrier that says it showed `shown` can have shown `asked`: all of it, or its beginning (dossier 11.2), perhaps in
/// base64 as some echo it (dossier 20, row 15). The beginning must be more than a word: a text that everything begins with
/// binds nothing.
fn is_of(shown: &str, asked: &str) -> bool {
    let trimmed = |text: &str| text.trim().trim_end_matches(['…', '.']).trim_end().to_owned();
    let is_beginning = |shown: &str| {
        let (shown, asked) = (trimmed(shown), trimmed(asked));
        let enough = shown.chars().count() >= 16.min(asked.chars().count());
        enough && asked.starts_with(&shown)
    };
    let decoded = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD].into_iter().filter_map(|engine| {
        let bytes = engine.decode(shown).ok()?;
        String::from_utf8(bytes).ok()
    });
    is_beginning(shown) || decoded.into_iter().any(|text| is_beginning(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_what_was_asked_or_the_beginning_of_it() {
        let asked = "Pay 70 EUR to Harbour Books for order 17";
        let encoded = STANDARD.encode(asked);
        for shown in [asked, "Pay 70 EUR to Harbour", "Pay 70 EUR to Harbour…", "Pay 70 EUR to Harbour...", &encoded]
        {
            assert!(is_of(shown, asked), "{shown}");
        }
        for shown in ["", "P", "Pay", "Pay 7 EUR to Harbour Books for order 17", "pay 70 EUR to Harbour Books", "…"] {
            assert!(!is_of(shown, asked), "{shown}");
        }
        assert!(is_of("Sign", "Sign"), "a short text is shown whole");
    }
}
