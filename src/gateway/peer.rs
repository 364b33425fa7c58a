//! The framework's form of an upstream, with every deadline set.

use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use pingora::protocols::ALPN;
use pingora::protocols::l4::socket::SocketAddr as Address;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy, PeerOptions, Scheme};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::upgrade_connection::UpgradeConnector;
use crate::route::upstream::{ClientCertificate, HostRule, ServerAddress, TlsSettings, UpstreamSettings};
use crate::upstream::{Server, Upstream};

/// By how much longer the framework bears silence than we do: whoever finds it first says what it was.
const SLACK: Duration = Duration::from_secs(5);

/// Longest silence that the framework may meet on either side: which of the limits counts is known only with the answer, and
/// then it is kept by the watch over the request.
pub(super) fn longest_silence(settings: &UpstreamSettings) -> Duration {
    settings.first_byte_timeout.max(settings.read_timeout).max(settings.stream_idle).saturating_add(SLACK)
}

/// Streams of one HTTP/2 connection to an upstream; a server that allows fewer is heeded.
const MOST_STREAMS: usize = 100;

/// Numbers of sets for connections that are never shared; those of groups begin at the other end.
static UPGRADES: AtomicU64 = AtomicU64::new(1 << 63);

/// How one request is to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// It asks for a WebSocket and may have one.
    pub(super) upgraded: bool,
    /// It must not meet a connection that the server is just closing: it cannot be sent twice, or was tried before.
    pub(super) fresh: bool,
}

/// What is made of an upstream's settings once.
#[derive(Debug)]
struct Prepared {
    /// The `Host` that each server is told; empty if it is the client's.
    hosts: Vec<HeaderValue>,
    /// `None` if they cannot be read.
    certificates: Option<Certificates>,
}

#[derive(Debug, Default)]
struct Certificates {
    authorities: Option<Arc<[WrappedX509]>>,
    client: Option<Arc<CertKey>>,
}

/// The `Host` that the server at `place` is told; `None` if it is the one that the client asked for.
pub(super) fn host_for(upstream: &Upstream, place: Option<usize>) -> Option<HeaderValue> {
    if upstream.settings.host == HostRule::Keep {
        return None;
    }
    prepared(upstream)?.hosts.get(place?).cloned()
}

fn prepared(upstream: &Upstream) -> Option<&Prepared> {
    upstream.prepared.get(|| {
        let group = upstream.group.settings();
        let hosts = upstream.group.servers().iter().map(|server| {
            let host = match &upstream.settings.host {
                HostRule::Fixed(host) => host.clone(),
                HostRule::Keep | HostRule::Server => server.at().authority(group.tls.is_some()),
            };
            HeaderValue::try_from(host).unwrap_or(HeaderValue::from_static("unknown"))
        });
        Prepared {
            hosts: hosts.collect(),
            certificates: group.tls.as_ref().map_or_else(|| Some(Certificates::default()), read),
        }
    })
}

/// The peer of one request to `server` at `address`, which is none for a socket of this machine. `None` if its certificates
/// cannot be read.
pub(super) fn peer_of(
    upstream: &Upstream,
    server: &Server,
    address: Option<SocketAddr>,
    manner: Manner,
) -> Option<Box<HttpPeer>> {
    let group = upstream.group.settings();
    let address = match (server.at(), address) {
        (ServerAddress::Unix(path), _) => Address::Unix(std::os::unix::net::SocketAddr::from_pathname(path).ok()?),
        (ServerAddress::Tcp { .. }, address) => Address::Inet(address?),
    };
    let mut options = PeerOptions::new();
    let settings = &upstream.settings;
    options.connection_timeout = Some(settings.connect_timeout);
    options.total_connection_timeout = Some(settings.connect_timeout.saturating_add(Duration::from_secs(1)));
    options.read_timeout = Some(longest_silence(settings));
    options.write_timeout = Some(settings.write_timeout);
    options.idle_timeout = Some(server.keepalive(if manner.fresh { group.reuse_within } else { group.keepalive }));
    options.http_upstream_request_policy = if upstream.websocket {
        HttpUpstreamRequestPolicy::standard()
    } else {
        HttpUpstreamRequestPolicy::deny_upgrades()
    };
    if group.http2 && !manner.upgraded {
        options.alpn = if group.tls.is_some() { ALPN::H2H1 } else { ALPN::H2 };
        options.max_h2_streams = MOST_STREAMS;
    }
    let mut group_key = upstream.group.number() + u64::from(manner.fresh && !group.http2);
    if manner.upgraded {
        options.custom_l4 = Some(Arc::new(UpgradeConnector { patience: settings.connect_timeout }));
        // Such a connection is of use for nothing else: it is taken from no set and kept in none.
        options.idle_timeout = Some(Duration::from_millis(1));
        group_key = UPGRADES.fetch_add(1, Ordering::Relaxed);
    }
    let mut peer = Box::new(HttpPeer {
        _address: address,
        scheme: if group.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
        sni: String::new(),
        proxy: None,
        client_cert_key: None,
        // Connections that were idle for longer than a request may risk are in a set of their own. Over HTTP/2 many requests
        // are under way on one connection at once, and a server says which it did not read.
        group_key,
        options,
    });
    if let Some(tls) = &group.tls {
        speak_tls(&mut peer, upstream, server, tls)?;
    }
    Some(peer)
}

fn speak_tls(peer: &mut HttpPeer, upstream: &Upstream, server: &Server, tls: &TlsSettings) -> Option<()> {
    peer.sni = match (&tls.server_name, server.at()) {
        (Some(name), _) => name.clone(),
        (None, ServerAddress::Tcp { host, .. }) => host.clone(),
        // The configuration demands a name for sockets. Without one the framework would check nothing.
        (None, ServerAddress::Unix(_)) => return None,
    };
    let certificates = prepared(upstream)?.certificates.as_ref()?;
    peer.options.ca.clone_from(&certificates.authorities);
    peer.client_cert_key.clone_from(&certificates.client);
    peer.options.verify_cert = tls.verify;
    peer.options.verify_hostname = tls.verify;
    (!peer.sni.is_empty()).then_some(())
}

/// The framework's form of certificates. It panics at what it cannot read, which the configuration has looked at with other
/// eyes.
fn read(tls: &TlsSettings) -> Option<Certificates> {
    let all = || {
        let authorities = tls.authorities.as_ref();
        let authorities =
            authorities.map(|all| all.iter().map(|der| WrappedX509::new(der.clone(), parse_x509)).collect());
        let client = match &tls.client {
            Some(client) => Some(Arc::new(cert_key(client)?)),
            None => None,
        };
        Some(Certificates { authorities, client })
    };
    catch_unwind(all).ok().flatten()
}

fn cert_key(client: &ClientCertificate) -> Option<CertKey> {
    let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).ok()?;
    (!client.chain.is_empty()).then(|| CertKey::new(client.chain.clone(), key.secret_der().to_vec()))
}
