//! One incoming request, read whole: its parameters as sent, for judging and for the record.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde::Serialize;

const BODY_LIMIT: usize = 64 * 1024;
const KEPT: usize = 64;

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    /// The query as it came, for showing it back.
    pub(super) raw_query: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
}

/// A parameter was sent twice; OAuth 2.0 (RFC 6749, 3.1) forbids it.
#[derive(Debug)]
pub(super) struct Repeated;

impl Call {
    /// The parameters of an authorization request: the query of a GET, the body of a POST.
    pub(super) fn parameters(&self) -> &[(String, String)] {
        if self.method == Method::POST { &self.body } else { &self.query }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Phones are told apart as the recorded pages did it: by user agent.
    pub(super) fn is_phone(&self) -> bool {
        self.header(header::USER_AGENT.as_str())
            .is_some_and(|agent| agent.contains("Mobile") && !agent.contains("iPad"))
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// The only value of a parameter; empty counts as absent.
pub(super) fn only<'a>(parameters: &'a [(String, String)], name: &'static str) -> Result<Option<&'a str>, Repeated> {
    let mut values = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = values.next();
    if values.next().is_some() {
        return Err(Repeated);
    }
    Ok(first.filter(|value| !value.is_empty()))
}

/// The first value of a field, for forms of our own making.
pub(super) fn first<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    all(parameters, name).next()
}

/// Every value of a field.
pub(super) fn all<'a>(parameters: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    parameters.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes =
            axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The recorded tables promise that a token endpoint also takes JSON.
        let body = if kind.starts_with("application/json") { json_pairs(&bytes) } else { pairs(&bytes) };
        Ok(Self {
            path: parts.uri.path().to_owned(),
            raw_query: parts.uri.query().map(str::to_owned),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            body,
            method: parts.method,
            headers: parts.headers,
        })
    }
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

fn json_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_slice(bytes).unwrap_or_default();
    object
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect()
}

/// A request as tests see it afterwards.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Which endpoint it met: `discovery`; `discovery_ui`, `choose`; `metadata`, `authorize`, `decision`, `token`,
    /// `userinfo`, `jwks`, `server_initiated`, `server_initiated_cancel`, `push_decision`.
    pub endpoint: &'static str,
    /// The HTTP method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body parameters, decoded, in order.
    pub body: Vec<(String, String)>,
    /// The header fields, names in lower case, in order.
    pub headers: Vec<(String, String)>,
}

impl Recorded {
    /// The first query or body parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().chain(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first header field of that name, written in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a part was asked: a count for each endpoint and the last requests in full.
#[derive(Debug, Default)]
pub(super) struct Journal {
    counters: Mutex<BTreeMap<&'static str, u64>>,
    requests: Mutex<VecDeque<Recorded>>,
}

impl Journal {
    pub(super) fn record(&self, endpoint: &'static str, call: &Call) {
        tracing::debug!(endpoint, method = %call.method, "The simulator was asked");
        *self.counters.lock().entry(endpoint).or_default() += 1;
        let mut requests = self.requests.lock();
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(Recorded {
            endpoint,
            method: call.method.to_string(),
            path: call.path.clone(),
            query: call.query.clone(),
            body: call.body.clone(),
            headers: readable_headers(&call.headers),
        });
    }

    pub(super) fn count(&self, endpoint: &str) -> u64 {
        self.counters.lock().get(endpoint).copied().unwrap_or(0)
    }

    pub(super) fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.counters.lock().clone()
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().iter().cloned().collect()
    }

    pub(super) fn last(&self, endpoint: &str) -> Option<Recorded> {
        let requests = self.requests.lock();
        requests.iter().rev().find(|recorded| recorded.endpoint == endpoint).cloned()
    }

    pub(super) fn clear(&self) {
        self.counters.lock().clear();
        self.requests.lock().clear();
    }
}

/// Header fields as text, in order; bytes that are not UTF-8 are replaced.
pub(super) fn readable_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}
