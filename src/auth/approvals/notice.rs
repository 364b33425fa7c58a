//! `POST approvals/notify`: a carrier says what a person answered. Answers have constant bodies: they tell nobody what is here.

use std::time::SystemTime;

use http::{HeaderValue, StatusCode, header};
use tracing::warn;

use super::desk::Desk;
use crate::approval::Outcome;
use crate::approval::id::{ApprovalId, Bearer};
use crate::auth::challenge::challenge;
use crate::auth::refusal::Refusal;
use crate::carrier::approval::notice::Notice;
use crate::secret::constant_time_eq;
use crate::session::store::StoreError;
use crate::snapshot::Snapshot;
use crate::web::{Reply, RequestView, single_value};

pub(in crate::auth) use crate::carrier::approval::notice::MAX_BODY;

/// What came of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It ended the approval.
    Ended,
    /// Its tokens were not taken, and the approval failed by that.
    NotTaken,
    /// It came before the carrier's acknowledgement, or keys are missing: it is kept.
    Kept,
    /// One came before.
    Repeat,
    /// It came when all was over.
    Late,
    /// The bearer is for another question.
    Foreign,
    /// No such bearer, or none.
    Unknown,
    /// Not readable.
    Malformed,
    /// The store did not answer.
    Unavailable,
}

impl Heard {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::NotTaken => "not_taken",
            Self::Kept => "kept",
            Self::Repeat => "repeat",
            Self::Late => "late",
            Self::Foreign => "foreign_notice",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
            Self::Unavailable => "unavailable",
        }
    }

    fn reply(self, snapshot: &Snapshot) -> Reply {
        let error = |status, error: &str| Reply::json(status, format!("{{\"error\":\"{error}\"}}"));
        match self {
            Self::Ended | Self::Kept | Self::Repeat | Self::Late => Reply::empty(StatusCode::NO_CONTENT),
            Self::Foreign | Self::Unknown => {
                let mut reply = error(StatusCode::UNAUTHORIZED, "invalid_token");
                if let Some(challenge) = challenge(snapshot, Refusal::TokenInvalid, &[]) {
                    reply.set(header::WWW_AUTHENTICATE, challenge);
                }
                reply
            }
            Self::Malformed | Self::NotTaken => error(StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unavailable => {
                let mut reply = error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
                reply.set(header::RETRY_AFTER, HeaderValue::from_static("5"));
                reply
            }
        }
    }
}

impl Desk<'_> {
    /// Answers a notification.
    pub(in crate::auth) async fn hear(&self, view: &RequestView<'_>, body: &[u8], now: SystemTime) -> Reply {
        let heard = match self.bearer(view) {
            Ok(id) => self.hear_of(&id, body, now).await.unwrap_or_else(|error| {
                self.sessions.store_failed(&error, "a notification");
                Heard::Unavailable
            }),
            Err(heard) => heard,
        };
        self.metrics.approval_notices.with_label_values(&[heard.as_str()]).inc();
        if !matches!(heard, Heard::Ended | Heard::Kept) {
            warn!(request_id = view.request_id, outcome = heard.as_str(), "A notification changed nothing");
        }
        heard.reply(self.snapshot)
    }

    /// The approval that the one `Authorization` field is the bearer of.
    fn bearer(&self, view: &RequestView<'_>) -> Result<ApprovalId, Heard> {
        let field = single_value(view.headers, header::AUTHORIZATION).map_err(|_| Heard::Malformed)?;
        let (scheme, text) = field.and_then(|field| field.split_once(' ')).ok_or(Heard::Unknown)?;
        let text = Some(text).filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or(Heard::Unknown)?;
        Bearer::recognise(text, self.sessions.sealer()).ok_or(Heard::Unknown)
    }

    async fn hear_of(&self, id: &ApprovalId, body: &[u8], now: SystemTime) -> Result<Heard, StoreError> {
        let shelf = self.shelf();
        let Some(found) = shelf.look(id, now).await? else { return Ok(Heard::Unknown) };
        let Ok(notice) = Notice::parse(body) else { return Ok(Heard::Malformed) };
        if found.acknowledged.as_ref().is_some_and(|taken| taken.auth_req_id != notice.auth_req_id) {
            return Ok(Heard::Foreign);
        }
        if !constant_time_eq(notice.state.as_bytes(), found.approval.state.as_bytes()) {
            return Ok(Heard::Malformed);
        }
        if found.outcome.is_some() {
            return Ok(if found.notice.is_some() { Heard::Repeat } else { Heard::Late });
        }
        if found.left(now).is_zero() {
            self.settle(id, found, now).await?;
            return Ok(Heard::Late);
        }
        let first = shelf.note(id, &found.approval, body, now).await?;
        // The acknowledgement may have come in between; whoever of the two is later sees both.
        let Some(found) = shelf.look(id, now).await? else { return Ok(Heard::Unknown) };
        let found = self.settle(id, found, now).await?;
        Ok(match found.outcome {
            _ if !first => Heard::Repeat,
            None => Heard::Kept,
            Some(Outcome::Failed { code }) if is_about_tokens(&code) => Heard::NotTaken,
            Some(_) => Heard::Ended,
        })
    }
}

/// Whether an approval failed because its tokens are not good: the carrier is told that its message was not taken (T07).
fn is_about_tokens(code: &str) -> bool {
    matches!(code, "provider_invalid" | "other_person" | "acr_unmet")
}
