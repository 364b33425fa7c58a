//! Who is it: the cookie, what it stands for, and the session in memory.

use std::hint::black_box;
use std::time::SystemTime;

use criterion::Criterion;
use http::{HeaderMap, HeaderValue, header};
use zengate::session::cache::{CacheLimits, SessionCache};
use zengate::session::store::StoreError;
use zengate::session::{Session, SessionId};
use zengate::web::cookie::{CookieNames, find_cookie, strip_cookies};

use crate::sealing;
use zengate_bench::seed::Seed;

/// Sessions to go through; more than the processor keeps near.
const SESSIONS: usize = 20_000;
/// From one session to the next: a stride that no cache line guesses.
const STRIDE: usize = 7919;

pub(crate) fn steps(criterion: &mut Criterion) {
    let seeds = sealing::seeds(SESSIONS);
    let sealer = sealing::sealer();
    let cache: SessionCache<Session, StoreError> = SessionCache::new(CacheLimits::default());
    let now = SystemTime::now();
    for seed in &seeds {
        let id = SessionId::parse(&seed.cookie).expect("an id");
        cache.insert(seed.key, sealer.open_session(&id, &seed.record).expect("a session"), now);
    }
    let names = CookieNames::default();
    let headers = cookies(&names, &seeds[0]);

    let mut group = criterion.benchmark_group("look-up");
    group.bench_function("find_cookie, third of five", |bencher| {
        bencher.iter(|| find_cookie(black_box(&headers), &names.session).is_some());
    });
    group.bench_function("strip_cookies, one of five is ours", |bencher| {
        bencher.iter(|| strip_cookies(black_box(&headers), &names));
    });
    group.bench_function("SessionId::parse and store_key", |bencher| {
        bencher.iter(|| SessionId::parse(black_box(&seeds[0].cookie)).map(|id| id.store_key()));
    });
    group.bench_function("cache, one hot session", |bencher| {
        bencher.iter(|| cache.get(black_box(&seeds[0].key)));
    });
    let mut place = 0;
    group.bench_function("cache, 20,000 sessions in turn", |bencher| {
        bencher.iter(|| {
            place = (place + STRIDE) % SESSIONS;
            cache.get(black_box(&seeds[place].key))
        });
    });
    group.finish();
}

/// Five cookies, the session's among them.
fn cookies(names: &CookieNames, seed: &Seed) -> HeaderMap {
    let cookies = format!("theme=dark; _ga=GA1.1.100; {}={}; lang=en; csrf=abcdef", names.session, seed.cookie);
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::try_from(cookies).expect("a header"));
    headers
}
