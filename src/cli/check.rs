//! `zengate check`: all faults at once, or what the configuration means.

use std::path::Path;
use std::process::ExitCode;

use crate::app;
use crate::config::{self, Config, Warning};
use crate::upstream::{SystemNames, Upstream, Upstreams};

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
            for warning in unreachable_upstreams(&config) {
                eprintln!("warning: {}", warning.line(&config.origin.file));
            }
            print!("{}", config::effective(&config));
            println!("\nRegister with the provider");
            for (provider, uri) in app::redirect_uris(&config) {
                let of = if provider.is_empty() { String::new() } else { format!(" ({provider})") };
                println!("  redirect URI{of}: {uri}");
            }
            for (name, uri) in app::logout_uris(&config) {
                println!("  {name}: {uri}");
            }
            println!();
            println!("{}: no faults", path.display());
            ExitCode::SUCCESS
        }
    }
}

/// Upstreams whose names have no address on this machine. Only a warning: they may have one where the gateway runs, or
/// by the time it does.
fn unreachable_upstreams(config: &Config) -> Vec<Warning> {
    let mut upstreams = Upstreams::default();
    config.routes.iter().for_each(|route| drop(Upstream::of(route, &mut upstreams)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let own = [("listen", config.listen), ("admin_listen", config.admin_listen)];
    let unreachable = runtime.block_on(upstreams.resolve(&SystemNames, &own));
    // A question that nobody has answered yet is not waited for.
    runtime.shutdown_background();
    let warning = |(index, route): (usize, &crate::route::RouteSettings)| {
        let why = unreachable.get(&(route.upstream.host.clone(), route.upstream.port))?;
        let text = format!("{why}; the gateway starts without it and asks again");
        Some(config.origin.remark(&format!("routes[{index}].upstream"), text))
    };
    config.routes.iter().enumerate().filter_map(warning).collect()
}
