//! Port tokens (dossier 14): an earlier carrier's word for who a person was there, which the new one repeats in its ID token.
//!
//! A port token proves that the old carrier vouched for that person to us, once. It has no `exp`, no `nonce` and no `jti`, and
//! nothing in it names the person at the new carrier: that it is theirs, only the ID token around it says. So it counts for
//! pairs of new and old carrier that the operator wrote down, and for nothing but an account that was there before.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::ground::time::Timestamp;
use crate::oidc::jwks::KeySet;
use crate::oidc::jwt::{JwtError, UnverifiedJwt};
use crate::oidc::read::{WrongType, audiences, demanded_date, demanded_text, whole_seconds};
use crate::secret::SecretString;

/// Most bytes of a subject (Core, 2).
const LONGEST_SUBJECT: usize = 255;

/// The member that holds the token where it stands in an object.
const MEMBER: &str = "port_token";

/// Why a port token says nothing. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortTokenError {
    /// It is not for our client, nor for one that the operator calls a sibling.
    #[error("the port token is for another client")]
    AudienceMismatch,
    /// Its issuer is none whose people the carrier of the ID token may bring along.
    #[error("the port token's issuer is not in `migrates_from` of the carrier that brought it")]
    IssuerNotListed,
    /// Header, form or signature.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// `kid` is missing, or has another form than those of carriers' slow keys.
    #[error("the port token's `kid` is not of the form `ccid-…`")]
    KeyName,
    /// A required claim is not there: its name.
    #[error("the port token has no `{0}`")]
    Missing(&'static str),
    /// `iat` lies in the future.
    #[error("the port token was issued in the future")]
    NotYetValid,
    /// `typ` is missing, or another.
    #[error("the token is of another kind than `port_token+jwt`")]
    OtherKind,
    /// It is the word of the carrier that issued the ID token.
    #[error("the port token is from the carrier that issued the ID token (see the key port_tokens.allow_same_issuer)")]
    SameIssuer,
    /// Neither texts, nor objects that hold one.
    #[error("what stands in place of port tokens is none")]
    Shape,
    /// Older than the operator lets it be.
    #[error("the port token was issued too long ago")]
    Stale,
    /// `sub` is empty, too long, or not visible ASCII without `|`.
    #[error("the port token's subject is not usable")]
    SubjectInvalid,
    /// More, or longer ones, than the operator takes.
    #[error(
        "there are more port tokens than port_tokens.max_tokens allows, or they are longer than port_tokens.max_bytes"
    )]
    TooMany,
    /// A claim has another JSON type than it must have: its name.
    #[error("the claim `{0}` of the port token has the wrong type")]
    WrongType(&'static str),
}

impl From<WrongType> for PortTokenError {
    fn from(WrongType(name): WrongType) -> Self {
        Self::WrongType(name)
    }
}

/// What the operator says about port tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortTokenSettings {
    /// A token counts for so long after it was issued. Default 360 days: 180 to move the account, and 180 in which the new
    /// carrier repeats it.
    pub max_age: Duration,
    /// Client ids beside our own that a token may be for: those of the same sector.
    pub sibling_clients: Vec<String>,
    /// Whether a `kid` of any form is taken. Default no.
    pub any_key_name: bool,
    /// Whether a carrier may say that somebody was somebody else of its own before, where that pair is written down too.
    /// Default no: whoever can have it say so takes over an account without any other carrier's word.
    pub allow_same_issuer: bool,
    /// Most port tokens of one ID token; with more, none counts. Default 8.
    pub max_tokens: usize,
    /// Most bytes that they may have together; with more, none counts. Default 8 KiB.
    pub max_bytes: usize,
}

impl Default for PortTokenSettings {
    fn default() -> Self {
        let max_age = Duration::from_secs(360 * 24 * 60 * 60);
        Self {
            max_age,
            sibling_clients: Vec::new(),
            any_key_name: false,
            allow_same_issuer: false,
            max_tokens: 8,
            max_bytes: 8 * 1024,
        }
    }
}

/// What a port token must say. Everything comes from configuration and from a verified ID token.
#[derive(Debug, Clone, Copy)]
pub struct PortTokenRule<'a> {
    /// `iss` of the ID token that brought it.
    pub new_issuer: &'a str,
    /// The issuers whose people that one may bring along, exact.
    pub old_issuers: &'a [String],
    /// Our client id.
    pub client_id: &'a str,
    /// What the operator says.
    pub settings: &'a PortTokenSettings,
    /// Allowed difference between the issuer's clock and ours.
    pub skew: Duration,
}

/// The tokens that stand in the claim of an ID token: a list, one text, or an object with `port_token` (dossier 23: the exact
/// shape was never published).
///
/// # Errors
/// If there is anything else, or more than `settings` take. Then none counts.
pub fn presented(claim: Option<&Value>, settings: &PortTokenSettings) -> Result<Vec<SecretString>, PortTokenError> {
    let mut texts = Vec::new();
    match claim {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) if items.len() > settings.max_tokens => return Err(PortTokenError::TooMany),
        Some(Value::Array(items)) => {
            for item in items {
                texts.push(one(item)?);
            }
        }
        Some(Value::Object(object)) => match object.get(MEMBER) {
            Some(several @ Value::Array(_)) => return presented(Some(several), settings),
            Some(Value::String(text)) => texts.push(text),
            _ => return Err(PortTokenError::Shape),
        },
        Some(text) => texts.push(one(text)?),
    }
    if texts.iter().map(|text| text.len()).sum::<usize>() > settings.max_bytes {
        return Err(PortTokenError::TooMany);
    }
    Ok(texts.into_iter().map(SecretString::new).collect())
}

fn one(item: &Value) -> Result<&String, PortTokenError> {
    match item {
        Value::String(text) => Ok(text),
        Value::Object(object) => match object.get(MEMBER) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(PortTokenError::Shape),
        },
        _ => Err(PortTokenError::Shape),
    }
}

/// A port token that says all the right things. Anybody may have written it still.
#[derive(Debug)]
pub struct PlausiblePortToken {
    jwt: UnverifiedJwt,
    issuer: String,
    subject: String,
}

/// Who somebody was at an earlier carrier, by that carrier's word. Born in [`PlausiblePortToken::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerSubject {
    issuer: String,
    subject: String,
}

impl PlausiblePortToken {
    /// Takes a token apart and checks everything that needs no key. Of an issuer that is not listed nothing is ever asked (S06).
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(raw: &SecretString, rule: PortTokenRule<'_>, now: SystemTime) -> Result<Self, PortTokenError> {
        let jwt = UnverifiedJwt::parse(raw, rule.settings.max_bytes)?;
        if jwt.typ() != Some("port_token+jwt") {
            return Err(PortTokenError::OtherKind);
        }
        if jwt.algorithm().as_str() != "RS256" {
            return Err(JwtError::AlgorithmNotAllowed.into());
        }
        let kid = jwt.kid().ok_or(PortTokenError::KeyName)?;
        if !rule.settings.any_key_name && !is_slow_key(kid) {
            return Err(PortTokenError::KeyName);
        }
        let claims = jwt.unproven_claims()?;
        let issuer = required(&claims, "iss")?;
        if issuer == rule.new_issuer && !rule.settings.allow_same_issuer {
            return Err(PortTokenError::SameIssuer);
        }
        if !rule.old_issuers.iter().any(|listed| listed == issuer) {
            return Err(PortTokenError::IssuerNotListed);
        }
        check_audience(&claims, rule)?;
        check_age(&claims, rule, now)?;
        let subject = required(&claims, "sub")?;
        // It may stand in a header, and beside others in a line of the log.
        let is_plain = subject.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|');
        if !(1..=LONGEST_SUBJECT).contains(&subject.len()) || !is_plain {
            return Err(PortTokenError::SubjectInvalid);
        }
        Ok(Self { issuer: issuer.to_owned(), subject: subject.to_owned(), jwt })
    }

    /// Whose word it claims to be: for choosing the keys, and for nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `kid` of the header.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Checks the signature with the old carrier's `keys`.
    ///
    /// # Errors
    /// It is none of them that signed.
    pub fn verify(&self, keys: &KeySet) -> Result<FormerSubject, PortTokenError> {
        // A key without a name is no answer to a token that names one.
        if !self.kid().is_some_and(|kid| keys.names(kid)) {
            return Err(JwtError::UnknownKey.into());
        }
        self.jwt.check_signature(keys, &["RS256".to_owned()])?;
        Ok(FormerSubject { issuer: self.issuer.clone(), subject: self.subject.clone() })
    }
}

impl FormerSubject {
    /// The old carrier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// By which name it knew the person. One sample calls it the new one, which would be of no use (dossier 20, rows 19 to 21).
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// `^ccid-([a-zA-Z0-9]){1,128}$`: the key with which a carrier signs port tokens, and which it keeps for as long as they live.
fn is_slow_key(kid: &str) -> bool {
    kid.strip_prefix("ccid-")
        .is_some_and(|rest| (1..=128).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Every audience is our client or a sibling of it, and there is one.
fn check_audience(claims: &Map<String, Value>, rule: PortTokenRule<'_>) -> Result<(), PortTokenError> {
    let audiences = audiences(claims)?.ok_or(PortTokenError::Missing("aud"))?;
    let is_ours = |audience: &&str| {
        *audience == rule.client_id || rule.settings.sibling_clients.iter().any(|sibling| sibling == audience)
    };
    if audiences.is_empty() || !audiences.iter().all(is_ours) {
        return Err(PortTokenError::AudienceMismatch);
    }
    Ok(())
}

fn check_age(claims: &Map<String, Value>, rule: PortTokenRule<'_>, now: SystemTime) -> Result<(), PortTokenError> {
    let issued = demanded_date(claims, "iat")?.ok_or(PortTokenError::Missing("iat"))?;
    let (now, skew) = (Timestamp::of(now).as_numeric_date(), whole_seconds(rule.skew));
    if issued.saturating_sub(now) > skew {
        return Err(PortTokenError::NotYetValid);
    }
    if now.saturating_sub(issued) > whole_seconds(rule.settings.max_age).saturating_add(skew) {
        return Err(PortTokenError::Stale);
    }
    Ok(())
}

fn required<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, PortTokenError> {
    demanded_text(claims, name)?.ok_or(PortTokenError::Missing(name))
}

#[cfg(test)]
mod tests;
