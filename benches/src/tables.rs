//! The columns of a measured case.

use crate::contender::BASE;
use crate::figures::{DRIFT, Figure};
use crate::figures::{number, range, table};
use crate::measure::{Row, Table};

/// Fewer rounds than this say nothing about spread.
pub(crate) const FEW: usize = 3;
/// Below this part of the time, in percent, something else than the contender was the limit.
const LIMIT: f64 = 95.0;

/// A column: its head, and what it says of a row that is compared with a base.
pub(crate) type Column<'a> = (String, Box<dyn Fn(&Row, Option<&Row>) -> String + 'a>);

/// Makes one.
pub(crate) fn column<'a>(head: &str, cell: impl Fn(&Row, Option<&Row>) -> String + 'a) -> Column<'a> {
    (head.to_owned(), Box::new(cell))
}

/// One with the middle figure.
pub(crate) fn middle<'a>(head: &str, figure: Figure, digits: usize) -> Column<'a> {
    column(head, move |row, _| number(row.kept.median(figure), digits))
}

/// One with the middle, lowest and highest figure.
pub(crate) fn spread<'a>(head: &str, figure: Figure, digits: usize) -> Column<'a> {
    column(&format!("{head} (lowest–highest)"), move |row, _| range(row.kept.all(figure), digits))
}

/// One with the figure divided by the base's.
pub(crate) fn ratio<'a>(figure: Figure) -> Column<'a> {
    column(&format!("÷ {BASE} (by the lowest)"), move |row, base| {
        let Some(base) = base else { return "–".to_owned() };
        let middle = row.kept.median(figure) / base.kept.median(figure);
        let lowest = row.kept.lowest(figure) / base.kept.lowest(figure);
        if middle.is_finite() { format!("{middle:.2} ({lowest:.2})") } else { "–".to_owned() }
    })
}

/// One with a part of the whole.
pub(crate) fn percent<'a>(head: &str, figure: Figure) -> Column<'a> {
    column(head, move |row, _| percentage(row, figure))
}

/// How busy the core was, marked if the contender was not the limit.
pub(crate) fn busy<'a>(head: &str) -> Column<'a> {
    column(head, |row, _| format!("{}{}", percentage(row, Figure::Busy), if is_idle(row) { " (!)" } else { "" }))
}

/// How many rounds were kept.
pub(crate) fn rounds<'a>() -> Column<'a> {
    column("rounds kept", |row, _| {
        let kept = row.kept.all(Figure::Cpu).len();
        format!("{kept}{}", if kept < FEW { " (too few)" } else { "" })
    })
}

fn percentage(row: &Row, figure: Figure) -> String {
    let part = row.kept.median(figure);
    if part.is_finite() { format!("{:.0} %", part * 100.0) } else { "–".to_owned() }
}

/// Whether something else than the contender was the limit. As printed: no 95 % is marked as less than 95 %.
pub(crate) fn is_idle(row: &Row) -> bool {
    (row.kept.median(Figure::Busy) * 100.0).round() < LIMIT
}

/// What it means that a contender was not the limit, if one was not.
pub(crate) fn idle_note(rows: &[&Row]) -> Option<String> {
    rows.iter().any(|row| is_idle(row)).then(|| {
        format!(
            "(!) The proxies' core was busy for less than {LIMIT:.0} % of the time: load, app or neighbours on the machine were \
             the limit, and requests/s is less than the contender can give. A proxy that waits in between wakes up for fewer \
             requests at a time and spends more CPU time on each: compare it with rows that were as busy."
        )
    })
}

/// The rows in columns. `base_of` says whose figures a row's are divided by.
pub(crate) fn text<'a>(
    heads: &str,
    columns: &[Column<'_>],
    rows: &[&'a Row],
    base_of: impl Fn(&Row) -> Option<&'a Row>,
    name: impl Fn(&Row) -> String,
) -> String {
    let heads: Vec<&str> = [heads].into_iter().chain(columns.iter().map(|(head, _)| head.as_str())).collect();
    let cells = |row: &Row| {
        let cells = columns.iter().map(|(_, cell)| cell(row, base_of(row)));
        [name(row)].into_iter().chain(cells).collect()
    };
    table(&heads, rows.iter().map(|row| cells(row)))
}

/// Who is missing and why.
pub(crate) fn missing(table: &Table) -> String {
    let line = |(name, why): &(String, String)| {
        format!("\n**Not measured: {name}**: {}.\n", why.trim_end_matches('.').replace('\n', " "))
    };
    table.missing.iter().map(line).collect()
}

/// How steady the core was.
pub(crate) fn probe(table: &Table) -> String {
    let (usual, low, high) = table.probe;
    format!(
        "The proxies' core took {usual:.1} ms for the probe ({low:.1}–{high:.1}); figures taken while it was off by more \
         than {:.0} % are dropped.",
        DRIFT * 100.0
    )
}
