//! A contender that is up: with which credential it lets a request in, how it names the person, and what it spends.

use crate::client::{self, Browser};
use crate::place::Place;
use crate::process::Process;
use crate::requests::{Credential, Requests, request};
use crate::roles::AUTHORIZED;
use crate::scene::{Helper, Scene};

/// What every ratio is to.
pub(crate) const BASE: &str = "bare pingora";

/// See the module's page.
pub(crate) struct Running {
    /// Its process.
    pub(crate) process: Process,
    /// Who works for it.
    pub(crate) helper: Helper,
    /// Host and port.
    pub(crate) authority: String,
    /// What it is asked.
    pub(crate) requests: Requests,
    /// How many connections are open when it is saturated, and how many requests under way, if not the usual number.
    pub(crate) lines: Option<(usize, usize)>,
    /// What it lets in.
    pub(crate) credential: Credential,
    /// Whether it refuses requests without the credential.
    pub(crate) refuses: bool,
    /// The header by which it tells the app who is there.
    pub(crate) identity: Option<&'static str>,
    /// A path that the app answers with the request it saw.
    pub(crate) proof_path: String,
    /// Where its metrics are, if it is ours.
    pub(crate) admin: Option<u16>,
    /// What was found when many sessions were put into its memory.
    pub(crate) held: Option<Held>,
    /// Its files.
    pub(crate) place: Option<Place>,
}

/// What sessions in memory weigh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Memory with none of them held.
    pub(crate) empty_kib: u64,
    /// Memory with all of them held.
    pub(crate) full_kib: u64,
    /// How long it took to ask for each once.
    pub(crate) seconds: f64,
}

/// What the gateway counts by itself.
pub(crate) struct Tally {
    /// Sessions that were asked for in the store before the request went on.
    pub(crate) look_ups: f64,
    /// Access tokens whose signature was verified.
    pub(crate) signatures: f64,
}

impl Running {
    /// A proxy at `port` that passes everything on; the requests carry a session cookie all the same.
    pub(crate) fn open(process: Process, place: Option<Place>, port: u16, path: &str) -> Self {
        let authority = format!("localhost:{port}");
        let credential = Credential::Cookies(AUTHORIZED.to_owned());
        Self {
            process,
            helper: Helper::Nobody,
            requests: Requests::turns(&authority, vec![request(path, &authority, &credential)]),
            lines: None,
            authority,
            credential,
            refuses: false,
            identity: None,
            proof_path: "/app/echo".to_owned(),
            admin: None,
            held: None,
            place,
        }
    }

    /// The same, but it lets in only `credential`.
    pub(crate) fn guarding(self, path: &str, credential: Credential, identity: &'static str) -> Self {
        let requests = Requests::turns(&self.authority, vec![request(path, &self.authority, &credential)]);
        Self { requests, credential, refuses: true, identity: Some(identity), ..self }
    }

    /// What it has counted so far, if it is ours.
    pub(crate) fn tally(&self) -> Option<Tally> {
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
}

/// Signs a person in at the contender and returns the cookies it gave.
pub(crate) fn signed_in(authority: &str) -> Result<Credential, String> {
    let mut browser = Browser::default();
    let page = browser.visit(&format!("http://{authority}/app/echo"))?;
    if page.status != 200 {
        let body: String = page.body.chars().take(300).collect();
        return Err(format!("its sign-in ended with {} {body}", page.head.lines().next().unwrap_or_default()));
    }
    Ok(Credential::Cookies(browser.cookies(authority)))
}

/// The framework alone, built with the gateway.
pub(crate) fn bare(scene: &Scene, path: &str) -> Running {
    let role = scene.launch_role(&["bare", &scene.upstream.address]);
    let port = role.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    Running::open(role.process, None, port, path)
}
