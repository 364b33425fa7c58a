//! Instructions in user space of one request, counted by callgrind: whoever else is busy on the machine does not move
//! them, so a run can be compared with a recorded one, and `.ci/run` does.
//!
//! They are no measure of time. The kernel's half of a request is not in them, a cache miss counts as little as a hit,
//! and valgrind's processor lacks what real ones have for SHA-256.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::contender::{Running, bare};
use crate::gate::{Gate, Store};
use crate::load::Lines;
use crate::scene::Scene;

/// Requests before the count begins: caches and buffers have their size by then.
const WARM_UP: usize = 640;
/// Requests that are counted.
const COUNTED: usize = 1920;
/// Keep-alive connections that send them.
const CONNECTIONS: usize = 32;
const PATH: &str = "/app/page?id=1";
/// By how much the ratio may exceed the recorded one. Two runs of the same program differ by less than half of it.
const TOLERANCE: f64 = 0.02;

/// make instructions, make instructions-record
#[derive(Args)]
pub(crate) struct Options {
    /// Record them anew
    #[arg(long)]
    record: bool,
}

/// Counts, then compares with the recorded figures, or records.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    for tool in ["valgrind", "callgrind_control"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Err(format!("{tool} is not installed"));
        }
    }
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let counts = format!("--callgrind-out-file={}/%p", dir.path().display());
    let mut scene = Scene::set(false)?;
    scene.tool = ["valgrind", "--tool=callgrind", &counts].map(str::to_owned).to_vec();
    // Whoever asks has signed in; the app gets the headers it gets by default.
    let gate = Gate { store: Store::Memory, headers: None, ..Gate::default() };
    let bare = count(&bare(&scene, PATH), dir.path())?;
    let gateway = count(&gate.start(&scene, PATH)?, dir.path())?;
    let ratio = gateway / bare;
    println!("| contender | instructions a request | ÷ bare pingora |\n|---|---|---|");
    println!("| bare pingora | {bare:.0} | 1.00 |\n| zengate, signed in | {gateway:.0} | {ratio:.3} |\n");
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded/instructions.txt");
    if options.record {
        let head = "# User-space instructions of one request. Made by: make instructions-record";
        let text = format!("{head}\nbare {bare:.0}\ngateway {gateway:.0}\n");
        return std::fs::write(&record, text).map_err(|error| error.to_string());
    }
    let recorded = std::fs::read_to_string(&record).map_err(|error| error.to_string())?;
    let of = |name: &str| {
        let line = recorded.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse::<f64>().ok()).ok_or("the record does not hold both figures")
    };
    let before = of("gateway ")? / of("bare ")?;
    println!("Recorded: {before:.3}.");
    if ratio > before * (1.0 + TOLERANCE) {
        return Err(format!(
            "A signed-in request takes more instructions than recorded ({ratio:.3} against {before:.3} times the bare \
             proxy's).\nIf it must, say why in the commit that runs `make instructions-record`."
        ));
    }
    if ratio < before * (1.0 - TOLERANCE) {
        println!("It takes fewer now: run `make instructions-record`, so that they stay.");
    }
    Ok(())
}

/// Instructions of one request through `running`, of which callgrind writes dumps into `dir`.
fn count(running: &Running, dir: &Path) -> Result<f64, String> {
    let pid = running.process.id().to_string();
    let load = |count: usize| Lines::open(&running.requests, CONNECTIONS, CONNECTIONS)?.each(count / CONNECTIONS);
    load(WARM_UP)?;
    control("--zero", &pid)?;
    let answers = load(COUNTED)?.answers;
    control("--dump", &pid)?;
    Ok(total(&dir.join(format!("{pid}.1")))? / answers as f64)
}

fn control(order: &str, pid: &str) -> Result<(), String> {
    let command =
        Command::new("callgrind_control").args([order, pid]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let done = command.is_ok_and(|status| status.success());
    if done { Ok(()) } else { Err(format!("callgrind_control {order} failed")) }
}

/// The sum in a dump, once it is written whole.
fn total(dump: &Path) -> Result<f64, String> {
    for _ in 0..200 {
        let text = std::fs::read(dump).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let sum = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        if let Some(sum) = sum.and_then(|sum| sum.trim().parse().ok()) {
            return Ok(sum);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Err(format!("callgrind wrote no sum to {}", dump.display()))
}
