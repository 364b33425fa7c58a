//! Durations and sizes as people write them: `30m`, `1h30m`, `3 weeks`, `64KiB`.
//!
//! Read here and not by a crate: `humantime` takes `30M` for thirty months and `1h1h` for two hours, `bytesize` takes `64k`
//! for 64,000 bytes and fractions of a byte. Such slips are refused, in words that say what to write.

use std::time::Duration;

use super::form::Form;

/// A duration and the words it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HumanDuration {
    /// How long.
    pub value: Duration,
    /// As written, for faults that quote it.
    pub text: String,
}

/// A number of bytes and the words it was written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HumanSize {
    /// How many bytes.
    pub bytes: u64,
    /// As written.
    pub text: String,
}

/// How long a body may be: a size, or `unlimited`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyLimit(
    /// The size; the largest number for no limit.
    pub HumanSize,
);

const DURATION_UNITS: [(u64, &[&str]); 6] = [
    (7 * 86_400_000, &["w", "week", "weeks"]),
    (86_400_000, &["d", "day", "days"]),
    (3_600_000, &["h", "hour", "hours"]),
    (60_000, &["m", "min", "minute", "minutes"]),
    (1_000, &["s", "sec", "second", "seconds"]),
    (1, &["ms", "millisecond", "milliseconds"]),
];

const SIZE_UNITS: [(u64, &[&str]); 7] = [
    (1, &["b", "byte", "bytes"]),
    (1_000, &["kb"]),
    (1_000_000, &["mb"]),
    (1_000_000_000, &["gb"]),
    (1 << 10, &["kib", "ki"]),
    (1 << 20, &["mib", "mi"]),
    (1 << 30, &["gib", "gi"]),
];

/// Ten years: beyond that somebody has slipped, and sums of durations and clocks stay far from their ends.
const LONGEST: u64 = 3_650 * 86_400_000;
/// One tebibyte.
const LARGEST: u64 = 1 << 40;

impl Form for HumanDuration {
    const NAME: &'static str = "duration";
    const WHAT: &'static str = "a duration such as `30s`, `15m` or `1h30m`";

    fn parse(text: &str) -> Result<Self, String> {
        let mut total: u64 = 0;
        let mut last = u64::MAX;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(format!("is empty; write {}", Self::WHAT));
        }
        while !rest.is_empty() {
            let (number, unit, after) = split(rest).ok_or_else(|| format!("is not {}", Self::WHAT))?;
            if unit.is_empty() {
                return Err(format!("has no unit; write {}", Self::WHAT));
            }
            let scale = factor(&DURATION_UNITS, unit)
                .ok_or_else(|| "has an unknown unit; use ms, s, m, h, d or w".to_owned())?;
            if scale >= last {
                return Err(
                    "names its units out of order; write the largest first, each once, as in `1h30m`".to_owned()
                );
            }
            last = scale;
            total = number
                .checked_mul(scale)
                .and_then(|part| total.checked_add(part))
                .filter(|total| *total <= LONGEST)
                .ok_or_else(|| "is longer than ten years".to_owned())?;
            rest = after;
        }
        Ok(Self { value: Duration::from_millis(total), text: text.to_owned() })
    }

    fn quantity(&self) -> Option<u64> {
        u64::try_from(self.value.as_millis()).ok()
    }
}

impl Form for HumanSize {
    const NAME: &'static str = "size";
    const OR_NUMBER: bool = true;
    const WHAT: &'static str = "a size such as `64KiB` or `10MB`";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit, after) = split(text.trim()).ok_or_else(|| format!("is not {}", Self::WHAT))?;
        if !after.is_empty() {
            return Err(format!("is not {}", Self::WHAT));
        }
        if ["k", "m", "g"].iter().any(|short| unit.eq_ignore_ascii_case(short)) {
            return Err("may mean 1000 or 1024; write `KB`, `MB`, `GB` or `KiB`, `MiB`, `GiB`".to_owned());
        }
        let scale = if unit.is_empty() { Some(1) } else { factor(&SIZE_UNITS, unit) };
        let scale = scale.ok_or_else(|| "has an unknown unit; use B, KB, MB, GB, KiB, MiB or GiB".to_owned())?;
        let bytes = number.checked_mul(scale).filter(|bytes| *bytes <= LARGEST);
        let bytes = bytes.ok_or_else(|| "is larger than 1024GiB".to_owned())?;
        Ok(Self { bytes, text: text.to_owned() })
    }

    fn quantity(&self) -> Option<u64> {
        Some(self.bytes)
    }
}

impl Form for BodyLimit {
    const NAME: &'static str = "body-limit";
    const OR_NUMBER: bool = true;
    const WHAT: &'static str = "a size such as `64MiB`, or `unlimited`";

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "unlimited" {
            return Ok(Self(HumanSize { bytes: u64::MAX, text: text.to_owned() }));
        }
        HumanSize::parse(text).map(Self)
    }

    fn quantity(&self) -> Option<u64> {
        (self.0.bytes < u64::MAX).then_some(self.0.bytes)
    }
}

/// `1h30m` → (1, `h`, `30m`). A number that does not fit counts as the largest there is.
fn split(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return None;
    }
    let number = number.parse().unwrap_or(u64::MAX);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    Some((number, unit, after.trim_start()))
}

fn factor(units: &[(u64, &[&str])], unit: &str) -> Option<u64> {
    units.iter().find(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(unit))).map(|(scale, _)| *scale)
}

/// A duration in its shortest form, for what we print.
pub(crate) fn write_duration(value: Duration) -> String {
    let mut rest = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (scale, names) in &DURATION_UNITS {
        if rest >= *scale {
            out.push_str(&format!("{}{}", rest / scale, names.first().copied().unwrap_or_default()));
            rest %= scale;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Result<u64, String> {
        HumanDuration::parse(text).map(|d| d.value.as_secs())
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("1 h 30 min"), Ok(5400));
        assert_eq!(seconds("3 weeks"), Ok(3 * 7 * 86400));
        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(HumanDuration::parse("1s500ms").unwrap().value, Duration::from_millis(1500));
        for text in [
            "",
            " ",
            "30",
            "s",
            "-5s",
            "1.5h",
            "1h1h",
            "30m1h",
            "5 parsecs",
            "1h30",
            "99999999999999999999999w",
            "20000d",
            "10s!",
        ] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
        assert_eq!(write_duration(Duration::from_millis(5_400_250)), "1h30m250ms");
        assert_eq!(write_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let bytes = |text: &str| HumanSize::parse(text).map(|s| s.bytes);
        assert_eq!(bytes("64KiB"), Ok(65536));
        assert_eq!(bytes("10 MB"), Ok(10_000_000));
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("1gi"), Ok(1 << 30));
        for text in ["", "KiB", "64k", "64M", "1.5MiB", "-1B", "1KiB2B", "64 bits", "9999999999999GiB"] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_a_body_may_be_without_a_limit() {
        assert_eq!(BodyLimit::parse("unlimited").unwrap().quantity(), None);
        assert_eq!(BodyLimit::parse("10MB").unwrap().0.bytes, 10_000_000);
        for wrong in ["Unlimited", "none", "-1", ""] {
            assert!(BodyLimit::parse(wrong).is_err(), "{wrong}");
        }
        assert!(HumanSize::parse("unlimited").is_err());
    }
}
