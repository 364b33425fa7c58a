//! What a request costs here and elsewhere: everybody around the proxies, the contenders, one load, one way to measure in
//! rounds and one way to report. benches/README.md says what each measurement asks and how it is run.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on ends"
)]

mod aims;
mod client;
mod contender;
mod figures;
mod gate;
mod instructions;
mod issuer;
mod load;
mod measure;
mod memory;
mod peers;
mod place;
mod plot;
mod process;
mod proof;
mod report;
mod requests;
mod roles;
mod scale;
mod scene;
pub mod seed;
mod side_by_side;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures what a request costs. See benches/README.md.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// What cargo adds by itself.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// What a request costs here and at other gateways and proxies
    SideBySide(side_by_side::Options),
    /// Whether a request costs the same with more of everything
    Scale(Box<scale::Options>),
    /// Instructions in user space of a signed-in request, compared with the recorded ones
    Instructions(instructions::Options),
    /// Memory of cached sessions, and of the embedded store
    Memory(memory::Options),
}

/// What the large measurements can be told.
#[derive(Args)]
struct Common {
    /// Seconds of load for one figure
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// Also write the report to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "MINUTES", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=600))]
    limit: u64,
    /// Do not give the proxies a core of their own
    #[arg(long)]
    no_pin: bool,
}

/// Plays a part, if that is what this process is for, or reads the command line and measures.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "role") {
        return roles::play(&arguments[1..]);
    }
    let done = match Options::parse().what {
        What::SideBySide(options) => side_by_side::run(&options),
        What::Scale(options) => scale::run(&options),
        What::Instructions(options) => instructions::run(&options),
        What::Memory(options) => memory::run(&options),
    };
    let Err(why) = done else { return ExitCode::SUCCESS };
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// Whether `name` is wanted: it holds one of `words`, or there are none.
fn wanted(words: &[String], name: &str) -> bool {
    words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
}

/// A part of a second, up to a minute.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "not a number from 0.1 to 60".to_owned())
}

/// Whatever hangs, this ends; and whoever was started ends with it.
fn give_up_after(minutes: u64) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(60 * minutes));
        eprintln!("not finished after {minutes} minutes; giving up");
        std::process::exit(1);
    });
}
