//! What can be chosen on the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::stage::options::{Arguments, number, wanted};

const HELP: &str = "\
make scale ARGS='…'   or   cargo bench --bench scale -- …
  --part WORDS        only parts whose name holds one of these words, split by commas:
                      sessions, connections, hosts, routes, start, rotation
  --rounds N          rounds, each measures every size once (7)
  --seconds S         seconds of load for one figure (1)
  --sessions LIST     sessions held in process (1000,10000,100000,1000000)
  --connections LIST  open connections (1,10,100,1000,10000)
  --hosts LIST        hosts (1,10,100,1000)
  --routes LIST       routes of one host (1,10,100)
  --starts N          starts of each kind (15)
  --rate N            requests a second while keys rotate (5000)
  --rotation S        seconds in which five keys come into use (20)
  --out FILE          also write the report to this file
  --plot FILE         also draw it, as SVG
  --limit MINUTES     give up after this time (60)
  --no-pin            do not give the proxies a core of their own";

/// See [`HELP`].
#[derive(Debug, Clone)]
pub struct Options {
    pub parts: Vec<String>,
    pub rounds: usize,
    pub span: Duration,
    pub sessions: Vec<usize>,
    pub connections: Vec<usize>,
    pub hosts: Vec<usize>,
    pub routes: Vec<usize>,
    pub starts: usize,
    pub rate: u32,
    pub rotation: Duration,
    pub out: Option<PathBuf>,
    pub plot: Option<PathBuf>,
    pub limit: Duration,
    pub pin: bool,
}

impl Options {
    /// Reads the arguments; what is wrong with them otherwise.
    pub fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            parts: Vec::new(),
            rounds: 7,
            span: Duration::from_secs(1),
            sessions: vec![1_000, 10_000, 100_000, 1_000_000],
            connections: vec![1, 10, 100, 1_000, 10_000],
            hosts: vec![1, 10, 100, 1_000],
            routes: vec![1, 10, 100],
            starts: 15,
            rate: 5_000,
            rotation: Duration::from_secs(20),
            out: None,
            plot: None,
            limit: Duration::from_secs(60 * 60),
            pin: true,
        };
        let mut arguments = Arguments::new(arguments, HELP);
        while let Some(option) = arguments.option()? {
            match option {
                "--part" => options.parts = arguments.words()?,
                "--rounds" => options.rounds = arguments.number(1..=100)?,
                "--seconds" => options.span = Duration::from_millis(1000 * arguments.number::<u64>(1..=60)?),
                "--sessions" => options.sessions = sizes(arguments.value()?, 2_000_000)?,
                "--connections" => options.connections = sizes(arguments.value()?, 25_000)?,
                "--hosts" => options.hosts = sizes(arguments.value()?, 10_000)?,
                "--routes" => options.routes = sizes(arguments.value()?, 1_000)?,
                "--starts" => options.starts = arguments.number(1..=1_000)?,
                "--rate" => options.rate = arguments.number(100..=20_000)?,
                "--rotation" => options.rotation = Duration::from_secs(arguments.number(10..=120)?),
                "--out" => options.out = Some(PathBuf::from(arguments.value()?)),
                "--plot" => options.plot = Some(PathBuf::from(arguments.value()?)),
                "--limit" => options.limit = Duration::from_secs(60 * arguments.number::<u64>(1..=600)?),
                "--no-pin" => options.pin = false,
                _ => return Err(arguments.unknown()),
            }
        }
        Ok(options)
    }

    /// Whether a part is wanted.
    pub fn wants(&self, part: &str) -> bool {
        wanted(&self.parts, part)
    }
}

/// Sizes, the smallest first: it is what the others are compared with.
fn sizes(text: &str, most: usize) -> Result<Vec<usize>, String> {
    let sizes: Result<Vec<usize>, String> = text.split(',').map(|size| number(size.trim(), 1..=most)).collect();
    let mut sizes = sizes?;
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}
