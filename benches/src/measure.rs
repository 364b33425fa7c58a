//! Rounds: every contender once a round, one after the other, with a look at the core before and after each.

use std::time::{Duration, Instant};

use crate::contender::{BASE, Held, Running};
use crate::figures::{Figure, Kept, Sheet, median, percentile, spread};
use crate::load::{self, Count, Lines};
use crate::proof;
use crate::scene::Scene;
use crate::wanted;

/// Connections of the open loop at a given rate.
pub(crate) const OPEN_CONNECTIONS: usize = 16;

/// The part of its own peak that the slowest contender must be able to take in the open loop.
const BEARABLE: f64 = 0.8;

/// How long a proxy may take to come to rest after its connections were opened or closed.
const REST: Duration = Duration::from_secs(5);

/// How a case is measured.
pub(crate) struct Rounds {
    /// Each measures every contender once.
    pub(crate) rounds: usize,
    /// Of load, for one figure.
    pub(crate) span: Duration,
    /// Keep-alive connections when saturated.
    pub(crate) connections: usize,
    /// Requests a second of the latency figures.
    pub(crate) rate: u32,
    /// Contenders that are wanted, by a word of their name.
    pub(crate) only: Vec<String>,
}

impl Rounds {
    /// Whether a contender is wanted. Without the base there would be no ratio.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name == BASE || wanted(&self.only, name)
    }
}

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Requests, all to be answered with the case's status.
    Requests,
    /// The same at more and more of something.
    Sizes,
    /// Whole sign-ins.
    SignIns,
}

/// Which latencies are measured, beside the CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    /// None.
    No,
    /// At the rate that was asked for.
    Given,
    /// Of one connection; then at half of the peak rate of the base.
    HalfOfPeak,
}

/// How a contender is started for a case.
pub(crate) type Start = Box<dyn Fn(&Scene) -> Result<Running, String>>;

/// One row of a case's table.
pub(crate) struct Entry {
    /// In the table.
    pub(crate) name: String,
    /// How much of something it has; the smallest of a name is what the others of it are compared with.
    pub(crate) size: usize,
    /// How it is started.
    pub(crate) start: Start,
}

/// One table.
pub(crate) struct Case {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What it answers.
    pub(crate) question: String,
    /// What the load does.
    pub(crate) doing: Doing,
    /// The status of every answer.
    pub(crate) expect: u16,
    /// Which latencies there are.
    pub(crate) timed: Timed,
    /// Its rows.
    pub(crate) entries: Vec<Entry>,
}

/// What was measured of a contender.
pub(crate) struct Row {
    /// In the table.
    pub(crate) name: String,
    /// See [`Entry::size`].
    pub(crate) size: usize,
    /// The figures.
    pub(crate) kept: Kept,
    /// Memory at the end.
    pub(crate) pss_mib: f64,
    /// What became of forged identity headers.
    pub(crate) forged: String,
    /// What sessions in memory weigh, if that was measured.
    pub(crate) held: Option<Held>,
}

/// A case, measured.
#[derive(Default)]
pub(crate) struct Table {
    /// Who was measured.
    pub(crate) rows: Vec<Row>,
    /// Who was not, and why.
    pub(crate) missing: Vec<(String, String)>,
    /// The core's time for the probe: median, lowest, highest, in milliseconds.
    pub(crate) probe: (f64, f64, f64),
    /// The open loop, if there was one.
    pub(crate) open: Option<Open>,
}

impl Table {
    /// The rows of one name, smallest first.
    pub(crate) fn series(&self, name: &str) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.name == name).collect()
    }
}

/// An open loop, as the load saw itself.
#[derive(Default)]
pub(crate) struct Open {
    /// Requests a second.
    pub(crate) rate: u32,
    /// Over how many connections.
    pub(crate) connections: usize,
    /// How the rate was found, if it was not given.
    pub(crate) found: Option<String>,
    /// How late the load sent, in microseconds: median and 99th percentile.
    pub(crate) late: (f64, f64),
    /// How busy the cores of load and app were meanwhile, if they had cores of their own.
    pub(crate) busy: Option<f64>,
}

struct Contender<'a> {
    entry: &'a Entry,
    running: Running,
    forged: String,
    sheet: Sheet,
    fault: Option<String>,
}

/// What turns need to know, and what they note of the machine.
struct Turns<'a> {
    case: &'a Case,
    scene: &'a Scene,
    options: &'a Rounds,
    probes: Vec<f64>,
    late: Vec<f64>,
    busy: Vec<f64>,
}

impl Turns<'_> {
    /// The speed of the proxies' core, now.
    fn probe(&mut self) -> f64 {
        let probe = self.scene.probe();
        self.probes.push(probe);
        probe
    }
}

/// Starts the contenders of a case, proves them, measures them, ends them.
pub(crate) fn case(case: &Case, scene: &Scene, options: &Rounds) -> Table {
    let mut missing = Vec::new();
    let mut contenders = Vec::new();
    // The largest first: what they keep in memory is younger when there is less of it.
    let wanted = case.entries.iter().filter(|entry| options.wants(&entry.name));
    for entry in if case.doing == Doing::Sizes { wanted.rev().collect::<Vec<_>>() } else { wanted.collect() } {
        match ready(entry, case, scene) {
            Ok(contender) => {
                eprintln!("   ready: {} {} ({})", entry.name, entry.size, contender.forged);
                contenders.push(contender);
            }
            Err(why) => {
                eprintln!("!! NOT MEASURED: {} {}: {why}", entry.name, entry.size);
                missing.push((entry.name.clone(), why));
            }
        }
    }
    contenders.sort_by_key(|contender| contender.entry.size);
    let mut turns = Turns { case, scene, options, probes: Vec::new(), late: Vec::new(), busy: Vec::new() };
    in_rounds(&mut contenders, options.rounds, |contender, keep| contender.as_fast_as_goes(&mut turns, keep));
    let mut open = Open { rate: options.rate, connections: OPEN_CONNECTIONS, ..Open::default() };
    if case.timed == Timed::HalfOfPeak {
        let (rate, found) = half_of_peak(&contenders, median(&turns.probes));
        eprintln!("   open loop: {rate}/s, {found}");
        open = Open { rate, connections: options.connections, found: Some(found), ..open };
        in_rounds(&mut contenders, options.rounds, |contender, keep| {
            contender.open_loop(&mut turns, keep, (rate, options.connections))
        });
    }
    let usual = median(&turns.probes);
    let (low, high) = spread(&turns.probes);
    turns.late.sort_by(f64::total_cmp);
    open.late = (percentile(&turns.late, 0.5), percentile(&turns.late, 0.99));
    open.busy = Some(median(&turns.busy)).filter(|busy| busy.is_finite());
    let well = |contender: &&Contender<'_>| contender.fault.is_none();
    let rows = contenders.iter().filter(well).map(|contender| {
        let smallest = contenders.iter().filter(well).find(|other| other.entry.name == contender.entry.name);
        Row {
            name: contender.entry.name.clone(),
            size: contender.entry.size,
            kept: contender.sheet.kept(usual, &smallest.unwrap_or(contender).sheet),
            pss_mib: contender.running.process.pss_kib() as f64 / 1024.0,
            forged: contender.forged.clone(),
            held: contender.running.held,
        }
    });
    let rows = rows.collect();
    missing.extend(contenders.iter().filter_map(|one| Some((one.entry.name.clone(), one.fault.clone()?))));
    Table { rows, missing, probe: (usual, low, high), open: Some(open).filter(|_| !turns.late.is_empty()) }
}

/// The first round warms up and is forgotten; every other one goes through the contenders backwards.
fn in_rounds(
    contenders: &mut [Contender<'_>],
    rounds: usize,
    mut turn: impl FnMut(&mut Contender<'_>, bool) -> Result<(), String>,
) {
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let contender = &mut contenders[place];
            if contender.fault.is_none()
                && let Err(why) = turn(contender, round > 0)
            {
                eprintln!("!! {}: {why}", contender.entry.name);
                contender.fault = Some(why);
            }
        }
        eprintln!("   round {round} of {rounds}");
    }
}

/// Half of what the base was just seen to give, unless somebody could not take that; and how it was found.
fn half_of_peak(contenders: &[Contender<'_>], usual: f64) -> (u32, String) {
    let well = contenders.iter().filter(|contender| contender.fault.is_none());
    let peak = |one: &Contender<'_>| (one.sheet.kept(usual, &one.sheet).median(Figure::Rate), one.entry.name.clone());
    let peaks: Vec<(f64, String)> = well.map(peak).collect();
    let base = peaks.iter().find(|(_, name)| name == BASE).map_or(f64::NAN, |(peak, _)| *peak);
    let slowest = peaks.into_iter().min_by(|one, other| one.0.total_cmp(&other.0));
    let (slowest, name) = slowest.unwrap_or((f64::NAN, BASE.to_owned()));
    let (rate, found) = if base / 2.0 <= slowest * BEARABLE {
        (base / 2.0, format!("half of the {base:.0}/s that {BASE} gave at its peak in this run"))
    } else {
        let why = format!("{:.0} % of what {name} gave at its peak: half of {BASE}'s is more", BEARABLE * 100.0);
        (slowest * BEARABLE, why)
    };
    // Without a rate, a trickle.
    (rate.clamp(10.0, 1e6) as u32, found)
}

fn ready<'a>(entry: &'a Entry, case: &Case, scene: &Scene) -> Result<Contender<'a>, String> {
    let mut running = (entry.start)(scene)?;
    let forged = proof::prove(&running)?;
    running.requests.expect = case.expect;
    if case.doing == Doing::Requests {
        // Every different request once, a few at a time and unmeasured: caches are as warm as they get.
        Lines::open(&running.requests, 4, 4)?.so_many(running.requests.count())?;
    }
    Ok(Contender { entry, running, forged, sheet: Sheet::default(), fault: None })
}

/// Waits until a proxy has nothing to do.
pub(crate) fn settle(running: &Running) {
    let begin = Instant::now();
    let mut before = running.process.cpu_nanos();
    while begin.elapsed() < REST {
        std::thread::sleep(Duration::from_millis(30));
        let now = running.process.cpu_nanos();
        // Less than a hundredth of the core.
        if now.saturating_sub(before) < 300_000 {
            return;
        }
        before = now;
    }
}

impl Contender<'_> {
    /// Requests over many connections, or sign-ins, as fast as answers come; then what else the case times.
    fn as_fast_as_goes(&mut self, turns: &mut Turns<'_>, keep: bool) -> Result<(), String> {
        let (case, options, scene, running) = (turns.case, turns.options, turns.scene, &self.running);
        let empty_kib = running.process.pss_kib();
        let (connections, in_flight) = running.lines.unwrap_or((options.connections, options.connections));
        let mut lines = Lines::open(&running.requests, connections, in_flight)?;
        if case.doing != Doing::SignIns {
            lines.each(1)?;
        }
        if case.doing == Doing::Requests && running.requests.count() > 1 {
            // While others had their turn, sessions grew too old to be served unasked: that is not what is measured.
            lines.during(options.span)?;
        }
        settle(running);
        let held_kib = running.process.pss_kib().saturating_sub(empty_kib);
        let tally = running.tally();
        let probe = turns.probe();
        let spent = || [running.process.cpu_nanos(), scene.helper_nanos(running.helper), scene.carriers_nanos()];
        let before = spent();
        let count = match case.doing {
            Doing::Requests | Doing::Sizes => lines.during(options.span)?,
            Doing::SignIns => load::sign_ins(&running.authority, "/app", options.span)?,
        };
        let after = spent();
        drop(lines);
        let mut probe_after = turns.probe();
        if keep {
            let probe = f64::midpoint(probe, probe_after);
            let Count { answers, time } = count;
            let (answers, seconds) = (answers.max(1) as f64, time.as_secs_f64());
            let [own, helper, carriers] = [0, 1, 2].map(|who| after[who].saturating_sub(before[who]) as f64 / 1000.0);
            let own = own + helper;
            let mut add = |figure, value| self.sheet.add(figure, value, probe);
            // With more of something only the process itself is looked at.
            add(Figure::Cpu, if case.doing == Doing::Sizes { own - helper } else { own } / answers);
            add(Figure::Helper, helper / answers);
            add(Figure::Rate, answers / seconds);
            add(Figure::Busy, own / 1e6 / seconds);
            add(Figure::HeldKib, held_kib as f64);
            if case.doing == Doing::SignIns {
                add(Figure::Carriers, carriers / answers);
                add(Figure::Share, own / (own + carriers));
            }
            if let (Some(before), Some(after)) = (tally, running.tally()) {
                add(Figure::LookUps, (after.look_ups - before.look_ups) / answers);
                add(Figure::Signatures, (after.signatures - before.signatures) / answers);
            }
        }
        match case.timed {
            Timed::No => {}
            Timed::Given => self.open_loop(turns, keep, (options.rate, OPEN_CONNECTIONS))?,
            Timed::HalfOfPeak => {
                let times = load::one(&self.running.requests, options.span)?;
                let before = std::mem::replace(&mut probe_after, turns.probe());
                if keep {
                    let probe = f64::midpoint(before, probe_after);
                    self.sheet.add(Figure::OneP50, percentile(&times, 0.5), probe);
                    self.sheet.add(Figure::OneP99, percentile(&times, 0.99), probe);
                }
            }
        }
        Ok(())
    }

    /// So many requests a second, whatever the answers do.
    fn open_loop(&mut self, turns: &mut Turns<'_>, keep: bool, pace: (u32, usize)) -> Result<(), String> {
        let requests = &self.running.requests;
        let before = turns.probe();
        let ticks = turns.scene.load_ticks();
        let when = (Instant::now() + Duration::from_millis(20), turns.options.span);
        let samples = load::pace(&requests.authority, pace, when, |_, into| {
            requests.next(into);
            0
        })?;
        let ticks_after = turns.scene.load_ticks();
        let probe = f64::midpoint(before, turns.probe());
        if let Some(sample) = samples.iter().find(|sample| sample.status != requests.expect) {
            return Err(format!("answered {} at {} requests a second", sample.status, pace.0));
        }
        if keep {
            let (answers, late) = load::times(&samples);
            self.sheet.add(Figure::P50, percentile(&answers, 0.5), probe);
            self.sheet.add(Figure::P99, percentile(&answers, 0.99), probe);
            turns.late.extend(late);
            if let (Some(before), Some(after)) = (ticks, ticks_after) {
                turns.busy.extend(after.busy_since(&before));
            }
        }
        Ok(())
    }
}
