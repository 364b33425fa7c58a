//! Where the watch over a request is found, whatever its protocol.

use parking_lot::MutexGuard;
use pingora::proxy::Session;

use super::guarded_stream::{self, GuardedStream};
use super::listeners::facts;
use super::stream_watch::StreamWatch;

/// The watch over the request of `session`: of HTTP/1 that of its connection, of HTTP/2 its own.
pub(super) fn of(session: &Session) -> Option<MutexGuard<'_, StreamWatch>> {
    match session.stream() {
        Some(stream) => guarded_stream::of(stream).map(GuardedStream::watch),
        None => facts::of(session)?.watch.as_ref().map(|watch| watch.lock()),
    }
}
