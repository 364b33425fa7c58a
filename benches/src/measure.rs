//! Rounds: every contender once a round, one after the other, with a look at the core before and after each.

use std::cell::RefCell;

use crate::cases::{Case, Doing, Entry, Timed};
use crate::common::{median, spread};
use crate::contenders::{BASE, Running};
use crate::figures::{Figure, Kept, Sheet, percentile};
use crate::load::{self, OPEN_CONNECTIONS, Requests};
use crate::options::Options;
use crate::proof;
use crate::seconds;
use crate::stage::scene::Scene;

/// The part of its own peak that the slowest contender must be able to take in the open loop.
const BEARABLE: f64 = 0.8;

/// What was measured of a contender.
pub struct Row {
    pub name: String,
    pub kept: Kept,
    pub pss_mib: f64,
    pub forged: String,
}

/// A case, measured.
pub struct Table {
    pub rows: Vec<Row>,
    /// Who was not measured, and why.
    pub missing: Vec<(String, String)>,
    /// The core's time for the probe: median, lowest, highest, in milliseconds.
    pub probe: (f64, f64, f64),
    /// The open loop, if there was one.
    pub open: Option<Open>,
}

/// An open loop, as the load saw itself.
pub struct Open {
    /// Requests a second.
    pub rate: u32,
    pub connections: usize,
    /// How the rate was found, if it was not given.
    pub found: Option<String>,
    /// How late the load sent, in microseconds: median and 99th percentile.
    pub late: (f64, f64),
    /// How busy the cores of load and app were meanwhile, if they had cores of their own.
    pub busy: Option<f64>,
}

struct Contender {
    name: String,
    running: Running,
    requests: Requests,
    forged: String,
    sheet: Sheet,
    fault: Option<String>,
}

/// What a turn needs to know.
struct Turn<'a> {
    case: &'a Case,
    scene: &'a Scene,
    options: &'a Options,
    probes: RefCell<Vec<f64>>,
    late: RefCell<Vec<f64>>,
    busy: RefCell<Vec<f64>>,
}

impl Turn<'_> {
    /// The speed of the proxies' core, now.
    fn probe(&self) -> f64 {
        let probe = self.scene.probe();
        self.probes.borrow_mut().push(probe);
        probe
    }

    fn usual(&self) -> f64 {
        median(&self.probes.borrow())
    }
}

/// Starts the contenders of a case, proves them, measures them, ends them.
pub fn case(case: &Case, scene: &Scene, options: &Options) -> Table {
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
    let turn =
        Turn { case, scene, options, probes: RefCell::default(), late: RefCell::default(), busy: RefCell::default() };
    in_rounds(&mut contenders, options.rounds, |contender, keep| contender.as_fast_as_goes(&turn, keep));
    let (rate, connections, found) = match case.timed {
        Timed::HalfOfPeak => {
            let (rate, found) = half_of_peak(&contenders, turn.usual());
            eprintln!("   open loop: {rate}/s, {found}");
            in_rounds(&mut contenders, options.rounds, |contender, keep| {
                contender.open_loop(&turn, keep, rate, options.connections)
            });
            (rate, options.connections, Some(found))
        }
        Timed::Given | Timed::No => (options.rate, OPEN_CONNECTIONS, None),
    };
    let usual = turn.usual();
    let (low, high) = spread(&turn.probes.borrow());
    let mut late = turn.late.into_inner();
    late.sort_by(f64::total_cmp);
    let open = (!late.is_empty()).then(|| Open {
        rate,
        connections,
        found,
        late: (percentile(&late, 0.5), percentile(&late, 0.99)),
        busy: Some(median(&turn.busy.borrow())).filter(|busy| busy.is_finite()),
    });
    let mut rows = Vec::new();
    for contender in contenders {
        match contender.fault {
            Some(why) => missing.push((contender.name, why)),
            None => rows.push(Row {
                kept: contender.sheet.kept(usual),
                pss_mib: contender.running.pss_mib(),
                name: contender.name,
                forged: contender.forged,
            }),
        }
    }
    Table { rows, missing, probe: (usual, low, high), open }
}

/// The first round warms up and is forgotten; every other one goes through the contenders backwards.
fn in_rounds(
    contenders: &mut [Contender],
    rounds: usize,
    mut turn: impl FnMut(&mut Contender, bool) -> Result<(), String>,
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
                eprintln!("!! {}: {why}", contender.name);
                contender.fault = Some(why);
            }
        }
        eprintln!("   round {round} of {rounds}");
    }
}

/// Half of what the base was just seen to give, unless somebody could not take that; and how it was found.
fn half_of_peak(contenders: &[Contender], usual: f64) -> (u32, String) {
    let peak = |contender: &Contender| contender.sheet.kept(usual).median(Figure::Rate);
    let base = contenders.iter().find(|contender| contender.name == BASE).map_or(f64::NAN, peak);
    let well = contenders.iter().filter(|contender| contender.fault.is_none());
    let slowest =
        well.map(|contender| (peak(contender), &contender.name)).min_by(|one, other| one.0.total_cmp(&other.0));
    let (bearable, slowest) = slowest.map_or((f64::NAN, BASE), |(peak, name)| (peak * BEARABLE, name.as_str()));
    let (rate, found) = if base / 2.0 <= bearable {
        (base / 2.0, format!("half of the {base:.0}/s that {BASE} gave at its peak in this run"))
    } else {
        let why = format!("{:.0} % of what {slowest} gave at its peak: half of {BASE}'s is more", BEARABLE * 100.0);
        (bearable, why)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate; without one, a trickle")]
    let rate = rate.clamp(10.0, 1e6) as u32;
    (rate, found)
}

fn ready(entry: &Entry, case: &Case, scene: &Scene) -> Result<Contender, String> {
    let mut running = (entry.start)(scene)?;
    let forged = proof::prove(&running)?;
    let requests = Requests::new(running.authority.clone(), std::mem::take(&mut running.requests), case.expect);
    if case.doing == Doing::Requests {
        load::warm(&requests)?;
    }
    Ok(Contender { name: entry.name.clone(), running, requests, forged, sheet: Sheet::default(), fault: None })
}

impl Contender {
    /// Requests over many connections, or sign-ins, as fast as answers come; then what else the case times.
    fn as_fast_as_goes(&mut self, turn: &Turn<'_>, keep: bool) -> Result<(), String> {
        let (case, options, scene) = (turn.case, turn.options, turn.scene);
        if case.doing == Doing::Requests && self.requests.len() > 1 {
            // While others had their turn, sessions grew too old to be served unasked: that is not what is measured.
            load::saturate(&self.requests, options.connections, options.span)?;
        }
        let tally = self.running.tally();
        let speed = turn.probe();
        let spent = || (self.running.cpu_nanos(), scene.helper_nanos(self.running.helper), scene.carriers_nanos());
        let (own, helper, carriers) = spent();
        let count = match case.doing {
            Doing::Requests => load::saturate(&self.requests, options.connections, options.span)?,
            Doing::SignIns => load::sign_ins(&self.running.authority, "/app", options.span)?,
        };
        let (own_after, helper_after, carriers_after) = spent();
        let mut after = turn.probe();
        if keep {
            let speed = f64::midpoint(speed, after);
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let micros = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1000.0;
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let answers = count.answers.max(1) as f64;
            let (own, helper) = (micros(own, own_after), micros(helper, helper_after));
            let carriers = micros(carriers, carriers_after);
            let mut add = |figure, value| self.sheet.add(figure, value, speed);
            add(Figure::Cpu, (own + helper) / answers);
            add(Figure::Helper, helper / answers);
            add(Figure::Rate, answers / seconds(count.time));
            add(Figure::Busy, (own + helper) / 1e6 / seconds(count.time));
            if case.doing == Doing::SignIns {
                add(Figure::Carriers, carriers / answers);
                add(Figure::Share, (own + helper) / (own + helper + carriers));
            }
            if let (Some(before), Some(after)) = (tally, self.running.tally()) {
                add(Figure::LookUps, (after.look_ups - before.look_ups) / answers);
                add(Figure::Signatures, (after.signatures - before.signatures) / answers);
            }
        }
        match case.timed {
            Timed::No => {}
            Timed::Given => self.open_loop(turn, keep, options.rate, OPEN_CONNECTIONS)?,
            Timed::HalfOfPeak => {
                let times = load::one(&self.requests, options.span)?;
                let before = std::mem::replace(&mut after, turn.probe());
                if keep {
                    let speed = f64::midpoint(before, after);
                    self.sheet.add(Figure::OneP50, percentile(&times, 0.5), speed);
                    self.sheet.add(Figure::OneP99, percentile(&times, 0.99), speed);
                }
            }
        }
        Ok(())
    }

    /// So many requests a second, whatever the answers do.
    fn open_loop(&mut self, turn: &Turn<'_>, keep: bool, rate: u32, connections: usize) -> Result<(), String> {
        let before = turn.probe();
        let (busy, times, busy_after) = (
            turn.scene.load_ticks(),
            load::pace(&self.requests, rate, connections, turn.options.span)?,
            turn.scene.load_ticks(),
        );
        let speed = f64::midpoint(before, turn.probe());
        if keep {
            self.sheet.add(Figure::P50, percentile(&times.answers, 0.5), speed);
            self.sheet.add(Figure::P99, percentile(&times.answers, 0.99), speed);
            turn.late.borrow_mut().extend(times.late);
            if let (Some(before), Some(after)) = (busy, busy_after) {
                turn.busy.borrow_mut().extend(after.busy_since(&before));
            }
        }
        Ok(())
    }
}
