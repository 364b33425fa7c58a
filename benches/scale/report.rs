//! The report: aims first, then a section a part.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::aims::{self, Aim};
use crate::common::{median, spread};
use crate::connections::IN_FLIGHT;
use crate::files;
use crate::options::Options;
use crate::plot::{Panel, Point, Series};
use crate::rotation::{self, Manner, Run};
use crate::rounds::{BASE, Row, Table};
use crate::sessions::{self, Held};
use crate::stage::scene::Scene;
use crate::start::{Starts, Weight};

/// The text as it grows.
pub struct Report {
    head: String,
    sections: String,
    pub aims: Vec<Aim>,
    pub panels: Vec<Panel>,
}

impl Report {
    /// Where and how.
    pub fn new(scene: &Scene, options: &Options) -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = match &scene.cores {
            Some((proxies, others)) => format!("proxies and Redis on core {proxies}, load and app on {others}"),
            None => "NOT PINNED".to_owned(),
        };
        let head = format!(
            "# Scale\n\n{}; kernel {}; {cores}; {} open files a process.\n{} rounds of {} s; one worker thread a proxy; \
             HTTP/1.1 without TLS on 127.0.0.1; access log and metrics on.\nLoad average before: {}.\n\n",
            model.unwrap_or("unknown processor"),
            kernel.trim(),
            files::granted(),
            options.rounds,
            options.span.as_secs(),
            loads.split(' ').take(3).collect::<Vec<_>>().join(", "),
        );
        Self { head, sections: String::new(), aims: aims::all(), panels: Vec::new() }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        format!("{}{}{}", self.head, aims::table(&self.aims), self.sections)
    }

    /// Writes what there is so far.
    pub fn write(&self, path: Option<&Path>) -> Result<(), String> {
        let Some(path) = path else { return Ok(()) };
        write(path, &self.text())
    }

    /// A part that could not be measured.
    pub fn missing(&mut self, part: &str, why: &str) {
        let _ = write!(self.sections, "\n## {part}\n\n**Not measured**: {}\n", why.replace('\n', " "));
    }

    /// Sizes of one thing against each other.
    pub fn sizes(&mut self, name: &'static str, question: &str, table: &Table, aim: Option<&str>) {
        let text = &mut self.sections;
        let _ = write!(
            text,
            "\n## {name}\n\n{question}\n\n| {name} | CPU µs a request (lowest–highest) | ÷ {BASE} | ÷ smallest, same round (lowest–highest) | ÷ smallest, \
             of the lowest | the store was asked, a request | rounds kept |\n|---|---|---|---|---|---|---|\n"
        );
        for row in &table.rows {
            let base = table.rows.iter().find(|base| base.name == BASE && (base.size == row.size || base.size == 0));
            let smallest = table.series(row.name).first().copied().unwrap_or(row);
            let (low, high) = spread(&row.cpu);
            let (least, most) = spread(&row.growth);
            let size = match (row.name, row.size) {
                (BASE, 0) => BASE.to_owned(),
                (BASE, size) => format!("{}, {BASE}", thousands(size)),
                (_, size) => thousands(size),
            };
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let asked = row.asked as f64 / row.answers.max(1) as f64;
            let _ = writeln!(
                text,
                "| {size} | {:.1} ({low:.1}–{high:.1}) | {} | {:.2} ({least:.2}–{most:.2}) | {:.2} | {} | {} |",
                row.median(),
                base.map_or("–".to_owned(), |base| format!("{:.2}", row.median() / base.median())),
                row.growth(),
                row.least() / smallest.least(),
                if row.name == BASE { "–".to_owned() } else { format!("{asked:.4}") },
                row.cpu.len(),
            );
        }
        let (usual, low, high) = table.probe;
        let _ = writeln!(
            text,
            "\nThe proxies' core took {usual:.1} ms for the probe ({low:.1}–{high:.1}); figures taken while it was off by more \
             than 15 % are dropped."
        );
        if let (Some(aim), [first, .., last]) = (aim, &table.series(name)[..]) {
            let least = last.least() / first.least();
            let more = format!("({} to {}; of the lowest {least:.2})", thousands(first.size), thousands(last.size));
            aims::found(&mut self.aims, aim, last.growth(), more);
        }
    }

    /// What sessions weigh.
    pub fn memory(&mut self, held: &[Held], seeded: (usize, f64)) {
        let text = &mut self.sections;
        let _ = writeln!(
            text,
            "\n| sessions held | memory MiB (PSS) | bytes each | asked for once, s |\n|---|---|---|---|\n| 0 | {} | – | – |",
            held.first().map_or(0, |held| held.empty_kib >> 10)
        );
        for held in held {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.1} |",
                thousands(held.sessions),
                held.full_kib >> 10,
                held.bytes_each(),
                held.warmed_seconds
            );
        }
        let _ = writeln!(text, "\n{} sessions were put into Redis in {:.0} s.", thousands(seeded.0), seeded.1);
        if let Some(most) = held.last() {
            let more = format!("({} of them, 8 headers each)", thousands(most.sessions));
            aims::found(&mut self.aims, aims::MEMORY, most.bytes_each() / 1024.0, more);
        }
    }

    /// What connections weigh.
    pub fn connection_memory(&mut self, table: &Table, left_out: &[usize]) {
        let each = |row: &Row| {
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let each = row.held_kib as f64 / row.size as f64;
            format!(
                "{each:.1} KiB with {} ({})",
                thousands(row.size),
                row.name.replace(crate::connections::NAME, "zengate")
            )
        };
        let most = table.rows.iter().map(|row| row.size).max();
        let largest: Vec<String> = table.rows.iter().filter(|row| Some(row.size) == most).map(each).collect();
        let _ = writeln!(
            self.sections,
            "{IN_FLIGHT} requests under way, or one a connection if there are fewer: a proxy that is woken for each alone \
             pays more for it. Memory of an open connection: {}.",
            largest.join(", ")
        );
        for size in left_out {
            let size = thousands(*size);
            let _ =
                writeln!(self.sections, "\n**Not measured: {size} connections**: this machine grants too few files.");
        }
    }

    /// How it starts and what it weighs idle.
    pub fn starts(&mut self, starts: &[Starts], weight: &Weight) {
        let text = &mut self.sections;
        let _ = write!(
            text,
            "\n## start\n\nFrom the start of `zengate serve` to the last byte of its first answer, all cores, file and programs in \
             the page cache; what starts it (`setpriv`, `taskset`) is counted too. Memory half a second later.\n\n| store | \
             first answer | ms (lowest–highest) | RSS MiB | of it the program's file | PSS MiB | starts |\n|---|---|---|---|---|---|---|\n"
        );
        for kind in starts {
            let (low, high) = spread(&kind.millis);
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} ({low:.1}–{high:.1}) | {:.1} | {:.1} | {:.1} | {} |",
                kind.store,
                kind.asked,
                median(&kind.millis),
                median(&kind.rss_mib),
                median(&kind.file_mib),
                median(&kind.pss_mib),
                kind.millis.len()
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "bytes")]
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let stripped = weight.stripped.map_or("unknown, `strip` is not installed".to_owned(), mib);
        let _ = writeln!(text, "\nThe program is {} as built, {stripped} stripped.", mib(weight.built));
        let worst = |of: fn(&Starts) -> f64| {
            starts
                .iter()
                .max_by(|a, b| of(a).total_cmp(&of(b)))
                .map(|kind| (of(kind), format!("({} store)", kind.store)))
        };
        if let Some((value, more)) = worst(|kind| median(&kind.rss_mib)) {
            aims::found(&mut self.aims, aims::IDLE, value, more);
        }
        if let Some((value, more)) = worst(|kind| median(&kind.millis)) {
            aims::found(&mut self.aims, aims::START, value, more);
        }
    }

    /// What rotations cost whom.
    pub fn rotation(&mut self, runs: &[Run], rate: u32) {
        let text = &mut self.sections;
        let _ = write!(
            text,
            "\n## rotation\n\n{rate} requests a second over {} connections, {} access tokens, {} new keys; older ones stay \
             published. The issuer takes {} ms to answer with its keys, and each of its answers is timed: who was under way \
             when one ended has waited for it (under a key that the gateway had met: if it had been so for {} ms).\n\n| \
             keys change | requests | failed | waited for keys, known key | waited for keys, new key | longer than {} ms \
             otherwise | fetches of keys | p50 µs | p99 µs | longest ms | CPU µs a request |\n\
             |---|---|---|---|---|---|---|---|---|---|---|\n",
            crate::pace::CONNECTIONS,
            rotation::CALLERS,
            rotation::ROTATIONS,
            crate::keys::SLOW.as_millis(),
            rotation::LONG.as_millis(),
            rotation::LONG.as_millis(),
        );
        for run in runs {
            let _ = writeln!(
                text,
                "| {}, {:.0} s | {} | {} | {} | {} | {} | {} | {:.0} | {:.0} | {:.1} | {:.1} |",
                run.manner.name(),
                run.seconds,
                run.requests,
                run.failed,
                run.waited_known,
                run.waited_new,
                run.long_otherwise,
                run.fetches,
                run.p50,
                run.p99,
                run.most / 1000.0,
                run.cpu
            );
        }
        for run in runs {
            let _ =
                writeln!(text, "\n{}: the load itself was late by up to {:.0} µs (p99).", run.manner.name(), run.late);
            if let Some(first) = &run.first_failure {
                let _ = writeln!(text, "The first failure: {first}.");
            }
        }
        let total = |of: fn(&Run) -> usize| {
            #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
            let total = runs.iter().map(of).sum::<usize>() as f64;
            total
        };
        let requests = thousands(runs.iter().map(|run| run.requests).sum());
        aims::found(&mut self.aims, aims::FAILED, total(|run| run.failed), format!("of {requests}"));
        let waited = total(|run| match run.manner {
            Manner::Announced => run.waited_new + run.waited_known,
            Manner::NotAtAll | Manner::AtOnce => run.waited_known,
        });
        let first: usize = runs.iter().filter(|run| run.manner == Manner::AtOnce).map(|run| run.waited_new).sum();
        let more = format!("(beside {first} that came first with a key nobody had announced)");
        aims::found(&mut self.aims, aims::WAITED, waited, more);
    }

    /// Draws the series of a table beside what was drawn before.
    pub fn draw(
        &mut self,
        axis: &'static str,
        table: &Table,
        names: &[(&'static str, &'static str)],
        aim: Option<f64>,
    ) {
        let series = names.iter().map(|(name, label)| {
            let points = table.series(name).into_iter().filter(|row| !row.growth.is_empty()).map(|row| {
                let (low, high) = spread(&row.growth);
                Point { size: row.size, value: row.growth(), low, high }
            });
            Series { label, points: points.collect() }
        });
        self.panels.push(Panel { axis, series: series.collect(), aim });
    }
}

/// Writes a file, and the directory it lies in.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A number as people read it.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The question of each part whose sizes are compared.
pub fn question(part: &str) -> String {
    match part {
        sessions::NAME => format!(
            "Each request is another person's; all are held in process, where a copy is trusted for five minutes \
             (`sessions.revalidate: 5m`), so that the store is not part of it. {} connections, answers of 1 KiB.",
            sessions::CONNECTIONS
        ),
        crate::connections::NAME => {
            "All connections are open and used in turn; one person, answers of 1 KiB.".to_owned()
        }
        crate::places::HOSTS => "Each host has one route; one person asks them in turn.".to_owned(),
        _ => "Routes of one host; one person asks them in turn.".to_owned(),
    }
}
