//! Tables and numbers as people read them.

use crate::figures::{median, spread};

/// A table in Markdown.
pub fn table<H: AsRef<str>>(heads: &[H], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| head.as_ref().to_owned()).collect();
    let rows: String = rows.into_iter().map(|row| line(&row)).collect();
    format!("{}|{}\n{rows}", line(&heads), "---|".repeat(heads.len()))
}

/// A figure, or a dash if there is none.
pub fn number(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "–".to_owned() }
}

/// The middle one, the lowest and the highest.
pub fn range(values: &[f64], digits: usize) -> String {
    let (low, high) = spread(values);
    if values.is_empty() {
        return "–".to_owned();
    }
    format!("{} ({low:.digits$}–{high:.digits$})", number(median(values), digits))
}

/// A whole number in groups of three digits.
pub fn thousands(count: usize) -> String {
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
