//! The carrier that serves as plain issuer: its configuration, its keys, and what it signs when it is told to.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client;

/// For whom its access tokens are, and what one may do with them.
pub(crate) const AUDIENCE: &str = "bench";
/// See [`AUDIENCE`].
pub(crate) const SCOPE: &str = "read";

/// The simulated issuer and its switches.
#[derive(Clone)]
pub(crate) struct Issuer {
    /// Its name, which is where it is.
    pub(crate) name: String,
}

impl Issuer {
    /// Where it listens.
    pub(crate) fn authority(&self) -> &str {
        self.name.trim_start_matches("http://").trim_end_matches('/')
    }

    /// Asks it for JSON.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client::ask(method, self.authority(), path, "Content-Type: application/json\r\n", &body)?;
        serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {} {error}", answer.head))
    }

    /// Its configuration.
    pub(crate) fn metadata(&self) -> Result<Value, String> {
        self.ask("GET", "/.well-known/openid-configuration", &Value::Null)
    }

    /// The path of its keys.
    pub(crate) fn keys_path(&self) -> Result<String, String> {
        let metadata = self.metadata()?;
        let path = metadata["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix("http://")?.split_once('/'));
        Ok(format!("/{}", path.ok_or("the issuer names no keys")?.1))
    }

    /// An access token (RFC 9068) for `subject`, signed with its newest key or with `key`.
    pub(crate) fn token(&self, subject: &str, key: Option<&Value>) -> Result<String, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut order = json!({
            "header": { "typ": "at+jwt" },
            "claims": {
                "iss": self.name, "sub": subject, "aud": AUDIENCE, "client_id": "bench-program",
                "scope": format!("{SCOPE} write"), "jti": format!("{subject}-{now}-0123456789abcdef"),
                "iat": now, "exp": now + 86_400,
            },
        });
        if let Some(key) = key {
            order["header"] = json!({ "typ": "at+jwt", "alg": "RS256", "kid": key });
        }
        let signed = self.ask("POST", "/_control/sign", &order)?;
        Ok(signed["jwt"].as_str().ok_or("the issuer signed nothing")?.to_owned())
    }
}
