//! What can be chosen on the command line.

use std::path::PathBuf;
use std::time::Duration;

const HELP: &str = "\
make side-by-side ARGS='…'   or   cargo bench --bench side_by_side -- …
  --rounds N        rounds, each measures every contender once (5)
  --seconds S       seconds of load for one figure (1)
  --connections N   keep-alive connections when saturated (64)
  --rate N          requests a second of the latency figures (1000)
  --sessions N      sessions of the case with a different one on each request (100000)
  --case WORDS      only cases whose name holds one of these words, split by commas
  --only WORDS      only contenders whose name holds one of these words (and bare pingora)
  --out FILE        also write the tables to this file
  --limit MINUTES   give up after this time (90)
  --no-pin          do not give the proxies a core of their own
  --list            say what there is to measure, and measure nothing";

/// See [`HELP`].
#[derive(Debug, Clone)]
pub struct Options {
    pub rounds: usize,
    pub span: Duration,
    pub connections: usize,
    pub rate: u32,
    pub sessions: usize,
    pub cases: Vec<String>,
    pub only: Vec<String>,
    pub out: Option<PathBuf>,
    pub limit: Duration,
    pub pin: bool,
    pub list: bool,
}

impl Options {
    /// Reads the arguments; what is wrong with them otherwise.
    pub fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            rounds: 5,
            span: Duration::from_secs(1),
            connections: 64,
            rate: 1000,
            sessions: 100_000,
            cases: Vec::new(),
            only: Vec::new(),
            out: None,
            limit: Duration::from_secs(90 * 60),
            pin: true,
            list: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or(format!("{argument} needs a value\n{HELP}"));
            match argument.as_str() {
                "--rounds" => options.rounds = number(&value()?, 1..=100)?,
                "--seconds" => {
                    let seconds = value()?.parse::<f64>().ok().filter(|seconds| (0.1..=60.0).contains(seconds));
                    options.span = Duration::from_secs_f64(seconds.ok_or("--seconds: 0.1 to 60")?);
                }
                "--connections" => options.connections = number(&value()?, 4..=512)?,
                "--rate" => options.rate = number(&value()?, 10..=20_000)?,
                "--sessions" => options.sessions = number(&value()?, 1..=100_000)?,
                "--case" => options.cases = words(&value()?),
                "--only" => options.only = words(&value()?),
                "--out" => options.out = Some(PathBuf::from(value()?)),
                "--limit" => options.limit = Duration::from_secs(60 * number::<u64>(&value()?, 1..=600)?),
                "--no-pin" => options.pin = false,
                "--list" => options.list = true,
                // What `cargo bench` adds by itself.
                "--bench" => {}
                "--help" | "-h" => return Err(HELP.to_owned()),
                other => return Err(format!("{other} is not known\n{HELP}")),
            }
        }
        Ok(options)
    }

    /// Whether a case is wanted.
    pub fn wants_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|word| name.contains(word.as_str()))
    }

    /// Whether a contender is wanted. Without the base there would be no ratio.
    pub fn wants(&self, name: &str) -> bool {
        name == "bare pingora" || self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn number<N: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: std::ops::RangeInclusive<N>,
) -> Result<N, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("{text} is not a number from {} to {}", range.start(), range.end()))
}
