//! The gateway itself, configured in as many ways as there are questions, with its people signed in.

use std::fmt::Write as _;

use super::{Credential, Running, request};
use crate::common::seed::{self, Seed};
use crate::stage::gate::{HEADERS, Plan, Route, embedded, in_memory, in_redis, serve};
use crate::stage::scene::{AUDIENCE, Helper, SCOPE, Scene, free_port};

/// Where sessions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Embedded,
    Memory,
    Redis,
}

/// What becomes of access tokens that were found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// They are remembered, as by default.
    Remembered,
    /// There is room for one: of many that take turns, none is known when it comes again.
    Forgotten,
}

/// How it is configured, and who asks it.
#[derive(Debug, Clone)]
pub struct Gate {
    pub store: Store,
    /// How many people are signed in; they take turns.
    pub sessions: usize,
    /// Sessions held in process, if not the default.
    pub cached: Option<usize>,
    /// Routes that take access tokens instead of sessions.
    pub tokens: Option<Tokens>,
    /// Routes on the one host; requests take turns.
    pub routes: usize,
    /// Hosts, each with one route; requests take turns.
    pub hosts: usize,
    /// Identity headers.
    pub headers: usize,
}

impl Default for Gate {
    fn default() -> Self {
        Self { store: Store::Embedded, sessions: 1, cached: None, tokens: None, routes: 1, hosts: 1, headers: HEADERS }
    }
}

/// Starts one, with its people signed in.
pub fn start(scene: &Scene, path: &str, gate: &Gate) -> Result<Running, String> {
    let place = scene.place("zengate")?;
    let (port, admin) = (free_port()?, free_port()?);
    let authority = format!("localhost:{port}");
    let issuer = scene.issuers.get(1).ok_or("no issuer")?;
    let seeds = seed::sessions(gate.sessions, issuer)?;
    let prefix = format!("bench-{port}:");
    let (mut sessions, helper) = match gate.store {
        Store::Memory => (in_memory(), Helper::Nobody),
        Store::Embedded => {
            let file = place.dir.join("sessions.redb");
            seed::into_embedded(&file, &seeds)?;
            (embedded(&file), Helper::Nobody)
        }
        Store::Redis => {
            let url = scene.redis_url()?;
            seed::into_redis(&url, &prefix, &seeds)?;
            (in_redis(&url, &prefix), Helper::Redis)
        }
    };
    if let Some(cached) = gate.cached {
        let _ = writeln!(sessions, "  cache_entries: {cached}");
    }
    let bearer = gate.tokens.map(|tokens| bearer(issuer, tokens)).unwrap_or_default();
    let plan = Plan {
        threads: Some(1),
        provider: "",
        more: format!("sign_in:\n  starts_per_minute: 0\n{bearer}"),
        sessions,
        routes: routes(gate),
    };
    let file = plan.write(scene, &place, port, admin)?;
    let process = serve(scene, &file, port)?;

    let mut running = Running::open(vec![process], port, path);
    running.helper = helper;
    running.admin = Some(admin);
    if gate.tokens.is_some() {
        running.credential = Credential::Bearer(scene.tokens()?.all[0].clone());
    } else if gate.store == Store::Memory {
        // Nothing can be put there from outside.
        running.credential = super::signed_in(&authority)?;
    } else {
        running.credential = cookie(&seeds[0]);
    }
    running.refuses = true;
    running.identity = (gate.headers > 0).then_some("X-Bench-00");
    if gate.routes > 1 {
        running.proof_path = "/app-000/echo".to_owned();
    }
    running.requests = requests(gate, path, &authority, &seeds);
    running._place = Some(place);
    Ok(running)
}

fn bearer(issuer: &str, tokens: Tokens) -> String {
    let room = if tokens == Tokens::Forgotten { "  cache_entries: 1\n" } else { "" };
    format!("bearer:\n{room}  issuers:\n    - issuer: {issuer}\n      audiences: [{AUDIENCE}]\n")
}

fn routes(gate: &Gate) -> Vec<Route> {
    let access = match gate.tokens {
        Some(_) => format!("bearer\n    require: {{ scopes: [{SCOPE}] }}"),
        None => "session".to_owned(),
    };
    let mut all = Vec::new();
    let mut route = |host: &str, path: &str| {
        let (host, path) = (host.to_owned(), path.to_owned());
        all.push(Route { host, path, access: access.clone(), headers: Some(gate.headers) });
    };
    if gate.routes == 1 {
        route("localhost", "/");
    }
    for number in (0..gate.routes).filter(|_| gate.routes > 1) {
        route("localhost", &format!("/app-{number:03}"));
    }
    for number in (0..gate.hosts).filter(|_| gate.hosts > 1) {
        route(&format!("app-{number:04}.bench.example"), "/");
    }
    all
}

fn requests(gate: &Gate, path: &str, authority: &str, seeds: &[Seed]) -> Vec<Vec<u8>> {
    let leaf = path.rsplit('/').next().unwrap_or_default();
    let count = gate.sessions.max(gate.routes).max(gate.hosts);
    (0..count)
        .map(|number| {
            let host = match gate.hosts {
                1 => authority.to_owned(),
                hosts => format!("app-{:04}.bench.example", number % hosts),
            };
            let path = match gate.routes {
                1 => path.to_owned(),
                routes => format!("/app-{:03}/{leaf}", number % routes),
            };
            request(&path, &host, &cookie(&seeds[number % seeds.len()]))
        })
        .collect()
}

fn cookie(seed: &Seed) -> Credential {
    Credential::Cookies(format!("__Host-gw={}", seed.cookie))
}
