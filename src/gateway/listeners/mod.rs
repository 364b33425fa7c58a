//! The public listeners: where connections come in, and what they pass before the framework sees them.

mod address;
mod balancers;
mod certificates;
mod connection;
mod entrance;
mod entrances;
pub(super) mod facts;
mod inherited;
mod preface;
mod proxy_protocol;
mod rewound;
mod socket;
mod sockets;
mod tls;

pub use address::{Descriptor, ListenAddress};
pub use certificates::{Certificate, CertificateFault, CertificateFiles};
pub(super) use entrance::{Entered, Entrance};
pub use entrances::{EntranceFault, Entrances};
pub(super) use socket::{Acceptor, Socket};
pub(super) use sockets::Opened;
pub use sockets::{BindFault, ListenerSettings, Sockets};
pub use tls::{ClientCertificates, TlsSettings, client_roots};
