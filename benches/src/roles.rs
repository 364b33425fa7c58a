//! The parts of this measurement that this program plays itself.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use memchr::memmem;
use zengate_simulator::{AutoConsent, Client, Simulator, SimulatorSettings};

use crate::common::role::{end_with_parent, say};
use crate::common::{bare, origin};

/// The cookie that the authorizer takes for a session, in the length of a real one.
pub const AUTHORIZED: &str = "session=good-good-good-good-good-good-good-good-go";

/// Plays one part until the measurement ends.
pub fn play(arguments: &[String]) -> ExitCode {
    let upstream = |place: usize| arguments[place].parse::<SocketAddr>().expect("an address");
    match arguments[0].as_str() {
        "upstream" => {
            end_with_parent();
            origin::answer();
        }
        "authorizer" => {
            end_with_parent();
            authorize();
        }
        "bare" => {
            end_with_parent();
            bare::runtime().block_on(bare::pass(upstream(1)));
        }
        "carriers" => bare::runtime().block_on(carriers()),
        "spin" => spin(),
        other => panic!("no such part: {other}"),
    }
    ExitCode::SUCCESS
}

/// The authorizer of proxies that ask one about each request. It looks for one cookie and names one person: the least an
/// authorizer can do, so proxies that need one are measured at their best.
fn authorize() {
    const YES: &[u8] = b"HTTP/1.1 200 OK\r\nX-Auth-User: maya\r\nContent-Length: 0\r\n\r\n";
    const NO: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    origin::serve(|head, stream| {
        let known = memmem::find(head, AUTHORIZED.as_bytes()).is_some();
        stream.write_all(if known { YES } else { NO })
    });
}

/// The simulated carriers, which agree by themselves. Says where they are; then takes `id secret redirect_uri`, a line
/// a client.
async fn carriers() {
    let simulator = Simulator::start(SimulatorSettings { warm_keys: true, ..SimulatorSettings::default() }).await;
    let simulator = simulator.expect("simulated carriers");
    // The one whose access tokens are not signed: its part of a sign-in is the smallest.
    simulator.ui().set(|rules| rules.auto_choose = Some("ines".to_owned()));
    for carrier in simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
    }
    say(format!("{} {} {}", simulator.discovery_issuer(), simulator.discovery_ui(), simulator.issuers().join(" ")));
    let listening = std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let [id, secret, redirect_uri] = line.split(' ').collect::<Vec<_>>()[..] {
                simulator.register(Client::with_secret(id, secret).redirect_uri(redirect_uri));
            }
            say("registered");
        }
        std::process::exit(0);
    });
    std::future::pending::<()>().await;
    drop(listening);
}

/// Does the same work each time it is told to, so that the time it takes says how fast the core is.
fn spin() {
    say("ready");
    for _line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..12_000_000 {
            state = std::hint::black_box(state ^ (state << 13)).wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
        say(state);
    }
}
