//! Where a listener listens, as it is written in a configuration and shown in a log.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// Address and port; of `[::]` both address families.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
    /// A socket that whoever started us has opened (sd_listen_fds(3)).
    Inherited(Descriptor),
}

/// Which of the inherited sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Descriptor {
    /// By its number; the first is 3.
    Number(u32),
    /// By the name that it has in `LISTEN_FDNAMES` (`FileDescriptorName=` of a systemd socket).
    Name(String),
}

impl ListenAddress {
    /// Address and port, where that is what it is.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Inherited(_) => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(Descriptor::Number(number)) => write!(f, "fd:{number}"),
            Self::Inherited(Descriptor::Name(name)) => write!(f, "fd:{name}"),
        }
    }
}
