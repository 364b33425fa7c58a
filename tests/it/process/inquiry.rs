//! What `zengate check` asks of others, and what it makes of their answers.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use super::reasons::gateway;
use super::sound;
use crate::support::process::{Ended, Home, Process};
use crate::support::redis::{Redis, Sentinel};
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
    let asked = [
        "a write to the session store",
        "a place for the session file",
        "configuration and keys of",
        "keys for access tokens of",
    ];
    let asked = |line: &str| asked.iter().any(|words| line.contains(words));
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

// XS16: each of those that answer like a Redis is named for what it is; servers find out about themselves in their own time.
#[test]
fn a_sentinel_and_a_node_of_a_cluster_are_named() {
    let Some(sentinel) = Sentinel::start("XS16 (check, Sentinel)") else { return };
    let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
    let node = Redis::start_as("XS16 (check, Cluster)", &cluster).unwrap();
    let _: String = node.ask(&[b"CLUSTER", b"ADDSLOTSRANGE", b"0", b"8191"]);
    let home = Home::new();
    for (port, words) in [
        (sentinel.port, "this is a Redis Sentinel, which keeps no records; name the Redis that it watches"),
        (node.port, "this Redis is a node of a cluster and has only some of the keys"),
    ] {
        let text = sound().replace("  store: memory\n", &format!("  store: redis://127.0.0.1:{port}/0\n"));
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ended = check(&home, &text, &[]);
            let found = line(&ended, "sessions.store");
            if ended.code == Some(1) && found.contains(words) {
                break;
            }
            assert!(Instant::now() < deadline, "{found}");
        }
    }
}

// XS16: what takes a connection and says nothing keeps nobody waiting.
#[test]
fn a_store_that_says_nothing_is_a_warning_in_little_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("  store: redis://{}/0\n", silent.local_addr().unwrap());
    let ended = check(&Home::new(), &sound().replace("  store: memory\n", &store), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = line(&ended, "sessions.store");
    assert!(warning.starts_with("warning: ") && warning.contains("did not answer in time"), "{warning}");
}

// XS16: the session file itself is not opened, which would shut out the gateway that has it.
#[test]
fn a_directory_that_takes_no_session_file_is_said_and_nothing_is_left_in_one_that_does() {
    let home = Home::new();
    let at = |path: &str| sound().replace("  store: memory\n", &format!("  store: embedded\n  path: {path}\n"));
    std::fs::create_dir(home.path("state")).unwrap();
    let ended = check(&home, &at("state/sessions.redb"), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("  good: a place for the session file\n"), "{}", ended.stdout);
    assert_eq!(std::fs::read_dir(home.path("state")).unwrap().count(), 0, "nothing is left");
    let ended = check(&home, &at("nowhere/sessions.redb"), &[]);
    assert_eq!(ended.code, Some(0), "it may be there where the gateway runs: {}", ended.stderr);
    let warning = line(&ended, "sessions.store");
    assert!(warning.contains("cannot make a file in") && warning.contains("nowhere"), "{warning}");
}

// OF4: an issuer that lists ways to show who we are, and none that we have. Some list less than they take: a doubt, with what was
// expected and found and the key, at `check` and at the start; its twin is not doubted.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_does_not_list_our_way_to_show_who_we_are_is_doubted() {
    let methods = json!(["tls_client_auth", "self_signed_tls_client_auth"]);
    let (rig, process, home) = gateway(
        |rules| drop(rules.metadata.insert("token_endpoint_auth_methods_supported".into(), methods.clone())),
        |_, text| text,
    )
    .await;
    let parts = [
        "does not list the way in which we show who we are: expected `client_secret_basic`",
        "found `tls_client_auth self_signed_tls_client_auth`",
        "`provider.oidc.token_endpoint_auth_method` chooses another",
    ];
    let told = process.line("does not list the way");
    assert!(told.contains("\"WARN\""), "{told}");
    let ended = check(&home, &rig.config_text(), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = line(&ended, "provider.oidc.issuer");
    assert!(warning.starts_with("warning: "), "{warning}");
    for part in parts {
        assert!(told.contains(part) && warning.contains(part), "`{part}` is not in: {told}\n{warning}");
    }

    let listed = json!(["tls_client_auth", "client_secret_basic"]);
    let (rig, process, home) = gateway(
        |rules| drop(rules.metadata.insert("token_endpoint_auth_methods_supported".into(), listed.clone())),
        |_, text| text,
    )
    .await;
    process.line("configuration and keys are at hand");
    assert!(!process.stderr().contains("does not list the way"), "{}", process.stderr());
    assert!(!check(&home, &rig.config_text(), &[]).stderr.contains("does not list the way"));
}

// XS16: issuers of access tokens are asked too, each by its own key.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_of_access_tokens_without_keys_is_a_fault() {
    let (rig, text) = issuer().await;
    let tangent = rig.simulator.carrier("tangent").unwrap();
    let (home, name) = (Home::new(), tangent.issuer());
    let bearer = format!("bearer: {{ issuers: [{{ issuer: '{name}', audiences: [api] }}] }}\nroutes:\n");
    let text = text.replacen("routes:\n", &bearer, 1);
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!("  good: keys for access tokens of {name}\n")), "{}", ended.stdout);
    tangent.set(|rules| rules.status = [("jwks".to_owned(), 404)].into());
    let ended = check(&home, &text, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let fault = line(&ended, "bearer.issuers[0].issuer");
    assert!(fault.contains("exchange key_set at") && fault.contains("status 404"), "{fault}");
}
