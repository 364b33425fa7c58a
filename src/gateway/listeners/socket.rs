//! Listening sockets of both kinds, and the connections that come in by them.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{AddressFamily, SocketType, bind, listen, socket_with, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Connections that the kernel keeps until they are accepted. The standard library asks for 128, which a burst of clients
/// fills.
const BACKLOG: i32 = 1024;

/// Who may connect to a socket in the file system: its owner and its group. Directories in front of it say who else cannot.
const MODE: u32 = 0o660;

/// A socket that listens.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(std::net::TcpListener),
    /// With its file, if it is ours to remove.
    Unix(std::os::unix::net::UnixListener, Option<SocketFile>),
}

/// A socket's place in the file system, which is free again when the socket goes.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever comes next takes a place that nobody listens at.
        let _left_behind = std::fs::remove_file(&self.0);
    }
}

impl ListeningSocket {
    /// Binds an address and a port; of `[::]` both address families, whatever the system's habit is. Where the machine has no
    /// IPv6 at all, it is every address of IPv4.
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        use rustix::io::Errno;
        let bound = match bind_tcp(address) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                bind_tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
            }
            bound => bound,
        };
        Ok(Self::Tcp(bound?))
    }

    /// Binds a place in the file system. A socket that is left there of a gateway that was killed makes room.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        let is_left = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
            && std::os::unix::net::UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if is_left {
            std::fs::remove_file(path)?;
        }
        let socket = std::os::unix::net::UnixListener::bind(path)?;
        let file = SocketFile(path.to_owned());
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
        listen(&socket, BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self::Unix(socket, Some(file)))
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(true),
            Self::Unix(socket, _) => socket.set_nonblocking(true),
        }
    }

    /// Where it is bound, if that is an address and a port.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

fn bind_tcp(address: SocketAddr) -> Result<std::net::TcpListener, rustix::io::Errno> {
    use rustix::net::SocketFlags;
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    // As the standard library does: a restart does not wait for connections of the run before.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(std::net::TcpListener::from(socket))
}

/// A listening socket on the runtime.
#[derive(Debug)]
pub(in crate::gateway) struct Acceptor(Accepting);

#[derive(Debug)]
enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix { socket: tokio::net::UnixListener, _file: Option<SocketFile> },
}

impl Acceptor {
    pub(super) fn new(socket: ListeningSocket) -> io::Result<Self> {
        Ok(Self(match socket {
            ListeningSocket::Tcp(socket) => Accepting::Tcp(tokio::net::TcpListener::from_std(socket)?),
            ListeningSocket::Unix(socket, file) => {
                Accepting::Unix { socket: tokio::net::UnixListener::from_std(socket)?, _file: file }
            }
        }))
    }

    /// The next connection, and whose it is. Who comes by a socket in the file system is on this machine, and counts as
    /// 127.0.0.1.
    pub(in crate::gateway) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        match &self.0 {
            Accepting::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                // An answer of several small writes would wait for the client's acknowledgements. Without it the answer is
                // only late.
                let _late_at_most = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), SocketAddr::new(peer.ip().to_canonical(), peer.port())))
            }
            Accepting::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                Ok((Socket::Unix(stream), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            }
        }
    }
}

/// A connection as it was accepted.
#[derive(Debug)]
pub(in crate::gateway) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What a socket took is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
