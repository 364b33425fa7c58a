//! The built program itself: what it says, how it ends.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before the test says so.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

type Lines = Arc<(Mutex<Vec<String>>, Condvar)>;

/// A running `zengate`. Killed when dropped.
pub struct Process {
    child: Child,
    started: Instant,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts it with `args` and, beside an empty environment, `env`.
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zengate"));
        command.args(args).env_clear().envs(env.iter().copied());
        Self::spawn(command)
    }

    /// `zengate serve` with `config`, once it is up, after `shell` was done by the same process.
    pub fn serve_after(shell: &str, config: &Path) -> (Self, String, String) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{shell}\nexec \"$0\" serve --config \"$1\"")]);
        command.args([env!("CARGO_BIN_EXE_zengate"), config.to_str().unwrap()]).env_clear();
        Self::spawn(command).addresses().expect("its ports are free")
    }

    /// `zengate serve` with `config`, once it is up, with `socket` handed over as systemd does, by the name `web`.
    pub fn serve_on(socket: std::net::TcpListener, config: &Path) -> (Self, String, String) {
        let mut command = Command::new("/bin/sh");
        let handed = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web";
        command.args(["-c", &format!("{handed}\nexec \"$0\" serve --config \"$1\"")]);
        command.args([env!("CARGO_BIN_EXE_zengate"), config.to_str().unwrap()]).env_clear();
        let stdin = Stdio::from(std::os::fd::OwnedFd::from(socket));
        Self::spawn_with(command, stdin).addresses().expect("its ports are free")
    }

    fn spawn(command: Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    fn spawn_with(mut command: Command, stdin: Stdio) -> Self {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, first) = collect(child.stdout.take().unwrap());
        let (stderr, second) = collect(child.stderr.take().unwrap());
        Self { child, started: Instant::now(), stdout, stderr, readers: vec![first, second] }
    }

    /// Runs it to its end.
    pub fn run(args: &[&str]) -> Ended {
        Self::start(args, &[]).end()
    }

    /// `zengate serve` with `config`, once it is up: the process, its public and its private address.
    pub fn serve(config: &Path) -> (Self, String, String) {
        Self::try_serve(config).expect("its ports are free")
    }

    /// The same; `None` if somebody else was quicker to take a port that the configuration names.
    pub fn try_serve(config: &Path) -> Option<(Self, String, String)> {
        Self::start(&["serve", "--config", config.to_str().unwrap()], &[]).addresses()
    }

    fn addresses(self) -> Option<(Self, String, String)> {
        let process = self;
        let line = process.any_line(&["The gateway is up", "Address already in use"]);
        let event: serde_json::Value = serde_json::from_str(&line).ok()?;
        let address = |key: &str| event[key].as_str().unwrap().to_owned();
        let (listen, private) = (address("listen"), address("private"));
        Some((process, listen, private))
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first line on standard error that contains `what`.
    pub fn line(&self, what: &str) -> String {
        self.any_line(&[what])
    }

    fn any_line(&self, what: &[&str]) -> String {
        let (lines, more) = &*self.stderr;
        let wanted = |line: &&String| what.iter().any(|what| line.contains(what));
        let found = |lines: &Vec<String>| lines.iter().find(wanted).cloned();
        let (lines, _) =
            more.wait_timeout_while(lines.lock().unwrap(), PATIENCE, |lines| found(lines).is_none()).unwrap();
        found(&lines).unwrap_or_else(|| panic!("no line with {what:?} in time:\n{}", lines.join("\n")))
    }

    /// Everything on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.0.lock().unwrap().join("\n")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(self.started.elapsed() < Duration::from_secs(60), "it does not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.started.elapsed();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let text = |lines: &Lines| lines.0.lock().unwrap().join("\n");
        Ended { code: status.code(), stdout: text(&self.stdout), stderr: text(&self.stderr), took }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static) -> (Lines, std::thread::JoinHandle<()>) {
    let lines = Lines::default();
    let reader = std::thread::spawn({
        let lines = Arc::clone(&lines);
        move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                lines.0.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
                lines.1.notify_all();
            }
        }
    });
    (lines, reader)
}

/// A directory with a configuration in it.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Where `name` is in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}
