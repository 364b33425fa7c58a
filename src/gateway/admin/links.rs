//! Links over HTTP: a person's, and those of an account. JSON, for the app.

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use http::{HeaderValue, Method, Response, StatusCode, header};
use pingora::protocols::http::ServerSession;
use serde::Deserialize;
use serde_json::json;

use super::{Admin, JSON, answer};
use crate::account::links::{IfLinked, LinkError, Written};
use crate::account::{AccountName, Link, Subject};
use crate::auth::{ChangedBy, Linking};
use crate::session::store::StoreError;

/// Longest body that says to which account a person is to belong: room for the longest name, escaped.
pub(super) const LONGEST_BODY: usize = 4 * 1024;

/// Body of `PUT /links`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: String,
}

/// What of a query is ours, each at most once.
#[derive(Default)]
pub(super) struct Query {
    pub(super) issuer: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) account: Option<String>,
    pub(super) replace: Option<String>,
}

impl Query {
    /// `None` for one that names something that is none of ours, or twice: it would not mean what was meant.
    pub(super) fn of(session: &ServerSession) -> Option<Self> {
        let mut query = Self::default();
        let text = session.req_header().uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let place = match &*name {
                "issuer" => &mut query.issuer,
                "subject" => &mut query.subject,
                "account" => &mut query.account,
                "replace" => &mut query.replace,
                _ => return None,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(query)
    }

    /// What is to become of people who belong to another account.
    pub(super) fn if_linked(&self) -> Option<IfLinked> {
        match self.replace.as_deref() {
            None | Some("false") => Some(IfLinked::Refuse),
            Some("true") => Some(IfLinked::Replace),
            Some(_) => None,
        }
    }
}

/// Who asks.
pub(super) fn client(session: &ServerSession) -> IpAddr {
    let address = session.client_addr().and_then(|address| address.as_inet());
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

/// A fault as JSON: a word for programs, a sentence for people.
pub(super) fn fault(status: StatusCode, error: &str, message: impl ToString) -> Response<Vec<u8>> {
    let body = json!({ "error": error, "message": message.to_string() });
    answer(status, JSON, format!("{body}\n"), false)
}

pub(super) fn store_fault(error: &StoreError) -> Response<Vec<u8>> {
    fault(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error)
}

pub(super) fn no_accounts() -> Response<Vec<u8>> {
    fault(StatusCode::NOT_FOUND, "no_accounts", "there are no accounts here; write `accounts: {}` to have links")
}

fn shown(link: &Link) -> serde_json::Value {
    json!({
        "issuer": link.subject.issuer(),
        "subject": link.subject.subject(),
        "account": link.account.as_str(),
        "since": link.since.as_secs(),
    })
}

impl Admin {
    /// `/links`: one person's link, read, written or removed; or those of an account, read.
    pub(super) async fn links(&self, session: &mut ServerSession, token: &str) -> Response<Vec<u8>> {
        let Some(linking) = self.auth.linking() else { return no_accounts() };
        let method = session.req_header().method.clone();
        let unread = |message: &str| fault(StatusCode::BAD_REQUEST, "query", message);
        let Some(query) = Query::of(session) else {
            return unread(
                "expected each of `issuer`, `subject`, `account` and `replace` at most once, and nothing else",
            );
        };
        let reads = method == Method::GET || method == Method::HEAD;
        let mut response = match (&query.issuer, &query.subject, &query.account) {
            (Some(issuer), Some(subject), None) => match Subject::parse(issuer, subject) {
                Ok(subject) if reads => read(linking, &subject).await,
                Ok(subject) => self.change(session, linking, &subject, &query, token).await,
                Err(wrong) => fault(StatusCode::BAD_REQUEST, "query", wrong),
            },
            (None, None, Some(account)) if reads => match AccountName::parse(account) {
                Ok(account) => list(linking, &account).await,
                Err(wrong) => fault(StatusCode::BAD_REQUEST, "query", wrong),
            },
            _ if reads => unread("expected `issuer` and `subject`, or `account`"),
            _ => unread("expected `issuer` and `subject`"),
        };
        if method == Method::HEAD {
            response.body_mut().clear();
        }
        response
    }

    async fn change(
        &self,
        session: &mut ServerSession,
        linking: &Linking,
        subject: &Subject,
        query: &Query,
        token: &str,
    ) -> Response<Vec<u8>> {
        let by = ChangedBy { token, client: client(session) };
        if let Some(refused) = too_many(linking, by) {
            return refused;
        }
        if session.req_header().method == Method::DELETE {
            return match linking.remove(subject, by, SystemTime::now()).await {
                Ok(Some(_)) => answer(StatusCode::NO_CONTENT, JSON, String::new(), false),
                Ok(None) => unlinked(),
                Err(error) => store_fault(&error),
            };
        }
        let Some(if_linked) = query.if_linked() else {
            return fault(StatusCode::BAD_REQUEST, "query", "replace: expected `true` or `false`");
        };
        // A link of an issuer that nobody signs in with would be nobody's: mostly it is a slash too many.
        if !self.trusts(subject.issuer()) {
            let message = "the gateway trusts no issuer of this very name";
            return fault(StatusCode::BAD_REQUEST, "unknown_issuer", message);
        }
        let body = match self.body(session, LONGEST_BODY).await {
            Ok(body) => body,
            Err(status) => return fault(status, "body", "the body is too long, came too slowly, or not whole"),
        };
        let wanted = serde_json::from_slice::<Wanted>(&body).ok();
        let Some(Ok(account)) = wanted.map(|wanted| AccountName::parse(&wanted.account)) else {
            let message = "expected `{\"account\": \"…\"}`: 1 to 255 bytes without control characters";
            return fault(StatusCode::BAD_REQUEST, "body", message);
        };
        let now = SystemTime::now();
        match linking.put(subject, &account, if_linked, by, now).await {
            Ok(written) => {
                let mut response = read(linking, subject).await;
                if written == Written::New && response.status() == StatusCode::OK {
                    *response.status_mut() = StatusCode::CREATED;
                }
                response
            }
            Err(error @ (LinkError::OtherAccount | LinkError::Differs)) => {
                let message = format!("{error}; `replace=true` moves them");
                fault(StatusCode::CONFLICT, "other_account", message)
            }
            Err(error @ LinkError::TooMany) => fault(StatusCode::CONFLICT, "too_many_subjects", error),
            Err(LinkError::Store(StoreError::Full)) => fault(
                StatusCode::INSUFFICIENT_STORAGE,
                "store_full",
                "there are as many links as accounts.max_links allows",
            ),
            Err(LinkError::Store(error)) => store_fault(&error),
        }
    }

    /// Whether people may have signed in with `issuer`.
    pub(super) fn trusts(&self, issuer: &str) -> bool {
        self.auth.snapshot().settings().registrations.iter().any(|registration| registration.trusts(issuer))
    }
}

/// What to answer somebody who changes too much.
pub(super) fn too_many(linking: &Linking, by: ChangedBy<'_>) -> Option<Response<Vec<u8>>> {
    let wait = linking.may_change(by.client, SystemTime::now()).err()?;
    let message = "more changes than accounts.changes_per_minute allows";
    let mut response = fault(StatusCode::TOO_MANY_REQUESTS, "too_many_changes", message);
    let seconds = wait.as_secs().saturating_add(1).clamp(1, 60);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

fn unlinked() -> Response<Vec<u8>> {
    fault(StatusCode::NOT_FOUND, "unlinked", "this person is linked to no account")
}

async fn read(linking: &Linking, subject: &Subject) -> Response<Vec<u8>> {
    match linking.links().find(subject, SystemTime::now()).await {
        Ok(Some(link)) => answer(StatusCode::OK, JSON, format!("{}\n", shown(&link)), false),
        Ok(None) => unlinked(),
        Err(error) => store_fault(&error),
    }
}

async fn list(linking: &Linking, account: &AccountName) -> Response<Vec<u8>> {
    match linking.links().of_account(account, SystemTime::now()).await {
        Ok(links) => {
            let body = json!({ "account": account.as_str(), "links": links.iter().map(shown).collect::<Vec<_>>() });
            answer(StatusCode::OK, JSON, format!("{body}\n"), false)
        }
        Err(error) => store_fault(&error),
    }
}
