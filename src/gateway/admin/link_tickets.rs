//! `POST /link-tickets`: the app vouches that somebody is signed in to one of its accounts.

use std::time::SystemTime;

use http::{Response, StatusCode};
use pingora::protocols::http::ServerSession;
use serde::Deserialize;
use serde_json::json;

use super::links::{LONGEST_BODY, client, fault, no_accounts, store_fault, too_many};
use super::{Admin, JSON, answer};
use crate::account::AccountName;
use crate::auth::{ChangedBy, LONGEST_PLACE};
use crate::route::path::ReturnTo;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vouches {
    account: String,
    return_to: Option<String>,
}

impl Admin {
    /// A ticket, and the address to send the person's browser to.
    pub(super) async fn link_ticket(&self, session: &mut ServerSession, token: &str) -> Response<Vec<u8>> {
        let Some(linking) = self.auth.linking() else { return no_accounts() };
        if let Some(refused) = too_many(linking, ChangedBy { token, client: client(session) }) {
            return refused;
        }
        let body = match self.body(session, LONGEST_BODY).await {
            Ok(body) => body,
            Err(status) => return fault(status, "body", "the body is too long, came too slowly, or not whole"),
        };
        let Ok(Vouches { account, return_to }) = serde_json::from_slice(&body) else {
            return fault(StatusCode::BAD_REQUEST, "body", "expected `{\"account\": \"…\", \"return_to\": \"…\"}`");
        };
        let account = match AccountName::parse(&account) {
            Ok(account) => account,
            Err(wrong) => return fault(StatusCode::BAD_REQUEST, "body", wrong),
        };
        let snapshot = self.auth.snapshot();
        let return_to = match return_to.map(|to| ReturnTo::parse(&to, snapshot.return_policy())).transpose() {
            Ok(to) if to.as_ref().is_none_or(|to| to.location().len() <= LONGEST_PLACE) => to,
            Ok(_) => return fault(StatusCode::BAD_REQUEST, "return_to", "the address is too long"),
            Err(wrong) => return fault(StatusCode::BAD_REQUEST, "return_to", wrong),
        };
        match linking.ticket(&account, return_to, token, SystemTime::now()).await {
            Ok(ticket) => {
                let page = format!("{}{}/link", snapshot.origin_of(snapshot.public_host()), snapshot.settings().prefix);
                let body = json!({
                    "ticket": ticket.expose(),
                    "url": format!("{page}?ticket={}", ticket.expose()),
                    "expires_in": linking.ticket_ttl().as_secs(),
                });
                answer(StatusCode::CREATED, JSON, format!("{body}\n"), false)
            }
            Err(error) => store_fault(&error),
        }
    }
}
