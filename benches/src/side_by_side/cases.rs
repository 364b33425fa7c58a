//! What is measured. A new case is one more entry of [`all`].

use crate::contender::{BASE, Running, bare};
use crate::gate::{Gate, Store, Tokens, earlier};
use crate::measure::{Case, Doing, Entry, Timed};
use crate::peers::{PEERS, Peer};
use crate::requests::{Credential, Requests, request};
use crate::scene::Scene;

/// Sessions that take turns where Redis is asked for each: more than requests can be under way.
const TURNS: usize = 1000;

/// Answers of 1 KiB.
const PAGE: &str = "/app/1k";

/// Every case there is; `sessions` take turns where each request is another person's.
pub(crate) fn all(sessions: usize) -> Vec<Case> {
    let hot = Gate::default();
    let in_redis = Gate { store: Store::Redis, ..hot.clone() };
    let many = Gate { sessions, ..hot.clone() };
    let roomy = Gate { cached: Some(2 * sessions), ..many.clone() };
    vec![
        Case {
            entries: builds(&hot).chain(peers(PAGE, |_| true)).collect(),
            ..case(
                "hot",
                "A person who is signed in opens page after page (1 KiB each): the whole field.",
                Timed::Given,
            )
        },
        Case {
            entries: vec![
                base(PAGE),
                gate("zengate, one session", PAGE, &hot),
                gate("zengate, many", PAGE, &many),
                gate("zengate, many, room for all", PAGE, &roomy),
                gate("zengate, many, room for all, Redis", PAGE, &Gate { store: Store::Redis, ..roomy.clone() }),
            ],
            ..case(
                "many",
                "Each request is another person's, of `--sessions` whom the gateway has met: by default it holds 100,000, and \
                 once with room for twice as many as there are. In Redis, to which other gateways write as well, a session \
                 that nobody used for two seconds is asked for again, so above some 2 × requests/s of them that row is \
                 mostly Redis.",
                Timed::Given,
            )
        },
        Case {
            entries: vec![
                base(PAGE),
                gate("zengate, hot", PAGE, &hot),
                gate("zengate, Redis, cached", PAGE, &in_redis),
                gate(
                    "zengate, Redis, asked each time",
                    PAGE,
                    &Gate { sessions: TURNS, cached: Some(1), ..in_redis.clone() },
                ),
            ]
            .into_iter()
            .chain(peers(PAGE, |peer| peer.name == "apache + oidc, Redis"))
            .collect(),
            ..case(
                "redis",
                "The session is in Redis: cached in process, or asked for on each request (room for one in process).",
                Timed::Given,
            )
        },
        Case {
            entries: bearers(Tokens::Remembered, |peer| peer.name == "envoy + jwt_authn, cached"),
            ..case(
                "bearer",
                "Programs show access tokens (RS256) that were seen before, one after the other.",
                Timed::Given,
            )
        },
        Case {
            entries: bearers(Tokens::Forgotten, |peer| peer.name == "envoy + jwt_authn"),
            ..case(
                "bearer-unseen",
                "The same tokens, but nothing is remembered of them: each request costs a signature.",
                Timed::Given,
            )
        },
        Case {
            entries: field(PAGE, &hot, |peer| ["nginx", "nginx + auth_request"].contains(&peer.name)),
            ..case(
                "latency",
                "How long one person waits: a single connection that sends its next request when it has its answer; then \
                 many, at half of the rate that bare pingora gives at its peak.",
                Timed::HalfOfPeak,
            )
        },
        Case {
            entries: [gate("zengate", PAGE, &hot)]
                .into_iter()
                .chain(peers(PAGE, Peer::signs_in))
                .map(|entry| asked(entry, |_, running| Ok(vec![visit(&running.authority)])))
                .collect(),
            expect: 302,
            ..case("anonymous", "Somebody who is not signed in opens a page and is sent to sign in.", Timed::Given)
        },
        Case {
            entries: [
                gate("zengate, embedded store", "/app", &hot),
                gate("zengate, Redis", "/app", &in_redis),
                gate("zengate, memory", "/app", &Gate { store: Store::Memory, ..hot.clone() }),
            ]
            .into_iter()
            .chain(peers("/app", Peer::signs_in))
            .collect(),
            doing: Doing::SignIns,
            ..case("sign-ins", "Whole sign-ins a second, eight people at once, each in a new browser.", Timed::No)
        },
        Case { entries: field("/app/tiny", &hot, few), ..case("tiny", "Answers of 17 bytes.", Timed::No) },
        Case { entries: field("/app/1m", &hot, few), ..case("large", "Answers of 1 MiB.", Timed::No) },
        Case {
            entries: vec![
                base(PAGE),
                gate("zengate, 1 route", PAGE, &hot),
                gate("zengate, 10 routes", PAGE, &Gate { routes: 10, ..hot.clone() }),
                gate("zengate, 100 routes", PAGE, &Gate { routes: 100, ..hot.clone() }),
                gate("zengate, 1,000 hosts", PAGE, &Gate { hosts: 1000, ..hot.clone() }),
            ],
            ..case("routes", "One session, requests to each route in turn.", Timed::No)
        },
        Case {
            entries: vec![
                base(PAGE),
                gate("zengate, none", PAGE, &Gate { headers: Some(0), ..hot.clone() }),
                gate("zengate, 8 headers", PAGE, &Gate { headers: Some(8), ..hot.clone() }),
                gate("zengate, 40 headers", PAGE, &Gate { headers: Some(40), ..hot }),
            ],
            ..case("headers", "How many identity headers the app is told.", Timed::No)
        },
    ]
}

fn case(name: &'static str, question: &str, timed: Timed) -> Case {
    let question = question.to_owned();
    Case { name, question, doing: Doing::Requests, expect: 200, timed, entries: Vec::new() }
}

/// Peers that stand for the others where the question is not authentication.
fn few(peer: &Peer) -> bool {
    ["nginx", "nginx + auth_request", "haproxy", "envoy"].contains(&peer.name)
}

fn field(path: &'static str, own: &Gate, wanted: fn(&Peer) -> bool) -> Vec<Entry> {
    [base(path), gate("zengate", path, own)].into_iter().chain(peers(path, wanted)).collect()
}

/// The base and the gateway; and an earlier build of it, if one is named. Records of sessions have another form there, so
/// then people sign in at both, and sessions are kept where nobody could put them from outside.
fn builds(own: &Gate) -> impl Iterator<Item = Entry> {
    let before = earlier().map(|program| Gate { program: Some(program), store: Store::Memory, ..own.clone() });
    let now = before.as_ref().map_or(own.clone(), |before| Gate { program: None, ..before.clone() });
    let before = before.map(|before| gate("zengate before", PAGE, &before));
    [base(PAGE), gate("zengate", PAGE, &now)].into_iter().chain(before)
}

fn base(path: &'static str) -> Entry {
    Entry { name: BASE.to_owned(), size: 0, start: Box::new(move |scene| Ok(bare(scene, path))) }
}

fn gate(name: &str, path: &'static str, gate: &Gate) -> Entry {
    let gate = gate.clone();
    Entry { name: name.to_owned(), size: 0, start: Box::new(move |scene| gate.start(scene, path)) }
}

fn peers(path: &'static str, wanted: fn(&Peer) -> bool) -> impl Iterator<Item = Entry> {
    PEERS.iter().filter(move |peer| wanted(peer)).map(move |peer| Entry {
        name: peer.name.to_owned(),
        size: 0,
        start: Box::new(move |scene| peer.start(scene, path)),
    })
}

/// Contenders that take access tokens, and the base with the same requests: one token after the other.
fn bearers(tokens: Tokens, wanted: fn(&Peer) -> bool) -> Vec<Entry> {
    // One header, as Envoy is told to send.
    let own = Gate { tokens: Some(tokens), headers: Some(1), ..Gate::default() };
    let with_tokens = |scene: &Scene, running: &Running| {
        let shown = |token: &String| request(PAGE, &running.authority, &Credential::Bearer(token.clone()));
        Ok(scene.tokens()?.all.iter().map(shown).collect())
    };
    field(PAGE, &own, wanted).into_iter().map(|entry| asked(entry, with_tokens)).collect()
}

/// The same contender, asked something else.
fn asked(entry: Entry, requests: impl Fn(&Scene, &Running) -> Result<Vec<Vec<u8>>, String> + 'static) -> Entry {
    let Entry { name, size, start } = entry;
    let start = move |scene: &Scene| {
        let mut running = start(scene)?;
        running.requests = Requests::turns(&running.authority, requests(scene, &running)?);
        Ok(running)
    };
    Entry { name, size, start: Box::new(start) }
}

/// A page, opened in a browser that has never been here.
fn visit(host: &str) -> Vec<u8> {
    format!(
        "GET {PAGE} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: text/html\r\nAccept-Language: en\r\n\r\n"
    )
    .into_bytes()
}
