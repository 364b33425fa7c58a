//! Does a request cost the same when there is more of everything? More sessions held, connections open, hosts and routes
//! configured; and how does the gateway start, and what becomes of requests while an issuer changes its keys?
//!
//! `make scale` starts the gateway as it is installed, measures each size against the others in turns, and prints a
//! Markdown report that begins with what we aim at; `--plot` draws it. See benches/README.md.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a measurement that cannot go on ends"
)]

mod aims;
#[path = "../common/mod.rs"]
mod common;
mod connections;
mod crowd;
mod files;
mod gate;
mod keys;
mod load;
mod options;
mod pace;
mod places;
mod plot;
mod report;
mod rotation;
mod rounds;
mod sessions;
#[path = "../stage/mod.rs"]
mod stage;
mod start;

use std::process::ExitCode;
use std::sync::Arc;

use crowd::Crowd;
use options::Options;
use report::{Report, question};
use rounds::BASE;
use stage::roles;
use stage::scene::Scene;

/// The allocator of the product, for the bare proxy too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("role") => return roles::play(&arguments[1..]),
        // `cargo test --benches` runs benches too; a measurement is nothing to be had by the way.
        _ if arguments.iter().any(|argument| argument == "--test") => return ExitCode::SUCCESS,
        _ => {}
    }
    let outcome = Options::read(&arguments).and_then(|options| {
        files::raise();
        // Whatever hangs, this ends; and whoever was started ends with it.
        let limit = options.limit;
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            eprintln!("not finished after {} minutes; giving up", limit.as_secs() / 60);
            std::process::exit(1);
        });
        run(&options)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

const PARTS: [&str; 6] =
    [sessions::NAME, connections::NAME, places::HOSTS, places::ROUTES, start::NAME, rotation::NAME];

fn run(options: &Options) -> Result<(), String> {
    let scene = Scene::set(options.pin)?;
    let mut report = Report::new(&scene, options);
    let people = if options.wants(sessions::NAME) { options.sessions.iter().max().copied().unwrap_or(1) } else { 1 };
    eprintln!("== {people} people sign in");
    let crowd = Arc::new(Crowd::gather(&scene, people)?);
    eprintln!("   after {:.1} s", crowd.took.as_secs_f64());
    for part in PARTS.into_iter().filter(|part| options.wants(part)) {
        eprintln!("== {part}");
        if let Err(why) = measure(part, &scene, options, &crowd, &mut report) {
            eprintln!("!! {part}: {why}");
            report.missing(part, &why);
        }
        report.write(options.out.as_deref())?;
    }
    if let Some(path) = &options.plot {
        report::write(path, &plot::draw(&report.panels))?;
    }
    println!("{}", report.text());
    Ok(())
}

fn measure(
    part: &'static str,
    scene: &Scene,
    options: &Options,
    crowd: &Arc<Crowd>,
    report: &mut Report,
) -> Result<(), String> {
    match part {
        sessions::NAME => {
            let found = sessions::measure(scene, options, crowd)?;
            report.sizes(part, &question(part), &found.table, Some(aims::SESSIONS));
            report.memory(&found.held, (crowd.len(), crowd.took.as_secs_f64()));
            report.draw("sessions held", &found.table, &[(part, "zengate")], Some(1.25));
        }
        connections::NAME => {
            let (table, left_out) = connections::measure(scene, options, crowd)?;
            report.sizes(part, &question(part), &table, None);
            report.connection_memory(&table, &left_out);
            report.draw(
                "open connections, at most 16 requests under way",
                &table,
                &[(part, "zengate"), (BASE, BASE)],
                None,
            );
        }
        places::HOSTS => {
            let table = places::measure(part, scene, options, crowd)?;
            report.sizes(part, &question(part), &table, Some(aims::HOSTS));
            report.draw("hosts", &table, &[(part, "zengate")], Some(1.05));
        }
        places::ROUTES => {
            let table = places::measure(part, scene, options, crowd)?;
            report.sizes(part, &question(part), &table, None);
            report.draw("routes of one host", &table, &[(part, "zengate")], None);
        }
        start::NAME => {
            let starts = start::measure(scene, options)?;
            report.starts(&starts, &start::weigh(scene)?);
        }
        _ => {
            let runs = rotation::measure(scene, options)?;
            report.rotation(&runs, options.rate);
        }
    }
    Ok(())
}
