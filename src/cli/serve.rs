//! `zengate serve`: from a file to a running gateway, and orderly out again.

use std::path::Path;
use std::process::ExitCode;

use tracing::{info, warn};

use super::fail;
use super::signals::Signals;
use crate::app::{self, App};
use crate::config::{Config, StoreChoice};
use crate::gateway::capacity::raise_file_limit;
use crate::telemetry::{flood, log, panics};

pub(super) fn run(path: &Path) -> ExitCode {
    let (config, warnings) = match Config::load(path) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = log::init(&config.log) {
        return fail(format!("no thread for the log: {error}"));
    }
    for warning in &warnings {
        warn!("{}", warning.line(&config.origin.file));
    }
    if let Err(error) = raise_file_limit() {
        warn!(reason = %error, "The limit of open files could not be raised");
    }
    run_with(config)
}

/// Serves `config` until a signal asks to stop.
pub(super) fn run_with(config: Config) -> ExitCode {
    let runtime = match runtime(config.threads) {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("no threads to run on: {error}")),
    };
    let code = runtime.block_on(async {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => return fail(format!("signals cannot be received: {error}")),
        };
        let (shutdown, file) = (config.shutdown, config.origin.file.clone());
        let summary = Summary::of(&config);
        let app = match App::start(config).await {
            Ok(app) => app,
            // One plain line a fault, like those of the file itself: whoever starts us is reading.
            Err(error) => {
                let faults = error.to_string();
                let lines: Vec<_> = faults.lines().map(|fault| format!("{file}: {fault}")).collect();
                return fail(lines.join("\n"));
            }
        };
        panics::count(app.metrics());
        flood::count(app.metrics());
        summary.tell(&app);
        signals.stop().await;
        let (grace, delay) = (shutdown.grace, shutdown.delay);
        app.announce_stop();
        info!(
            delay_seconds = delay.as_secs(),
            grace_seconds = grace.as_secs(),
            "Stopping; after the delay nobody new is served, and requests under way are finished"
        );
        let stopped = async {
            tokio::time::sleep(delay).await;
            app.stop(grace).await
        };
        tokio::select! {
            cut = stopped => {
                info!(cut, "Stopped");
                ExitCode::SUCCESS
            }
            // Whoever asks twice means now.
            () = signals.stop() => {
                warn!("Stopped at once: a second signal came");
                ExitCode::FAILURE
            }
        }
    });
    // What is still at work in threads of its own has had its time.
    runtime.shutdown_background();
    code
}

/// What the first line of the log says of a gateway that is up.
struct Summary {
    file: String,
    public_url: String,
    redirect_uris: Vec<String>,
    logout_uris: Vec<String>,
    store: &'static str,
    routes: usize,
}

impl Summary {
    fn of(config: &Config) -> Self {
        Self {
            file: config.origin.file.clone(),
            public_url: config.public_url.origin().ascii_serialization(),
            redirect_uris: app::redirect_uris(config).into_iter().map(|(_, uri)| uri).collect(),
            logout_uris: app::logout_uris(config).into_iter().map(|(_, uri)| uri).collect(),
            store: match config.sessions.store {
                StoreChoice::Embedded { .. } => "embedded",
                StoreChoice::Memory => "memory",
                StoreChoice::Redis { .. } => "redis",
            },
            routes: config.routes.len(),
        }
    }

    fn tell(&self, app: &App) {
        info!(
            version = env!("CARGO_PKG_VERSION"),
            file = self.file,
            listen = app.addresses().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            private = %app.admin_address(),
            public_url = self.public_url,
            redirect_uri = self.redirect_uris.join(" "),
            logout_uris = self.logout_uris.join(" "),
            store = self.store,
            routes = self.routes,
            "The gateway is up"
        );
    }
}

/// One worker per core unless the operator says otherwise; more only cost (performance notes in docs).
pub(super) fn runtime(threads: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads.unwrap_or(cores)).enable_all().build()
}
