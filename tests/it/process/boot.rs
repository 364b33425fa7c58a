//! Q: a configuration that is not right does not start, and says what to change.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{CANARY, sound};
use crate::support::process::{Ended, Home, Process};

/// `serve` and `check` both refuse what is in `home`: in time, in one line that names file and key, without a secret.
fn refuses(home: &Home, text: &str, key: &str) -> Ended {
    let path = home.write("zengate.yaml", text);
    let path = path.to_str().unwrap();
    let mut last = None;
    for command in ["check", "serve"] {
        let ended = Process::run(&[command, "--config", path]);
        let said = &ended.stderr;
        assert_eq!(ended.code, Some(1), "{command} {key}: {said}\n{}", ended.stdout);
        assert!(ended.took < Duration::from_secs(2), "{command} {key}: {:?}", ended.took);
        assert!(said.lines().any(|line| line.contains(path) && line.contains(key)), "{command} {key}: {said}");
        assert!(!said.contains(CANARY) && !ended.stdout.contains(CANARY), "{command} {key}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        last = Some(ended);
    }
    last.unwrap()
}

#[test]
fn a_fault_is_named_by_file_key_and_reason() {
    // Q01, Q03–Q06, Q08, Q09, R04
    let home = Home::new();
    let secret = format!("    client_secret: \"{CANARY}\"\n");
    let app = "  - { host: localhost, path: /app, access: session, upstream: 'http://127.0.0.1:9' }\n";
    let issuer = "      - http://127.0.0.1:9\n";
    let route = |more: &str| format!("{app}  - {{ host: localhost, {more} }}\n");
    let zeros = "sessions:\n  keys: ['AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=']\n";
    let short = "sessions:\n  keys: ['c2hvcnQ=']\n";
    let redis = "sessions:\n  store: 'redis://user:canary-client-secret-4711@ho st:99999999/x'\n";
    for (from, to, key) in [
        ("log:\n", "colour: red\nlog:\n", "colour"),
        ("listen: 127.0.0.1:0", "listen: {}", "listen"),
        ("listen: 127.0.0.1:0", "listen: [1, 2]", "listen"),
        (secret.as_str(), "", "provider.zenkey.client_secret"),
        (secret.as_str(), "    client_secret: \"\"\n", "provider.zenkey.client_secret"),
        (app, &route("path: /app, access: anonymous, upstream: 'http://127.0.0.1:9'"), "routes[2]"),
        (issuer, &issuer.repeat(2), "provider.zenkey.trusted_issuers[1]"),
        ("sessions:\n", zeros, "sessions.keys[0]"),
        ("sessions:\n", short, "sessions.keys[0]"),
        ("sessions:\n  store: memory\n", redis, "sessions.store"),
        (issuer, "      - { issuer: 'http://127.0.0.1:9', algorithms: [none] }\n", "algorithms[0]"),
        (issuer, "      - { issuer: 'http://127.0.0.1:9', algorithms: [RS256, HS256] }\n", "algorithms[1]"),
        (issuer, "      - http://carrier.example\n", "provider.zenkey.trusted_issuers[0]"),
        ("    discovery_issuer: http://127.0.0.1:9\n", "    discovery_issuer: http://d.example\n", "discovery_issuer"),
        (app, &route("path: /x, upstream: 'http://127.0.0.1:9'"), "routes[2].access"),
        (app, &route("path: /x, access: open, upstream: 'http://127.0.0.1:9'"), "routes[2].access"),
        (app, &route("path: /oauth2/x, access: anonymous, upstream: 'http://127.0.0.1:9'"), "routes[2].path"),
        (app, &route("path: /x, access: anonymous, upstream: 'ftp://127.0.0.1:9'"), "routes[2].upstream"),
        ("http://localhost:4180", "http://apps.example.com", "public_url"),
        ("log:\n", "trusted_proxies: [0.0.0.0/0]\nlog:\n", "trusted_proxies[0]"),
        ("log:\n", "trusted_proxies: ['::/0']\nlog:\n", "trusted_proxies[0]"),
        ("log:\n", "limits: { header_bytes: 1 }\nlog:\n", "limits.header_bytes"),
    ] {
        let base = sound();
        let text = if to.starts_with("sessions:\n  keys") {
            base.replacen("sessions:\n", to, 1)
        } else {
            base.replacen(from, to, 1)
        };
        assert_ne!(text, base, "{key}");
        refuses(&home, &text, key);
    }
    // The twin.
    let ended = Process::run(&["check", "--config", home.write("zengate.yaml", &sound()).to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_secret_that_is_not_there_is_no_secret() {
    // Q02: CVE-2026-54762
    let home = Home::new();
    let with = |reference: &str| sound().replace(&format!("\"{CANARY}\""), reference);
    let key = "provider.zenkey.client_secret";
    refuses(&home, &with("{ file: nowhere.txt }"), key);
    home.write("empty.txt", "");
    refuses(&home, &with("{ file: empty.txt }"), key);
    home.write("blank.txt", " \n\n");
    refuses(&home, &with("{ file: blank.txt }"), key);
    refuses(&home, &with("{ env: ZENGATE_NOWHERE }"), key);
    let open = home.write("open.txt", CANARY);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let strict = format!("strict_secrets: true\n{}", with("{ file: open.txt }"));
    refuses(&home, &strict, key);
    // The twins: readable by its owner only; or not asked to be strict.
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = home.write("zengate.yaml", &strict);
    assert_eq!(Process::run(&["check", "--config", path.to_str().unwrap()]).code, Some(0));
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let path = home.write("zengate.yaml", &with("{ file: open.txt }"));
    let ended = Process::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning") && !ended.stderr.contains(CANARY), "{}", ended.stderr);
}

#[test]
fn a_file_cut_short_does_not_start() {
    // Q13
    let home = Home::new();
    let text = sound();
    for cut in [0, 1, text.len() / 3, text.len() / 2, text.len() - 30, text.len() - 4, text.len() - 1] {
        refuses(&home, &text[..cut], "");
    }
    for text in ["\0\0\0", "- a\n- b\n", "a: &x [*x]\n", "{", "routes: !!binary x\n", "---\n---\n"] {
        refuses(&home, text, "");
    }
}

#[test]
fn all_faults_come_at_once_and_a_good_file_shows_what_it_means() {
    // Q01, Q07, Q12
    let home = Home::new();
    let bad = sound().replace("level: trace", "level: loud").replace("access: session", "access: maybe");
    let ended = refuses(&home, &format!("{bad}colour: red\n"), "log.level");
    for key in ["routes[1].access", "colour"] {
        assert!(ended.stderr.contains(key), "{}", ended.stderr);
    }
    // The most specific route stands first, whatever the order in the file.
    let route = |path: &str, access: &str| {
        format!("  - {{ host: localhost, path: {path}, access: {access}, upstream: 'http://127.0.0.1:9' }}\n")
    };
    let (open, closed) = (route("/", "anonymous"), route("/admin", "session"));
    let head = sound().split("routes:\n").next().unwrap().to_owned();
    for routes in [format!("{open}{closed}"), format!("{closed}{open}")] {
        let path = home.write("zengate.yaml", &format!("{head}routes:\n{routes}"));
        let ended = Process::run(&["check", "--config", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let table = ended.stdout.lines().skip_while(|line| !line.starts_with("Routes")).collect::<Vec<_>>();
        let at = |what: &str| table.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{table:?}"));
        assert!(at("/admin  session") < at("/       anonymous"), "{table:?}");
        assert!(!ended.stdout.contains(CANARY), "{}", ended.stdout);
        assert!(ended.stdout.contains("no faults"), "{}", ended.stdout);
    }
}

// FD16
#[test]
fn check_says_what_to_register_and_warns_of_names_that_nobody_knows() {
    let home = Home::new();
    let text = sound().replace(
        "access: anonymous, upstream: 'http://127.0.0.1:9'",
        "access: anonymous, upstream: 'http://app.invalid'",
    );
    let path = home.write("zengate.yaml", &text);
    let ended = Process::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warning = ended.stderr.lines().find(|line| line.contains("app.invalid")).unwrap_or_default();
    let line = 1 + text.lines().position(|line| line.contains("app.invalid")).unwrap();
    assert!(warning.starts_with(&format!("warning: {}:{line}:", path.display())), "{}", ended.stderr);
    assert!(warning.contains("routes[0].upstream: the name \"app.invalid\" has no address"), "{warning}");
    assert!(ended.stdout.contains("  redirect URI: http://localhost:4180/oauth2/callback\n"), "{}", ended.stdout);
    for further in [
        "post-logout redirect URI: http://localhost:4180/oauth2/signed_out",
        "back-channel logout URI: http://localhost:4180/oauth2/backchannel_logout",
    ] {
        assert!(ended.stdout.contains(&format!("  {further}\n")), "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("front-channel"), "it is off: {}", ended.stdout);
}

#[test]
fn a_port_in_use_and_a_store_that_cannot_be_opened_are_faults_of_the_start() {
    // Q01, trap 12: not a process that stays up and serves nobody
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::fs::create_dir(home.path("directory")).unwrap();
    home.write("garbage.redb", &"not a database ".repeat(1000));
    let store = |path: &str| format!("sessions:\n  store: embedded\n  path: {path}\n");
    for (from, to, words) in [
        (
            "\nlisten: 127.0.0.1:0".to_owned(),
            format!("\nlisten: {address}"),
            vec![" listen:", address.as_str(), "in use"],
        ),
        (
            "admin_listen: 127.0.0.1:0".into(),
            format!("admin_listen: {address}"),
            vec!["admin_listen:", &address, "in use"],
        ),
        ("sessions:\n  store: memory\n".into(), store("nowhere/at/all.redb"), vec!["sessions.", "all.redb"]),
        ("sessions:\n  store: memory\n".into(), store("directory"), vec!["sessions.", "directory"]),
        ("sessions:\n  store: memory\n".into(), store("garbage.redb"), vec!["sessions.", "garbage.redb"]),
    ] {
        let path = home.write("zengate.yaml", &sound().replace(&from, &to));
        let ended = Process::run(&["serve", "--config", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(1), "{to}: {}", ended.stderr);
        assert!(ended.took < Duration::from_secs(2), "{to}: {:?}", ended.took);
        let plain: Vec<_> = ended.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(plain.len(), 1, "{to}: {}", ended.stderr);
        assert!(plain[0].contains(path.to_str().unwrap()), "{to}: {}", plain[0]);
        for word in words {
            assert!(plain[0].contains(word), "{word}: {}", plain[0]);
        }
    }
}

#[test]
fn help_says_what_a_person_needs() {
    for (args, words) in [
        (&["--help"][..], &["zengate check --config", "/oauth2", "/readyz", "Exit codes"][..]),
        (&["serve", "--help"], &["--config", "ZENGATE_CONFIG", "SIGTERM"]),
        (&["check", "--help"], &["--config", "--schema", "Exit code 1", "file:line:column"]),
        (&["health", "--help"], &["--address", "127.0.0.1:44180", "--live", "/readyz"]),
        #[cfg(feature = "demo")]
        (&["--help"], &["zengate demo"]),
        #[cfg(feature = "demo")]
        (&["demo", "--help"], &["--port", "4180", "loopback"]),
        (&["version"], &["zengate "]),
    ] {
        let ended = Process::run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        for word in words {
            assert!(ended.stdout.contains(word), "{args:?}: {word}: {}", ended.stdout);
        }
    }
    // FD21: what one can type stands in one column.
    let ended = Process::run(&["--help"]);
    let typed = ended.stdout.lines().skip_while(|line| !line.contains("First time here?")).skip(1);
    let typed: Vec<_> = typed.take_while(|line| !line.is_empty()).collect();
    assert!(typed.len() >= 2 && typed.iter().all(|line| line.starts_with("  zengate ")), "{typed:?}");
    for wrong in [&["serve"][..], &["bake"], &["serve", "--confg", "x"], &[]] {
        let ended = Process::run(wrong);
        assert_eq!(ended.code, Some(2), "{wrong:?}");
        assert!(ended.stderr.contains("Usage"), "{wrong:?}: {}", ended.stderr);
    }
}
