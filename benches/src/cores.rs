//! Which cores there are, who gets which, and how busy they were.

use std::fs;

/// One core for the proxies, the others for load and app; nothing if there is only one.
pub fn split() -> Option<(String, String)> {
    super::place::find("taskset", None)?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().to_owned();
    let cores: Vec<u32> = list
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
        })
        .flatten()
        .collect();
    let (first, rest) = cores.split_first()?;
    let rest: Vec<String> = rest.iter().map(u32::to_string).collect();
    (!rest.is_empty()).then(|| (first.to_string(), rest.join(",")))
}

/// Time of some cores, in the kernel's ticks.
pub struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    /// Of the cores of a list like `1,2`, so far.
    pub fn of(list: &str) -> Self {
        let cores: Vec<String> = list.split(',').map(|core| format!("cpu{core}")).collect();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let lines = stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(core, _)| cores.iter().any(|own| own == core));
        let mut sum = Self { idle: 0, all: 0 };
        for (_, counts) in lines {
            // user nice system idle iowait irq softirq steal; guests are in user already.
            let counts: Vec<u64> = counts.split(' ').filter_map(|count| count.parse().ok()).take(8).collect();
            sum.idle += counts.iter().skip(3).take(2).sum::<u64>();
            sum.all += counts.iter().sum::<u64>();
        }
        sum
    }

    /// The part of the time since `before` in which they had work.
    pub fn busy_since(&self, before: &Self) -> Option<f64> {
        let (idle, all) = (self.idle.saturating_sub(before.idle), self.all.saturating_sub(before.all));
        (all > 0).then(|| 1.0 - idle as f64 / all as f64)
    }
}
