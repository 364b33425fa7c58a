//! `zengate check`: all faults at once, or what the configuration means.

use std::path::Path;
use std::process::ExitCode;

use crate::app;
use crate::config::{self, Config};

pub(super) fn run(path: Option<&Path>, schema: bool) -> ExitCode {
    if schema {
        print!("{}", config::json_schema());
        return ExitCode::SUCCESS;
    }
    let Some(path) = path else { return super::fail("which file? --config FILE") };
    match Config::load(path) {
        Err(faults) => {
            eprintln!("{faults}");
            ExitCode::FAILURE
        }
        Ok((config, warnings)) => {
            for warning in &warnings {
                eprintln!("warning: {}", warning.line(&config.origin.file));
            }
            let faults = app::faults(&config);
            for fault in &faults {
                eprintln!("{}: {fault}", path.display());
            }
            if !faults.is_empty() {
                return ExitCode::FAILURE;
            }
            print!("{}", config::effective(&config));
            println!("{}: no faults", path.display());
            ExitCode::SUCCESS
        }
    }
}
