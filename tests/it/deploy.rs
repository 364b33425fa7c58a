//! What operators copy from deploy/: it parses, it says what it must, and what it says fits the program.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value, json};
use zengate::config::{Config, StoreChoice};

use crate::support::skipped;

/// The private listener where `zengate health` looks without being told.
const HEALTH: &str = "127.0.0.1:44180";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML text; every scalar is a text.
fn documents(text: &str) -> Vec<Value> {
    let mut done = Vec::new();
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let complete = match event.unwrap().0 {
            Event::Scalar(text, ..) => json!(text),
            Event::SequenceStart(..) => {
                open.push((json!([]), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((json!({}), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap().0,
            Event::Alias(_) => panic!("an alias"),
            _ => continue,
        };
        match open.last_mut() {
            None => done.push(complete),
            Some((Value::Array(items), _)) => items.push(complete),
            Some((Value::Object(members), key)) => match key.take() {
                None => *key = Some(complete.as_str().unwrap().to_owned()),
                Some(key) => assert!(members.insert(key.clone(), complete).is_none(), "{key} stands twice"),
            },
            Some(_) => unreachable!(),
        }
    }
    done
}

/// The sidecar's documents by kind.
fn sidecar() -> HashMap<String, Value> {
    let documents = documents(&text_of("deploy/kubernetes/sidecar.yaml"));
    documents.into_iter().map(|document| (document["kind"].as_str().unwrap().to_owned(), document)).collect()
}

fn pod(sidecar: &HashMap<String, Value>) -> &Value {
    &sidecar["Deployment"]["spec"]["template"]["spec"]
}

fn gateway(sidecar: &HashMap<String, Value>) -> &Value {
    let containers = pod(sidecar)["containers"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == "zengate").unwrap()
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// The configuration of the sidecar, with its secret files in a directory of the test's.
fn sidecar_config(sidecar: &HashMap<String, Value>) -> Config {
    let secrets = tempfile::tempdir().unwrap();
    for (name, secret) in [
        ("client-secret", "from-the-portal"),
        ("redis-url", "rediss://:password@redis.example.com:6379/0"),
        ("seal-key", "cdWK4sM1sC0Qzl2kGxwl0gM6qHd9VnO5b7rQ3YtT8uE="),
    ] {
        fs::write(secrets.path().join(name), secret).unwrap();
        fs::set_permissions(secrets.path().join(name), fs::Permissions::from_mode(0o400)).unwrap();
    }
    let text = sidecar["ConfigMap"]["data"]["zengate.yaml"].as_str().unwrap();
    assert!(text.contains("/run/secrets/zengate/"));
    let text = text.replace("/run/secrets/zengate", secrets.path().to_str().unwrap());
    let (config, warnings) =
        Config::parse(&text, "zengate.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(zengate::app::faults(&config), Vec::<String>::new());
    config
}

// FD05
#[test]
fn the_sidecars_configuration_has_no_faults_and_fits_the_pod_around_it() {
    let sidecar = sidecar();
    let config = sidecar_config(&sidecar);
    let gateway = gateway(&sidecar);
    let port = gateway["ports"][0]["containerPort"].as_str().unwrap();
    assert_eq!(config.listeners[0].address.to_string(), format!("[::]:{port}"));
    // The kubelet's probes are run inside, where the private listener is.
    assert_eq!(config.admin_listen, HEALTH.parse::<SocketAddr>().unwrap());
    for (probe, live) in [("startupProbe", true), ("readinessProbe", false), ("livenessProbe", true)] {
        let mut command = vec!["/usr/local/bin/zengate", "health"];
        command.extend(live.then_some("--live"));
        assert_eq!(gateway[probe]["exec"]["command"], json!(command), "{probe}");
    }
    let seconds = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let pause = seconds(&gateway["lifecycle"]["preStop"]["sleep"]["seconds"]);
    assert!(seconds(&pod(&sidecar)["terminationGracePeriodSeconds"]) > pause + config.shutdown.grace.as_secs());
    // FD06: the app outlives the moment in which the service still sends requests and the gateway begins to stop.
    let app = named(&pod(&sidecar)["containers"], "app");
    assert!(seconds(&app["lifecycle"]["preStop"]["sleep"]["seconds"]) > pause);
    // Several pods share sessions and the key that seals them.
    assert!(matches!(config.sessions.store, StoreChoice::Redis { .. }));
    assert_eq!(config.sessions.seal_keys.len(), 1);
    let mounts = &gateway["volumeMounts"];
    assert_eq!(gateway["args"], json!(["serve", "--config", "/etc/zengate/zengate.yaml"]));
    assert_eq!(named(mounts, "config")["mountPath"], "/etc/zengate");
    assert_eq!(named(mounts, "secrets")["mountPath"], "/run/secrets/zengate");
}

#[test]
fn the_sidecar_may_do_nothing_it_need_not_do_and_its_secrets_are_files_of_its_own() {
    // U10
    let sidecar = sidecar();
    let (pod, gateway) = (pod(&sidecar), gateway(&sidecar));
    let expected = json!({
        "runAsNonRoot": "true",
        "runAsUser": "65532",
        "runAsGroup": "65532",
        "readOnlyRootFilesystem": "true",
        "allowPrivilegeEscalation": "false",
        "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    assert_eq!(gateway["securityContext"], expected);
    assert_eq!(pod["automountServiceAccountToken"], "false");
    assert!(gateway["resources"]["limits"]["memory"].is_string() && gateway["resources"]["requests"].is_object());
    let secret = &named(&pod["volumes"], "secrets")["secret"];
    assert_eq!((&secret["secretName"], &secret["defaultMode"]), (&json!("zengate"), &json!("0400")));
    // Files of mode 0400 belong to root; the group is what lets a user that is not root read them.
    assert_eq!(pod["securityContext"]["fsGroup"], gateway["securityContext"]["runAsGroup"]);
    assert!(gateway.get("env").is_none() && gateway.get("envFrom").is_none());
    assert!(!sidecar.contains_key("Secret"));
    let app = named(&pod["containers"], "app");
    assert!(app.get("volumeMounts").is_none(), "the app has no part in the gateway's secrets");
    for mount in gateway["volumeMounts"].as_array().unwrap() {
        assert_eq!(mount["readOnly"], "true");
    }
}

#[test]
fn nothing_in_the_cluster_leads_to_the_app_around_the_gateway() {
    let sidecar = sidecar();
    let config = sidecar_config(&sidecar);
    let upstream = &config.routes[0].upstream;
    let address: SocketAddr = upstream.group.servers[0].at.to_string().parse().unwrap();
    assert!(address.ip().is_loopback());
    let app = named(&pod(&sidecar)["containers"], "app");
    assert_eq!(app["args"][1], address.to_string());
    assert!(app.get("ports").is_none());
    let ports = |value: &Value, name: &str| -> Vec<Value> {
        value.as_array().unwrap().iter().map(|port| port[name].clone()).collect()
    };
    let gate = json!(config.listeners[0].address.tcp().unwrap().port().to_string());
    assert_eq!(ports(&sidecar["Service"]["spec"]["ports"], "targetPort"), std::slice::from_ref(&gate));
    let policy = &sidecar["NetworkPolicy"]["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    let rules = policy["ingress"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(ports(&rules[0]["ports"], "port"), [gate]);
    assert!(rules[0]["from"][0].is_object());
    let labels = &sidecar["Deployment"]["spec"]["template"]["metadata"]["labels"];
    for selector in [&policy["podSelector"]["matchLabels"], &sidecar["Service"]["spec"]["selector"]] {
        assert_eq!(selector, labels);
    }
}

#[test]
fn the_service_unit_is_valid_and_exposes_less_than_it_promises() {
    // U08
    let unit = text_of("deploy/systemd/zengate.service");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zengate.service");
    fs::write(&path, unit.replace("/usr/local/bin/zengate", env!("CARGO_BIN_EXE_zengate"))).unwrap();
    for (what, arguments) in [
        ("the unit's grammar", &["verify"][..]),
        ("the unit's exposure", &["security", "--offline=true", "--no-pager", "--threshold=20"]),
    ] {
        match Command::new("systemd-analyze").args(arguments).arg(&path).output() {
            Err(error) => skipped(what, &format!("systemd-analyze: {error} (apt-get install systemd)")),
            Ok(output) => {
                let said =
                    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
                assert!(output.status.success(), "{what}:\n{said}");
                // An unknown setting is only remarked upon, with its place, and does nothing.
                assert!(!said.contains(&format!("{}:", path.display())), "{what}:\n{said}");
            }
        }
    }
}

#[test]
fn the_service_unit_keeps_secrets_out_of_cores_and_files_and_waits_for_requests_under_way() {
    // U08, R05
    let unit = text_of("deploy/systemd/zengate.service");
    let mut values: HashMap<&str, Vec<&str>> = HashMap::new();
    for (key, value) in unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')) {
        values.entry(key).or_default().push(value);
    }
    for (key, value) in [
        ("CapabilityBoundingSet", ""),
        ("DynamicUser", "yes"),
        ("LimitCORE", "0"),
        ("MemoryDenyWriteExecute", "yes"),
        ("NoNewPrivileges", "yes"),
        ("PrivateTmp", "yes"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "zengate"),
        ("StateDirectoryMode", "0700"),
    ] {
        assert_eq!(values.get(key), Some(&vec![value]), "{key}");
    }
    assert_eq!(values["SystemCallFilter"], ["@system-service", "~@privileged @resources"]);
    assert!(values["LoadCredential"][0].starts_with("client_secret:/"));
    assert!(!values.contains_key("Environment") && !values.contains_key("SetCredential"));
    assert_eq!(values["ExecStart"], ["/usr/local/bin/zengate serve --config /etc/zengate/zengate.yaml"]);
    let patience: u64 = values["TimeoutStopSec"][0].trim_end_matches('s').parse().unwrap();
    assert!(patience > sidecar_config(&sidecar()).shutdown.grace.as_secs());
}

/// The instructions of the Dockerfile's stages, comments and continued lines resolved.
fn stages() -> Vec<Vec<(String, String)>> {
    let text = text_of("deploy/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    let mut stages: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (word, rest) in lines {
        if word == "FROM" {
            stages.push(Vec::new());
        }
        stages.last_mut().unwrap().push((word.to_owned(), rest.to_owned()));
    }
    stages
}

#[test]
fn the_image_is_the_program_and_nothing_to_break_in_with() {
    // U10
    let stages = stages();
    let last: Map<String, Value> = stages[2].iter().map(|(word, rest)| (word.clone(), json!(rest))).collect();
    assert_eq!(stages.len(), 3, "arguments, build, image");
    assert_eq!(last["FROM"], "scratch");
    assert_eq!(last["USER"], "65532:65532");
    assert_eq!(last["EXPOSE"], "4180");
    assert!(last["HEALTHCHECK"].as_str().unwrap().ends_with(r#"CMD ["/usr/local/bin/zengate", "health"]"#));
    assert_eq!((&last["ENTRYPOINT"], &last["CMD"]), (&json!(r#"["/usr/local/bin/zengate"]"#), &json!(r#"["serve"]"#)));
    assert!(!last.contains_key("RUN"), "nothing can be run in an image without a shell");
    let build = stages[1].iter().find(|(word, rest)| word == "RUN" && rest.starts_with("cargo")).unwrap();
    assert_eq!(build.1, "cargo build --release --locked");
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap()).collect() };
    let rust = stages[0].iter().find_map(|(_, rest)| rest.strip_prefix("RUST=")).unwrap();
    assert!(version(rust) >= version(env!("CARGO_PKG_RUST_VERSION")), "{rust}");
    // The build sees what it is given, and nothing that lies about beside it.
    let ignore = text_of(".dockerignore");
    let mut rules = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"));
    for rule in rules {
        let allowed = rule.strip_prefix('!').unwrap_or_else(|| panic!("{rule}"));
        assert!(root().join(allowed).exists(), "{allowed}");
    }
}

#[test]
fn the_images_root_holds_one_program_its_libraries_and_the_authorities_it_trusts() {
    // U10
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        return skipped("the image's root", "no /etc/ssl/certs/ca-certificates.crt (apt-get install ca-certificates)");
    }
    let directory = tempfile::tempdir().unwrap();
    let script = root().join("deploy/image.sh");
    let made = Command::new("sh").arg(script).args([env!("CARGO_BIN_EXE_zengate").as_ref(), directory.path()]).status();
    assert!(made.unwrap().success());
    let mut files = Vec::new();
    walk(directory.path(), &mut files);
    let is_library = |path: &str| path.contains(".so");
    let (libraries, others): (Vec<_>, Vec<_>) = files
        .iter()
        .map(|path| path.strip_prefix(directory.path()).unwrap().to_str().unwrap().to_owned())
        .partition(|path| is_library(path));
    assert!(libraries.iter().any(|path| path.contains("/libc.so")), "{libraries:?}");
    let expected =
        ["etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/local/bin/zengate"];
    assert_eq!(others, expected);
}

fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { walk(&path, into) } else { into.push(path) }
    }
}
