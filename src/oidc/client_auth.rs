//! How we show a provider who we are (Core 9, RFC 6749 2.3, RFC 7523 as changed by RFC 10070).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::ground::time::Timestamp;
use crate::secret::signing::SigningKey;
use crate::secret::{Entropy, SecretString, hmac_sha256, random_text};

/// How long an assertion is good, in seconds. One is made for each request.
const ASSERTION_LIFE: i64 = 60;

/// `client_assertion_type` (RFC 7523, 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A way to show who we are at a token endpoint, by its registered name (`token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Id and secret in `Authorization`.
    #[default]
    ClientSecretBasic,
    /// Id and secret in the body.
    ClientSecretPost,
    /// An assertion under a MAC with the secret.
    ClientSecretJwt,
    /// An assertion that a key of ours signed.
    PrivateKeyJwt,
    /// The id alone: a public client, which PKCE protects.
    None,
}

impl AuthMethod {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

/// Whom an assertion names as its audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAudience {
    /// The issuer (RFC 10070): a provider that names another's token endpoint as its own gets nothing that it could use there.
    #[default]
    Issuer,
    /// The token endpoint, where a provider insists on it.
    TokenEndpoint,
}

/// A key of ours with its public half.
#[derive(Clone)]
pub struct ClientKey {
    signing: Arc<SigningKey>,
    kid: String,
}

impl ClientKey {
    /// Reads a PEM file with one private key; see [`SigningKey::from_pem`].
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let signing = SigningKey::from_pem(pem)?;
        let kid = signing.thumbprint();
        Some(Self { signing: Arc::new(signing), kid })
    }

    /// The algorithm that it signs with, by its registered name.
    pub fn algorithm(&self) -> &'static str {
        self.signing.algorithm().as_str()
    }

    /// Its id: the thumbprint of RFC 7638.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs what a request object says.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.signing.sign(message)
    }

    /// The public half, as it stands in a key set.
    pub fn public_jwk(&self) -> Value {
        self.signing.public_jwk()
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl PartialEq for ClientKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
    }
}

impl Eq for ClientKey {}

/// What we have to show who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientAuthentication {
    /// The method the operator chose; without one it follows from what there is and what the provider lists.
    pub method: Option<AuthMethod>,
    /// The client secret.
    pub secret: Option<SecretString>,
    /// Our keys: the first one signs, all are published.
    pub keys: Vec<ClientKey>,
    /// The audience of assertions.
    pub assertion_audience: AssertionAudience,
    /// Whether assertions name the client once more, as the claim `client_id`.
    pub assertion_names_client: bool,
    /// `typ` of assertions; none to leave it out. Default `client-authentication+jwt` (RFC 10070).
    pub assertion_typ: Option<String>,
}

impl ClientAuthentication {
    /// A client secret, and nothing else.
    pub fn with_secret(secret: SecretString) -> Self {
        Self { secret: Some(secret), assertion_typ: Some("client-authentication+jwt".to_owned()), ..Self::default() }
    }

    /// The method for a provider that lists `listed` (`token_endpoint_auth_methods_supported`).
    ///
    /// The operator's choice goes before all. Else a secret goes by Basic, the default of OpenID Connect and the one way in
    /// which it is never part of a body; in the body, or as a MAC, only where Basic is not listed and that is. A key without
    /// a secret signs, and with neither we are a public client.
    pub fn method_for(&self, listed: &[String]) -> AuthMethod {
        if let Some(method) = self.method {
            return method;
        }
        let lists = |method: AuthMethod| listed.iter().any(|name| name == method.as_str());
        match (&self.secret, self.keys.is_empty()) {
            (Some(_), _) => {
                let order = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::ClientSecretJwt];
                order.into_iter().find(|method| lists(*method)).unwrap_or_default()
            }
            (None, false) => AuthMethod::PrivateKeyJwt,
            (None, true) => AuthMethod::None,
        }
    }

    /// What goes with one request to prove that we are `client_id`. None if `method` needs what we do not have.
    pub fn credentials(
        &self,
        method: AuthMethod,
        client_id: &str,
        audience: Audience<'_>,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> Option<Credentials> {
        let id = || ("client_id", SecretString::new(client_id));
        let asserted = |assertion: SecretString| Credentials {
            authorization: None,
            form: vec![
                id(),
                ("client_assertion_type", SecretString::new(ASSERTION_TYPE)),
                ("client_assertion", assertion),
            ],
        };
        let audience = match self.assertion_audience {
            AssertionAudience::Issuer => audience.issuer,
            AssertionAudience::TokenEndpoint => audience.token_endpoint,
        };
        let claims = || {
            let issued = Timestamp::of(now).as_numeric_date();
            let mut claims = json!({
                "iss": client_id, "sub": client_id, "aud": audience, "iat": issued, "exp": issued + ASSERTION_LIFE,
                "jti": random_text::<16>(entropy),
            });
            if self.assertion_names_client {
                claims["client_id"] = client_id.into();
            }
            claims
        };
        Some(match method {
            AuthMethod::ClientSecretBasic => Credentials {
                authorization: Some(basic_authorization(client_id, self.secret.as_ref()?)),
                form: Vec::new(),
            },
            AuthMethod::ClientSecretPost => {
                Credentials { authorization: None, form: vec![id(), ("client_secret", self.secret.clone()?)] }
            }
            AuthMethod::ClientSecretJwt => {
                let secret = self.secret.as_ref()?;
                let mac = |message: &[u8]| Some(hmac_sha256(secret.expose().as_bytes(), message).to_vec());
                asserted(self.assertion("HS256", None, &claims(), mac)?)
            }
            AuthMethod::PrivateKeyJwt => {
                let key = self.keys.first()?;
                let sign = |message: &[u8]| key.signing.sign(message);
                asserted(self.assertion(key.signing.algorithm().as_str(), Some(key.kid()), &claims(), sign)?)
            }
            AuthMethod::None => Credentials { authorization: None, form: vec![id()] },
        })
    }

    fn assertion(
        &self,
        algorithm: &str,
        kid: Option<&str>,
        claims: &Value,
        sign: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<SecretString> {
        let mut header = json!({ "alg": algorithm });
        if let Some(typ) = &self.assertion_typ {
            header["typ"] = typ.as_str().into();
        }
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = sign(message.as_bytes())?;
        Some(SecretString::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Whom an assertion may be for. Both come from configuration or from the attempt, never from the answer at hand.
#[derive(Debug, Clone, Copy)]
pub struct Audience<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Its token endpoint.
    pub token_endpoint: &'a str,
}

/// What goes with one request.
#[derive(Debug)]
pub struct Credentials {
    /// A value for `Authorization`.
    pub authorization: Option<SecretString>,
    /// Further parameters of the form.
    pub form: Vec<(&'static str, SecretString)>,
}

/// The value of `Authorization` for `client_secret_basic`: `Basic `, then base64 of id and secret, each form-encoded
/// first (RFC 6749, 2.3.1; D12). Without the encoding a secret with `:` or `%` in it would be read as another one.
pub fn basic_authorization(client_id: &str, client_secret: &SecretString) -> SecretString {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = SecretString::new(format!("{}:{}", encode(client_id), encode(client_secret.expose())));
    SecretString::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

#[cfg(test)]
mod tests;
