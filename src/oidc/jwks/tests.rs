use serde_json::json;

use super::*;
use crate::oidc::test_tokens::{ED25519, OTHER_RSA, P256, P384, P521, RSA, document, key_set};

fn with(mut entry: Value, name: &str, value: Value) -> Value {
    entry[name] = value;
    entry
}

fn without(mut entry: Value, name: &str) -> Value {
    entry.as_object_mut().unwrap().remove(name);
    entry
}

#[test]
fn every_kind_of_key_is_read() {
    let set = key_set(&[RSA.jwk("r"), P256.jwk("p"), P384.jwk("q"), P521.jwk("s"), ED25519.jwk("e")]);
    assert_eq!((set.len(), set.skipped(), set.alarming()), (5, 0, 0));
    assert!(set.has_kid("r") && set.has_kid("p") && set.has_kid("q") && set.has_kid("e"));
    assert!(set.has_kid("s") && !set.has_kid("R") && !set.has_kid(""));
    // XS21: a key without an id may be meant by any, but not by the empty one.
    let set = key_set(&[RSA.jwk("r"), without(OTHER_RSA.jwk(""), "kid")]);
    assert!(set.has_kid("R") && !set.names("R") && !set.has_kid(""));
    assert!(key_set(&[]).is_empty());
}

#[test]
fn one_bad_key_does_not_spoil_the_good_ones() {
    // E08
    let bad = [
        json!(null),
        json!("key"),
        json!([]),
        json!({}),
        json!({"kty": 7}),
        without(RSA.jwk("b"), "n"),
        without(RSA.jwk("b"), "e"),
        without(P256.jwk("b"), "y"),
        without(P256.jwk("b"), "crv"),
        with(RSA.jwk("b"), "n", json!("not base64!")),
        with(RSA.jwk("b"), "n", json!(7)),
        with(RSA.jwk("b"), "kid", json!(7)),
        with(RSA.jwk("b"), "kid", json!("b\0")),
        with(RSA.jwk("b"), "kid", json!("b".repeat(10_240))),
        with(RSA.jwk("b"), "alg", json!(7)),
        with(RSA.jwk("b"), "alg", json!("ES256")),
        with(RSA.jwk("b"), "use", json!(7)),
        with(RSA.jwk("b"), "key_ops", json!("verify")),
        with(P256.jwk("b"), "x", json!("AAAA")),
        with(P256.jwk("b"), "crv", json!("P-384")),
        with(ED25519.jwk("b"), "x", json!("AAAA")),
    ];
    for entry in &bad {
        let set = key_set(&[RSA.jwk("good"), entry.clone(), P256.jwk("fine")]);
        assert_eq!((set.len(), set.skipped(), set.alarming()), (2, 1, 0), "{entry}");
        assert!(set.has_kid("good") && set.has_kid("fine") && !set.has_kid("b"), "{entry}");
    }
    // An entry that names a member twice has two readings.
    let twice = String::from_utf8(document(&[RSA.jwk("good"), RSA.jwk("b")])).unwrap();
    let twice = twice.replacen(r#""kid":"b""#, r#""kid":"good","kid":"b""#, 1);
    let set = KeySet::parse(twice.as_bytes()).unwrap();
    assert_eq!((set.len(), set.skipped()), (1, 1));
}

#[test]
fn keys_that_anybody_could_sign_with_are_dropped() {
    // E08, RFC 7518, 3.3
    let modulus = |bytes: usize, low: u8| {
        let mut n = vec![0xc5; bytes];
        *n.last_mut().unwrap() = low;
        with(RSA.jwk("weak"), "n", json!(URL_SAFE_NO_PAD.encode(n)))
    };
    let exponent = |e: &[u8]| with(RSA.jwk("weak"), "e", json!(URL_SAFE_NO_PAD.encode(e)));
    let short = {
        let mut n = vec![0; 256];
        n[128..].fill(0xc5);
        with(RSA.jwk("weak"), "n", json!(URL_SAFE_NO_PAD.encode(n)))
    };
    let weak = [
        modulus(128, 0xc5),
        modulus(255, 0xc5),
        modulus(256, 0xc4),
        modulus(2048, 0xc5),
        short,
        exponent(&[1]),
        exponent(&[0, 0, 1]),
        exponent(&[2]),
        exponent(&[0]),
        exponent(&[]),
        exponent(&[1, 0, 0, 0, 1]),
    ];
    for entry in weak {
        let set = key_set(&[entry.clone(), RSA.jwk("good")]);
        assert_eq!((set.len(), set.skipped()), (1, 1), "{entry}");
        assert!(!set.has_kid("weak"));
    }
    assert_eq!(key_set(&[modulus(256, 0xc5), exponent(&[3]), exponent(&[0, 1, 0, 1])]).len(), 3);
}

#[test]
fn oversized_sets_are_refused() {
    // E09
    let keys = |count: usize| (0..count).map(|index| RSA.jwk(&index.to_string())).collect::<Vec<_>>();
    assert_eq!(KeySet::parse(&document(&keys(100))).unwrap().len(), 100);
    assert_eq!(KeySet::parse(&document(&keys(101))).unwrap_err(), KeySetError::TooManyKeys);
    let padded = |length: usize| {
        let mut body = document(&keys(1));
        body.resize(length, b' ');
        KeySet::parse(&body)
    };
    assert_eq!(padded(MAX_BYTES).unwrap().len(), 1);
    assert_eq!(padded(MAX_BYTES + 1).unwrap_err(), KeySetError::TooLarge);
    assert_eq!(padded(5 * 1024 * 1024).unwrap_err(), KeySetError::TooLarge);
}

#[test]
fn shared_and_private_keys_are_dropped_with_an_alarm() {
    // E10
    let mut alarming = vec![
        json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"}),
        json!({"kty": "oct", "kid": "s", "alg": "HS256", "use": "enc"}),
        json!({"kty": "AKP", "kid": "s", "priv": "AAAA"}),
        with(with(RSA.jwk("s"), "use", json!("enc")), "d", json!("AAAA")),
    ];
    for name in PRIVATE_MEMBERS {
        alarming.push(with(RSA.jwk("s"), name, json!("AAAA")));
        alarming.push(with(P256.jwk("s"), name, json!(null)));
        alarming.push(with(ED25519.jwk("s"), name, json!("")));
    }
    for entry in alarming {
        let set = key_set(&[RSA.jwk("good"), entry.clone()]);
        assert_eq!((set.len(), set.skipped(), set.alarming()), (1, 0, 1), "{entry}");
        assert!(!set.has_kid("s"));
    }
}

#[test]
fn keys_for_other_purposes_are_left_aside() {
    let others = [
        with(RSA.jwk("o"), "use", json!("enc")),
        with(RSA.jwk("o"), "use", json!("SIG")),
        with(RSA.jwk("o"), "key_ops", json!(["encrypt"])),
        with(RSA.jwk("o"), "alg", json!("RSA-OAEP")),
        with(RSA.jwk("o"), "alg", json!("HS256")),
        with(RSA.jwk("o"), "alg", json!("none")),
        with(P256.jwk("o"), "crv", json!("secp256k1")),
        json!({"kty": "AKP", "kid": "o", "alg": "ML-DSA-44", "pub": "AAAA"}),
    ];
    for entry in others {
        let set = key_set(&[entry.clone(), RSA.jwk("good")]);
        assert_eq!((set.len(), set.skipped(), set.alarming()), (1, 0, 0), "{entry}");
    }
    let set = key_set(&[
        with(RSA.jwk("k"), "key_ops", json!(["sign", "verify"])),
        with(P256.jwk("m"), "key_ops", json!([])),
        without(OTHER_RSA.jwk("l"), "use"),
    ]);
    assert_eq!(set.len(), 3);
}

#[test]
fn what_is_no_key_set_is_no_key_set() {
    // E05, C33
    let bombs = [
        format!(r#"{{"keys":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
        format!(r#"{{"keys":[],"x":{}1{}}}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000)),
    ];
    let noise =
        ["", "<html></html>", "[]", "null", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#];
    for body in noise.into_iter().chain(bombs.iter().map(String::as_str)) {
        assert_eq!(KeySet::parse(body.as_bytes()).unwrap_err(), KeySetError::NotAKeySet);
    }
}

// XS20, KC26
#[test]
fn padded_and_plain_base64_is_read_and_a_key_that_is_not_used_is_named() {
    let bent = |name: &str, bend: fn(&str) -> String| {
        let jwk = RSA.jwk("k");
        let text = bend(jwk[name].as_str().unwrap());
        key_set(&[with(jwk, name, json!(text))])
    };
    assert_eq!(bent("n", |n| format!("{n}==")).len(), 1);
    assert_eq!(bent("n", |n| n.replace('-', "+").replace('_', "/")).len(), 1);
    assert_eq!(bent("e", str::to_owned).len(), 1);
    for wrong in [
        |n: &str| format!("{n}="),
        |n: &str| format!("{n}===="),
        |n: &str| format!("{n}\n"),
        |n: &str| format!("+_{n}"),
    ] {
        let set = bent("n", wrong);
        let named = LeftOut { kid: Some("k".to_owned()), why: NO_BASE64 };
        assert_eq!((set.len(), set.left_out()), (0, [named].as_slice()));
    }
    let set = key_set(&[
        json!({"kty": "OKP", "kid": "g", "crv": "Ed448", "x": "AAAA"}),
        json!({"kty": "RSA", "x5c": ["AA"]}),
    ]);
    let why: Vec<_> = set.left_out().iter().map(|key| (key.kid.as_deref(), key.why)).collect();
    assert!(why[0].0 == Some("g") && why[0].1.contains("Ed448"), "{why:?}");
    assert!(why[1].0.is_none() && why[1].1.contains("missing"), "{why:?}");
    assert_eq!(key_set(&vec![json!({"kty": "RSA"}); 50]).left_out().len(), MAX_LEFT_OUT);
}
