//! HTTP/2 of clients: within bounds, and each stream under a watch of its own.

mod front;
mod watched;

use pingora::protocols::http::v2::server::{H2Options, default_h2_options};

pub(super) use front::Front;

/// Largest piece of one answer that lies here until its client has room for it.
const SEND_BUFFER: usize = 64 * 1024;

/// What a client may send on one connection before we have read it.
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// Options of a connection with at most `streams` requests under way. They begin with the framework's own, which bound the
/// decoded head of a request to 64 KiB (L10).
pub(super) fn options(streams: u32) -> H2Options {
    let mut options = default_h2_options();
    options.max_concurrent_streams(streams);
    options.max_send_buffer_size(SEND_BUFFER);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    options
}
