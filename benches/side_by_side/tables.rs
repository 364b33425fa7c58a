//! The table of a case: of requests, of sign-ins, or of latencies.

use std::fmt::Write as _;

use crate::cases::{Case, Doing, Timed};
use crate::common::spread;
use crate::contenders::BASE;
use crate::figures::{DRIFT, Figure};
use crate::measure::{Open, Row, Table};

/// Fewer rounds than this say nothing about spread.
pub const FEW: usize = 3;
/// Below this part of the time, in percent, something else than the contender was the limit.
const LIMIT: f64 = 95.0;

/// A column: its head, and what it says of a row that is compared with a base.
type Column<'a> = (String, Box<dyn Fn(&Row, Option<&Row>) -> String + 'a>);

/// A case as Markdown.
pub fn text(case: &Case, table: &Table) -> String {
    let mut text = format!("\n## {}\n\n{}\n\n", case.name, case.question);
    let (columns, by) = match (case.doing, case.timed) {
        (Doing::SignIns, _) => (sign_ins(), Figure::Cpu),
        (Doing::Requests, Timed::HalfOfPeak) => (latencies(table.open.as_ref()), Figure::OneP50),
        (Doing::Requests, _) => (requests(), Figure::Cpu),
    };
    let heads: String = columns.iter().map(|(head, _)| format!(" {head} |")).collect();
    let _ = writeln!(text, "| contender |{heads}\n|---|{}", "---|".repeat(columns.len()));
    let base = table.rows.iter().find(|row| row.name == BASE);
    let mut rows: Vec<&Row> = table.rows.iter().collect();
    rows.sort_by(|one, other| one.kept.median(by).total_cmp(&other.kept.median(by)));
    for row in &rows {
        let cells: String = columns.iter().map(|(_, cell)| format!(" {} |", cell(row, base))).collect();
        let _ = writeln!(text, "| {} |{cells}", row.name);
    }
    for (name, why) in &table.missing {
        let _ = writeln!(text, "\n**Not measured: {name}**: {}.", why.trim_end_matches('.').replace('\n', " "));
    }
    text.push('\n');
    let paragraphs = [footnote(case, &rows), counts(&rows), open(table.open.as_ref()), Some(probe(table.probe))];
    text.push_str(&paragraphs.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    text.push('\n');
    text
}

fn requests<'a>() -> Vec<Column<'a>> {
    vec![
        column("CPU µs a request, with helper (lowest–highest)", |row, _| range(row, Figure::Cpu, 1)),
        column("of it helper", |row, _| middle(row, Figure::Helper, 1)),
        column(&format!("÷ {BASE} (by the lowest)"), |row, base| ratio(row, base, Figure::Cpu)),
        column("requests/s", |row, _| middle(row, Figure::Rate, 0)),
        column("core busy", |row, _| busy(row)),
        column("p50 µs", |row, _| middle(row, Figure::P50, 0)),
        column("p99 µs", |row, _| middle(row, Figure::P99, 0)),
        column("memory MiB", |row, _| format!("{:.1}", row.pss_mib)),
        column("rounds kept", |row, _| rounds(row)),
        column("forged headers", |row, _| row.forged.clone()),
    ]
}

fn sign_ins<'a>() -> Vec<Column<'a>> {
    vec![
        column("CPU µs a sign-in, with helper (lowest–highest)", |row, _| range(row, Figure::Cpu, 0)),
        column("of it helper", |row, _| middle(row, Figure::Helper, 0)),
        column("carriers' CPU µs", |row, _| middle(row, Figure::Carriers, 0)),
        column("its part", |row, _| percent(row, Figure::Share)),
        column("sign-ins/s", |row, _| middle(row, Figure::Rate, 0)),
        column("core busy", |row, _| percent(row, Figure::Busy)),
        column("memory MiB", |row, _| format!("{:.1}", row.pss_mib)),
        column("rounds kept", |row, _| rounds(row)),
    ]
}

fn latencies<'a>(open: Option<&Open>) -> Vec<Column<'a>> {
    let at = open.map_or("–".to_owned(), |open| format!("{}/s", open.rate));
    let over = format!("÷ {BASE} (by the lowest)");
    vec![
        column("one connection: p50 µs (lowest–highest)", |row, _| range(row, Figure::OneP50, 1)),
        column(&over, |row, base| ratio(row, base, Figure::OneP50)),
        column("p99 µs", |row, _| middle(row, Figure::OneP99, 0)),
        column(&format!("at {at}: p50 µs"), |row, _| middle(row, Figure::P50, 0)),
        column("p99 µs (lowest–highest)", |row, _| range(row, Figure::P99, 0)),
        column(&over, |row, base| ratio(row, base, Figure::P99)),
        column("peak requests/s", |row, _| middle(row, Figure::Rate, 0)),
        column("core busy at the peak", |row, _| busy(row)),
        column("rounds kept", |row, _| rounds(row)),
    ]
}

fn column<'a>(head: &str, cell: impl Fn(&Row, Option<&Row>) -> String + 'a) -> Column<'a> {
    (head.to_owned(), Box::new(cell))
}

fn middle(row: &Row, figure: Figure, digits: usize) -> String {
    number(row.kept.median(figure), digits)
}

fn range(row: &Row, figure: Figure, digits: usize) -> String {
    match row.kept.all(figure) {
        [] => "–".to_owned(),
        all => {
            let (low, high) = spread(all);
            format!("{} ({low:.digits$}–{high:.digits$})", middle(row, figure, digits))
        }
    }
}

fn ratio(row: &Row, base: Option<&Row>, figure: Figure) -> String {
    let Some(base) = base else { return "–".to_owned() };
    let middle = row.kept.median(figure) / base.kept.median(figure);
    let lowest = row.kept.lowest(figure) / base.kept.lowest(figure);
    if middle.is_finite() { format!("{middle:.2} ({lowest:.2})") } else { "–".to_owned() }
}

fn percent(row: &Row, figure: Figure) -> String {
    let part = row.kept.median(figure);
    if part.is_finite() { format!("{:.0} %", part * 100.0) } else { "–".to_owned() }
}

/// Marked if the contender was not the limit.
fn busy(row: &Row) -> String {
    let mark = if is_idle(row) { " (!)" } else { "" };
    format!("{}{mark}", percent(row, Figure::Busy))
}

/// Whether something else than the contender was the limit. As printed: no 95 % is marked as less than 95 %.
pub fn is_idle(row: &Row) -> bool {
    (row.kept.median(Figure::Busy) * 100.0).round() < LIMIT
}

fn rounds(row: &Row) -> String {
    let kept = row.kept.all(Figure::Cpu).len();
    format!("{kept}{}", if kept < FEW { " (too few)" } else { "" })
}

fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "–".to_owned() }
}

/// What the columns of this case do not say by themselves.
fn footnote(case: &Case, rows: &[&Row]) -> Option<String> {
    if case.doing == Doing::SignIns {
        return Some(
            "Its part: of the CPU time that the servers of a sign-in spend (the contender, its store in Redis, the \
             simulated carriers), that of the contender and its store. Browsers are not in it, nor is waiting. The carriers \
             sign with RSA and run on the load's core with the browsers: mostly they are the limit of sign-ins a second, \
             and `core busy` says how much of the proxies' core was used."
                .to_owned(),
        );
    }
    rows.iter().any(|row| is_idle(row)).then(|| {
        format!(
            "(!) The proxies' core was busy for less than {LIMIT:.0} % of the time: load, app or neighbours on the machine were \
             the limit, and requests/s is less than the contender can give. A proxy that waits in between wakes up for fewer \
             requests at a time and spends more CPU time on each: compare it with rows that were as busy."
        )
    })
}

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

fn open(open: Option<&Open>) -> Option<String> {
    let open = open?;
    let (late, late_99) = open.late;
    let mut text = format!("p50 and p99 at {}/s over {} connections", open.rate, open.connections);
    if let Some(found) = &open.found {
        let _ = write!(text, ": {found}");
    }
    let _ = write!(text, ". The load itself was late by {late:.0} µs (p99 {late_99:.0} µs)");
    if let Some(busy) = open.busy {
        let _ = write!(text, "; the core it shares with the app was {:.0} % busy", busy * 100.0);
    }
    text.push('.');
    Some(text)
}

fn probe((usual, low, high): (f64, f64, f64)) -> String {
    format!(
        "The proxies' core took {usual:.1} ms for the probe ({low:.1}–{high:.1}); figures taken while it was off by more \
         than {:.0} % are dropped.",
        DRIFT * 100.0
    )
}
