//! What does a signed-in request cost, compared with a bare proxy of the same framework passing the same request on?
//!
//! `cargo bench --bench pass_through` starts an upstream, a bare pingora proxy and the gateway (with a session that a
//! real sign-in opened) as processes of their own, sends the same requests through both in turns, and prints the CPU
//! time each proxy spent per request, as the kernel counted it. Absolute numbers are this machine's; the ratio is what
//! travels. See benches/README.md.

// A bench is a test: where its own arrangements fail, it has nothing to measure.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod load;
mod roles;

use std::process::ExitCode;

/// The allocator of the product, for both contenders.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds; each measures every contender once, one after the other, so that a slow spell hits all of them.
const ROUNDS: usize = 9;
/// Requests of one contender in one round.
const REQUESTS: usize = 20_000;
/// Keep-alive connections that send them.
const CONNECTIONS: usize = 32;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("role") => roles::play(&arguments[1..]),
        // `cargo test --benches` runs benches too; a measurement is nothing to be had by the way.
        _ if arguments.iter().any(|argument| argument == "--test") => ExitCode::SUCCESS,
        _ => measure(),
    }
}

struct Contender {
    name: &'static str,
    process: roles::Role,
    request: Vec<u8>,
    micros: Vec<f64>,
}

fn measure() -> ExitCode {
    let upstream = roles::start(&["upstream"]);
    let bare = roles::start(&["bare", &upstream.address]);
    let gateway = roles::start(&["gateway", &upstream.address]);
    let cookie = load::sign_in(&gateway.address);
    let head = |host: &str, cookie: &str| {
        format!(
            "GET /app/page?id=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\
             Accept-Language: en\r\nCookie: theme=dark; {cookie}; lang=en\r\n\r\n"
        )
        .into_bytes()
    };
    let contender = |name, process: roles::Role| {
        let request = head(&process.address.replace("127.0.0.1", "localhost"), &cookie);
        Contender { name, process, request, micros: Vec::new() }
    };
    let mut contenders = [contender("bare pingora", bare), contender("zengate, signed in", gateway)];

    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            let before = contender.process.cpu_micros();
            load::run(&contender.process.address, &contender.request, CONNECTIONS, REQUESTS);
            let spent = contender.process.cpu_micros() - before;
            if round > 0 {
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                contender.micros.push(spent as f64 / REQUESTS as f64);
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

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
}
