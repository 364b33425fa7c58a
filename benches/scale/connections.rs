//! Part: connections that are open, all used in turn.

use std::rc::Rc;
use std::sync::Arc;

use crate::crowd::Crowd;
use crate::files;
use crate::gate;
use crate::load::Requests;
use crate::options::Options;
use crate::rounds::{self, BASE, Subject, Table};
use crate::stage::gate::Plan;
use crate::stage::scene::Scene;

pub const NAME: &str = "connections";

/// Requests under way at once, or one for each connection if there are fewer. With more, what is measured would be the
/// connections to the app, of which each request under way needs one.
pub const IN_FLIGHT: usize = 16;

/// Files that a proxy has open beside its clients' connections, at most.
const OTHERS: usize = 300;

/// Measures every size, beside the framework alone. Returns the sizes for which this machine grants too few files.
pub fn measure(scene: &Scene, options: &Options, crowd: &Arc<Crowd>) -> Result<(Table, Vec<usize>), String> {
    let most = files::granted().saturating_sub(OTHERS);
    let (sizes, left_out): (Vec<usize>, Vec<usize>) = options.connections.iter().partition(|size| **size <= most);
    let mut plan = Plan::on_redis(scene)?;
    let room = sizes.last().copied().unwrap_or_default() + OTHERS;
    plan.more.push_str(&format!("limits:\n  connections: {room}\n  connections_per_client: {room}\n"));
    let gate = Rc::new(gate::start(scene, &plan)?);
    let bare = Rc::new(gate::bare(scene));
    let mut subjects = Vec::new();
    for size in sizes {
        for (name, target) in [(NAME, &gate), (BASE, &bare)] {
            let requests = Requests::of_people(Arc::clone(crowd), &target.authority, "/app/1k", 1, true);
            let target = Rc::clone(target);
            subjects.push(Subject { name, size, target, requests, connections: size, in_flight: IN_FLIGHT });
        }
    }
    Ok((rounds::measure(&subjects, scene, options)?, left_out))
}
