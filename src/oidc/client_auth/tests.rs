use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::oidc::jwks::KeySet;
use crate::oidc::jwt::UnverifiedJwt;
use crate::secret::SystemEntropy;
use crate::secret::signing::SigningAlgorithm;

const AUDIENCE: Audience<'_> = Audience { issuer: "https://a.test", token_endpoint: "https://a.test/token" };

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn key(algorithm: SigningAlgorithm) -> ClientKey {
    ClientKey::from_pem(SigningKey::generate(algorithm).unwrap().expose().as_bytes()).unwrap()
}

fn keyed(algorithm: SigningAlgorithm) -> ClientAuthentication {
    ClientAuthentication {
        keys: vec![key(algorithm)],
        assertion_typ: Some("client-authentication+jwt".to_owned()),
        ..ClientAuthentication::default()
    }
}

fn form(credentials: &Credentials) -> Vec<(&str, &str)> {
    credentials.form.iter().map(|(name, value)| (*name, value.expose())).collect()
}

fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

// RFC 7523, RFC 10070
#[test]
fn an_assertion_is_signed_by_our_key_for_the_issuer_alone_and_for_a_minute() {
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let ours = keyed(algorithm);
        let shown = |ours: &ClientAuthentication| {
            ours.credentials(AuthMethod::PrivateKeyJwt, "us", AUDIENCE, now(), &SystemEntropy).unwrap()
        };
        let credentials = shown(&ours);
        assert!(credentials.authorization.is_none());
        let form = form(&credentials);
        assert_eq!(form[0], ("client_id", "us"));
        assert_eq!(form[1], ("client_assertion_type", ASSERTION_TYPE));
        let token = form[2].1;
        let published = json!({ "keys": [ours.keys[0].public_jwk()] }).to_string();
        let published = KeySet::parse(published.as_bytes()).unwrap();
        assert_eq!((published.len(), published.has_kid(ours.keys[0].kid())), (1, true));
        let unverified = UnverifiedJwt::parse(&SecretString::new(token), 4096).unwrap();
        assert_eq!(unverified.typ(), Some("client-authentication+jwt"));
        assert_eq!(unverified.kid(), Some(ours.keys[0].kid()));
        let signed = unverified.verify(&published, &[algorithm.as_str().to_owned()]).unwrap();
        let claims = signed.claims();
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("us"), &json!("us"), &json!("https://a.test"))
        );
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_800_000_000), &json!(1_800_000_060)));
        assert!(claims.get("nbf").is_none() && claims["jti"].as_str().unwrap().len() >= 22);
        // Another key verifies nothing, and no two assertions are one.
        let other = json!({ "keys": [key(algorithm).public_jwk()] }).to_string();
        let other = KeySet::parse(other.as_bytes()).unwrap();
        assert!(unverified.verify(&other, &[algorithm.as_str().to_owned()]).is_err());
        let again = shown(&ours);
        assert_ne!(part(token, 1)["jti"], part(again.form[2].1.expose(), 1)["jti"]);
        assert!(!format!("{credentials:?} {ours:?}").contains("eyJ"));
        let endpoint =
            ClientAuthentication { assertion_audience: AssertionAudience::TokenEndpoint, assertion_typ: None, ..ours };
        let token = shown(&endpoint).form[2].1.expose().to_owned();
        assert_eq!(part(&token, 1)["aud"], "https://a.test/token");
        assert!(part(&token, 0).get("typ").is_none());
    }
}

#[test]
fn a_secret_goes_where_its_method_says_and_nowhere_else() {
    let ours = ClientAuthentication::with_secret(SecretString::new("s:e%c"));
    let show = |method| ours.credentials(method, "us", AUDIENCE, now(), &SystemEntropy).unwrap();
    let basic = show(AuthMethod::ClientSecretBasic);
    assert!(basic.form.is_empty() && basic.authorization.unwrap().expose().starts_with("Basic "));
    let post = show(AuthMethod::ClientSecretPost);
    assert_eq!(
        (form(&post), post.authorization.is_none()),
        (vec![("client_id", "us"), ("client_secret", "s:e%c")], true)
    );
    let mac = show(AuthMethod::ClientSecretJwt);
    let token = form(&mac)[2].1;
    let (message, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(part(token, 0)["alg"], "HS256");
    assert_eq!(signature, URL_SAFE_NO_PAD.encode(hmac_sha256(b"s:e%c", message.as_bytes())));
    assert!(form(&mac).iter().all(|(_, value)| !value.contains("s:e%c")));
    assert_eq!(form(&show(AuthMethod::None)), [("client_id", "us")]);
    // What a method needs and we do not have, no other method stands in for.
    assert!(ours.credentials(AuthMethod::PrivateKeyJwt, "us", AUDIENCE, now(), &SystemEntropy).is_none());
    let public = ClientAuthentication::default();
    for method in [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::ClientSecretJwt] {
        assert!(public.credentials(method, "us", AUDIENCE, now(), &SystemEntropy).is_none());
    }
}

// XM01, PM01, PM05
#[test]
fn the_method_follows_from_what_we_have_and_what_is_listed() {
    let listed = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let secret = ClientAuthentication::with_secret(SecretString::new("s"));
    for (names, method) in [
        (&[][..], AuthMethod::ClientSecretBasic),
        (&["client_secret_post", "client_secret_basic"], AuthMethod::ClientSecretBasic),
        (&["client_secret_post"], AuthMethod::ClientSecretPost),
        (&["private_key_jwt", "client_secret_jwt"], AuthMethod::ClientSecretJwt),
        (&["tls_client_auth"], AuthMethod::ClientSecretBasic),
    ] {
        assert_eq!(secret.method_for(&listed(names)), method, "{names:?}");
        let chosen = ClientAuthentication { method: Some(AuthMethod::ClientSecretPost), ..secret.clone() };
        assert_eq!(chosen.method_for(&listed(names)), AuthMethod::ClientSecretPost);
    }
    assert_eq!(keyed(SigningAlgorithm::EdDsa).method_for(&listed(&["client_secret_post"])), AuthMethod::PrivateKeyJwt);
    assert_eq!(ClientAuthentication::default().method_for(&[]), AuthMethod::None);
}

#[test]
fn credentials_are_form_encoded_before_base64() {
    // D12
    let value = basic_authorization("ccid-1", &SecretString::new(":%+ü &"));
    let (scheme, credentials) = value.expose().split_once(' ').unwrap();
    assert_eq!(scheme, "Basic");
    let decoded = String::from_utf8(STANDARD.decode(credentials).unwrap()).unwrap();
    assert_eq!(decoded, "ccid-1:%3A%25%2B%C3%BC+%26");
    let (_, secret) = decoded.split_once(':').unwrap();
    let read_back = form_urlencoded::parse(secret.as_bytes()).next().unwrap().0;
    assert_eq!(read_back, ":%+ü &");
    let pair = basic_authorization("id:with:colons", &SecretString::new("s"));
    let decoded = STANDARD.decode(pair.expose().trim_start_matches("Basic ")).unwrap();
    assert_eq!(decoded, b"id%3Awith%3Acolons:s");
}
