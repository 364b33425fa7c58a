//! The security event token (RFC 8417): an issuer says that something happened to a person of its own.
//!
//! Anybody may send one, so what costs nothing is judged first and the signature last, as with logout tokens: only a
//! [`VerifiedSecurityEvent`] has consequences.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::claims::{is_identifier, is_subject};
use super::jwks::KeySet;
use super::jwt::{JwtError, UnverifiedJwt};
use super::read::{WrongType, audiences, date, text, whole_seconds};
use crate::ground::time::Timestamp;
use crate::secret::SecretString;

/// Longest token that is looked at, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// Longest name of an event, in bytes.
const LONGEST_NAME: usize = 255;

/// Why a security event token has no consequence. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecurityEventError {
    /// `aud` does not hold our client id.
    #[error("the token is not for us")]
    AudienceMismatch,
    /// `events` does not hold one event.
    #[error("the token does not hold one event")]
    Events,
    /// `exp`, `sub` or `nonce` is there: it is a token of another kind, or could be taken for one (SSF 1.0, 4.1.4 and 4.1.5).
    #[error("the token has `{0}`, which a security event token has not")]
    Foreign(&'static str),
    /// `iss` is not the issuer that was expected.
    #[error("the token speaks for another issuer")]
    IssuerMismatch,
    /// Header, form or signature.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A required claim is not there: its name.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its `typ` is not `secevent+jwt`.
    #[error("the token is of another kind")]
    OtherKind,
    /// Older than it may be.
    #[error("the token was issued too long ago")]
    Stale,
    /// `sub_id` does not name a person of this issuer.
    #[error("`sub_id` is not `iss_sub` of the issuer itself, alone or as `user` of `complex`")]
    Subject,
    /// `jti` or `sub_id` is empty, too long or holds control characters.
    #[error("the claim `{0}` cannot name anything")]
    Unnameable(&'static str),
    /// A claim has another JSON type than it must have: its name.
    #[error("the claim `{0}` has the wrong type")]
    WrongType(&'static str),
}

impl From<WrongType> for SecurityEventError {
    fn from(WrongType(name): WrongType) -> Self {
        Self::WrongType(name)
    }
}

/// What a token must say. Everything comes from configuration.
#[derive(Debug, Clone, Copy)]
pub struct SecurityEventRule<'a> {
    /// Exact issuer.
    pub issuer: &'a str,
    /// Our client id there.
    pub client_id: &'a str,
    /// Names of the signature algorithms allowed for this issuer.
    pub algorithms: &'a [String],
    /// How old it may be.
    pub max_age: Duration,
    /// Allowed difference between the issuer's clock and ours.
    pub skew: Duration,
}

/// A token that is well-formed. Anybody may have written it.
#[derive(Debug)]
pub struct UnverifiedSecurityEvent {
    jwt: UnverifiedJwt,
    issuer: String,
    claims: Map<String, Value>,
}

/// A token that says all the right things. Anybody may have written it still.
#[derive(Debug)]
pub struct PlausibleSecurityEvent<'a> {
    jwt: UnverifiedJwt,
    rule: SecurityEventRule<'a>,
}

/// An issuer's word about a person of its own. Born in [`PlausibleSecurityEvent::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSecurityEvent {
    issuer: String,
    subject: String,
    session_id: Option<String>,
    event: String,
    token_id: String,
    issued_at: i64,
}

impl UnverifiedSecurityEvent {
    /// Takes a token apart. Nothing is decoded of one that is too long.
    pub fn parse(raw: &SecretString) -> Result<Self, SecurityEventError> {
        let jwt = UnverifiedJwt::parse(raw, MAX_BYTES)?;
        let claims = jwt.unproven_claims()?;
        let issuer = text(&claims, "iss")?.ok_or(SecurityEventError::Missing("iss"))?.to_owned();
        Ok(Self { jwt, issuer, claims })
    }

    /// Whose token it claims to be: for choosing the rule, and for nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks everything that needs no key.
    pub fn check(
        self,
        rule: SecurityEventRule<'_>,
        now: SystemTime,
    ) -> Result<PlausibleSecurityEvent<'_>, SecurityEventError> {
        // RFC 8417, 2.3: the kind must be said. An ID token of somebody's must never end their session.
        if self.jwt.typ() != Some("secevent+jwt") {
            return Err(SecurityEventError::OtherKind);
        }
        if self.issuer != rule.issuer {
            return Err(SecurityEventError::IssuerMismatch);
        }
        let audiences = audiences(&self.claims)?.ok_or(SecurityEventError::Missing("aud"))?;
        if !audiences.contains(&rule.client_id) {
            return Err(SecurityEventError::AudienceMismatch);
        }
        if let Some(foreign) = ["exp", "sub", "nonce"].into_iter().find(|name| self.claims.contains_key(*name)) {
            return Err(SecurityEventError::Foreign(foreign));
        }
        check_age(&self.claims, &rule, now)?;
        read(&self.claims, rule.issuer)?;
        Ok(PlausibleSecurityEvent { jwt: self.jwt, rule })
    }
}

impl PlausibleSecurityEvent<'_> {
    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Checks the signature: the last step, and the only one that is dear.
    pub fn verify(&self, keys: &KeySet) -> Result<VerifiedSecurityEvent, SecurityEventError> {
        let signed = self.jwt.verify(keys, self.rule.algorithms)?;
        read(signed.claims(), self.rule.issuer)
    }
}

impl VerifiedSecurityEvent {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Of whom it speaks.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Of which of their sessions it speaks, if of one alone (`sid`).
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The name of the event.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// `jti`: by this name a second use of the token is known.
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// `iat`, in seconds since 1970.
    pub fn issued_at(&self) -> i64 {
        self.issued_at
    }
}

fn check_age(
    claims: &Map<String, Value>,
    rule: &SecurityEventRule<'_>,
    now: SystemTime,
) -> Result<(), SecurityEventError> {
    let (now, skew) = (Timestamp::of(now).as_numeric_date(), whole_seconds(rule.skew));
    let issued = date(claims, "iat")?.ok_or(SecurityEventError::Missing("iat"))?;
    if issued.saturating_sub(now) > skew {
        return Err(SecurityEventError::NotYetValid);
    }
    if now.saturating_sub(issued) > whole_seconds(rule.max_age).saturating_add(skew) {
        return Err(SecurityEventError::Stale);
    }
    Ok(())
}

/// Everything that a token says.
fn read(claims: &Map<String, Value>, issuer: &str) -> Result<VerifiedSecurityEvent, SecurityEventError> {
    let token_id = text(claims, "jti")?.ok_or(SecurityEventError::Missing("jti"))?;
    if !is_identifier(token_id) {
        return Err(SecurityEventError::Unnameable("jti"));
    }
    // SSF 1.0, 4.1.6 of its interoperability profile: one event in a token.
    let Some(events) = claims.get("events") else { return Err(SecurityEventError::Missing("events")) };
    let events = events.as_object().ok_or(SecurityEventError::WrongType("events"))?;
    let mut names = events.iter();
    let (Some((event, Value::Object(_))), None) = (names.next(), names.next()) else {
        return Err(SecurityEventError::Events);
    };
    if event.is_empty() || event.len() > LONGEST_NAME {
        return Err(SecurityEventError::Events);
    }
    let Some(about) = claims.get("sub_id") else { return Err(SecurityEventError::Missing("sub_id")) };
    let (subject, session_id) = person(about, issuer)?;
    Ok(VerifiedSecurityEvent {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        session_id: session_id.map(str::to_owned),
        event: event.clone(),
        token_id: token_id.to_owned(),
        issued_at: date(claims, "iat")?.ok_or(SecurityEventError::Missing("iat"))?,
    })
}

/// Of whom, and of which of their sessions (RFC 9493, 3.2.3; SSF 1.0, 3.2). An issuer speaks for its own people and nobody else's.
fn person<'a>(about: &'a Value, issuer: &str) -> Result<(&'a str, Option<&'a str>), SecurityEventError> {
    let member = |of: &'a Value, name: &str| of.get(name).and_then(Value::as_str);
    let (user, session) = match member(about, "format") {
        Some("complex") => (about.get("user").ok_or(SecurityEventError::Subject)?, about.get("session")),
        _ => (about, None),
    };
    if member(user, "format") != Some("iss_sub") || member(user, "iss") != Some(issuer) {
        return Err(SecurityEventError::Subject);
    }
    let subject = member(user, "sub").ok_or(SecurityEventError::Subject)?;
    let session = match session {
        None => None,
        Some(session) if member(session, "format") == Some("opaque") => {
            Some(member(session, "id").ok_or(SecurityEventError::Subject)?)
        }
        // Which session is not understood: it must not become all of them, nor none.
        Some(_) => return Err(SecurityEventError::Subject),
    };
    if !is_subject(subject) || session.is_some_and(|session| !is_identifier(session)) {
        return Err(SecurityEventError::Unnameable("sub_id"));
    }
    Ok((subject, session))
}

#[cfg(test)]
mod tests;
