//! Secrets: where they come from, what they must be, and that they are never shown.

use super::*;

#[test]
fn secrets_that_cannot_be_had_stop_the_gateway() {
    // Q02
    let secret = |reference: &str| with("{ file: /run/secrets/zenkey }", reference);
    let faults = |machine: Machine, text: &str| machine.read_config(text).unwrap_err().to_string();
    assert!(faults(Machine::new().file("/run/secrets/zenkey", ""), SHORTEST).contains("is empty"));
    assert!(faults(Machine::new().file("/run/secrets/zenkey", "\n"), SHORTEST).contains("is empty"));
    one_fault("file /nowhere does not exist", &secret("{ file: /nowhere }"), SHORTEST);
    one_fault(
        "environment variable NOWHERE does not exist",
        &secret("{ env: NOWHERE }"),
        &secret("{ env: OIDC_CLIENT_SECRET }"),
    );
    for form in [
        "{}",
        "{ file: a, env: B }",
        "{ path: canary }",
        "{file:canary}",
        "{canary}",
        "{canary: canary}",
        "[canary]",
        "{ file: [canary] }",
        "{ file: ~ }",
        "5551234",
        "true",
        "''",
        "{ env: 'can-ary' }",
    ] {
        let found = bad(&secret(form));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            !found[0].contains("canary") && !found[0].contains("can-ary") && !found[0].contains("5551234"),
            "{found:#?}"
        );
    }
    let literal = warnings(&secret("canary-literal"));
    assert!(literal.iter().any(|w| w.contains("client_secret") && w.contains("written into the file")), "{literal:#?}");
    assert!(!literal.join("\n").contains("canary"));

    let open = || Machine::new().open_file("/run/secrets/zenkey", "canary");
    let (_, found) = open().read_config(SHORTEST).unwrap();
    assert!(found.iter().any(|w| w.text.contains("can be read by every user")), "{found:#?}");
    assert!(faults(open(), &top("strict_secrets: true\n")).contains("can be read by every user"));
    Machine::new().read_config(&top("strict_secrets: true\n")).unwrap();
}

#[test]
fn session_keys_are_long_random_and_our_own() {
    // Q03
    let keys = |text: &str| sessions(&format!("  keys: [{{ env: KEY }}]\n{text}"));
    let read = |key: &str| Machine::new().env("KEY", key).read_config(&keys(""));
    for key in [
        "short",
        &"0".repeat(64),
        &"A".repeat(43),
        &"A".repeat(44),
        SAMPLE_KEY_TEXT,
        "this is a very long sentence that is no key at all",
    ] {
        let faults = read(key).unwrap_err().to_string();
        assert!(faults.contains("sessions.keys[0]") && faults.contains("openssl rand"), "{faults}");
        assert!(!faults.contains(key), "{faults}");
    }
    let (config, _) = read(GOOD_KEY).unwrap();
    assert_eq!(config.sessions.seal_keys[0].expose(), GOOD_KEY);
    let twice = sessions("  keys: [{ env: KEY }, { env: KEY }]\n");
    assert!(Machine::new().env("KEY", GOOD_KEY).read_config(&twice).unwrap_err().to_string().contains("same key"));
}

#[test]
fn a_redis_address_is_never_printed() {
    // R04
    for url in [
        "redis://:canary@redis:port",
        "redis://:can ary@redis",
        "redis:/:canary@redis",
        "rediss://:canary@redis#insecure",
        "redis//:canary@redis",
        "canary",
    ] {
        let text = with("redis://redis:6379", &format!("'{url}'"));
        let faults = bad(&text).join("\n");
        assert!(
            faults.contains("sessions.store") && !faults.contains("canary") && !faults.contains("can ary"),
            "{faults}"
        );
    }
    let text = with("redis://redis:6379", "redis://:canary@redis:6379");
    let (config, warnings) = Machine::new().read_config(&text).unwrap();
    for printed in [format!("{config:?}"), effective(&config), format!("{warnings:?}")] {
        assert!(!printed.contains("canary"), "{printed}");
    }
    let text = with("redis://redis:6379", "{ env: REDIS_URL }");
    let faults = Machine::new().env("REDIS_URL", "redis://:canary@").read_config(&text).unwrap_err();
    assert!(!faults.to_string().contains("canary"));
    Machine::new().env("REDIS_URL", "redis://:canary@redis/1").read_config(&text).unwrap();
}

#[test]
fn what_the_file_amounts_to_shows_sources_and_no_secret() {
    // Q12
    let text = sessions("  store: memory\n  idle: 5m\n  keys: [{ env: KEY }]\n");
    let (config, _) = Machine::new().env("KEY", GOOD_KEY).read_config(&text).unwrap();
    let shown = effective(&config);
    let line = |key: &str| shown.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("sessions.idle").contains("\"5m\"") && line("sessions.idle").ends_with("zengate.yaml:9:9"), "{shown}");
    assert!(line("sessions.absolute").ends_with("default"), "{shown}");
    assert!(shown.contains("environment variable KEY (not shown)"), "{shown}");
    assert!(shown.contains("file /run/secrets/zenkey (not shown)"), "{shown}");
    for secret in ["canary", GOOD_KEY] {
        assert!(!shown.contains(secret) && !format!("{config:?}").contains(secret), "{shown}");
    }
}
