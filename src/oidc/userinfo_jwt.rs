//! A userinfo answer that is a signed token (Core 5.3.2): the same claims, and a proof of who said them to whom.

use serde_json::{Map, Value};

use super::jwks::KeySet;
use super::jwt::{JwtError, UnverifiedJwt};
use super::read::audiences;
use crate::secret::SecretString;

/// Why a signed userinfo answer is not believed. No variant carries text from the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserInfoJwtError {
    /// `aud` is there and does not name us.
    #[error("the signed answer is for another client")]
    AudienceMismatch,
    /// `iss` is there and is not the issuer of this sign-in.
    #[error("the signed answer is from another issuer")]
    IssuerMismatch,
    /// It is no signed token of an allowed algorithm, or its signature does not verify.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// `typ` is that of another kind of token.
    #[error("the signed answer is a token of another kind")]
    OtherKind,
}

/// Whether a body is meant as a token rather than as JSON.
pub fn is_jwt(body: &[u8]) -> bool {
    body.starts_with(b"eyJ")
}

/// A signed answer of which only the header has been read.
#[derive(Debug)]
pub struct SignedUserInfo(UnverifiedJwt);

impl SignedUserInfo {
    /// Reads the header of an answer of at most `longest` bytes.
    ///
    /// # Errors
    /// [`UserInfoJwtError`]: among others for an answer that is encrypted, or signed by nobody.
    pub fn parse(body: &[u8], longest: usize) -> Result<Self, UserInfoJwtError> {
        let text = std::str::from_utf8(body).map_err(|_| JwtError::Malformed)?;
        let jwt = UnverifiedJwt::parse(&SecretString::new(text.trim_end()), longest)?;
        // An ID, logout or access token of the same issuer is signed by the same keys (RFC 8725, 3.11).
        match jwt.typ() {
            None | Some("jwt" | "jose" | "userinfo+jwt") => Ok(Self(jwt)),
            Some(_) => Err(UserInfoJwtError::OtherKind),
        }
    }

    /// `kid` of the header, for looking a key up and for nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// Checks the signature, then `iss` and `aud`. Core 5.3.2 only says that they should be there, and some providers leave
    /// them out: what is absent proves nothing and is not needed, for the issuer's key has signed and the caller compares
    /// `sub` with that of the ID token. What is there and is another's is refused, whatever its type.
    ///
    /// # Errors
    /// [`UserInfoJwtError`].
    pub fn verify(
        &self,
        keys: &KeySet,
        algorithms: &[String],
        issuer: &str,
        client_id: &str,
    ) -> Result<Map<String, Value>, UserInfoJwtError> {
        let signed = self.0.verify(keys, algorithms)?;
        let claims = signed.claims();
        if claims.get("iss").is_some_and(|said| said.as_str() != Some(issuer)) {
            return Err(UserInfoJwtError::IssuerMismatch);
        }
        match audiences(claims) {
            Ok(None) => {}
            Ok(Some(named)) if named.contains(&client_id) => {}
            _ => return Err(UserInfoJwtError::AudienceMismatch),
        }
        Ok(claims.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oidc::test_tokens::{OTHER_RSA, Pair, RSA, key_set};

    fn judge(pair: &Pair, header: Value, claims: Value) -> Result<Map<String, Value>, UserInfoJwtError> {
        let raw = pair.token(&header, &claims);
        let read = SignedUserInfo::parse(raw.expose().as_bytes(), 1 << 16)?;
        read.verify(&key_set(&[RSA.jwk("k")]), &["RS256".to_owned()], "https://a.test", "us")
    }

    // XM10, PM08: and each forgery differs from what passes in one thing.
    #[test]
    fn a_signed_answer_counts_if_the_issuer_signed_it_for_us() {
        let header = || json!({"alg": "RS256", "kid": "k"});
        let claims = || json!({"iss": "https://a.test", "sub": "ann", "aud": "us", "email": "a@b.test"});
        let with = |name: &str, value: Value| {
            let mut bent = claims();
            bent[name] = value;
            bent
        };
        assert_eq!(judge(&RSA, header(), claims()).unwrap()["email"], "a@b.test");
        judge(&RSA, header(), with("aud", json!(["them", "us"]))).unwrap();
        let without = |names: &[&str]| {
            let mut bent = claims();
            bent.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
            bent
        };
        judge(&RSA, header(), without(&["aud"])).unwrap();
        judge(&RSA, header(), without(&["iss"])).unwrap();
        judge(&RSA, header(), without(&["iss", "aud"])).unwrap();
        let by_another = judge(&OTHER_RSA, header(), without(&["iss", "aud"]));
        assert_eq!(by_another, Err(UserInfoJwtError::Jwt(JwtError::SignatureInvalid)));
        for aud in [json!("them"), json!([]), json!(null), json!(7)] {
            assert_eq!(judge(&RSA, header(), with("aud", aud)), Err(UserInfoJwtError::AudienceMismatch));
        }
        for iss in [json!("https://e.test"), json!("https://a.test/"), json!(null), json!(7)] {
            assert_eq!(judge(&RSA, header(), with("iss", iss)), Err(UserInfoJwtError::IssuerMismatch));
        }
        let invalid = Err(UserInfoJwtError::Jwt(JwtError::SignatureInvalid));
        assert_eq!(judge(&OTHER_RSA, header(), claims()), invalid);
        let unknown = judge(&RSA, json!({"alg": "RS256", "kid": "other"}), claims());
        assert_eq!(unknown, Err(UserInfoJwtError::Jwt(JwtError::UnknownKey)));
        for alg in ["none", "HS256", "PS256"] {
            let refused = judge(&RSA, json!({"alg": alg, "kid": "k"}), claims());
            assert_eq!(refused, Err(UserInfoJwtError::Jwt(JwtError::AlgorithmNotAllowed)), "{alg}");
        }
        for typ in ["at+jwt", "logout+jwt", "id+jwt"] {
            let refused = judge(&RSA, json!({"alg": "RS256", "kid": "k", "typ": typ}), claims());
            assert_eq!(refused, Err(UserInfoJwtError::OtherKind), "{typ}");
        }
        let encrypted = SignedUserInfo::parse(b"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d", 1 << 16);
        assert_eq!(encrypted.err(), Some(UserInfoJwtError::Jwt(JwtError::Encrypted)));
        assert!(is_jwt(b"eyJhbGciOiJub25lIn0.e30.") && !is_jwt(b"{\"sub\":\"x\"}") && !is_jwt(b" \"eyJ\""));
    }
}
