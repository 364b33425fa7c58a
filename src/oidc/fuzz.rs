//! Damaged documents for tests: every parser of a stranger's text gets thousands of them and may refuse, never panic.

/// A generator that repeats itself, so that a failure can be found again (xorshift64*).
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit.max(1)
    }
}

/// Calls `parse` with 3 000 changed copies of `seed`.
pub(crate) fn mutate(seed: &[u8], mut parse: impl FnMut(&[u8])) {
    const PIECES: [&[u8]; 20] = [
        b"\0",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b".",
        b"%",
        b"&",
        b"=",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"1e999",
        b"-9223372036854775809",
        b"null",
        b"\r\n",
        b"\xc3\xbc",
    ];
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3000 {
        let mut text = seed.to_vec();
        for _ in 0..=rng.below(4) {
            let place = rng.below(text.len());
            match rng.below(5) {
                0 => text.truncate(place),
                1 => drop(text.splice(place..place, PIECES[rng.below(PIECES.len())].iter().copied())),
                2 if place < text.len() => drop(text.remove(place)),
                3 if place < text.len() => text[place] ^= 1 << rng.below(8),
                _ => {
                    let end = (place + rng.below(40)).min(text.len());
                    let copy = text[place..end].to_vec();
                    drop(text.splice(place..place, copy));
                }
            }
        }
        parse(&text);
    }
}

mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;
    use crate::oidc::authorization::CallbackParams;
    use crate::oidc::id_token::{Expectation, UnverifiedIdToken};
    use crate::oidc::jwks::KeySet;
    use crate::oidc::metadata::ProviderMetadata;
    use crate::oidc::test_tokens::{P256, RSA, document, join, key_set};
    use crate::oidc::token::{TokenResponse, parse_error};
    use crate::secret::SecretString;

    #[test]
    fn bent_documents_are_refused_or_read_and_never_a_panic() {
        // C33, E05, L12
        let metadata = json!({
            "issuer": "https://a.test", "authorization_endpoint": "https://a.test/a?x=1", "mccmnc": 310_010,
            "token_endpoint": "https://a.test:8443/t",
        });
        mutate(metadata.to_string().as_bytes(), |body| drop(ProviderMetadata::parse(body)));
        mutate(&document(&[RSA.jwk("r"), P256.jwk("p")]), |body| drop(KeySet::parse(body)));
        let tokens = br#"{"access_token":"a","token_type":"Bearer","id_token":"a.b.c","expires_in":"1"}"#;
        mutate(tokens, |body| drop((TokenResponse::parse(body), parse_error(body))));
        let query = b"code=c%2B1&state=s%26&iss=https%3A%2F%2Fa.test&mccmnc=310010&error=x&login_hint_token=%41";
        mutate(query, |text| {
            let params = CallbackParams::parse(std::str::from_utf8(text).ok());
            drop(params.map(|params| params.into_response("https://a.test", true)));
        });
    }

    #[test]
    fn a_signed_token_with_bent_claims_never_panics_and_names_nobody_else() {
        // C33
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let keys = key_set(&[P256.jwk("k1")]);
        let algorithms = ["ES256".to_owned()];
        let expect = Expectation {
            issuer: "https://a.test",
            tenants: &Default::default(),
            client_id: "us",
            nonce: "n-1",
            algorithms: &algorithms,
            acr_values: &[],
            acr_vocabulary: Default::default(),
            require_acr: false,
            skew: Duration::from_secs(60),
            max_age: Some(Duration::from_secs(600)),
            accept_at_jwt_typ: false,
            access_token: None,
            trusted_audiences: &[],
        };
        let claims = json!({
            "iss": "https://a.test", "sub": "ann", "aud": ["us"], "nonce": "n-1", "exp": 1_800_000_300, "azp": "us",
            "iat": 1_799_999_999, "nbf": 1_799_999_999, "auth_time": 1_799_999_990, "acr": "a3", "amr": ["hwk"],
        });
        let part = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        let mut passed = 0;
        mutate(claims.to_string().as_bytes(), |claims| {
            let message = format!("{}.{}", part(br#"{"alg":"ES256","kid":"k1"}"#), part(claims));
            let raw = join(&message, &P256.sign("ES256", message.as_bytes()));
            if let Ok(token) =
                UnverifiedIdToken::parse(&raw, 1 << 18).and_then(|token| token.verify(&keys, &expect, now))
            {
                assert_eq!(token.issuer(), "https://a.test");
                passed += 1;
            }
        });
        assert!(passed > 0, "some bends are harmless");
        // Without the key no bend of the token's text passes.
        let raw = P256.token(&json!({"alg": "ES256", "kid": "k1"}), &claims);
        let judge = |raw: SecretString| {
            UnverifiedIdToken::parse(&raw, 1 << 18).and_then(|token| token.verify(&keys, &expect, now))
        };
        judge(raw.clone()).unwrap();
        mutate(raw.expose().as_bytes(), |text| {
            if let Ok(text) = std::str::from_utf8(text)
                && text != raw.expose()
            {
                judge(SecretString::new(text)).unwrap_err();
            }
        });
    }
}
