//! Work behind requests that must go on for as long as the process does. If a task of it panicked and nobody noticed,
//! keys would grow old, or records would pile up, long after anybody remembers why.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tracing::error;

use crate::ground::retry::Backoff;
use crate::secret::Entropy;
use crate::telemetry::Metrics;

/// Pauses before a task is started again.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Tasks that are started again when they end without having been asked to.
pub(super) struct Supervisor {
    tasks: JoinSet<()>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
}

impl Supervisor {
    pub(super) fn new(entropy: Arc<dyn Entropy>, metrics: Arc<Metrics>) -> Self {
        Self { tasks: JoinSet::new(), entropy, metrics }
    }

    /// Runs what `make` makes for as long as this exists. Each end is counted and told, and it is made anew after a pause.
    pub(super) fn keep<F, T>(&mut self, name: &'static str, make: F)
    where
        F: Fn() -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let (entropy, metrics) = (Arc::clone(&self.entropy), Arc::clone(&self.metrics));
        self.tasks.spawn(async move {
            let mut pause = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
            loop {
                let began = tokio::time::Instant::now();
                let outcome = AssertUnwindSafe(make()).catch_unwind().await;
                metrics.background_restarts.with_label_values(&[name]).inc();
                let why = if outcome.is_err() { "panic" } else { "ended" };
                error!(task = name, why, "A background task ended and is started again");
                if began.elapsed() > LONGEST_PAUSE {
                    pause.reset();
                }
                tokio::time::sleep(pause.next_delay(&*entropy)).await;
            }
        });
    }

    /// Ends all of it, and waits until it has ended.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::secret::SystemEntropy;

    // RB19
    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_ends_is_started_again_and_counted() {
        let metrics = Arc::new(Metrics::new());
        let mut supervisor = Supervisor::new(Arc::new(SystemEntropy), Arc::clone(&metrics));
        let (starts, work) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted, worked) = (Arc::clone(&starts), Arc::clone(&work));
        supervisor.keep("sweep", move || {
            let (start, worked) = (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&worked));
            async move {
                match start {
                    0 => panic!("the first time"),
                    1 => {}
                    _ => loop {
                        worked.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    },
                }
            }
        });
        let restarts = |name| metrics.background_restarts.with_label_values(&[name]).get();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((starts.load(Ordering::Relaxed), restarts("sweep")), (3, 2));
        assert!(work.load(Ordering::Relaxed) > 400, "{work:?}");
        // The twin: what is asked to end is not started again.
        supervisor.stop().await;
        let done = work.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((work.load(Ordering::Relaxed), restarts("sweep")), (done, 2));
    }
}
