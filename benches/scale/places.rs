//! Parts: hosts, each with one route; routes of one host. One person asks all of them in turn.

use std::rc::Rc;
use std::sync::Arc;

use crate::crowd::Crowd;
use crate::gate;
use crate::load::Requests;
use crate::options::Options;
use crate::rounds::{self, BASE, Table};
use crate::sessions::subject;
use crate::stage::gate::Plan;
use crate::stage::scene::Scene;

pub const HOSTS: &str = "hosts";
pub const ROUTES: &str = "routes";

/// Measures every size of one of the two.
pub fn measure(name: &'static str, scene: &Scene, options: &Options, crowd: &Arc<Crowd>) -> Result<Table, String> {
    let sizes = if name == HOSTS { &options.hosts } else { &options.routes };
    let bare = Rc::new(gate::bare(scene));
    let requests = Requests::of_people(Arc::clone(crowd), &bare.authority, "/app/1k", 1, true);
    let mut subjects = vec![subject(BASE, 0, bare, requests)];
    for &size in sizes {
        let place = |number: usize| match name {
            HOSTS => (format!("app-{number:04}.bench.example"), "/".to_owned()),
            _ => ("localhost".to_owned(), format!("/app-{number:04}")),
        };
        let mut plan = Plan::on_redis(scene)?;
        plan.routes = (0..size).map(place).map(|(host, path)| gate::route(&host, &path)).collect();
        let gate = Rc::new(gate::start(scene, &plan)?);
        let asked = (0..size).map(place).map(|(host, path)| match name {
            HOSTS => (host, "/app-0000/1k".to_owned()),
            _ => (gate.authority.clone(), format!("{path}/1k")),
        });
        let requests = Requests::to_places(crowd, asked);
        subjects.push(subject(name, size, gate, requests));
    }
    rounds::measure(&subjects, scene, options)
}
