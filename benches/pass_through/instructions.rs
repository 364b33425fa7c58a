//! Instructions in user space of one request, counted by callgrind: whoever else is busy on the machine does not move
//! them, so a run can be compared with a recorded one, and `.ci/run` does.
//!
//! They are no measure of time. The kernel's half of a request is not in them, a cache miss counts as little as a hit,
//! and valgrind's processor lacks what real ones have for SHA-256.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zengate_bench::role::{self, Role};

use crate::{asked, carriers, gateway, load, sign_in};

/// Requests before the count begins: caches and buffers have their size by then.
const WARM_UP: usize = 640;
/// Requests that are counted.
const COUNTED: usize = 1920;
/// By how much the ratio may exceed the recorded one. Two runs of the same program differ by less than half of it.
const TOLERANCE: f64 = 0.02;

/// Counts, then compares with the recorded figures, or records (`--record`).
pub(crate) fn run(anew: bool) -> Result<(), String> {
    for tool in ["valgrind", "callgrind_control"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Err(format!("{tool} is not installed"));
        }
    }
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("pass_through/instructions.txt");
    let upstream = role::start(&[], &["upstream"]);
    let bare = count(|wrapper| {
        let bare = role::start(wrapper, &["bare", &upstream.address]);
        Ok((bare, "__Host-gw=none".to_owned()))
    })?;
    let mut carriers = carriers();
    let gateway = count(|wrapper| {
        let gateway = gateway(wrapper, &upstream, &carriers);
        let cookie = sign_in(&gateway.address, &mut carriers)?;
        Ok((gateway, cookie))
    })?;
    let ratio = gateway / bare;
    println!("| contender | instructions a request | ÷ bare pingora |\n|---|---|---|");
    println!("| bare pingora | {bare:.0} | 1.00 |\n| zengate, signed in | {gateway:.0} | {ratio:.3} |\n");
    if anew {
        let mut text = "# User-space instructions of one request. Made by: make instructions-record\n".to_owned();
        let _ = write!(text, "bare {bare:.0}\ngateway {gateway:.0}\n");
        return std::fs::write(&record, text).map_err(|error| error.to_string());
    }
    let recorded = std::fs::read_to_string(&record).expect("there is a record");
    let of = |name: &str| {
        let line = recorded.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse::<f64>().ok()).expect("the record holds both figures")
    };
    let before = of("gateway ") / of("bare ");
    println!("Recorded: {before:.3}.");
    if ratio > before * (1.0 + TOLERANCE) {
        return Err(format!(
            "A signed-in request takes more instructions than recorded ({ratio:.3} against {before:.3} times the bare \
             proxy's).\nIf it must, say why in the commit that runs `make instructions-record`."
        ));
    }
    if ratio < before * (1.0 - TOLERANCE) {
        println!("It takes fewer now: run `make instructions-record`, so that they stay.");
    }
    Ok(())
}

/// Instructions of one request through what `start` starts through a wrapper, with the cookie that it says.
fn count(start: impl FnOnce(&[String]) -> Result<(Role, String), String>) -> Result<f64, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("counts");
    let wrapper = ["valgrind", "--tool=callgrind", &format!("--callgrind-out-file={}", out.display())];
    let (role, cookie) = start(&wrapper.map(str::to_owned))?;
    let pid = role.process.id().to_string();
    let request = asked(&role.address, &cookie);
    load(&request, WARM_UP)?;
    control("--zero", &pid);
    let answers = load(&request, COUNTED)?;
    control("--dump", &pid);
    Ok(total(&PathBuf::from(format!("{}.1", out.display()))) as f64 / answers as f64)
}

fn control(order: &str, pid: &str) {
    let done =
        Command::new("callgrind_control").args([order, pid]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "callgrind_control {order} failed");
}

/// The sum in a dump, once it is written whole.
fn total(dump: &Path) -> u64 {
    for _ in 0..200 {
        let text = std::fs::read(dump).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let sum = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        if let Some(sum) = sum.and_then(|sum| sum.trim().parse().ok()) {
            return sum;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("callgrind wrote no sum to {}", dump.display());
}
