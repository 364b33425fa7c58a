//! Part: people who are signed in, all held in process, each request another one's.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::crowd::Crowd;
use crate::gate::{self, Target};
use crate::load::{Lines, Requests};
use crate::options::Options;
use crate::rounds::{self, BASE, Subject, Table};
use crate::stage::gate::Plan;
use crate::stage::scene::Scene;

pub const NAME: &str = "sessions";

/// Connections while figures are taken.
pub const CONNECTIONS: usize = 64;

/// What is known of one size beside its cost.
pub struct Held {
    pub sessions: usize,
    /// Memory with none and with all of them held.
    pub empty_kib: u64,
    pub full_kib: u64,
    /// How long it took to ask for each once.
    pub warmed_seconds: f64,
}

/// Everything this part found.
pub struct Found {
    pub table: Table,
    pub held: Vec<Held>,
}

/// Measures every size.
pub fn measure(scene: &Scene, options: &Options, crowd: &Arc<Crowd>) -> Result<Found, String> {
    let path = "/app/1k";
    let mut subjects = Vec::new();
    let mut held = Vec::new();
    // The largest first: the others' copies are younger, and all must be younger than five minutes to the end.
    for &size in options.sessions.iter().rev() {
        let gate = Rc::new(gate::start(scene, &plan(scene, size)?)?);
        let one = Requests::of_people(Arc::clone(crowd), &gate.authority, path, 1, true);
        Lines::open(&gate.authority, CONNECTIONS, CONNECTIONS)?.so_many(&one, 2_000)?;
        let empty_kib = gate.process.pss_kib();
        let all = Requests::of_people(Arc::clone(crowd), &gate.authority, path, size, true);
        let begin = Instant::now();
        ask_all(&gate, &all, size)?;
        let warmed_seconds = begin.elapsed().as_secs_f64();
        rounds::settle(&gate);
        let full_kib = gate.process.pss_kib();
        eprintln!("   {size} sessions held after {warmed_seconds:.1} s, {} MiB", full_kib >> 10);
        held.push(Held { sessions: size, empty_kib, full_kib, warmed_seconds });
        let requests = Requests::of_people(Arc::clone(crowd), &gate.authority, path, size, false);
        subjects.push(subject(NAME, size, gate, requests));
    }
    let bare = Rc::new(gate::bare(scene));
    let requests = Requests::of_people(Arc::clone(crowd), &bare.authority, path, 1, true);
    subjects.push(subject(BASE, 0, bare, requests));
    subjects.reverse();
    held.reverse();
    // A gateway that was made for more has more tables that are empty: they count as what its sessions need.
    let least = held.iter().map(|held| held.empty_kib).min().unwrap_or_default();
    held.iter_mut().for_each(|held| held.empty_kib = least);
    Ok(Found { table: rounds::measure(&subjects, scene, options)?, held })
}

/// Has each of them held. On a machine that is busy with other things Redis is late now and then, and who is told so has
/// to ask again.
fn ask_all(gate: &Target, all: &Requests, size: usize) -> Result<(), String> {
    let mut outcome = Ok(0);
    for _attempt in 0..3 {
        outcome = Lines::open(&gate.authority, CONNECTIONS, CONNECTIONS)?.so_many(all, size);
        match &outcome {
            Ok(_) => break,
            Err(why) => eprintln!("   once more: {}", why.lines().next().unwrap_or_default()),
        }
    }
    outcome.map(|_answers| ())
}

impl Held {
    /// Memory of one of them.
    pub fn bytes_each(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let each = self.full_kib.saturating_sub(self.empty_kib) as f64 * 1024.0 / self.sessions as f64;
        each
    }
}

/// Room for a quarter more: the shards of a cache never fill evenly, and one that is full makes room.
fn plan(scene: &Scene, size: usize) -> Result<Plan, String> {
    let mut plan = Plan::on_redis(scene)?;
    plan.sessions.push_str(&format!("  cache_entries: {}\n  revalidate: 5m\n", size + size / 4 + 100));
    Ok(plan)
}

pub fn subject(name: &'static str, size: usize, target: Rc<Target>, requests: Requests) -> Subject {
    Subject { name, size, target, requests, connections: CONNECTIONS, in_flight: CONNECTIONS }
}
