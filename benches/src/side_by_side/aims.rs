//! What we aim at. Ratios of two rows of one table, nothing that has a unit.

use crate::aims::{Aim, Found};
use crate::contender::BASE;
use crate::figures::Figure;
use crate::measure::{Case, Row, Table};
use crate::tables::{FEW, is_idle};

/// A case, a row of it, and by whose figure that row's is divided; without, the figure is a ratio already.
type Rows = (&'static str, &'static str, Option<&'static str>);

const HOT: &str = "zengate";
const OF_BASE: Option<&str> = Some(BASE);

/// What is aimed at; of which rows which figure; target and stretch, if it is not reported only.
type Line = (&'static str, Rows, Figure, Option<(f64, f64)>);

const AIMS: &[Line] = &[
    ("signed in, hot session ÷ bare pingora", ("hot", HOT, OF_BASE), Figure::Cpu, Some((1.10, 1.05))),
    (
        "another session each time, default settings ÷ bare pingora",
        ("many", "zengate, many", OF_BASE),
        Figure::Cpu,
        Some((1.20, 1.10)),
    ),
    (
        "another session each time, room for all ÷ bare pingora",
        ("many", "zengate, many, room for all", OF_BASE),
        Figure::Cpu,
        Some((1.20, 1.10)),
    ),
    ("hot ÷ nginx without authentication", ("hot", HOT, Some("nginx")), Figure::Cpu, Some((2.1, 1.6))),
    ("hot ÷ nginx + auth_request", ("hot", HOT, Some("nginx + auth_request")), Figure::Cpu, Some((1.0, 0.75))),
    ("hot ÷ envoy + oauth2", ("hot", HOT, Some("envoy + oauth2")), Figure::Cpu, Some((0.38, 0.30))),
    ("hot ÷ apache + oidc, Redis", ("hot", HOT, Some("apache + oidc, Redis")), Figure::Cpu, Some((0.12, 0.09))),
    ("hot ÷ traefik + forwardAuth", ("hot", HOT, Some("traefik + forwardAuth")), Figure::Cpu, Some((0.17, 0.13))),
    ("hot ÷ caddy + forward_auth", ("hot", HOT, Some("caddy + forward_auth")), Figure::Cpu, Some((0.17, 0.13))),
    (
        "bearer RS256, unseen ÷ envoy + jwt_authn",
        ("bearer-unseen", HOT, Some("envoy + jwt_authn")),
        Figure::Cpu,
        Some((0.65, 0.50)),
    ),
    (
        "bearer, seen before ÷ envoy + jwt_authn, cached",
        ("bearer", HOT, Some("envoy + jwt_authn, cached")),
        Figure::Cpu,
        Some((0.60, 0.50)),
    ),
    (
        "session only in Redis ÷ hot",
        ("redis", "zengate, Redis, asked each time", Some("zengate, hot")),
        Figure::Cpu,
        Some((1.35, 1.2)),
    ),
    ("one connection, p50 ÷ bare pingora", ("latency", HOT, OF_BASE), Figure::OneP50, Some((1.10, 1.05))),
    ("p99 at half of peak rate ÷ bare pingora", ("latency", HOT, OF_BASE), Figure::P99, Some((1.15, 1.05))),
    (
        "1,000 hosts ÷ 1 route",
        ("routes", "zengate, 1,000 hosts", Some("zengate, 1 route")),
        Figure::Cpu,
        Some((1.05, 1.0)),
    ),
    ("sign-ins: our part of the servers' CPU time", ("sign-ins", "zengate, embedded store", None), Figure::Share, None),
];

/// All of them, nothing measured yet.
pub(crate) fn all() -> Vec<Aim> {
    AIMS.iter()
        .map(|(words, .., at_most)| Aim::new(words, *at_most, "", 2, "its case was not run".to_owned()))
        .collect()
}

/// Whether every aim names rows that there are: a contender that was given another name would be "not measured" for ever.
pub(crate) fn check(cases: &[Case]) -> Result<(), String> {
    for (words, (case, row, base), ..) in AIMS {
        let entries = cases.iter().find(|one| one.name == *case).map(|case| &case.entries[..]).unwrap_or_default();
        if [Some(*row), *base].into_iter().flatten().any(|name| entries.iter().all(|entry| entry.name != name)) {
            return Err(format!("the aim {words:?} names a row that case {case:?} does not have"));
        }
    }
    Ok(())
}

/// Writes down what the table of a case says of its aims.
pub(crate) fn judge(aims: &mut [Aim], case: &str, table: &Table) {
    for (aim, (_, (_, row, base), figure, _)) in aims.iter_mut().zip(AIMS).filter(|(_, aim)| aim.1.0 == case) {
        aim.found = ratio(table, *figure, row, *base).map(|found| {
            // What the ratio to a peer would be if all we did were free.
            let peer = base.filter(|name| *name != BASE && !name.starts_with(HOT));
            let floor = peer.and_then(|peer| ratio(table, *figure, BASE, Some(peer)).ok());
            Found { floor: floor.map(|floor| floor.middle), ..found }
        });
    }
}

/// The ratio of the medians and that of the lowest figures, or why there is none.
fn ratio(table: &Table, figure: Figure, row: &str, base: Option<&str>) -> Result<Found, String> {
    // A peak that was none is half of nothing; one connection and sign-ins do not keep a core busy anyway.
    let saturated = matches!(figure, Figure::Cpu | Figure::P99);
    let doubts = |row: &Row| row.kept.all(figure).len() < FEW || (saturated && is_idle(row));
    let of = |name: &str| {
        let row = table.rows.iter().find(|row| row.name == name).ok_or(format!("{name} was not in the run"))?;
        let figures = (row.kept.median(figure), row.kept.lowest(figure), doubts(row));
        if figures.0.is_finite() { Ok(figures) } else { Err(format!("no round of {name} was kept")) }
    };
    let (middle, lowest, doubtful) = of(row)?;
    let (base_middle, base_lowest, base_doubtful) = base.map_or(Ok((1.0, 1.0, false)), of)?;
    let found = Found::of(middle / base_middle, String::new()).ok_or("no ratio")?;
    Ok(Found { lowest: Some(lowest / base_lowest), doubtful: doubtful || base_doubtful, ..found })
}
