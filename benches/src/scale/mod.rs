//! Does a request cost the same when there is more of everything? More sessions held, connections open, hosts and routes
//! configured; and how does the gateway start, and what becomes of requests while an issuer changes its keys?
//!
//! `make scale` starts the gateway as it is installed, measures each size against the others in turns, and prints a
//! Markdown report that begins with what we aim at; `--plot` draws it. See benches/README.md.

mod files;
mod keys;
mod rotation;
mod sizes;
mod start;

use std::path::PathBuf;
use std::time::Duration;

use crate::aims::{Aim, Found};
use crate::measure::Rounds;
use crate::plot::{self, Panel};
use crate::report::{self, Report};
use crate::scene::Scene;
use crate::{Common, give_up_after, wanted};
use clap::Args;

/// make scale ARGS='…'
#[derive(Args)]
pub(crate) struct Options {
    /// Only parts whose name holds one of these words, split by commas: sessions, connections, hosts, routes, start, rotation
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    part: Vec<String>,
    /// Rounds, each measures every size once
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Sessions held in process
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000", value_parser = size::<2_000_000>)]
    sessions: Vec<usize>,
    /// Open connections
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000,10000", value_parser = size::<25_000>)]
    connections: Vec<usize>,
    /// Hosts
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000", value_parser = size::<10_000>)]
    hosts: Vec<usize>,
    /// Routes of one host
    #[arg(long, value_delimiter = ',', default_value = "1,10,100", value_parser = size::<1_000>)]
    routes: Vec<usize>,
    /// Starts of each kind
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    starts: u16,
    /// Requests a second while keys rotate
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    rate: u32,
    /// Seconds in which five keys come into use
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(10..=120))]
    rotation: u64,
    /// Also draw it, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

fn size<const MOST: usize>(text: &str) -> Result<usize, String> {
    let size = text.trim().parse().ok().filter(|size| (1..=MOST).contains(size));
    size.ok_or_else(|| format!("not a number from 1 to {MOST}"))
}

/// What the parts have to do with.
struct Run<'a> {
    options: &'a Options,
    scene: &'a Scene,
    rounds: Rounds,
    report: Report,
    panels: Vec<Panel>,
}

impl Run<'_> {
    /// Writes down what was found for an aim.
    fn found(&mut self, words: &str, value: f64, note: String) {
        if let (Some(aim), Some(found)) =
            (self.report.aims.iter_mut().find(|aim| aim.words == words), Found::of(value, note))
        {
            aim.found = Ok(found);
        }
    }
}

const SESSIONS: &str = "growth of CPU a request, fewest to most sessions held";
const HOSTS: &str = "growth of CPU a request, fewest to most hosts";
const MEMORY: &str = "memory of a cached session";
const IDLE: &str = "idle RSS";
const START: &str = "start to first answer";
const FAILED: &str = "requests that failed while keys rotated, announced or not";
const WAITED: &str =
    "requests that waited for keys: all of an announced rotation, those under known keys of one at once";

fn aims() -> Vec<Aim> {
    let aim =
        |words, at_most, unit, digits| Aim::new(words, Some(at_most), unit, digits, "its part was not run".to_owned());
    vec![
        aim(SESSIONS, (1.25, 1.1), "×", 2),
        aim(HOSTS, (1.05, 1.0), "×", 2),
        aim(MEMORY, (0.6, 0.4), "KiB", 2),
        aim(IDLE, (25.0, 15.0), "MiB", 1),
        aim(START, (150.0, 50.0), "ms", 0),
        aim(FAILED, (0.0, 0.0), "", 0),
        aim(WAITED, (0.0, 0.0), "", 0),
    ]
}

/// A part: its name, and what measures it.
type Part = (&'static str, fn(&mut Run<'_>) -> Result<(), String>);

const PARTS: [Part; 6] = [
    ("sessions", sizes::sessions),
    ("connections", sizes::connections),
    ("hosts", sizes::hosts),
    ("routes", sizes::routes),
    ("start", start::measure),
    ("rotation", rotation::measure),
];

/// Measures and reports.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    files::raise();
    give_up_after(options.common.limit);
    let scene = Scene::set(!options.common.no_pin)?;
    let rounds = Rounds {
        rounds: options.rounds.into(),
        span: options.common.seconds,
        connections: sizes::CONNECTIONS,
        rate: 0,
        only: Vec::new(),
    };
    let how = format!(
        "{} open files a process. {} rounds of {} s; one worker thread a proxy; HTTP/1.1 without TLS on 127.0.0.1; access \
         log and metrics on.",
        files::granted(),
        rounds.rounds,
        Duration::as_secs_f64(&rounds.span),
    );
    let report = Report::new("Scale", &scene, &how, aims());
    let mut run = Run { options, scene: &scene, rounds, report, panels: Vec::new() };
    for (name, part) in PARTS.into_iter().filter(|(name, _)| wanted(&options.part, name)) {
        eprintln!("== {name}");
        if let Err(why) = part(&mut run) {
            eprintln!("!! {name}: {why}");
            run.report.sections += &format!("\n## {name}\n\n**Not measured**: {}\n", why.replace('\n', " "));
        }
        run.report.write(options.common.out.as_deref())?;
    }
    if let Some(path) = &options.plot {
        report::write(path, &plot::draw(&run.panels))?;
    }
    println!("{}", run.report.text());
    Ok(())
}
