//! Access tokens through the whole gateway: section K of the case list, and its keys under attack.

mod clients;
mod cors;
mod keys;
mod limits;
mod tokens;
mod with_sessions;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::browser::{Browser, Page};
use crate::support::rig::{Choices, Rig};

const A: &str = "https://a.test";
const B: &str = "https://b.test";

/// A rig whose routes below `/api` take access tokens of aurora (and, untyped, of tangent).
pub struct Api {
    pub rig: Rig,
    pub client: Browser,
}

impl Api {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// `more`: further keys of `bearer`, two spaces in front of each line.
    pub async fn with(more: &str) -> Self {
        Self::on(more, &Choices::default().sessions).await
    }

    /// As [`Api::with`], on another session store.
    pub async fn on(more: &str, sessions: &str) -> Self {
        Self::beside(more, &Choices { sessions: sessions.to_owned(), ..Choices::default() }).await
    }

    /// As [`Api::with`], with the routes of `choices` beside the usual ones, and its sessions.
    pub async fn beside(more: &str, choices: &Choices) -> Self {
        let top = format!(
            "bearer:
  issuers:
    - {{ issuer: AURORA, audiences: ['{A}', '{B}'], trusted_audiences: [account] }}
    - {{ issuer: TANGENT, audiences: ['{A}'], accept_untyped: true }}
{more}cors_origins: ['https://spa.test', 'https://spa.test:8443']
"
        );
        let headers = "identity_headers: { map: { X-Auth-Sub: sub, X-Auth-Issuer: iss, X-Auth-Email: email } }";
        let routes = format!(
            "  - {{ host: localhost, path: /api, access: bearer, upstream: UPSTREAM, {headers} }}
  - {{ host: localhost, path: /api/a, access: bearer, upstream: UPSTREAM, audiences: ['{A}'] }}
  - {{ host: localhost, path: /api/b, access: bearer, upstream: UPSTREAM, audiences: ['{B}'] }}
  - {{ host: localhost, path: /api/write, access: bearer, upstream: UPSTREAM, require: {{ scopes: [read, write] }} }}
  - {{ host: localhost, path: /api/staff, access: bearer, upstream: UPSTREAM, require: {{ claims: {{ groups: [staff] }} }} }}
  - {{ host: localhost, path: /api/pass, access: bearer, upstream: UPSTREAM, pass_authorization: true }}
  - {{ host: localhost, path: /either, access: session-or-bearer, upstream: UPSTREAM, {headers} }}
"
        );
        Self {
            rig: Rig::with(Choices { top, routes: routes + &choices.routes, ..choices.clone() }).await,
            client: Browser::new(),
        }
    }

    /// Claims of an honest token of aurora for `audience`.
    pub fn claims(&self, audience: &str) -> Value {
        let now = now();
        json!({
            "iss": self.issuer("aurora"), "sub": "caller-1", "aud": audience, "exp": now + 300, "iat": now,
            "client_id": "app", "jti": "1", "scope": "read", "email": "caller@a.test",
        })
    }

    pub fn issuer(&self, carrier: &str) -> String {
        self.rig.simulator.carrier(carrier).unwrap().issuer()
    }

    /// Anything, signed by a carrier.
    pub async fn sign(&self, carrier: &str, header: Value, claims: Value) -> String {
        let object = |value: Value| -> Map<String, Value> { serde_json::from_value(value).unwrap() };
        self.rig.simulator.carrier(carrier).unwrap().sign(object(header), object(claims)).await.unwrap()
    }

    /// An honest token with some claims changed; `null` takes one away.
    pub async fn token(&self, change: Value) -> String {
        let mut claims = self.claims(A);
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        self.sign("aurora", json!({"typ": "at+jwt"}), claims).await
    }

    /// A program asks for `path` with these headers.
    pub async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.client.send(Method::GET, self.rig.url(path), None, headers).await
    }

    /// A program asks for `path` with a token.
    pub async fn call(&self, path: &str, token: &str) -> Page {
        self.ask(path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub async fn passes(&self, path: &str, token: &str) {
        let page = self.call(path, token).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
    }

    /// Refused as `API401` says: no upstream, no redirect, no cookie, no word about why.
    pub async fn refuses(&self, path: &str, token: &str) {
        let before = self.rig.upstream.count();
        let page = self.call(path, token).await;
        self.is_api401(&page);
        assert_eq!(self.rig.upstream.count(), before);
    }

    pub fn is_api401(&self, page: &Page) {
        assert_eq!(
            (page.status.as_u16(), challenge(page)),
            (401, "Bearer realm=\"localhost\", error=\"invalid_token\""),
            "{}",
            page.body
        );
        is_quiet(page);
    }

    pub fn jwks_fetches(&self) -> u64 {
        self.rig.simulator.carrier("aurora").unwrap().count("jwks")
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

pub fn challenge(page: &Page) -> &str {
    page.headers.get("www-authenticate").map_or("", |value| value.to_str().unwrap())
}

/// A refusal for programs: JSON, no redirect, no cookie, nothing kept.
pub fn is_quiet(page: &Page) {
    assert!(page.location().is_none() && page.set_cookies().is_empty());
    assert_eq!(page.headers["content-type"], "application/json");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.body.len() < 1024 && page.json()["error"].is_string());
}
