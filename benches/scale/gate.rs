//! Whose requests are counted: gateways, mostly for the people in Redis, and the framework alone.

use crate::common::client;
use crate::common::process::Process;
use crate::crowd;
use crate::stage::gate::{HEADERS, Plan, Route, in_redis, serve};
use crate::stage::scene::{Place, Scene, free_port};

impl Plan {
    /// One route of `localhost` for people whose sessions are in Redis.
    pub fn on_redis(scene: &Scene) -> Result<Self, String> {
        Ok(Self {
            threads: Some(1),
            provider: "",
            more: String::new(),
            sessions: in_redis(&scene.redis_url()?, crowd::PREFIX),
            routes: vec![route("localhost", "/")],
        })
    }
}

/// A route for people who are signed in, with as many and the same headers as side by side.
pub fn route(host: &str, path: &str) -> Route {
    Route { host: host.to_owned(), path: path.to_owned(), access: "session".to_owned(), headers: Some(HEADERS) }
}

/// A proxy that is up.
pub struct Target {
    pub process: Process,
    /// Host and port.
    pub authority: String,
    /// The gateway's private listener.
    admin: Option<String>,
    _place: Option<Place>,
}

/// Starts a gateway.
pub fn start(scene: &Scene, plan: &Plan) -> Result<Target, String> {
    let place = scene.place("zengate")?;
    let (port, admin) = (free_port()?, free_port()?);
    let file = plan.write(scene, &place, port, admin)?;
    Ok(Target {
        process: serve(scene, &file, port)?,
        authority: format!("localhost:{port}"),
        admin: Some(format!("127.0.0.1:{admin}")),
        _place: Some(place),
    })
}

/// Starts the framework alone.
pub fn bare(scene: &Scene) -> Target {
    let role = scene.launch_role(&["bare", &scene.upstream.address]);
    let authority = role.address.replace("127.0.0.1", "localhost");
    Target { process: role.into_process(), authority, admin: None, _place: None }
}

impl Target {
    /// How often it has asked the store for a session; 0 for whoever has no store.
    pub fn store_asked(&self) -> u64 {
        let Some(admin) = &self.admin else { return 0 };
        let Ok(answer) = client::ask("GET", admin, "/metrics", "", "") else { return 0 };
        let lines = answer.body.lines().filter(|line| line.starts_with("zengate_session_lookups_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}
