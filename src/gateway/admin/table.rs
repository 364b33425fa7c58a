//! All links as a table: export in pieces, import of a table that is right as a whole.

use std::time::SystemTime;

use http::{Method, Response, StatusCode, Version, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::{Error, ErrorType};
use serde_json::json;
use tracing::warn;

use super::links::{Query, client, fault, no_accounts, too_many};
use super::{Admin, Answer, JSON, answer};
use crate::account::table::{self, LineFault, MOST_FAULTS};
use crate::auth::{ChangedBy, Imported, Linking};

impl Admin {
    /// `/links.csv`: `GET` gives all links, `POST` takes a table of them.
    pub(super) async fn link_table(&self, session: &mut ServerSession, token: &str) -> Answer {
        let Some(linking) = self.auth.linking() else { return Answer::Whole(no_accounts()) };
        match session.req_header().method {
            Method::POST => Answer::Whole(self.import(session, linking, token).await),
            Method::GET if session.req_header().version == Version::HTTP_11 => Answer::Table,
            // Without pieces nobody could tell a table that was cut short from a whole one.
            _ => Answer::Whole(fault(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "version", "ask by GET of HTTP/1.1")),
        }
    }

    /// Writes every link. If the store fails in between, the last piece never comes, and the last line neither.
    pub(super) async fn write_table(&self, session: &mut ServerSession) -> pingora::Result<()> {
        let Some(linking) = self.auth.linking() else { return write_fault("there are no accounts") };
        let mut head = ResponseHeader::build(StatusCode::OK, Some(4))?;
        head.insert_header(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")?;
        head.insert_header(header::CONTENT_DISPOSITION, "attachment; filename=\"links.csv\"")?;
        head.insert_header(header::CACHE_CONTROL, "no-store")?;
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        session.write_response_header(Box::new(head)).await?;
        session.write_response_body(table::head(linking.links().keeps_everybody()).into(), false).await?;
        let (now, mut bucket, mut written, mut unreadable) = (SystemTime::now(), 0, 0, 0);
        loop {
            let listed = match linking.links().listed(bucket, now).await {
                Ok(Some(listed)) => listed,
                Ok(None) => break,
                Err(error) => {
                    warn!(reason = %error, written, "An export of links was cut short: the store did not answer");
                    return write_fault("the store does not answer");
                }
            };
            let (lines, text) = match linking.links().keeps_everybody() {
                true => (listed.people.len(), table::write_people(&listed.people)),
                false => (listed.links.len(), table::write(&listed.links)),
            };
            (bucket, written, unreadable) = (bucket + 1, written + lines, unreadable + listed.unreadable);
            if lines > 0 {
                session.write_response_body(text.into(), false).await?;
            }
        }
        if unreadable > 0 {
            warn!(unreadable, written, "An export lacks links whose key is not in sessions.keys any more");
        }
        let last = format!("# {written} links; {unreadable} more that no key in sessions.keys opens\n");
        session.write_response_body(last.into(), true).await
    }

    async fn import(&self, session: &mut ServerSession, linking: &Linking, token: &str) -> Response<Vec<u8>> {
        let by = ChangedBy { token, client: client(session) };
        let query = Query::of(session)
            .filter(|query| query.issuer.is_none() && query.subject.is_none() && query.account.is_none());
        let Some(if_linked) = query.and_then(|query| query.if_linked()) else {
            return fault(StatusCode::BAD_REQUEST, "query", "expected nothing but `replace=true` or `replace=false`");
        };
        // Each holds a whole table in memory.
        let Ok(_turn) = self.importing.try_acquire() else {
            return fault(StatusCode::CONFLICT, "import_under_way", "another table is being imported");
        };
        if let Some(refused) = too_many(linking, by) {
            return refused;
        }
        let body = match self.body(session, self.import_bytes).await {
            Ok(body) => body,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => {
                let message = "the table is larger than accounts.import_bytes allows; nothing was taken";
                return fault(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
            }
            Err(status) => {
                let message = "the table came too slowly (admin.body_deadline), or not whole; nothing was taken";
                return fault(status, "body", message);
            }
        };
        // Half a second of work for the largest table: not on a thread that serves others.
        let snapshot = self.auth.snapshot();
        let read = tokio::task::spawn_blocking(move || {
            let registrations = &snapshot.settings().registrations;
            table::read(&body, |issuer| registrations.iter().any(|registration| registration.trusts(issuer)))
        });
        let rows = match read.await {
            Ok(Ok(rows)) => rows,
            Ok(Err(faults)) => return faulty(&faults),
            Err(_) => return fault(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the table could not be read"),
        };
        imported(&linking.import(rows, if_linked, by, SystemTime::now()).await)
    }
}

fn write_fault(why: &'static str) -> pingora::Result<()> {
    Err(Error::explain(ErrorType::InternalError, why))
}

/// Nothing was taken of a table with faults.
fn faulty(faults: &[LineFault]) -> Response<Vec<u8>> {
    let lines = faults.iter().take(MOST_FAULTS);
    let lines: Vec<_> = lines.map(|fault| json!({ "line": fault.line, "message": fault.why.to_string() })).collect();
    let body = json!({
        "error": "faulty_lines",
        "message": "nothing was taken",
        "faults": faults.len(),
        "lines": lines,
    });
    answer(StatusCode::BAD_REQUEST, JSON, format!("{body}\n"), false)
}

/// Every line was taken, or it is said which were not.
fn imported(imported: &Imported) -> Response<Vec<u8>> {
    let Imported { new, same, replaced, refused } = imported;
    let mut body = json!({ "new": new, "same": same, "replaced": replaced });
    if refused.is_empty() {
        return answer(StatusCode::OK, JSON, format!("{body}\n"), false);
    }
    let lines = refused.iter();
    let lines: Vec<_> = lines.map(|(line, why)| json!({ "line": line, "message": why.to_string() })).collect();
    if let Some(body) = body.as_object_mut() {
        body.insert("error".to_owned(), "lines_not_taken".into());
        body.insert("message".to_owned(), "all lines but these were taken".into());
        body.insert("lines".to_owned(), lines.into());
    }
    answer(StatusCode::CONFLICT, JSON, format!("{body}\n"), false)
}
