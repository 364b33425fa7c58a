//! How many files a process may have open: each connection is one.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Says that the limit was raised already.
const RAISED: &str = "ZENGATE_SCALE_FILES_RAISED";

/// How many this process, and whatever it starts, may have.
pub(crate) fn granted() -> usize {
    limits().map_or(1024, |(soft, _)| soft)
}

/// Begins this program anew with as many as it may ask for, if it has fewer. The shell can do that, this language's
/// library cannot.
pub(crate) fn raise() {
    let Some((soft, hard)) = limits() else { return };
    if soft >= hard || std::env::var_os(RAISED).is_some() {
        return;
    }
    let Ok(own) = std::env::current_exe() else { return };
    let mut again = Command::new("sh");
    again.args(["-c", &format!("ulimit -n {hard}; exec \"$0\" \"$@\"")]);
    again.arg(own).args(std::env::args_os().skip(1)).env(RAISED, "1");
    eprintln!("!! not more than {soft} open files: {}", again.exec());
}

fn limits() -> Option<(usize, usize)> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
