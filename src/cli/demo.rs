//! `zengate demo`: carriers, an app and the gateway on loopback, and one address to open.

#![allow(clippy::disallowed_methods, reason = "a directory made at start and removed at the end")]

use std::path::PathBuf;
use std::process::ExitCode;

use super::signals::Signals;
use super::{fail, serve};
use crate::app::App;
use crate::config::Config;
use crate::telemetry::log;
use zengate_simulator::{CARRIERS, Client, Ports, Simulator, SimulatorSettings};

/// The configuration of the demo: a file like any operator's, with the ports it is written for.
const CONFIG: &str = include_str!("../../config/demo.yaml");
/// The gateway's port in that file; the others follow it.
const WRITTEN_FOR: u16 = 4180;
/// The carriers' ports in that file, from the gateway's.
const CARRIER_PORTS: [u16; CARRIERS] = [3, 4, 5, 8];
/// The last port of all.
const LAST: u16 = 8;
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
    let text = written_for(port).replace("zengate-demo.redb", &home.0.join("zengate-demo.redb").to_string_lossy());
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
        let simulator = match Simulator::start(simulated(port)).await {
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

/// The file's ports moved to where the gateway is wanted.
fn written_for(port: u16) -> String {
    let mut text = CONFIG.to_owned();
    if port != WRITTEN_FOR {
        for offset in 0..=LAST {
            text = text.replace(&format!(":{}", WRITTEN_FOR + offset), &format!(":\u{0}{}", port + offset));
        }
    }
    text.replace('\u{0}', "")
}

fn simulated(port: u16) -> SimulatorSettings {
    SimulatorSettings {
        ports: Ports {
            discovery_issuer: port + 1,
            discovery_ui: port + 2,
            carriers: CARRIER_PORTS.map(|offset| port + offset),
            app: port + 6,
        },
        relays: None,
        clients: vec![
            Client::with_secret(CLIENT_ID, CLIENT_SECRET)
                .named("Harbour wiki")
                .redirect_uri(format!("http://localhost:{port}/oauth2/callback")),
        ],
        warm_keys: true,
    }
}

fn greeting(port: u16) -> String {
    format!(
        "\n  Open  http://localhost:{port}/\n\n  \
         In Chrome, Edge or Firefox: Safari keeps no secure cookie of http://localhost.\n  \
         You will be asked which phone is yours, then that phone asks for your consent; both are simulated.\n  \
         After that the sample app shows what it was told about you.\n  \
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
        for port in [WRITTEN_FOR, 4181, 9000, 41800] {
            let (config, _) = Config::parse(&written_for(port), "demo.yaml", &|_| None).unwrap();
            assert_eq!(config.listen.port(), port);
            assert_eq!(config.admin_listen.port(), port + 7);
            assert_eq!(config.provider.settings.client_id, CLIENT_ID);
            let secret = config.provider.settings.authentication.secret.as_ref();
            assert_eq!(secret.unwrap().expose(), CLIENT_SECRET);
        }
    }
}
