//! Rounds: every size once a round, one after the other, with a look at the core before and after each.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::{median, spread};
use crate::gate::Target;
use crate::load::{Lines, Requests};
use crate::options::Options;
use crate::stage::scene::Scene;

/// A figure that was taken while the core was faster or slower than usual by more than this is dropped.
const DRIFT: f64 = 0.15;

/// How long a proxy may take to come to rest after its connections were opened or closed.
const REST: Duration = Duration::from_secs(5);

/// The framework alone.
pub const BASE: &str = "bare pingora";

/// One size of one thing.
pub struct Subject {
    /// What is counted: sessions, hosts, …; or [`BASE`].
    pub name: &'static str,
    pub size: usize,
    pub target: Rc<Target>,
    pub requests: Requests,
    pub connections: usize,
    pub in_flight: usize,
}

/// What was measured of a subject.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub name: &'static str,
    pub size: usize,
    /// CPU µs a request, of the rounds in which the core was as fast as usual.
    pub cpu: Vec<f64>,
    /// The same, each divided by the figure of the smallest size of its name in the same round: a slow spell hits both.
    pub growth: Vec<f64>,
    /// Requests, and how often the store was asked meanwhile.
    pub answers: usize,
    pub asked: u64,
    /// How much more memory the proxy had with all connections open, in KiB: the most of all rounds.
    pub held_kib: u64,
}

impl Row {
    /// The middle figure.
    pub fn median(&self) -> f64 {
        median(&self.cpu)
    }

    /// How much more a request costs than at the smallest size.
    pub fn growth(&self) -> f64 {
        median(&self.growth)
    }

    /// The lowest figure.
    pub fn least(&self) -> f64 {
        if self.cpu.is_empty() { f64::NAN } else { spread(&self.cpu).0 }
    }
}

/// All sizes of a part, measured.
pub struct Table {
    pub rows: Vec<Row>,
    /// The core's time for the probe: median, lowest, highest, in milliseconds.
    pub probe: (f64, f64, f64),
}

impl Table {
    /// The rows of one name, smallest first.
    pub fn series(&self, name: &str) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.name == name).collect()
    }
}

/// Measures `subjects` against each other. The first round is thrown away, every other one goes the other way round.
pub fn measure(subjects: &[Subject], scene: &Scene, options: &Options) -> Result<Table, String> {
    let mut rows: Vec<Row> =
        subjects.iter().map(|subject| Row { name: subject.name, size: subject.size, ..Row::default() }).collect();
    let mut figures: Vec<Vec<(f64, f64)>> = vec![Vec::new(); subjects.len()];
    let mut probes = Vec::new();
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let (subject, row) = (&subjects[place], &mut rows[place]);
            let told = |why: String| format!("{} {}: {why}", subject.size, subject.name);
            let before_kib = subject.target.process.pss_kib();
            let mut lines =
                Lines::open(&subject.target.authority, subject.connections, subject.in_flight).map_err(told)?;
            lines.each_once(&subject.requests).map_err(told)?;
            settle(&subject.target);
            row.held_kib = row.held_kib.max(subject.target.process.pss_kib().saturating_sub(before_kib));
            let asked = subject.target.store_asked();
            let before = scene.probe();
            let spent = subject.target.process.cpu_nanos();
            let answers = lines.until(&subject.requests, Instant::now() + options.span).map_err(told)?;
            let spent = subject.target.process.cpu_nanos() - spent;
            let probe = f64::midpoint(before, scene.probe());
            drop(lines);
            settle(&subject.target);
            if round > 0 {
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                figures[place].push((spent as f64 / 1000.0 / answers as f64, probe));
                row.answers += answers;
                row.asked += subject.target.store_asked() - asked;
                probes.push(probe);
            }
        }
        eprintln!("   round {round} of {}", options.rounds);
    }
    let usual = median(&probes);
    let near = |probe: f64| (probe / usual - 1.0).abs() <= DRIFT;
    let smallest: Vec<usize> =
        rows.iter().filter_map(|row| rows.iter().position(|first| first.name == row.name)).collect();
    for ((row, own), smallest) in rows.iter_mut().zip(&figures).zip(smallest) {
        for ((cpu, probe), (least, least_probe)) in own.iter().zip(&figures[smallest]) {
            if near(*probe) {
                row.cpu.push(*cpu);
            }
            if near(*probe) && near(*least_probe) {
                row.growth.push(cpu / least);
            }
        }
    }
    let (low, high) = spread(&probes);
    Ok(Table { rows, probe: (usual, low, high) })
}

/// Waits until a proxy has nothing to do.
pub fn settle(target: &Target) {
    let deadline = Instant::now() + REST;
    let mut before = target.process.cpu_nanos();
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(30));
        let now = target.process.cpu_nanos();
        // Less than a hundredth of the core.
        if now - before < 300_000 {
            return;
        }
        before = now;
    }
}
