//! An OpenID provider that others wrote: the npm package `oidc-provider` (MIT), run by Node. It shares no line and no
//! author with this project, so it can disagree with our reading of the standards.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// What is installed: the lock pins every package by its digest and names no registry.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../independent-provider/package.json")),
    ("package-lock.json", include_str!("../../independent-provider/package-lock.json")),
    ("server.mjs", include_str!("../../independent-provider/server.mjs")),
];

/// Time for an installation; it takes a few seconds.
const INSTALLATION: Duration = Duration::from_secs(60);
/// Time for the provider to start, or to do what it is told.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running provider. Ends when dropped, and by itself when this process ends.
#[derive(Debug)]
pub struct ForeignProvider {
    pub issuer: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    clients: Vec<Value>,
}

impl ForeignProvider {
    /// Starts one that knows no client; `None`, loudly, where this machine cannot run it.
    pub fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        match INSTALLED.get_or_init(installed) {
            Ok(directory) => Some(Self::start_in(directory)),
            Err(why) => {
                super::skipped("sign-in at a provider that others wrote", why);
                None
            }
        }
    }

    fn start_in(directory: &Path) -> Self {
        let mut child = Command::new("node")
            .args(["--no-warnings", "server.mjs"])
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (say, answers) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        let orders = child.stdin.take();
        let mut provider = Self { issuer: String::new(), child, orders, answers, clients: Vec::new() };
        provider.issuer = provider.answer()["issuer"].as_str().unwrap().to_owned();
        provider
    }

    /// Registers a client whose ID tokens are signed with `algorithm`.
    pub fn register(&mut self, id: &str, secret: &str, redirect_uri: &str, algorithm: &str) {
        self.clients.push(json!({
            "client_id": id,
            "client_secret": secret,
            "redirect_uris": [redirect_uri],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "id_token_signed_response_alg": algorithm,
            "require_auth_time": true,
        }));
        let clients = self.clients.clone();
        self.tell(&json!({ "clients": clients }));
    }

    /// Has it throw its keys away and make new ones.
    pub fn rotate(&mut self) {
        self.tell(&json!({ "rotate": true }));
    }

    /// From now on its person says no.
    pub fn decline(&mut self) {
        self.tell(&json!({ "decline": true }));
    }

    fn tell(&mut self, order: &Value) {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.answer();
    }

    /// Its next line of JSON; the package's own remarks are passed over.
    fn answer(&self) -> Value {
        loop {
            let line = self.answers.recv_timeout(PATIENCE).expect("the provider answers");
            if let Ok(answer) = serde_json::from_str(&line) {
                return answer;
            }
        }
    }
}

impl Drop for ForeignProvider {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// Where the provider is installed: beside the build's own output, once for each content of [`FILES`].
fn installed() -> Result<PathBuf, String> {
    let mut digest = DefaultHasher::new();
    FILES.hash(&mut digest);
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = base.join(format!("independent-provider-{:016x}", digest.finish()));
    run(Command::new("node").arg("--version"), PATIENCE).map_err(|why| format!("no usable Node.js: {why}"))?;
    if place.is_dir() {
        return Ok(place);
    }
    let fresh = tempfile::tempdir_in(base).map_err(|error| error.to_string())?;
    for (name, text) in FILES {
        fs::write(fresh.path().join(name), text).map_err(|error| error.to_string())?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]);
    run(npm.current_dir(fresh.path()), INSTALLATION).map_err(|why| format!("its packages cannot be had: {why}"))?;
    // Whole or not at all; if another test run was faster, its copy is as good.
    match fs::rename(fresh.path(), &place) {
        Err(error) if !place.is_dir() => Err(error.to_string()),
        _ => Ok(place),
    }
}

/// Runs a program that must end well within `limit`.
fn run(command: &mut Command, limit: Duration) -> Result<(), String> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = quiet.spawn().map_err(|error| error.to_string())?;
    let mut output = child.stdout.take().unwrap();
    let (ended, end) = channel();
    // Its output is closed when it ends.
    std::thread::spawn(move || ended.send(output.read_to_end(&mut Vec::new()).is_ok()));
    if end.recv_timeout(limit).is_err() {
        let _ended_now = child.kill();
        let _ended_now = child.wait();
        return Err(format!("it did not end within {} s", limit.as_secs()));
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
