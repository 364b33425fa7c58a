//! An access token, the key it is signed with, and the ways to check it: as the gateway does, the signature as the JWT
//! library does it for the gateway, and the bare signature with a key parsed each time and with one parsed before. And
//! the set of keys it is looked for in.

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::Criterion;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};
use zengate::oidc::access_token::{AccessTokenRule, UnverifiedAccessToken};
use zengate::oidc::jwks::KeySet;
use zengate::secret::SecretString;

const ISSUER: &str = "https://issuer.example.com";

pub(crate) fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokens");
    for (name, signed) in [("RS256", Signed::rs256()), ("ES256", Signed::es256())] {
        group.bench_function(format!("access token {name}, unseen"), |bencher| bencher.iter(|| signed.unseen()));
        group.bench_function(format!("{name} signature, as the JWT library checks it"), |bencher| {
            bencher.iter(|| signed.by_library());
        });
        group.bench_function(format!("{name} signature, key parsed each time"), |bencher| {
            bencher.iter(|| signed.parsed_each_time());
        });
        group.bench_function(format!("{name} signature, key parsed before"), |bencher| {
            bencher.iter(|| signed.parsed_before());
        });
    }
    let document = key_set(16);
    let keys = KeySet::parse(&document).expect("a key set");
    group.bench_function("KeySet::parse, 16 keys", |bencher| bencher.iter(|| KeySet::parse(black_box(&document))));
    group.bench_function("KeySet::has_kid, last of 16", |bencher| {
        bencher.iter(|| keys.has_kid(black_box("key-15")));
    });
    group.bench_function("KeySet::has_kid, none of 16", |bencher| {
        bencher.iter(|| keys.has_kid(black_box("key-99")));
    });
    group.finish();
}

/// A key set of different P-256 keys, `key-0` and on.
fn key_set(count: usize) -> Vec<u8> {
    let key = |number: usize| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let mut jwk = p256_jwk(&pair);
        jwk["kid"] = format!("key-{number}").into();
        jwk
    };
    json!({ "keys": (0..count).map(key).collect::<Vec<_>>() }).to_string().into_bytes()
}

fn p256_jwk(pair: &EcdsaKeyPair) -> Value {
    let [x, y] = [1..33, 33..65].map(|part| URL_SAFE_NO_PAD.encode(&pair.public_key().as_ref()[part]));
    json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
}

/// See the module's page.
pub(crate) struct Signed {
    token: SecretString,
    keys: KeySet,
    algorithms: [String; 1],
    audiences: [String; 1],
    message: Vec<u8>,
    signature: Vec<u8>,
    library: (jsonwebtoken::Algorithm, DecodingKey, String),
    unparsed: UnparsedPublicKey<Vec<u8>>,
    parsed: ParsedPublicKey,
}

impl Signed {
    pub(crate) fn rs256() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public = pair.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let (n, e) = (public.modulus(), public.exponent());
        let jwk = json!({ "kty": "RSA", "n": encode(n.big_endian_without_leading_zero()), "e": encode(e.big_endian_without_leading_zero()) });
        let sign = |message: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("a signature");
            signature
        };
        let unparsed = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref().to_vec());
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref()).expect("a key");
        let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
        let library = (jsonwebtoken::Algorithm::RS256, DecodingKey::from_rsa_raw_components(n, e));
        Self::new("RS256", jwk, &sign, library, unparsed, parsed)
    }

    pub(crate) fn es256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = pair.public_key().as_ref();
        let jwk = p256_jwk(&pair);
        let sign = |message: &[u8]| pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec();
        let unparsed = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.to_vec());
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).expect("a key");
        let library = (jsonwebtoken::Algorithm::ES256, DecodingKey::from_ec_der(point));
        Self::new("ES256", jwk, &sign, library, unparsed, parsed)
    }

    fn new(
        algorithm: &str,
        mut jwk: Value,
        sign: &dyn Fn(&[u8]) -> Vec<u8>,
        library: (jsonwebtoken::Algorithm, DecodingKey),
        unparsed: UnparsedPublicKey<Vec<u8>>,
        parsed: ParsedPublicKey,
    ) -> Self {
        jwk["kid"] = "of-the-bench".into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": "of-the-bench" });
        let claims = json!({
            "iss": ISSUER, "aud": "https://api.example.com", "sub": "248289761001", "client_id": "s6BhdRkqt3",
            "iat": now, "exp": now + 3600, "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
            "scope": "openid profile reademail", "groups": ["staff", "payroll"], "email": "person@example.com",
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = sign(message.as_bytes());
        let signed = Self {
            token: SecretString::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature))),
            keys: KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("a key set"),
            algorithms: [algorithm.to_owned()],
            audiences: ["https://api.example.com".to_owned()],
            library: (library.0, library.1, URL_SAFE_NO_PAD.encode(&signature)),
            message: message.into_bytes(),
            signature,
            unparsed,
            parsed,
        };
        signed.unseen();
        signed.by_library();
        signed.parsed_each_time();
        signed.parsed_before();
        signed
    }

    /// All that an unseen token costs, except looking for its issuer and remembering it.
    pub(crate) fn unseen(&self) {
        let rule = AccessTokenRule {
            issuer: ISSUER,
            audiences: &self.audiences,
            trusted_audiences: &[],
            algorithms: &self.algorithms,
            acr_vocabulary: Default::default(),
            accept_untyped: false,
            skew: Duration::from_secs(60),
        };
        let token = UnverifiedAccessToken::parse(&self.token).expect("a token");
        let plausible = token.check(rule, SystemTime::now()).expect("a token for us");
        drop(plausible.verify(&self.keys).expect("a good token"));
    }

    pub(crate) fn by_library(&self) {
        let (algorithm, key, signature) = &self.library;
        let good = jsonwebtoken::crypto::verify(signature, &self.message, key, *algorithm);
        assert!(good.is_ok_and(|good| good), "a good signature");
    }

    pub(crate) fn parsed_each_time(&self) {
        self.unparsed.verify(&self.message, &self.signature).expect("a good signature");
    }

    pub(crate) fn parsed_before(&self) {
        self.parsed.verify_sig(&self.message, &self.signature).expect("a good signature");
    }
}
