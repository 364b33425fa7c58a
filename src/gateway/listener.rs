//! Sockets: bound before anything else starts; each connection counted and put behind its watch before the framework
//! sees it. Where descriptors run out, whoever knocks is refused and counted, and nothing waits for them.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use pingora::apps::ServerApp;
use pingora::server::ShutdownWatch;

use super::connections::Connections;
use super::context::Peer;
use super::framework_error::FrameworkErrorReplacement;
use super::guarded_stream::GuardedStream;
use super::listeners::{Acceptor, Entered, Entrance, Socket};

/// How long the listener rests when it can neither serve nor refuse.
const REST: Duration = Duration::from_millis(20);

/// One socket and what answers on it.
pub(super) struct Listener<A> {
    socket: Acceptor,
    entrance: Arc<Entrance>,
    app: Arc<A>,
    connections: Arc<Connections>,
    replacement: Arc<FrameworkErrorReplacement>,
    reserve: Reserve,
}

/// Descriptors that are held so that they can be given up when there are no others.
#[derive(Debug)]
pub(super) struct Reserve {
    held: Vec<File>,
    most: usize,
    /// Whether a connection is served with one of them. If not, it is only taken out of the queue, and refused.
    serves: bool,
}

impl Reserve {
    /// One, to refuse with.
    pub(super) fn to_refuse() -> Self {
        Self { held: Vec::new(), most: 1, serves: false }
    }

    /// `most`, to serve with: whoever watches the gateway gets in when nobody else does.
    pub(super) fn to_serve(most: usize) -> Self {
        Self { held: Vec::new(), most, serves: true }
    }

    /// Takes back what was given up, as far as it can be had.
    fn refill(&mut self) {
        while self.held.len() < self.most {
            let Ok(file) = File::open("/dev/null") else { return };
            self.held.push(file);
        }
    }
}

impl<A: ServerApp + Send + Sync + 'static> Listener<A> {
    /// From a bound socket, and what lies between it and `app`.
    pub(super) fn new(
        socket: Acceptor,
        entrance: Entrance,
        app: Arc<A>,
        connections: Arc<Connections>,
        replacement: Arc<FrameworkErrorReplacement>,
        reserve: Reserve,
    ) -> Self {
        Self { socket, entrance: Arc::new(entrance), app, connections, replacement, reserve }
    }

    /// Accepts connections until `stop` says so.
    pub(super) async fn run(mut self, mut stop: ShutdownWatch) {
        loop {
            if self.reserve.held.len() < self.reserve.most {
                self.reserve.refill();
            }
            let accepted = tokio::select! {
                biased;
                _ = stop.changed() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.serve(stream, address, &stop),
                Err(error) if is_exhaustion(&error) => self.accept_from_reserve(&stop).await,
                // A client that was gone before it was accepted.
                Err(_) => {}
            }
        }
        drop(self.socket);
        self.app.cleanup().await;
    }

    /// There is no descriptor for whoever knocks. If they were left in the queue, they and all behind them would wait for
    /// nothing, and accepting would fail again and again.
    async fn accept_from_reserve(&mut self, stop: &ShutdownWatch) {
        drop(self.reserve.held.pop());
        match self.socket.accept().now_or_never() {
            Some(Ok((stream, address))) if self.reserve.serves => self.serve(stream, address, stop),
            Some(Ok((refused, _))) => {
                self.connections.refuse("files");
                drop(refused);
                tokio::task::yield_now().await;
            }
            // Somebody else took what was given up.
            Some(Err(_)) => tokio::time::sleep(REST).await,
            None => {}
        }
    }

    fn serve(&self, socket: Socket, address: SocketAddr, stop: &ShutdownWatch) {
        let peer = Peer::new(address.ip());
        let slot = if self.entrance.is_balancer(peer.address()) {
            self.connections.admit_balancer(peer)
        } else {
            self.connections.admit(peer)
        };
        let Some(slot) = slot else { return };
        let (entrance, replacement) = (Arc::clone(&self.entrance), Arc::clone(&self.replacement));
        let (app, stop) = (Arc::clone(&self.app), stop.clone());
        let connections = Arc::clone(&self.connections);
        tokio::spawn(async move {
            let mut stopping = stop.clone();
            let entered = tokio::select! {
                entered = entrance.enter(socket, address, slot) => entered,
                // Whoever has not asked for anything yet loses nothing.
                _ = stopping.changed() => return,
            };
            let Entered { stream, slot, http2 } = match entered {
                Ok(entered) => entered,
                Err(why) => return why.into_iter().for_each(|why| connections.refuse(why)),
            };
            let connection = GuardedStream::new(stream, replacement, slot, http2);
            let mut next = app.process_new(Box::new(connection), &stop).await;
            while let Some(connection) = next {
                next = app.process_new(connection, &stop).await;
            }
        });
    }
}

/// Whether no connection can be accepted for want of descriptors or memory, whoever knocks.
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
