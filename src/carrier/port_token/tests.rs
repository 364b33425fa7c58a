//! Each rule has a forgery that breaks it alone; beside each stands the token that breaks none.

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::oidc::test_tokens::{OTHER_RSA, P256, RSA, key_set};

const OLD: &str = "https://old.example";
const NEW: &str = "https://new.example";
const KID: &str = "ccid-0123456789abcdef";
const NOW: i64 = 1_790_000_000;
const DAY: i64 = 24 * 60 * 60;

static OLD_ISSUERS: LazyLock<Vec<String>> = LazyLock::new(|| vec![OLD.to_owned(), "https://older.example".to_owned()]);
static SETTINGS: LazyLock<PortTokenSettings> = LazyLock::new(|| PortTokenSettings {
    sibling_clients: vec!["ccid-sibling".to_owned()],
    ..PortTokenSettings::default()
});

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW).unwrap())
}

fn rule() -> PortTokenRule<'static> {
    PortTokenRule {
        new_issuer: NEW,
        old_issuers: &OLD_ISSUERS,
        client_id: "ccid-ours",
        settings: &SETTINGS,
        skew: Duration::from_secs(60),
    }
}

fn header() -> Value {
    json!({ "alg": "RS256", "kid": KID, "typ": "port_token+jwt" })
}

fn claims() -> Value {
    json!({ "iss": OLD, "sub": "310410-old", "aud": "ccid-ours", "iat": NOW - DAY })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name)
    } else {
        members.insert(name.to_owned(), value)
    };
    object
}

fn read(header: &Value, claims: &Value) -> Result<FormerSubject, PortTokenError> {
    PlausiblePortToken::check(&RSA.token(header, claims), rule(), now())?.verify(&key_set(&[RSA.jwk(KID)]))
}

fn of_header(name: &str, value: Value) -> Result<FormerSubject, PortTokenError> {
    read(&with(header(), name, value), &claims())
}

fn of_claim(name: &str, value: Value) -> Result<FormerSubject, PortTokenError> {
    read(&header(), &with(claims(), name, value))
}

// S01
#[test]
fn an_honest_token_says_who_somebody_was() {
    let former = read(&header(), &claims()).unwrap();
    assert_eq!((former.issuer(), former.subject()), (OLD, "310410-old"), "the old subject, not the new one");
    for aud in [json!(["ccid-ours"]), json!("ccid-sibling"), json!(["ccid-ours", "ccid-sibling"])] {
        assert_eq!(of_claim("aud", aud.clone()).unwrap(), former, "{aud}");
    }
    assert!(of_header("typ", json!("application/port_token+jwt")).is_ok());
    assert!(
        of_header("kid", json!(format!("ccid-{}", "a".repeat(128))))
            .is_err_and(|error| error == JwtError::UnknownKey.into())
    );
}

// S02, S07
#[test]
fn only_a_key_of_the_old_carrier_vouches() {
    let token = RSA.token(&header(), &claims());
    let plausible = PlausiblePortToken::check(&token, rule(), now()).unwrap();
    assert!(plausible.verify(&key_set(&[RSA.jwk(KID)])).is_ok(), "the twin");
    let signature = JwtError::SignatureInvalid.into();
    assert_eq!(plausible.verify(&key_set(&[OTHER_RSA.jwk(KID)])), Err(signature));
    assert_eq!(plausible.verify(&key_set(&[RSA.jwk("ccid-other")])), Err(JwtError::UnknownKey.into()));
    let nameless = with(RSA.jwk(KID), "kid", Value::Null);
    assert_eq!(plausible.verify(&key_set(&[nameless])), Err(JwtError::UnknownKey.into()));
    for alg in ["none", "HS256", "RS384", "ES256", "PS256"] {
        let signed = if alg == "ES256" { &P256 } else { &RSA };
        let token = signed.token(&with(header(), "alg", json!(alg)), &claims());
        let refused = PlausiblePortToken::check(&token, rule(), now()).err();
        assert_eq!(refused, Some(JwtError::AlgorithmNotAllowed.into()), "{alg}");
    }
}

// S03
#[test]
fn a_token_of_another_kind_is_none() {
    for typ in [Value::Null, json!("JWT"), json!("at+jwt"), json!("logout+jwt"), json!("port_token")] {
        assert_eq!(of_header("typ", typ.clone()), Err(PortTokenError::OtherKind), "{typ}");
    }
}

#[test]
fn the_key_has_the_form_of_slow_keys_unless_any_is_taken() {
    for kid in
        [json!("1"), json!("ccid-"), json!("ccid-a_b"), json!("xccid-a"), json!(format!("ccid-{}", "a".repeat(129)))]
    {
        assert_eq!(of_header("kid", kid.clone()), Err(PortTokenError::KeyName), "{kid}");
    }
    assert_eq!(of_header("kid", Value::Null), Err(PortTokenError::KeyName));
    let settings = PortTokenSettings { any_key_name: true, ..SETTINGS.clone() };
    let token = RSA.token(&with(header(), "kid", json!("1")), &claims());
    let plausible = PlausiblePortToken::check(&token, PortTokenRule { settings: &settings, ..rule() }, now()).unwrap();
    assert!(plausible.verify(&key_set(&[RSA.jwk("1")])).is_ok(), "the twin");
}

// S04
#[test]
fn a_token_for_another_client_is_none() {
    for aud in [json!("ccid-other"), json!(["ccid-ours", "ccid-other"]), json!([]), json!("ccid-ours ")] {
        assert_eq!(of_claim("aud", aud.clone()), Err(PortTokenError::AudienceMismatch), "{aud}");
    }
    assert_eq!(of_claim("aud", Value::Null), Err(PortTokenError::Missing("aud")));
    assert_eq!(of_claim("aud", json!(7)), Err(PortTokenError::WrongType("aud")));
}

// S05
#[test]
fn a_token_has_a_time_that_is_not_long_ago_and_not_to_come() {
    for (iat, outcome) in [
        (json!(NOW + 60), None),
        (json!(NOW + 61), Some(PortTokenError::NotYetValid)),
        (json!(NOW - 360 * DAY - 60), None),
        (json!(NOW - 360 * DAY - 61), Some(PortTokenError::Stale)),
        (Value::Null, Some(PortTokenError::Missing("iat"))),
        (json!(NOW.to_string()), Some(PortTokenError::WrongType("iat"))),
        (json!(NOW * 1000), Some(PortTokenError::WrongType("iat"))),
    ] {
        assert_eq!(of_claim("iat", iat.clone()).err(), outcome, "{iat}");
    }
}

// S06, S08
#[test]
fn only_a_listed_issuer_counts_byte_for_byte_and_never_the_new_one() {
    for iss in [
        "https://evil-old.example",
        "https://old.example.evil.test",
        "https://old.example/",
        "https://OLD.example",
        "http://old.example",
    ] {
        assert_eq!(of_claim("iss", json!(iss)), Err(PortTokenError::IssuerNotListed), "{iss}");
    }
    assert_eq!(of_claim("iss", Value::Null), Err(PortTokenError::Missing("iss")));
    assert_eq!(of_claim("iss", json!(NEW)), Err(PortTokenError::SameIssuer));
    let both = [OLD.to_owned(), NEW.to_owned()];
    let token = RSA.token(&header(), &with(claims(), "iss", json!(NEW)));
    let refused = PlausiblePortToken::check(&token, PortTokenRule { old_issuers: &both, ..rule() }, now()).err();
    assert_eq!(refused, Some(PortTokenError::SameIssuer), "even if it stands on its own list");
    // The twin: that too is what the operator says, and the pair is still needed.
    let settings = PortTokenSettings { allow_same_issuer: true, ..SETTINGS.clone() };
    let allowed = PortTokenRule { settings: &settings, ..rule() };
    let refused = PlausiblePortToken::check(&token, allowed, now()).err();
    assert_eq!(refused, Some(PortTokenError::IssuerNotListed));
    let plausible = PlausiblePortToken::check(&token, PortTokenRule { old_issuers: &both, ..allowed }, now()).unwrap();
    let former = plausible.verify(&key_set(&[RSA.jwk(KID)])).unwrap();
    assert_eq!((former.issuer(), former.subject()), (NEW, "310410-old"));
}

// S13
#[test]
fn a_subject_that_could_be_read_as_two_things_names_nobody() {
    for sub in ["", "a\r\nb", "a|b", "å", "a b", &"a".repeat(256)] {
        assert_eq!(of_claim("sub", json!(sub)), Err(PortTokenError::SubjectInvalid), "{sub:?}");
    }
    assert!(of_claim("sub", json!("a".repeat(255))).is_ok(), "the twin");
    assert_eq!(of_claim("sub", json!(7)), Err(PortTokenError::WrongType("sub")));
}

// S11
#[test]
fn every_shape_is_read_and_too_much_is_nothing() {
    let (most, most_bytes) = (SETTINGS.max_tokens, SETTINGS.max_bytes);
    assert_eq!((most, most_bytes), (8, 8 * 1024));
    let texts = |claim: Value| {
        presented(Some(&claim), &SETTINGS)
            .map(|tokens| tokens.iter().map(|token| token.expose().to_owned()).collect::<Vec<_>>())
    };
    for claim in [
        json!(["a"]),
        json!("a"),
        json!({ "port_token": "a" }),
        json!({ "port_token": ["a"] }),
        json!([{ "port_token": "a" }]),
    ] {
        assert_eq!(texts(claim.clone()), Ok(vec!["a".to_owned()]), "{claim}");
    }
    assert_eq!(presented(None, &SETTINGS).map(|tokens| tokens.len()), Ok(0));
    assert_eq!(texts(json!([])), Ok(Vec::new()));
    for claim in [json!(7), json!([7]), json!({}), json!({ "port_token": 7 }), json!([["a"]]), json!(true)] {
        assert_eq!(texts(claim.clone()), Err(PortTokenError::Shape), "{claim}");
    }
    assert_eq!(texts(json!(vec!["a"; most])).map(|tokens| tokens.len()), Ok(most));
    assert_eq!(texts(json!(vec!["a"; most + 1])), Err(PortTokenError::TooMany));
    assert!(texts(json!("a".repeat(most_bytes))).is_ok());
    assert_eq!(texts(json!("a".repeat(most_bytes + 1))), Err(PortTokenError::TooMany));
    assert_eq!(texts(json!(["a".repeat(most_bytes), "a"])), Err(PortTokenError::TooMany));
    // As many, and as long ones, as the operator says.
    let more = PortTokenSettings { max_tokens: most + 1, max_bytes: 2 * most_bytes, ..SETTINGS.clone() };
    let less = PortTokenSettings { max_tokens: 1, max_bytes: 2, ..SETTINGS.clone() };
    for (claim, at_most, fewest) in [
        (json!(vec!["a"; most + 1]), Ok(most + 1), Err(PortTokenError::TooMany)),
        (json!(vec!["a"; most + 2]), Err(PortTokenError::TooMany), Err(PortTokenError::TooMany)),
        (json!("a".repeat(2 * most_bytes)), Ok(1), Err(PortTokenError::TooMany)),
        (json!("a".repeat(2 * most_bytes + 1)), Err(PortTokenError::TooMany), Err(PortTokenError::TooMany)),
        (json!(["aa"]), Ok(1), Ok(1)),
    ] {
        let found = [&more, &less].map(|settings| presented(Some(&claim), settings).map(|tokens| tokens.len()));
        assert_eq!(found, [at_most, fewest]);
    }
}

/// The three sample tokens of the recorded documents: a port token, an access token and an `x-authorization`.
const SAMPLES: [&str; 3] = [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Inh4eHh4In0.eyJpc3MiOiJodHRwczovL2NjaWQub2xkbW5vLmNvbSIs\
     InN1YiI6Im1uY21jYy03NTk4NDczMTU4NzIzNGFzZGYiLCJpYXQiOjE1MTYyMzkwMjJ9.SHu1RNCsVMs5XNIgUvkaJwAErbuw23s\
     NjXgsFvwpr3w",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEyMzQ1In0.eyJpc3MiOiJodHRwczovL3hjaWp2LnQtbW9iaWxlLmNv\
     bSIsImlhdCI6IjE1NTI4NzU4ODIiLCJleHAiOiIxNTUyODc1ODgyIiwiYXVkIjoiY2NpZC1zcGFwcGxpY2F0aW9uMDAxIiwic3Vi\
     IjoiMzYwMjEwLTMzMnNmMjM0MzAxLTEyNDRqNDNnYmprczMzIiwiYWNyIjoiYWFsMyIsImFtciI6WyJod2siLCJmcHQiXSwiY25m\
     Ijp7Imt0eSI6IlJTQSIsIm4iOiJ3Z3c2aGs0Z1dNcUFmVS1SMnFNT1lIRHdTQ0lwYlMxY2pPTDZQRThZbXRYTTRLNU5seGgtYmVI\
     YkZxM0Z5RjQwR256Vy16eW5wVjJYVVZOLXJ5Q0FHbVFtZEFMT1M3WkF1UV9kX2lqdlR4U3hwQjhWb3RodU41MmtmWVRwNnlwWWpJ\
     em5maVVWSFFLWFdQSFA4R0NXdzhSaHJzTzF2WHR6TEN3QVJSQ3ZrNXowMVNiVHZDTWVfQllyaDBhS0ZuMU9hWWUzSlgwM3NycDNU\
     ZGdUYl9KanVtVWdZZ1FKT3JUZkJjS1pZN1BlbWY5eDV6RUxyVjlmd0JaREotWWZoTkJGZUFvQ3o3N1VXczM4NkZqWlNJbHhwb2xW\
     RlI2ek5jSjJ2WTBfNDhtLTJxTVpMWVpBRjItalRjZ2x2Mlo4YXVPVHM4dHU1R1hNUDEtRmtORURKcVlIMXciLCJlIjoiQVFBQiJ9\
     fQ.czReSZPxr5BbFt68_XSSrfbpyss6k5ZgKhM1gJj9_fU",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOiIxNTI0ODY3NDE1IiwiZXhwIjoiMTUyNDg3MTAxNSIsImFsZyI6InN\
     oYTI1NiIsImVodHMiOiJhdXRob3JpemF0aW9uIiwiZWR0cyI6IjZhZjNlYTlhOGIyMzdkNDQwZDIzNjdkNzQ2MmNjMmE1NjgzYmJ\
     mMjZhYjg0Y2EyMDZmNmMyY2ZkYTJhNTQ1NDIifQ.MzHzE4_IsOKe4w6JOKP21GrNqaaWomj3Y_SQzMaTGRs",
];

// The samples of the dossier's section 21 are what a gateway has to refuse.
#[test]
fn the_recorded_samples_are_no_port_tokens() {
    for sample in SAMPLES {
        let refused = PlausiblePortToken::check(&SecretString::new(sample.to_owned()), rule(), now()).err();
        assert_eq!(refused, Some(JwtError::AlgorithmNotAllowed.into()));
    }
}
