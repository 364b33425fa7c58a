use std::time::UNIX_EPOCH;

use serde_json::json;

use super::*;
use crate::oidc::test_tokens::{OTHER_RSA, RSA, key_set};

const NOW: i64 = 1_800_000_000;
const EVENT: &str = "urn:zenkey:event:sim_swap";

fn honest() -> (Value, Value) {
    let claims = json!({
        "iss": "https://a.test", "aud": "us", "iat": NOW - 2, "jti": "t-1",
        "sub_id": { "format": "iss_sub", "iss": "https://a.test", "sub": "person" },
        "events": { EVENT: {} },
    });
    (json!({ "alg": "RS256", "kid": "k", "typ": "secevent+jwt" }), claims)
}

fn verdict(raw: &SecretString) -> Result<VerifiedSecurityEvent, SecurityEventError> {
    let rule = SecurityEventRule {
        issuer: "https://a.test",
        client_id: "us",
        algorithms: &["RS256".to_owned()],
        max_age: Duration::from_secs(600),
        skew: Duration::from_secs(60),
    };
    let now = UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
    UnverifiedSecurityEvent::parse(raw)?.check(rule, now)?.verify(&key_set(&[RSA.jwk("k")]))
}

fn with(name: &str, value: Value) -> Result<VerifiedSecurityEvent, SecurityEventError> {
    let (header, mut claims) = honest();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    verdict(&RSA.token(&header, &claims))
}

// The twin of everything below.
#[test]
fn an_honest_token_says_what_happened_to_whom() {
    let (header, claims) = honest();
    let token = verdict(&RSA.token(&header, &claims)).unwrap();
    assert_eq!((token.issuer(), token.subject(), token.token_id()), ("https://a.test", "person", "t-1"));
    assert_eq!((token.event(), token.session_id(), token.issued_at()), (EVENT, None, NOW - 2));
    let user = json!({ "format": "iss_sub", "iss": "https://a.test", "sub": "person" });
    let session = json!({ "format": "opaque", "id": "s-1" });
    let token = with("sub_id", json!({ "format": "complex", "user": user, "session": session })).unwrap();
    assert_eq!((token.subject(), token.session_id()), ("person", Some("s-1")));
    assert_eq!(with("sub_id", json!({ "format": "complex", "user": user })).unwrap().session_id(), None);
    assert!(with("aud", json!(["them", "us"])).is_ok() && with("iat", json!(NOW - 660)).is_ok());
}

#[test]
fn each_thing_that_is_wrong_has_its_error() {
    use SecurityEventError as E;
    let about = |iss: &str, sub: &str, format: &str| json!({ "format": format, "iss": iss, "sub": sub });
    let user = about("https://a.test", "person", "iss_sub");
    for (name, value, expected) in [
        ("iss", json!("https://b.test"), E::IssuerMismatch),
        ("iss", Value::Null, E::Missing("iss")),
        ("aud", json!("them"), E::AudienceMismatch),
        ("aud", Value::Null, E::Missing("aud")),
        ("exp", json!(NOW + 60), E::Foreign("exp")),
        ("sub", json!("person"), E::Foreign("sub")),
        ("nonce", json!("n"), E::Foreign("nonce")),
        ("iat", json!(NOW + 61), E::NotYetValid),
        ("iat", json!(NOW - 661), E::Stale),
        ("iat", Value::Null, E::Missing("iat")),
        ("iat", json!("1800000000"), E::WrongType("iat")),
        ("jti", Value::Null, E::Missing("jti")),
        ("jti", json!(""), E::Unnameable("jti")),
        ("events", Value::Null, E::Missing("events")),
        ("events", json!({}), E::Events),
        ("events", json!({ EVENT: {}, "urn:x": {} }), E::Events),
        ("events", json!({ EVENT: true }), E::Events),
        ("events", json!([EVENT]), E::WrongType("events")),
        ("sub_id", Value::Null, E::Missing("sub_id")),
        ("sub_id", about("https://b.test", "person", "iss_sub"), E::Subject),
        ("sub_id", about("https://a.test", "person", "email"), E::Subject),
        ("sub_id", about("https://a.test", "", "iss_sub"), E::Unnameable("sub_id")),
        ("sub_id", json!({ "format": "complex" }), E::Subject),
        ("sub_id", json!({ "format": "complex", "user": user, "session": { "format": "uri", "id": "s" } }), E::Subject),
        ("sub_id", json!("person"), E::Subject),
    ] {
        assert_eq!(with(name, value.clone()), Err(expected), "{name}: {value}");
    }
    let (_, claims) = honest();
    for typ in ["JWT", "logout+jwt", "at+jwt", "id_token"] {
        let raw = RSA.token(&json!({ "alg": "RS256", "kid": "k", "typ": typ }), &claims);
        assert_eq!(verdict(&raw), Err(E::OtherKind), "{typ}");
    }
    assert_eq!(verdict(&RSA.token(&json!({ "alg": "RS256", "kid": "k" }), &claims)), Err(E::OtherKind));
    let (header, claims) = honest();
    assert!(matches!(verdict(&OTHER_RSA.token(&header, &claims)), Err(E::Jwt(_))));
}
