//! One Markdown table a case, and what one must know to read it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cases::{Case, Doing};
use crate::common::{median, spread};
use crate::contenders::{BASE, PEERS};
use crate::load::OPEN_CONNECTIONS;
use crate::measure::{Row, Table};
use crate::options::Options;
use crate::scene::{Scene, find};
use crate::seconds;

/// Fewer rounds than this say nothing about spread.
const FEW: usize = 3;

/// The text as it grows.
pub struct Report {
    text: String,
    rate: u32,
}

impl Report {
    /// The head: where and how.
    pub fn new(scene: &Scene, options: &Options) -> Self {
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
                 for latency; one worker thread a proxy; HTTP/1.1 without TLS on 127.0.0.1.",
                options.rounds,
                seconds(options.span),
                options.connections,
                options.rate
            ),
        );
        let _ = writeln!(text, "Load average before: {}.", loads());
        for (program, version) in versions() {
            let _ = writeln!(text, "- {program}: {version}");
        }
        Self { text, rate: options.rate }
    }

    /// Adds a case.
    pub fn add(&mut self, case: &Case, table: &Table) {
        let text = &mut self.text;
        let (what, rate) = match case.doing {
            Doing::Requests => ("request", "requests/s"),
            Doing::SignIns => ("sign-in", "sign-ins/s"),
        };
        let _ = write!(text, "\n## {}\n\n{}\n\n", case.name, case.question);
        let _ = writeln!(
            text,
            "| contender | CPU µs a {what}, with helper (lowest–highest) | of it helper | ÷ {BASE} | {rate} | \
             p50 µs | p99 µs | memory MiB | rounds kept | forged headers |\n|---|---|---|---|---|---|---|---|---|---|"
        );
        let total = |row: &Row| row.cpu.iter().zip(&row.helper).map(|(own, helper)| own + helper).collect::<Vec<_>>();
        let base = table.rows.iter().find(|row| row.name == BASE).map(|row| median(&total(row)));
        let mut rows: Vec<(&Row, Vec<f64>)> = table.rows.iter().map(|row| (row, total(row))).collect();
        rows.sort_by(|(_, one), (_, other)| median(one).total_cmp(&median(other)));
        for (row, total) in rows {
            let (low, high) = spread(&total);
            let ratio = base.map(|base| median(&total) / base).filter(|ratio| ratio.is_finite());
            let cpu =
                if total.is_empty() { "–".into() } else { format!("{:.1} ({low:.1}–{high:.1})", median(&total)) };
            let few = if row.rounds < FEW { " (too few)" } else { "" };
            let _ = writeln!(
                text,
                "| {} | {cpu} | {} | {} | {} | {} | {} | {:.1} | {}{few} | {} |",
                row.name,
                figure(median(&row.helper), 1),
                ratio.map_or("–".into(), |ratio| format!("{ratio:.2}")),
                figure(median(&row.rate), 0),
                figure(median(&row.p50), 0),
                figure(median(&row.p99), 0),
                row.pss_mib,
                row.rounds,
                row.forged,
            );
        }
        for (name, why) in &table.missing {
            let _ = writeln!(text, "\n**Not measured: {name}**: {}.", why.trim_end_matches('.').replace('\n', " "));
        }
        let (usual, low, high) = table.probe;
        let (late, late_99) = table.late;
        let _ = writeln!(
            text,
            "\nThe proxies' core took {usual:.1} ms for the probe ({low:.1}–{high:.1}); figures taken while it was off by \
             more than 15 % are dropped."
        );
        if late.is_finite() {
            let rate = self.rate;
            let _ = writeln!(text, "At {rate}/s the load itself was late by {late:.0} µs (p99 {late_99:.0} µs).");
        }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes what there is so far.
    pub fn write(&self, path: Option<&Path>) -> std::io::Result<()> {
        let Some(path) = path else { return Ok(()) };
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(path, &self.text)
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

fn figure(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "–".to_owned() }
}

fn loads() -> String {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

/// What each program says about itself.
fn versions() -> Vec<(String, String)> {
    let mut versions = vec![
        ("zengate".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("pingora".to_owned(), "as in Cargo.lock, same profile and allocator as zengate".to_owned()),
    ];
    let asked = PEERS.iter().map(|peer| peer.program).chain([(&["redis-server"][..], "--version")]);
    for (names, flag) in asked {
        let Some((program, peers)) = names.split_first() else { continue };
        if versions.iter().any(|(known, _)| known == program) {
            continue;
        }
        let version = find(program, peers).and_then(|path| {
            let said = Command::new(path).arg(flag).output().ok()?;
            let said = [said.stdout, said.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            let line = said.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit()))?;
            Some(line.trim().to_owned())
        });
        versions.push(((*program).to_owned(), version.unwrap_or_else(|| "NOT INSTALLED".to_owned())));
    }
    versions
}
