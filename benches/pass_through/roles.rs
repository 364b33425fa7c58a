//! The parts of this measurement.

use std::net::SocketAddr;
use std::process::ExitCode;

use zengate::app::App;
use zengate::config::Config;
use zengate::gateway::Sockets;
use zengate_simulator::{Client, Simulator, SimulatorSettings};

use crate::common::{bare, origin, role};

/// Plays one part until the measurement ends.
pub fn play(arguments: &[String]) -> ExitCode {
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    role::end_with_parent();
    let upstream = |place: usize| arguments[place].parse::<SocketAddr>().expect("an address");
    match arguments[0].as_str() {
        "upstream" => origin::answer(),
        "bare" => bare::runtime().block_on(bare::pass(upstream(1))),
        "gateway" => bare::runtime().block_on(guard(upstream(1))),
        other => panic!("no such part: {other}"),
    }
    ExitCode::SUCCESS
}

/// The gateway, with carriers that agree by themselves.
async fn guard(upstream: SocketAddr) {
    let simulator = Simulator::start(SimulatorSettings::default()).await.expect("simulated carriers");
    simulator.ui().set(|rules| rules.auto_choose = Some("maya".to_owned()));
    for carrier in simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(zengate_simulator::AutoConsent::default()));
    }
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let sockets = Sockets::bind(any, any).expect("ports");
    let address = sockets.address();
    let callback = format!("http://localhost:{}/oauth2/callback", address.port());
    simulator.register(Client::with_secret("ccid-bench0123456789a", "secret").redirect_uri(callback));
    let issuers: String = simulator.issuers().iter().map(|issuer| format!("      - {issuer}\n")).collect();
    let text = format!(
        "public_url: http://localhost:{port}
provider:
  zenkey:
    client_id: ccid-bench0123456789a
    client_secret: secret
    discovery_issuer: {discovery}
    discovery_ui: {ui}
    scopes: [openid, name, email]
    trusted_issuers:
{issuers}  allow_private_addresses: true
sessions:
  store: memory
routes:
  - {{ host: localhost, access: session, upstream: 'http://{upstream}' }}
",
        port = address.port(),
        discovery = simulator.discovery_issuer(),
        ui = simulator.discovery_ui(),
    );
    let config = Config::parse(&text, "bench.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}")).0;
    zengate::telemetry::log::init(&config.log).expect("a thread for the log");
    let app = App::start_on(sockets, config).await.expect("the gateway starts");
    role::say(app.address());
    std::future::pending::<()>().await;
}
