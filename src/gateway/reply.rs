//! Writes a [`Reply`]: always with a length (without one the connection would be closed after a header that promised
//! to keep it), never with a body on `HEAD`.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::HttpTask;
use pingora::proxy::Session;

use super::grpc;
use crate::telemetry::metrics::RequestOutcome;
use crate::web::Reply;

/// Largest request body that is read away so that the connection can be kept after an early answer.
const DRAIN_AT_MOST: u64 = 64 * 1024;

/// Writes it. In a box: most requests never come here, and each would carry the room for it all the same.
pub(super) fn write(session: &mut Session, reply: Reply) -> BoxFuture<'_, pingora::Result<()>> {
    Box::pin(write_now(session, reply))
}

/// Whether an answer only announces another one (RFC 9110, 15.2). A switch of protocols is the last that is said in ours.
pub(super) fn is_interim(response: &ResponseHeader) -> bool {
    response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS
}

/// Whether the client was told how its request ended, so that nothing else can be said any more.
pub(super) fn has_begun(session: &Session) -> bool {
    session.response_written().is_some_and(|response| !is_interim(response))
}

/// What a line says of a client that was gone before it was told anything: no status of HTTP, and known from nginx.
const CLIENT_GONE: u16 = 499;

/// The status that the client was told at last; 499 if it was gone before, 0 if it was told none for another reason.
pub(super) fn final_status(session: &Session, outcome: RequestOutcome) -> u16 {
    let told = session.response_written().filter(|response| !is_interim(response));
    let none = if outcome == RequestOutcome::ClientGone { CLIENT_GONE } else { 0 };
    told.map_or(none, |response| response.status.as_u16())
}

async fn write_now(session: &mut Session, reply: Reply) -> pingora::Result<()> {
    if reply.status >= StatusCode::MULTIPLE_CHOICES && grpc::is_call(session.req_header()) {
        let head = HttpTask::Header(Box::new(grpc::refusal(&reply)?), true);
        return session.as_mut().response_duplex_vec(vec![head]).await.map(drop);
    }
    let head_only = session.req_header().method == Method::HEAD;
    let mut header = ResponseHeader::build(reply.status, Some(reply.headers.len() + 2))?;
    for (name, value) in reply.headers {
        header.append_header(name, value)?;
    }
    // RFC 9110, 8.6: not with 204.
    if reply.status != StatusCode::NO_CONTENT {
        header.insert_header(header::CONTENT_LENGTH, reply.body.len())?;
    }
    if reply.close {
        session.set_keepalive(None);
    } else if session.get_header(header::EXPECT).is_some() {
        // The client withholds its body until it is asked for; nothing would come, and what comes later is no request.
        session.set_keepalive(None);
    } else if small_body_waits(session) {
        session.set_total_drain_timeout(Some(Duration::from_secs(1)));
        if session.drain_request_body().await.is_err() {
            session.set_keepalive(None);
        }
    }
    let no_body = head_only || reply.body.is_empty();
    session.write_response_header(Box::new(header), no_body).await?;
    if !no_body {
        session.write_response_body(Some(reply.body), true).await?;
    }
    Ok(())
}

fn small_body_waits(session: &mut Session) -> bool {
    let length = session.get_header(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    matches!(length, Some(length) if length <= DRAIN_AT_MOST) && !session.is_body_done()
}
