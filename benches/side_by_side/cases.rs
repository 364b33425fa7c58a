//! What is measured. A new case is one more entry of [`all`].

use crate::contenders::zengate::{Gate, Store, Tokens};
use crate::contenders::{BASE, Credential, PEERS, Running, bare, request, zengate};
use crate::options::Options;
use crate::stage::scene::Scene;

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Requests, all to be answered with the case's status.
    Requests,
    /// Whole sign-ins.
    SignIns,
}

/// Which latencies are measured, beside the CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    No,
    /// At the rate that was asked for.
    Given,
    /// Of one connection; then at half of the peak rate of the base.
    HalfOfPeak,
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
    pub timed: Timed,
    pub entries: Vec<Entry>,
}

/// Sessions that take turns where Redis is asked for each: more than requests can be under way.
const TURNS: usize = 1000;

/// Every case there is.
pub fn all(options: &Options) -> Vec<Case> {
    let hot = Gate::default();
    let many = Gate { sessions: options.sessions, ..Gate::default() };
    let roomy = Gate { cached: Some(2 * options.sessions), ..many.clone() };
    let shared = Gate { store: Store::Redis, ..roomy.clone() };
    vec![
        Case {
            name: "hot",
            question: "A person who is signed in opens page after page (1 KiB each): the whole field.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::Given,
            entries: field("/app/1k", &hot, |_| true),
        },
        Case {
            name: "many",
            question: "Each request is another person's, of `--sessions` whom the gateway has met: by default it holds 100,000, and \
                       once with room for twice as many as there are. In Redis, to which other gateways write as well, a session \
                       that nobody used for two seconds is asked for again, so above some 2 × requests/s of them that row is \
                       mostly Redis.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::Given,
            entries: vec![
                base("/app/1k"),
                gate("zengate, one session", "/app/1k", &hot),
                gate("zengate, many", "/app/1k", &many),
                gate("zengate, many, room for all", "/app/1k", &roomy),
                gate("zengate, many, room for all, Redis", "/app/1k", &shared),
            ],
        },
        Case {
            name: "redis",
            question: "The session is in Redis: cached in process, or asked for on each request (room for one in process).",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::Given,
            entries: together([
                vec![
                    base("/app/1k"),
                    gate("zengate, hot", "/app/1k", &hot),
                    gate("zengate, Redis, cached", "/app/1k", &Gate { store: Store::Redis, ..hot.clone() }),
                    gate(
                        "zengate, Redis, asked each time",
                        "/app/1k",
                        &Gate { store: Store::Redis, sessions: TURNS, cached: Some(1), ..hot.clone() },
                    ),
                ],
                peers("/app/1k", |name| name == "apache + oidc, Redis"),
            ]),
        },
        Case {
            name: "bearer",
            question: "Programs show access tokens (RS256) that were seen before, one after the other.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::Given,
            entries: bearers(Tokens::Remembered, |name| name == "envoy + jwt_authn, cached"),
        },
        Case {
            name: "bearer-unseen",
            question: "The same tokens, but nothing is remembered of them: each request costs a signature.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::Given,
            entries: bearers(Tokens::Forgotten, |name| name == "envoy + jwt_authn"),
        },
        Case {
            name: "latency",
            question: "How long one person waits: a single connection that sends its next request when it has its answer; then \
                       many, at half of the rate that bare pingora gives at its peak.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::HalfOfPeak,
            entries: field("/app/1k", &hot, |name| ["nginx", "nginx + auth_request"].contains(&name)),
        },
        Case {
            name: "anonymous",
            question: "Somebody who is not signed in opens a page and is sent to sign in.",
            doing: Doing::Requests,
            expect: 302,
            timed: Timed::Given,
            entries: together([vec![gate("zengate", "/app/1k", &hot)], peers("/app/1k", signs_in)])
                .into_iter()
                .map(without_session)
                .collect(),
        },
        Case {
            name: "sign-ins",
            question: "Whole sign-ins a second, eight people at once, each in a new browser.",
            doing: Doing::SignIns,
            expect: 200,
            timed: Timed::No,
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
            timed: Timed::No,
            entries: field("/app/tiny", &hot, few),
        },
        Case {
            name: "large",
            question: "Answers of 1 MiB.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::No,
            entries: field("/app/1m", &hot, few),
        },
        Case {
            name: "routes",
            question: "One session, requests to each route in turn.",
            doing: Doing::Requests,
            expect: 200,
            timed: Timed::No,
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
            timed: Timed::No,
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

/// Contenders that take access tokens, and the base with the same requests.
fn bearers(tokens: Tokens, wanted: fn(&str) -> bool) -> Vec<Entry> {
    const PATH: &str = "/app/1k";
    // One header, as Envoy is told to send.
    let own = Gate { tokens: Some(tokens), headers: 1, ..Gate::default() };
    field(PATH, &own, wanted).into_iter().map(|entry| with_tokens(PATH, entry)).collect()
}

/// The same contender, asked with one token after the other.
fn with_tokens(path: &'static str, entry: Entry) -> Entry {
    let start = move |scene: &Scene| {
        let mut running = (entry.start)(scene)?;
        let shown = |token: &String| request(path, &running.authority, &Credential::Bearer(token.clone()));
        running.requests = scene.tokens()?.all.iter().map(shown).collect();
        Ok(running)
    };
    Entry { name: entry.name, start: Box::new(start) }
}

fn together<const N: usize>(groups: [Vec<Entry>; N]) -> Vec<Entry> {
    groups.into_iter().flatten().collect()
}
