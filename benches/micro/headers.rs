//! What the app gets to read: names that are ours alone, and the identity.

use std::hint::black_box;

use criterion::Criterion;
use http::HeaderName;
use zengate::identity::headers::{Encoding, HeaderPlan, HeaderRule, IdentityHeaderSettings, Reserved, TooLong};

use crate::{routing, sealing};

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
const CLAIMS: [&str; 8] = ["sub", "iss", "name", "email", "phone_number", "acr", "amr", "mccmnc"];

pub(crate) fn steps(criterion: &mut Criterion) {
    let session = sealing::session();
    let presets = plan(&routing::routes(1)[0].identity_headers);
    let reserved = Reserved::build(std::iter::once(&presets), &[]);
    let names = NAMES.map(HeaderName::from_static);
    let rule = |(place, claim): (usize, &&str)| HeaderRule {
        name: format!("X-Bench-{place}"),
        claim: (*claim).to_owned(),
        encoding: Encoding::Percent,
        too_long: TooLong::LeaveOut,
    };
    let eight =
        plan(&IdentityHeaderSettings { map: CLAIMS.iter().enumerate().map(rule).collect(), ..Default::default() });
    let identity = eight.render(session.identity());

    let mut group = criterion.benchmark_group("headers");
    group.bench_function("Reserved::covers, 15 names", |bencher| {
        bencher.iter(|| names.iter().filter(|name| reserved.covers(black_box(name.as_str()))).count());
    });
    group.bench_function("HeaderPlan::render, 8 headers", |bencher| {
        bencher.iter(|| eight.render(black_box(session.identity())));
    });
    group.bench_function("HeaderSet, 8 headers for one request", |bencher| {
        bencher.iter(|| identity.iter().for_each(|(name, value)| drop(black_box((name.clone(), value)))));
    });
    group.finish();
}

fn plan(settings: &IdentityHeaderSettings) -> HeaderPlan {
    HeaderPlan::compile(settings).unwrap_or_else(|faults| panic!("{faults:?}"))
}
