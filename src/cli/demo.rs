//! `zengate demo`: carriers, an app and the gateway on loopback, and one address to open.

#![allow(clippy::disallowed_methods, reason = "a directory made at start and removed at the end")]

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::signals::Signals;
use super::{fail, serve};
use crate::app::App;
use crate::config::Config;
use crate::oidc::client_auth::ClientKey;
use crate::secret::signing::{SigningAlgorithm, SigningKey};
use crate::telemetry::log;
use zengate_simulator::{CARRIERS, Client, Ports, Simulator, SimulatorSettings, TryOut};

/// The configuration of the demo: a file like any operator's, with the ports it is written for.
const CONFIG: &str = include_str!("../../config/demo.yaml");
/// The gateway's port in that file; the others follow it.
const WRITTEN_FOR: u16 = 4180;
/// The carriers' ports in that file, from the gateway's.
const CARRIER_PORTS: [u16; CARRIERS] = [3, 4, 5, 8];
/// The last port of all.
const LAST: u16 = 8;
/// The file of its sessions, and the one of its key, as that file names them.
const STORE: &str = "zengate-demo.redb";
const KEY: &str = "zengate-demo-key.pem";
/// The app's token for the private listener; the file names the same.
const ADMIN_TOKEN: &str = "demo-token-known-to-everybody-aaa";
/// Our registration with the simulated carriers; the file names the same.
const CLIENT_ID: &str = "ccid-demo0123456789ab";
const CLIENT_SECRET: &str = "demo-secret-known-to-everybody";

pub(super) fn run(port: u16) -> ExitCode {
    let Some(last) = port.checked_add(LAST).filter(|_| port > 0) else {
        return fail("--port: choose one from 1 to 65528");
    };
    let home = match Home::make() {
        Ok(home) => home,
        Err(error) => return fail(format!("no place for the demo's session file: {error}")),
    };
    let Some(public_key) = home.make_key() else { return fail("no place, or no randomness, for the demo's key") };
    let text = written_for(port, &home.0);
    let config = match Config::parse(&text, "demo.yaml", &|_| None) {
        Ok((config, _)) => config,
        Err(faults) => return fail(faults),
    };
    if let Err(error) = log::init(&config.log) {
        return fail(format!("no thread for the log: {error}"));
    }
    let runtime = match serve::runtime(None) {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("no threads to run on: {error}")),
    };
    runtime.block_on(async {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => return fail(format!("signals cannot be received: {error}")),
        };
        let simulator = match Simulator::start(simulated(port, public_key)).await {
            Ok(simulator) => simulator,
            Err(error) => {
                return fail(format!("ports {port} to {last} must be free ({error}); choose others with --port"));
            }
        };
        let app = match App::start(config).await {
            Ok(app) => app,
            Err(error) => return fail(error),
        };
        println!("{}", greeting(port));
        signals.stop().await;
        println!("stopping");
        app.stop(std::time::Duration::from_secs(1)).await;
        simulator.shutdown().await;
        ExitCode::SUCCESS
    })
}

/// The file's ports moved to where the gateway is wanted, and its own files to `home`.
fn written_for(port: u16, home: &Path) -> String {
    let mut text = CONFIG.to_owned();
    for file in [STORE, KEY] {
        text = text.replace(file, &home.join(file).to_string_lossy());
    }
    if port != WRITTEN_FOR {
        for offset in 0..=LAST {
            text = text.replace(&format!(":{}", WRITTEN_FOR + offset), &format!(":\u{0}{}", port + offset));
        }
    }
    text.replace('\u{0}', "")
}

fn simulated(port: u16, public_key: serde_json::Value) -> SimulatorSettings {
    SimulatorSettings {
        ports: Ports {
            discovery_issuer: port + 1,
            discovery_ui: port + 2,
            carriers: CARRIER_PORTS.map(|offset| port + offset),
            app: port + 6,
        },
        relays: None,
        clients: vec![
            Client { jwks: Some(public_key), ..Client::with_secret(CLIENT_ID, CLIENT_SECRET) }
                .named("Harbour wiki")
                .redirect_uri(format!("http://localhost:{port}/oauth2/callback"))
                .redirect_uri("com.example.harbour:/signed-in")
                .notification_uri(format!("http://localhost:{port}/oauth2/approvals/notify")),
        ],
        try_out: Some(TryOut::new(
            format!("http://localhost:{port}"),
            format!("http://127.0.0.1:{}", port + 7),
            ADMIN_TOKEN.to_owned(),
            CLIENT_ID.to_owned(),
        )),
        warm_keys: true,
    }
}

fn greeting(port: u16) -> String {
    format!(
        "\n  Open  http://localhost:{port}/\n\n  \
         In Chrome, Edge or Firefox: Safari keeps no secure cookie of http://localhost.\n  \
         You will be asked which phone is yours, then that phone asks for your consent; both are simulated.\n  \
         After that the sample app shows what it was told about you.\n  \
         What else there is:  http://localhost:{port}/try\n  \
         No sign-in needed:   http://localhost:{port}/public\n  \
         What is going on:    http://127.0.0.1:{}/metrics\n\n  \
         Ctrl-C ends everything.\n",
        port + 7
    )
}

/// A directory for the demo's session file; gone when the demo ends.
struct Home(PathBuf);

impl Home {
    fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("zengate-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Makes the key by which carriers know the demo's gateway; its public half.
    fn make_key(&self) -> Option<serde_json::Value> {
        let pem = SigningKey::generate(SigningAlgorithm::Rs256)?;
        let key = ClientKey::from_pem(pem.expose().as_bytes())?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(KEY));
        file.and_then(|mut file| file.write_all(pem.expose().as_bytes())).ok()?;
        Some(serde_json::json!({ "keys": [key.public_jwk()] }))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now is in the system's temporary directory, and worthless without the cookie.
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_config_has_no_faults_on_any_port() {
        let home = tempfile::tempdir().unwrap();
        let home = Home(home.path().join("demo"));
        std::fs::create_dir(&home.0).unwrap();
        home.make_key().unwrap();
        for port in [WRITTEN_FOR, 4181, 9000, 41800] {
            let (config, _) = Config::parse(&written_for(port, &home.0), "demo.yaml", &|_| None).unwrap();
            assert_eq!(config.listeners[0].address.tcp().unwrap().port(), port);
            assert_eq!(config.admin_listen.port(), port + 7);
            assert_eq!(config.provider.settings.client_id, CLIENT_ID);
            let secret = config.provider.settings.authentication.secret.as_ref();
            assert_eq!(secret.unwrap().expose(), CLIENT_SECRET);
        }
    }
}
