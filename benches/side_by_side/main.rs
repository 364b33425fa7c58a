//! What does a signed-in request cost here, and what does it cost elsewhere?
//!
//! `make side-by-side` starts the gateway, a bare proxy of the same framework and every other proxy that is installed,
//! each as a process of its own; proves that each refuses and lets in whom it should; then measures them in turns and
//! prints one Markdown table a case. See benches/README.md for how to read it, `--help` for what can be chosen.
//!
//! A new case is an entry of [`cases::all`]; a new contender is a function that starts it and a line in
//! [`contenders::PEERS`]; a new aim is a line in `aims.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a measurement that cannot go on ends"
)]

mod aims;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod contenders;
mod figures;
mod load;
mod measure;
mod options;
mod proof;
mod report;
#[path = "../stage/mod.rs"]
mod stage;
mod tables;

use std::process::ExitCode;
use std::time::Duration;

use options::Options;
use stage::roles;
use stage::scene::Scene;

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
    let mut cases = cases::all(options);
    if let Err(why) = aims::check(&cases) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    cases.retain(|case| options.wants_case(case.name));
    if options.list {
        for case in &cases {
            let names: Vec<_> = case.entries.iter().map(|entry| entry.name.as_str()).collect();
            println!("{}: {}\n    {}", case.name, case.question, names.join("; "));
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
    let scene = match Scene::set(options.pin) {
        Ok(scene) => scene,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let mut report = report::Report::new(&scene, options, ceiling(&scene, options));
    for case in &cases {
        eprintln!("== {}: {}", case.name, case.question);
        let table = measure::case(case, &scene, options);
        report.add(case, table);
        if let Err(error) = report.write(options.out.as_deref()) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    println!("{}", report.text());
    ExitCode::SUCCESS
}

/// What the load gets from the app when nobody stands between them: no proxy can be seen to give more.
fn ceiling(scene: &Scene, options: &Options) -> Option<f64> {
    let authority = scene.upstream.address.replace("127.0.0.1", "localhost");
    let asked = contenders::request("/app/1k", &authority, &contenders::Credential::None);
    let requests = load::Requests::new(authority, vec![asked], 200);
    let count = load::saturate(&requests, options.connections, options.span).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let answers = count.answers as f64;
    Some(answers / seconds(count.time))
}

/// A duration in seconds, for figures.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
