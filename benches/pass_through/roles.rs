//! The parts of a measurement, each a process of its own so that the kernel counts its time apart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;
use zengate::app::App;
use zengate::config::Config;
use zengate::demo::{Client, Simulator, SimulatorSettings};
use zengate::gateway::Sockets;

/// What the upstream answers.
pub const BODY: &[u8] = b"hello from behind";

/// A part that runs; ends with this value.
pub struct Role {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Role {
    /// CPU time it has spent, user and kernel, in microseconds.
    pub fn cpu_micros(&self) -> u64 {
        // Nanoseconds on a processor, of every thread: finer than the ticks of /proc/<pid>/stat.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the process lives");
        let nanos: u64 = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
            .sum();
        nanos / 1000
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

/// Starts a part and waits until it says where it listens.
pub fn start(arguments: &[&str]) -> Role {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.arg("role").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("this program starts again");
    let mut address = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut address).expect("the part says where it listens");
    Role { child, address: address.trim().to_owned() }
}

/// Plays one part until the measurement ends.
pub fn play(arguments: &[String]) -> ExitCode {
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Ends with whoever started it, however that ends.
    std::thread::spawn(|| {
        let _closed = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let upstream = |place: usize| arguments[place].parse::<SocketAddr>().expect("an address");
    match arguments[0].as_str() {
        "upstream" => answer(),
        "bare" => runtime.block_on(pass(upstream(1))),
        "gateway" => runtime.block_on(guard(upstream(1))),
        other => panic!("no such part: {other}"),
    }
    ExitCode::SUCCESS
}

fn say(address: SocketAddr) {
    println!("{address}");
    std::io::stdout().flush().expect("whoever started us listens");
}

/// The upstream: answers every request alike, with as little work as can be.
fn answer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    say(listener.local_addr().expect("bound"));
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", BODY.len()).into_bytes();
    answer.extend_from_slice(BODY);
    for stream in listener.incoming() {
        let answer = answer.clone();
        std::thread::spawn(move || {
            let mut stream = stream.expect("a connection");
            let mut read = [0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut read) {
                if read[..count].ends_with(b"\r\n\r\n") && stream.write_all(&answer).is_err() {
                    return;
                }
            }
        });
    }
}

struct Bare(HttpPeer);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _context: &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.0.clone()))
    }
}

/// The framework alone.
async fn pass(upstream: SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    let mut fds = Fds::new();
    fds.add(address.to_string(), std::os::fd::IntoRawFd::into_raw_fd(listener));
    let conf = ServerConf { upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let proxy = http_proxy(&Arc::new(conf), Bare(HttpPeer::new(upstream, false, String::new())));
    let mut service = Service::new("bare".to_owned(), proxy);
    service.add_tcp(&address.to_string());
    say(address);
    let (_stop, watch) = tokio::sync::watch::channel(false);
    service.start_service(Some(Arc::new(parking_lot::Mutex::new(fds))), watch, 1).await;
}

/// The gateway, with carriers that agree by themselves.
async fn guard(upstream: SocketAddr) {
    let simulator = Simulator::start(SimulatorSettings::default()).await.expect("simulated carriers");
    simulator.ui().set(|rules| rules.auto_choose = Some("maya".to_owned()));
    for carrier in simulator.carriers() {
        carrier.set(|rules| rules.auto_consent = Some(zengate::demo::AutoConsent::default()));
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
    zengate::telemetry::log::init(&config.log);
    let app = App::start_on(sockets, config).await.expect("the gateway starts");
    say(app.address());
    std::future::pending::<()>().await;
}
