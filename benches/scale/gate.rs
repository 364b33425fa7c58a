//! The gateway: the very program that `cargo build` makes, with a configuration as an operator writes it.

use std::fmt::Write as _;
use std::process::Command;

use crate::common::client;
use crate::common::process::Process;
use crate::crowd;
use crate::stage::scene::{Place, Scene, free_port};

/// What headers may carry, over and over: as many and the same as side by side.
const CLAIMS: [&str; 8] = ["sub", "iss", "acr", "name", "email", "given_name", "family_name", "phone_number"];

/// What is different from gateway to gateway.
pub struct Plan {
    /// What stands below `sessions:`.
    pub sessions: String,
    /// The routes: host, path and access.
    pub routes: Vec<(String, String, &'static str)>,
    /// Further blocks of the file.
    pub more: String,
    /// Further lines below `provider:`.
    pub provider: &'static str,
}

impl Plan {
    /// One route of `localhost` for people whose sessions are in Redis.
    pub fn on_redis(scene: &Scene) -> Result<Self, String> {
        let sessions = format!("  store: {}\n  redis_prefix: \"{}\"\n", crowd::redis_url(scene)?, crowd::PREFIX);
        Ok(Self {
            sessions,
            routes: vec![("localhost".to_owned(), "/".to_owned(), "session")],
            more: "threads: 1\n".to_owned(),
            provider: "",
        })
    }

    /// The configuration for these ports.
    pub fn config(&self, scene: &Scene, port: u16, admin: u16) -> String {
        let (id, secret) = scene.register(&format!("http://localhost:{port}/oauth2/callback"));
        let issuers: String = scene.issuers.iter().map(|issuer| format!("      - {issuer}\n")).collect();
        let mut routes = String::new();
        for (host, path, access) in &self.routes {
            let _ = write!(
                routes,
                "  - host: {host}\n    path: {path}\n    access: {access}\n    upstream: http://{}\n",
                scene.upstream.address
            );
            if *access == "session" {
                routes.push_str("    identity_headers:\n      preset: []\n      map:\n");
                for (number, claim) in CLAIMS.iter().enumerate() {
                    let _ = writeln!(routes, "        X-Bench-{number:02}: {claim}");
                }
            }
        }
        format!(
            "public_url: http://localhost:{port}
listen: 127.0.0.1:{port}
admin_listen: 127.0.0.1:{admin}
{more}provider:
  zenkey:
    client_id: {id}
    client_secret: {secret}
    discovery_issuer: {discovery}
    discovery_ui: {ui}
    scopes: [openid, name, email]
    trusted_issuers:
{issuers}{provider}  allow_private_addresses: true
sessions:
{sessions}routes:
{routes}",
            more = self.more,
            discovery = scene.discovery,
            ui = scene.discovery_ui,
            provider = self.provider,
            sessions = self.sessions,
        )
    }
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

/// The path of the program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_zengate");

/// Starts a gateway.
pub fn start(scene: &Scene, plan: &Plan) -> Result<Target, String> {
    let place = scene.place("zengate")?;
    let (port, admin) = (free_port()?, free_port()?);
    let file = place.file("zengate.yaml", &plan.config(scene, port, admin))?;
    check(&file)?;
    let mut serve = Command::new(PROGRAM);
    serve.args(["serve", "--config", &file]);
    Ok(Target {
        process: scene.launch_quietly(serve, port)?,
        authority: format!("localhost:{port}"),
        admin: Some(format!("127.0.0.1:{admin}")),
        _place: Some(place),
    })
}

/// Whether the program takes its configuration.
pub fn check(file: &str) -> Result<(), String> {
    let checked = Command::new(PROGRAM).args(["check", "--config", file]).output().map_err(|e| e.to_string())?;
    if checked.status.success() {
        return Ok(());
    }
    Err(format!("the gateway refuses its configuration: {}", String::from_utf8_lossy(&checked.stderr)))
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
