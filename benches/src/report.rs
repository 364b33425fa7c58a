//! The report: where and how, one Markdown table a case, and what has become of the aims.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cases::Case;
use crate::contenders::PEERS;
use crate::load::OPEN_CONNECTIONS;
use crate::measure::Table;
use crate::options::Options;
use crate::stage::gate;
use crate::stage::scene::{Scene, find};
use crate::{aims, seconds, tables};

/// The text as it grows.
pub struct Report {
    text: String,
    tables: Vec<(&'static str, Table)>,
}

impl Report {
    /// The head: where and how.
    pub fn new(scene: &Scene, options: &Options, ceiling: Option<f64>) -> Self {
        let mut text = String::from("# Side by side\n\n");
        let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = match &scene.cores {
            Some((proxies, others)) => format!("proxies and their helpers on core {proxies}, load and app on {others}"),
            None => format!("NOT PINNED, everybody shares {threads} cores"),
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        line(&mut text, &format!("{}; kernel {}; {cores}.", model.unwrap_or("unknown processor"), kernel.trim()));
        line(
            &mut text,
            &format!(
                "{} rounds of {} s each; {} keep-alive connections when saturated, {} requests/s over {OPEN_CONNECTIONS} \
                 for latency unless a table says otherwise; one worker thread a proxy; HTTP/1.1 without TLS on 127.0.0.1.",
                options.rounds,
                seconds(options.span),
                options.connections,
                options.rate
            ),
        );
        if let Some(ceiling) = ceiling {
            let _ = writeln!(text, "Straight to the app, without a proxy, the load gets {ceiling:.0} requests/s.");
        }
        let _ = writeln!(text, "Load average before: {}.", loads());
        for (program, version) in versions() {
            let _ = writeln!(text, "- {program}: {version}");
        }
        Self { text, tables: Vec::new() }
    }

    /// Adds a case.
    pub fn add(&mut self, case: &Case, table: Table) {
        self.text.push_str(&tables::text(case, &table));
        self.tables.push((case.name, table));
    }

    /// The whole text, with what has become of the aims so far.
    pub fn text(&self) -> String {
        format!("{}{}", self.text, aims::table(&self.tables))
    }

    /// Writes what there is so far.
    pub fn write(&self, path: Option<&Path>) -> std::io::Result<()> {
        let Some(path) = path else { return Ok(()) };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(path, self.text())
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

fn loads() -> String {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

/// What each program says about itself.
fn versions() -> Vec<(String, String)> {
    let other = std::env::var_os(gate::GIVEN).map(|_| format!(", another build ({})", gate::GIVEN));
    let mut versions = vec![
        ("zengate".to_owned(), format!("{}{}", env!("CARGO_PKG_VERSION"), other.unwrap_or_default())),
        ("pingora".to_owned(), "as in Cargo.lock, same profile and allocator as zengate".to_owned()),
    ];
    let asked = PEERS.iter().map(|peer| peer.program).chain([(&["redis-server"][..], "--version")]);
    for (names, flag) in asked {
        let Some((program, peers)) = names.split_first() else { continue };
        if versions.iter().any(|(known, _)| known == program) {
            continue;
        }
        let version = find(program, peers).and_then(|path| {
            let said = Command::new(&path).arg(flag).output().ok()?;
            let said = [said.stdout, said.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            let line = said.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit()))?;
            // Some say where they lie, which is nobody's business.
            Some(line.replace(&path.display().to_string(), program).trim().to_owned())
        });
        versions.push(((*program).to_owned(), version.unwrap_or_else(|| "NOT INSTALLED".to_owned())));
    }
    versions
}
