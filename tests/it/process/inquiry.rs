//! What `zengate check` asks of others, and what it makes of their answers.

use std::time::Duration;

use super::sound;
use crate::support::process::{Ended, Home, Process};
use crate::support::redis::Redis;
use crate::support::rig::{CLIENT_SECRET, Choices, Rig};

/// `check` of `text`, with `further` words behind it.
fn check(home: &Home, text: &str, further: &[&str]) -> Ended {
    let path = home.write("zengate.yaml", text);
    let mut words = vec!["check", "--config", path.to_str().unwrap()];
    words.extend(further);
    let ended = Process::run(&words);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    assert!(!ended.stdout.contains(CLIENT_SECRET) && !ended.stderr.contains(CLIENT_SECRET));
    ended
}

/// The one line of standard error that says what came of a question about `key`.
fn line(ended: &Ended, key: &str) -> String {
    let asked =
        |line: &str| line.contains("a write to the session store") || line.contains("configuration and keys of");
    let mut lines = ended.stderr.lines().filter(|line| line.contains(&format!(" {key}: ")) && asked(line));
    let line = lines.next().unwrap_or_else(|| panic!("no line for {key}: {}", ended.stderr));
    assert_eq!(lines.next(), None, "{}", ended.stderr);
    line.to_owned()
}

/// A simulated issuer, and a configuration that names it.
async fn issuer() -> (Rig, String) {
    let plain = Some("    scopes: [openid]\n    userinfo: false\n".to_owned());
    let rig = Rig::with(Choices { plain, ..Choices::default() }).await;
    let text = rig.config_text();
    (rig, text)
}

// XS16, XM12: what answers like a Redis and keeps no sessions is a fault, and named; its twin is good; one that is away
// may be there where the gateway runs.
#[test]
fn a_store_that_keeps_no_sessions_is_a_fault_and_one_that_is_away_a_warning() {
    let Some(redis) = Redis::start("XS16 (check)") else { return };
    let home = Home::new();
    let with = |port: u16| {
        sound().replace("  store: memory\n", &format!("  store: redis://:canary-password@127.0.0.1:{port}/0\n"))
    };
    let text = with(redis.port).replace(":canary-password@", "");
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("  good: a write to the session store\n"), "{}", ended.stdout);

    let _: String = redis.ask(&[b"REPLICAOF", b"127.0.0.1", b"9"]);
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(1));
    let fault = line(&ended, "sessions.store");
    assert!(fault.contains("read-only replica; name its primary"), "{fault}");
    let at = 1 + text.lines().position(|line| line.contains("store:")).unwrap();
    assert!(fault.contains(&format!("zengate.yaml:{at}:")), "its place: {fault}");
    assert!(!ended.stdout.contains("no faults"), "{}", ended.stdout);
    // Whoever wants to know of the file alone asks nobody.
    assert_eq!(check(&home, &text, &["--offline"]).code, Some(0));

    let ended = check(&home, &with(redis.kill()), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = line(&ended, "sessions.store");
    assert!(warning.starts_with("warning: ") && warning.contains("cannot be reached"), "{warning}");
    assert!(!ended.stderr.contains("canary-password"), "{}", ended.stderr);
}

// FD08, KC13, XS25: an issuer that could sign nobody in is a fault, with what was expected and found, and the key.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_with_which_nobody_could_sign_in_is_a_fault() {
    let (rig, text) = issuer().await;
    let home = Home::new();
    let issuer = rig.simulator.carrier("aurora").unwrap().issuer();
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!("  good: configuration and keys of {issuer}\n")), "{}", ended.stdout);

    let slash = text.replace(&format!("issuer: {issuer}\n"), &format!("issuer: {issuer}/\n"));
    assert_ne!(slash, text);
    let ended = check(&home, &slash, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let fault = line(&ended, "provider.oidc.issuer");
    for part in [&format!("expected `{issuer}/`, found `{issuer}`"), "exchange metadata at", "`provider.oidc.issuer`"] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    assert_eq!(check(&home, &slash, &["--offline"]).code, Some(0));

    // No key that it could sign with.
    rig.simulator.carrier("aurora").unwrap().set(|rules| drop(rules.metadata.insert("jwks_uri".into(), "".into())));
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(line(&ended, "provider.oidc.issuer").contains("jwks_uri"), "{}", ended.stderr);
}

// FT03: whoever does not answer is said, and keeps nobody from going on.
#[test]
fn an_issuer_that_is_away_is_a_warning() {
    let home = Home::new();
    let ended = check(&home, &sound(), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = line(&ended, "provider.zenkey.trusted_issuers");
    assert!(warning.starts_with("warning: ") && warning.contains("http://127.0.0.1:9"), "{warning}");
    assert!(!check(&home, &sound(), &["--offline"]).stderr.contains("configuration and keys of"));
}
