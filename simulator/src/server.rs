//! One loopback listener with a router behind it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(2);

/// A bound address that does not answer yet.
///
/// Binding comes before serving because every part has to know the addresses of the others.
#[derive(Debug)]
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    named: SocketAddr,
}

impl Bound {
    /// Listens on `port`. `relay` is the port that the part says it has, where something stands in front of it.
    pub(super) async fn loopback(port: u16, relay: Option<u16>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let named = relay.map_or(address, |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Ok(Self { listener, address, named })
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.named)
    }

    /// The port it really listens on.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn serve(self, router: Router) -> Serving {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let until_stopped = async move {
                // An error means that the handle is gone, which asks for the same.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let served = axum::serve(self.listener, router).with_graceful_shutdown(until_stopped).await;
            if let Err(error) = served {
                tracing::debug!(%error, "A simulated service stopped");
            }
        });
        Serving { stop, task }
    }
}

/// A listener that answers until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Serving {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Takes no new connection, and gives requests under way a moment to finish.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(PATIENCE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.task.abort();
    }
}
