//! Numbers that other rooms count by themselves, shown with ours: read when somebody asks, not before.

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, Opts, Registry};

/// One number: the values of its labels, in the order of their names, and how often it happened since start.
pub type Count = (&'static [&'static str], u64);

/// Counters that another room keeps.
struct ExternalCounters<R> {
    counters: IntCounterVec,
    read: R,
    /// Two who ask at once would write into each other's numbers.
    one_at_a_time: Mutex<()>,
}

impl<R: Fn() -> Vec<Count> + Send + Sync> Collector for ExternalCounters<R> {
    fn desc(&self) -> Vec<&Desc> {
        self.counters.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _guard = self.one_at_a_time.lock();
        for (labels, count) in (self.read)() {
            if let Ok(counter) = self.counters.get_metric_with_label_values(labels) {
                counter.reset();
                counter.inc_by(count);
            }
        }
        self.counters.collect()
    }
}

/// Shows what `read` returns as `name`, under `labels`, of which there must be as many as each count has values.
#[expect(clippy::expect_used, reason = "names and labels are constants; a clash is found by the first test run")]
pub(super) fn show<R>(registry: &Registry, name: &str, help: &str, labels: &[&str], read: R)
where
    R: Fn() -> Vec<Count> + Send + Sync + 'static,
{
    let counters = IntCounterVec::new(Opts::new(name, help), labels).expect("a valid metric name");
    let collector = ExternalCounters { counters, read, one_at_a_time: Mutex::new(()) };
    registry.register(Box::new(collector)).expect("a metric name used once");
}
