//! Starts and stops the listeners. Everything runs on the caller's runtime, so that connections to the session store
//! and to providers live exactly as long as the requests that use them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pingora::apps::HttpServerOptions;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::access_log::AccessLog;
use super::admin::{self, Admin};
use super::attempt::MOST_TRIES;
use super::capacity::Capacity;
use super::connections::{Connections, Side};
use super::framework_error::FrameworkErrorReplacement;
use super::http2::{self, Front};
use super::listener::{Listener, Reserve};
use super::listeners::{Entrance, Entrances, ListenAddress, Opened, Sockets};
use super::named_limits::NamedLimits;
use super::proxy::Gateway;
use super::stopping::Stopping;
use super::stream_watch::Watchman;
use super::{GatewaySettings, ListenerLimits};
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
    /// Randomness, for the start of the request ids.
    pub entropy: Arc<dyn Entropy>,
    /// What lies between each public socket and the framework.
    pub entrances: Entrances,
}

/// A gateway that answers.
pub struct RunningGateway {
    /// Where the first public listener is bound that has an address and a port.
    pub address: SocketAddr,
    /// Where the public listeners are bound.
    pub addresses: Vec<ListenAddress>,
    /// Where the private listener is bound.
    pub admin_address: SocketAddr,
    connections: Arc<Connections>,
    stopping: Arc<Stopping>,
    stop_public: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    services: Vec<JoinHandle<()>>,
}

/// Serves on `sockets`, on the current runtime.
///
/// # Errors
/// If the system has no thread for the log, or cannot watch a socket.
pub fn start(sockets: Sockets, parts: GatewayParts) -> io::Result<RunningGateway> {
    let GatewayParts { mut settings, auth, metrics, entropy, mut entrances } = parts;
    let (addresses, address, admin_address) = (sockets.addresses(), sockets.address(), sockets.admin_address());
    let Opened { public, private } = sockets.open()?;
    let capacity = Capacity::of_process();
    let capacity = Capacity { memory: settings.memory.or(capacity.memory), ..capacity };
    let wanted = settings.limits.connections;
    settings.limits = capacity.fit(settings.limits);
    tell(&capacity, &settings.limits, wanted);
    let trusted = settings.trusted_proxies.clone();
    let connections = Connections::new(Side::Public, settings.limits.clone(), trusted.clone(), Arc::clone(&metrics));
    let stopping = Arc::new(Stopping::default());
    let mut seed = [0; 8];
    entropy.fill(&mut seed);
    let ids = Arc::new(AtomicU64::new(u64::from_ne_bytes(seed)));
    let named = NamedLimits::of(&settings, auth.snapshot().settings().longest_target);
    let access_log = settings.access_log.map(AccessLog::start).transpose()?.map(Arc::new);
    let replacement = |side| {
        let (ids, metrics, exit) = (Arc::clone(&ids), Arc::clone(&metrics), auth.exit().clone());
        let public = side == Side::Public;
        let (named, access_log) = (public.then_some(named), access_log.clone().filter(|_| public));
        Arc::new(FrameworkErrorReplacement { side, ids, metrics, exit, named, access_log })
    };
    let (public_replacement, private_replacement) = (replacement(Side::Public), replacement(Side::Private));

    let (admin_settings, import_bytes) = (settings.admin.clone(), settings.import_bytes);
    let (keepalive, streams) = (settings.limits.keepalive, settings.limits.streams);
    let gateway = Gateway {
        exit: auth.exit().clone(),
        auth: Arc::clone(&auth),
        settings,
        metrics: Arc::clone(&metrics),
        ids,
        watchman: Watchman { auth: Arc::clone(&auth), stopping: Arc::clone(&stopping) },
        access_log,
    };
    let pool = capacity.upstream_pool();
    let conf = ServerConf { max_retries: MOST_TRIES, upstream_keepalive_pool_size: pool, ..ServerConf::default() };
    let mut proxy = http_proxy(&Arc::new(conf), gateway);
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(keepalive);
    proxy.server_options = Some(options);
    proxy.h2_options = Some(http2::options(streams));
    let proxy = Arc::new(Front::new(Arc::new(proxy), Arc::clone(&metrics)));
    let (stop_public, public_watch) = watch::channel(false);
    let mut services = Vec::with_capacity(public.len() + 1);
    for (index, socket) in public.into_iter().enumerate() {
        let (app, connections) = (Arc::clone(&proxy), Arc::clone(&connections));
        let (replacement, reserve) = (Arc::clone(&public_replacement), Reserve::to_refuse());
        let listener = Listener::new(socket, entrances.take(index), app, connections, replacement, reserve);
        services.push(tokio::spawn(listener.run(public_watch.clone())));
    }
    let limits = admin_settings.limits();
    let private_connections = Connections::new(Side::Private, limits, trusted, Arc::clone(&metrics));
    let admin = Admin {
        settings: admin_settings,
        import_bytes,
        importing: Arc::new(Semaphore::new(1)),
        auth,
        metrics,
        stopping: Arc::clone(&stopping),
    };
    let reserve = Reserve::to_serve(admin::RESERVED_FILES);
    let entrance = Entrance::default();
    let private = Listener::new(private, entrance, Arc::new(admin), private_connections, private_replacement, reserve);
    let (stop_admin, admin_watch) = watch::channel(false);
    services.push(tokio::spawn(private.run(admin_watch)));
    Ok(RunningGateway { address, addresses, admin_address, connections, stopping, stop_public, stop_admin, services })
}

/// Says how many connections there may be, and why not more.
fn tell(capacity: &Capacity, limits: &ListenerLimits, wanted: usize) {
    let ListenerLimits { connections, connections_per_client, large_answers, .. } = limits;
    let memory = capacity.memory.map_or("no limit".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    let files = capacity.files.map_or("no limit".to_owned(), |files| files.to_string());
    if *connections < wanted {
        warn!(
            connections,
            connections_per_client,
            large_answers,
            memory,
            files,
            wanted,
            "Memory or open files do not suffice for limits.connections: there will be fewer"
        );
    } else {
        info!(connections, connections_per_client, large_answers, memory, files, "Connections that there may be");
    }
}

impl RunningGateway {
    /// Says that the gateway stops, to whoever asks, and on answers; it goes on serving.
    pub fn announce_stop(&self) {
        self.stopping.announce();
    }

    /// Stops accepting, lets requests finish for at most `grace`, then ends. Returns how many connections were cut.
    pub async fn stop(self, grace: Duration) -> usize {
        self.stopping.begin(grace);
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
