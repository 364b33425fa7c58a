//! The public listeners: where connections come in, and what they pass before the framework sees them.

mod address;
mod connection;
mod entrance;
pub(super) mod facts;
mod inherited;
mod rewound;
mod socket;
mod sockets;

pub use address::{Descriptor, ListenAddress};
pub(super) use entrance::Entrance;
pub(super) use socket::{Acceptor, Socket};
pub(super) use sockets::Opened;
pub use sockets::{BindFault, ListenerSettings, Sockets};
