//! One bend at a time: every forgery here differs from [`Honest`], which passes, in the one thing it is named for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::oidc::claims::samples::reading;
use crate::oidc::test_tokens::{ED25519, OTHER_RSA, P256, P384, P521, Pair, RSA, join, key_set, message};
use crate::secret::hmac_sha256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const NOW: i64 = 1_800_000_000;
const LONGEST: usize = 256 * 1024;

/// An honest token and the expectation it meets; tests change one field and ask for the verdict.
struct Honest {
    header: Value,
    claims: Value,
    keys: Vec<Value>,
    algorithms: Vec<String>,
    acr_values: Vec<String>,
    require_acr: bool,
    nonce: &'static str,
    max_age: Option<Duration>,
    accept_at_jwt_typ: bool,
    access_token: Option<SecretString>,
    trusted_audiences: Vec<String>,
    tenants: Tenants,
    now: SystemTime,
}

fn honest() -> Honest {
    Honest {
        header: json!({"alg": "RS256", "kid": "k1"}),
        claims: json!({
            "iss": "https://a.test", "sub": "mccmnc-1", "aud": "us", "nonce": "n-1", "exp": NOW + 300, "iat": NOW - 2,
            "acr": "a3", "amr": ["hwk", "pin"], "auth_time": NOW - 10, "email": "a@b.test", "groups": ["x", "y"],
        }),
        keys: vec![RSA.jwk("k1")],
        algorithms: vec!["RS256".into()],
        acr_values: vec!["a3".into()],
        require_acr: true,
        nonce: "n-1",
        max_age: None,
        accept_at_jwt_typ: false,
        access_token: None,
        trusted_audiences: vec![],
        tenants: Tenants::default(),
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

    fn no_kid(self) -> Self {
        self.bend(|token| drop(token.header.as_object_mut().unwrap().remove("kid")))
    }

    fn judge(&self, raw: &SecretString) -> Result<VerifiedIdToken, TokenError> {
        let expect = Expectation {
            issuer: "https://a.test",
            tenants: &self.tenants,
            client_id: "us",
            nonce: self.nonce,
            algorithms: &self.algorithms,
            acr_values: &self.acr_values,
            acr_vocabulary: crate::carrier::profile::ZENKEY.acr_words,
            require_acr: self.require_acr,
            skew: Duration::from_secs(60),
            max_age: self.max_age,
            accept_at_jwt_typ: self.accept_at_jwt_typ,
            access_token: self.access_token.as_ref(),
            trusted_audiences: &self.trusted_audiences,
        };
        UnverifiedIdToken::parse(raw, LONGEST)?.verify(&key_set(&self.keys), &expect, self.now)
    }

    fn signed_by(&self, pair: &Pair) -> Result<VerifiedIdToken, TokenError> {
        self.judge(&pair.token(&self.header, &self.claims))
    }

    fn passes(&self) -> VerifiedIdToken {
        self.signed_by(&RSA).unwrap()
    }

    fn fails(&self) -> TokenError {
        self.signed_by(&RSA).unwrap_err()
    }
}

#[test]
fn an_honest_token_names_a_person() {
    // C01
    let token = honest().passes();
    assert_eq!((token.issuer(), token.subject()), ("https://a.test", "mccmnc-1"));
    assert_eq!((token.acr(), token.auth_time()), (Some("a3"), Some(NOW - 10)));
    assert_eq!(token.amr(), ["hwk", "pin"]);
    let claims = token.claims(reading()).values;
    let claims: Vec<_> = claims.keys().map(String::as_str).collect();
    assert_eq!(claims, ["email", "groups"]);
}

#[test]
fn the_issuer_is_exactly_the_one_we_asked() {
    // C02, D04
    for other in ["https://e.test", "https://a.test/", "https://A.test", "http://a.test", "", "https://a.test "] {
        assert_eq!(honest().claim("iss", json!(other)).fails(), TokenError::IssuerMismatch, "{other}");
    }
    assert_eq!(honest().without("iss").fails(), TokenError::Missing("iss"));
    for other in [json!(7), json!(null), json!(["https://a.test"]), json!({"a": "https://a.test"})] {
        assert_eq!(honest().claim("iss", other).fails(), TokenError::WrongType("iss"));
    }
}

#[test]
fn the_token_is_for_us() {
    // C03
    for other in [json!("them"), json!([]), json!(["them"]), json!(""), json!("us ")] {
        assert_eq!(honest().claim("aud", other).fails(), TokenError::AudienceMismatch);
    }
    for other in [json!(null), json!(7), json!({"us": 1}), json!(["us", 7])] {
        assert_eq!(honest().claim("aud", other).fails(), TokenError::WrongType("aud"));
    }
    assert_eq!(honest().without("aud").fails(), TokenError::Missing("aud"));
    honest().claim("aud", json!(["us"])).passes();
}

#[test]
fn the_token_is_for_us_alone_unless_the_others_are_trusted() {
    // C04
    let shared = || honest().claim("aud", json!(["us", "them"])).claim("azp", json!("us"));
    assert_eq!(shared().fails(), TokenError::AudienceMismatch);
    let trusting = || shared().bend(|token| token.trusted_audiences = vec!["them".into()]);
    trusting().passes();
    // XS02, PM03: one that is not listed spoils the rest, and so does a party that is not us.
    trusting().without("azp").passes();
    trusting().claim("azp", json!(null)).passes();
    assert_eq!(trusting().claim("azp", json!("them")).fails(), TokenError::AuthorizedPartyMismatch);
    let three = trusting().claim("aud", json!(["us", "them", "others"]));
    assert_eq!(three.fails(), TokenError::AudienceMismatch);
    assert_eq!(trusting().claim("aud", json!(["them"])).fails(), TokenError::AudienceMismatch);
}

#[test]
fn another_authorized_party_is_refused() {
    // C05
    for other in ["them", "", "US"] {
        assert_eq!(honest().claim("azp", json!(other)).fails(), TokenError::AuthorizedPartyMismatch);
    }
    assert_eq!(honest().claim("azp", json!(["us"])).fails(), TokenError::WrongType("azp"));
    honest().claim("azp", json!("us")).passes();
}

#[test]
fn a_token_without_a_usable_subject_names_nobody() {
    // C06
    assert_eq!(honest().without("sub").fails(), TokenError::Missing("sub"));
    for other in [json!(7), json!(null), json!(["x"])] {
        assert_eq!(honest().claim("sub", other).fails(), TokenError::WrongType("sub"));
    }
    for other in [String::new(), "s".repeat(256), "a\r\nX-Admin: 1".into(), "a\0".into(), "a\u{85}".into()] {
        assert_eq!(honest().claim("sub", json!(other)).fails(), TokenError::SubjectInvalid, "{other:?}");
    }
    honest().claim("sub", json!("s".repeat(255))).passes();
}

#[test]
fn the_time_of_issue_is_required_and_recent() {
    // C07, C09, C10
    assert_eq!(honest().without("iat").fails(), TokenError::Missing("iat"));
    honest().claim("iat", json!(NOW + 30)).passes();
    honest().claim("iat", json!(NOW + 60)).passes();
    assert_eq!(honest().claim("iat", json!(NOW + 61)).fails(), TokenError::NotYetValid);
    assert_eq!(honest().claim("iat", json!(NOW + 3600)).fails(), TokenError::NotYetValid);
    honest().claim("iat", json!(NOW - 600)).passes();
    assert_eq!(honest().claim("iat", json!(NOW - 601)).fails(), TokenError::Stale);
}

#[test]
fn an_expired_token_is_refused_beyond_the_skew() {
    // C08, C09
    assert_eq!(honest().without("exp").fails(), TokenError::Missing("exp"));
    honest().claim("exp", json!(NOW - 30)).passes();
    honest().claim("exp", json!(NOW - 60)).passes();
    assert_eq!(honest().claim("exp", json!(NOW - 61)).fails(), TokenError::Expired);
    assert_eq!(honest().claim("exp", json!(0)).fails(), TokenError::Expired);
    assert_eq!(honest().claim("exp", json!(-1)).fails(), TokenError::Expired);
}

#[test]
fn a_token_from_the_future_waits() {
    // C11
    honest().claim("nbf", json!(NOW + 30)).passes();
    assert_eq!(honest().claim("nbf", json!(NOW + 61)).fails(), TokenError::NotYetValid);
    assert_eq!(honest().claim("nbf", json!(NOW * 2)).fails(), TokenError::NotYetValid);
}

#[test]
fn a_time_of_the_wrong_type_is_a_broken_time() {
    // C11 (CVE-2026-25537)
    for name in ["exp", "iat", "nbf"] {
        for wrong in [json!((NOW + 5).to_string()), json!(true), json!([NOW]), json!({}), json!(NOW * 1000)] {
            assert_eq!(honest().claim(name, wrong).fails(), TokenError::WrongType(name));
        }
    }
}

// Class C of sign-in: what is not used is not judged; and what is used is.
#[test]
fn a_broken_auth_time_is_as_good_as_none() {
    for wrong in [json!((NOW + 5).to_string()), json!(true), json!([NOW]), json!({}), json!(NOW * 1000), json!(1e300)] {
        let told = honest().claim("auth_time", wrong.clone()).passes();
        assert_eq!(told.auth_time(), None, "{wrong}");
        let mut asked = honest().claim("auth_time", wrong);
        asked.max_age = Some(Duration::from_secs(3600));
        assert_eq!(asked.fails(), TokenError::WrongType("auth_time"));
    }
}

#[test]
fn odd_numbers_for_times_are_safe() {
    // C11, C33
    honest().claim("exp", json!(NOW as f64 + 0.5)).claim("iat", json!(NOW as f64 - 0.5)).passes();
    honest().claim("exp", json!(253_402_300_799_i64)).passes();
    // Attacks, class E: beyond every calendar, or in a second grammar.
    for name in ["exp", "iat", "nbf"] {
        for beyond in [json!(u64::MAX), json!(i64::MIN), json!(1e300), json!(-1e300), json!(253_402_300_800_i64)] {
            assert_eq!(honest().claim(name, beyond).fails(), TokenError::WrongType(name));
        }
    }
    let written = |exp: &str| {
        let claims = honest().claims.to_string().replace(&(NOW + 300).to_string(), exp);
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#));
        honest().judge(&join(&message, &RSA.sign("RS256", message.as_bytes()))).map(drop)
    };
    assert_eq!(written("1.8000003e9"), Err(TokenError::WrongType("exp")));
    assert_eq!(written("1800000300.0"), Ok(()));
    // Numbers JSON cannot hold, and a clock before 1970.
    let claims = honest().claims.to_string().replace(&(NOW + 300).to_string(), "1e999");
    let text = URL_SAFE_NO_PAD.encode(claims);
    let message = format!("{}.{text}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#));
    let raw = join(&message, &RSA.sign("RS256", message.as_bytes()));
    assert_eq!(honest().judge(&raw).unwrap_err(), TokenError::Malformed);
    assert_eq!(honest().bend(|t| t.now = UNIX_EPOCH - Duration::from_secs(9)).fails(), TokenError::NotYetValid);
}

#[test]
fn a_demand_we_do_not_understand_is_not_overlooked() {
    // C20
    for crit in [json!(["exp2"]), json!([]), json!(null), json!("exp"), json!(["b64"])] {
        assert_eq!(honest().header("crit", crit).header("b64", json!(false)).fails(), TokenError::CriticalHeader);
    }
}

#[test]
fn encrypted_and_nested_tokens_are_not_opened() {
    // C21
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}"#);
    let judge = |raw: &str| honest().judge(&SecretString::new(raw)).unwrap_err();
    assert_eq!(judge(&format!("{head}.a.b.c.d")), TokenError::Encrypted);
    assert_eq!(judge(&format!("{head}.a.b")), TokenError::Encrypted);
    assert_eq!(judge("a.b.c.d"), TokenError::Malformed);
    assert_eq!(judge("a.b.c.d.e.f"), TokenError::Malformed);
    for cty in ["JWT", "jwt", "application/jwt"] {
        assert_eq!(honest().header("cty", json!(cty)).fails(), TokenError::Encrypted);
    }
    let inner = RSA.token(&honest().header, &honest().claims);
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k1"}"#),
        URL_SAFE_NO_PAD.encode(inner.expose())
    );
    let nested = join(&message, &RSA.sign("RS256", message.as_bytes()));
    assert_eq!(honest().judge(&nested).unwrap_err(), TokenError::Malformed);
}

#[test]
fn a_token_of_another_kind_is_no_id_token() {
    // C22
    let others = ["logout+jwt", "port_token+jwt", "at+jwt", "application/at+jwt", "AT+JWT", "secevent+jwt", "", "x"];
    for typ in others {
        assert_eq!(honest().header("typ", json!(typ)).fails(), TokenError::OtherKind, "{typ}");
    }
    assert_eq!(honest().header("typ", json!(7)).fails(), TokenError::Malformed);
    // RFC 7515, 4.1.9: `JOSE` says that it is compact, as `JWT` does.
    for typ in ["JWT", "jwt", "application/jwt", "JOSE", "application/jose"] {
        honest().header("typ", json!(typ)).passes();
    }
    for typ in others {
        let flagged = honest().header("typ", json!(typ)).bend(|t| t.accept_at_jwt_typ = true);
        assert_eq!(flagged.signed_by(&RSA).is_ok(), typ.to_ascii_lowercase().ends_with("at+jwt"), "{typ}");
    }
}

#[test]
fn a_token_of_another_sign_in_is_refused() {
    // B10
    for other in ["n-2", "", "N-1", "n-1 ", "n-"] {
        assert_eq!(honest().claim("nonce", json!(other)).fails(), TokenError::NonceMismatch);
    }
    assert_eq!(honest().without("nonce").fails(), TokenError::Missing("nonce"));
    assert_eq!(honest().claim("nonce", json!(null)).fails(), TokenError::WrongType("nonce"));
    // XS18, PF07: the leniency for optional claims ends where a claim is demanded.
    assert_eq!(honest().claim("exp", json!(null)).fails(), TokenError::WrongType("exp"));
    assert_eq!(honest().claim("iat", json!(null)).fails(), TokenError::WrongType("iat"));
    honest().claim("azp", json!(null)).claim("at_hash", json!(null)).claim("nbf", json!(null)).passes();
    assert_eq!(honest().claim("auth_time", json!(null)).passes().auth_time(), None);
    // An expectation that was lost compares with nothing, so nothing passes.
    let lost = honest().claim("nonce", json!("")).bend(|t| t.nonce = "");
    assert_eq!(lost.fails(), TokenError::NonceMismatch);
}

#[test]
fn an_access_token_hash_must_be_that_of_our_access_token() {
    // C24. The example of Core A.3: this token, this hash.
    let token =
        || honest().bend(|t| t.access_token = Some(SecretString::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")));
    token().passes();
    token().claim("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")).passes();
    for wrong in ["77QmUPtjPfzWtF2AnpK9RR", "", "77QmUPtjPfzWtF2AnpK9RQ=="] {
        assert_eq!(token().claim("at_hash", json!(wrong)).fails(), TokenError::AccessTokenMismatch);
    }
    assert_eq!(token().claim("at_hash", json!(7)).fails(), TokenError::WrongType("at_hash"));
    // Each algorithm has its own hash.
    let other = token().claim("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")).header("alg", json!("RS512"));
    assert_eq!(other.bend(|t| t.algorithms = vec!["RS512".into()]).fails(), TokenError::AccessTokenMismatch);
    for (alg, length) in [("RS384", 32), ("RS512", 43)] {
        let algorithm = crate::oidc::jwt::Algorithm::parse(alg).unwrap();
        let hash = algorithm.left_half_hashes(token().access_token.unwrap().expose()).next().unwrap();
        assert_eq!(hash.len(), length);
        token()
            .claim("at_hash", json!(hash))
            .header("alg", json!(alg))
            .bend(|t| t.algorithms = vec![alg.into()])
            .passes();
    }
}

#[test]
fn too_weak_an_authentication_is_a_matter_of_policy() {
    // C25
    for weak in [json!("a1"), json!("a"), json!("a33"), json!(""), json!(3), json!(null), json!(["a3"])] {
        assert_eq!(honest().claim("acr", weak).fails(), TokenError::AcrNotMet);
    }
    assert_eq!(honest().without("acr").fails(), TokenError::AcrNotMet);
    assert_eq!(honest().without("acr").bend(|t| t.require_acr = false).passes().acr(), None);
    assert_eq!(honest().claim("acr", json!("a1")).bend(|t| t.require_acr = false).passes().acr(), Some("a1"));
    honest().without("acr").bend(|t| t.acr_values.clear()).passes();
    honest().claim("acr", json!("a1")).bend(|t| t.acr_values.push("a1".into())).passes();
    // A forged token is a forged token, not a matter of policy.
    assert_eq!(honest().claim("acr", json!("a1")).claim("nonce", json!("x")).fails(), TokenError::NonceMismatch);
}

#[test]
fn old_names_of_authentication_contexts_are_mapped_and_withdrawn_ones_are_none() {
    // C25, dossier 20, row 10
    assert_eq!(honest().claim("acr", json!("aal3")).passes().acr(), Some("a3"));
    honest().bend(|t| t.acr_values = vec!["aal3".into()]).passes();
    let free = |acr: &str| honest().claim("acr", json!(acr)).bend(|t| t.require_acr = false).passes();
    assert_eq!(free("aal1").acr(), Some("a1"));
    assert_eq!(free("loa3").acr(), None);
    assert_eq!(free("aal").acr(), Some("aal"));
    assert_eq!(free("urn:mace:incommon:iap:silver").acr(), Some("urn:mace:incommon:iap:silver"));
    assert_eq!(free("a3\r\n").acr(), None);
    assert_eq!(honest().claim("acr", json!("loa3")).fails(), TokenError::AcrNotMet);
    let asked_loa = honest().claim("acr", json!("loa3")).bend(|t| t.acr_values = vec!["loa3".into()]);
    assert_eq!(asked_loa.fails(), TokenError::AcrNotMet);
}

#[test]
fn an_authentication_too_long_ago_is_refused_if_that_was_asked() {
    // C26
    let fresh =
        |auth_time: Value| honest().claim("auth_time", auth_time).bend(|t| t.max_age = Some(Duration::from_secs(60)));
    fresh(json!(NOW - 120)).passes();
    assert_eq!(fresh(json!(NOW - 121)).fails(), TokenError::AuthenticationTooOld);
    fresh(json!(NOW + 60)).passes();
    assert_eq!(fresh(json!(NOW + 61)).fails(), TokenError::AuthenticationTooOld);
    assert_eq!(fresh(json!(NOW)).without("auth_time").fails(), TokenError::AuthenticationTooOld);
    assert_eq!(fresh(json!(null)).fails(), TokenError::AuthenticationTooOld);
    assert_eq!(fresh(json!(-NOW)).fails(), TokenError::AuthenticationTooOld);
    honest().claim("auth_time", json!(NOW - 90_000)).passes();
    honest().without("auth_time").passes();
}

#[test]
fn oversized_and_deeply_nested_tokens_are_refused_cheaply() {
    // C33
    let raw = SecretString::new("a".repeat(5 * 1024 * 1024));
    assert_eq!(honest().judge(&raw).unwrap_err(), TokenError::TooLarge);
    assert_eq!(honest().claim("email", json!("x".repeat(1024 * 1024))).fails(), TokenError::TooLarge);
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (header, claims) in [(deep.as_str(), "{}"), (r#"{"alg":"RS256","kid":"k1"}"#, deep.as_str())] {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let raw = join(&message, &RSA.sign("RS256", message.as_bytes()));
        assert_eq!(honest().judge(&raw).unwrap_err(), TokenError::Malformed);
    }
    for raw in
        ["", ".", "..", "...", "a", "a.b", "e30.e30.e30", "\u{e9}.\u{e9}.\u{e9}", "e30..", ".e30.", "bnVsbA.e30.e30"]
    {
        assert_eq!(honest().judge(&SecretString::new(raw)).unwrap_err(), TokenError::Malformed, "{raw}");
    }
}

#[test]
fn a_token_with_two_readings_is_refused() {
    // C33
    let claims = honest().claims.to_string();
    let twice = format!(r#"{{"sub":"victim",{}"#, &claims[1..]);
    let head = r#"{"alg":"RS256","kid":"k1"}"#;
    for (header, claims, good) in [
        (head, claims.as_str(), true),
        (head, twice.as_str(), false),
        (r#"{"alg":"none","alg":"RS256","kid":"k1"}"#, claims.as_str(), false),
    ] {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let raw = join(&message, &RSA.sign("RS256", message.as_bytes()));
        assert_eq!(honest().judge(&raw).is_ok(), good, "{header}");
    }
}

#[test]
fn only_plain_claims_are_passed_on() {
    // C30
    let token = honest()
        .claim("address", json!({"formatted": "x"}))
        .claim("aka", json!(["secret.port.token"]))
        .claim("cnf", json!({"jwk": {}}))
        .claim("email_verified", json!(true))
        .claim("huge", json!("x".repeat(5000)))
        .claim("age", json!(42))
        .passes();
    let claims = token.claims(reading()).values;
    let claims: Vec<_> = claims.keys().map(String::as_str).collect();
    assert_eq!(claims, ["address", "age", "email", "email_verified", "groups"]);
}

#[test]
fn methods_keep_their_shape() {
    let amr = |value: Value| honest().claim("amr", value).passes().amr().to_vec();
    assert_eq!(amr(json!("hwk")), ["hwk"]);
    assert_eq!(amr(json!(["hwk", 7, "a\nb", "", "pin"])), ["hwk", "pin"]);
    assert_eq!(amr(json!(vec!["x"; 100])).len(), 16);
    assert!(amr(json!({"hwk": true})).is_empty());
}

#[test]
fn errors_never_repeat_what_the_token_says() {
    // R01
    for canary in ["iss", "aud", "azp", "nonce", "sub", "exp"] {
        let error = honest().claim(canary, json!("canary\r\n")).fails();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let raw = SecretString::new("canary.canary.canary");
    let unverified =
        format!("{:?}", UnverifiedIdToken::parse(&RSA.token(&honest().header, &honest().claims), LONGEST).unwrap());
    assert!(!unverified.contains("eyJ"));
    assert!(!format!("{:?}", honest().judge(&raw)).contains("canary"));
}

// PF10
#[test]
fn an_access_token_hash_of_ed25519_is_of_either_size() {
    let token = || {
        honest().header("alg", json!("EdDSA")).bend(|token| {
            token.algorithms = vec!["Ed25519".into()];
            token.keys = vec![ED25519.jwk("k1")];
            token.access_token = Some(SecretString::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"));
        })
    };
    let algorithm = crate::oidc::jwt::Algorithm::parse("EdDSA").unwrap();
    let hashes: Vec<_> = algorithm.left_half_hashes("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y").collect();
    assert_eq!(hashes[1], "77QmUPtjPfzWtF2AnpK9RQ", "SHA-256, as in Core A.3");
    for hash in hashes {
        token().claim("at_hash", json!(hash)).signed_by(&ED25519).unwrap();
    }
    let wrong = token().claim("at_hash", json!("77QmUPtjPfzWtF2AnpK9RR"));
    assert_eq!(wrong.signed_by(&ED25519).unwrap_err(), TokenError::AccessTokenMismatch);
}

mod signature;
mod tenants;

// MV15: a limit is named by its key, with what was found.
#[test]
fn a_token_that_is_too_long_is_explained_by_the_key_of_the_limit() {
    let token = honest();
    let raw = token.bend(|token| token.claims["groups"] = json!("g".repeat(2000)));
    let raw = RSA.token(&raw.header, &raw.claims);
    let tenants = Default::default();
    let expect = Expectation {
        issuer: "https://a.test",
        tenants: &tenants,
        client_id: "us",
        nonce: "n",
        algorithms: &[],
        acr_values: &[],
        acr_vocabulary: crate::carrier::profile::OIDC.acr_words,
        require_acr: false,
        skew: Duration::from_secs(60),
        max_age: None,
        accept_at_jwt_typ: false,
        access_token: None,
        trusted_audiences: &[],
    };
    let longest = raw.expose().len();
    let error = UnverifiedIdToken::parse(&raw, longest - 1).err().unwrap();
    assert_eq!(error, TokenError::TooLarge);
    for (key, limit) in
        [("provider.oidc", "`provider.max_id_token`"), ("providers[1].oidc", "`providers[1].max_id_token`")]
    {
        let said = explain(error, &raw, &expect, key, SystemTime::UNIX_EPOCH);
        assert!(said.contains(limit) && said.contains(&format!("{longest} bytes")) && !said.contains("gggg"), "{said}");
    }
    // The twin: as long as it may be.
    assert!(UnverifiedIdToken::parse(&raw, longest).is_ok());
}
