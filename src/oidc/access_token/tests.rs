//! One bend at a time: every forgery here differs from [`Honest`], which passes, in the one thing it is named for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::oidc::claims::samples::reading;
use crate::oidc::test_tokens::{ED25519, OTHER_RSA, P256, Pair, RSA, join, key_set, message};
use crate::secret::hmac_sha256;

const NOW: i64 = 1_800_000_000;

struct Honest {
    header: Value,
    claims: Value,
    keys: Vec<Value>,
    audiences: Vec<String>,
    trusted_audiences: Vec<String>,
    algorithms: Vec<String>,
    accept_untyped: bool,
    now: SystemTime,
}

fn honest() -> Honest {
    Honest {
        header: json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt"}),
        claims: json!({
            "iss": "https://a.test", "sub": "person-1", "aud": "https://api.test", "exp": NOW + 300, "iat": NOW - 2,
            "client_id": "app", "jti": "t1", "scope": "read write", "acr": "aal3", "email": "a@b.test",
        }),
        keys: vec![RSA.jwk("k1")],
        audiences: vec!["https://api.test".into()],
        trusted_audiences: vec![],
        algorithms: vec!["RS256".into()],
        accept_untyped: false,
        now: UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()),
    }
}

impl Honest {
    fn bend(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn claim(self, name: &str, value: Value) -> Self {
        self.bend(|token| token.claims[name] = value)
    }

    fn without(self, name: &str) -> Self {
        self.bend(|token| drop(token.claims.as_object_mut().unwrap().remove(name)))
    }

    fn header(self, name: &str, value: Value) -> Self {
        self.bend(|token| token.header[name] = value)
    }

    fn no_header(self, name: &str) -> Self {
        self.bend(|token| drop(token.header.as_object_mut().unwrap().remove(name)))
    }

    fn rule(&self) -> AccessTokenRule<'_> {
        AccessTokenRule {
            issuer: "https://a.test",
            audiences: &self.audiences,
            trusted_audiences: &self.trusted_audiences,
            algorithms: &self.algorithms,
            accept_untyped: self.accept_untyped,
            acr_vocabulary: crate::carrier::profile::ZENKEY.acr_words,
            skew: Duration::from_secs(60),
        }
    }

    fn judge(&self, raw: &SecretString) -> Result<VerifiedAccessToken, TokenError> {
        UnverifiedAccessToken::parse(raw)?.check(self.rule(), self.now)?.verify(&key_set(&self.keys))
    }

    fn signed_by(&self, pair: &Pair) -> Result<VerifiedAccessToken, TokenError> {
        self.judge(&pair.token(&self.header, &self.claims))
    }

    fn passes(&self) -> VerifiedAccessToken {
        self.signed_by(&RSA).unwrap()
    }

    fn fails(&self) -> TokenError {
        self.signed_by(&RSA).unwrap_err()
    }

    /// What is said before any key is asked for: the token is signed by nobody.
    fn fails_without_a_key(&self) -> TokenError {
        let raw = join(&message(&self.header, &self.claims), b"nothing");
        match UnverifiedAccessToken::parse(&raw).and_then(|token| token.check(self.rule(), self.now)) {
            Ok(_) => panic!("it would have been asked for its signature"),
            Err(error) => error,
        }
    }
}

#[test]
fn an_honest_token_names_a_caller_and_its_scopes() {
    // K01
    let token = honest().passes();
    assert_eq!((token.issuer(), token.subject(), token.acr()), ("https://a.test", "person-1", Some("a3")));
    assert_eq!(token.scopes(), ["read", "write"]);
    assert_eq!(
        token.claims(reading()).values.keys().map(String::as_str).collect::<Vec<_>>(),
        ["azp", "client_id", "email"]
    );
    assert_eq!(token.expires(), honest().now + Duration::from_secs(300));
}

#[test]
fn the_issuer_is_exactly_the_configured_one() {
    // K03, C02
    for other in ["https://e.test", "https://a.test/", "https://A.test", "http://a.test", "", "https://a.test "] {
        assert_eq!(honest().claim("iss", json!(other)).fails_without_a_key(), TokenError::IssuerMismatch, "{other}");
    }
    assert_eq!(honest().without("iss").fails_without_a_key(), TokenError::Missing("iss"));
    for odd in [json!(1), json!(["https://a.test"]), json!(null)] {
        assert_eq!(honest().claim("iss", odd).fails_without_a_key(), TokenError::WrongType("iss"));
    }
}

#[test]
fn one_audience_is_ours_and_none_is_a_stranger() {
    // K03, K05, C03, C04
    for other in
        [json!("https://other.test"), json!([]), json!(["https://other.test"]), json!(""), json!("https://api.test/")]
    {
        assert_eq!(honest().claim("aud", other).fails_without_a_key(), TokenError::AudienceMismatch);
    }
    assert_eq!(honest().without("aud").fails_without_a_key(), TokenError::Missing("aud"));
    for odd in [json!(null), json!(7), json!(["https://api.test", 7]), json!({"https://api.test": true})] {
        assert_eq!(honest().claim("aud", odd).fails_without_a_key(), TokenError::WrongType("aud"));
    }
    let two = json!(["https://api.test", "account"]);
    assert_eq!(honest().claim("aud", two.clone()).fails_without_a_key(), TokenError::AudienceMismatch);
    honest().claim("aud", two).bend(|rule| rule.trusted_audiences = vec!["account".into()]).passes();
    honest().claim("aud", json!(["https://api.test"])).passes();
    let alone = honest().claim("aud", json!("account")).bend(|rule| rule.trusted_audiences = vec!["account".into()]);
    assert_eq!(alone.fails_without_a_key(), TokenError::AudienceMismatch);
    let none = honest().bend(|rule| rule.audiences = vec![]);
    assert_eq!(none.fails_without_a_key(), TokenError::AudienceMismatch, "without audiences no token is for us");
}

#[test]
fn a_token_that_never_ends_is_none() {
    // K03, K06, C08
    assert_eq!(honest().without("exp").fails_without_a_key(), TokenError::Missing("exp"));
    for odd in [json!(null), json!("1800000300"), json!([NOW + 300]), json!(true)] {
        assert_eq!(honest().claim("exp", odd).fails_without_a_key(), TokenError::WrongType("exp"));
    }
    honest().claim("exp", json!(NOW as f64 + 300.5)).passes();
}

#[test]
fn a_token_ends_with_its_exp_and_not_a_second_later() {
    // K10, C08
    for past in [NOW, NOW - 1, NOW - 30, NOW - 3600, 0, -1] {
        assert_eq!(honest().claim("exp", json!(past)).fails_without_a_key(), TokenError::Expired, "{past}");
    }
    honest().claim("exp", json!(NOW + 1)).passes();
    // Attacks, class E: a date that no calendar has, or milliseconds.
    for beyond in [json!(u64::MAX), json!(i64::MIN), json!(1e300), json!(NOW * 1000)] {
        assert_eq!(honest().claim("exp", beyond).fails_without_a_key(), TokenError::WrongType("exp"));
    }
    honest().claim("exp", json!(253_402_300_799_i64)).passes();
}

#[test]
fn a_token_from_the_future_waits() {
    // K03, C07, C09–C11
    assert_eq!(honest().without("iat").fails_without_a_key(), TokenError::Missing("iat"));
    assert_eq!(honest().claim("iat", json!("now")).fails_without_a_key(), TokenError::WrongType("iat"));
    assert_eq!(honest().claim("iat", json!(NOW + 3600)).fails_without_a_key(), TokenError::NotYetValid);
    honest().claim("iat", json!(NOW + 30)).passes();
    assert_eq!(honest().claim("nbf", json!(NOW + 61)).fails_without_a_key(), TokenError::NotYetValid);
    honest().claim("nbf", json!(NOW + 60)).passes();
    honest().claim("nbf", json!(null)).passes();
    for odd in [json!("1"), json!([0]), json!({})] {
        assert_eq!(honest().claim("nbf", odd).fails_without_a_key(), TokenError::WrongType("nbf"));
    }
}

#[test]
fn the_subject_is_opaque_and_there() {
    // K03, C06
    assert_eq!(honest().without("sub").fails_without_a_key(), TokenError::Missing("sub"));
    assert_eq!(honest().claim("sub", json!(7)).fails_without_a_key(), TokenError::WrongType("sub"));
    for bad in ["", "a\r\nb", "a\0", &"s".repeat(256)] {
        assert_eq!(honest().claim("sub", json!(bad)).fails_without_a_key(), TokenError::SubjectInvalid);
    }
}

#[test]
fn only_configured_algorithms_sign() {
    // K03, C12, C14, C15
    for alg in ["none", "None", "nOnE", "HS256", "HS512", "", "rs256", "RS1"] {
        assert_eq!(honest().header("alg", json!(alg)).fails_without_a_key(), TokenError::AlgorithmNotAllowed, "{alg}");
    }
    for alg in ["RS384", "PS256", "ES256", "EdDSA"] {
        assert_eq!(honest().header("alg", json!(alg)).fails_without_a_key(), TokenError::AlgorithmNotAllowed, "{alg}");
    }
    let allowed = honest().bend(|rule| rule.algorithms = vec!["ES256".into(), "EdDSA".into()]);
    let p256 = allowed.bend(|rule| rule.keys = vec![P256.jwk("k1"), ED25519.jwk("k1")]).header("alg", json!("ES256"));
    p256.signed_by(&P256).unwrap();
    p256.header("alg", json!("EdDSA")).signed_by(&ED25519).unwrap();
    // HMAC with the public key as its secret.
    let forged = honest().header("alg", json!("HS256"));
    let signed = message(&forged.header, &forged.claims);
    let raw = join(&signed, &hmac_sha256(&RSA.public_der(), signed.as_bytes()));
    assert_eq!(forged.judge(&raw).unwrap_err(), TokenError::AlgorithmNotAllowed);
    let unsigned = join(&message(&json!({"alg": "none", "typ": "at+jwt"}), &honest().claims), b"");
    assert_eq!(honest().judge(&unsigned).unwrap_err(), TokenError::AlgorithmNotAllowed);
}

#[test]
fn a_signature_is_the_issuer_s_or_worth_nothing() {
    // K03, C13, C16, C17
    assert_eq!(honest().signed_by(&OTHER_RSA).unwrap_err(), TokenError::SignatureInvalid);
    let raw = RSA.token(&honest().header, &honest().claims);
    let (body, signature) = raw.expose().rsplit_once('.').unwrap();
    let mut bits = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bits[17] ^= 1;
    assert_eq!(honest().judge(&join(body, &bits)).unwrap_err(), TokenError::SignatureInvalid);
    // Claims of one token under the signature of another.
    let other = message(&honest().header, &honest().claim("sub", json!("person-2")).claims);
    bits[17] ^= 1;
    assert_eq!(honest().judge(&join(&other, &bits)).unwrap_err(), TokenError::SignatureInvalid);
    honest().judge(&join(body, &bits)).unwrap();
    assert_eq!(honest().header("kid", json!("k2")).fails(), TokenError::UnknownKey);
    let own_key = honest().header("jwk", OTHER_RSA.jwk("k1")).header("jku", json!("https://e.test/keys"));
    assert_eq!(own_key.signed_by(&OTHER_RSA).unwrap_err(), TokenError::SignatureInvalid);
    for odd in [json!(""), json!("a\0"), json!("k".repeat(257)), json!(7)] {
        assert_eq!(honest().header("kid", odd).fails_without_a_key(), TokenError::Malformed);
    }
}

#[test]
fn without_a_kid_exactly_one_key_must_have_signed() {
    // K03, C18, C19
    honest().no_header("kid").passes();
    honest().no_header("kid").bend(|rule| rule.keys.push(OTHER_RSA.jwk("k2"))).passes();
    let strangers = honest().no_header("kid").bend(|rule| rule.keys = vec![OTHER_RSA.jwk("k2")]);
    assert_eq!(strangers.fails(), TokenError::SignatureInvalid);
}

#[test]
fn what_is_no_signed_token_is_not_taken_apart() {
    // K03, C20, C21
    assert_eq!(honest().header("crit", json!(["exp2"])).fails_without_a_key(), TokenError::CriticalHeader);
    assert_eq!(honest().header("cty", json!("JWT")).fails_without_a_key(), TokenError::Encrypted);
    assert_eq!(honest().header("enc", json!("A256GCM")).fails_without_a_key(), TokenError::Encrypted);
    for raw in ["a.b.c.d.e", "a.b.c.d", "a.b", "a", "", "..", ".a.b", "e30.e30.", "e30.e30.e30", "W10.W10.W10"] {
        assert!(UnverifiedAccessToken::parse(&SecretString::new(raw)).is_err(), "{raw}");
    }
    let twice = format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"at+jwt"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"iss":"https://a.test","iss":"https://e.test"}"#)
    );
    assert_eq!(UnverifiedAccessToken::parse(&SecretString::new(twice)).unwrap_err(), TokenError::Malformed);
}

#[test]
fn another_kind_of_token_is_no_access_token() {
    // K04, C22
    for typ in ["logout+jwt", "port_token+jwt", "dpop+jwt", "JWT", "jwt", "secevent+jwt", "at", "", "application/jwt"] {
        assert_eq!(honest().header("typ", json!(typ)).fails_without_a_key(), TokenError::OtherKind, "{typ}");
    }
    assert_eq!(honest().no_header("typ").fails_without_a_key(), TokenError::OtherKind);
    assert_eq!(honest().header("typ", json!(7)).fails_without_a_key(), TokenError::Malformed);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+jwt"] {
        honest().header("typ", json!(typ)).passes();
    }
}

#[test]
fn where_untyped_tokens_pass_other_kinds_give_themselves_away() {
    // K04
    let untyped = || honest().bend(|rule| rule.accept_untyped = true);
    untyped().no_header("typ").passes();
    untyped().header("typ", json!("JWT")).passes();
    untyped().passes();
    for typ in ["logout+jwt", "port_token+jwt", "id+jwt", ""] {
        assert_eq!(untyped().header("typ", json!(typ)).fails_without_a_key(), TokenError::OtherKind, "{typ}");
    }
    for claim in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        let bent = untyped().header("typ", json!("JWT")).claim(claim, json!("x"));
        assert_eq!(bent.fails_without_a_key(), TokenError::OtherKind, "{claim}");
    }
    honest().claim("nonce", json!("x")).passes();
}

#[test]
fn a_binding_to_a_key_is_refused_whatever_its_shape() {
    // KC02
    for binding in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({"jwk": {}}), json!({"kid": ""}), json!(null)]
    {
        assert_eq!(honest().claim("cnf", binding).fails_without_a_key(), TokenError::KeyBound);
    }
    let untyped = honest().bend(|rule| rule.accept_untyped = true).no_header("typ");
    assert_eq!(untyped.claim("cnf", json!(7)).fails_without_a_key(), TokenError::KeyBound);
    honest().claim("cnf_", json!({"jkt": "x"})).passes();
}

#[test]
fn what_a_refused_token_says_is_told_with_what_was_wanted() {
    // KC24, XS25
    let told = |token: Honest| {
        let raw = join(&message(&token.header, &token.claims), b"nothing");
        explain(token.fails_without_a_key(), &raw, &token.rule())
    };
    let none = told(honest().claim("aud", json!([])));
    for part in ["`aud` must name `https://api.test`", "found none", "`trusted_audiences` of `bearer.issuers`"] {
        assert!(none.contains(part), "{none}");
    }
    let other = told(honest().claim("aud", json!(["https://api.test", "account"])));
    assert!(other.contains("found `https://api.test`, `account`"), "{other}");
    let absent = told(honest().without("aud"));
    assert!(absent.contains("no `aud`") && absent.contains("have `https://a.test` put it in"), "{absent}");
    let kind = told(honest().header("typ", json!("JWT")));
    assert!(kind.contains("`typ` is `JWT`, expected `at+jwt`; `accept_untyped`"), "{kind}");
    // Many are shown as a few, and a person is not shown.
    let many: Vec<_> = (0..100).map(|number| format!("https://{number}.test")).collect();
    let many = told(honest().claim("aud", json!(many)));
    assert!(many.len() < 600 && !many.contains("person-1"), "{many}");
}

#[test]
fn scopes_are_words_wherever_the_issuer_puts_them() {
    // K07
    let of = |token: Honest| token.passes().scopes().to_vec();
    assert_eq!(of(honest().without("scope").claim("scp", json!(["a", "b"]))), ["a", "b"]);
    assert_eq!(of(honest().without("scope").claim("scp", json!("a b"))), ["a", "b"]);
    assert_eq!(of(honest().claim("scp", json!("more"))), ["read", "write"]);
    assert_eq!(of(honest().claim("scope", json!("  a  b "))), ["a", "b"]);
    assert!(of(honest().without("scope")).is_empty());
    for odd in [json!(7), json!(["a", 7]), json!(null), json!({"a": true})] {
        assert_eq!(honest().claim("scope", odd).fails_without_a_key(), TokenError::WrongType("scope"));
    }
}

#[test]
fn a_token_that_is_too_long_is_not_decoded() {
    // K13
    let at = |length: usize| UnverifiedAccessToken::parse(&SecretString::new("!".repeat(length))).unwrap_err();
    assert_eq!(at(MAX_BYTES + 1), TokenError::TooLarge);
    assert_eq!(at(MAX_BYTES), TokenError::Malformed);
    honest().claim("padding", json!("x".repeat(11_000))).passes();
}
