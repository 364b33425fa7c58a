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
use tokio::time::Instant;

use super::fault::{Fault, RedisUrlFault};
use crate::ground::retry::Backoff;
use crate::secret::{SecretString, SystemEntropy};

/// So many answers in a row that did not come in time, and Redis counts as hanging.
const PATIENCE: u32 = 5;

/// Questions that may wait to be sent at once.
const QUEUE: usize = 1024;

/// The pauses after attempts to connect that failed. The first caller within one waits for the next attempt, all others are
/// told at once: if each of them made an attempt, a Redis that has just come back would meet thousands of connections a
/// second. The longest is shorter than a caller may wait, so that Redis is found by the first call after its return.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// An attempt to connect that failed, and when.
#[derive(Debug, Clone, Copy)]
struct Failure {
    fault: Fault,
    at: Instant,
}

type Connecting = Shared<BoxFuture<'static, Result<MultiplexedConnection, Failure>>>;

/// The connection, or the attempt to make one.
struct Current {
    /// Which attempt it is, counted from 1.
    number: u64,
    connecting: Option<Connecting>,
    /// Whether this connection has ever brought an answer. One that never does is a failed attempt.
    has_answered: bool,
    backoff: Backoff,
    /// How long after its failure the next attempt is made.
    pause: Duration,
    /// Until then the attempt is not yet made: it waits for the end of the pause, and this is why the last one failed.
    resting: Option<(Instant, Failure)>,
}

pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    connect: Duration,
    deadline: Duration,
    current: Mutex<Current>,
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
            current: Mutex::new(Current {
                number: 0,
                connecting: None,
                has_answered: false,
                backoff: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE),
                pause: Duration::ZERO,
                resting: None,
            }),
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
        let mut connection = connecting.await.map_err(|failure| Failed::Connecting(failure.fault))?;
        let answer = connection.req_packed_command(question).await;
        // The protocol gives refusals as values too.
        let answer = answer.and_then(Value::extract_error).map_err(|fault| Fault::of(&fault));
        let mut current = self.current.lock();
        if current.number == number {
            match &answer {
                Err(fault) if fault.ends_connection() => current.lose(*fault),
                _ => current.has_answered = true,
            }
        }
        drop(current);
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
            if current.connecting.as_ref().is_some_and(|connecting| matches!(connecting.peek(), Some(Ok(_)))) {
                current.lose(Fault::Timeout);
            }
        }
    }

    /// The connection, or the attempt that is under way, or a new attempt. What waits for the end of a pause is waited for by
    /// the caller that it was begun for; others get the last failure.
    fn connection(&self) -> (u64, Connecting) {
        let mut current = self.current.lock();
        let mut rest = Duration::ZERO;
        if let Some(connecting) = &current.connecting {
            match (connecting.peek(), current.resting) {
                (None, Some((until, failure))) if Instant::now() < until => return (current.number, failed(failure)),
                (None | Some(Ok(_)), _) => return (current.number, connecting.clone()),
                (Some(Err(failure)), _) => {
                    let failure = *failure;
                    rest = current.pause.saturating_sub(failure.at.elapsed());
                    current.resting = Some((Instant::now() + rest, failure));
                }
            }
        }
        let (client, config, connect) = (self.client.clone(), self.config.clone(), self.connect);
        let connecting = async move {
            tokio::time::sleep(rest).await;
            let connected = client.get_multiplexed_async_connection_with_config(&config);
            let fault = match tokio::time::timeout(connect, connected).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(fault)) => Fault::of_connecting(&fault),
                Err(_) => Fault::Timeout,
            };
            Err(Failure { fault, at: Instant::now() })
        };
        let connecting = connecting.boxed().shared();
        // Goes on when the caller gives up: a distant Redis may take longer to greet than a request may wait.
        tokio::spawn(connecting.clone());
        if current.has_answered {
            current.backoff.reset();
        }
        current.has_answered = false;
        current.number = current.number.wrapping_add(1);
        current.pause = current.backoff.next_delay(&SystemEntropy);
        current.connecting = Some(connecting.clone());
        (current.number, connecting)
    }
}

/// An attempt that has failed already.
fn failed(failure: Failure) -> Connecting {
    let failed = std::future::ready(Err(failure)).boxed().shared();
    // A shared future shows its answer once it was asked for it.
    let _known = failed.clone().now_or_never();
    failed
}

impl Current {
    /// The connection is of no use any more. One that has answered before is replaced at once: Redis was restarted. One
    /// that never did is an attempt that failed.
    fn lose(&mut self, fault: Fault) {
        self.connecting = (!self.has_answered).then(|| failed(Failure { fault, at: Instant::now() }));
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
