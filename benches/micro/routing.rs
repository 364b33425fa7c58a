//! Which route: the target made normal, and the table of routes.

use std::hint::black_box;

use criterion::Criterion;
use zengate::config::Config;
use zengate::route::path::NormalTarget;
use zengate::route::{RouteSettings, RouteTable, Traits};

pub(crate) fn steps(criterion: &mut Criterion) {
    let hundred_routes = routes(100);
    let thousand_hosts = (0..1_000)
        .map(|number| RouteSettings { host: format!("app-{number:03}.example.com"), ..hundred_routes[0].clone() })
        .collect();
    let one = table(hundred_routes[..1].to_vec());
    let hundred = table(hundred_routes);
    let thousand = table(thousand_hosts);
    let [first, fiftieth] = [&b"/app-000/wiki/page?id=1"[..], b"/app-050/wiki/page?id=1"]
        .map(|target| NormalTarget::parse(target).expect("a target"));

    let mut group = criterion.benchmark_group("routing");
    for (name, target) in [("plain", &b"/app-050/wiki/page?id=1"[..]), ("escapes", b"/app-050/wiki/a%20b/%C3%A5?id=1")]
    {
        assert!(NormalTarget::parse(target).is_ok(), "{name}");
        group.bench_function(format!("NormalTarget::parse, {name}"), |bencher| {
            bencher.iter(|| NormalTarget::parse(black_box(target)));
        });
    }
    for (name, table, host, target) in [
        ("1 route", &one, "localhost", &first),
        ("100 routes of one host", &hundred, "localhost", &fiftieth),
        ("1,000 hosts of one route", &thousand, "app-500.example.com", &first),
    ] {
        group.bench_function(format!("RouteTable::find, {name}"), |bencher| {
            bencher.iter(|| _ = black_box(table.find(black_box(host), target, Traits::page())));
        });
    }
    group.finish();
}

/// Routes of one host.
pub(crate) fn routes(count: usize) -> Vec<RouteSettings> {
    let routes: String = (0..count)
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
    Config::parse(&text, "bench.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}")).0.routes
}

fn table(routes: Vec<RouteSettings>) -> RouteTable {
    RouteTable::compile(routes).unwrap_or_else(|faults| panic!("{faults:?}"))
}
