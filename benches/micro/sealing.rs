//! A session's record, made and opened.

use std::hint::black_box;

use criterion::Criterion;
use zengate::secret::{SecretString, SystemEntropy};
use zengate::session::key::from_client_secret;
use zengate::session::seal::{SealKeys, Sealer};
use zengate::session::{Session, SessionId};

use zengate_bench::seed::{self, Seed};

pub(crate) fn steps(criterion: &mut Criterion) {
    let (sealer, seeds) = (sealer(), seeds(1));
    let id = SessionId::parse(&seeds[0].cookie).expect("an id");
    let session = session();

    let mut group = criterion.benchmark_group("sealing");
    group.bench_function("seal a session", |bencher| {
        bencher.iter(|| sealer.seal_session(black_box(&id), &session, &SystemEntropy));
    });
    group.bench_function("open a session", |bencher| {
        bencher.iter(|| sealer.open_session(black_box(&id), &seeds[0].record));
    });
    group.finish();
}

/// Sessions as the store holds them.
pub(crate) fn seeds(count: usize) -> Vec<Seed> {
    seed::sessions(0..count, "http://127.0.0.1:4193", seed::localhost).expect("sessions")
}

/// What opens them.
pub(crate) fn sealer() -> Sealer {
    let own = from_client_secret(&SecretString::new(seed::CLIENT_SECRET));
    Sealer::new(SealKeys::new(Some(own), Vec::new()))
}

/// One of them, open.
pub(crate) fn session() -> Session {
    let seeds = seeds(1);
    let id = SessionId::parse(&seeds[0].cookie).expect("an id");
    sealer().open_session(&id, &seeds[0].record).expect("a session")
}
