//! The ID token (OpenID Connect Core 2 and 3.1.3.7): the one place where a stranger becomes a named person.
//!
//! There is one way from [`UnverifiedIdToken`] to [`VerifiedIdToken`], and every rule lies on it. A claim of the wrong
//! JSON type is a broken claim, never an absent one: libraries that took it for absent let expired tokens pass
//! (CVE-2026-25537).

mod explain;

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

pub use explain::explain;

use super::acr::Vocabulary;
use super::claims::{Claims, Collector, Reading, is_identifier, is_subject};
use super::jwks::KeySet;
use super::jwt::{SignedClaims, UnverifiedJwt};
use super::read::{audiences, date, demanded_date, demanded_text, methods, text, whole_seconds};
use super::tenants::Tenants;
use super::token_error::TokenError;
use crate::ground::time::Timestamp;
use crate::secret::{SecretString, constant_time_eq};

/// An ID token older than this is refused, whatever its `exp` says (dossier 11.3): ours was made moments ago.
const MAX_AGE_OF_TOKEN: i64 = 10 * 60;

/// What the ID token must say. Everything comes from configuration and from the sign-in attempt, nothing from the
/// token.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// Exact issuer, frozen when the browser was sent away.
    pub issuer: &'a str,
    /// Where that issuer speaks for many tenants: those whose tokens count, each by its own `iss`.
    pub tenants: &'a Tenants,
    /// Our client id: must be in `aud`.
    pub client_id: &'a str,
    /// The nonce of this sign-in; never empty.
    pub nonce: &'a str,
    /// Names of the signature algorithms allowed for this issuer; `none` and the HMAC family are refused even here.
    pub algorithms: &'a [String],
    /// Authentication contexts that were asked for, `aN`.
    pub acr_values: &'a [String],
    /// What the issuer's words for authentication contexts mean.
    pub acr_vocabulary: Vocabulary,
    /// Whether the token must have reached one of `acr_values`; without effect if none was asked for.
    pub require_acr: bool,
    /// Allowed difference between the issuer's clock and ours. Default 60 s.
    pub skew: Duration,
    /// Longest time since the person authenticated, if that was asked for; then `auth_time` is required.
    pub max_age: Option<Duration>,
    /// Accept `typ: at+jwt` (one recorded ZenKey sample carries it).
    pub accept_at_jwt_typ: bool,
    /// The access token that came along: compared with `at_hash` if the token has one.
    pub access_token: Option<&'a SecretString>,
    /// Audiences that may stand beside our client id.
    pub trusted_audiences: &'a [String],
}

/// An ID token as it came from a token endpoint. It names nobody yet.
#[derive(Debug)]
pub struct UnverifiedIdToken(UnverifiedJwt);

/// A person, as far as an issuer vouched for it to us, now, in this sign-in. Born in [`UnverifiedIdToken::verify`].
#[derive(Debug)]
pub struct VerifiedIdToken {
    issuer: String,
    subject: String,
    acr: Option<String>,
    amr: Vec<String>,
    auth_time: Option<i64>,
    session_id: Option<String>,
    members: Map<String, Value>,
}

impl UnverifiedIdToken {
    /// Reads the header, so that the caller can see to it that the key set has the key. Nothing is decoded of a token of
    /// more than `longest` bytes.
    pub fn parse(raw: &SecretString, longest: usize) -> Result<Self, TokenError> {
        Ok(Self(UnverifiedJwt::parse(raw, longest)?))
    }

    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Checks every rule of Core 3.1.3.7 and of the dossier's strict column (11.3), signature first.
    ///
    /// [`TokenError::AcrNotMet`] comes last: it says that everything else was in order.
    pub fn verify(
        self,
        keys: &KeySet,
        expect: &Expectation<'_>,
        now: SystemTime,
    ) -> Result<VerifiedIdToken, TokenError> {
        self.verify_by(keys, expect, now, |claims| check_nonce(claims, expect.nonce))
    }

    /// As [`UnverifiedIdToken::verify`], for a token that came with a refresh (Core 12.2): it should have no nonce, and what
    /// ties it to the person is that they are asked about by a token which only we hold. Whose it is, the caller compares.
    pub fn verify_refreshed(
        self,
        keys: &KeySet,
        expect: &Expectation<'_>,
        now: SystemTime,
    ) -> Result<VerifiedIdToken, TokenError> {
        self.verify_by(keys, expect, now, |_| Ok(()))
    }

    fn verify_by(
        self,
        keys: &KeySet,
        expect: &Expectation<'_>,
        now: SystemTime,
        check_nonce: impl FnOnce(&Map<String, Value>) -> Result<(), TokenError>,
    ) -> Result<VerifiedIdToken, TokenError> {
        check_typ(self.0.typ(), expect.accept_at_jwt_typ)?;
        let signed = self.0.verify(keys, expect.algorithms)?;
        let claims = signed.claims();
        let issuer = issuer(claims, expect)?;
        check_audience(claims, expect)?;
        check_times(claims, expect, now)?;
        check_nonce(claims)?;
        check_access_token(&signed, expect.access_token)?;
        let subject = required_text(claims, "sub")?;
        if !is_subject(subject) {
            return Err(TokenError::SubjectInvalid);
        }
        let auth_time = check_auth_time(claims, expect, now)?;
        let words = expect.acr_vocabulary;
        let acr = claims.get("acr").and_then(Value::as_str).and_then(|acr| words.normal(acr));
        let wanted = |reached: &String| {
            expect.acr_values.iter().filter_map(|asked| words.normal(asked)).any(|asked| words.is_met(reached, &asked))
        };
        if expect.require_acr && !expect.acr_values.is_empty() && !acr.as_ref().is_some_and(wanted) {
            return Err(TokenError::AcrNotMet);
        }
        Ok(VerifiedIdToken {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            acr,
            amr: methods(claims.get("amr")),
            auth_time,
            session_id: claims.get("sid").and_then(Value::as_str).filter(|sid| is_identifier(sid)).map(str::to_owned),
            members: claims.clone(),
        })
    }
}

impl VerifiedIdToken {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: 1 to 255 bytes without control characters, unique only together with the issuer (Core 5.7).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `acr`, at a carrier ZenKey's `aalN` as `aN`; `None` if absent or, there, one of the withdrawn `loaN` (dossier 20,
    /// row 10).
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

    /// `iat`, seconds since 1970. It was judged with the rest.
    pub fn issued_at(&self) -> Option<i64> {
        demanded_date(&self.members, "iat").ok().flatten()
    }

    /// `context`: what the carrier says that the person was shown, if it says so (dossier 11.2).
    pub fn shown_context(&self) -> Option<&str> {
        self.members.get("context").and_then(Value::as_str)
    }

    /// `sid`: the session at the issuer, by the name under which the issuer may end it (Front-Channel Logout 1.0, 3); 1 to
    /// 255 bytes without control characters. One of another form is none: nothing is named by it.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// A claim with a meaning of its own to whoever issued the token, as it stands there. It is no attribute of the person.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Further claims worth passing on, in the bounds of [`Collector`]; no protocol claims.
    pub fn claims(&self, reading: Reading<'_>) -> Claims {
        let mut claims = Collector::new(reading);
        claims.take(&self.members, &[]);
        claims.finish()
    }
}

/// An ID token has no `typ`, or `JWT`, or `JOSE`, which says no more than that it is compact (RFC 7515, 4.1.9); every other kind of token names itself (RFC 8725, 3.11). If logout, port or
/// access tokens passed, whoever may obtain one of those could sign in with it.
fn check_typ(typ: Option<&str>, accept_at_jwt: bool) -> Result<(), TokenError> {
    match typ {
        None | Some("jwt" | "jose") => Ok(()),
        Some("at+jwt") if accept_at_jwt => Ok(()),
        Some(_) => Err(TokenError::OtherKind),
    }
}

/// Core 3.1.3.7, 2: `iss` is exactly the issuer, or that of the listed tenant which `tid` names.
fn issuer<'a>(claims: &'a Map<String, Value>, expect: &Expectation<'_>) -> Result<&'a str, TokenError> {
    let said = required_text(claims, "iss")?;
    let is_right = match expect.tenants.is_none() {
        true => said == expect.issuer,
        false => expect.tenants.admit(said, required_text(claims, "tid")?),
    };
    if is_right { Ok(said) } else { Err(TokenError::IssuerMismatch) }
}

/// Core 3.1.3.7, 3 to 5: we are an audience, every other one is listed by the operator, and the token was issued to us if it
/// says to whom. An audience that nobody listed could be a client whose tokens are used to sign in here.
fn check_audience(claims: &Map<String, Value>, expect: &Expectation<'_>) -> Result<(), TokenError> {
    let audiences = audiences(claims)?.ok_or(TokenError::Missing("aud"))?;
    let others = || audiences.iter().filter(|audience| **audience != expect.client_id);
    if !audiences.contains(&expect.client_id)
        || others().any(|other| !expect.trusted_audiences.iter().any(|trusted| trusted == other))
    {
        return Err(TokenError::AudienceMismatch);
    }
    match text(claims, "azp")? {
        Some(party) if party != expect.client_id => Err(TokenError::AuthorizedPartyMismatch),
        _ => Ok(()),
    }
}

fn check_times(claims: &Map<String, Value>, expect: &Expectation<'_>, now: SystemTime) -> Result<(), TokenError> {
    let (now, skew) = (Timestamp::of(now).as_numeric_date(), whole_seconds(expect.skew));
    let expires = demanded_date(claims, "exp")?.ok_or(TokenError::Missing("exp"))?;
    let issued = demanded_date(claims, "iat")?.ok_or(TokenError::Missing("iat"))?;
    if now.saturating_sub(expires) > skew {
        return Err(TokenError::Expired);
    }
    if issued.saturating_sub(now) > skew || date(claims, "nbf")?.is_some_and(|from| from.saturating_sub(now) > skew) {
        return Err(TokenError::NotYetValid);
    }
    if now.saturating_sub(issued) > MAX_AGE_OF_TOKEN {
        return Err(TokenError::Stale);
    }
    Ok(())
}

/// The nonce ties the token to the browser that began the sign-in (Core 3.1.3.7, 11). An expectation without one is
/// refused too: samples that "had none to compare" let stolen tokens in (dossier 19, rows 4 and 5).
fn check_nonce(claims: &Map<String, Value>, expected: &str) -> Result<(), TokenError> {
    let nonce = required_text(claims, "nonce")?;
    if expected.is_empty() || !constant_time_eq(nonce.as_bytes(), expected.as_bytes()) {
        return Err(TokenError::NonceMismatch);
    }
    Ok(())
}

fn check_access_token(signed: &SignedClaims, access_token: Option<&SecretString>) -> Result<(), TokenError> {
    let claimed = text(signed.claims(), "at_hash")?;
    let (Some(claimed), Some(token)) = (claimed, access_token) else {
        return Ok(());
    };
    let fits = |ours: String| constant_time_eq(ours.as_bytes(), claimed.as_bytes());
    if signed.algorithm().left_half_hashes(token.expose()).any(fits) {
        Ok(())
    } else {
        Err(TokenError::AccessTokenMismatch)
    }
}

fn check_auth_time(
    claims: &Map<String, Value>,
    expect: &Expectation<'_>,
    now: SystemTime,
) -> Result<Option<i64>, TokenError> {
    let auth_time = date(claims, "auth_time");
    // A time that nobody asked for and that is none says nothing: it is as good as absent, and no app is told it.
    let auth_time = if expect.max_age.is_none() { auth_time.unwrap_or_default() } else { auth_time? };
    if let Some(max_age) = expect.max_age {
        let skew = whole_seconds(expect.skew);
        let age =
            Timestamp::of(now).as_numeric_date().saturating_sub(auth_time.ok_or(TokenError::AuthenticationTooOld)?);
        if age > whole_seconds(max_age).saturating_add(skew) || age < -skew {
            return Err(TokenError::AuthenticationTooOld);
        }
    }
    Ok(auth_time)
}

fn required_text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, TokenError> {
    demanded_text(claims, name)?.ok_or(TokenError::Missing(name))
}

#[cfg(test)]
mod tests;
