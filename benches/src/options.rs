//! What can be chosen on the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::stage::options::{Arguments, wanted};

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
        let mut arguments = Arguments::new(arguments, HELP);
        while let Some(option) = arguments.option()? {
            match option {
                "--rounds" => options.rounds = arguments.number(1..=100)?,
                "--seconds" => {
                    let seconds = arguments.value()?.parse::<f64>().ok();
                    let seconds = seconds.filter(|seconds| (0.1..=60.0).contains(seconds));
                    options.span = Duration::from_secs_f64(seconds.ok_or("--seconds: 0.1 to 60")?);
                }
                "--connections" => options.connections = arguments.number(4..=512)?,
                "--rate" => options.rate = arguments.number(10..=20_000)?,
                "--sessions" => options.sessions = arguments.number(1..=100_000)?,
                "--case" => options.cases = arguments.words()?,
                "--only" => options.only = arguments.words()?,
                "--out" => options.out = Some(PathBuf::from(arguments.value()?)),
                "--limit" => options.limit = Duration::from_secs(60 * arguments.number::<u64>(1..=600)?),
                "--no-pin" => options.pin = false,
                "--list" => options.list = true,
                _ => return Err(arguments.unknown()),
            }
        }
        Ok(options)
    }

    /// Whether a case is wanted.
    pub fn wants_case(&self, name: &str) -> bool {
        wanted(&self.cases, name)
    }

    /// Whether a contender is wanted. Without the base there would be no ratio.
    pub fn wants(&self, name: &str) -> bool {
        name == "bare pingora" || wanted(&self.only, name)
    }
}
