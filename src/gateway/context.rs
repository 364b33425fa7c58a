//! What one request carries from phase to phase.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use http::{HeaderValue, header};
use pingora::http::RequestHeader;

use super::adapt::{host_name, shown_path};
use super::attempt::Attempts;
use super::body_rate::BodyPace;
use super::ready_headers::ReadyHeaders;
use crate::auth::{Permit, Refusal, Refused};
use crate::route::path::NormalTarget;
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::RequestOutcome;
use crate::web::Reply;

/// Id of a request: 16 hexadecimal digits, unguessable start, counted on.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestId([u8; 16]);

impl RequestId {
    /// The next id.
    pub(super) fn next(counter: &AtomicU64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // A Weyl step spreads neighbouring requests apart, so that ids in a log are easy to tell from each other.
        let number = counter.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mut text = [0; 16];
        for (place, digit) in text.iter_mut().enumerate() {
            let nibble = (number >> (60 - 4 * place)) & 15;
            *digit = DIGITS[usize::try_from(nibble).unwrap_or(0)];
        }
        Self(text)
    }

    /// The digits, as a field's value.
    pub(super) fn header_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

/// The other end of a connection, and its address as text, written once for all requests of the connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    address: IpAddr,
    text: HeaderValue,
}

impl Peer {
    /// From an address; one of IPv4 that came mapped into IPv6 is that of IPv4.
    pub(super) fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let text = HeaderValue::try_from(address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        Self { address, text }
    }

    /// The address.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// The address as a field's value.
    pub(super) fn text(&self) -> HeaderValue {
        self.text.clone()
    }
}

impl Default for Peer {
    /// Of a connection that cannot say where it comes from.
    fn default() -> Self {
        Self { address: IpAddr::from([0, 0, 0, 0]), text: HeaderValue::from_static("0.0.0.0") }
    }
}

/// One request's state. Everything `upstream_request_filter` uses stays the same when it runs again on a retry.
pub(super) struct Context {
    pub(super) started: Instant,
    /// The same moment by the clock on the wall: what every decision about this request goes by.
    pub(super) received_at: SystemTime,
    pub(super) request_id: RequestId,
    /// The configuration that this request goes by, to its end.
    pub(super) snapshot: Arc<Snapshot>,
    /// The other end of the connection.
    pub(super) peer: Peer,
    /// The client, after the trusted-proxy rule.
    pub(super) client: IpAddr,
    /// Whether the connection's peer is a trusted proxy.
    pub(super) behind_proxy: bool,
    /// Lower-case host without port.
    pub(super) host: String,
    /// Path and query: judged and forwarded.
    pub(super) target: Option<NormalTarget>,
    /// Path and query towards the app, where they are others.
    pub(super) inner_target: Option<String>,
    /// What the app is told was taken away from its paths, where a proxy before us has said so too.
    pub(super) told_prefix: Option<HeaderValue>,
    /// The rule that a refused head broke, for its line.
    pub(super) rule: Option<&'static str>,
    /// The path of a target that could not be read, cut, for its line.
    pub(super) refused_path: String,
    /// What the connection keeps of our headers between its requests.
    pub(super) ready_headers: Option<Box<ReadyHeaders>>,
    /// An answer that was found before any decision was needed.
    pub(super) early: Option<Reply>,
    /// The proof that an upstream may be asked.
    pub(super) permit: Option<Permit>,
    /// Whether the client asks for a WebSocket and may have one.
    pub(super) upgrade: bool,
    /// Whether the client takes trailers after the answer.
    pub(super) trailers: bool,
    /// How long the client says that its body is.
    pub(super) announced: Option<u64>,
    /// Bytes of request body seen.
    pub(super) body: u64,
    /// How fast they come.
    pub(super) body_pace: BodyPace,
    /// The tries to reach the app.
    pub(super) attempts: Attempts,
    /// How it ended.
    pub(super) outcome: RequestOutcome,
}

impl Context {
    pub(super) fn new(request_id: RequestId, snapshot: Arc<Snapshot>) -> Self {
        Self {
            started: Instant::now(),
            received_at: SystemTime::now(),
            request_id,
            snapshot,
            peer: Peer::default(),
            client: IpAddr::from([0, 0, 0, 0]),
            behind_proxy: false,
            host: String::new(),
            target: None,
            inner_target: None,
            told_prefix: None,
            rule: None,
            refused_path: String::new(),
            ready_headers: None,
            early: None,
            permit: None,
            upgrade: false,
            trailers: false,
            announced: None,
            body: 0,
            body_pace: BodyPace::default(),
            attempts: Attempts::default(),
            outcome: RequestOutcome::Answered,
        }
    }

    /// Keeps for the log what a request whose head is refused was for. Of the target only the path: queries carry secrets.
    pub(super) fn note_refused(&mut self, header: &RequestHeader, target: &[u8]) {
        let host = header.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.host = host.and_then(host_name).unwrap_or_default();
        self.refused_path = shown_path(target);
    }

    /// The request as refused, with the route that it was judged by if there is one.
    pub(super) fn refused<'a>(&'a self, refusal: Refusal, reason: Option<&'a str>) -> Refused<'a> {
        let route = self.permit.as_ref().map(|permit| permit.route().name.as_str());
        Refused { refusal, request_id: self.request_id.as_str(), client: self.client, route, reason }
    }
}
