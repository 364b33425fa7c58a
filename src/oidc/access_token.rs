//! The access token as a bearer brings it (RFC 9068, RFC 6750): who calls, for which API, with which scopes.
//!
//! Strangers send these by the thousand, so refusing is cheap and comes first: length before any decoding, then the
//! header, then what the token says about itself, and the signature last. Each step is a type, and only the last one
//! names anybody: [`UnverifiedAccessToken`] is well-formed, [`PlausibleAccessToken`] would be good *if* its issuer
//! signed it, [`VerifiedAccessToken`] is signed.

mod explain;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

pub use self::explain::explain;
use super::acr::Vocabulary;
use super::claims::{Claims, Collector, Reading, is_subject};
use super::jwks::KeySet;
use super::jwt::UnverifiedJwt;
use super::read::{audiences, date, demanded_date, demanded_text, methods, whole_seconds};
use super::token_error::TokenError;
use crate::ground::time::Timestamp;
use crate::secret::SecretString;

/// Longest access token that any configuration lets be looked at, in bytes (K13).
pub const MAX_BYTES: usize = 256 * 1024;

/// Up to this length a token is read before its signature is checked, so that foreign and old ones cost no signature. Of a
/// longer one the signature comes first: a thousand claims cost more to read than a signature to check, anybody can write
/// them, and only failed signatures are counted against whoever sends them.
pub const READ_FIRST: usize = 4 * 1024;

/// Most scopes that are kept of one token.
const MAX_SCOPES: usize = 256;

/// Claims that belong to other kinds of token: an ID token (Core 2) or a logout token (Back-Channel Logout 2.4).
const OTHER_KINDS: [&str; 5] = ["at_hash", "c_hash", "events", "nonce", "s_hash"];

/// What an access token must say. Everything comes from configuration.
#[derive(Debug, Clone, Copy)]
pub struct AccessTokenRule<'a> {
    /// Exact issuer.
    pub issuer: &'a str,
    /// Names of our APIs: one of them must be in `aud`. If there are none, no token is for us.
    pub audiences: &'a [String],
    /// Audiences that may stand beside ours.
    pub trusted_audiences: &'a [String],
    /// Names of the signature algorithms allowed for this issuer; `none` and the HMAC family are refused even here.
    pub algorithms: &'a [String],
    /// Accept tokens that do not call themselves access tokens: no `typ`, or `JWT`. A `typ` of another kind is refused
    /// even so.
    pub accept_untyped: bool,
    /// What the issuer's words for authentication contexts mean.
    pub acr_vocabulary: Vocabulary,
    /// How far the issuer's clock may be ahead of ours. It never lengthens a token's life: see
    /// [`PlausibleAccessToken::expires`].
    pub skew: Duration,
}

/// A token of which only the header has been read.
#[derive(Debug)]
pub struct UnreadAccessToken {
    jwt: UnverifiedJwt,
    length: usize,
}

/// A token that is well-formed. Whatever it says, anybody may have written it.
#[derive(Debug)]
pub struct UnverifiedAccessToken {
    jwt: UnverifiedJwt,
    issuer: String,
    claims: Map<String, Value>,
}

/// A token that says all the right things. Anybody may have written it still.
#[derive(Debug)]
pub struct PlausibleAccessToken<'a> {
    jwt: UnverifiedJwt,
    rule: AccessTokenRule<'a>,
    expires: SystemTime,
}

/// A caller, as far as an issuer vouched for it to one of our APIs. Born in [`PlausibleAccessToken::verify`].
#[derive(Debug)]
pub struct VerifiedAccessToken {
    issuer: String,
    subject: String,
    acr: Option<String>,
    amr: Vec<String>,
    auth_time: Option<i64>,
    scopes: Vec<String>,
    members: Map<String, Value>,
    expires: SystemTime,
}

impl UnreadAccessToken {
    /// Takes a token apart and reads its header. Nothing is decoded of one that is too long.
    pub fn parse(raw: &SecretString) -> Result<Self, TokenError> {
        if raw.expose().len() > MAX_BYTES {
            return Err(TokenError::TooLarge);
        }
        Ok(Self { jwt: UnverifiedJwt::parse(raw, MAX_BYTES)?, length: raw.expose().len() })
    }

    /// Whether to read what it says may cost more than to check its signature: see [`READ_FIRST`].
    pub fn is_long(&self) -> bool {
        self.length > READ_FIRST
    }

    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Whether a key of `keys` has signed it by one of `algorithms`. Who has signed what for whom is not known by that:
    /// [`PlausibleAccessToken::verify`] says it, with the keys of the issuer that the token names.
    pub fn check_signature(&self, keys: &KeySet, algorithms: &[String]) -> Result<(), TokenError> {
        Ok(self.jwt.check_signature(keys, algorithms)?)
    }

    /// Reads what it says.
    pub fn read(self) -> Result<UnverifiedAccessToken, TokenError> {
        let claims = self.jwt.unproven_claims()?;
        let issuer = demanded_text(&claims, "iss")?.ok_or(TokenError::Missing("iss"))?.to_owned();
        Ok(UnverifiedAccessToken { jwt: self.jwt, issuer, claims })
    }
}

impl UnverifiedAccessToken {
    /// Takes a token apart and reads it: as [`UnreadAccessToken::parse`] and [`UnreadAccessToken::read`].
    pub fn parse(raw: &SecretString) -> Result<Self, TokenError> {
        UnreadAccessToken::parse(raw)?.read()
    }

    /// Who the token says it is from: for finding the rule to judge it by, and for nothing else.
    pub fn claimed_issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks everything that needs no key (RFC 9068, 4), so that forged, foreign and old tokens cost no signature.
    pub fn check(self, rule: AccessTokenRule<'_>, now: SystemTime) -> Result<PlausibleAccessToken<'_>, TokenError> {
        let claims = &self.claims;
        check_kind(self.jwt.typ(), claims, rule.accept_untyped)?;
        check_unbound(claims)?;
        if !self.jwt.algorithm().is_among(rule.algorithms) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        if self.issuer != rule.issuer {
            return Err(TokenError::IssuerMismatch);
        }
        check_audience(claims, &rule)?;
        let expires = check_times(claims, &rule, now)?;
        subject(claims)?;
        scopes(claims)?;
        Ok(PlausibleAccessToken { jwt: self.jwt, rule, expires })
    }
}

impl PlausibleAccessToken<'_> {
    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Checks the signature: the last step, and the only one that is dear.
    pub fn verify(&self, keys: &KeySet) -> Result<VerifiedAccessToken, TokenError> {
        let signed = self.jwt.verify(keys, self.rule.algorithms)?;
        let claims = signed.claims();
        let words = self.rule.acr_vocabulary;
        Ok(VerifiedAccessToken {
            issuer: self.rule.issuer.to_owned(),
            subject: subject(claims)?.to_owned(),
            acr: claims.get("acr").and_then(Value::as_str).and_then(|acr| words.normal(acr)),
            amr: methods(claims.get("amr")),
            auth_time: date(claims, "auth_time")?,
            scopes: scopes(claims)?,
            members: claims.clone(),
            expires: self.expires,
        })
    }
}

impl VerifiedAccessToken {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: a person, or the client itself when nobody stands behind it; unique only together with the issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `acr`, at a carrier ZenKey's `aalN` as `aN`.
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// `amr`, at most 16 methods.
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// `auth_time`, seconds since 1970.
    pub fn auth_time(&self) -> Option<i64> {
        self.auth_time
    }

    /// `scope` (RFC 9068, 2.2.3), or `scp` where an issuer calls it that.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Further claims worth passing on, in the bounds of [`Collector`], and the client that the token was given to.
    pub fn claims(&self, reading: Reading<'_>) -> Claims {
        let mut claims = Collector::new(reading);
        claims.take(&self.members, &[]);
        claims.take_client(&self.members);
        claims.finish()
    }

    /// When the token ends, by its own word; from that moment on it names nobody. No skew is added: the issuer's clock
    /// decides when a token begins, but a stolen one must not live a moment longer than its `exp`.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}

/// An access token calls itself one: `at+jwt` (RFC 9068, 2.1). If another kind of token of the same issuer passed,
/// whoever is shown an ID, logout or port token could call an API with it (RFC 8725, 3.11; K04). Where the operator
/// accepts untyped tokens, claims that only those kinds have give them away.
fn check_kind(typ: Option<&str>, claims: &Map<String, Value>, accept_untyped: bool) -> Result<(), TokenError> {
    match typ {
        Some("at+jwt") => Ok(()),
        None | Some("jwt" | "jose") if accept_untyped && !OTHER_KINDS.iter().any(|name| claims.contains_key(*name)) => {
            Ok(())
        }
        _ => Err(TokenError::OtherKind),
    }
}

/// A token that is bound to a key (`cnf`, RFC 7800) is worth something only beside a proof of that key: DPoP (RFC 9449)
/// or a client certificate (RFC 8705). No proof is looked at here, so the token is refused, whatever the binding's shape:
/// if it passed as a plain bearer, the thief against whom the issuer bound it could use it.
fn check_unbound(claims: &Map<String, Value>) -> Result<(), TokenError> {
    if claims.contains_key("cnf") { Err(TokenError::KeyBound) } else { Ok(()) }
}

/// One audience is ours, and none is a stranger: an API that is named beside ours holds the token too and could call us
/// with it.
fn check_audience(claims: &Map<String, Value>, rule: &AccessTokenRule<'_>) -> Result<(), TokenError> {
    let named = audiences(claims)?.ok_or(TokenError::Missing("aud"))?;
    let is_in = |list: &[String], audience: &str| list.iter().any(|listed| listed == audience);
    let ours = named.iter().any(|audience| is_in(rule.audiences, audience));
    let known = |audience: &&str| is_in(rule.audiences, audience) || is_in(rule.trusted_audiences, audience);
    if ours && named.iter().all(known) { Ok(()) } else { Err(TokenError::AudienceMismatch) }
}

/// Returns when the token ends. A token that never ends is refused (K06).
fn check_times(
    claims: &Map<String, Value>,
    rule: &AccessTokenRule<'_>,
    now: SystemTime,
) -> Result<SystemTime, TokenError> {
    let (now, skew) = (Timestamp::of(now).as_numeric_date(), whole_seconds(rule.skew));
    let expires = demanded_date(claims, "exp")?.ok_or(TokenError::Missing("exp"))?;
    let issued = demanded_date(claims, "iat")?.ok_or(TokenError::Missing("iat"))?;
    let from = date(claims, "nbf")?;
    date(claims, "auth_time")?;
    if expires <= now {
        return Err(TokenError::Expired);
    }
    if issued.saturating_sub(now) > skew || from.is_some_and(|from| from.saturating_sub(now) > skew) {
        return Err(TokenError::NotYetValid);
    }
    // Whoever means "for ever" gets as far as a clock can tell.
    let until = u64::try_from(expires).ok().and_then(|expires| UNIX_EPOCH.checked_add(Duration::from_secs(expires)));
    until.ok_or(TokenError::WrongType("exp"))
}

fn subject(claims: &Map<String, Value>) -> Result<&str, TokenError> {
    let subject = demanded_text(claims, "sub")?.ok_or(TokenError::Missing("sub"))?;
    if is_subject(subject) { Ok(subject) } else { Err(TokenError::SubjectInvalid) }
}

/// A text of words with spaces between them, or a list of words. Without the claim there are none.
fn scopes(claims: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let name = if claims.contains_key("scope") { "scope" } else { "scp" };
    let words: Vec<&str> = match claims.get(name) {
        None => Vec::new(),
        Some(Value::String(text)) => text.split(' ').collect(),
        Some(Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenError::WrongType("scope"))?
        }
        Some(_) => return Err(TokenError::WrongType("scope")),
    };
    Ok(words.into_iter().filter(|word| !word.is_empty()).take(MAX_SCOPES).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
