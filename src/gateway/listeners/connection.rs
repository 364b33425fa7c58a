//! A client's connection as the framework wants to see it: bytes in, bytes out, and what is known of it.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::rewound::Rewound;

/// What is known of a connection when it is handed over.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Known {
    pub(super) descriptor: RawFd,
    pub(super) socket: Arc<SocketDigest>,
    pub(super) tls: Option<Arc<SslDigest>>,
    pub(super) alpn: Option<ALPN>,
    /// In a form that the framework keeps for every request of the connection, whatever the protocol.
    pub(super) facts: Arc<ProxyDigest>,
}

/// The connection.
pub(in crate::gateway) struct Connection<S> {
    stream: Rewound<S>,
    known: Known,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: Rewound<S>, known: Known) -> Self {
        Self { stream, known }
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("descriptor", &self.known.descriptor).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[async_trait]
impl<S: AsyncWrite + Unpin + Send> Shutdown for Connection<S> {
    async fn shutdown(&mut self) {
        // The client may have gone first.
        let _gone = self.stream.shutdown().await;
    }
}

impl<S: Send> Peek for Connection<S> {}

impl<S> UniqueID for Connection<S> {
    fn id(&self) -> UniqueIDType {
        self.known.descriptor
    }
}

impl<S> Ssl for Connection<S> {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.known.tls.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.known.alpn.clone()
    }
}

impl<S> GetTimingDigest for Connection<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<S> GetProxyDigest for Connection<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.known.facts))
    }
}

impl<S> GetSocketDigest for Connection<S> {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.known.socket))
    }
}
