//! Starts and stops the listeners. Everything runs on the caller's runtime, so that connections to the session store
//! and to providers live exactly as long as the requests that use them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pingora::apps::HttpServerOptions;
use pingora::apps::http_app::HttpServer;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::GatewaySettings;
use super::access_log::AccessLog;
use super::admin::Admin;
use super::connections::Connections;
use super::framework_error::FrameworkErrorReplacement;
use super::listener::{GuardedApp, bind, hand_over};
use super::proxy::Gateway;
use crate::auth::Auth;
use crate::secret::Entropy;
use crate::telemetry::Metrics;

/// What a gateway is made of.
pub struct GatewayParts {
    /// Settings.
    pub settings: GatewaySettings,
    /// The story.
    pub auth: Arc<Auth>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Dice, for the start of the request ids.
    pub entropy: Arc<dyn Entropy>,
}

/// A gateway that answers.
pub struct RunningGateway {
    /// Where the public listener is bound.
    pub address: SocketAddr,
    /// Where the private listener is bound.
    pub admin_address: SocketAddr,
    connections: Arc<Connections>,
    draining: Arc<AtomicBool>,
    stop_public: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    services: Vec<JoinHandle<()>>,
}

/// An address that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}: {error}")]
pub struct BindFault {
    /// Its key in the configuration.
    key: &'static str,
    address: SocketAddr,
    error: io::Error,
}

/// Both sockets, bound before anything else is started.
#[derive(Debug)]
pub struct Sockets {
    public: (SocketAddr, TcpListener),
    private: (SocketAddr, TcpListener),
}

impl Sockets {
    /// Binds `listen` and `admin_listen`; port 0 lets the kernel choose.
    ///
    /// # Errors
    /// If an address cannot be bound: in use, not ours, or not permitted.
    pub fn bind(listen: SocketAddr, admin_listen: SocketAddr) -> Result<Self, BindFault> {
        let one = |key, address| bind(address).map_err(|error| BindFault { key, address, error });
        Ok(Self { public: one("listen", listen)?, private: one("admin_listen", admin_listen)? })
    }

    /// Where the public one is bound.
    pub fn address(&self) -> SocketAddr {
        self.public.0
    }
}

/// Serves on `sockets`, on the current runtime.
///
/// # Errors
/// If the system has no thread for the access log.
pub fn start(sockets: Sockets, parts: GatewayParts) -> io::Result<RunningGateway> {
    let GatewayParts { settings, auth, metrics, entropy } = parts;
    let Sockets { public: (address, public), private: (admin_address, private) } = sockets;
    let fds = hand_over([(address, public), (admin_address, private)]);
    let trusted = settings.trusted_proxies.clone();
    let connections = Connections::new(settings.limits.clone(), trusted, Arc::clone(&metrics));
    let draining = Arc::new(AtomicBool::new(false));
    let mut seed = [0; 8];
    entropy.fill(&mut seed);
    let ids = Arc::new(AtomicU64::new(u64::from_ne_bytes(seed)));
    let replacement = Arc::new(FrameworkErrorReplacement {
        ids: Arc::clone(&ids),
        metrics: Arc::clone(&metrics),
        exit: auth.exit().clone(),
    });

    let access_log = settings.access_log.map(AccessLog::start).transpose()?;
    let gateway = Gateway {
        exit: auth.exit().clone(),
        auth: Arc::clone(&auth),
        settings,
        metrics: Arc::clone(&metrics),
        ids,
        draining: Arc::clone(&draining),
        access_log,
    };
    let conf = ServerConf { max_retries: 3, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let mut proxy = http_proxy(&Arc::new(conf), gateway);
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(Duration::from_secs(75));
    proxy.server_options = Some(options);
    let app = GuardedApp { inner: Arc::new(proxy), connections: Arc::clone(&connections), replacement };
    let mut public = Service::new("public".to_owned(), app);
    public.add_tcp(&address.to_string());
    let admin = Admin { auth, metrics, draining: Arc::clone(&draining) };
    let mut private = Service::new("private".to_owned(), HttpServer::new_app(admin));
    private.add_tcp(&admin_address.to_string());

    let (stop_public, public_watch) = watch::channel(false);
    let (stop_admin, admin_watch) = watch::channel(false);
    let public_fds = Some(Arc::clone(&fds));
    let services = vec![
        tokio::spawn(async move { public.start_service(public_fds, public_watch, 1).await }),
        tokio::spawn(async move { private.start_service(Some(fds), admin_watch, 1).await }),
    ];
    Ok(RunningGateway { address, admin_address, connections, draining, stop_public, stop_admin, services })
}

impl RunningGateway {
    /// Stops accepting, lets requests finish for at most `grace`, then ends. Returns how many connections were cut.
    pub async fn stop(self, grace: Duration) -> usize {
        self.draining.store(true, Ordering::Release);
        let _nobody_listens_any_more = self.stop_public.send(true);
        let deadline = tokio::time::Instant::now() + grace;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while self.connections.count() > 0 && tokio::time::Instant::now() < deadline {
            tick.tick().await;
        }
        let cut = self.connections.count();
        let _nobody_listens_any_more = self.stop_admin.send(true);
        for service in self.services {
            let patience = Duration::from_secs(1);
            let _ended_or_cut = tokio::time::timeout(patience, service).await;
        }
        cut
    }
}
