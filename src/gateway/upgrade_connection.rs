//! The connection to an app that is asked for a WebSocket.
//!
//! Behind a head without a body the framework has an empty end of the body to pass on, and waits for the answer at the same time. If
//! an app switches protocols at once, the framework may take the answer first; the end of the body is then taken for the end of
//! what the client says in the new protocol, and the connection is closed as it opens (FT11). So a connection of this
//! kind reads nothing in the very moment after something was written: whatever waits to be written goes first.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr as Address;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType, OrErr as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Makes them.
#[derive(Debug)]
pub(super) struct UpgradeConnector {
    /// Time to connect.
    pub(super) patience: Duration,
}

#[async_trait]
impl L4Connect for UpgradeConnector {
    async fn connect(&self, address: &Address) -> pingora::Result<Stream> {
        let socket: Box<dyn VirtualSocket> = match address {
            Address::Inet(address) => Box::new(Upgradable::of(tcp(*address, self.patience).await?)),
            Address::Unix(address) => {
                let path = address.as_pathname().unwrap_or(std::path::Path::new(""));
                Box::new(Upgradable::of(in_time(UnixStream::connect(path), self.patience).await?))
            }
        };
        Ok(Stream::from(VirtualSocketStream::new(socket)))
    }
}

async fn tcp(address: SocketAddr, patience: Duration) -> pingora::Result<TcpStream> {
    let stream = in_time(TcpStream::connect(address), patience).await?;
    stream.set_nodelay(true).or_err(ErrorType::SocketError, "TCP_NODELAY cannot be set")?;
    Ok(stream)
}

async fn in_time<S>(connecting: impl Future<Output = io::Result<S>>, patience: Duration) -> pingora::Result<S> {
    let connected = timeout(patience, connecting).await;
    let connected = connected.map_err(|_| Error::explain(ErrorType::ConnectTimedout, "no connection in time"))?;
    connected.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ErrorType::ConnectNoRoute,
            _ => ErrorType::ConnectError,
        };
        Error::because(kind, "no connection", error)
    })
}

/// A connection that reads nothing right after a write.
#[derive(Debug)]
struct Upgradable<S> {
    inner: S,
    wrote: bool,
}

impl<S> Upgradable<S> {
    fn of(inner: S) -> Self {
        Self { inner, wrote: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Upgradable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.wrote) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Upgradable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote = true;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug> VirtualSocket for Upgradable<S> {
    /// What there is to set is set as the connection is made.
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_in_the_moment_after_a_write() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut ours = Upgradable::of(ours);
        theirs.write_all(b"101").await.unwrap();
        ours.write_all(b"GET").await.unwrap();
        let mut read = [0; 3];
        assert!(ours.read_exact(&mut read).now_or_never().is_none(), "the answer was there, and was left there");
        ours.read_exact(&mut read).now_or_never().unwrap().unwrap();
        assert_eq!(&read, b"101");
    }
}
