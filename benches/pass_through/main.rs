//! What does a signed-in request cost, compared with a bare proxy of the same framework passing the same request on?
//!
//! `cargo bench --bench pass_through` starts an upstream, a bare pingora proxy and the gateway (with a session that a
//! real sign-in opened) as processes of their own, sends the same requests through both in turns, and prints the CPU
//! time each proxy spent per request, as the kernel counted it. Absolute numbers are this machine's; the ratio is what
//! travels. See benches/README.md.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a measurement that cannot go on ends"
)]

#[path = "../common/mod.rs"]
mod common;
mod contender;
mod instructions;
mod load;
mod roles;

use std::process::ExitCode;

use common::role::{self, Role};
use common::{median, spread};
use contender::{CONNECTIONS, Contender};

/// The allocator of the product, for both contenders.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds; each measures every contender once, one after the other, so that a slow spell hits all of them.
const ROUNDS: usize = 9;
/// Requests of one contender in one round.
const REQUESTS: usize = 20_000;
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("role") => roles::play(&arguments[1..]),
        Some("instructions") => instructions::run(&arguments[1..]),
        // `cargo test --benches` runs benches too; a measurement is nothing to be had by the way.
        _ if arguments.iter().any(|argument| argument == "--test") => ExitCode::SUCCESS,
        _ => measure(),
    }
}

fn measure() -> ExitCode {
    let upstream = role::start(&[], &["upstream"]);
    let bare = role::start(&[], &["bare", &upstream.address]);
    let gateway = role::start(&[], &["gateway", &upstream.address]);
    let cookie = load::sign_in(&gateway.address);
    let contender = |name, process: Role| {
        let request = contender::request(&process.address, &cookie);
        Contender { name, process, request, micros: Vec::new() }
    };
    let mut contenders = [contender("bare pingora", bare), contender("zengate, signed in", gateway)];

    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            let before = contender.process.process.cpu_nanos();
            load::run(&contender.process.address, &contender.request, CONNECTIONS, REQUESTS);
            let spent = contender.process.process.cpu_nanos() - before;
            if round > 0 {
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                contender.micros.push(spent as f64 / 1000.0 / REQUESTS as f64);
            }
        }
    }

    println!("| contender | CPU µs a request, median (lowest–highest of {ROUNDS} rounds) | ÷ bare pingora |");
    println!("|---|---|---|");
    let base = median(&contenders[0].micros);
    for contender in &contenders {
        let (low, high) = spread(&contender.micros);
        let own = median(&contender.micros);
        println!("| {} | {own:.1} ({low:.1}–{high:.1}) | {:.2} |", contender.name, own / base);
    }
    println!("\n{REQUESTS} requests a round over {CONNECTIONS} connections; metrics on, access log on (to /dev/null).");
    ExitCode::SUCCESS
}
