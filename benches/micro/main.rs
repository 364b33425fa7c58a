//! Nanoseconds of the steps of a signed-in request, without sockets: what to look at when the whole grows dearer.
//!
//! `cargo bench --bench micro`. Each step runs in batches of about a millisecond; the median of the batches is printed,
//! with the fastest. Steps take turns, so a slow spell hits all of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on ends")]

#[allow(dead_code, reason = "shared with benches that need more of it")]
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with a bench that needs more of it")]
#[path = "../side_by_side/seed.rs"]
mod seed;
mod tokens;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use common::{median, spread};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zengate::config::Config;
use zengate::identity::headers::{Encoding, HeaderPlan, HeaderRule, IdentityHeaderSettings, Reserved};
use zengate::route::path::NormalTarget;
use zengate::route::{RouteSettings, RouteTable};
use zengate::secret::{SecretString, SystemEntropy};
use zengate::session::cache::{CacheLimits, SessionCache};
use zengate::session::key::from_client_secret;
use zengate::session::seal::{SealKeys, Sealer};
use zengate::session::store::StoreError;
use zengate::session::{Session, SessionId};
use zengate::web::cookie::{CookieNames, find_cookie, strip_cookies};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: usize = 25;
const BATCH: Duration = Duration::from_millis(1);
const SESSIONS: usize = 20_000;
/// Header names of a browser behind a front proxy.
const NAMES: [&str; 15] = [
    "host",
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "cookie",
    "referer",
    "connection",
    "upgrade-insecure-requests",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "priority",
    "x-forwarded-for",
    "x-auth-request-user",
];

struct Step<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    count: u32,
    nanos: Vec<f64>,
}

fn main() -> ExitCode {
    // `cargo test --benches` runs benches too; a measurement is nothing to be had by the way.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let seeds = seed::sessions(SESSIONS, "http://127.0.0.1:4193").expect("sessions");
    let own = from_client_secret(&SecretString::new(seed::CLIENT_SECRET));
    let sealer = Sealer::new(SealKeys::new(Some(own), Vec::new()));
    let first = SessionId::parse(&seeds[0].cookie).expect("an id");
    let session = sealer.open_session(&first, &seeds[0].record).expect("a session");
    let cache: SessionCache<Session, StoreError> = SessionCache::new(CacheLimits::default());
    let now = SystemTime::now();
    for seed in &seeds {
        let id = SessionId::parse(&seed.cookie).expect("an id");
        let session = sealer.open_session(&id, &seed.record).expect("a session");
        cache.insert(seed.key, session, now);
    }
    let mut place = 0;
    let mut in_turn = || {
        // A stride that no cache line guesses.
        place = (place + 7919) % SESSIONS;
        seeds[place].key
    };

    let names = CookieNames::default();
    let mut headers = HeaderMap::new();
    let cookies = format!("theme=dark; _ga=GA1.1.100; {}={}; lang=en; csrf=abcdef", names.session, seeds[0].cookie);
    headers.insert(header::COOKIE, HeaderValue::try_from(cookies).expect("a header"));
    let config = config();
    let table = |count: usize| {
        let routes: Vec<_> = config.routes.iter().take(count).cloned().collect();
        RouteTable::compile(routes).unwrap_or_else(|faults| panic!("{faults:?}"))
    };
    let (one, hundred) = (table(1), table(100));
    let hosts: Vec<RouteSettings> = (0..1_000)
        .map(|number| RouteSettings { host: format!("app-{number:03}.example.com"), ..config.routes[0].clone() })
        .collect();
    let thousand = RouteTable::compile(hosts).unwrap_or_else(|faults| panic!("{faults:?}"));
    let plan = HeaderPlan::compile(&config.routes[0].identity_headers).unwrap_or_else(|faults| panic!("{faults:?}"));
    let reserved = Reserved::build(std::iter::once(&plan));
    let fields: Vec<HeaderName> = NAMES.iter().map(|name| HeaderName::from_static(name)).collect();
    let [first_route, target] = [&b"/app-000/wiki/page?id=1"[..], b"/app-050/wiki/page?id=1"]
        .map(|target| NormalTarget::parse(target).expect("a target"));

    let rule = |(place, claim): (usize, &&str)| HeaderRule {
        name: format!("X-Bench-{place}"),
        claim: (*claim).to_owned(),
        encoding: Encoding::Percent,
    };
    let map = ["sub", "iss", "name", "email", "phone_number", "acr", "amr", "mccmnc"].iter().enumerate().map(rule);
    let eight = HeaderPlan::compile(&IdentityHeaderSettings { presets: Vec::new(), map: map.collect() })
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let identity = eight.render(session.identity());
    let (rs256, es256) = (tokens::Signed::rs256(), tokens::Signed::es256());

    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut step = |name, run: Box<dyn FnMut()>| steps.push(Step { name, run, count: 1, nanos: Vec::new() });
    step(
        "find_cookie, third of five",
        Box::new(|| {
            black_box(find_cookie(black_box(&headers), &names.session));
        }),
    );
    step(
        "SessionId::parse and store_key",
        Box::new(|| {
            black_box(SessionId::parse(black_box(&seeds[0].cookie)).map(|id| id.store_key()));
        }),
    );
    step("cache, one hot session", Box::new(|| drop(black_box(cache.get(black_box(&seeds[0].key))))));
    step("cache, 20,000 sessions in turn", Box::new(|| drop(black_box(cache.get(&in_turn())))));
    step(
        "NormalTarget::parse",
        Box::new(|| drop(black_box(NormalTarget::parse(black_box(b"/app-050/wiki/page?id=1"))))),
    );
    step(
        "RouteTable::find, 1 route",
        Box::new(|| {
            black_box(one.find(black_box("localhost"), &first_route));
        }),
    );
    step(
        "RouteTable::find, 100 routes of one host",
        Box::new(|| {
            black_box(hundred.find(black_box("localhost"), &target));
        }),
    );
    step(
        "RouteTable::find, 1,000 hosts of one route",
        Box::new(|| {
            black_box(thousand.find(black_box("app-500.example.com"), &first_route));
        }),
    );
    step(
        "Reserved::covers, 15 names",
        Box::new(|| {
            black_box(fields.iter().filter(|name| reserved.covers(black_box(name))).count());
        }),
    );
    step(
        "strip_cookies, one of five is ours",
        Box::new(|| {
            black_box(strip_cookies(black_box(&headers), &names));
        }),
    );
    step(
        "HeaderSet, 8 headers for one request",
        Box::new(|| {
            for (name, value) in identity.iter() {
                black_box((name.clone(), value));
            }
        }),
    );
    step("HeaderPlan::render, 8 headers", Box::new(|| drop(black_box(eight.render(black_box(session.identity()))))));
    step("seal a session", Box::new(|| drop(black_box(sealer.seal_session(&first, &session, &SystemEntropy)))));
    step("open a session", Box::new(|| drop(black_box(sealer.open_session(&first, &seeds[0].record)))));

    step("access token RS256, unseen", Box::new(|| rs256.unseen()));
    step("RS256 signature, as the JWT library checks it", Box::new(|| rs256.by_library()));
    step("RS256 signature, key parsed each time", Box::new(|| rs256.parsed_each_time()));
    step("RS256 signature, key parsed before", Box::new(|| rs256.parsed_before()));
    step("access token ES256, unseen", Box::new(|| es256.unseen()));
    step("ES256 signature, as the JWT library checks it", Box::new(|| es256.by_library()));
    step("ES256 signature, key parsed each time", Box::new(|| es256.parsed_each_time()));
    step("ES256 signature, key parsed before", Box::new(|| es256.parsed_before()));

    for step in &mut steps {
        while time(step) < BATCH {
            step.count *= 2;
        }
    }
    for _ in 0..BATCHES {
        for step in &mut steps {
            let nanos = time(step).as_secs_f64() * 1e9 / f64::from(step.count);
            step.nanos.push(nanos);
        }
    }
    println!("| step | ns, median of {BATCHES} batches | fastest |\n|---|---|---|");
    for step in &steps {
        println!("| {} | {:.0} | {:.0} |", step.name, median(&step.nanos), spread(&step.nanos).0);
    }
    ExitCode::SUCCESS
}

fn time(step: &mut Step<'_>) -> Duration {
    let begin = Instant::now();
    for _ in 0..step.count {
        (step.run)();
    }
    begin.elapsed()
}

/// A hundred routes of one host.
fn config() -> Config {
    let routes: String = (0..100)
        .map(|number| {
            format!(
                "  - {{ host: localhost, path: /app-{number:03}, access: session, upstream: 'http://127.0.0.1:1' }}\n"
            )
        })
        .collect();
    let text = format!(
        "public_url: http://localhost:4180
provider: {{ oidc: {{ issuer: 'https://issuer.example.com', client_id: bench, client_secret: bench }} }}
sessions: {{ store: memory }}
routes:
{routes}"
    );
    Config::parse(&text, "bench.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}")).0
}
