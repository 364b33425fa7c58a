//! `/approvals` over HTTP: the app has somebody asked on their phone or in their browser, hears what they answered, or takes it back. JSON.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora::protocols::http::ServerSession;
use serde::Deserialize;

use super::links::{fault, store_fault};
use super::{Admin, JSON, answer};
use crate::approval::Found;
use crate::approval::id::ApprovalId;
use crate::approval::quota::Busy;
use crate::auth::{Asked, Desk, LONGEST_PLACE, LONGEST_WAIT, NotAsked};
use crate::provider::{ErrorKind, ProviderError};
use crate::route::path::ReturnTo;
use crate::session::store::StoreError;
use crate::snapshot::Snapshot;

/// Longest body that asks for an approval: room for the longest texts, escaped.
const LONGEST_BODY: usize = 16 * 1024;

/// Body of `POST /approvals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    issuer: String,
    subject: String,
    context: String,
    acr_values: Option<Vec<String>>,
    expires_in: Option<u64>,
    reference: Option<String>,
    return_to: Option<String>,
}

/// What of a query is ours, each at most once.
#[derive(Default)]
struct Query {
    id: Option<String>,
    wait: Option<String>,
}

impl Query {
    /// `None` for one that names something that is none of ours, or twice.
    fn of(session: &ServerSession) -> Option<Self> {
        let mut query = Self::default();
        let text = session.req_header().uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let place = match &*name {
                "id" => &mut query.id,
                "wait" => &mut query.wait,
                _ => return None,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(query)
    }

    /// How long to wait for an answer; `None` for what is no number of seconds, or too many.
    fn wait(&self) -> Option<Duration> {
        let seconds = self.wait.as_deref().map_or(Ok(0), str::parse).ok()?;
        Some(Duration::from_secs(seconds)).filter(|wait| *wait <= LONGEST_WAIT)
    }
}

impl Admin {
    /// Asks, looks, or takes back.
    pub(super) async fn approvals(&self, session: &mut ServerSession, token: &str) -> Response<Vec<u8>> {
        let snapshot = self.auth.snapshot();
        let Some(desk) = self.auth.approvals(&snapshot) else {
            let message = "nobody is asked for approvals here; write `approvals: {}`";
            return fault(StatusCode::NOT_FOUND, "no_approvals", message);
        };
        let method = session.req_header().method.clone();
        let unread = |message: &str| fault(StatusCode::BAD_REQUEST, "query", message);
        let Some(query) = Query::of(session) else {
            return unread("expected `id` and `wait` at most once each, and nothing else");
        };
        let id = match query.id.as_deref().map(ApprovalId::parse) {
            Some(None) => return unknown(),
            Some(Some(id)) => Some(id),
            None => None,
        };
        let now = SystemTime::now();
        let mut response = match (&method, id) {
            (&Method::POST, None) => self.ask(session, &snapshot, &desk, token, now).await,
            (&Method::POST, Some(id)) => begun(&desk, desk.again(&id, token, now).await, now),
            (_, None) => unread("expected `id`"),
            (&Method::DELETE, Some(id)) => seen(&desk, &id, desk.cancel(&id, now).await, now),
            (_, Some(id)) => match query.wait() {
                Some(wait) => {
                    let found = desk.watch(&id, wait, now).await;
                    seen(&desk, &id, found, SystemTime::now())
                }
                None => unread("wait: expected 0 to 25 seconds"),
            },
        };
        if method == Method::HEAD {
            response.body_mut().clear();
        }
        response
    }

    async fn ask(
        &self,
        session: &mut ServerSession,
        snapshot: &Snapshot,
        desk: &Desk<'_>,
        token: &str,
        now: SystemTime,
    ) -> Response<Vec<u8>> {
        let body = match self.body(session, LONGEST_BODY).await {
            Ok(body) => body,
            Err(status) => return fault(status, "body", "the body is too long, came too slowly, or not whole"),
        };
        let Ok(wanted) = serde_json::from_slice::<Wanted>(&body) else {
            let message = "expected `{\"issuer\": …, \"subject\": …, \"context\": …}`, and `acr_values`, `expires_in` or \
                           `reference`, `return_to` if they are meant";
            return fault(StatusCode::BAD_REQUEST, "body", message);
        };
        let Wanted { issuer, subject, context, acr_values, expires_in, reference, return_to } = wanted;
        let return_to = match return_to.map(|to| ReturnTo::parse(&to, snapshot.return_policy())).transpose() {
            Ok(to) => to.map(|to| to.location()),
            Err(wrong) => return fault(StatusCode::BAD_REQUEST, "return_to", wrong),
        };
        if return_to.as_ref().is_some_and(|to| to.len() > LONGEST_PLACE) {
            return fault(StatusCode::BAD_REQUEST, "return_to", "the address is too long");
        }
        let expires_in = expires_in.map(Duration::from_secs);
        let asked = Asked { issuer, subject, context, acr_values, expires_in, reference, return_to };
        begun(desk, desk.begin(&asked, token, now).await, now)
    }
}

fn begun(desk: &Desk<'_>, begun: Result<(ApprovalId, Found), NotAsked>, now: SystemTime) -> Response<Vec<u8>> {
    match begun {
        Ok((id, found)) => {
            let mut body = desk.shown(&id, &found, now);
            body["watch"] = desk.own_page(&id).into();
            answer(StatusCode::CREATED, JSON, format!("{body}\n"), false)
        }
        Err(error) => not_asked(&error),
    }
}

fn seen(
    desk: &Desk<'_>,
    id: &ApprovalId,
    found: Result<Option<Found>, StoreError>,
    now: SystemTime,
) -> Response<Vec<u8>> {
    match found {
        Ok(Some(found)) => answer(StatusCode::OK, JSON, format!("{}\n", desk.shown(id, &found, now)), false),
        Ok(None) => unknown(),
        Err(error) => store_fault(&error),
    }
}

fn unknown() -> Response<Vec<u8>> {
    fault(StatusCode::NOT_FOUND, "unknown_approval", "there is no such approval, or it is kept no longer")
}

fn not_asked(error: &NotAsked) -> Response<Vec<u8>> {
    match error {
        NotAsked::Malformed(_) => fault(StatusCode::BAD_REQUEST, "body", error),
        NotAsked::UnknownIssuer => fault(StatusCode::BAD_REQUEST, "unknown_issuer", error),
        NotAsked::Unsupported(_) => fault(StatusCode::CONFLICT, "approvals_unsupported", error),
        NotAsked::NotSignedIn => fault(StatusCode::CONFLICT, "not_signed_in", error),
        NotAsked::Unknown => unknown(),
        NotAsked::Busy(Busy::Store(StoreError::Full)) => {
            let message = "there are as many approvals as approvals.max_kept allows";
            fault(StatusCode::INSUFFICIENT_STORAGE, "store_full", message)
        }
        NotAsked::Busy(Busy::Store(error)) => store_fault(error),
        NotAsked::Busy(busy) => {
            let (word, wait) = busy.words().unwrap_or_default();
            let mut response = fault(StatusCode::TOO_MANY_REQUESTS, word, busy);
            let seconds = wait.as_secs().saturating_add(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        NotAsked::Provider(error) => of_provider(error),
    }
}

/// The carrier did not take the question. Its own words are for the log.
fn of_provider(error: &ProviderError) -> Response<Vec<u8>> {
    let (status, word, message) = match (error.kind(), error.reason()) {
        (ErrorKind::Refused, "user_unsupported") => {
            (StatusCode::FORBIDDEN, "user_unsupported", "the carrier cannot ask this person on their phone")
        }
        (ErrorKind::Refused, "invalid_login_hint" | "user_not_found") => {
            (StatusCode::FORBIDDEN, "user_not_found", "the carrier does not know this person any more")
        }
        (ErrorKind::Refused, _) => (StatusCode::BAD_GATEWAY, "provider_refused", "the carrier refused the question"),
        (ErrorKind::Timeout, _) => {
            (StatusCode::GATEWAY_TIMEOUT, "provider_timeout", "the carrier did not answer in time")
        }
        (ErrorKind::Unavailable, _) => {
            (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", "the carrier cannot be reached now")
        }
        (ErrorKind::Invalid | ErrorKind::NotAllowed | ErrorKind::Untrusted, _) => {
            (StatusCode::BAD_GATEWAY, "provider_invalid", "the carrier's answer cannot be used")
        }
    };
    fault(status, word, message)
}
