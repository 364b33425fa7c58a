//! The private listener's tokens.

use super::*;
use crate::gateway::Scope;

fn with(admin: &str) -> Result<(Config, Vec<Warning>), Faults> {
    let machine = Machine::new().file("/run/secrets/short", "canary-short").file("/run/secrets/other", &"x".repeat(44));
    machine.read_config(&format!("{SHORTEST}admin:\n{admin}"))
}

#[test]
fn a_token_has_a_name_a_scope_and_a_length() {
    // FT13
    let (ops, other) = ("{ file: /run/secrets/zengate-ops }", "{ file: /run/secrets/other }");
    let token =
        |name: &str, token: &str, scope: &str| format!("    - {{ name: {name}, token: {token}, scope: {scope} }}\n");
    let good = format!("  tokens:\n{}{}", token("ops", ops, "read"), token("deploy", other, "operate"));
    let config =
        with(&format!("{good}  hosts: [Zengate.Monitoring.svc]\n")).unwrap_or_else(|faults| panic!("{faults}")).0;
    let tokens: Vec<_> = config.admin.tokens.iter().map(|token| (token.name.as_str(), token.scope)).collect();
    assert_eq!(tokens, [("ops", Scope::Read), ("deploy", Scope::Operate)]);
    assert_eq!(config.admin.hosts, ["zengate.monitoring.svc"]);
    for (lines, key) in [
        (token("ops", "{ file: /run/secrets/short }", "read"), "admin.tokens[0].token"),
        (token("ops", "{ file: /run/secrets/nowhere }", "read"), "admin.tokens[0].token"),
        (token("ops", ops, "everything"), "admin.tokens[0].scope"),
        (format!("    - {{ name: ops, token: {ops} }}\n"), "admin.tokens[0].scope"),
        (format!("    - {{ token: {ops}, scope: read }}\n"), "admin.tokens[0].name"),
        (token("ops", ops, "read") + &token("ops", other, "read"), "admin.tokens[1].name"),
        (token("ops", ops, "read") + &token("again", ops, "operate"), "admin.tokens[1].token"),
    ] {
        let faults = with(&format!("  tokens:\n{lines}")).map(|_| ()).unwrap_err().to_string();
        assert!(faults.contains(key) && !faults.contains("canary"), "{lines}{faults}");
    }
}
