//! What we aim at, and what was found.

use std::fmt::Write as _;

/// One row.
pub struct Aim {
    pub name: &'static str,
    pub target: f64,
    pub stretch: f64,
    pub unit: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// What was found, if its part was run; and what belongs to it.
    pub measured: Option<(f64, String)>,
}

/// All of them, nothing measured yet.
pub fn all() -> Vec<Aim> {
    let aim = |name, target, stretch, unit, digits| Aim { name, target, stretch, unit, digits, measured: None };
    vec![
        aim(SESSIONS, 1.25, 1.1, "×", 2),
        aim(HOSTS, 1.05, 1.0, "×", 2),
        aim(MEMORY, 0.6, 0.4, "KiB", 2),
        aim(IDLE, 25.0, 15.0, "MiB", 1),
        aim(START, 150.0, 50.0, "ms", 0),
        aim(FAILED, 0.0, 0.0, "", 0),
        aim(WAITED, 0.0, 0.0, "", 0),
    ]
}

pub const SESSIONS: &str = "growth of CPU a request, fewest to most sessions held";
pub const HOSTS: &str = "growth of CPU a request, fewest to most hosts";
pub const MEMORY: &str = "memory of a cached session";
pub const IDLE: &str = "idle RSS";
pub const START: &str = "start to first answer";
pub const FAILED: &str = "requests that failed while keys rotated, announced or not";
pub const WAITED: &str =
    "requests that waited for keys: all of an announced rotation, those under known keys of one at once";

impl Aim {
    fn met(&self) -> &'static str {
        // Judged as it is printed: nobody sees the digits behind.
        let scale = 10_f64.powi(i32::try_from(self.digits).unwrap_or(0));
        let rounded = self.measured.as_ref().map(|(value, _)| (value * scale).round() / scale);
        match rounded {
            None => "not measured",
            Some(value) if value <= self.stretch => "yes, stretch too",
            Some(value) if value <= self.target => "yes",
            Some(_) => "**no**",
        }
    }
}

/// The table.
pub fn table(aims: &[Aim]) -> String {
    let mut text = String::from("| aim | target | stretch | measured | met? |\n|---|---|---|---|---|\n");
    for aim in aims {
        let unit = if aim.unit.is_empty() { String::new() } else { format!(" {}", aim.unit) };
        let measured = match &aim.measured {
            Some((value, more)) => format!("{value:.*}{unit} {more}", aim.digits),
            None => "–".to_owned(),
        };
        let (target, stretch) = (aim.target, aim.stretch);
        let _ = writeln!(text, "| {} | ≤ {target}{unit} | ≤ {stretch}{unit} | {measured} | {} |", aim.name, aim.met());
    }
    text
}

/// Writes down what was found for an aim.
pub fn found(aims: &mut [Aim], name: &str, value: f64, more: String) {
    if let Some(aim) = aims.iter_mut().find(|aim| aim.name == name).filter(|_| value.is_finite()) {
        aim.measured = Some((value, more));
    }
}
