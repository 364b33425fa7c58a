//! Everything that goes over a wire at the gateway's three sides, recorded as it goes.
//!
//! The browser here writes its requests itself. In front of the simulated parts stand relays that hand every message on
//! whole, once it is written down; the app behind the gateway keeps its own record of bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;
use zengate_simulator::{AutoConsent, CARRIERS, CarrierHandle, Ports};

use super::names::Names;
use super::wire::{Messages, header, headers};
use crate::support::rig::{Choices, Rig};

/// What every request of this browser says about itself.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\r\n\
    Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n";
/// What it says of a page that a person opens.
pub const OPENED: &str =
    "Accept: text/html,application/xhtml+xml\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n";

/// How long anything may take before the test says so.
const PATIENCE: Duration = Duration::from_secs(10);

/// One message.
struct Message {
    from: &'static str,
    to: &'static str,
    bytes: Vec<u8>,
}

type Log = Arc<Mutex<Vec<Message>>>;

/// A rig whose wires are recorded, and a browser in front of it.
pub struct Recorder {
    pub rig: Rig,
    log: Log,
    app_bytes: usize,
    jar: BTreeMap<String, Vec<(String, String)>>,
    told: Vec<String>,
    ports: Vec<(u16, &'static str)>,
    relays: Vec<JoinHandle<()>>,
}

/// An answer, as the browser got it.
pub struct Answer {
    pub text: String,
    url: Url,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.text[9..12].parse().unwrap()
    }

    pub fn location(&self) -> Option<Url> {
        self.url.join(header(&self.text, "location")?).ok()
    }
}

impl Recorder {
    /// Starts everything. Who is asked by a carrier is `person`, who agrees at once.
    pub async fn start(person: &str, choices: Choices) -> Self {
        let log = Log::default();
        let mut listeners = Vec::new();
        for _ in 0..CARRIERS + 3 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let port = |at: usize| listeners[at].local_addr().unwrap().port();
        let relays = Ports {
            discovery_issuer: port(0),
            discovery_ui: port(1),
            carriers: std::array::from_fn(|at| port(at + 3)),
            app: port(2),
        };
        let here: Vec<_> = (0..CARRIERS + 3).map(port).collect();
        // What the gateway asks at its start waits until the relays know where to.
        let rig = Rig::with(Choices { relays: Some(relays), ..choices }).await;
        let Ports { discovery_issuer, discovery_ui, carriers, app } = rig.simulator.listening();
        let parts = ["discovery", "discovery UI", "sample app"].into_iter();
        let parts: Vec<_> = parts.chain(rig.simulator.carriers().iter().map(CarrierHandle::name)).collect();
        let mut ports: Vec<_> = here.into_iter().zip(parts.iter().copied()).collect();
        let targets = [discovery_issuer, discovery_ui, app].into_iter().chain(carriers);
        let relays = listeners
            .into_iter()
            .zip(targets)
            .zip(parts)
            .map(|((listener, target), part)| tokio::spawn(relay(listener, target, part, Arc::clone(&log))))
            .collect();
        rig.simulator.ui().set(|rules| rules.auto_choose = Some(person.to_owned()));
        for carrier in rig.simulator.carriers() {
            carrier.set(|rules| rules.auto_consent = Some(AutoConsent::default()));
        }
        ports.push((rig.address.port(), "gateway"));
        ports.push((rig.upstream.address.port(), "app"));
        Self { rig, log, app_bytes: 0, jar: BTreeMap::new(), told: Vec::new(), ports, relays }
    }

    /// Writes down what happens next, in words.
    pub fn tell(&mut self, what: &str) {
        self.take();
        self.told.push(format!("\n### {what}\n"));
    }

    /// Waits until `count` messages went over the wires unasked.
    pub async fn after(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log.lock().unwrap().len() < count {
            assert!(Instant::now() < deadline, "{count} messages in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A person opens `url`; no redirect is followed.
    pub async fn open(&mut self, url: impl AsRef<str>) -> Answer {
        self.ask("GET", url, OPENED, "").await
    }

    /// A person opens `url`, and the browser follows redirects until there is a page.
    pub async fn go(&mut self, url: impl AsRef<str>) -> Answer {
        let mut answer = self.open(url).await;
        for _ in 0..15 {
            let Some(next) = answer.location() else { return answer };
            answer = self.open(next).await;
        }
        panic!("a redirect loop at {}", answer.url)
    }

    /// Any request with this browser's cookies; `lines` are header lines, each with its end.
    pub async fn ask(&mut self, method: &str, url: impl AsRef<str>, lines: &str, body: &str) -> Answer {
        let url = Url::parse(url.as_ref()).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let (port, path) = (url.port().unwrap(), &url[url::Position::BeforePath..url::Position::AfterQuery]);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{BROWSER}{lines}");
        let jar = self.jar.entry(host.clone()).or_default();
        if !jar.is_empty() {
            let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("Cookie: {}\r\n", pairs.join("; ")));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let recorded = port == self.rig.address.port();
        if recorded {
            self.note("browser", "gateway", request.as_bytes());
        }
        let mut wire = Messages::of(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap());
        wire.stream().write_all(request.as_bytes()).await.unwrap();
        let answer = wire.next().await.expect("an answer");
        if recorded {
            let (all, before) = (self.rig.upstream.raw(), self.app_bytes);
            self.app_bytes = all.len();
            if all.len() > before {
                self.note("gateway", "app", &all[before..]);
            }
            self.note("gateway", "browser", &answer);
        }
        let text = String::from_utf8(answer).unwrap();
        self.keep(&host, &text);
        Answer { text, url }
    }

    /// The whole record, with names in place of random values.
    pub fn finish(mut self) -> String {
        self.take();
        let mut names = Names::new(&self.ports);
        self.told.iter().for_each(|text| names.learn(text));
        self.told.iter().map(|text| names.put_into(text)).collect()
    }

    fn note(&self, from: &'static str, to: &'static str, bytes: &[u8]) {
        self.log.lock().unwrap().push(Message { from, to, bytes: bytes.to_vec() });
    }

    /// Turns what was recorded since the last time into text.
    fn take(&mut self) {
        for Message { from, to, bytes } in self.log.lock().unwrap().drain(..) {
            self.told.push(format!("\n{from} > {to}\n{}", readable(&bytes)));
        }
    }

    fn keep(&mut self, host: &str, answer: &str) {
        let jar = self.jar.entry(host.to_owned()).or_default();
        for cookie in headers(answer, "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            jar.retain(|(kept, _)| kept != name);
            if !attributes.contains("Max-Age=0") {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.relays.iter().for_each(JoinHandle::abort);
    }
}

/// Hands every message on whole, and writes down those between the gateway and `part`: the browser has dealings with
/// the simulated parts as well, which are no business of ours.
async fn relay(listener: TcpListener, target: u16, part: &'static str, log: Log) {
    while let Ok((stream, _)) = listener.accept().await {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let mut near = Messages::of(stream);
            let mut far = Messages::of(TcpStream::connect(("127.0.0.1", target)).await.ok()?);
            loop {
                let asked = near.next().await?;
                let text = String::from_utf8_lossy(&asked);
                let ours = header(&text, "user-agent").is_some_and(|agent| agent.starts_with("zengate/"));
                far.stream().write_all(&asked).await.ok()?;
                let answer = far.next().await?;
                if ours {
                    let mut log = log.lock().unwrap();
                    log.push(Message { from: "gateway", to: part, bytes: asked.clone() });
                    log.push(Message { from: part, to: "gateway", bytes: answer.clone() });
                }
                near.stream().write_all(&answer).await.ok()?;
            }
            #[expect(unreachable_code, reason = "the type of the block")]
            Some(())
        });
    }
}

/// Text that shows every byte. A head's lines end with CR LF and a body's with LF; anything else that is not plain
/// text is escaped.
fn readable(bytes: &[u8]) -> String {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let (head, body) = bytes.split_at(end);
    let head = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut text = String::new();
    let mut line = |prefix: &str, bytes: &[u8]| {
        text.push_str(prefix);
        for chunk in bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\\' => text.push_str("\\\\"),
                    control if control.is_control() => text.extend(control.escape_default()),
                    plain => text.push(plain),
                }
            }
            text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        }
        text.push('\n');
    };
    let mut rest = head;
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        line("  ", &rest[..at]);
        rest = &rest[at + 2..];
    }
    line("  ", rest);
    if !body.is_empty() {
        body.split(|byte| *byte == b'\n').for_each(|part| line("  | ", part));
    }
    text
}
