//! The gateway: the very program that `cargo build --release` makes, with a configuration as an operator writes it, in
//! as many ways as there are questions, with its people signed in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use zengate::secret::SecretString;
use zengate::session::embedded::EmbeddedStore;
use zengate::session::redis::{RedisSettings, RedisStore};
use zengate::session::store::Limits;

use crate::contender::{Running, signed_in};
use crate::issuer::{AUDIENCE, SCOPE};
use crate::place::{Place, free_port};
use crate::requests::{Credential, Requests, request};
use crate::scene::{Helper, Scene};
use crate::seed;
use crate::seed::Crowd;

/// The template of its configuration.
pub(crate) const TEMPLATE: &str = "zengate.yaml";

/// Where a program of another build is named.
pub(crate) const GIVEN: &str = "ZENGATE_BIN";

/// Where an earlier program is named, to be measured beside it.
pub(crate) const BEFORE: &str = "ZENGATE_BEFORE";

/// What headers may carry, over and over.
const CLAIMS: [&str; 8] = ["sub", "iss", "acr", "name", "email", "given_name", "family_name", "phone_number"];

/// How long Redis may take to be given a session. A gateway waits a quarter of a second; here nobody waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// The path of the program: that in `ZENGATE_BIN`, or what was built where the bench was.
pub(crate) fn program() -> Result<PathBuf, String> {
    let built = || Some(std::env::current_exe().ok()?.ancestors().nth(2)?.join("zengate"));
    let program = std::env::var_os(GIVEN).map(PathBuf::from).or_else(built).filter(|path| path.is_file());
    program.ok_or_else(|| format!("no gateway beside the bench: build it (cargo build --release), or set {GIVEN}"))
}

/// The program named in `ZENGATE_BEFORE`, if there is one.
pub(crate) fn earlier() -> Option<PathBuf> {
    std::env::var_os(BEFORE).map(PathBuf::from).filter(|path| path.is_file())
}

/// Where sessions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// In a file of its own.
    Embedded,
    /// In the process.
    Memory,
    /// In the scene's Redis.
    Redis,
}

/// What becomes of access tokens that were found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// They are remembered, as by default.
    Remembered,
    /// There is room for one: of many that take turns, none is known when it comes again.
    Forgotten,
    /// They are remembered, and the issuer's keys come from this address.
    KeysFrom(String),
}

/// How it is configured, and who asks it.
#[derive(Clone)]
pub(crate) struct Gate {
    /// Another program than the one that is measured.
    pub(crate) program: Option<PathBuf>,
    /// Where sessions are.
    pub(crate) store: Store,
    /// How many people are signed in; they take turns.
    pub(crate) sessions: usize,
    /// They, if they are in Redis already.
    pub(crate) crowd: Option<Crowd>,
    /// Sessions held in process, if not the default.
    pub(crate) cached: Option<usize>,
    /// Whether a copy of a session is trusted for five minutes, the longest that may be configured.
    pub(crate) trusting: bool,
    /// Routes that take access tokens instead of sessions.
    pub(crate) tokens: Option<Tokens>,
    /// Routes on the one host; requests take turns.
    pub(crate) routes: usize,
    /// Hosts, each with one route and somebody who is signed in there; requests take turns.
    pub(crate) hosts: usize,
    /// Identity headers, if not the default ones.
    pub(crate) headers: Option<usize>,
    /// Worker threads, if not as many as cores.
    pub(crate) threads: Option<usize>,
    /// Connections that it lets in, if not the default.
    pub(crate) connections: Option<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            program: None,
            store: Store::Embedded,
            sessions: 1,
            crowd: None,
            cached: None,
            trusting: false,
            tokens: None,
            routes: 1,
            hosts: 1,
            headers: Some(CLAIMS.len()),
            threads: Some(1),
            connections: None,
        }
    }
}

/// A gateway that could be started: its configuration is written and found good, its people are in their store.
pub(crate) struct Prepared {
    /// Its files.
    pub(crate) place: Place,
    /// The configuration.
    pub(crate) file: String,
    /// Where it will listen.
    pub(crate) port: u16,
    admin: u16,
    /// Who is signed in; nobody if sessions are kept in the process.
    pub(crate) crowd: Option<Crowd>,
}

impl Gate {
    /// Starts one, with its people signed in.
    pub(crate) fn start(&self, scene: &Scene, path: &str) -> Result<Running, String> {
        let Prepared { place, file, port, admin, crowd } = self.prepare(scene)?;
        let mut command = Command::new(self.program()?);
        command.args(["serve", "--config", &file]);
        let process = scene.launch(command, None, port)?;
        let mut running = Running::open(process, Some(place), port, path);
        running.helper = if self.store == Store::Redis { Helper::Redis } else { Helper::Nobody };
        running.admin = Some(admin);
        running.credential = match (&self.tokens, &crowd) {
            (Some(_), _) => Credential::Bearer(scene.tokens()?.all[0].clone()),
            (None, Some(crowd)) => Credential::session(crowd.cookie(0)),
            // Nothing can be put there from outside.
            (None, None) => signed_in(&running.authority)?,
        };
        running.refuses = true;
        running.identity = self.headers.filter(|count| *count > 0).map(|_| "X-Bench-00");
        if self.routes > 1 {
            running.proof_path = "/app-0000/echo".to_owned();
        }
        running.requests = self.requests(path, &running, crowd);
        Ok(running)
    }

    /// Writes the configuration and has the program check it; puts the people where it will look for them.
    pub(crate) fn prepare(&self, scene: &Scene) -> Result<Prepared, String> {
        let place = scene.place("zengate")?;
        let (port, admin) = (free_port()?, free_port()?);
        // With many hosts somebody is signed in on each, and the first one on `localhost`.
        let people = if self.hosts > 1 { self.hosts + 1 } else { self.sessions };
        let home = |number: usize| match number.checked_sub(1) {
            Some(number) if self.hosts > 1 => host(number),
            _ => seed::localhost(number),
        };
        let crowd = match (&self.crowd, self.store) {
            (Some(crowd), _) => Some(crowd.clone()),
            (None, Store::Memory) => None,
            (None, Store::Embedded) => Some(Crowd::gather(people, &scene.issuer.name, "", home, || {
                let file = place.dir.join("sessions.redb");
                EmbeddedStore::open(&file, Limits::default()).map_err(|error| error.to_string())
            })?),
            (None, Store::Redis) => Some(in_redis(scene, people, &format!("bench-{port}:"), home)?),
        };
        let (id, secret) = scene.register(&format!("http://localhost:{port}/oauth2/callback"));
        let mut flags = Vec::new();
        let mut values = vec![
            ("dir", place.dir.display().to_string()),
            ("port", port.to_string()),
            ("admin_port", admin.to_string()),
            ("client_id", id),
            ("client_secret", secret),
            ("discovery", scene.discovery.clone()),
            ("discovery_ui", scene.discovery_ui.clone()),
            ("issuers", scene.issuers.join(", ")),
            ("issuer", scene.issuer.name.clone()),
            ("audience", AUDIENCE.to_owned()),
            ("routes", self.route_lines(&scene.upstream.address)),
        ];
        for (flag, count) in [("threads", self.threads), ("cached", self.cached), ("connections", self.connections)] {
            if let Some(count) = count {
                flags.push(flag);
                values.push((flag, count.to_string()));
            }
        }
        flags.push(match self.store {
            Store::Embedded => "embedded",
            Store::Memory => "memory",
            Store::Redis => "redis",
        });
        if let Some(crowd) = crowd.as_ref().filter(|_| self.store == Store::Redis) {
            values.extend([("redis_port", scene.redis()?.to_string()), ("redis_prefix", crowd.prefix.clone())]);
        }
        flags.extend(self.trusting.then_some("revalidate"));
        flags.extend(self.tokens.as_ref().map(|_| "tokens"));
        match &self.tokens {
            Some(Tokens::Forgotten) => flags.push("forgotten"),
            Some(Tokens::KeysFrom(address)) => {
                flags.push("rotation");
                values.push(("jwks_uri", address.clone()));
            }
            _ => {}
        }
        let file = place.configure(TEMPLATE, &flags, &values)?;
        let checked = Command::new(self.program()?).args(["check", "--config", &file]).output();
        let checked = checked.map_err(|error| error.to_string())?;
        if !checked.status.success() {
            let why = String::from_utf8_lossy(&checked.stderr);
            return Err(format!("the gateway refuses its configuration: {why}"));
        }
        Ok(Prepared { place, file, port, admin, crowd })
    }

    fn program(&self) -> Result<PathBuf, String> {
        self.program.clone().map_or_else(program, Ok)
    }

    fn route_lines(&self, upstream: &str) -> String {
        let access = match &self.tokens {
            Some(_) => format!("bearer\n    require: {{ scopes: [{SCOPE}] }}"),
            None => "session".to_owned(),
        };
        let headers = self.headers.map(|count| {
            let claims = CLAIMS.iter().cycle().take(count).enumerate();
            let map: String = claims.map(|(number, claim)| format!("        X-Bench-{number:02}: {claim}\n")).collect();
            let map = if map.is_empty() { map } else { format!("      map:\n{map}") };
            format!("    identity_headers:\n      preset: []\n{map}")
        });
        let route = |(host, path): (String, String)| {
            let headers = headers.as_deref().unwrap_or_default();
            format!(
                "  - host: {host}\n    path: {path}\n    access: {access}\n    upstream: http://{upstream}\n{headers}"
            )
        };
        let own = (0..self.routes).map(|number| ("localhost".to_owned(), self.route_path(number)));
        let others = (0..self.hosts).filter(|_| self.hosts > 1).map(|number| (host(number), "/".to_owned()));
        own.chain(others).map(route).collect()
    }

    fn route_path(&self, number: usize) -> String {
        if self.routes == 1 { "/".to_owned() } else { format!("/app-{number:04}") }
    }

    fn requests(&self, path: &str, running: &Running, crowd: Option<Crowd>) -> Requests {
        let Running { authority, credential, .. } = running;
        let crowd = match crowd {
            Some(crowd) if crowd.len() > 1 && self.routes == 1 && self.hosts == 1 => {
                return Requests::of_people(authority, path, crowd, self.trusting);
            }
            crowd => crowd,
        };
        let on = |number: usize| match &crowd {
            Some(crowd) => Credential::session(crowd.cookie(number + 1)),
            None => credential.clone(),
        };
        let leaf = path.rsplit('/').next().unwrap_or_default();
        let all = (0..self.routes.max(self.hosts)).map(|number| match (self.routes, self.hosts) {
            (1, 1) => request(path, authority, credential),
            (1, _) => request(path, &host(number), &on(number)),
            _ => request(&format!("{}/{leaf}", self.route_path(number)), authority, credential),
        });
        Requests::turns(authority, all.collect())
    }
}

fn host(number: usize) -> String {
    format!("app-{number:04}.bench.example")
}

/// People whose sessions are in the scene's Redis.
pub(crate) fn in_redis(
    scene: &Scene,
    count: usize,
    prefix: &str,
    host: impl Fn(usize) -> String,
) -> Result<Crowd, String> {
    let url = SecretString::new(format!("redis://127.0.0.1:{}", scene.redis()?));
    let settings = RedisSettings { prefix: prefix.to_owned(), response_timeout: PATIENCE, ..RedisSettings::new(url) };
    Crowd::gather(count, &scene.issuer.name, prefix, host, || {
        RedisStore::connect(settings).map_err(|error| error.to_string())
    })
}

/// How large the program is, in bytes: as built, and without what only debuggers read, if `strip` is there.
pub(crate) fn weigh(scratch: &Path) -> Result<(u64, Option<u64>), String> {
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len());
    let built = size(&program()?).map_err(|error| error.to_string())?;
    let copy = scratch.join("stripped");
    let stripped = Command::new("strip").arg("-o").arg(&copy).arg(program()?).status();
    Ok((built, stripped.ok().filter(|status| status.success()).and_then(|_| size(&copy).ok())))
}
