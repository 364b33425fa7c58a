//! Part: from the start of the program to its first answer; what it weighs when nobody comes.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::median;
use crate::figures::{number, range, table};
use crate::gate::{self, Gate, Store};
use crate::load;
use crate::place::find;
use crate::process::Process;
use crate::requests::{Credential, request};
use crate::scene::Scene;

use super::{IDLE, Run, START};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nobody comes before memory is read.
const QUIET: Duration = Duration::from_millis(500);

/// Starts of one kind: what is asked for first, and the status it is answered with.
struct Starts {
    store: Store,
    asked: &'static str,
    status: u16,
    millis: Vec<f64>,
    rss_mib: Vec<f64>,
    /// Of it what is not its own: pages of files, the program's above all. The kernel may drop them.
    file_mib: Vec<f64>,
    pss_mib: Vec<f64>,
}

/// Starts the gateway again and again.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), String> {
    let kind = |store, asked, status| {
        let [millis, rss_mib, file_mib, pss_mib] = [const { Vec::new() }; 4];
        Starts { store, asked, status, millis, rss_mib, file_mib, pss_mib }
    };
    let mut all = [
        kind(Store::Embedded, "a signed-in page: 200", 200),
        kind(Store::Memory, "a page, nobody is signed in: 401", 401),
    ];
    for _ in 0..run.options.starts {
        for starts in &mut all {
            once(run.scene, starts)?;
        }
    }
    let name = |starts: &Starts| format!("{:?}", starts.store).to_lowercase();
    let rows = all.iter().map(|starts| {
        let memory = [&starts.rss_mib, &starts.file_mib, &starts.pss_mib].map(|mib| number(median(mib), 1));
        let first = [name(starts), starts.asked.to_owned(), range(&starts.millis, 1)];
        first.into_iter().chain(memory).chain([starts.millis.len().to_string()]).collect()
    });
    let heads =
        ["store", "first answer", "ms (lowest–highest)", "RSS MiB", "of it the program's file", "PSS MiB", "starts"];
    let (built, stripped) = gate::weigh(&run.scene.place("stripped")?.dir)?;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    run.report.sections += &format!(
        "\n## start\n\nFrom the start of `zengate serve` to the last byte of its first answer, all cores, file and programs in \
         the page cache; what starts it (`setpriv`, `taskset`) is counted too. Memory half a second later.\n\n{}\n\
         The program is {} as built, {} stripped.\n",
        table(&heads, rows),
        mib(built),
        stripped.map_or("unknown, `strip` is not installed".to_owned(), mib)
    );
    for (aim, of) in [(IDLE, (|starts| &starts.rss_mib) as fn(&Starts) -> &Vec<f64>), (START, |starts| &starts.millis)]
    {
        let worst = all.iter().max_by(|one, other| median(of(one)).total_cmp(&median(of(other))));
        if let Some(worst) = worst {
            run.found(aim, median(of(worst)), format!("({} store)", name(worst)));
        }
    }
    Ok(())
}

fn once(scene: &Scene, starts: &mut Starts) -> Result<(), String> {
    // As it is installed: threads as many as cores.
    let gate = Gate { store: starts.store, threads: None, ..Gate::default() };
    let prepared = gate.prepare(scene)?;
    let cookie = prepared.crowd.as_ref().map_or(Credential::None, |crowd| Credential::session(crowd.cookie(0)));
    let authority = format!("localhost:{}", prepared.port);
    let asked = request("/app/tiny", &authority, &cookie);
    let mut command = wrapped(scene, &["serve", "--config", &prepared.file])?;
    let begin = Instant::now();
    let process = Process::new(command.spawn().map_err(|error| error.to_string())?);
    let status = load::first_answer(&authority, &asked, || begin.elapsed() < PATIENCE)?;
    starts.millis.push(begin.elapsed().as_secs_f64() * 1000.0);
    if status != starts.status {
        return Err(format!("the first answer was {status}, not {}", starts.status));
    }
    std::thread::sleep(QUIET);
    let mib = |kib: u64| kib as f64 / 1024.0;
    starts.pss_mib.push(mib(process.pss_kib()));
    starts.rss_mib.push(mib(process.rss_kib()));
    starts.file_mib.push(mib(process.rss_kib().saturating_sub(process.anonymous_kib())));
    drop(process);
    fs::remove_dir_all(&prepared.place.dir).map_err(|error| error.to_string())
}

/// The program on all cores, ending with this one. What starts it costs a moment, which is counted too.
fn wrapped(scene: &Scene, arguments: &[&str]) -> Result<Command, String> {
    let mut words: Vec<OsString> = Vec::new();
    if find("setpriv", None).is_some() {
        words.extend(["setpriv", "--pdeathsig", "TERM"].map(OsString::from));
    }
    if let Some((proxies, others)) = &scene.cores {
        words.extend(["taskset".into(), "-c".into(), format!("{proxies},{others}").into()]);
    }
    words.push(gate::program()?.into());
    words.extend(arguments.iter().map(OsString::from));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}
