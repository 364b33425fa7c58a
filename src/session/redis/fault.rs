//! What can go wrong with Redis, in our words only.

use std::error::Error as _;
use std::io::ErrorKind as Io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::session::store::StoreError;

/// Why a URL does not name a Redis. Never holds a part of the URL: it may hold a password (security.md R04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlFault {
    /// A fragment. The one that exists, `#insecure`, would turn off the check of the certificate.
    #[error("the Redis URL ends in a `#` part; certificates are always checked (write a `#` in a password as `%23`)")]
    Fragment,
    /// Nothing that names a Redis.
    #[error("the Redis URL cannot be read; it looks like redis://user:password@host:6379/0 (rediss:// for TLS)")]
    Unreadable,
}

/// One kind of failure, with the sentence for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("Redis gave an answer that is no answer to the question")]
    Answer,
    #[error("Redis refused the user name or password")]
    Authentication,
    #[error("the connection to Redis was closed")]
    Closed,
    #[error("this Redis is a node of a cluster and has only some of the keys; name a Redis that has all of them")]
    ClusterNode,
    #[error("Redis is still loading its data")]
    Loading,
    #[error("Redis is out of memory")]
    Memory,
    #[error("Redis does not allow this user the commands or keys that sessions need (ACL)")]
    Permission,
    #[error("this Redis is a read-only replica; name its primary")]
    ReadOnly,
    #[error("Redis refused the command; sessions need Redis 6.2 or later")]
    Refused,
    #[error("this is a Redis Sentinel, which keeps no records; name the Redis that it watches")]
    Sentinel,
    #[error("Redis did not answer in time")]
    Timeout,
    #[error("no secure connection to Redis: its certificate or name was not accepted, or it speaks no TLS")]
    Tls,
    #[error("Redis cannot be reached at the configured address")]
    Unreachable,
    #[error("Redis has stopped taking writes: it cannot save to its disk, or has too few replicas")]
    WritesStopped,
    #[error("another kind of value lies under the key")]
    WrongType,
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Memory => StoreError::Full,
            Fault::Authentication
            | Fault::ClusterNode
            | Fault::Permission
            | Fault::ReadOnly
            | Fault::Refused
            | Fault::Sentinel
            | Fault::Tls => StoreError::Unfit(fault.to_string()),
            fault => StoreError::Unavailable(fault.to_string()),
        }
    }
}

impl Fault {
    /// Sorts a failed answer on a connection that was made.
    pub(super) fn of(fault: &RedisError) -> Self {
        match fault.kind() {
            ErrorKind::AuthenticationFailed => Self::Authentication,
            ErrorKind::Server(kind) => Self::of_server(kind),
            ErrorKind::Extension => match fault.code() {
                Some("NOAUTH" | "WRONGPASS") => Self::Authentication,
                Some("OOM") => Self::Memory,
                Some("WRONGTYPE") => Self::WrongType,
                Some("MISCONF" | "NOREPLICAS") => Self::WritesStopped,
                _ => Self::Refused,
            },
            ErrorKind::Io => match io_kind(fault) {
                Some(Io::InvalidData) => Self::Tls,
                Some(Io::TimedOut | Io::WouldBlock) => Self::Timeout,
                _ => Self::Closed,
            },
            _ => Self::Answer,
        }
    }

    /// Sorts a failed attempt to connect.
    pub(super) fn of_connecting(fault: &RedisError) -> Self {
        match Self::of(fault) {
            Self::Closed => Self::Unreachable,
            fault => fault,
        }
    }

    fn of_server(kind: ServerErrorKind) -> Self {
        match kind {
            ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown => Self::Loading,
            ServerErrorKind::NoPerm => Self::Permission,
            ServerErrorKind::ReadOnly => Self::ReadOnly,
            ServerErrorKind::Ask
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::CrossSlot
            | ServerErrorKind::Moved
            | ServerErrorKind::TryAgain => Self::ClusterNode,
            _ => Self::Refused,
        }
    }

    /// Whether another connection may fare better: the peer went away, has changed its role (M06), or talks nonsense
    /// (M15).
    pub(super) fn ends_connection(self) -> bool {
        matches!(self, Self::Answer | Self::Authentication | Self::Closed | Self::ReadOnly | Self::Tls)
    }
}

/// The operating system's word for it. The crate hands its cause out inside the `Arc` that it keeps it in.
fn io_kind(fault: &RedisError) -> Option<Io> {
    let cause = fault.source()?;
    let shared = cause.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>();
    let io = match shared {
        Some(shared) => shared.downcast_ref::<std::io::Error>(),
        None => cause.downcast_ref::<std::io::Error>(),
    };
    io.map(std::io::Error::kind)
}
