//! What every contender finds: an app to stand in front of, an authorizer, carriers, a Redis; and cores to run on.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::cores::{self, Ticks};
use crate::common::client;
use crate::common::process::Process;
use crate::common::role::{self, Role};

/// How long a contender may take to listen.
const START: Duration = Duration::from_secs(20);

/// Access tokens that take turns.
const TOKENS: usize = 64;
/// For whom they are, and what one may do with them.
pub const AUDIENCE: &str = "bench";
pub const SCOPE: &str = "read";

/// A program and those that start it.
type Wrapper = Vec<String>;

/// See the module's page.
pub struct Scene {
    dir: TempDir,
    /// The core of the proxies and of whatever they ask on each request; the cores of everybody else.
    pub cores: Option<(String, String)>,
    proxy_wrapper: Wrapper,
    pub upstream: Role,
    pub authorizer: Role,
    carriers: RefCell<Role>,
    pub discovery: String,
    pub discovery_ui: String,
    pub issuers: Vec<String>,
    redis: Option<(Process, u16)>,
    spinner: RefCell<Role>,
    tokens: OnceCell<Tokens>,
    places: Cell<usize>,
    clients: Cell<usize>,
}

/// Access tokens, and the keys that they are signed with.
pub struct Tokens {
    pub jwks: Value,
    /// At least one.
    pub all: Vec<String>,
}

/// Who works for a contender on each request, beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helper {
    Nobody,
    Authorizer,
    Redis,
}

impl Scene {
    /// Starts what all contenders share; `pin` gives the proxies a core of their own, if there is one to give.
    pub fn set(pin: bool) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        // Servers that were started by root read their files as somebody else.
        open_to_all(dir.path())?;
        let cores = if pin { cores::split() } else { None };
        let mut base: Wrapper = Vec::new();
        if find("setpriv", &[]).is_some() {
            // Ends with this process, however that ends.
            base.extend(["setpriv", "--pdeathsig", "TERM"].map(str::to_owned));
        }
        let mut proxy_wrapper = base.clone();
        if let Some((proxies, others)) = &cores {
            proxy_wrapper.extend(["taskset", "-c", proxies].map(str::to_owned));
            let own = std::process::id().to_string();
            let _not_moved =
                Command::new("taskset").args(["-a", "-c", "-p", others, &own]).stdout(Stdio::null()).status();
        } else {
            eprintln!("!! proxies, load and app share their cores: figures are worth little");
        }
        let carriers = role::start(&base, &["carriers"]);
        let addresses: Vec<String> = carriers.address.split(' ').map(str::to_owned).collect();
        let [discovery, discovery_ui, issuers @ ..] = &addresses[..] else {
            return Err("the simulated carriers did not start".to_owned());
        };
        let mut scene = Self {
            upstream: role::start(&base, &["upstream"]),
            authorizer: role::start(&proxy_wrapper, &["authorizer"]),
            discovery: discovery.clone(),
            discovery_ui: discovery_ui.clone(),
            issuers: issuers.to_vec(),
            carriers: RefCell::new(carriers),
            redis: None,
            spinner: RefCell::new(role::start(&proxy_wrapper, &["spin"])),
            tokens: OnceCell::new(),
            places: Cell::new(0),
            clients: Cell::new(0),
            dir,
            cores,
            proxy_wrapper,
        };
        scene.redis = match find("redis-server", &[]) {
            Some(program) => Some(scene.start_redis(&program)?),
            None => None,
        };
        Ok(scene)
    }

    fn start_redis(&self, program: &Path) -> Result<(Process, u16), String> {
        let place = self.place("redis")?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        command.arg("--dir").arg(&place.dir);
        Ok((self.launch(command, &place, port)?, port))
    }

    /// A directory of its own for `name`.
    pub fn place(&self, name: &str) -> Result<Place, String> {
        self.places.set(self.places.get() + 1);
        let safe: String = name.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
        let dir = self.dir.path().join(format!("{}-{safe}", self.places.get()));
        fs::create_dir(&dir).map_err(|error| error.to_string())?;
        open_to_all(&dir)?;
        Ok(Place { dir })
    }

    /// Starts a server on the proxies' core and waits until `port` answers.
    pub fn launch(&self, command: Command, place: &Place, port: u16) -> Result<Process, String> {
        let log = place.dir.join("output.log");
        let output = fs::File::create(&log).map_err(|error| error.to_string())?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        self.launch_with(command, port, output.into(), errors.into())
            .map_err(|why| format!("{why}: {}", last_words(&log)))
    }

    /// The same, with its output thrown away: of servers that write a line a request.
    pub fn launch_quietly(&self, command: Command, port: u16) -> Result<Process, String> {
        self.launch_with(command, port, Stdio::null(), Stdio::null())
    }

    fn launch_with(&self, command: Command, port: u16, output: Stdio, errors: Stdio) -> Result<Process, String> {
        let mut wrapped = wrap(&self.proxy_wrapper, &command);
        wrapped.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut process = Process::new(wrapped.spawn().map_err(|error| error.to_string())?);
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if client::connect(&format!("127.0.0.1:{port}")).is_ok() {
                return Ok(process);
            }
            if !process.lives() {
                return Err("ended at once".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("did not listen in time".to_owned())
    }

    /// Starts a part of this program on the proxies' core.
    pub fn launch_role(&self, arguments: &[&str]) -> Role {
        role::start(&self.proxy_wrapper, arguments)
    }

    /// Registers a client with all carriers; returns its id and secret.
    pub fn register(&self, redirect_uri: &str) -> (String, String) {
        self.clients.set(self.clients.get() + 1);
        let id = format!("ccid-bench{:010}", self.clients.get());
        let secret = crate::common::seed::CLIENT_SECRET.to_owned();
        self.carriers.borrow_mut().tell(&format!("{id} {secret} {redirect_uri}"));
        (id, secret)
    }

    /// The carrier that serves as plain issuer: its configuration.
    pub fn issuer(&self) -> Result<Value, String> {
        self.issuer_json("GET", "/.well-known/openid-configuration", "")
    }

    /// The plain issuer's keys, and access tokens of its (RFC 9068): the same ones whoever asks.
    pub fn tokens(&self) -> Result<&Tokens, String> {
        if self.tokens.get().is_none() {
            let _nobody_else_did_so = self.tokens.set(self.signed_tokens()?);
        }
        self.tokens.get().ok_or("no tokens".to_owned())
    }

    fn signed_tokens(&self) -> Result<Tokens, String> {
        let metadata = self.issuer()?;
        let keys = metadata["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix("http://")?.split_once('/'));
        let (_, path) = keys.ok_or("the issuer names no keys")?;
        let jwks = self.issuer_json("GET", &format!("/{path}"), "")?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let token = |number: usize| {
            let claims = json!({
                "header": { "alg": "RS256", "typ": "at+jwt", "kid": jwks["keys"][0]["kid"] },
                "claims": {
                    "iss": metadata["issuer"],
                    "sub": format!("{number:06}-bench-subject-of-a-usual-length"),
                    "aud": AUDIENCE,
                    "client_id": "bench-program",
                    "scope": format!("{SCOPE} write"),
                    "jti": format!("bench-{number:06}-0123456789abcdef"),
                    "iat": now,
                    "exp": now + 86_400,
                },
            });
            let signed = self.issuer_json("POST", "/_control/sign", &claims.to_string())?;
            Ok(signed["jwt"].as_str().ok_or("the issuer signed nothing")?.to_owned())
        };
        let all = (0..TOKENS).map(token).collect::<Result<_, String>>()?;
        Ok(Tokens { jwks, all })
    }

    fn issuer_json(&self, method: &str, path: &str, body: &str) -> Result<Value, String> {
        let origin = self.issuers.get(1).and_then(|issuer| issuer.strip_prefix("http://")).ok_or("no issuer")?;
        let fields = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let answer = client::ask(method, origin, path, fields, body).map_err(|error| error.to_string())?;
        serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {} {error}", answer.head))
    }

    /// The port of Redis.
    pub fn redis(&self) -> Result<u16, String> {
        self.redis.as_ref().map(|(_, port)| *port).ok_or("redis-server is not installed".to_owned())
    }

    /// The address of Redis.
    pub fn redis_url(&self) -> Result<String, String> {
        Ok(format!("redis://127.0.0.1:{}", self.redis()?))
    }

    /// CPU time of a helper.
    pub fn helper_nanos(&self, helper: Helper) -> u64 {
        match helper {
            Helper::Nobody => 0,
            Helper::Authorizer => self.authorizer.process.cpu_nanos(),
            Helper::Redis => self.redis.as_ref().map_or(0, |(process, _)| process.cpu_nanos()),
        }
    }

    /// CPU time of the carriers.
    pub fn carriers_nanos(&self) -> u64 {
        self.carriers.borrow().process.cpu_nanos()
    }

    /// What the kernel has counted for the cores of load and app, if they have their own.
    pub fn load_ticks(&self) -> Option<Ticks> {
        let (_, others) = self.cores.as_ref()?;
        Some(Ticks::of(others))
    }

    /// How long the proxies' core takes for a fixed piece of work, in milliseconds of its time.
    pub fn probe(&self) -> f64 {
        let mut spinner = self.spinner.borrow_mut();
        let before = spinner.process.cpu_nanos();
        spinner.tell("go");
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        let spent = (spinner.process.cpu_nanos() - before) as f64;
        spent / 1e6
    }
}

/// A contender's own directory.
pub struct Place {
    pub dir: PathBuf,
}

impl Place {
    /// Writes a file, readable by all, and returns its path as text.
    pub fn file(&self, name: &str, text: &str) -> Result<String, String> {
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(|error| error.to_string())?;
        Ok(path.display().to_string())
    }

    /// Its path as text.
    pub fn text(&self) -> String {
        self.dir.display().to_string()
    }
}

/// A port that was free a moment ago, for servers that cannot say which one the kernel chose.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

/// A program by name: in a variable, among what side_by_side/install.sh has put below target/peers, or on the usual
/// paths.
pub fn find(name: &str, peers: &[&str]) -> Option<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    let given = std::env::var_os(variable).map(PathBuf::from);
    let target = std::env::current_exe().ok().and_then(|own| own.ancestors().nth(3).map(Path::to_owned));
    let peers = peers.iter().filter_map(|peer| Some(target.as_ref()?.join("peers").join(peer)));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&paths).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    let paths: Vec<_> = paths.map(|path| path.join(name)).collect();
    given.into_iter().chain(peers).chain(paths).find(|path| path.is_file())
}

/// The same, or why there is none.
pub fn need(name: &str, peers: &[&str]) -> Result<PathBuf, String> {
    find(name, peers).ok_or_else(|| format!("{name} is not installed"))
}

fn open_to_all(dir: &Path) -> Result<(), String> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())
}

/// `command` as the last part of `wrapper`.
fn wrap(wrapper: &Wrapper, command: &Command) -> Command {
    let Some((first, rest)) = wrapper.split_first() else {
        let mut plain = Command::new(command.get_program());
        plain.args(command.get_args()).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        return plain;
    };
    let mut wrapped = Command::new(first);
    wrapped.args(rest).arg(command.get_program()).args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// The last lines of a log, for whoever wonders why a server did not start.
fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
