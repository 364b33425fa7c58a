//! How a bench begins: its command line, the parts that its program plays, and its end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};

use crate::contender::BASE;
use crate::roles;

/// What all large benches can be told.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Seconds of load for one figure
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub seconds: Duration,
    /// Also write the report to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Give up after this time
    #[arg(long, value_name = "MINUTES", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub limit: u64,
    /// Do not give the proxies a core of their own
    #[arg(long)]
    pub no_pin: bool,
    #[command(flatten)]
    by_cargo: ByCargo,
}

/// What cargo adds by itself.
#[derive(Debug, Clone, Args)]
pub struct ByCargo {
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[arg(long, hide = true, global = true)]
    test: bool,
}

/// How a case is measured.
pub struct Rounds {
    /// Each measures every contender once.
    pub rounds: usize,
    /// Of load, for one figure.
    pub span: Duration,
    /// Keep-alive connections when saturated.
    pub connections: usize,
    /// Requests a second of the latency figures.
    pub rate: u32,
    /// Contenders that are wanted, by a word of their name.
    pub only: Vec<String>,
}

impl Rounds {
    /// Whether a contender is wanted. Without the base there would be no ratio.
    pub fn wants(&self, name: &str) -> bool {
        name == BASE || wanted(&self.only, name)
    }
}

/// Whether `name` is wanted: it holds one of `words`, or there are none.
pub fn wanted(words: &[String], name: &str) -> bool {
    words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
}

/// A part of a second, up to a minute.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "not a number from 0.1 to 60".to_owned())
}

/// Begins a bench: plays a part, if that is what this process is for, or reads the command line and runs.
pub fn begin<O: Parser>(run: impl FnOnce(&O) -> Result<(), String>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "role") {
        return roles::play(&arguments[1..]);
    }
    // `cargo test --benches` runs benches too; a measurement is nothing to be had by the way.
    if arguments.iter().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    match run(&O::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever hangs, this ends; and whoever was started ends with it.
pub fn give_up_after(minutes: u64) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(60 * minutes));
        eprintln!("not finished after {minutes} minutes; giving up");
        std::process::exit(1);
    });
}
