//! The gateway: the very program that `cargo build` makes, with a configuration as an operator writes it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scene::{Place, Scene};
use crate::common::process::Process;

/// The path of the program: what the bench was built with, or that in `ZENGATE_BIN`.
pub fn program() -> PathBuf {
    std::env::var_os(GIVEN).map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_zengate")), PathBuf::from)
}

/// Where a program of another build is named.
pub const GIVEN: &str = "ZENGATE_BIN";

/// What headers may carry, over and over.
const CLAIMS: [&str; 8] = ["sub", "iss", "acr", "name", "email", "given_name", "family_name", "phone_number"];

/// Identity headers of a usual route: each claim once.
pub const HEADERS: usize = CLAIMS.len();

/// What is different from gateway to gateway.
pub struct Plan {
    /// Worker threads, if not as many as cores.
    pub threads: Option<usize>,
    /// Further lines below `provider:`.
    pub provider: &'static str,
    /// Further blocks of the file.
    pub more: String,
    /// What stands below `sessions:`.
    pub sessions: String,
    pub routes: Vec<Route>,
}

/// One of the routes, all of which lead to the app.
pub struct Route {
    pub host: String,
    pub path: String,
    /// What stands behind `access:`.
    pub access: String,
    /// How many identity headers; those that a route has by default if nothing is said.
    pub headers: Option<usize>,
}

/// Below `sessions:`, if they are kept in the process.
pub fn in_memory() -> String {
    "  store: memory\n".to_owned()
}

/// Below `sessions:`, if they are kept in `file`.
pub fn embedded(file: &Path) -> String {
    format!("  store: embedded\n  path: {}\n", file.display())
}

/// Below `sessions:`, if they are kept in the Redis at `url`, under names that begin with `prefix`.
pub fn in_redis(url: &str, prefix: &str) -> String {
    format!("  store: {url}\n  redis_prefix: \"{prefix}\"\n")
}

impl Plan {
    /// Writes the configuration of a gateway at these ports and has the program check it; returns its path.
    pub fn write(&self, scene: &Scene, place: &Place, port: u16, admin: u16) -> Result<String, String> {
        let file = place.file("zengate.yaml", &self.config(scene, port, admin))?;
        let checked = Command::new(program()).args(["check", "--config", &file]).output().map_err(|e| e.to_string())?;
        if !checked.status.success() {
            let why = String::from_utf8_lossy(&checked.stderr);
            return Err(format!("the gateway refuses its configuration: {why}"));
        }
        Ok(file)
    }

    fn config(&self, scene: &Scene, port: u16, admin: u16) -> String {
        let (id, secret) = scene.register(&format!("http://localhost:{port}/oauth2/callback"));
        let issuers: String = scene.issuers.iter().map(|issuer| format!("      - {issuer}\n")).collect();
        format!(
            "public_url: http://localhost:{port}
listen: 127.0.0.1:{port}
admin_listen: 127.0.0.1:{admin}
{threads}provider:
  zenkey:
    client_id: {id}
    client_secret: {secret}
    discovery_issuer: {discovery}
    discovery_ui: {ui}
    scopes: [openid, name, email]
    trusted_issuers:
{issuers}{provider}  allow_private_addresses: true
{more}sessions:
{sessions}routes:
{routes}",
            threads = self.threads.map(|count| format!("threads: {count}\n")).unwrap_or_default(),
            discovery = scene.discovery,
            ui = scene.discovery_ui,
            provider = self.provider,
            more = self.more,
            sessions = self.sessions,
            routes = self.routes.iter().map(|route| route.lines(&scene.upstream.address)).collect::<String>(),
        )
    }
}

impl Route {
    fn lines(&self, upstream: &str) -> String {
        let Self { host, path, access, headers } = self;
        let mut text =
            format!("  - host: {host}\n    path: {path}\n    access: {access}\n    upstream: http://{upstream}\n");
        if let Some(headers) = *headers {
            text.push_str("    identity_headers:\n      preset: []\n");
            text.push_str(if headers > 0 { "      map:\n" } else { "" });
            for (number, claim) in CLAIMS.iter().cycle().take(headers).enumerate() {
                let _ = writeln!(text, "        X-Bench-{number:02}: {claim}");
            }
        }
        text
    }
}

/// Starts the program with the configuration at `file` and waits until `port` answers.
pub fn serve(scene: &Scene, file: &str, port: u16) -> Result<Process, String> {
    let mut command = Command::new(program());
    command.args(["serve", "--config", file]);
    scene.launch_quietly(command, port)
}
