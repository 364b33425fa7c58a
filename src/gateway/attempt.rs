//! The tries of one request to reach its app: which server each of them asks, and whether there may be another.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use pingora::http::ResponseHeader;
use pingora::protocols::l4::socket::SocketAddr as Address;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};
use tracing::warn;

use super::peer::{Manner, peer_of};
use crate::auth::Permit;
use crate::telemetry::Metrics;
use crate::upstream::{UnderWay, Upstream};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Connections that one request tries at most.
pub(super) const MOST_TRIES: usize = 6;

/// Servers that one request tried, and the one that it is with.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// A bit for each server that cannot be reached.
    tried: u64,
    server: Option<usize>,
    under_way: Option<UnderWay>,
    failed_connects: usize,
    /// A connection that was kept was closed under the request: the next one is new.
    again: bool,
}

/// What of a request matters for the connection that it gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// Whose it is, where no session says so.
    pub(super) client: IpAddr,
    /// It asks for a WebSocket and may have one.
    pub(super) upgraded: bool,
    /// Whether it may be sent twice.
    pub(super) repeatable: bool,
}

impl Attempts {
    /// The server of the try at hand; `None` before the first.
    pub(super) fn server(&self) -> Option<usize> {
        self.server
    }

    /// Where the next try goes.
    ///
    /// # Errors
    /// If there is no server left, or the name of none has an address.
    pub(super) fn next(&mut self, permit: &Permit, request: Request, now: Instant) -> pingora::Result<Box<HttpPeer>> {
        let upstream = permit.route().upstream();
        loop {
            let place = match self.server {
                // Another address of the same server, or a new connection to it.
                Some(place) => place,
                None => {
                    let place = upstream.group.pick(self.tried, || key(permit, request.client), now);
                    let place = place.ok_or_else(no_address)?;
                    self.under_way = upstream.group.begin(place);
                    self.server = Some(place);
                    place
                }
            };
            let server = upstream.group.server(place).ok_or_else(no_address)?;
            let address = server.endpoints().map(|endpoints| endpoints.address());
            if address == Some(None) {
                self.give_up(place);
                continue;
            }
            let manner = Manner { upgraded: request.upgraded, fresh: self.again || !request.repeatable };
            return peer_of(upstream, server, address.flatten(), manner).ok_or_else(|| {
                let text = "the certificates for the upstream cannot be used";
                Error::explain(ErrorType::new("UpstreamCertificates"), text)
            });
        }
    }

    /// No connection came about. Nothing was sent yet, so whatever the request is, another address or server may get it.
    pub(super) fn connect_failed(
        &mut self,
        upstream: &Upstream,
        at: &Address,
        now: Instant,
        metrics: &Metrics,
    ) -> bool {
        let Some(place) = self.server else { return false };
        self.failed_connects += 1;
        let endpoints = upstream.group.server(place).and_then(|server| server.endpoints());
        let more = match (endpoints, at.as_inet()) {
            (Some(endpoints), Some(address)) => endpoints.failed(*address, self.failed_connects),
            _ => false,
        };
        if !more {
            self.broke(upstream, now, metrics);
            self.give_up(place);
        }
        let again = self.failed_connects < MOST_TRIES && (more || upstream.group.has_left(self.tried));
        if again {
            metrics.upstream_retries.inc();
        }
        again
    }

    /// A request that was sent came to no answer.
    pub(super) fn cut(&mut self, upstream: &Upstream, error: &Error, reused: bool, now: Instant, metrics: &Metrics) {
        let times_out = matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout);
        if reused {
            self.again = true;
        } else if *error.esource() == ErrorSource::Upstream && !times_out {
            // That a page is slow says nothing about the server.
            self.broke(upstream, now, metrics);
        }
    }

    /// The server answered.
    pub(super) fn answered(&self, upstream: &Upstream, response: &ResponseHeader) {
        let Some(place) = self.server else { return };
        upstream.group.succeeded(place);
        if let Some(time) = response.headers.get(&KEEP_ALIVE).and_then(kept_for)
            && let Some(server) = upstream.group.server(place)
        {
            server.says_it_keeps(time);
        }
    }

    fn broke(&self, upstream: &Upstream, now: Instant, metrics: &Metrics) {
        let Some(place) = self.server else { return };
        if upstream.group.failed(place, now)
            && let Some(server) = upstream.group.server(place)
        {
            let server = server.at().to_string();
            metrics.upstream_ejections.with_label_values(&[&server]).inc();
            let seconds = upstream.group.settings().ejection.time.as_secs_f64();
            warn!(server, seconds, "A server of an upstream fails and gets no requests for a while (`ejection`)");
        }
    }

    fn give_up(&mut self, place: usize) {
        self.tried |= u32::try_from(place).ok().and_then(|place| 1_u64.checked_shl(place)).unwrap_or(0);
        self.server = None;
        self.under_way = None;
    }
}

/// The `timeout` of `Keep-Alive: timeout=5, max=100`, in seconds (RFC 2068, 19.7.1.1).
fn kept_for(value: &HeaderValue) -> Option<Duration> {
    let mut parts = value.to_str().ok()?.split(',').filter_map(|part| part.trim().split_once('='));
    let (_, seconds) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    seconds
        .trim()
        .trim_matches('"')
        .parse()
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))
        .map(Duration::from_secs)
}

fn no_address() -> Box<Error> {
    let mut error = Error::explain(ErrorType::new("UpstreamHasNoAddress"), "the upstream's name has no address");
    error.as_up();
    error
}

/// Whose request it is, for the same server each time.
fn key(permit: &Permit, client: IpAddr) -> u64 {
    permit.affinity().unwrap_or_else(|| {
        let mut hash = DefaultHasher::new();
        client.hash(&mut hash);
        hash.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_of_its_patience_is_read() {
        for (said, seconds) in [
            ("timeout=5", Some(5)),
            ("timeout=2, max=100", Some(2)),
            ("max=100, Timeout = \"7\"", Some(7)),
            ("timeout=0", None),
            ("timeout=-1", None),
            ("timeout=99999999999999999999", None),
            ("timeout", None),
            ("", None),
            ("max=5", None),
        ] {
            let read = kept_for(&HeaderValue::from_static(said)).map(|time| time.as_secs());
            assert_eq!(read, seconds, "{said:?}");
        }
    }
}
