//! `zengate check`: all faults at once, or what the configuration means.

use std::path::Path;
use std::process::ExitCode;

use crate::app;
use crate::app::inquiry::{Outcome, inquire};
use crate::config::{self, Config, Warning};
use crate::route::upstream::ServerAddress;
use crate::upstream::{SystemNames, Upstream, Upstreams};

pub(super) fn run(path: Option<&Path>, offline: bool, schema: bool) -> ExitCode {
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
            let mut faults = app::faults(&config);
            for fault in &mut faults {
                fault.insert_str(0, &format!("{}: ", path.display()));
            }
            let answers = if offline || !faults.is_empty() { Answers::default() } else { ask(&config) };
            faults.extend(answers.faults);
            for warning in &answers.warnings {
                eprintln!("warning: {}", warning.line(&config.origin.file));
            }
            for fault in &faults {
                eprintln!("{fault}");
            }
            if !faults.is_empty() {
                return ExitCode::FAILURE;
            }
            print!("{}", config::effective(&config));
            print_addresses(&config);
            if !answers.good.is_empty() {
                println!("\nAsked just now");
                for line in &answers.good {
                    println!("  good: {line}");
                }
            }
            println!("\n{}: no faults", path.display());
            ExitCode::SUCCESS
        }
    }
}

fn print_addresses(config: &Config) {
    println!("\nRegister with the provider");
    for (provider, uri) in app::redirect_uris(config) {
        let of = if provider.is_empty() { String::new() } else { format!(" ({provider})") };
        println!("  redirect URI{of}: {uri}");
    }
    for (name, uri) in app::logout_uris(config) {
        println!("  {name}: {uri}");
    }
}

/// What others said.
#[derive(Default)]
struct Answers {
    good: Vec<String>,
    warnings: Vec<Warning>,
    /// As lines.
    faults: Vec<String>,
}

/// Asks whomever the gateway will ask.
fn ask(config: &Config) -> Answers {
    let mut answers = Answers::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return answers };
    let (unreachable, findings) = runtime.block_on(async { tokio::join!(upstreams(config), inquire(config)) });
    // A question that nobody has answered yet is not waited for.
    runtime.shutdown_background();
    answers.warnings = unreachable;
    for finding in findings {
        let remark = |text: &str| config.origin.remark(&finding.key, format!("{}: {text}", finding.asked));
        match &finding.outcome {
            Outcome::Good => answers.good.push(finding.asked.clone()),
            Outcome::Doubtful(why) | Outcome::NoAnswer(why) => answers.warnings.push(remark(why)),
            Outcome::Wrong(why) => answers.faults.push(remark(why).line(&config.origin.file)),
        }
    }
    answers
}

/// Upstreams whose names have no address on this machine. Only a warning: they may have one where the gateway runs, or
/// by the time it does.
async fn upstreams(config: &Config) -> Vec<Warning> {
    let mut upstreams = Upstreams::default();
    config.routes.iter().for_each(|route| drop(Upstream::of(route, &mut upstreams)));
    let public = config.listeners.iter().filter_map(|listener| Some(("listen", listener.address.tcp()?)));
    let own: Vec<_> = public.chain([("admin_listen", config.admin_listen)]).collect();
    let unreachable = upstreams.resolve(&SystemNames, &own, config.resolve_upstreams.patience).await;
    let warnings = |(index, route): (usize, &crate::route::RouteSettings)| {
        let names = route.upstream.group.servers.iter().filter_map(|server| match &server.at {
            ServerAddress::Tcp { host, port } => unreachable.get(&(host.clone(), *port)),
            ServerAddress::Unix(_) => None,
        });
        let warning = |why| {
            let text = format!("{why}; the gateway starts without it and asks again");
            config.origin.remark(&format!("routes[{index}].upstream"), text)
        };
        names.map(warning).collect::<Vec<_>>()
    };
    config.routes.iter().enumerate().flat_map(warnings).collect()
}
