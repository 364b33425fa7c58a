//! What does a signed-in request cost, compared with a bare proxy of the same framework passing the same request on?
//!
//! `make bench` starts an upstream, a bare pingora proxy and the gateway (with a session that a real sign-in opened) as
//! processes of their own, sends the same requests through both in turns, and prints the CPU time each proxy spent per
//! request, as the kernel counted it. Absolute numbers are this machine's; the ratio is what travels. See
//! benches/README.md.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on ends"
)]

mod instructions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use zengate_bench::contender::{BASE, signed_in};
use zengate_bench::figures::median;
use zengate_bench::load::Lines;
use zengate_bench::markdown::{range, table};
use zengate_bench::options::{ByCargo, begin};
use zengate_bench::requests::{Credential, Requests, request};
use zengate_bench::role::{self, Role};
use zengate_bench::roles::GATEWAY_CLIENT;
use zengate_bench::seed::CLIENT_SECRET;

/// The allocator of the product, for both contenders.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds; each measures every contender once, one after the other, so that a slow spell hits all of them.
const ROUNDS: usize = 9;
/// Requests of one contender in one round.
const REQUESTS: usize = 20_000;
/// Keep-alive connections that send requests.
const CONNECTIONS: usize = 32;

/// make bench, make instructions, make instructions-record
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    by_cargo: ByCargo,
}

#[derive(Subcommand)]
enum What {
    /// Count instructions in user space instead, and compare them with the recorded ones
    Instructions {
        /// Record them anew
        #[arg(long)]
        record: bool,
    },
}

fn main() -> ExitCode {
    begin(|options: &Options| match options.what {
        Some(What::Instructions { record }) => instructions::run(record),
        None => measure(),
    })
}

fn measure() -> Result<(), String> {
    let upstream = role::start(&[], &["upstream"]);
    let bare = role::start(&[], &["bare", &upstream.address]);
    let mut carriers = carriers();
    let gateway = gateway(&[], &upstream, &carriers);
    let cookie = sign_in(&gateway.address, &mut carriers)?;
    let contenders = [(BASE, bare), ("zengate, signed in", gateway)];
    let requests = contenders.each_ref().map(|(_, role)| asked(&role.address, &cookie));
    let mut micros = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (place, (_, role)) in contenders.iter().enumerate() {
            let before = role.process.cpu_nanos();
            let answers = load(&requests[place], REQUESTS)?;
            let spent = role.process.cpu_nanos() - before;
            if round > 0 {
                micros[place].push(spent as f64 / 1000.0 / answers as f64);
            }
        }
    }
    let base = median(&micros[0]);
    let rows = contenders
        .iter()
        .zip(&micros)
        .map(|((name, _), micros)| vec![(*name).to_owned(), range(micros, 1), format!("{:.2}", median(micros) / base)]);
    let of = format!("CPU µs a request, median (lowest–highest of {ROUNDS} rounds)");
    println!("{}", table(&["contender", &of, "÷ bare pingora"], rows));
    println!("{REQUESTS} requests a round over {CONNECTIONS} connections; metrics on, access log on (to /dev/null).");
    Ok(())
}

/// The request, to whoever listens at `address`.
fn asked(address: &str, cookie: &str) -> Requests {
    let host = address.replace("127.0.0.1", "localhost");
    let session = Credential::Cookies(cookie.to_owned());
    Requests::turns(&host, vec![request("/app/page?id=1", &host, &session)])
}

/// Sends `count` requests; returns how many were answered.
fn load(requests: &Requests, count: usize) -> Result<usize, String> {
    Ok(Lines::open(requests, CONNECTIONS, CONNECTIONS)?.each(count / CONNECTIONS)?.answers)
}

/// The simulated carriers: a process of their own, so that nobody counts what they do.
fn carriers() -> Role {
    role::start(&[], &["carriers", "maya"])
}

/// The gateway, through `wrapper`.
fn gateway(wrapper: &[String], upstream: &Role, carriers: &Role) -> Role {
    let mut arguments = vec!["gateway", &upstream.address];
    arguments.extend(carriers.address.split(' '));
    role::start(wrapper, &arguments)
}

/// Signs a person in at the gateway at `address`, and returns the session cookie.
fn sign_in(address: &str, carriers: &mut Role) -> Result<String, String> {
    let callback = format!("http://{}/oauth2/callback", address.replace("127.0.0.1", "localhost"));
    carriers.tell(&format!("{GATEWAY_CLIENT} {CLIENT_SECRET} {callback}"));
    let Credential::Cookies(cookies) = signed_in(&address.replace("127.0.0.1", "localhost"))? else {
        return Err("no cookies".to_owned());
    };
    let session = cookies.split("; ").find(|cookie| cookie.starts_with("__Host-gw="));
    Ok(session.ok_or("no session was opened")?.to_owned())
}
