//! What does a signed-in request cost here, and what does it cost elsewhere?
//!
//! `make side-by-side` starts the gateway, a bare proxy of the same framework and every other proxy that is installed,
//! each as a process of its own; proves that each refuses and lets in whom it should; then measures them in turns and
//! prints one Markdown table a case. See benches/README.md for how to read it, `--help` for what can be chosen.
//!
//! A new case is an entry of [`cases::all`]; a new contender is a function that starts it and a line in
//! [`contenders::PEERS`].

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on ends")]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod contenders;
mod load;
mod measure;
mod options;
mod proof;
mod report;
mod roles;
mod scene;
mod seed;

use std::process::ExitCode;
use std::time::Duration;

use options::Options;
use scene::Scene;

/// The allocator of the product, for both contenders that this repository builds.
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
    match Options::read(&arguments) {
        Ok(options) => compare(&options),
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> ExitCode {
    let cases: Vec<_> = cases::all(options).into_iter().filter(|case| options.wants_case(case.name)).collect();
    if options.list {
        for case in &cases {
            let names: Vec<_> = case.entries.iter().map(|entry| entry.name.as_str()).collect();
            println!("{}: {}\n    {}", case.name, case.question, names.join(", "));
        }
        return ExitCode::SUCCESS;
    }
    // Whatever hangs, this ends; and whoever was started ends with it.
    let limit = options.limit;
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("not finished after {} minutes; giving up", limit.as_secs() / 60);
        std::process::exit(1);
    });
    let mut scene = match Scene::set(options) {
        Ok(scene) => scene,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let mut report = report::Report::new(&scene, options);
    for case in &cases {
        eprintln!("== {}: {}", case.name, case.question);
        let table = measure::case(case, &mut scene, options);
        report.add(case, &table);
        if let Err(error) = report.write(options.out.as_deref()) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    println!("{}", report.text());
    ExitCode::SUCCESS
}

/// A duration in seconds, for figures.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
