//! What every contender finds: an app to stand in front of, an authorizer, carriers, a Redis; and cores to run on.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client;
use crate::issuer::Issuer;
use crate::place::{Place, find, free_port};
use crate::process::Process;
use crate::roles::Role;
use crate::seed::CLIENT_SECRET;

/// How long a contender may take to listen.
const START: Duration = Duration::from_secs(20);
/// Access tokens that take turns.
const TOKENS: usize = 64;

/// See the module's page.
pub(crate) struct Scene {
    dir: TempDir,
    /// The core of the proxies and of whatever they ask on each request; the cores of everybody else.
    pub(crate) cores: Option<(String, String)>,
    /// A program and those that start it, on the proxies' core.
    proxy_wrapper: Vec<String>,
    /// A program, with its arguments, that contenders run in.
    pub(crate) tool: Vec<String>,
    /// The app.
    pub(crate) upstream: Role,
    /// What proxies ask that cannot judge by themselves.
    pub(crate) authorizer: Role,
    carriers: RefCell<Role>,
    /// The carriers' discovery.
    pub(crate) discovery: String,
    /// Its page.
    pub(crate) discovery_ui: String,
    /// The carriers.
    pub(crate) issuers: Vec<String>,
    /// The one of them that serves as plain issuer.
    pub(crate) issuer: Issuer,
    redis: Option<(Process, u16)>,
    spinner: RefCell<Role>,
    tokens: OnceCell<Tokens>,
    places: Cell<usize>,
    clients: Cell<usize>,
}

/// Access tokens, and the keys that they are signed with.
pub(crate) struct Tokens {
    /// A key set.
    pub(crate) jwks: Value,
    /// At least one.
    pub(crate) all: Vec<String>,
}

/// Who works for a contender on each request, beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helper {
    /// Nobody.
    Nobody,
    /// The authorizer.
    Authorizer,
    /// Redis.
    Redis,
}

impl Scene {
    /// Starts what all contenders share; `pin` gives the proxies a core of their own, if there is one to give.
    pub(crate) fn set(pin: bool) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let _open_to_all = Place::new(dir.path().to_owned())?;
        let cores = if pin { split() } else { None };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        // Ends with this process, however that ends.
        let base = find("setpriv", None).map(|_| words(&["setpriv", "--pdeathsig", "TERM"])).unwrap_or_default();
        let mut proxy_wrapper = base.clone();
        if let Some((proxies, others)) = &cores {
            proxy_wrapper.extend(words(&["taskset", "-c", proxies]));
            let own = std::process::id().to_string();
            let _not_moved =
                Command::new("taskset").args(["-a", "-c", "-p", others, &own]).stdout(Stdio::null()).status();
        }
        // The one whose access tokens are not signed: its part of a sign-in is the smallest.
        let carriers = Role::start(&base, &["carriers", "ines"]);
        let addresses = words(&carriers.address.split(' ').collect::<Vec<_>>());
        let [discovery, discovery_ui, issuers @ ..] = &addresses[..] else {
            return Err("the simulated carriers did not start".to_owned());
        };
        let mut scene = Self {
            upstream: Role::start(&base, &["upstream"]),
            authorizer: Role::start(&proxy_wrapper, &["authorizer"]),
            discovery: discovery.clone(),
            discovery_ui: discovery_ui.clone(),
            issuer: Issuer { name: issuers.get(1).ok_or("no plain issuer")?.clone() },
            issuers: issuers.to_vec(),
            carriers: RefCell::new(carriers),
            redis: None,
            spinner: RefCell::new(Role::start(&proxy_wrapper, &["spin"])),
            tokens: OnceCell::new(),
            places: Cell::new(0),
            clients: Cell::new(0),
            dir,
            cores,
            proxy_wrapper,
            tool: Vec::new(),
        };
        if let Some(program) = find("redis-server", None) {
            let (place, port) = (scene.place("redis")?, free_port()?);
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
            command.arg("--dir").arg(&place.dir);
            scene.redis = Some((scene.launch(command, Some(&place), port)?, port));
        }
        Ok(scene)
    }

    /// A directory of its own for `name`.
    pub(crate) fn place(&self, name: &str) -> Result<Place, String> {
        self.places.set(self.places.get() + 1);
        Place::new(self.dir.path().join(format!("{}-{name}", self.places.get())))
    }

    /// Starts a server on the proxies' core and waits until `port` answers. What it says goes into `place`; without one
    /// it is thrown away: of servers that write a line a request.
    pub(crate) fn launch(&self, command: Command, place: Option<&Place>, port: u16) -> Result<Process, String> {
        let mut command = self.wrapped(command);
        if let Some(place) = place {
            let output = fs::File::create(place.dir.join("output.log")).map_err(|error| error.to_string())?;
            command.stderr(output.try_clone().map_err(|error| error.to_string())?).stdout(output);
        } else {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let (mut process, begin) = (Process::new(child), Instant::now());
        while client::connect(&format!("127.0.0.1:{port}")).is_err() {
            if begin.elapsed() > START || !process.lives() {
                let words = place.map(Place::last_words).unwrap_or_default();
                return Err(format!("ended, or did not listen in time: {words}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }

    /// `command` on the proxies' core.
    fn wrapped(&self, command: Command) -> Command {
        let wrapper = self.wrapper();
        let Some((first, rest)) = wrapper.split_first() else { return command };
        let mut wrapped = Command::new(first);
        wrapped.args(rest).arg(command.get_program()).args(command.get_args());
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped
    }

    /// Starts a part of this program on the proxies' core.
    pub(crate) fn launch_role(&self, arguments: &[&str]) -> Role {
        Role::start(&self.wrapper(), arguments)
    }

    fn wrapper(&self) -> Vec<String> {
        [&self.proxy_wrapper[..], &self.tool].concat()
    }

    /// Registers a client with all carriers; returns its id and secret.
    pub(crate) fn register(&self, redirect_uri: &str) -> (String, String) {
        self.clients.set(self.clients.get() + 1);
        let id = format!("ccid-bench{:010}", self.clients.get());
        self.carriers.borrow_mut().tell(&format!("{id} {CLIENT_SECRET} {redirect_uri}"));
        (id, CLIENT_SECRET.to_owned())
    }

    /// The plain issuer's keys, and access tokens of its: the same ones whoever asks.
    pub(crate) fn tokens(&self) -> Result<&Tokens, String> {
        if self.tokens.get().is_none() {
            let jwks = self.issuer.ask("GET", &self.issuer.keys_path()?, &Value::Null)?;
            let subject = |number: usize| format!("{number:06}-bench-subject-of-a-usual-length");
            let token = |number| self.issuer.token(&subject(number), Some(&jwks["keys"][0]["kid"]));
            let all = (0..TOKENS).map(token).collect::<Result<_, String>>()?;
            let _nobody_else_did_so = self.tokens.set(Tokens { jwks, all });
        }
        self.tokens.get().ok_or("no tokens".to_owned())
    }

    /// The port of Redis.
    pub(crate) fn redis(&self) -> Result<u16, String> {
        self.redis.as_ref().map(|(_, port)| *port).ok_or("redis-server is not installed".to_owned())
    }

    /// CPU time of a helper.
    pub(crate) fn helper_nanos(&self, helper: Helper) -> u64 {
        match helper {
            Helper::Nobody => 0,
            Helper::Authorizer => self.authorizer.process.cpu_nanos(),
            Helper::Redis => self.redis.as_ref().map_or(0, |(process, _)| process.cpu_nanos()),
        }
    }

    /// CPU time of the carriers.
    pub(crate) fn carriers_nanos(&self) -> u64 {
        self.carriers.borrow().process.cpu_nanos()
    }

    /// What the kernel has counted for the cores of load and app, if they have their own.
    pub(crate) fn load_ticks(&self) -> Option<Ticks> {
        let (_, others) = self.cores.as_ref()?;
        Some(Ticks::of(others))
    }

    /// How long the proxies' core takes for a fixed piece of work, in milliseconds of its time.
    pub(crate) fn probe(&self) -> f64 {
        let mut spinner = self.spinner.borrow_mut();
        let before = spinner.process.cpu_nanos();
        spinner.tell("go");
        (spinner.process.cpu_nanos() - before) as f64 / 1e6
    }
}

/// One core for the proxies, the others for load and app; nothing if there is only one.
fn split() -> Option<(String, String)> {
    find("taskset", None)?;
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
pub(crate) struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    /// Of the cores of a list like `1,2`, so far.
    pub(crate) fn of(list: &str) -> Self {
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
    pub(crate) fn busy_since(&self, before: &Self) -> Option<f64> {
        let (idle, all) = (self.idle.saturating_sub(before.idle), self.all.saturating_sub(before.all));
        (all > 0).then(|| 1.0 - idle as f64 / all as f64)
    }
}
