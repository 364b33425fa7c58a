//! The floors of the house (docs/ARCHITECTURE.md), read from the `use` lines: a room looks down, never up, and every
//! heavy crate has one home.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their floors. A room may use rooms of lower floors, and itself.
const FLOORS: &[(&str, u8)] = &[
    ("secret", 0),
    ("telemetry", 1),
    ("ground", 1),
    ("route", 2),
    ("web", 2),
    ("oidc", 3),
    ("provider", 4),
    ("identity", 4),
    ("zenkey", 4),
    ("policy", 4),
    ("session", 5),
    ("upstream", 5),
    ("snapshot", 6),
    ("auth", 7),
    ("gateway", 8),
    ("config", 9),
    ("app", 10),
    ("cli", 11),
];

/// Ways between rooms that the plan allows beside the floors: each with its reason.
const ALLOWED: &[(&str, &str)] = &[
    // A route's settings name what it demands and what it tells its upstream; the rooms that do so stay above.
    ("route", "policy"),
    ("route", "identity"),
    // Userinfo and discovery answers are ZenKey's, the ways to them are the provider's; a demand is made of an identity.
    ("provider", "zenkey"),
    ("provider", "identity"),
    ("policy", "identity"),
    // A view of a request holds its normal target.
    ("web", "route"),
];

/// Crates with one home, and the paths that are it.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_lc_rs", &["src/secret.rs"]),
    ("clap", &["src/cli/"]),
    ("jsonwebtoken", &["src/oidc/jwks", "src/oidc/jwt"]),
    ("moka", &["src/ground/ttl_cache"]),
    ("pingora", &["src/gateway/"]),
    ("prometheus", &["src/telemetry/"]),
    ("quick_cache", &["src/session/cache"]),
    ("redb", &["src/session/embedded"]),
    ("redis", &["src/session/redis"]),
    ("reqwest", &["src/provider/client"]),
    ("rustix", &["src/gateway/"]),
    ("saphyr_parser", &["src/config/"]),
    ("schemars", &["src/config/"]),
    ("zengate_simulator", &["src/cli/demo"]),
];

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, into) } else { into.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let rust = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (name(path), code_of(&fs::read_to_string(path).unwrap()))).collect()
}

/// The code of a file: no comments, and nothing of its trailing tests.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &str) -> bool {
    path.contains("/tests")
        || path.ends_with("contract.rs")
        || path.ends_with("forge.rs")
        || path.ends_with("garbage.rs")
}

fn room_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

#[test]
fn a_room_looks_down_and_never_up() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path);
        if is_test(&path) || room == "lib" || room == "main" {
            continue;
        }
        let floor = floor_of(room).unwrap_or_else(|| panic!("{path}: a room without a floor"));
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let Some(below) = floor_of(&used) else { continue };
            if used != room && below >= floor && !ALLOWED.contains(&(room, used.as_str())) {
                wrong.push(format!("{path} (floor {floor}) uses {used} (floor {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_heavy_crate_has_one_home() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        for (name, homes) in HOMES {
            let used = code.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&format!("use {name}::"))
                    || line.contains(&format!(" {name}::"))
                    || line.contains(&format!("({name}::"))
            });
            if used && !is_test(&path) && !homes.iter().any(|home| path.starts_with(home)) {
                wrong.push(format!("{path} uses {name}, whose home is {homes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_simulator_shares_no_code_with_the_product() {
    // It could no longer catch the product out; and what serves the simulator is no part of a gateway.
    let manifest = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (simulator, product) = (manifest("simulator/Cargo.toml"), manifest("Cargo.toml"));
    let dependencies = |text: &str| -> Vec<String> {
        let sections = text.split("\n[").filter(|section| section.contains("dependencies]"));
        let lines = sections.flat_map(|section| section.lines().skip(1)).filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.split(['.', ' ', '=']).next()?.to_owned())).collect()
    };
    let (simulator, product) = (dependencies(&simulator), dependencies(&product));
    assert!(simulator.contains(&"axum".to_owned()) && product.contains(&"pingora".to_owned()), "they are read");
    assert!(!simulator.iter().any(|name| name.starts_with("zengate")), "{simulator:?}");
    for name in ["axum", "qrcode"] {
        assert!(!product.contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn what_a_stranger_must_not_guess_is_compared_in_constant_time() {
    // R12: where a secret is compared with what came over a wire, and nowhere by `==`.
    const PLACES: &[(&str, &str)] = &[
        ("src/auth/sign_in/binding.rs", "constant_time_eq(&Self::mac("),
        ("src/auth/sign_in/hand_off.rs", "constant_time_eq(ticket.state.as_bytes()"),
        ("src/oidc/id_token.rs", "constant_time_eq("),
    ];
    let sources = sources();
    for (path, comparison) in PLACES {
        let (_, code) = sources.iter().find(|(name, _)| name == path).unwrap();
        assert!(code.contains(comparison), "{path} no longer compares by {comparison}");
    }
    // The types that hold secrets offer no comparison that stops early to code outside their own room.
    let (_, secret) = sources.iter().find(|(name, _)| name == "src/secret.rs").unwrap();
    assert!(secret.contains("constant_time::verify_slices_are_equal"));
    for (path, code) in &sources {
        let exposed = code.lines().filter(|line| line.contains(".expose() ==") || line.contains("== expose("));
        let wrong: Vec<_> = exposed.filter(|_| !is_test(path)).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:?}");
    }
}
