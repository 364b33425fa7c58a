//! The parts of a measurement that this program plays itself, each as a process of its own so that the kernel counts its
//! time apart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use memchr::memmem;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::Fds;
use pingora::server::configuration::ServerConf;
use pingora::services::Service as _;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;
use tokio::runtime::{Builder, Runtime};
use zengate_simulator::{AutoConsent, Client, Simulator, SimulatorSettings};

use crate::memory;
use crate::process::Process;

/// The cookie that the authorizer takes for a session, in the length of a real one.
pub(crate) const AUTHORIZED: &str = "session=good-good-good-good-good-good-good-good-go";

/// A part that runs; ends with this value.
pub(crate) struct Role {
    /// Its process.
    pub(crate) process: Process,
    /// What it said first: where it listens.
    pub(crate) address: String,
    output: BufReader<ChildStdout>,
}

impl Role {
    /// Starts a part through `wrapper` (a program and its arguments, perhaps none) and waits for its first line.
    pub(crate) fn start(wrapper: &[String], arguments: &[&str]) -> Self {
        let own = std::env::current_exe().expect("this program has a path").display().to_string();
        let words: Vec<&String> = wrapper.iter().chain([&own]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg("role").args(arguments);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = pipes.spawn().expect("this program starts again");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut role = Self { process: Process::new(child), address: String::new(), output };
        role.address = role.line();
        role
    }

    /// Tells it a line, and returns the line it says to it.
    pub(crate) fn tell(&mut self, order: &str) -> String {
        self.process.tell(order);
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the part speaks");
        line.trim().to_owned()
    }
}

/// Plays one part until the measurement ends.
pub(crate) fn play(arguments: &[String]) -> ExitCode {
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["upstream"] => upstream(),
        ["authorizer"] => authorizer(),
        ["bare", upstream] => runtime().block_on(bare(upstream.parse().expect("an address"))),
        ["carriers", who] => runtime().block_on(carriers(who)),
        ["spin"] => spin(),
        ["weigh", what @ ..] => say(memory::weigh(what)),
        other => panic!("no such part: {other:?}"),
    }
    ExitCode::SUCCESS
}

/// Says a line to whoever started this process.
fn say(text: impl std::fmt::Display) {
    println!("{text}");
    std::io::stdout().flush().expect("whoever started us listens");
}

/// A listener on a port that the kernel chose.
pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// One worker thread, as every contender has.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Ends this process with whoever started it, however that ends.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _closed = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Serves requests without a body on a port that the kernel chose, a thread a connection.
fn serve(answer: impl Fn(&[u8], &mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static) {
    end_with_parent();
    let (listener, address) = listener();
    say(address);
    for mut stream in listener.incoming().map_while(Result::ok) {
        let answer = answer.clone();
        std::thread::spawn(move || {
            let _without_it_answers_only_come_later = stream.set_nodelay(true);
            let (mut read, mut filled) = (vec![0; 64 << 10], 0);
            while let Ok(count @ 1..) = stream.read(&mut read[filled..]) {
                filled += count;
                if read[..filled].ends_with(b"\r\n\r\n") {
                    if answer(&read[..filled], &mut stream).is_err() {
                        return;
                    }
                    filled = 0;
                }
            }
        });
    }
}

/// The app behind the proxies, which answers with as little work as can be: `…/1k` with 1 KiB, `…/1m` with 1 MiB, `…/echo`
/// with the request's own head, all else with 17 bytes.
fn upstream() {
    let whole = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let [tiny, kilo, mega] =
        [b"hello from behind".to_vec(), vec![b'k'; 1 << 10], vec![b'm'; 1 << 20]].map(|b| whole(&b));
    serve(move |head, stream| {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match path {
            path if path.ends_with(b"/1k") => stream.write_all(&kilo),
            path if path.ends_with(b"/1m") => stream.write_all(&mega),
            path if path.ends_with(b"/echo") => stream.write_all(&whole(head)),
            _ => stream.write_all(&tiny),
        }
    });
}

/// The authorizer of proxies that ask one about each request. It looks for one cookie and names one person: the least an
/// authorizer can do, so proxies that need one are measured at their best.
fn authorizer() {
    const YES: &[u8] = b"HTTP/1.1 200 OK\r\nX-Auth-User: maya\r\nContent-Length: 0\r\n\r\n";
    const NO: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    serve(|head, stream| {
        let known = memmem::find(head, AUTHORIZED.as_bytes()).is_some();
        stream.write_all(if known { YES } else { NO })
    });
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

/// The framework alone, which every figure is a ratio to: passes requests to `upstream`.
async fn bare(upstream: SocketAddr) {
    end_with_parent();
    // The framework's connector wants one even where nothing is encrypted.
    let _installed_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (listener, address) = listener();
    listener.set_nonblocking(true).expect("a socket");
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
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let [id, secret, redirect_uri] = line.split(' ').collect::<Vec<_>>()[..] {
                simulator.register(Client::with_secret(id, secret).redirect_uri(redirect_uri));
            }
            say("registered");
        }
        std::process::exit(0);
    });
    std::future::pending().await
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
