//! What routes demand of SIMs: only of people who sign in, and only where a carrier could be asked.

use super::approvals::{KEYED, with};
use super::*;
use crate::policy::{RecentSim, SimRule};

/// A file with one more route; `with` has the key by which carriers know whose question it is.
fn route(more: &str) -> String {
    format!("  - {{ host: apps.example.com, path: /x, upstream: 'http://127.0.0.1:1', {more} }}\n")
}

#[test]
fn a_rule_about_sims_is_read_as_it_is_meant_and_refuses_silence() {
    for (require, recent, allow_unknown) in [
        ("sim_tenure_24: refuse", RecentSim::Refuse, false),
        ("sim_tenure_24: step_up", RecentSim::StepUp, false),
        ("sim_tenure_24: step_up, sim_tenure_24_unknown: allow", RecentSim::StepUp, true),
    ] {
        let (config, _) = with(&route(&format!("access: session, require: {{ {require} }}"))).unwrap();
        assert_eq!(config.routes[1].require.sim_tenure, Some(SimRule { recent, allow_unknown }), "{require}");
        assert!(config.routes[1].asks_sim_tenure() && !config.routes[0].asks_sim_tenure());
    }
    let told = route("access: session, identity_headers: { map: { X-Sim: sim_tenure_24 } }");
    assert!(with(&told).unwrap().0.routes[1].asks_sim_tenure());
}

#[test]
fn what_nobody_could_ever_answer_is_a_fault() {
    for (more, key) in [
        ("access: session, require: { sim_tenure_24_unknown: allow }", "sim_tenure_24_unknown"),
        ("access: session, require: { claims: { sim_tenure_24: 'true' } }", "claims.sim_tenure_24"),
        ("access: session, require: { sim_tenure_24: maybe }", "sim_tenure_24"),
        ("access: session-or-bearer, require: { sim_tenure_24: refuse }", "sim_tenure_24"),
    ] {
        let faults = with(&route(more)).unwrap_err().to_string();
        assert!(faults.contains(&format!("routes[1].require.{key}")), "{more}\n{faults}");
    }
    // The twin of the rule that is read above, without a key.
    let unkeyed = KEYED.replace(", client: { client_keys: [/keys/rsa.pem] }", "");
    for (more, key) in [
        ("access: session, require: { sim_tenure_24: refuse }", "require.sim_tenure_24"),
        ("access: session, identity_headers: { map: { X-Sim: sim_tenure_24 } }", "identity_headers.map.X-Sim"),
    ] {
        let faults = Machine::new().read_config(&format!("{unkeyed}{}", route(more))).unwrap_err().to_string();
        assert!(faults.contains(key) && faults.contains("no key for RS256"), "{more}\n{faults}");
    }
}
