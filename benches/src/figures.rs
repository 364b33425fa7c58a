//! What is taken of a contender round by round, each figure with the speed of the core while it was taken; and tables and
//! numbers as people read them.

use std::collections::BTreeMap;

/// A figure that was taken while the core was faster or slower than usual by more than this is dropped.
pub(crate) const DRIFT: f64 = 0.15;

/// What a figure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// CPU µs of an answer or a sign-in, the helper's among them.
    Cpu,
    /// The helper's part of it.
    Helper,
    /// CPU µs that the carriers spent on a sign-in.
    Carriers,
    /// The contender's and its helper's part of the CPU time that the servers spent on a sign-in.
    Share,
    /// Answers or sign-ins a second.
    Rate,
    /// The part of the time that the contender and its helper kept their core busy.
    Busy,
    /// Median of one connection, in µs.
    OneP50,
    /// Its 99th percentile.
    OneP99,
    /// Median of the open loop, in µs.
    P50,
    /// Its 99th percentile.
    P99,
    /// By the gateway's own count: look-ups in the store for each answer.
    LookUps,
    /// By the gateway's own count: signatures verified for each answer.
    Signatures,
    /// How much more memory there was with all connections open, in KiB.
    HeldKib,
    /// CPU time of an answer, divided by that at the smallest size in the same round: a slow spell hits both.
    Growth,
}

/// All that was taken of a contender: each value with the time that the probe took.
#[derive(Default)]
pub(crate) struct Sheet(BTreeMap<Figure, Vec<(f64, f64)>>);

impl Sheet {
    /// Writes down `value`, taken while the probe took `probe`.
    pub(crate) fn add(&mut self, figure: Figure, value: f64, probe: f64) {
        self.0.entry(figure).or_default().push((value, probe));
    }

    /// What was taken while the core had its `usual` speed; growth is that from `smallest`.
    pub(crate) fn kept(&self, usual: f64, smallest: &Self) -> Kept {
        let near = |probe: f64| (probe / usual - 1.0).abs() <= DRIFT;
        let keep =
            |all: &Vec<(f64, f64)>| all.iter().filter(|(_, probe)| near(*probe)).map(|(value, _)| *value).collect();
        let mut kept: BTreeMap<Figure, Vec<f64>> = self.0.iter().map(|(figure, all)| (*figure, keep(all))).collect();
        let cpu = |sheet: &Self| sheet.0.get(&Figure::Cpu).cloned().unwrap_or_default();
        let pairs = cpu(self).into_iter().zip(cpu(smallest));
        let pairs = pairs.filter(|((_, probe), (_, least_probe))| near(*probe) && near(*least_probe));
        kept.insert(Figure::Growth, pairs.map(|((cpu, _), (least, _))| cpu / least).collect());
        Kept(kept)
    }
}

/// What is left of a [`Sheet`].
#[derive(Default)]
pub(crate) struct Kept(BTreeMap<Figure, Vec<f64>>);

impl Kept {
    /// Round by round.
    pub(crate) fn all(&self, figure: Figure) -> &[f64] {
        self.0.get(&figure).map(Vec::as_slice).unwrap_or_default()
    }

    /// The middle one; not a number if there is none.
    pub(crate) fn median(&self, figure: Figure) -> f64 {
        median(self.all(figure))
    }

    /// The lowest one; not a number if there is none.
    pub(crate) fn lowest(&self, figure: Figure) -> f64 {
        spread(self.all(figure)).0
    }
}

/// The middle value; not a number if there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 0.5)
}

/// The lowest and the highest value; not numbers if there is none.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::NAN, f64::NAN), |(low, high), value| (value.min(low), value.max(high)))
}

/// The value below which `part` of the `sorted` ones are; not a number if there is none.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// A table in Markdown.
pub(crate) fn table<H: AsRef<str>>(heads: &[H], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| head.as_ref().to_owned()).collect();
    let rows: String = rows.into_iter().map(|row| line(&row)).collect();
    format!("{}|{}\n{rows}", line(&heads), "---|".repeat(heads.len()))
}

/// A figure, or a dash if there is none.
pub(crate) fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "–".to_owned() }
}

/// The middle one, the lowest and the highest.
pub(crate) fn range(values: &[f64], digits: usize) -> String {
    let (low, high) = spread(values);
    if values.is_empty() {
        return "–".to_owned();
    }
    format!("{} ({low:.digits$}–{high:.digits$})", number(median(values), digits))
}

/// A whole number in groups of three digits.
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
