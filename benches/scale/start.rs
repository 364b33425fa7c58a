//! Part: from the start of the program to its first answer; what it weighs when nobody comes.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::client::connect;
use crate::common::process::Process;
use crate::common::seed;
use crate::load::receive_any;
use crate::options::Options;
use crate::stage::gate::{self, Plan, embedded, in_memory};
use crate::stage::scene::{Scene, find, free_port};

pub const NAME: &str = "start";

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nobody comes before memory is read.
const IDLE: Duration = Duration::from_millis(500);

/// Starts of one kind.
#[derive(Default)]
pub struct Starts {
    pub store: &'static str,
    /// What is asked for first.
    pub asked: &'static str,
    pub millis: Vec<f64>,
    pub rss_mib: Vec<f64>,
    /// Of it what is not its own: pages of files, the program's above all. The kernel may drop them.
    pub file_mib: Vec<f64>,
    pub pss_mib: Vec<f64>,
}

/// The program's file, in bytes: as built, and without what only debuggers read.
pub struct Weight {
    pub built: u64,
    pub stripped: Option<u64>,
}

/// Starts the gateway again and again.
pub fn measure(scene: &Scene, options: &Options) -> Result<Vec<Starts>, String> {
    let embedded = Starts { store: "embedded", asked: "a signed-in page: 200", ..Starts::default() };
    let memory = Starts { store: "memory", asked: "a page, nobody is signed in: 401", ..Starts::default() };
    let mut all = vec![embedded, memory];
    for _ in 0..options.starts {
        for starts in &mut all {
            once(scene, starts)?;
        }
    }
    Ok(all)
}

fn once(scene: &Scene, starts: &mut Starts) -> Result<(), String> {
    let place = scene.place("start")?;
    let (port, admin) = (free_port()?, free_port()?);
    let mut cookie = String::new();
    let sessions = if starts.store == "embedded" {
        let file = place.dir.join("sessions.redb");
        let seeds = seed::sessions(1, scene.issuers.get(1).ok_or("no issuer")?)?;
        seed::into_embedded(&file, &seeds)?;
        cookie.clone_from(&seeds[0].cookie);
        embedded(&file)
    } else {
        in_memory()
    };
    // As it is installed: threads as many as cores.
    let plan = Plan { sessions, threads: None, ..Plan::on_redis(scene)? };
    let file = plan.write(scene, &place, port, admin)?;
    let request = format!(
        "GET /app/tiny HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: */*\r\nCookie: __Host-gw={cookie}\r\n\r\n"
    );
    let mut command = wrapped(scene, &["serve", "--config", &file]);
    let begin = Instant::now();
    let mut process = Process::new(command.spawn().map_err(|error| error.to_string())?);
    let mut line = loop {
        match connect(&format!("127.0.0.1:{port}")) {
            Ok(line) => break line,
            Err(error) if begin.elapsed() > PATIENCE || !process.lives() => return Err(format!("no start: {error}")),
            Err(_) => std::thread::sleep(Duration::from_micros(100)),
        }
    };
    std::io::Write::write_all(&mut line, request.as_bytes()).map_err(|error| error.to_string())?;
    let status = receive_any(&mut line, &mut [0; 16 << 10])?;
    starts.millis.push(begin.elapsed().as_secs_f64() * 1000.0);
    let expected = if cookie.is_empty() { 401 } else { 200 };
    if status != expected {
        return Err(format!("the first answer was {status}, not {expected}"));
    }
    drop(line);
    std::thread::sleep(IDLE);
    #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
    let mib = |kib: u64| kib as f64 / 1024.0;
    starts.pss_mib.push(mib(process.pss_kib()));
    starts.rss_mib.push(mib(process.rss_kib()));
    starts.file_mib.push(mib(process.rss_kib().saturating_sub(process.anonymous_kib())));
    drop(process);
    fs::remove_dir_all(&place.dir).map_err(|error| error.to_string())
}

/// The program on all cores, ending with this one. What starts it costs a moment, which is counted too.
fn wrapped(scene: &Scene, arguments: &[&str]) -> Command {
    let mut words: Vec<OsString> = Vec::new();
    if find("setpriv", &[]).is_some() {
        words.extend(["setpriv", "--pdeathsig", "TERM"].map(OsString::from));
    }
    if let Some((proxies, others)) = &scene.cores {
        words.extend(["taskset".into(), "-c".into(), format!("{proxies},{others}").into()]);
    }
    words.push(gate::program().into());
    words.extend(arguments.iter().map(OsString::from));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How large the program is.
pub fn weigh(scene: &Scene) -> Result<Weight, String> {
    let built = fs::metadata(gate::program()).map_err(|error| error.to_string())?.len();
    let place = scene.place("stripped")?;
    let copy = place.dir.join("zengate");
    let stripped = Command::new("strip").arg("-o").arg(&copy).arg(gate::program()).status();
    let stripped = stripped.is_ok_and(|status| status.success()).then(|| fs::metadata(&copy).ok()).flatten();
    Ok(Weight { built, stripped: stripped.map(|file| file.len()) })
}
