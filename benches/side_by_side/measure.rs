//! Rounds: every contender once a round, one after the other, with a look at the core before and after each.

use std::cell::RefCell;

use crate::cases::{Case, Doing};
use crate::common::{median, spread};
use crate::contenders::Running;
use crate::load::{self, Requests};
use crate::options::Options;
use crate::proof;
use crate::scene::Scene;
use crate::seconds;

/// A figure that was taken while the core was faster or slower than usual by more than this is dropped.
const DRIFT: f64 = 0.15;

/// A figure of each round, with the speed of the core while it was taken.
#[derive(Default)]
pub struct Figures(Vec<(f64, f64)>);

impl Figures {
    fn add(&mut self, value: f64, probe: f64) {
        self.0.push((value, probe));
    }

    /// Those that were taken at the usual speed.
    fn kept(&self, usual: f64) -> Vec<f64> {
        let near = |probe: f64| (probe / usual - 1.0).abs() <= DRIFT;
        self.0.iter().filter(|(_, probe)| near(*probe)).map(|(value, _)| *value).collect()
    }
}

/// What was measured of a contender.
#[derive(Default)]
pub struct Row {
    pub name: String,
    pub cpu: Vec<f64>,
    pub helper: Vec<f64>,
    pub rate: Vec<f64>,
    pub p50: Vec<f64>,
    pub p99: Vec<f64>,
    pub pss_mib: f64,
    pub rounds: usize,
    pub forged: String,
}

/// A case, measured.
pub struct Table {
    pub rows: Vec<Row>,
    /// Who was not measured, and why.
    pub missing: Vec<(String, String)>,
    /// The core's time for the probe: median, lowest, highest, in milliseconds.
    pub probe: (f64, f64, f64),
    /// How late the load sent, in microseconds: median and 99th percentile.
    pub late: (f64, f64),
}

struct Contender {
    name: String,
    running: Running,
    requests: Requests,
    forged: String,
    cpu: Figures,
    helper: Figures,
    rate: Figures,
    p50: Figures,
    p99: Figures,
    fault: Option<String>,
}

/// Starts the contenders of a case, proves them, measures them, ends them.
pub fn case(case: &Case, scene: &mut Scene, options: &Options) -> Table {
    let mut missing = Vec::new();
    let mut contenders = Vec::new();
    for entry in case.entries.iter().filter(|entry| options.wants(&entry.name)) {
        match ready(entry, case, scene) {
            Ok(contender) => {
                eprintln!("   ready: {} ({})", contender.name, contender.forged);
                contenders.push(contender);
            }
            Err(why) => {
                eprintln!("!! NOT MEASURED: {}: {why}", entry.name);
                missing.push((entry.name.clone(), why));
            }
        }
    }
    let probes = RefCell::new(Vec::new());
    let mut late = Vec::new();
    // The first round warms up and is forgotten; every other one goes through the contenders backwards.
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let contender = &mut contenders[place];
            if contender.fault.is_some() {
                continue;
            }
            let probe = || {
                let probe = scene.probe();
                probes.borrow_mut().push(probe);
                probe
            };
            if let Err(why) = contender.measure(case, scene, options, round > 0, &probe, &mut late) {
                eprintln!("!! {}: {why}", contender.name);
                contender.fault = Some(why);
            }
        }
        eprintln!("   round {round} of {}", options.rounds);
    }
    let probes = probes.into_inner();
    let usual = median(&probes);
    let (low, high) = spread(&probes);
    late.sort_by(f64::total_cmp);
    let mut rows = Vec::new();
    for contender in contenders {
        match &contender.fault {
            Some(why) => missing.push((contender.name, why.clone())),
            None => rows.push(contender.row(usual, options.rounds)),
        }
    }
    Table { rows, missing, probe: (usual, low, high), late: (percentile(&late, 0.5), percentile(&late, 0.99)) }
}

fn ready(entry: &crate::cases::Entry, case: &Case, scene: &Scene) -> Result<Contender, String> {
    let mut running = (entry.start)(scene)?;
    let forged = proof::prove(&running)?;
    let requests = Requests::new(running.authority.clone(), std::mem::take(&mut running.requests), case.expect);
    if case.doing == Doing::Requests {
        load::warm(&requests)?;
    }
    let name = entry.name.clone();
    let empty = Figures::default;
    Ok(Contender {
        name,
        running,
        requests,
        forged,
        cpu: empty(),
        helper: empty(),
        rate: empty(),
        p50: empty(),
        p99: empty(),
        fault: None,
    })
}

impl Contender {
    fn measure(
        &mut self,
        case: &Case,
        scene: &Scene,
        options: &Options,
        keep: bool,
        probe: &dyn Fn() -> f64,
        late: &mut Vec<f64>,
    ) -> Result<(), String> {
        if case.doing == Doing::Requests && self.requests.len() > 1 {
            // While others had their turn, sessions grew too old to be served unasked: that is not what is measured.
            load::saturate(&self.requests, options.connections, options.span)?;
        }
        let before = probe();
        let (own, helper) = (self.running.cpu_nanos(), scene.helper_nanos(self.running.helper));
        let count = match case.doing {
            Doing::Requests => load::saturate(&self.requests, options.connections, options.span)?,
            Doing::SignIns => load::sign_ins(&self.running.authority, "/app", options.span)?,
        };
        let own = self.running.cpu_nanos() - own;
        let helper = scene.helper_nanos(self.running.helper) - helper;
        let between = probe();
        if keep {
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let (own, helper, answers) = (own as f64, helper as f64, count.answers.max(1) as f64);
            let speed = f64::midpoint(before, between);
            self.cpu.add(own / 1000.0 / answers, speed);
            self.helper.add(helper / 1000.0 / answers, speed);
            self.rate.add(answers / seconds(count.time), speed);
        }
        if case.doing == Doing::SignIns || !case.paced {
            return Ok(());
        }
        let times = load::pace(&self.requests, options.rate, options.span)?;
        let speed = f64::midpoint(between, probe());
        if keep {
            self.p50.add(percentile(&times.answers, 0.5), speed);
            self.p99.add(percentile(&times.answers, 0.99), speed);
            late.extend(times.late);
        }
        Ok(())
    }

    fn row(self, usual: f64, rounds: usize) -> Row {
        let cpu = self.cpu.kept(usual);
        Row {
            rounds: cpu.len().min(rounds),
            cpu,
            helper: self.helper.kept(usual),
            rate: self.rate.kept(usual),
            p50: self.p50.kept(usual),
            p99: self.p99.kept(usual),
            pss_mib: self.running.pss_mib(),
            name: self.name,
            forged: self.forged,
        }
    }
}

fn percentile(sorted: &[f64], part: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
