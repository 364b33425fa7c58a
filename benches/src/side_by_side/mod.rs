//! What does a signed-in request cost here, and what does it cost elsewhere?
//!
//! `make side-by-side` starts the gateway, a bare proxy of the same framework and every other proxy that is installed,
//! each as a process of its own; proves that each refuses and lets in whom it should; then measures them in turns and
//! prints one Markdown table a case. See benches/README.md for how to read it, `--help` for what can be chosen.

mod aims;
mod cases;
mod tables;

use crate::load::Lines;
use crate::measure::Rounds;
use crate::measure::{self, OPEN_CONNECTIONS};
use crate::report::Report;
use crate::requests::{Credential, Requests, request};
use crate::scene::Scene;
use crate::{Common, give_up_after, wanted};
use clap::Args;

/// make side-by-side ARGS='…'
#[derive(Args)]
pub(crate) struct Options {
    /// Rounds, each measures every contender once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Keep-alive connections when saturated
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(4..=512))]
    connections: u16,
    /// Requests a second of the latency figures
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    rate: u32,
    /// Sessions of the case with a different one on each request
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sessions: u32,
    /// Only cases whose name holds one of these words, split by commas
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    case: Vec<String>,
    /// Only contenders whose name holds one of these words (and bare pingora)
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    only: Vec<String>,
    /// Say what there is to measure, and measure nothing
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    common: Common,
}

/// Measures and reports.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut cases = cases::all(options.sessions as usize);
    aims::check(&cases)?;
    cases.retain(|case| wanted(&options.case, case.name));
    if options.list {
        for case in &cases {
            let names: Vec<_> = case.entries.iter().map(|entry| entry.name.as_str()).collect();
            println!("{}: {}\n    {}", case.name, case.question, names.join("; "));
        }
        return Ok(());
    }
    give_up_after(options.common.limit);
    let rounds = Rounds {
        rounds: options.rounds.into(),
        span: options.common.seconds,
        connections: options.connections.into(),
        rate: options.rate,
        only: options.only.clone(),
    };
    let scene = Scene::set(!options.common.no_pin)?;
    let how = format!(
        "{} rounds of {} s each; {} keep-alive connections when saturated, {} requests/s over {OPEN_CONNECTIONS} for latency \
         unless a table says otherwise; one worker thread a proxy; HTTP/1.1 without TLS on 127.0.0.1.\n\
         Straight to the app, without a proxy, the load gets {:.0} requests/s.",
        rounds.rounds,
        rounds.span.as_secs_f64(),
        rounds.connections,
        rounds.rate,
        ceiling(&scene, &rounds)?,
    );
    let mut report = Report::new("Side by side", &scene, &how, aims::all());
    report.name_programs();
    for case in &cases {
        eprintln!("== {}: {}", case.name, case.question);
        let table = measure::case(case, &scene, &rounds);
        report.sections.push_str(&tables::text(case, &table));
        aims::judge(&mut report.aims, case.name, &table);
        report.write(options.common.out.as_deref())?;
    }
    println!("{}", report.text());
    Ok(())
}

/// What the load gets from the app when nobody stands between them: no proxy can be seen to give more.
fn ceiling(scene: &Scene, rounds: &Rounds) -> Result<f64, String> {
    let authority = &scene.upstream.address;
    let requests = Requests::turns(authority, vec![request("/app/1k", authority, &Credential::None)]);
    let count = Lines::open(&requests, rounds.connections, rounds.connections)?.during(rounds.span)?;
    Ok(count.answers as f64 / count.time.as_secs_f64())
}
