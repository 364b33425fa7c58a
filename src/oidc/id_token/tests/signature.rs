//! Who signed it: algorithms, keys, and the spelling of what was signed.

use super::*;

#[test]
fn an_unsigned_token_is_refused_in_every_spelling() {
    // C12
    for alg in ["none", "None", "NONE", "nOnE", "", "none "] {
        let token = honest().header("alg", json!(alg)).bend(|t| t.algorithms.push(alg.into()));
        let message = message(&token.header, &token.claims);
        for signature in [&b""[..], b"x", &RSA.sign("RS256", message.as_bytes())] {
            assert_eq!(token.judge(&join(&message, signature)).unwrap_err(), TokenError::AlgorithmNotAllowed, "{alg}");
        }
    }
    let token = honest();
    let raw = join(&message(&token.header, &token.claims), b"");
    assert_eq!(token.judge(&raw).unwrap_err(), TokenError::Malformed, "RS256 without a signature");
    for wrong in [json!(null), json!(256), json!(["RS256"])] {
        assert_eq!(honest().header("alg", wrong).fails(), TokenError::Malformed);
    }
    let token = honest().bend(|t| drop(t.header.as_object_mut().unwrap().remove("alg")));
    assert_eq!(token.fails(), TokenError::Malformed);
}

#[test]
fn a_bent_signature_or_message_is_refused() {
    // C13
    let pairs: [(&str, &Pair); 7] = [
        ("RS256", &RSA),
        ("PS256", &RSA),
        ("ES256", &P256),
        ("ES384", &P384),
        ("ES512", &P521),
        ("EdDSA", &ED25519),
        ("Ed25519", &ED25519),
    ];
    for (alg, pair) in pairs {
        let token = honest().header("alg", json!(alg)).bend(|t| {
            t.algorithms = vec![alg.into()];
            t.keys = vec![pair.jwk("k1")];
        });
        token.signed_by(pair).unwrap();
        let message = message(&token.header, &token.claims);
        let signature = pair.sign(alg, message.as_bytes());
        for bit in [0, 7, signature.len() * 4, signature.len() * 8 - 1] {
            let mut bent = signature.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(token.judge(&join(&message, &bent)).unwrap_err(), TokenError::SignatureInvalid, "{alg} {bit}");
        }
        for wrong in [&signature[1..], &[signature.as_slice(), b"x"].concat(), &vec![0; signature.len()]] {
            assert_eq!(token.judge(&join(&message, wrong)).unwrap_err(), TokenError::SignatureInvalid, "{alg}");
        }
        let other = honest().header("alg", json!(alg)).claim("sub", json!("victim"));
        let swapped = join(&crate::oidc::test_tokens::message(&other.header, &other.claims), &signature);
        assert_eq!(token.judge(&swapped).unwrap_err(), TokenError::SignatureInvalid, "{alg}");
    }
    assert_eq!(honest().signed_by(&OTHER_RSA).unwrap_err(), TokenError::SignatureInvalid);
}

#[test]
fn the_text_of_a_token_has_one_spelling() {
    // C13
    let token = honest();
    let raw = RSA.token(&token.header, &token.claims);
    token.judge(&raw).unwrap();
    let text = raw.expose();
    let bent =
        [format!("{text}="), format!("{text}\n"), format!(" {text}"), format!("{text}."), text.replacen('.', "..", 1)];
    for bent in bent {
        assert!(token.judge(&SecretString::new(bent)).is_err());
    }
    // The last character of a 256-byte signature has unused bits: the other spellings of it are refused.
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
    let good = spellings.filter(|last| {
        let raw = SecretString::new(format!("{}{last}", &text[..text.len() - 1]));
        token.judge(&raw).is_ok()
    });
    assert_eq!(good.count(), 1);
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // C14
    let jwk = RSA.jwk("k1");
    let der = RSA.public_der();
    let body = base64::engine::general_purpose::STANDARD.encode(&der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let n = jwk["n"].as_str().unwrap();
    let secrets = [pem.trim_end().as_bytes().to_vec(), pem.into_bytes(), der, jwk.to_string().into_bytes(), n.into()];
    for secret in secrets.into_iter().chain([URL_SAFE_NO_PAD.decode(n).unwrap(), vec![], b"secret".to_vec()]) {
        for alg in ["HS256", "HS384", "HS512", "hs256"] {
            // Even a configuration that lists it cannot allow it (Q04 refuses such a configuration earlier).
            let token = honest().header("alg", json!(alg)).bend(|t| {
                t.algorithms.push(alg.into());
                let k = URL_SAFE_NO_PAD.encode(&secret);
                t.keys.push(json!({"kty": "oct", "kid": "k1", "alg": "HS256", "k": k}));
            });
            let message = message(&token.header, &token.claims);
            let raw = join(&message, &hmac_sha256(&secret, message.as_bytes()));
            assert_eq!(token.judge(&raw).unwrap_err(), TokenError::AlgorithmNotAllowed);
            // The same bytes under a header that says RS256.
            let token = honest();
            let message = crate::oidc::test_tokens::message(&token.header, &token.claims);
            let raw = join(&message, &hmac_sha256(&secret, message.as_bytes()));
            assert_eq!(token.judge(&raw).unwrap_err(), TokenError::SignatureInvalid);
        }
    }
}

#[test]
fn only_configured_algorithms_count_even_if_the_key_is_there() {
    // C15
    for alg in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        assert_eq!(honest().header("alg", json!(alg)).fails(), TokenError::AlgorithmNotAllowed, "{alg}");
        honest().header("alg", json!(alg)).bend(|t| t.algorithms = vec![alg.into()]).passes();
    }
    let es = || honest().header("alg", json!("ES256")).bend(|t| t.keys = vec![P256.jwk("k1"), RSA.jwk("k1")]);
    assert_eq!(es().signed_by(&P256).unwrap_err(), TokenError::AlgorithmNotAllowed);
    es().bend(|t| t.algorithms.push("ES256".into())).signed_by(&P256).unwrap();
    assert_eq!(honest().bend(|t| t.algorithms.clear()).fails(), TokenError::AlgorithmNotAllowed);
    assert_eq!(honest().bend(|t| t.algorithms = vec!["rs256".into()]).fails(), TokenError::AlgorithmNotAllowed);
}

#[test]
fn a_key_is_used_for_its_own_algorithm_only() {
    // C15 (RFC 7517, 4.4)
    let pinned = |alg: &str| {
        let mut jwk = RSA.jwk("k1");
        jwk["alg"] = json!(alg);
        honest().bend(|t| t.keys = vec![jwk])
    };
    pinned("RS256").passes();
    // PF10: another size of hash under the same padding.
    pinned("RS512").passes();
    assert_eq!(pinned("PS256").fails(), TokenError::UnknownKey);
    assert_eq!(pinned("RSA-OAEP").fails(), TokenError::UnknownKey);
    // An EC key under the kid of an RSA token, and a curve that is not the algorithm's.
    assert_eq!(honest().bend(|t| t.keys = vec![P256.jwk("k1")]).fails(), TokenError::UnknownKey);
    let token = honest().header("alg", json!("ES256")).bend(|t| {
        t.keys = vec![P384.jwk("k1")];
        t.algorithms = vec!["ES256".into(), "ES384".into()];
    });
    assert_eq!(token.signed_by(&P384).unwrap_err(), TokenError::UnknownKey);
}

#[test]
fn a_token_cannot_bring_its_own_key() {
    // C16
    let members = [
        ("jwk", OTHER_RSA.jwk("k1")),
        ("jku", json!("https://e.test/jwks")),
        ("x5u", json!("https://e.test/cert")),
        ("x5c", json!([base64::engine::general_purpose::STANDARD.encode(OTHER_RSA.public_der())])),
    ];
    for (name, value) in members {
        let token = honest().header(name, value);
        assert_eq!(token.signed_by(&OTHER_RSA).unwrap_err(), TokenError::SignatureInvalid, "{name}");
        token.passes();
        let unknown = token.header("kid", json!("theirs"));
        assert_eq!(unknown.signed_by(&OTHER_RSA).unwrap_err(), TokenError::UnknownKey, "{name}");
    }
}

#[test]
fn a_hostile_kid_finds_nothing() {
    // C17
    for kid in ["../../etc/passwd", "' OR 1=1 --", "K1", "k1 ", "k2", "%6b1", "*"] {
        assert_eq!(honest().header("kid", json!(kid)).fails(), TokenError::UnknownKey, "{kid}");
    }
    for kid in
        [json!("k1\0"), json!("\r\n"), json!(""), json!("k".repeat(10_240)), json!(1), json!(null), json!(["k1"])]
    {
        assert_eq!(honest().header("kid", kid).fails(), TokenError::Malformed);
    }
    let raw = RSA.token(&honest().header, &honest().claims);
    assert_eq!(UnverifiedIdToken::parse(&raw, LONGEST).unwrap().kid(), Some("k1"));
}

#[test]
fn without_a_kid_a_single_key_will_do() {
    // C18
    honest().no_kid().passes();
    honest().no_kid().bend(|t| t.keys = vec![RSA.jwk("other name")]).passes();
    assert_eq!(honest().no_kid().bend(|t| t.keys.clear()).fails(), TokenError::UnknownKey);
    assert_eq!(honest().no_kid().signed_by(&OTHER_RSA).unwrap_err(), TokenError::SignatureInvalid);
}

#[test]
fn without_a_kid_exactly_one_of_several_keys_must_verify() {
    // C19
    let several = || honest().no_kid().bend(|t| t.keys = vec![OTHER_RSA.jwk("a"), P256.jwk("b"), RSA.jwk("c")]);
    several().passes();
    assert_eq!(several().bend(|t| drop(t.keys.pop())).fails(), TokenError::SignatureInvalid);
    // One key under two names is still one key.
    several().bend(|t| t.keys.push(RSA.jwk("d"))).passes();
    // The ninth fitting key is not tried; keys of another kind do not count.
    let crowd = |wrong: u8| {
        honest().no_kid().bend(|t| {
            t.keys = (0..wrong).map(other_numbers).chain([P256.jwk("p"), RSA.jwk("k1")]).collect();
        })
    };
    crowd(7).passes();
    assert_eq!(crowd(8).fails(), TokenError::SignatureInvalid);
    // With a kid the crowd does not matter.
    crowd(50).header("kid", json!("k1")).passes();
}

/// A well-formed RSA key that signed nothing.
fn other_numbers(index: u8) -> Value {
    let mut n = [0xab; 256];
    n[100] = index;
    json!({"kty": "RSA", "kid": format!("wrong{index}"), "n": URL_SAFE_NO_PAD.encode(n), "e": "AQAB"})
}

#[test]
fn a_kid_used_twice_finds_the_key_that_fits() {
    // C19, E01
    honest().bend(|t| t.keys = vec![OTHER_RSA.jwk("k1"), RSA.jwk("k1")]).passes();
    assert_eq!(
        honest().bend(|t| t.keys = vec![OTHER_RSA.jwk("k1"), RSA.jwk("k2")]).fails(),
        TokenError::SignatureInvalid
    );
}

// XS21
#[test]
fn a_kid_that_no_key_has_may_mean_one_without_a_name_and_never_one_with_another() {
    let nameless = |pair: &Pair| {
        let mut jwk = pair.jwk("");
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let with = |keys: Vec<Value>| honest().bend(|token| token.keys = keys);
    with(vec![nameless(&RSA)]).passes();
    with(vec![OTHER_RSA.jwk("k2"), nameless(&RSA)]).passes();
    assert_eq!(with(vec![nameless(&OTHER_RSA)]).fails(), TokenError::SignatureInvalid);
    assert_eq!(with(vec![RSA.jwk("k2")]).fails(), TokenError::UnknownKey);
    assert_eq!(with(vec![RSA.jwk("k2"), nameless(&OTHER_RSA)]).fails(), TokenError::SignatureInvalid);
    // Where the name is known, it counts.
    assert_eq!(with(vec![OTHER_RSA.jwk("k1"), nameless(&RSA)]).fails(), TokenError::SignatureInvalid);
}
