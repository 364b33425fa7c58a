//! The logout token (OpenID Connect Back-Channel Logout 1.0, 2.4): an issuer says that one of its sessions is over.
//!
//! Anybody may send one, so what costs nothing is judged first and the signature last, as with access tokens: only a
//! [`VerifiedLogoutToken`] ends anything.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::claims::{is_identifier, is_subject};
use super::jwks::KeySet;
use super::jwt::{JwtError, UnverifiedJwt};
use super::read::{WrongType, audiences, date, text, whole_seconds};
use crate::ground::time::Timestamp;
use crate::secret::SecretString;

/// Longest logout token that is looked at, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// A logout token is taken for so long after it was issued, and what it was called is remembered for as long: older ones
/// could be replayed.
pub const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// The member of `events` that makes it one.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Why a logout token ends nothing. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoutTokenError {
    /// `aud` does not hold our client id.
    #[error("the logout token is not for us")]
    AudienceMismatch,
    /// `events` does not say that it is a logout.
    #[error("the logout token has no back-channel logout event")]
    Event,
    /// `exp` has passed.
    #[error("the logout token has expired")]
    Expired,
    /// `iss` is not the issuer that was expected.
    #[error("the logout token speaks for another issuer")]
    IssuerMismatch,
    /// Header, form or signature.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// A required claim is not there: its name.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// `nonce` is there: it is an ID token, or could be taken for one.
    #[error("the logout token has a nonce")]
    Nonce,
    /// `iat` or `nbf` lies in the future.
    #[error("the logout token is not valid yet")]
    NotYetValid,
    /// Its `typ` is that of another kind of token.
    #[error("the token is of another kind")]
    OtherKind,
    /// Older than [`MAX_AGE`].
    #[error("the logout token was issued too long ago")]
    Stale,
    /// `sub`, `sid` or `jti` is empty, too long or holds control characters.
    #[error("the claim `{0}` cannot name anything")]
    Unnameable(&'static str),
    /// A claim has another JSON type than it must have: its name.
    #[error("the claim `{0}` has the wrong type")]
    WrongType(&'static str),
}

impl From<WrongType> for LogoutTokenError {
    fn from(WrongType(name): WrongType) -> Self {
        Self::WrongType(name)
    }
}

/// What a logout token must say. Everything comes from configuration.
#[derive(Debug, Clone, Copy)]
pub struct LogoutTokenRule<'a> {
    /// Exact issuer.
    pub issuer: &'a str,
    /// Our client id there.
    pub client_id: &'a str,
    /// Names of the signature algorithms allowed for this issuer.
    pub algorithms: &'a [String],
    /// Allowed difference between the issuer's clock and ours.
    pub skew: Duration,
}

/// A token that is well-formed. Anybody may have written it.
#[derive(Debug)]
pub struct UnverifiedLogoutToken {
    jwt: UnverifiedJwt,
    issuer: String,
    claims: Map<String, Value>,
}

/// A token that says all the right things. Anybody may have written it still.
#[derive(Debug)]
pub struct PlausibleLogoutToken<'a> {
    jwt: UnverifiedJwt,
    rule: LogoutTokenRule<'a>,
}

/// An issuer's word that a session of its own is over. Born in [`PlausibleLogoutToken::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLogoutToken {
    issuer: String,
    subject: Option<String>,
    session_id: Option<String>,
    token_id: String,
}

impl UnverifiedLogoutToken {
    /// Takes a token apart. Nothing is decoded of one that is too long.
    pub fn parse(raw: &SecretString) -> Result<Self, LogoutTokenError> {
        let jwt = UnverifiedJwt::parse(raw, MAX_BYTES)?;
        let claims = jwt.unproven_claims()?;
        let issuer = text(&claims, "iss")?.ok_or(LogoutTokenError::Missing("iss"))?.to_owned();
        Ok(Self { jwt, issuer, claims })
    }

    /// Whose token it claims to be: for choosing the rule, and for nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks everything that needs no key (Back-Channel Logout 1.0, 2.6).
    pub fn check(
        self,
        rule: LogoutTokenRule<'_>,
        now: SystemTime,
    ) -> Result<PlausibleLogoutToken<'_>, LogoutTokenError> {
        // `logout+jwt` is what the specification recommends; issuers that name no kind are told by `events`. Every other
        // kind of token names itself (RFC 8725, 3.11).
        if !matches!(self.jwt.typ(), None | Some("jwt" | "jose" | "logout+jwt")) {
            return Err(LogoutTokenError::OtherKind);
        }
        if self.issuer != rule.issuer {
            return Err(LogoutTokenError::IssuerMismatch);
        }
        let audiences = audiences(&self.claims)?.ok_or(LogoutTokenError::Missing("aud"))?;
        if !audiences.contains(&rule.client_id) {
            return Err(LogoutTokenError::AudienceMismatch);
        }
        check_event(&self.claims)?;
        check_times(&self.claims, rule.skew, now)?;
        named(&self.claims)?;
        Ok(PlausibleLogoutToken { jwt: self.jwt, rule })
    }
}

impl PlausibleLogoutToken<'_> {
    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.jwt.kid()
    }

    /// Checks the signature: the last step, and the only one that is dear.
    pub fn verify(&self, keys: &KeySet) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        let signed = self.jwt.verify(keys, self.rule.algorithms)?;
        let (subject, session_id, token_id) = named(signed.claims())?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(VerifiedLogoutToken {
            issuer: self.rule.issuer.to_owned(),
            subject: owned(subject),
            session_id: owned(session_id),
            token_id: token_id.to_owned(),
        })
    }
}

impl VerifiedLogoutToken {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: whose sessions end, if no single one is named.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `sid`: the session that ends.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// `jti`: by this name a second use of the token is known.
    pub fn token_id(&self) -> &str {
        &self.token_id
    }
}

/// `events` has the one member, an object, and there is no `nonce`: otherwise an ID token of somebody's could end their
/// session (Back-Channel Logout 1.0, 2.4).
fn check_event(claims: &Map<String, Value>) -> Result<(), LogoutTokenError> {
    if claims.contains_key("nonce") {
        return Err(LogoutTokenError::Nonce);
    }
    match claims.get("events") {
        None => Err(LogoutTokenError::Missing("events")),
        Some(Value::Object(events)) if events.get(EVENT).is_some_and(Value::is_object) => Ok(()),
        Some(_) => Err(LogoutTokenError::Event),
    }
}

/// `iat` must be there and recent. `exp` is required by the final specification and missing at issuers that follow its
/// drafts: without it the age decides, as it does with it.
fn check_times(claims: &Map<String, Value>, skew: Duration, now: SystemTime) -> Result<(), LogoutTokenError> {
    let (now, skew) = (Timestamp::of(now).as_numeric_date(), whole_seconds(skew));
    let issued = date(claims, "iat")?.ok_or(LogoutTokenError::Missing("iat"))?;
    let future = |at: i64| at.saturating_sub(now) > skew;
    if future(issued) || date(claims, "nbf")?.is_some_and(future) {
        return Err(LogoutTokenError::NotYetValid);
    }
    if date(claims, "exp")?.is_some_and(|expires| now.saturating_sub(expires) > skew) {
        return Err(LogoutTokenError::Expired);
    }
    if now.saturating_sub(issued) > whole_seconds(MAX_AGE).saturating_add(skew) {
        return Err(LogoutTokenError::Stale);
    }
    Ok(())
}

/// `sub`, `sid` and `jti`: one of the first two, and the last.
fn named(claims: &Map<String, Value>) -> Result<(Option<&str>, Option<&str>, &str), LogoutTokenError> {
    let name = |name: &'static str, can_be: fn(&str) -> bool| match text(claims, name)? {
        Some(text) if !can_be(text) => Err(LogoutTokenError::Unnameable(name)),
        text => Ok(text),
    };
    let (subject, session_id) = (name("sub", is_subject)?, name("sid", is_identifier)?);
    if subject.is_none() && session_id.is_none() {
        return Err(LogoutTokenError::Missing("sid"));
    }
    Ok((subject, session_id, name("jti", is_identifier)?.ok_or(LogoutTokenError::Missing("jti"))?))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;
    use crate::oidc::test_tokens::{OTHER_RSA, RSA, key_set};

    const NOW: i64 = 1_800_000_000;

    fn honest() -> (Value, Value) {
        let claims = json!({
            "iss": "https://a.test", "aud": "us", "iat": NOW - 2, "exp": NOW + 120, "jti": "t-1", "sub": "person",
            "sid": "s-1", "events": { EVENT: {} },
        });
        (json!({ "alg": "RS256", "kid": "k", "typ": "logout+jwt" }), claims)
    }

    fn verdict(header: &Value, claims: &Value) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        verdict_on(&RSA.token(header, claims))
    }

    fn verdict_on(raw: &SecretString) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        let rule = LogoutTokenRule {
            issuer: "https://a.test",
            client_id: "us",
            algorithms: &["RS256".to_owned()],
            skew: Duration::from_secs(60),
        };
        let now = UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
        UnverifiedLogoutToken::parse(raw)?.check(rule, now)?.verify(&key_set(&[RSA.jwk("k")]))
    }

    fn with(name: &str, value: Value) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        let (header, mut claims) = honest();
        claims[name] = value;
        verdict(&header, &claims)
    }

    fn without(name: &str) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        let (header, mut claims) = honest();
        claims.as_object_mut().unwrap().remove(name);
        verdict(&header, &claims)
    }

    fn of_kind(typ: Option<&str>) -> Result<VerifiedLogoutToken, LogoutTokenError> {
        let (mut header, claims) = honest();
        match typ {
            Some(typ) => header["typ"] = typ.into(),
            None => drop(header.as_object_mut().unwrap().remove("typ")),
        }
        verdict(&header, &claims)
    }

    // F21: the twin of everything below.
    #[test]
    fn an_honest_token_names_what_ends() {
        let (header, claims) = honest();
        let token = verdict(&header, &claims).unwrap();
        assert_eq!((token.issuer(), token.token_id()), ("https://a.test", "t-1"));
        assert_eq!((token.subject(), token.session_id()), (Some("person"), Some("s-1")));
        assert_eq!(without("sid").unwrap().session_id(), None);
        assert_eq!(without("sub").unwrap().subject(), None);
        for name in ["sid", "jti"] {
            assert!(with(name, json!("x".repeat(1024))).is_ok(), "{name}");
        }
        assert!(without("exp").is_ok() && with("aud", json!(["other", "us"])).is_ok());
        for typ in [None, Some("JWT"), Some("logout+jwt"), Some("application/logout+jwt")] {
            assert!(of_kind(typ).is_ok(), "{typ:?}");
        }
    }

    // F22, F23: one bend at a time.
    #[test]
    fn a_token_that_is_bent_in_one_place_ends_nothing() {
        use LogoutTokenError as E;
        let another = json!({ "http://schemas.openid.net/event/other": {} });
        for (name, value, fault) in [
            ("iss", json!("https://b.test"), E::IssuerMismatch),
            ("iss", json!("https://a.test/"), E::IssuerMismatch),
            ("aud", json!("them"), E::AudienceMismatch),
            ("aud", json!([]), E::AudienceMismatch),
            ("nonce", json!("n"), E::Nonce),
            ("nonce", Value::Null, E::Nonce),
            ("events", another, E::Event),
            ("events", json!({ EVENT: true }), E::Event),
            ("events", json!([EVENT]), E::Event),
            ("events", json!(EVENT), E::Event),
            ("iat", json!(NOW + 61), E::NotYetValid),
            ("iat", json!(NOW - 661), E::Stale),
            ("iat", json!("1800000000"), E::WrongType("iat")),
            ("exp", json!(NOW - 61), E::Expired),
            ("jti", json!(""), E::Unnameable("jti")),
            ("jti", json!(7), E::WrongType("jti")),
            ("jti", json!("x".repeat(1025)), E::Unnameable("jti")),
            ("sid", json!("x".repeat(1025)), E::Unnameable("sid")),
            ("sub", json!("x".repeat(256)), E::Unnameable("sub")),
            ("sid", json!(["s-1"]), E::WrongType("sid")),
            ("sub", json!("a\nb"), E::Unnameable("sub")),
        ] {
            assert_eq!(with(name, value.clone()), Err(fault), "{name} {value}");
        }
        for (name, fault) in [
            ("iss", E::Missing("iss")),
            ("aud", E::Missing("aud")),
            ("iat", E::Missing("iat")),
            ("jti", E::Missing("jti")),
            ("events", E::Missing("events")),
        ] {
            assert_eq!(without(name), Err(fault), "{name}");
        }
        let (header, mut claims) = honest();
        claims.as_object_mut().unwrap().retain(|name, _| name != "sub" && name != "sid");
        assert_eq!(verdict(&header, &claims), Err(E::Missing("sid")));
        for typ in ["at+jwt", "id_token+jwt", "secevent+jwt", "dpop+jwt"] {
            assert_eq!(of_kind(Some(typ)), Err(E::OtherKind), "{typ}");
        }
    }

    // F22: whoever signs it.
    #[test]
    fn only_the_issuers_own_signature_counts() {
        let (header, claims) = honest();
        let forged = verdict_on(&OTHER_RSA.token(&header, &claims));
        assert_eq!(forged, Err(LogoutTokenError::Jwt(JwtError::SignatureInvalid)));
        for alg in ["none", "HS256", "RS384"] {
            let bent = json!({ "alg": alg, "kid": "k" });
            assert_eq!(verdict(&bent, &claims), Err(LogoutTokenError::Jwt(JwtError::AlgorithmNotAllowed)), "{alg}");
        }
        let long = SecretString::new("a".repeat(MAX_BYTES + 1));
        assert_eq!(verdict_on(&long), Err(LogoutTokenError::Jwt(JwtError::TooLarge)));
    }
}
