//! What we aim at, and whether a run got there.

use crate::figures::table;

/// One aim: a figure that is to be low.
pub(crate) struct Aim {
    /// What is aimed at.
    pub(crate) words: &'static str,
    /// Target and stretch; what has none is reported only.
    pub(crate) at_most: Option<(f64, f64)>,
    /// Of the figure.
    pub(crate) unit: &'static str,
    /// Digits after the point.
    pub(crate) digits: usize,
    /// What was found, or why nothing was.
    pub(crate) found: Result<Found, String>,
}

/// What was found for an aim.
#[derive(Clone)]
pub(crate) struct Found {
    /// The figure: where there are several, their median.
    pub(crate) middle: f64,
    /// The same by the lowest figures, which neighbours on the machine disturb less.
    pub(crate) lowest: Option<f64>,
    /// What bare pingora reaches.
    pub(crate) floor: Option<f64>,
    /// Whether a row says itself that it is not worth much.
    pub(crate) doubtful: bool,
    /// What belongs to it.
    pub(crate) note: String,
}

impl Found {
    /// A figure and what belongs to it; `None` if it is no number.
    pub(crate) fn of(middle: f64, note: String) -> Option<Self> {
        middle.is_finite().then_some(Self { middle, lowest: None, floor: None, doubtful: false, note })
    }
}

impl Aim {
    /// An aim of which nothing is known yet.
    pub(crate) const fn new(
        words: &'static str,
        at_most: Option<(f64, f64)>,
        unit: &'static str,
        digits: usize,
        why: String,
    ) -> Self {
        Self { words, at_most, unit, digits, found: Err(why) }
    }

    fn number(&self, value: f64) -> String {
        format!("{value:.*}{}{}", self.digits, if self.unit.is_empty() { "" } else { " " }, self.unit)
    }

    fn verdict(&self, found: &Found) -> &'static str {
        let Some((target, stretch)) = self.at_most else { return "reported" };
        // As printed: nobody is to find a 1.10 that missed 1.10.
        let scale = 10_f64.powi(i32::try_from(self.digits).unwrap_or(0));
        let within = |value: f64, most: f64| (value * scale).round() <= most * scale + 1e-6;
        let lowest = found.lowest.unwrap_or(found.middle);
        match (within(found.middle, target), within(lowest, target)) {
            (true, true) if within(found.middle, stretch) && within(lowest, stretch) => "yes, the stretch too",
            (true, true) => "yes",
            (true, false) => "**no**, only by the median",
            (false, true) => "**no**, only by the lowest",
            (false, false) => "**no**",
        }
    }

    fn cells(&self) -> Vec<String> {
        let (target, stretch) = match self.at_most {
            Some((target, stretch)) => (format!("≤ {}", self.number(target)), format!("≤ {}", self.number(stretch))),
            None => ("reported".to_owned(), "–".to_owned()),
        };
        let value = |value: Option<f64>| value.map_or("–".to_owned(), |value| self.number(value));
        let (middle, lowest, floor, verdict) = match &self.found {
            Ok(found) => {
                let mark = if found.doubtful { " (!)" } else { "" };
                let middle = format!("{} {}", self.number(found.middle), found.note);
                (middle.trim().to_owned(), found.lowest, found.floor, format!("{}{mark}", self.verdict(found)))
            }
            Err(why) => ("–".to_owned(), None, None, format!("not measured: {why}")),
        };
        vec![self.words.to_owned(), target, stretch, middle, value(lowest), value(floor), verdict]
    }
}

/// The table of aims.
pub(crate) fn text(aims: &[Aim]) -> String {
    format!(
        "\n## Aims\n\nRatios are of two rows of one table below: of their medians, and of the lowest figure of each, which \
         neighbours on the machine disturb less; such an aim is met if both meet it. (!) stands beside a ratio of which a \
         row was measured while its core was not busy, or in fewer than three rounds: it is not worth much. *Bare pingora* \
         is the same ratio (median) of the framework alone, which looks at nothing: no gateway built on it gets \
         below.\n\n{}",
        table(
            &["aim", "target", "stretch", "measured (median)", "by the lowest", "bare pingora", "met?"],
            aims.iter().map(Aim::cells)
        )
    )
}
