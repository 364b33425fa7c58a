//! Files that are not what their writer meant: keys unknown, missing or empty, a file cut short, a file with odd bytes.

use super::*;

#[test]
fn unknown_wrong_and_missing_keys_are_refused_at_every_depth() {
    // Q01
    one_fault(
        "zengate.yaml:1:1: lissten: unknown key; did you mean `listen`?",
        &top("lissten: ':1'\n"),
        &top("listen: ':1'\n"),
    );
    one_fault("sessions.idle-timeout: unknown key", &sessions("  idle-timeout: 5m\n"), &sessions("  idle: 5m\n"));
    one_fault("client_id: unknown key; it belongs at", &top("client_id: x\n"), SHORTEST);
    one_fault(
        "routes[0].require.arc: unknown key",
        &route("    require: { arc: [a1] }\n"),
        &route("    require: { acr: [a1] }\n"),
    );
    one_fault(
        "sessions.cache_entries: is a text",
        &sessions("  cache_entries: many\n"),
        &sessions("  cache_entries: 7\n"),
    );
    one_fault("threads: 0 is too little", &top("threads: 0\n"), &top("threads: 1\n"));
    one_fault("threads: is the number 1.5", &top("threads: 1.5\n"), &top("threads: 1\n"));
    one_fault("threads: -1 is too little", &top("threads: -1\n"), &top("threads: 1\n"));
    one_fault(
        "strict_secrets: is a text; expected `true` or `false`",
        &top("strict_secrets: yes\n"),
        &top("strict_secrets: true\n"),
    );
    one_fault("routes[0].websocket: is the number 1", &route("    websocket: 1\n"), &route("    websocket: true\n"));
    one_fault(
        "client_id: is missing; expected a client id",
        &with("    client_id: ccid-0123456789abcdef\n", ""),
        SHORTEST,
    );
    one_fault("client_secret: is missing", &with("    client_secret: { file: /run/secrets/zenkey }\n", ""), SHORTEST);
    one_fault("public_url: is missing", &with("public_url: https://apps.example.com\n", ""), SHORTEST);
    one_fault("routes[0].upstream: is missing", &with("    upstream: http://127.0.0.1:3000\n", ""), SHORTEST);
    one_fault(
        "routes: is an empty list",
        &format!("{}routes: []\n", SHORTEST.split("routes:").next().unwrap()),
        SHORTEST,
    );
    one_fault("trusted_issuers: is an empty list", &with("[https://oidc.idp.xlogin.att.com]", "[]"), SHORTEST);
    one_fault(
        "trusted_issuers: is a text; expected a list",
        &with("[https://oidc.idp.xlogin.att.com]", "https://a.test"),
        SHORTEST,
    );
    one_fault(
        "log.level: \"inof\" is not one of error, warn, info, debug, trace; did you mean `info`?",
        &top("log: { level: inof }\n"),
        &top("log: { level: info }\n"),
    );
    let both =
        "provider:\n  oidc: { issuer: https://i.test, client_id: x, client_secret: { env: OIDC_CLIENT_SECRET } }\n";
    one_fault("provider: has more than one of zenkey, oidc and oauth2", &with("provider:\n", both), SHORTEST);
    let faults = bad("[]\n");
    assert!(faults[0].contains("is a list; expected a mapping"), "{faults:#?}");
    assert!(bad("")[0].contains("is empty"));
    assert!(bad("# nothing\n")[0].contains("zengate.yaml"));
}

#[test]
fn a_key_without_a_value_is_refused_because_a_cut_file_looks_so() {
    // Q13, and the loss of a `require` by wrong indentation
    one_fault("routes[0].require: has no value", &route("    require:\n"), &route("    require:\n      acr: [a1]\n"));
    one_fault("routes[0].require: is an empty mapping", &route("    require: {}\n"), SHORTEST);
    one_fault("require.acr: is an empty list", &route("    require: { acr: [] }\n"), SHORTEST);
    one_fault("require.claims: is an empty mapping", &route("    require: { claims: {} }\n"), SHORTEST);
    one_fault(
        "require.claims.groups: is an empty list",
        &route("    require: { claims: { groups: [] } }\n"),
        &route("    require: { claims: { groups: [a] } }\n"),
    );
    one_fault("require.acr[0]: has no value", &route("    require: { acr: [~] }\n"), SHORTEST);
    one_fault("sessions: has no value", &with("sessions:\n  store: redis://redis:6379\n", "sessions:\n"), SHORTEST);
    one_fault("is empty", &with("ccid-0123456789abcdef", "''"), SHORTEST);
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_a_fault_can_show_it() {
    // Q13
    let example = include_str!("../../../config/zengate.example.yaml");
    for text in [SHORTEST, example] {
        // Every place of the short file; of the long one the ends of lines and every eleventh place.
        let step = if text.len() > 1000 { 11 } else { 1 };
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let cut = &text[..end];
            if end % step != 0 && !cut.ends_with('\n') {
                continue;
            }
            if let Ok((config, _)) = Machine::new().read_config(cut) {
                // Whole lines are missing at the end: nothing is half there, and nothing but the end is missing.
                assert!(cut.ends_with('\n'), "{end}");
                assert_eq!(config.routes.len(), 1);
            }
        }
    }
    one_fault("may have been cut short", SHORTEST.trim_end(), SHORTEST);
}

#[test]
fn any_damage_to_a_file_ends_in_faults_and_never_in_a_panic_or_a_secret() {
    let example = include_str!("../../../config/zengate.example.yaml");
    let text = example
        .replace("{ file: /run/secrets/zenkey }", "canary-literal-secret")
        .replace("store: embedded", "store: redis://me:canary@redis:6379");
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut rng = |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % sides
    };
    let pieces = [
        "", " ", "\n", ":", "- ", "[", "{", "}", "~", "'", "\"", "&a ", "*a", "!!x ", "0", "true", "\t", "#", "\0",
        "é", "|", ">", "? ",
    ];
    for _ in 0..600 {
        let mut bent: Vec<char> = text.chars().collect();
        for _ in 0..=rng(3) {
            let at = rng(bent.len());
            let piece = pieces[rng(pieces.len())];
            let cut = rng(3).min(bent.len() - at);
            bent.splice(at..at + cut, piece.chars());
        }
        let bent: String = bent.into_iter().collect();
        if let Err(faults) = Machine::new().read_config(&bent) {
            let faults = faults.to_string();
            assert!(!faults.is_empty());
            assert!(!faults.contains("canary"), "{faults}");
            assert!(!faults.contains("cannot be read any further"), "{faults}\n{bent}");
        }
    }
}
