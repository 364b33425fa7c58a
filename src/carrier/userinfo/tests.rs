use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::oidc::claims::{ClaimRules, NamedClaims};

fn text(text: &str) -> ClaimValue {
    ClaimValue::Text(text.to_owned())
}

fn claims(mut body: Value) -> BTreeMap<String, ClaimValue> {
    body["sub"] = json!("mccmnc-1");
    let answer = Answer::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.subject, "mccmnc-1");
    read_all(&answer)
}

/// What is read where the configuration names nothing.
fn read_all(answer: &Answer) -> BTreeMap<String, ClaimValue> {
    answer.claims(Reading { named: &NamedClaims::default(), rules: &ClaimRules::default() }).values
}

fn expected(pairs: &[(&str, ClaimValue)]) -> BTreeMap<String, ClaimValue> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn nested_and_flat_answers_say_the_same() {
    // C30, dossier 12.1
    let nested = claims(json!({
        "name": {"value": "Ann Lee", "given_name": "Ann", "family_name": "Lee"},
        "email": {"value": "ann@b.test", "verified": 1},
        "phone": {"value": "+13101234567", "verified": true},
        "postal_code": {"value": "90210-3456"},
        "birthdate": {"value": "1990-01-31"},
        "address": {"formatted": "1 Main St", "locality": "LA", "postal_code": "11111"},
    }));
    let flat = claims(json!({
        "name": "Ann Lee", "given_name": "Ann", "family_name": "Lee",
        "email": "ann@b.test", "email_verified": true,
        "phone_number": "+13101234567", "phone_number_verified": true,
        "zipcode": "90210-3456", "birthdate": "1990-01-31", "address": "1 Main St",
    }));
    assert_eq!(nested, flat);
    let all = expected(&[
        ("name", text("Ann Lee")),
        ("given_name", text("Ann")),
        ("family_name", text("Lee")),
        ("email", text("ann@b.test")),
        ("email_verified", ClaimValue::Bool(true)),
        ("phone_number", text("+13101234567")),
        ("phone_number_verified", ClaimValue::Bool(true)),
        ("postal_code", text("90210-3456")),
        ("birthdate", text("1990-01-31")),
        ("address", text("1 Main St")),
    ]);
    assert_eq!(nested, all);
}

#[test]
fn an_address_gives_its_postal_code_if_there_is_no_other() {
    for name in ["postal_code", "postalCode"] {
        let found = claims(json!({"address": {"formatted": "1 Main St", name: "90210"}}));
        assert_eq!(found, expected(&[("address", text("1 Main St")), ("postal_code", text("90210"))]));
    }
    let wrapped = claims(json!({"address": {"value": {"formatted": "1 Main St", "postal_code": "90210"}}}));
    assert_eq!(wrapped, expected(&[("address", text("1 Main St")), ("postal_code", text("90210"))]));
    assert_eq!(claims(json!({"address": {"value": "1 Main St"}})), expected(&[("address", text("1 Main St"))]));
    // PF10: an address without `formatted` is its parts.
    assert_eq!(claims(json!({"address": {"locality": "LA"}})), expected(&[("address", text("LA"))]));
    assert!(claims(json!({"address": {"planet": "Earth"}})).is_empty());
}

#[test]
fn what_was_not_granted_is_absent_and_no_error() {
    assert!(claims(json!({})).is_empty());
    let blank = json!({"email": {"value": ""}, "phone": {"verified": 1}, "name": {}, "address": null});
    assert!(claims(blank).is_empty());
    assert!(claims(json!({"email_verified": true, "phone_number_verified": 1})).is_empty(), "nothing to be verified");
    // MV01: the address may stand in the ID token.
    let no = expected(&[("email_verified", ClaimValue::Bool(false))]);
    assert_eq!(claims(json!({"email_verified": false})), no);
    assert_eq!(claims(json!({"email": "", "email_verified": "false"})), no);
}

#[test]
fn verified_means_that_everybody_who_speaks_says_yes() {
    // C29
    let verdict = |body: Value| match claims(body).get("email_verified") {
        Some(ClaimValue::Bool(verified)) => Some(*verified),
        Some(other) => panic!("{other:?}"),
        None => None,
    };
    let nested = |verified: Value| verdict(json!({"email": {"value": "a@b.test", "verified": verified}}));
    assert_eq!(nested(json!(1)), Some(true));
    assert_eq!(nested(json!(true)), Some(true));
    assert_eq!(nested(json!("true")), Some(true));
    for no in
        [json!(0), json!(2), json!(-1), json!(false), json!("True"), json!("1"), json!(null), json!([1]), json!(1.5)]
    {
        assert_eq!(nested(no), Some(false));
    }
    assert_eq!(verdict(json!({"email": "a@b.test"})), None);
    assert_eq!(verdict(json!({"email": "a@b.test", "email_verified": 1})), Some(true));
    // XS14, PF05: Cognito and Apple write the boolean as text.
    assert_eq!(verdict(json!({"email": "a@b.test", "email_verified": "true"})), Some(true));
    assert_eq!(verdict(json!({"email": "a@b.test", "email_verified": "false"})), Some(false));
    let mixed = |nested: Value, flat: Value| {
        verdict(json!({"email": {"value": "a@b.test", "verified": nested}, "email_verified": flat}))
    };
    assert_eq!(mixed(json!(1), json!(true)), Some(true));
    assert_eq!(mixed(json!(0), json!(true)), Some(false));
    assert_eq!(mixed(json!(1), json!(false)), Some(false));
    assert_eq!(mixed(json!("true"), json!("false")), Some(false));
}

#[test]
fn one_attributes_voucher_is_not_anothers() {
    let two = claims(json!({"phone_number": "+1555", "phone": {"value": "+1666", "verified": 1}}));
    assert_eq!(two, expected(&[("phone_number", text("+1555"))]));
}

#[test]
fn other_plain_claims_pass_and_nested_ones_do_not() {
    let found = claims(json!({
        "preferred_username": "ann", "groups": ["x", "y"], "is_adult_18": true, "age": 42,
        "last_4_social": {"value": "1234"}, "nested": {"a": "b"}, "deep": {"value": {"value": "x"}}, "mixed": [1, "x"],
        "nonce": "n", "acr": "a3", "iss": "https://e.test", "aka": ["t"], "exp": 7,
    }));
    let plain = expected(&[
        ("preferred_username", text("ann")),
        ("groups", ClaimValue::List(vec!["x".into(), "y".into()])),
        ("is_adult_18", ClaimValue::Bool(true)),
        ("age", ClaimValue::Integer(42)),
        ("last_4_social", text("1234")),
        // PF01: a number in a list is its text.
        ("mixed", ClaimValue::List(vec!["1".into(), "x".into()])),
    ]);
    assert_eq!(found, plain);
}

#[test]
fn an_answer_is_bounded() {
    // C30, C33
    let mut body = json!({"email": "a@b.test", "huge": "x".repeat(1024 * 1024)});
    for index in 0..1000 {
        body[format!("a{index}")] = json!(index);
    }
    let found = claims(body);
    assert_eq!(found.len(), 64);
    assert!(found.contains_key("email"), "what we know comes before what we do not");
}

#[test]
fn an_answer_that_is_no_plain_object_is_refused() {
    // C28
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtY2NtbmMtMSJ9.";
    let deep = format!(r#"{{"sub":"x","a":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [jwt, "", "[]", "null", "<html>", r#"{"sub":"a","sub":"b"}"#, "\u{feff}{\"sub\":\"a\"}", &deep];
    for body in bodies.into_iter().chain([format!("\"{jwt}\"").as_str()]) {
        assert_eq!(Answer::parse(body.as_bytes()).unwrap_err(), UserInfoFault::NotAnObject);
    }
}

#[test]
fn an_answer_without_a_subject_is_about_nobody() {
    // C27 (part): the comparison is the caller's
    for sub in [json!(null), json!(""), json!(7), json!({"value": "x"}), json!("a\nb"), json!("s".repeat(256))] {
        let body = json!({"sub": sub}).to_string();
        assert_eq!(Answer::parse(body.as_bytes()).unwrap_err(), UserInfoFault::Subject);
    }
    assert_eq!(Answer::parse(b"{}").unwrap_err(), UserInfoFault::Subject);
    assert_eq!(Answer::parse(br#"{"sub":"x"}"#).unwrap().subject, "x");
}

#[test]
fn bent_answers_are_refused_or_read_and_never_a_panic() {
    // C33
    let body = json!({
        "sub": "x", "name": {"value": "Ann", "given_name": "A"}, "email": {"value": "a@b.test", "verified": 1},
        "phone": "+1555", "address": {"formatted": "x", "postalCode": "1"}, "groups": ["x"],
    });
    crate::oidc::fuzz::mutate(body.to_string().as_bytes(), |body| {
        drop(Answer::parse(body).map(|answer| read_all(&answer)));
    });
}
