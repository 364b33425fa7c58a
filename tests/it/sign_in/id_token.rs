//! C: what a carrier says about a person is believed only whole. Each bend is made by an otherwise honest carrier, and
//! each is followed by the same carrier telling the truth.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use zengate_simulator::{AutoConsent, CarrierRules, Factor, Signature};

use super::{assert_refused, at_once, is_signed_in, starts, token_calls, userinfo_calls};
use crate::support::browser::Browser;
use crate::support::rig::{CLIENT_ID, Choices, Rig};
use crate::support::upstream::Upstream;

type Bend = Box<dyn Fn(&mut CarrierRules)>;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claim(name: &'static str, value: Value) -> (String, Bend) {
    let label = format!("{name} = {}", &value.to_string().chars().take(60).collect::<String>());
    (label, Box::new(move |rules| drop(rules.id_token_claims.insert(name.to_owned(), value.clone()))))
}

fn no_claim(name: &'static str) -> (String, Bend) {
    (format!("no {name}"), Box::new(move |rules| rules.id_token_omit.push(name.to_owned())))
}

fn head(name: &'static str, value: Value) -> (String, Bend) {
    let label = format!("header {name} = {}", &value.to_string().chars().take(60).collect::<String>());
    (label, Box::new(move |rules| drop(rules.id_token_header.insert(name.to_owned(), value.clone()))))
}

fn signed(how: Signature) -> (String, Bend) {
    (format!("{how:?}"), Box::new(move |rules| rules.id_token_signature = how))
}

/// A rig in which Maya signs in at once, and which `choices` the operator made.
async fn rig() -> Rig {
    let rig = Rig::start().await;
    at_once(&rig, "maya");
    rig
}

/// Signs in with a carrier that is bent, then with the same carrier telling the truth.
async fn refuse_and_then_accept(rig: &Rig, bends: Vec<(String, Bend)>) {
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for (what, bend) in bends {
        let honest = aurora.rules();
        let (tokens, userinfo, seen) = (token_calls(rig), userinfo_calls(rig), rig.upstream.count());
        let done = rig.app().metrics().sign_ins.with_label_values(&["completed"]).get();
        aurora.set(bend);
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_eq!(page.status, 502, "{what}: {}", page.body);
        assert_refused(&page, 502, "provider_invalid");
        assert!(!is_signed_in(rig, &browser).await && starts(&browser) == 0, "{what}");
        assert_eq!(token_calls(rig), tokens + 1, "{what}: the code is redeemed once");
        assert_eq!(userinfo_calls(rig), userinfo, "{what}: userinfo was asked");
        assert_eq!(rig.upstream.count(), seen, "{what}: the upstream was reached");
        assert_eq!(rig.app().metrics().sign_ins.with_label_values(&["completed"]).get(), done, "{what}");
        aurora.set(|rules| *rules = honest);
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "the honest twin of {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_for_somebody_else_or_from_somebody_else_is_refused() {
    // B10, C02–C06
    let rig = rig().await;
    let tangent = rig.simulator.carrier("tangent").unwrap().issuer();
    let own = rig.simulator.carrier("aurora").unwrap().issuer();
    refuse_and_then_accept(
        &rig,
        vec![
            claim("iss", "https://evil.test".into()),
            claim("iss", tangent.into()),
            claim("iss", format!("{own}/").into()),
            claim("iss", json!(7)),
            claim("iss", json!([own])),
            no_claim("iss"),
            claim("aud", "ccid-somebodyelse0001".into()),
            claim("aud", json!([])),
            claim("aud", json!([CLIENT_ID, "ccid-somebodyelse0001"])),
            claim("aud", json!({ "a": CLIENT_ID })),
            claim("aud", json!([CLIENT_ID, 7])),
            claim("aud", Value::Null),
            no_claim("aud"),
            claim("azp", "ccid-somebodyelse0001".into()),
            claim("azp", json!(7)),
            no_claim("sub"),
            claim("sub", "".into()),
            claim("sub", json!(7)),
            claim("sub", Value::Null),
            claim("sub", "s".repeat(256).into()),
            claim("sub", "a\u{0}b".into()),
            claim("sub", "a\r\nX-Auth-Sub: root".into()),
            claim("nonce", "another".into()),
            claim("nonce", "".into()),
            claim("nonce", Value::Null),
            no_claim("nonce"),
        ],
    )
    .await;
    // C04: together with a party that is not trusted also when we are the authorized one.
    let both: Bend = Box::new(|rules| {
        rules.id_token_claims.insert("aud".into(), json!([CLIENT_ID, "ccid-somebodyelse0001"]));
        rules.id_token_claims.insert("azp".into(), CLIENT_ID.into());
    });
    refuse_and_then_accept(&rig, vec![("aud of two, azp ours".into(), both)]).await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    for (name, value) in [("aud", json!([CLIENT_ID])), ("azp", CLIENT_ID.into()), ("sub", "s".repeat(255).into())] {
        aurora.set(|rules| {
            rules.id_token_claims = [(name.to_owned(), value.clone())].into_iter().collect();
            rules.userinfo = rules.id_token_claims.clone();
        });
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "{name} = {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_from_another_time_is_refused() {
    // C07–C11, N05
    let rig = rig().await;
    refuse_and_then_accept(
        &rig,
        vec![
            no_claim("iat"),
            no_claim("exp"),
            claim("exp", json!(now() - 90)),
            claim("exp", json!("2099-01-01")),
            claim("exp", json!((now() + 600).to_string())),
            claim("exp", Value::Null),
            claim("iat", json!(now() + 3_600)),
            claim("iat", json!(now() - 3_600)),
            claim("iat", json!("now")),
            claim("nbf", json!(now() + 3_600)),
            claim("nbf", json!("tomorrow")),
            claim("iat", Value::Null),
            // Attacks, class E: beyond every calendar.
            claim("exp", json!(u64::MAX)),
            claim("exp", json!(now() * 1000)),
        ],
    )
    .await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let twins = [("exp", now() - 30), ("iat", now() + 30), ("nbf", now() + 30), ("iat", now() - 300)];
    for (name, at) in twins {
        // C09
        aurora.set(|rules| rules.id_token_claims = [(name.to_owned(), json!(at))].into_iter().collect());
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_the_carriers_own_key_did_not_sign_is_refused() {
    // C12–C15, C17, C20, C22
    let rig = rig().await;
    let mut bends = vec![
        signed(Signature::Broken),
        signed(Signature::ForeignKey),
        signed(Signature::Hs256),
        signed(Signature::None),
        head("crit", json!(["exp2"])),
        head("crit", json!([])),
        head("typ", "logout+jwt".into()),
        head("typ", "port_token+jwt".into()),
        head("typ", "at+jwt".into()),
        head("typ", "application/at+jwt".into()),
        head("typ", json!(7)),
    ];
    for algorithm in ["none", "None", "NONE", "nOnE", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", ""]
    {
        bends.push(head("alg", algorithm.into()));
    }
    for kid in ["../../etc/passwd", "' OR 1=1 --", "a\u{0}b", "unknown"] {
        bends.push(head("kid", kid.into()));
    }
    bends.push(head("kid", "k".repeat(10_000).into()));
    bends.push(head("kid", json!(7)));
    refuse_and_then_accept(&rig, bends).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_token_brings_along_is_not_looked_at() {
    // C16
    let rig = rig().await;
    let trap = Upstream::start().await;
    let address = format!("http://{}/keys", trap.address);
    let bend = |name: &'static str, value: Value| -> (String, Bend) {
        let bend: Bend = Box::new(move |rules| {
            rules.id_token_signature = Signature::ForeignKey;
            rules.id_token_header.insert(name.to_owned(), value.clone());
        });
        (name.to_owned(), bend)
    };
    let key = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
    refuse_and_then_accept(
        &rig,
        vec![
            bend("jku", address.clone().into()),
            bend("x5u", address.into()),
            bend("jwk", key),
            bend("x5c", json!(["MIIB"])),
        ],
    )
    .await;
    assert_eq!(trap.count(), 0, "nobody asked the attacker for keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_kid_is_tried_with_the_keys_at_hand_after_a_rotation_too() {
    // C18, C19, E02
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.id_token_header_omit.push("kid".into()));
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    aurora.rotate_keys(true).await.unwrap();
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "signed by a key that is not at hand yet");
    aurora.set(|rules| rules.id_token_signature = Signature::Broken);
    assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_response_is_refused() {
    // C21, C23, C33
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let body = |body: &str| -> Bend {
        let body = body.to_owned();
        Box::new(move |rules| drop(rules.body.insert("token".into(), body.clone())))
    };
    let member = |name: &'static str, value: Value| -> Bend {
        Box::new(move |rules| drop(rules.token_response.insert(name.to_owned(), value.clone())))
    };
    let without =
        |name: &'static str| -> Bend { Box::new(move |rules| rules.token_response_omit.push(name.to_owned())) };
    let claims: Map<String, Value> = json!({ "sub": "x" }).as_object().unwrap().clone();
    let nested = aurora.sign(json!({ "cty": "JWT" }).as_object().unwrap().clone(), claims).await.unwrap();
    let bends: Vec<(&str, Bend)> = vec![
        ("an array", body("[]")),
        ("HTML", body("<html>ok</html>")),
        ("nothing", body("")),
        (
            "a byte order mark",
            body("\u{feff}{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"id_token\":\"a.b.c\"}"),
        ),
        (
            "doubled members",
            body(r#"{"id_token":"a.b.c","id_token":"a.b.c","access_token":"a","token_type":"Bearer"}"#),
        ),
        ("text after it", body(r#"{"id_token":"a.b.c","access_token":"a","token_type":"Bearer"}x"#)),
        ("ten thousand brackets", body(&"[".repeat(10_000))),
        ("ten thousand braces", body(&"{\"a\":".repeat(10_000))),
        ("five megabytes", body(&format!("{{\"id_token\":\"{}\"}}", "a".repeat(5_000_000)))),
        ("another token type", member("token_type", "mac".into())),
        ("no ID token", without("id_token")),
        ("no access token", without("access_token")),
        ("an ID token of null", member("id_token", Value::Null)),
        ("an ID token of numbers", member("id_token", json!(7))),
        ("an encrypted ID token", member("id_token", "a.b.c.d.e".into())),
        ("a nested ID token", member("id_token", nested.into())),
        ("two dots and nothing", member("id_token", "..".into())),
    ];
    let bends = bends.into_iter().map(|(what, bend)| (what.to_owned(), bend)).collect();
    refuse_and_then_accept(&rig, bends).await;
    refuse_and_then_accept(&rig, vec![claim("bulk", "x".repeat(1_000_000).into())]).await;
    // A refusal is one whatever its status is.
    let refusal = r#"{"error":"invalid_grant","id_token":"a.b.c","access_token":"a","token_type":"Bearer"}"#;
    for refusal in [body(refusal), member("error", "server_error".into())] {
        let honest = aurora.rules();
        aurora.set(refusal);
        assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_refused");
        aurora.set(|rules| *rules = honest);
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_names_its_own_access_token_or_none() {
    // C24
    let rig = rig().await;
    refuse_and_then_accept(
        &rig,
        vec![
            claim("at_hash", "bm90IHRoZSBoYXNoIG9mIA".into()),
            claim("at_hash", json!(7)),
            claim("at_hash", "".into()),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weaker_sign_in_than_asked_for_is_no_sign_in() {
    // C25
    let choices = |zenkey: &str| Choices { zenkey: zenkey.to_owned(), ..Choices::default() };
    let strict = Rig::with(choices("    acr_values: [a3]\n    require_acr: true\n")).await;
    let lenient = Rig::with(choices("    acr_values: [a3]\n    require_acr: false\n")).await;
    for rig in [&strict, &lenient] {
        at_once(rig, "maya");
        let aurora = rig.simulator.carrier("aurora").unwrap();
        for acr in [None, Some("a1"), Some("aal1"), Some("a33"), Some("a3 a1"), Some("loa3")] {
            aurora.set(|rules| {
                rules.auto_consent = Some(AutoConsent { factor: Factor::Approve, ..AutoConsent::default() });
                rules.id_token_claims = acr.map(|acr| ("acr".to_owned(), acr.into())).into_iter().collect();
                rules.id_token_omit = if acr.is_none() { vec!["acr".into()] } else { vec![] };
            });
            let browser = Browser::new();
            let page = browser.go(rig.url("/app")).await;
            if std::ptr::eq(rig, &raw const strict) {
                assert_refused(&page, 403, "acr_unmet");
                assert!(!is_signed_in(rig, &browser).await);
                assert_eq!(userinfo_calls(rig) + rig.upstream.count() as u64, 0);
            } else {
                assert_eq!(page.status, 200, "{acr:?}");
            }
        }
        at_once(rig, "maya");
        aurora.set(|rules| (rules.id_token_claims, rules.id_token_omit) = Default::default());
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        assert_eq!(aurora.last("authorize").unwrap().parameter("acr_values"), Some("a3"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn userinfo_about_somebody_else_or_unreadable_is_no_sign_in() {
    // C27, C28, N04
    let rig = rig().await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    let claims = json!({ "iss": "https://evil.test", "sub": "x", "aud": "somebody" });
    let jwt = aurora.sign(Map::new(), claims.as_object().unwrap().clone()).await.unwrap();
    let bends: Vec<(&str, Bend)> = vec![
        ("another subject", Box::new(|rules| drop(rules.userinfo.insert("sub".into(), "310410-somebodyelse".into())))),
        ("no subject", Box::new(|rules| rules.userinfo_omit.push("sub".into()))),
        ("an empty subject", Box::new(|rules| drop(rules.userinfo.insert("sub".into(), "".into())))),
        ("a subject of null", Box::new(|rules| drop(rules.userinfo.insert("sub".into(), Value::Null)))),
        ("a signed answer", Box::new(move |rules| drop(rules.body.insert("userinfo".into(), jwt.clone())))),
        (
            "an unsigned answer",
            Box::new(|rules| drop(rules.body.insert("userinfo".into(), "eyJhbGciOiJub25lIn0.e30.".into()))),
        ),
        ("an array", Box::new(|rules| drop(rules.body.insert("userinfo".into(), "[]".into())))),
        ("an outage", Box::new(|rules| rules.status = [("userinfo".to_owned(), 500)].into())),
        ("an overload", Box::new(|rules| rules.status = [("userinfo".to_owned(), 503)].into())),
        ("a refusal", Box::new(|rules| rules.status = [("userinfo".to_owned(), 401)].into())),
    ];
    for (what, bend) in bends {
        let honest = aurora.rules();
        aurora.set(bend);
        let seen = rig.upstream.count();
        let browser = Browser::new();
        let page = browser.go(rig.url("/app")).await;
        assert_eq!(page.status, 502, "{what}");
        assert_refused(&page, 502, "provider_invalid");
        assert!(!is_signed_in(&rig, &browser).await);
        assert_eq!(rig.upstream.count(), seen);
        aurora.set(|rules| *rules = honest);
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200, "the honest twin of {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subject_at_two_carriers_is_two_people() {
    // C31
    let rig = rig().await;
    let mut seen = Vec::new();
    for (carrier, person) in [("aurora", "maya"), ("tangent", "ines")] {
        at_once(&rig, person);
        rig.simulator.carrier(carrier).unwrap().set(|rules| {
            rules.id_token_claims.insert("sub".into(), "the-same".into());
            rules.userinfo.insert("sub".into(), "the-same".into());
        });
        assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
        let request = rig.upstream.last();
        seen.push((request.one("x-auth-sub").unwrap(), request.one("x-auth-issuer").unwrap()));
    }
    assert_eq!(seen[0].0, seen[1].0);
    assert_ne!(seen[0].1, seen[1].1, "the issuer tells them apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_token_goes_into_a_header_and_nowhere_else() {
    // C01, D12
    let rig = rig().await;
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    let asked = rig.simulator.carrier("aurora").unwrap().last("userinfo").unwrap();
    assert!(asked.header("authorization").unwrap().starts_with("Bearer "));
    assert!(asked.parameter("access_token").is_none() && asked.method == "GET");
}
