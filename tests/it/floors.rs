//! The floors of the house (docs/ARCHITECTURE.md), read from the code: a room looks down, never up, files use each other
//! in no circle, and every heavy crate has one home.

use std::fs;
use std::path::{Path, PathBuf};

mod arrows;

use arrows::Crate;

/// Rooms and their floors, as docs/ARCHITECTURE.md draws them. A room may use rooms of lower floors, and itself; there is
/// no exception.
const FLOORS: &[(&str, u8)] = &[
    ("secret", 0),
    ("telemetry", 1),
    ("ground", 1),
    ("oidc", 2),
    ("identity", 3),
    ("carrier", 3),
    ("policy", 4),
    ("provider", 4),
    ("session", 4),
    ("account", 5),
    ("approval", 5),
    ("assertion", 5),
    ("route", 5),
    ("web", 6),
    ("upstream", 6),
    ("snapshot", 7),
    ("auth", 8),
    ("gateway", 9),
    ("config", 10),
    ("app", 11),
    ("cli", 12),
    ("main", 12),
];

/// Crates with one home, and the paths that are it.
const HOMES: &[(&str, &[&str])] = &[
    ("aws_lc_rs", &["src/secret.rs", "src/secret/"]),
    ("clap", &["src/cli/"]),
    ("csv", &["src/account/table"]),
    ("listenfd", &["src/gateway/listeners/"]),
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
    ("strsim", &["src/config/"]),
    ("x509_parser", &["src/gateway/listeners/"]),
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
    rust.map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests")
        || path.ends_with("contract.rs")
        || path.ends_with("test_tokens.rs")
        || path.ends_with("fuzz.rs")
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn product() -> Crate {
    let sources = sources();
    let files = sources.iter().filter(|(path, _)| !is_test(path) && path != "src/lib.rs");
    Crate::read(files.map(|(path, text)| (path.strip_prefix("src/").unwrap(), text.as_str())))
}

#[test]
fn a_room_looks_down_and_never_up() {
    let floor = |room: &str| floor_of(room).unwrap_or_else(|| panic!("{room}: a room without a floor"));
    let mut wrong = Vec::new();
    let arrows = product().arrows();
    for (from, to) in &arrows {
        let (room, used) = (from[0].as_str(), to[0].as_str());
        if room != used && floor(used) >= floor(room) {
            wrong.push(format!(
                "{} (floor {}) uses {} (floor {})",
                from.join("/"),
                floor(room),
                to.join("/"),
                floor(used)
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // The drawing is what the arrows are: no room stands higher than what it uses asks for, but for the three on top.
    for (room, drawn) in FLOORS.iter().filter(|(room, _)| !["secret", "cli", "main"].contains(room)) {
        let used = arrows.iter().filter(|(from, to)| from[0] == *room && to[0] != *room);
        let least = used.map(|(_, to)| floor(&to[0]) + 1).max().unwrap_or(0);
        assert_eq!(*drawn, least, "{room} is drawn on floor {drawn} and its arrows put it on {least}");
    }
}

#[test]
fn the_page_draws_the_floors_that_this_test_keeps() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    let drawing = page.split("```").nth(1).unwrap();
    let mut drawn: Vec<(String, u8)> = Vec::new();
    for line in drawing.lines() {
        let mut words = line.split_whitespace();
        let Some(floor) = words.next().and_then(|word| word.parse().ok()) else { continue };
        let rooms = words.map(|word| word.trim_end_matches([',', '/']).to_owned());
        drawn.extend(rooms.take_while(|room| floor_of(room).is_some()).map(|room| (room, floor)));
    }
    drawn.sort();
    let mut kept: Vec<(String, u8)> = FLOORS.iter().map(|(room, floor)| ((*room).to_owned(), *floor)).collect();
    kept.sort();
    assert_eq!(drawn, kept);
}

#[test]
fn no_files_of_a_room_use_each_other_in_a_circle() {
    let circles = product().circles();
    let shown: Vec<_> =
        circles.iter().map(|circle| circle.iter().map(|module| module.join("/")).collect::<Vec<_>>()).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn every_heavy_crate_has_one_home() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let code = arrows::code_of(&text);
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

// CR-E01
#[test]
fn no_code_asks_which_kind_of_provider_it_has_before_it() {
    // The configuration says which kind a provider is, and the command of the simulator starts one. The rest asks a field of
    // the profile: a kind that is asked for by name is a rule that its next relative silently lacks.
    let may = ["src/carrier/profile.rs", "src/config/", "src/cli/"];
    // Names of headers that apps are told by are no question about a provider.
    let headers = ["src/identity/headers.rs", "src/identity/headers/"];
    let mut found = Vec::new();
    for (path, text) in sources() {
        if is_test(&path) || may.iter().chain(&headers).any(|home| path.starts_with(home)) {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            let asks =
                ["ZENKEY", "OIDC", "OAUTH2", "Zenkey", "\"zenkey\"", "\"oidc\"", "\"oauth2\"", "profile.name =="];
            if asks.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_a_stranger_must_not_guess_is_compared_in_constant_time() {
    // R12: where a secret is compared with what came over a wire, and nowhere by `==`.
    const PLACES: &[(&str, &str)] = &[
        ("src/auth/sign_in/binding.rs", "constant_time_eq(&Self::mac("),
        ("src/auth/sign_in/hand_off.rs", "constant_time_eq(ticket.state.as_bytes()"),
        ("src/oidc/id_token.rs", "constant_time_eq("),
    ];
    let sources: Vec<_> = sources().into_iter().map(|(path, text)| (path, arrows::code_of(&text))).collect();
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
