//! What is measured. A new case is one more entry of [`all`].

use crate::contenders::zengate::{Gate, Store};
use crate::contenders::{BASE, PEERS, Running, bare, zengate};
use crate::options::Options;
use crate::scene::Scene;

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Requests, all to be answered with the case's status.
    Requests,
    /// Whole sign-ins.
    SignIns,
}

/// How a contender is started for a case.
type Start = Box<dyn Fn(&Scene) -> Result<Running, String>>;

/// One row of a case's table.
pub struct Entry {
    pub name: String,
    pub start: Start,
}

/// One table.
pub struct Case {
    pub name: &'static str,
    pub question: &'static str,
    pub doing: Doing,
    pub expect: u16,
    /// Whether latency is measured too.
    pub paced: bool,
    pub entries: Vec<Entry>,
}

/// Every case there is.
///
/// Bearer tokens come here when the gateway takes them: a `Gate` whose requests show [`Scene::token`], beside the Envoy
/// rows with `jwt_authn`, cached and not.
pub fn all(options: &Options) -> Vec<Case> {
    let hot = Gate::default();
    let many = Gate { sessions: options.sessions, ..Gate::default() };
    vec![
        Case {
            name: "hot",
            question: "A person who is signed in opens page after page (1 KiB each): the whole field.",
            doing: Doing::Requests,
            expect: 200,
            paced: true,
            entries: field("/app/1k", &hot, |_| true),
        },
        Case {
            name: "many",
            question: "Each request is another person's, of `--sessions` whom the gateway has met. A session that nobody used for two \
                       seconds is asked for in the store again, so above some 2 × requests/s of them this is mostly the store.",
            doing: Doing::Requests,
            expect: 200,
            paced: true,
            entries: vec![
                base("/app/1k"),
                gate("zengate, one session", "/app/1k", &hot),
                gate("zengate, many", "/app/1k", &many),
            ],
        },
        Case {
            name: "redis",
            question: "The session is in Redis: cached in process, or asked for on each request (room for one in process).",
            doing: Doing::Requests,
            expect: 200,
            paced: true,
            entries: together([
                vec![
                    base("/app/1k"),
                    gate("zengate, Redis, cached", "/app/1k", &Gate { store: Store::Redis, ..hot.clone() }),
                    gate(
                        "zengate, Redis, asked each time",
                        "/app/1k",
                        &Gate { store: Store::Redis, cached: Some(1), ..many.clone() },
                    ),
                ],
                peers("/app/1k", |name| name == "apache + oidc, Redis"),
            ]),
        },
        Case {
            name: "anonymous",
            question: "Somebody who is not signed in opens a page and is sent to sign in.",
            doing: Doing::Requests,
            expect: 302,
            paced: true,
            entries: together([vec![gate("zengate", "/app/1k", &hot)], peers("/app/1k", signs_in)])
                .into_iter()
                .map(without_session)
                .collect(),
        },
        Case {
            name: "sign-ins",
            question: "Whole sign-ins a second, eight people at once; what the carriers and the browsers spend is not counted.",
            doing: Doing::SignIns,
            expect: 200,
            paced: false,
            entries: together([
                vec![
                    gate("zengate, embedded store", "/app", &hot),
                    gate("zengate, Redis", "/app", &Gate { store: Store::Redis, ..hot.clone() }),
                    gate("zengate, memory", "/app", &Gate { store: Store::Memory, ..hot.clone() }),
                ],
                peers("/app", signs_in),
            ]),
        },
        Case {
            name: "tiny",
            question: "Answers of 17 bytes.",
            doing: Doing::Requests,
            expect: 200,
            paced: false,
            entries: field("/app/tiny", &hot, few),
        },
        Case {
            name: "large",
            question: "Answers of 1 MiB.",
            doing: Doing::Requests,
            expect: 200,
            paced: false,
            entries: field("/app/1m", &hot, few),
        },
        Case {
            name: "routes",
            question: "One session, requests to each route in turn.",
            doing: Doing::Requests,
            expect: 200,
            paced: false,
            entries: vec![
                base("/app/1k"),
                gate("zengate, 1 route", "/app/1k", &hot),
                gate("zengate, 10 routes", "/app/1k", &Gate { routes: 10, ..hot.clone() }),
                gate("zengate, 100 routes", "/app/1k", &Gate { routes: 100, ..hot.clone() }),
                gate("zengate, 1,000 hosts", "/app/1k", &Gate { hosts: 1000, ..hot.clone() }),
            ],
        },
        Case {
            name: "headers",
            question: "How many identity headers the app is told.",
            doing: Doing::Requests,
            expect: 200,
            paced: false,
            entries: vec![
                base("/app/1k"),
                gate("zengate, none", "/app/1k", &Gate { headers: 0, ..hot.clone() }),
                gate("zengate, 8 headers", "/app/1k", &Gate { headers: 8, ..hot.clone() }),
                gate("zengate, 40 headers", "/app/1k", &Gate { headers: 40, ..hot.clone() }),
            ],
        },
    ]
}

/// Peers that sign people in by themselves.
fn signs_in(name: &str) -> bool {
    name.contains("oidc") || name.contains("oauth2")
}

/// Peers that stand for the others where the question is not authentication.
fn few(name: &str) -> bool {
    ["nginx", "nginx + auth_request", "haproxy", "envoy"].contains(&name)
}

fn field(path: &'static str, own: &Gate, wanted: fn(&str) -> bool) -> Vec<Entry> {
    together([vec![base(path), gate("zengate", path, own)], peers(path, wanted)])
}

fn base(path: &'static str) -> Entry {
    Entry { name: BASE.to_owned(), start: Box::new(move |scene| Ok(bare(scene, path))) }
}

fn gate(name: &str, path: &'static str, gate: &Gate) -> Entry {
    let gate = gate.clone();
    Entry { name: name.to_owned(), start: Box::new(move |scene| zengate::start(scene, path, &gate)) }
}

fn peers(path: &'static str, wanted: fn(&str) -> bool) -> Vec<Entry> {
    let wanted = PEERS.iter().filter(|peer| wanted(peer.name));
    wanted
        .map(|peer| Entry { name: peer.name.to_owned(), start: Box::new(move |scene| (peer.start)(scene, path)) })
        .collect()
}

/// The same contender, asked by somebody without its cookie.
fn without_session(entry: Entry) -> Entry {
    let start = move |scene: &Scene| {
        let mut running = (entry.start)(scene)?;
        running.requests = vec![visit(&running.authority)];
        Ok(running)
    };
    Entry { name: entry.name, start: Box::new(start) }
}

/// A page, opened in a browser that has never been here.
fn visit(host: &str) -> Vec<u8> {
    format!(
        "GET /app/1k HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: text/html\r\nAccept-Language: en\r\n\r\n"
    )
    .into_bytes()
}

fn together<const N: usize>(groups: [Vec<Entry>; N]) -> Vec<Entry> {
    groups.into_iter().flatten().collect()
}
