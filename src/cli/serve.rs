//! `zengate serve`: from a file to a running gateway, and orderly out again.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::fail;
use crate::app::App;
use crate::config::Config;
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
    runtime.block_on(async {
        let stop = match StopSignals::listen() {
            Ok(stop) => stop,
            Err(error) => return fail(format!("signals cannot be received: {error}")),
        };
        let (grace, file) = (config.shutdown.grace, config.origin.file.clone());
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
        info!(listen = %app.address(), private = %app.admin_address(), "The gateway is up");
        stop.come().await;
        info!(grace_seconds = grace.as_secs(), "Stopping; requests under way are finished");
        let cut = app.stop(grace).await;
        info!(cut, "Stopped");
        ExitCode::SUCCESS
    })
}

/// One worker per core unless the operator says otherwise; more only cost (performance notes in docs).
pub(super) fn runtime(threads: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads.unwrap_or(cores)).enable_all().build()
}

/// SIGTERM and SIGINT, heard from the moment this exists: one that comes while the gateway starts, or right after it
/// said that it is up, asks for an orderly stop like any other.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns on the first of them.
    pub(super) async fn come(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
