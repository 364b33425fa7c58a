//! The parts of this measurement that this program plays itself.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use memchr::memmem;
use zengate::app::App;
use zengate::config::Config;
use zengate::gateway::Sockets;
use zengate_simulator::{AutoConsent, Client, Simulator, SimulatorSettings};

use crate::role::{end_with_parent, say};
use crate::{bare, gate, origin, place, seed};

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
        "gateway" => {
            end_with_parent();
            bare::runtime().block_on(gateway(upstream(1), &arguments[2..]));
        }
        "carriers" => bare::runtime().block_on(carriers(&arguments[1])),
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

/// The simulated carriers, which agree by themselves to the person `who`. Says where they are; then takes
/// `id secret redirect_uri`, a line a client.
async fn carriers(who: &str) {
    let settings = SimulatorSettings { warm_keys: true, ..SimulatorSettings::default() };
    let simulator = Simulator::start(settings).await.expect("simulated carriers");
    simulator.ui().set(|rules| rules.auto_choose = Some(who.to_owned()));
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

/// The client that the gateway of [`play`] is to its carriers.
pub const GATEWAY_CLIENT: &str = "ccid-bench0123456789a";

/// The gateway as a part of this program, for benches that count what happens inside. `carriers` is what they said.
async fn gateway(upstream: SocketAddr, carriers: &[String]) {
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let [discovery, discovery_ui, issuers @ ..] = carriers else { panic!("no carriers") };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let sockets = Sockets::bind(any, any).expect("ports");
    let port = sockets.address().port();
    let values = [
        ("port", port.to_string()),
        ("admin_port", place::free_port().expect("a port").to_string()),
        ("client_id", GATEWAY_CLIENT.to_owned()),
        ("client_secret", seed::CLIENT_SECRET.to_owned()),
        ("discovery", discovery.clone()),
        ("discovery_ui", discovery_ui.clone()),
        ("issuers", issuers.join(", ")),
        ("routes", format!("  - {{ host: localhost, access: session, upstream: 'http://{upstream}' }}")),
    ];
    let text = place::filled(gate::TEMPLATE, &["memory"], &values).expect("a configuration");
    let config = Config::parse(&text, "bench.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}")).0;
    zengate::telemetry::log::init(&config.log).expect("a thread for the log");
    let app = App::start_on(sockets, config).await.expect("the gateway starts");
    say(app.address());
    std::future::pending::<()>().await;
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
