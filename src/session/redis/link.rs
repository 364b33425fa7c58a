//! One connection to Redis, made when needed and replaced when dead.
//!
//! The crate's own connection manager is not used: it keeps a refused sign-on for good (a password that is put right
//! would need a restart of the gateway), and it gives the first caller after a restart of Redis the error of the dead
//! connection.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, Value};

use super::fault::{Fault, RedisUrlFault};
use crate::secret::SecretString;

/// So many answers in a row that did not come in time, and Redis counts as hanging.
const PATIENCE: u32 = 5;

/// Questions that may wait to be sent at once.
const QUEUE: usize = 1024;

type Connecting = Shared<BoxFuture<'static, Result<MultiplexedConnection, Fault>>>;

pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    connect: Duration,
    deadline: Duration,
    /// The connection, or the attempt to make one, with its number.
    current: Mutex<(u64, Option<Connecting>)>,
    /// Answers in a row that did not come in time.
    timeouts: AtomicU32,
    /// While Redis hangs, somebody is finding out whether it still does.
    probing: AtomicBool,
    foreign_values: AtomicU64,
}

impl Link {
    pub(super) fn new(url: &SecretString, deadline: Duration, connect: Duration) -> Result<Self, RedisUrlFault> {
        let url = redis::parse_redis_url(url.expose()).ok_or(RedisUrlFault::Unreadable)?;
        if url.fragment().is_some() {
            return Err(RedisUrlFault::Fragment);
        }
        if matches!(url.scheme(), "rediss" | "valkeys") {
            choose_cryptography();
        }
        let info = url.into_connection_info().map_err(|_| RedisUrlFault::Unreadable)?;
        let client = Client::open(info).map_err(|_| RedisUrlFault::Unreadable)?;
        let config = AsyncConnectionConfig::new()
            // Deadlines are kept here: once for the whole of a question, its repetition included, and once for an
            // attempt to connect.
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        Ok(Self {
            client,
            config,
            connect,
            deadline,
            current: Mutex::new((0, None)),
            timeouts: AtomicU32::new(0),
            probing: AtomicBool::new(false),
            foreign_values: AtomicU64::new(0),
        })
    }

    pub(super) fn foreign_values(&self) -> u64 {
        self.foreign_values.load(Ordering::Relaxed)
    }

    /// Asks once, and once more on a new connection if the first turned out to be dead.
    pub(super) async fn ask(&self, question: &Cmd) -> Result<Value, Fault> {
        let _probe = self.admit()?;
        let answer = tokio::time::timeout(self.deadline, async {
            match self.ask_once(question).await {
                Err(Failed::Asking(fault)) if fault.ends_connection() => self.ask_once(question).await,
                answer => answer,
            }
        });
        let answer = answer.await.unwrap_or(Err(Failed::Asking(Fault::Timeout))).map_err(Failed::fault);
        match answer {
            Err(Fault::Timeout) => self.note_timeout(),
            Err(Fault::WrongType) => {
                self.foreign_values.fetch_add(1, Ordering::Relaxed);
                self.timeouts.store(0, Ordering::Relaxed);
            }
            _ => self.timeouts.store(0, Ordering::Relaxed),
        }
        answer
    }

    async fn ask_once(&self, question: &Cmd) -> Result<Value, Failed> {
        let (number, connecting) = self.connection();
        let mut connection = connecting.await.map_err(Failed::Connecting)?;
        let answer = connection.req_packed_command(question).await;
        // The protocol gives refusals as values too.
        let answer = answer.and_then(Value::extract_error).map_err(|fault| Fault::of(&fault));
        if answer.as_ref().is_err_and(|fault| fault.ends_connection()) {
            let mut current = self.current.lock();
            if current.0 == number {
                current.1 = None;
            }
        }
        answer.map_err(Failed::Asking)
    }

    /// Lets everybody through while Redis answers, one at a time while it hangs.
    fn admit(&self) -> Result<Option<Probe<'_>>, Fault> {
        if self.timeouts.load(Ordering::Relaxed) < PATIENCE {
            return Ok(None);
        }
        if self.probing.swap(true, Ordering::Acquire) {
            return Err(Fault::Timeout);
        }
        Ok(Some(Probe(&self.probing)))
    }

    /// A connection that does not answer any more may be a dead one that nobody has told us about. An attempt to
    /// connect is let be: it has its own end.
    fn note_timeout(&self) {
        if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            let mut current = self.current.lock();
            if current.1.as_ref().is_some_and(|connecting| connecting.peek().is_some()) {
                current.1 = None;
            }
        }
    }

    /// The connection, or the attempt that is under way, or a new attempt.
    fn connection(&self) -> (u64, Connecting) {
        let mut current = self.current.lock();
        if let (number, Some(connecting)) = &*current
            && !matches!(connecting.peek(), Some(Err(_)))
        {
            return (*number, connecting.clone());
        }
        let (client, config, connect) = (self.client.clone(), self.config.clone(), self.connect);
        let connecting = async move {
            let connected = client.get_multiplexed_async_connection_with_config(&config);
            match tokio::time::timeout(connect, connected).await {
                Ok(connected) => connected.map_err(|fault| Fault::of_connecting(&fault)),
                Err(_) => Err(Fault::Timeout),
            }
        };
        let connecting = connecting.boxed().shared();
        // Goes on when the caller gives up: a distant Redis may take longer to greet than a request may wait.
        tokio::spawn(connecting.clone());
        *current = (current.0.wrapping_add(1), Some(connecting.clone()));
        (current.0, connecting)
    }
}

/// Where a question failed. Only a connection that was already there may have been dead for a while.
enum Failed {
    Asking(Fault),
    Connecting(Fault),
}

impl Failed {
    fn fault(self) -> Fault {
        match self {
            Self::Asking(fault) | Self::Connecting(fault) => fault,
        }
    }
}

/// The one caller that waits while Redis hangs.
struct Probe<'a>(&'a AtomicBool);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The TLS library refuses to choose between two sets of primitives, and panics; ours is aws-lc everywhere. If one was
/// chosen already, it stays.
fn choose_cryptography() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
