//! The table of a case: of requests, of sign-ins, or of latencies.

use std::fmt::Write as _;

use crate::contender::BASE;
use crate::figures::Figure;
use crate::measure::{Case, Doing, Open, Row, Table, Timed};
use crate::tables::{self, Column, busy, column, idle_note, middle, percent, ratio, rounds, spread};

/// A case as Markdown.
pub(crate) fn text(case: &Case, table: &Table) -> String {
    let (columns, by) = match (case.doing, case.timed) {
        (Doing::SignIns, _) => (sign_ins(), Figure::Cpu),
        (_, Timed::HalfOfPeak) => (latencies(table.open.as_ref()), Figure::OneP50),
        _ => (requests(), Figure::Cpu),
    };
    let base = table.rows.iter().find(|row| row.name == BASE);
    let mut rows: Vec<&Row> = table.rows.iter().collect();
    rows.sort_by(|one, other| one.kept.median(by).total_cmp(&other.kept.median(by)));
    let footnote = if case.doing == Doing::SignIns { Some(SIGN_INS.to_owned()) } else { idle_note(&rows) };
    let paragraphs = [footnote, counts(&rows), table.open.as_ref().map(open), Some(tables::probe(table))];
    format!(
        "\n## {}\n\n{}\n\n{}{}\n{}\n",
        case.name,
        case.question,
        tables::text("contender", &columns, &rows, |_| base, |row| row.name.clone()),
        tables::missing(table),
        paragraphs.into_iter().flatten().collect::<Vec<_>>().join("\n")
    )
}

fn memory<'a>() -> Column<'a> {
    column("memory MiB", |row, _| format!("{:.1}", row.pss_mib))
}

fn requests<'a>() -> Vec<Column<'a>> {
    vec![
        spread("CPU µs a request, with helper", Figure::Cpu, 1),
        middle("of it helper", Figure::Helper, 1),
        ratio(Figure::Cpu),
        middle("requests/s", Figure::Rate, 0),
        busy("core busy"),
        middle("p50 µs", Figure::P50, 0),
        middle("p99 µs", Figure::P99, 0),
        memory(),
        rounds(),
        column("forged headers", |row, _| row.forged.clone()),
    ]
}

fn sign_ins<'a>() -> Vec<Column<'a>> {
    vec![
        spread("CPU µs a sign-in, with helper", Figure::Cpu, 0),
        middle("of it helper", Figure::Helper, 0),
        middle("carriers' CPU µs", Figure::Carriers, 0),
        percent("its part", Figure::Share),
        middle("sign-ins/s", Figure::Rate, 0),
        percent("core busy", Figure::Busy),
        memory(),
        rounds(),
    ]
}

fn latencies<'a>(open: Option<&Open>) -> Vec<Column<'a>> {
    let at = open.map_or("–".to_owned(), |open| format!("{}/s", open.rate));
    vec![
        spread("one connection: p50 µs", Figure::OneP50, 1),
        ratio(Figure::OneP50),
        middle("p99 µs", Figure::OneP99, 0),
        middle(&format!("at {at}: p50 µs"), Figure::P50, 0),
        spread("p99 µs", Figure::P99, 0),
        ratio(Figure::P99),
        middle("peak requests/s", Figure::Rate, 0),
        busy("core busy at the peak"),
        rounds(),
    ]
}

/// What the columns of sign-ins do not say by themselves.
const SIGN_INS: &str = "\
Its part: of the CPU time that the servers of a sign-in spend (the contender, its store in Redis, the simulated carriers), \
that of the contender and its store. Browsers are not in it, nor is waiting. The carriers sign with RSA and run on the \
load's core with the browsers: mostly they are the limit of sign-ins a second, and `core busy` says how much of the \
proxies' core was used.";

/// What the gateway counted by itself: whether the case was the case.
fn counts(rows: &[&Row]) -> Option<String> {
    let own = rows.iter().filter(|row| !row.kept.all(Figure::LookUps).is_empty());
    let said = own.map(|row| (&row.name, row.kept.median(Figure::LookUps), row.kept.median(Figure::Signatures)));
    let (some, none): (Vec<_>, Vec<_>) = said.partition(|(_, look_ups, signatures)| look_ups.max(*signatures) >= 0.005);
    let mut all: Vec<String> =
        some.iter().map(|(name, look_ups, signatures)| format!("{name}: {look_ups:.2} and {signatures:.2}")).collect();
    if !none.is_empty() {
        all.push(format!("{}none", if some.is_empty() { "" } else { "all others of ours: " }));
    }
    let text = "Sessions asked for in the store and signatures verified, for each answer, by the gateway's own metrics";
    (!all.is_empty()).then(|| format!("{text}: {}.", all.join("; ")))
}

fn open(open: &Open) -> String {
    let (late, late_99) = open.late;
    let mut text = format!("p50 and p99 at {}/s over {} connections", open.rate, open.connections);
    if let Some(found) = &open.found {
        let _ = write!(text, ": {found}");
    }
    let _ = write!(text, ". The load itself was late by {late:.0} µs (p99 {late_99:.0} µs)");
    if let Some(busy) = open.busy {
        let _ = write!(text, "; the core it shares with the app was {:.0} % busy", busy * 100.0);
    }
    text + "."
}
