//! All sockets of a gateway, bound before anything else is started: a port in use is a clear fault at start and not a
//! service that never answers.

use std::io;
use std::net::SocketAddr;

use super::address::ListenAddress;
use super::inherited::Inherited;
use super::socket::{Acceptor, ListeningSocket};
use super::tls::TlsSettings;
use crate::route::network::Network;

/// One public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Its key in the configuration, for whoever has to change it.
    pub key: String,
    /// Where it listens.
    pub address: ListenAddress,
    /// TLS on it; `None`: plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 is spoken without TLS, to whoever begins with it. Default no.
    pub h2c: bool,
    /// Whether whoever comes by plain HTTP is sent on to https. Default no.
    pub redirects: bool,
    /// Balancers, which begin every connection with the PROXY protocol; then nobody else may connect. `None`: it is not spoken.
    pub balancers: Option<Vec<Network>>,
}

impl ListenerSettings {
    /// A plain one, as `listen` is short for.
    pub fn plain(address: ListenAddress) -> Self {
        Self { key: "listen".to_owned(), address, tls: None, h2c: false, redirects: false, balancers: None }
    }
}

/// An address that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}: {error}")]
pub struct BindFault {
    /// Its key in the configuration.
    key: String,
    address: ListenAddress,
    error: io::Error,
}

/// One bound socket.
#[derive(Debug)]
struct Bound {
    /// Where it is bound, with the port that the kernel chose.
    address: ListenAddress,
    socket: ListeningSocket,
}

/// The sockets of all listeners.
#[derive(Debug)]
pub struct Sockets {
    public: Vec<Bound>,
    private: Bound,
}

/// They again, on the runtime.
#[derive(Debug)]
pub(in crate::gateway) struct Opened {
    /// Those of the public listeners, in their order.
    pub(in crate::gateway) public: Vec<Acceptor>,
    /// That of the private one.
    pub(in crate::gateway) private: Acceptor,
}

impl Sockets {
    /// Binds one plain listener and the private one; port 0 lets the kernel choose.
    ///
    /// # Errors
    /// If an address cannot be bound: in use, not ours, or not permitted.
    pub fn bind(listen: SocketAddr, admin_listen: SocketAddr) -> Result<Self, BindFault> {
        Self::bind_all(&[ListenerSettings::plain(listen.into())], admin_listen)
    }

    /// Binds every listener.
    ///
    /// # Errors
    /// If one cannot be bound: in use, not ours, not permitted, or not handed over.
    pub fn bind_all(listeners: &[ListenerSettings], admin_listen: SocketAddr) -> Result<Self, BindFault> {
        let mut inherited = None;
        let public = listeners.iter().map(|listener| {
            let fault = |error| BindFault { key: listener.key.clone(), address: listener.address.clone(), error };
            bind(&listener.address, &mut inherited).map_err(fault)
        });
        let public = public.collect::<Result<_, _>>()?;
        let private = ListenAddress::from(admin_listen);
        let fault = |error| BindFault { key: "admin_listen".to_owned(), address: private.clone(), error };
        let private = bind(&private, &mut inherited).map_err(fault)?;
        Ok(Self { public, private })
    }

    /// Where the public ones are bound.
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.public.iter().map(|bound| bound.address.clone()).collect()
    }

    /// Where the first public one is bound that has an address and a port; port 0 of no address if none has.
    pub fn address(&self) -> SocketAddr {
        let first = self.public.iter().find_map(|bound| bound.address.tcp());
        first.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Where the private one is bound.
    pub fn admin_address(&self) -> SocketAddr {
        self.private.address.tcp().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Every address and port at which we answer, with the key that says so.
    pub fn own(&self) -> Vec<(&'static str, SocketAddr)> {
        let public = self.public.iter().filter_map(|bound| Some(("listen", bound.address.tcp()?)));
        public.chain([("admin_listen", self.admin_address())]).collect()
    }

    pub(in crate::gateway) fn open(self) -> io::Result<Opened> {
        let public = self.public.into_iter().map(|bound| Acceptor::new(bound.socket)).collect::<io::Result<_>>()?;
        Ok(Opened { public, private: Acceptor::new(self.private.socket)? })
    }
}

fn bind(address: &ListenAddress, inherited: &mut Option<Inherited>) -> io::Result<Bound> {
    let socket = match address {
        ListenAddress::Tcp(address) => ListeningSocket::tcp(*address)?,
        ListenAddress::Unix(path) => ListeningSocket::unix(path)?,
        ListenAddress::Inherited(which) => inherited.get_or_insert_with(Inherited::of_process).take(which)?,
    };
    let bound = match address {
        ListenAddress::Unix(_) => address.clone(),
        // Of an inherited one too the port is told, if it has one.
        ListenAddress::Tcp(_) | ListenAddress::Inherited(_) => {
            socket.address().map_or_else(|| address.clone(), ListenAddress::Tcp)
        }
    };
    Ok(Bound { address: bound, socket })
}
