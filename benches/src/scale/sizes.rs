//! Parts: sessions held, connections open, hosts and routes configured. Each size is a gateway of its own.

use std::time::Instant;

use crate::contender::{BASE, Held, Running, bare};
use crate::figures::{self, Figure, number, thousands};
use crate::gate::{Gate, Store, in_redis};
use crate::load::Lines;
use crate::measure::{self, Case, Doing, Entry, Row, Table, Timed};
use crate::plot::Panel;
use crate::requests::Requests;
use crate::scene::Scene;
use crate::seed;
use crate::seed::Crowd;
use crate::tables::{self, column, middle, rounds, spread};

use super::{HOSTS, MEMORY, Run, SESSIONS, files};

/// Connections while figures are taken.
pub(crate) const CONNECTIONS: usize = 64;

/// Requests under way at once over many connections, or one for each if there are fewer. With more, what is measured
/// would be the connections to the app, of which each request under way needs one.
const IN_FLIGHT: usize = 16;

/// Files that a proxy has open beside its clients' connections, at most.
const OTHERS: usize = 300;

/// Answers of 1 KiB.
const PAGE: &str = "/app/1k";

/// How a size of something is started.
type Start = Box<dyn Fn(&Scene, usize) -> Result<Running, String>>;

/// Measures a part: each of `sizes`, smallest first, which is what the others are compared with.
fn part(
    run: &mut Run<'_>,
    (name, question): (&'static str, String),
    sizes: &[usize],
    bases: &[usize],
    aim: Option<&str>,
    start: impl Fn(&Scene, usize) -> Result<Running, String> + Clone + 'static,
) -> Table {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    sizes.dedup();
    let entry = |name: &str, size: usize, start: Start| Entry {
        name: name.to_owned(),
        size,
        start: Box::new(move |scene| start(scene, size)),
    };
    let own = sizes.iter().map(|size| entry(name, *size, Box::new(start.clone())));
    let framework = bases.iter().map(|size| entry(BASE, *size, Box::new(alone)));
    let entries = framework.chain(own).collect();
    let case = Case { name, question, doing: Doing::Sizes, expect: 200, timed: Timed::No, entries };
    let table = measure::case(&case, run.scene, &run.rounds);
    run.report.sections += &text(&case, &table);
    if let (Some(aim), [first, .., last]) = (aim, &table.series(name)[..]) {
        let least = last.kept.lowest(Figure::Cpu) / first.kept.lowest(Figure::Cpu);
        let note = format!("({} to {}; of the lowest {least:.2})", thousands(first.size), thousands(last.size));
        run.found(aim, last.kept.median(Figure::Growth), note);
    }
    table
}

/// The framework alone: with `connections`, if there are any to be held.
fn alone(scene: &Scene, connections: usize) -> Result<Running, String> {
    let mut running = bare(scene, PAGE);
    running.lines = (connections > 0).then_some((connections, IN_FLIGHT));
    Ok(running)
}

fn text(case: &Case, table: &Table) -> String {
    let columns = [
        spread("CPU µs a request", Figure::Cpu, 1),
        column(&format!("÷ {BASE}"), |row, base| {
            number(base.map_or(f64::NAN, |base| row.kept.median(Figure::Cpu) / base.kept.median(Figure::Cpu)), 2)
        }),
        spread("÷ smallest, same round", Figure::Growth, 2),
        column("÷ smallest, of the lowest", |row, _| {
            let smallest = table.series(&row.name)[0].kept.lowest(Figure::Cpu);
            number(row.kept.lowest(Figure::Cpu) / smallest, 2)
        }),
        middle("the store was asked, a request", Figure::LookUps, 4),
        rounds(),
    ];
    let base_of =
        |row: &Row| table.rows.iter().find(|base| base.name == BASE && (base.size == row.size || base.size == 0));
    let name = |row: &Row| match (row.name.as_str(), row.size) {
        (BASE, 0) => BASE.to_owned(),
        (BASE, size) => format!("{}, {BASE}", thousands(size)),
        (_, size) => thousands(size),
    };
    let rows: Vec<&Row> = table.rows.iter().collect();
    let body = tables::text(case.name, &columns, &rows, base_of, name);
    let (missing, probe) = (tables::missing(table), tables::probe(table));
    format!("\n## {}\n\n{}\n\n{body}{missing}\n{probe}\n", case.name, case.question)
}

/// A gateway whose people are in Redis.
fn gate(crowd: Crowd) -> Gate {
    Gate { store: Store::Redis, crowd: Some(crowd), ..Gate::default() }
}

/// The people of all gateways of a part: they are put into Redis once.
fn crowd(run: &Run<'_>, count: usize) -> Result<(Crowd, f64), String> {
    let begin = Instant::now();
    let crowd = in_redis(run.scene, count, "scale:", seed::localhost)?;
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("   {count} people signed in after {seconds:.1} s");
    Ok((crowd, seconds))
}

/// People who are signed in, all held in process, each request another one's.
pub(crate) fn sessions(run: &mut Run<'_>) -> Result<(), String> {
    let sizes = &run.options.sessions;
    let most = sizes.iter().max().copied().unwrap_or(1);
    let (crowd, seeded) = crowd(run, most)?;
    let question = format!(
        "Each request is another person's; all are held in process, where a copy is trusted for five minutes \
         (`sessions.revalidate: 5m`), so that the store is not part of it. {CONNECTIONS} connections, answers of 1 KiB."
    );
    let start = move |scene: &Scene, size: usize| hold(scene, crowd.first(size));
    let table = part(run, ("sessions", question), sizes, &[0], Some(SESSIONS), start);
    run.panels.push(Panel::new("sessions held", &table, &[("sessions", "zengate")], Some(1.25)));
    let held: Vec<(usize, Held)> = table.rows.iter().filter_map(|row| Some((row.size, row.held?))).collect();
    // A gateway that was made for more has more tables that are empty: they count as what its sessions need.
    let empty_kib = held.iter().map(|(_, held)| held.empty_kib).min().unwrap_or_default();
    let each = |size: usize, held: &Held| held.full_kib.saturating_sub(empty_kib) as f64 * 1024.0 / size as f64;
    let rows = held.iter().map(|(size, held)| {
        let each = format!("{:.0}", each(*size, held));
        vec![thousands(*size), (held.full_kib >> 10).to_string(), each, format!("{:.1}", held.seconds)]
    });
    let none = vec!["0".to_owned(), (empty_kib >> 10).to_string(), "–".to_owned(), "–".to_owned()];
    let heads = ["sessions held", "memory MiB (PSS)", "bytes each", "asked for once, s"];
    let text = figures::table(&heads, [none].into_iter().chain(rows));
    run.report.sections += &format!("\n{text}\n{} sessions were put into Redis in {seeded:.0} s.\n", thousands(most));
    if let Some((size, held)) = held.last() {
        let note = format!("({} of them, 8 headers each)", thousands(*size));
        run.found(MEMORY, each(*size, held) / 1024.0, note);
    }
    Ok(())
}

/// A gateway that holds the sessions of all of `crowd`.
fn hold(scene: &Scene, crowd: Crowd) -> Result<Running, String> {
    let size = crowd.len();
    // Room for a quarter more: the shards of a cache never fill evenly, and one that is full makes room.
    let gate = Gate { cached: Some(size + size / 4 + 100), trusting: true, ..gate(crowd.clone()) };
    let mut running = gate.start(scene, PAGE)?;
    let one = Requests::of_people(&running.authority, PAGE, crowd.first(1), false);
    Lines::open(&one, CONNECTIONS, CONNECTIONS)?.so_many(2_000)?;
    let empty_kib = running.process.pss_kib();
    let all = Requests::of_people(&running.authority, PAGE, crowd, false);
    let begin = Instant::now();
    let mut outcome = Err("nobody asked".to_owned());
    // On a machine that is busy with other things Redis is late now and then, and who is told so has to ask again.
    for _attempt in 0..3 {
        outcome = Lines::open(&all, CONNECTIONS, CONNECTIONS)?.so_many(size);
        match &outcome {
            Ok(_) => break,
            Err(why) => eprintln!("   once more: {}", why.lines().next().unwrap_or_default()),
        }
    }
    outcome?;
    let seconds = begin.elapsed().as_secs_f64();
    measure::settle(&running);
    let full_kib = running.process.pss_kib();
    eprintln!("   {size} sessions held after {seconds:.1} s, {} MiB", full_kib >> 10);
    running.held = Some(Held { empty_kib, full_kib, seconds });
    Ok(running)
}

/// Connections that are open, all used in turn, beside the framework alone.
pub(crate) fn connections(run: &mut Run<'_>) -> Result<(), String> {
    let granted = files::granted().saturating_sub(OTHERS);
    let (sizes, left_out): (Vec<usize>, Vec<usize>) =
        run.options.connections.iter().partition(|size| **size <= granted);
    let room = sizes.iter().max().copied().unwrap_or_default() + OTHERS;
    let gate = Gate { connections: Some(room), ..gate(crowd(run, 1)?.0) };
    let start = move |scene: &Scene, size: usize| {
        let mut running = gate.start(scene, PAGE)?;
        running.lines = Some((size, IN_FLIGHT));
        Ok(running)
    };
    let question = "All connections are open and used in turn; one person, answers of 1 KiB.".to_owned();
    let table = part(run, ("connections", question), &sizes, &sizes, None, start);
    let names = [("connections", "zengate"), (BASE, BASE)];
    run.panels.push(Panel::new("open connections, at most 16 requests under way", &table, &names, None));
    let most = table.rows.iter().map(|row| row.size).max();
    let each = |row: &Row| {
        // The most of all rounds.
        let held = row.kept.all(Figure::HeldKib).iter().copied().fold(0.0, f64::max) / row.size as f64;
        format!("{held:.1} KiB with {} ({})", thousands(row.size), row.name.replace("connections", "zengate"))
    };
    let largest: Vec<String> = table.rows.iter().filter(|row| Some(row.size) == most).map(each).collect();
    run.report.sections += &format!(
        "{IN_FLIGHT} requests under way, or one a connection if there are fewer: a proxy that is woken for each alone pays \
         more for it. Memory of an open connection: {}.\n",
        largest.join(", ")
    );
    for size in left_out {
        let size = thousands(size);
        run.report.sections += &format!("\n**Not measured: {size} connections**: this machine grants too few files.\n");
    }
    Ok(())
}

/// Hosts, each with one route and a person of its own; they ask in turn.
pub(crate) fn hosts(run: &mut Run<'_>) -> Result<(), String> {
    let question = "Each host has one route, and somebody who is signed in there; they ask in turn.".to_owned();
    let start = |scene: &Scene, hosts: usize| Gate { hosts, store: Store::Redis, ..Gate::default() }.start(scene, PAGE);
    let table = part(run, ("hosts", question), &run.options.hosts, &[0], Some(HOSTS), start);
    run.panels.push(Panel::new("hosts", &table, &[("hosts", "zengate")], Some(1.05)));
    Ok(())
}

/// Routes of one host; one person asks all of them in turn.
pub(crate) fn routes(run: &mut Run<'_>) -> Result<(), String> {
    let question = "Routes of one host; one person asks them in turn.".to_owned();
    let gate = gate(crowd(run, 1)?.0);
    let start = move |scene: &Scene, routes: usize| Gate { routes, ..gate.clone() }.start(scene, PAGE);
    let table = part(run, ("routes", question), &run.options.routes, &[0], None, start);
    run.panels.push(Panel::new("routes of one host", &table, &[("routes", "zengate")], None));
    Ok(())
}
