//! The framework alone: what every figure is a ratio to.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;

use super::role::{listener, say};

struct Bare(HttpPeer);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _context: &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.0.clone()))
    }
}

/// Passes requests to `upstream` for ever.
pub async fn pass(upstream: SocketAddr) {
    // The framework's connector wants one even where nothing is encrypted.
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (listener, address) = listener();
    listener.set_nonblocking(true).expect("a socket");
    let mut fds = Fds::new();
    fds.add(address.to_string(), std::os::fd::IntoRawFd::into_raw_fd(listener));
    let conf = ServerConf { upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let proxy = http_proxy(&Arc::new(conf), Bare(HttpPeer::new(upstream, false, String::new())));
    let mut service = Service::new("bare".to_owned(), proxy);
    service.add_tcp(&address.to_string());
    say(address);
    let (_stop, watch) = tokio::sync::watch::channel(false);
    service.start_service(Some(Arc::new(parking_lot::Mutex::new(fds))), watch, 1).await;
}

/// One worker thread, as every contender has.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}
