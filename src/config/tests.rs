//! Promises about whole files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::carrier::find::Way;
use crate::carrier::profile;
use crate::identity::headers::{Encoding, HeaderRule, Preset};
use crate::provider::{DiscoveryAddresses, FederationSettings, IssuerSettings};
use crate::route::path::ReturnPolicy;
use crate::route::{Access, RouteTable, WebSockets};
use crate::session::Lifetimes;
use crate::session::key::SAMPLE_KEY_TEXT;

const GOOD_KEY: &str = "3q2+78r+ur4BI0VniavN7xAyVHaYutz+AQIDBAUGBwg=";

/// Product page, section 3, word for word.
const SHORTEST: &str = "\
public_url: https://apps.example.com
provider:
  zenkey:
    client_id: ccid-0123456789abcdef
    client_secret: { file: /run/secrets/zenkey }
    trusted_issuers: [https://oidc.idp.xlogin.att.com]
sessions:
  store: redis://redis:6379
routes:
  - host: wiki.example.com
    access: session
    upstream: http://127.0.0.1:3000
";

/// A machine made of maps.
#[derive(Default)]
struct Machine {
    env: HashMap<String, String>,
    files: HashMap<PathBuf, SecretFile>,
}

impl Machine {
    fn new() -> Self {
        Self::default()
            .file("/run/secrets/zenkey", "canary-client-secret\n")
            .file("/run/secrets/zengate-ops", "canary-admin-token-of-44-characters-in-all==\n")
            .env("OIDC_CLIENT_SECRET", "canary-oidc-secret")
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), SecretFile { bytes: text.into(), world_readable: false });
        self
    }

    fn open_file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), SecretFile { bytes: text.into(), world_readable: true });
        self
    }

    fn env(mut self, name: &str, text: &str) -> Self {
        self.env.insert(name.into(), text.into());
        self
    }

    fn read_config(&self, text: &str) -> Result<(Config, Vec<Warning>), Faults> {
        Config::parse_in(text, "zengate.yaml", self)
    }
}

impl Surroundings for Machine {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn good(text: &str) -> Config {
    match Machine::new().read_config(text) {
        Ok((config, _)) => {
            // What we let through, the rooms below take.
            RouteTable::compile_beside(&config.prefix, config.routes.clone()).unwrap();
            ReturnPolicy::new(&config.prefix, config.sign_in.return_origins.clone()).unwrap();
            config
        }
        Err(faults) => panic!("{faults}\n---\n{text}"),
    }
}

fn bad(text: &str) -> Vec<String> {
    match Machine::new().read_config(text) {
        Ok(_) => panic!("no fault in:\n{text}"),
        Err(faults) => faults.to_string().lines().map(str::to_owned).collect(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    Machine::new().read_config(text).unwrap().1.iter().map(|w| w.line("zengate.yaml")).collect()
}

/// The one fault of a text, which must hold `words`; with its twin, which must have none.
fn one_fault(words: &str, text: &str, twin: &str) {
    let faults = bad(text);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains(words), "{words:?} is not in {faults:#?}");
    good(twin);
}

/// The shortest file with one piece replaced.
fn with(from: &str, to: &str) -> String {
    assert!(SHORTEST.contains(from), "{from:?}");
    SHORTEST.replacen(from, to, 1)
}

/// The shortest file with more below `sessions`.
fn sessions(more: &str) -> String {
    with("  store: redis://redis:6379\n", more)
}

/// The shortest file with more in its one route.
fn route(more: &str) -> String {
    format!("{SHORTEST}{more}")
}

fn top(more: &str) -> String {
    format!("{more}{SHORTEST}")
}

#[test]
fn the_shortest_useful_file_works_and_has_the_documented_defaults() {
    let config = good(SHORTEST);
    assert_eq!(config.public_url.as_str(), "https://apps.example.com/");
    assert_eq!(config.prefix, "/oauth2");
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].address.to_string(), "[::]:4180");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:44180");
    assert_eq!(config.admin, crate::gateway::AdminSettings::default());
    assert_eq!(config.threads, None);
    assert_eq!(config.trusted_proxies, []);
    assert_eq!(config.sessions.lifetimes, Lifetimes::default());
    let StoreChoice::Redis { url, prefix } = &config.sessions.store else { panic!("a Redis") };
    assert_eq!((url.expose(), prefix.as_str()), ("redis://redis:6379", "zengate:"));
    assert_eq!((config.sessions.cache_entries, config.sessions.seal_keys.len()), (100_000, 0));
    assert_eq!(config.sessions.cache_bytes, 256_000_000);
    assert_eq!((config.sessions.revalidate, config.sessions.grace), (Duration::from_secs(1), Duration::from_secs(60)));
    assert_eq!(config.provider.scopes, ["openid"]);
    assert_eq!(config.provider.acr_values, ["a1"]);
    assert!(config.provider.require_acr);
    assert_eq!((config.sign_in.skew, config.sign_in.max_attempts), (Duration::from_secs(60), 100_000));
    assert_eq!(config.sign_in.starts_per_minute, 1_200);
    let provider = &config.provider.settings;
    assert_eq!(
        provider.federation,
        FederationSettings {
            profile: &profile::ZENKEY,
            find: vec![Way::UiWithState],
            discovery: Some(DiscoveryAddresses {
                issuer: "https://discoveryissuer.myzenkey.com".parse().unwrap(),
                ui: "https://discoveryui.myzenkey.com/ui/discovery-ui".parse().unwrap(),
                optimized: "https://auth.myzenkey.com/v1/auth".parse().unwrap(),
            }),
            members: vec![IssuerSettings {
                // Known from ZenKey's time.
                allowed_hosts: vec!["xhcas.att.com".to_owned(), "xhms.att.com".to_owned()],
                ..IssuerSettings::of("provider.zenkey.trusted_issuers[0]", "https://oidc.idp.xlogin.att.com")
            }],
            api: None,
        }
    );
    assert_eq!(provider.authentication.secret.as_ref().unwrap().expose(), "canary-client-secret");
    assert_eq!((provider.userinfo, provider.allow_private_addresses), (false, false));
    assert_eq!(
        (provider.connect_timeout.as_secs(), provider.total_timeout.as_secs(), provider.max_answer),
        (3, 5, 1 << 20)
    );
    assert_eq!((provider.jwks_refresh.as_secs(), provider.jwks_max_stale.as_secs()), (900, 86_400));
    assert_eq!((provider.jwks_cooldown.as_secs(), provider.metadata_max_age.as_secs()), (60, 900));
    assert_eq!(
        config.limits,
        LimitSettings {
            header_bytes: 32 << 10,
            header_count: 100,
            uri_bytes: 8 << 10,
            cookie_bytes: 16 << 10,
            claims: 128 * 1024,
            header_deadline: Duration::from_secs(10),
            keepalive: Duration::from_secs(75),
            body: 64 << 20,
            body_min_rate: 500,
            body_rate_window: Duration::from_secs(30),
            answer_min_rate: 1024,
            answer_rate_window: Duration::from_secs(30),
            large_answers: None,
            memory: None,
            connections: 20_000,
            connections_per_client: 1_000,
            streams: 100,
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
        }
    );
    assert_eq!(config.log, crate::telemetry::log::LogSettings::default());
    assert_eq!(config.shutdown.grace.as_secs(), 25);
    let [route] = config.routes.as_slice() else { panic!("one route") };
    assert_eq!(
        (route.name.as_str(), route.host.as_str(), route.path.as_str()),
        ("wiki.example.com/", "wiki.example.com", "/")
    );
    assert_eq!(
        (route.access, route.websocket.clone(), route.pass_authorization),
        (Access::Session, WebSockets::SameOrigin, false)
    );
    assert_eq!(route.max_body, 64 << 20);
    assert_eq!((&route.identity_headers.presets, &route.identity_headers.map), (&vec![Preset::Zenkey], &vec![]));
    assert_eq!(route.upstream.group.to_string(), "http://127.0.0.1:3000");
    let upstream = &route.upstream;
    let timeouts = [upstream.connect_timeout, upstream.read_timeout, upstream.write_timeout].map(|time| time.as_secs());
    assert_eq!(timeouts, [2, 60, 30]);
    assert_eq!(warnings(SHORTEST).len(), 1, "Redis without TLS");
}

#[test]
fn many_faults_are_reported_together_in_the_order_of_their_places() {
    let text = "\
public_url: http://apps.example.com
listen: 4180
provider:
  zenkey:
    client_id: ccid-0123456789abcdef
    client_secret: { file: /run/secrets/missing }
    trusted_issuers:
      - http://oidc.example.com
      - { issuer: https://carrier.example.com, algorithms: [RS256, HS256] }
sessions:
  store: redis://:canary@redis:6379/x
  idle: 3 weeks
  absloute: 5h
  idle: 1h
trusted_proxies: [0.0.0.0/0]
routes:
  - host: wiki.example.com
    upstream: http://127.0.0.1:3000
  - host: WIKI.example.com
    access: session
    upstream: https://127.0.0.1:3000/app
  - host: app.example.com
    access: everybody
    upstream: nowhere.internal
    max_body: 64k
";
    let found = bad(text);
    let wanted = [
        "zengate.yaml:1:13: public_url: \"http://apps.example.com\" is plain http outside this machine, where secure cookies cannot live; use https",
        "zengate.yaml:2:9: listen: is the number 4180; expected an address such as `:4180` or `127.0.0.1:4180` (put it in quotes if it is meant as text)",
        "zengate.yaml:6:20: provider.zenkey.client_secret: file /run/secrets/missing does not exist",
        "zengate.yaml:8:9: provider.zenkey.trusted_issuers[0]: \"http://oidc.example.com\" is plain http outside this machine: anyone on the way could answer in its place; use https",
        "zengate.yaml:9:68: provider.zenkey.trusted_issuers[1].algorithms[1]: \"HS256\" is signed with a shared secret, which key sets do not hold; use one such as `RS256`",
        "zengate.yaml:11:10: sessions.store: is not a store; expected `embedded`, `memory`, `file:///…` or an address such as `redis://host:6379/0` (what stands there is not shown, it may hold a password)",
        "zengate.yaml:12:9: sessions.idle: \"3 weeks\" is longer than sessions.absolute (\"12h\", the default); choose a shorter one",
        "zengate.yaml:13:3: sessions.absloute: unknown key; did you mean `absolute`?",
        "zengate.yaml:14:3: the key \"idle\" stands twice; it already stands in line 12",
        "zengate.yaml:15:19: trusted_proxies[0]: \"0.0.0.0/0\" trusts far more than your own proxies; name ranges of prefix length 8 or more",
        "zengate.yaml:17:5: routes[0].access: is missing; expected `anonymous` or `bearer` or `session` or `session-or-bearer`",
        "zengate.yaml:19:11: routes[1].host: wiki.example.com/ is already routes[0]; each host and path has one route, or several whose `exact`, `headers` and `methods` say which of them is meant",
        "zengate.yaml:21:15: routes[1].upstream: \"https://127.0.0.1:3000/app\" has more than host and port; leave it out, and write the app's own path into the route's `replace_prefix`",
        "zengate.yaml:23:13: routes[2].access: \"everybody\" is not one of anonymous, bearer, session, session-or-bearer",
        "zengate.yaml:24:15: routes[2].upstream: \"nowhere.internal\" is not an `http://`, `https://` or `unix:` address; write one such as `http://127.0.0.1:3000`",
        "zengate.yaml:25:15: routes[2].max_body: \"64k\" may mean 1000 or 1024; write `KB`, `MB`, `GB` or `KiB`, `MiB`, `GiB`",
    ];
    assert_eq!(found, wanted, "{}", found.join("\n"));
}

#[test]
fn algorithms_that_anyone_can_forge_are_refused() {
    // Q04
    let carrier = |algorithms: &str| {
        with("[https://oidc.idp.xlogin.att.com]", &format!("[{{ issuer: https://a.test, algorithms: {algorithms} }}]"))
    };
    for algorithms in
        ["[none]", "[RS256, none]", "[HS256]", "[RS256, HS256]", "[RS256, hs512]", "[None]", "[]", "['']", "[RS257]"]
    {
        one_fault("algorithms", &carrier(algorithms), &carrier("[RS256, ES256]"));
    }
    let oidc = |algorithms: &str| {
        with(
            "  zenkey:\n    client_id: ccid-0123456789abcdef\n    client_secret: { file: /run/secrets/zenkey }\n    trusted_issuers: [https://oidc.idp.xlogin.att.com]\n",
            &format!(
                "  oidc:\n    issuer: https://i.test\n    client_id: x\n    client_secret: {{ env: OIDC_CLIENT_SECRET }}\n    algorithms: {algorithms}\n"
            ),
        )
    };
    one_fault("algorithms[1]", &oidc("[RS256, HS256]"), &oidc("[RS256]"));
}

#[test]
fn plain_http_is_for_this_machine_only() {
    // Q05, Q08
    let private = |text: String| text.replacen("provider:\n", "provider:\n  allow_private_addresses: true\n", 1);
    let twin = private(with("[https://oidc.idp.xlogin.att.com]", "['http://127.0.0.1:9000']"));
    one_fault("trusted_issuers[0]", &with("[https://oidc.idp.xlogin.att.com]", "['http://issuer.test']"), &twin);
    let discovery = |url: &str| {
        with(
            "    trusted_issuers",
            &format!("    discovery_issuer: {url}\n    discovery_ui: {url}\n    trusted_issuers"),
        )
    };
    assert_eq!(bad(&discovery("http://discovery.test")).len(), 2);
    good(&private(discovery("http://localhost:9000")));
    for url in
        ["http://apps.example.com", "http://10.0.0.1:4180", "http://localhost.evil.test", "http://127.0.0.1@evil.test"]
    {
        one_fault(
            "public_url",
            &with("https://apps.example.com", url),
            &with("https://apps.example.com", "http://localhost:4180"),
        );
    }
    one_fault("public_url", &with("https://apps.example.com", "https://apps.example.com/base"), SHORTEST);
    let faults = bad(&with("https://apps.example.com", "https://me:canary@apps.example.com"));
    assert!(!faults.join("\n").contains("canary"), "{faults:#?}");
    assert!(warnings(SHORTEST).iter().any(|warning| warning.contains("without TLS")));
    assert!(!warnings(&with("redis://redis", "rediss://redis")).iter().any(|warning| warning.contains("without TLS")));
    assert!(
        !warnings(&with("redis://redis", "redis://127.0.0.1")).iter().any(|warning| warning.contains("without TLS"))
    );
}

#[test]
fn nobody_is_trusted_by_accident() {
    // Q09
    for all in ["0.0.0.0/0", "'::/0'", "0.0.0.0/1, 128.0.0.0/1", "'::ffff:0.0.0.0/96'", "10.0.0.0/8, 0.0.0.0/0"] {
        let text = top(&format!("trusted_proxies: [{all}]\n"));
        assert!(bad(&text).iter().all(|fault| fault.contains("trusted_proxies[")), "{all}");
    }
    let config = good(&top("trusted_proxies: [10.0.0.0/8, '::1']\n"));
    assert!(config.trusted_proxies[0].contains("10.2.3.4".parse().unwrap()));
    assert!(!config.trusted_proxies[0].contains("11.2.3.4".parse().unwrap()));
}

#[test]
fn lifetimes_fit_each_other() {
    let text = |more: &str| sessions(more);
    one_fault(
        "sessions.idle: \"3 weeks\" is longer than sessions.absolute (\"12h\"); choose a shorter one",
        &text("  absolute: 12h\n  idle: 3 weeks\n"),
        &text("  absolute: 30d\n  idle: 3 weeks\n"),
    );
    one_fault(
        "sessions.absolute: \"10m\" is shorter than sessions.idle (\"30m\", the default)",
        &text("  absolute: 10m\n"),
        &text("  absolute: 10m\n  idle: 5m\n"),
    );
    one_fault("sessions.idle: \"59s\" is too little; at least 1m", &text("  idle: 59s\n"), &text("  idle: 60s\n"));
    one_fault("sessions.idle: \"0s\" is too little", &text("  idle: 0s\n"), &text("  idle: 1m\n"));
    one_fault(
        "sessions.idle: is the number 30; expected a duration such as `30s`, `15m` or `1h30m` (a number needs a unit)",
        &text("  idle: 30\n"),
        &text("  idle: 30m\n"),
    );
    one_fault("sign_in.skew", &top("sign_in: { skew: 1h }\n"), &top("sign_in: { skew: 2m }\n"));
    one_fault(
        "limits.uri_bytes",
        &top("limits: { uri_bytes: 48KiB }\n"),
        &top("limits: { uri_bytes: 48KiB, header_bytes: 64KiB }\n"),
    );
    one_fault(
        "limits.cookie_bytes",
        &top("limits: { cookie_bytes: 64KiB }\n"),
        &top("limits: { cookie_bytes: 64KiB, header_bytes: 128KiB }\n"),
    );
}

#[test]
fn return_origins_are_literals() {
    // A11
    let origins = |text: &str| top(&format!("sign_in: {{ return_origins: ['{text}'] }}\n"));
    for pattern in [
        "https://app\\.test",
        "https://.*",
        "https://*.app.test",
        "^https://app.test$",
        "https://app.(test|dev)",
        "app.test",
        ".app.test",
        "https://app.test/x",
    ] {
        one_fault("sign_in.return_origins[0]", &origins(pattern), &origins("https://app.test"));
    }
    assert_eq!(good(&origins("https://App.test:443/")).sign_in.return_origins, ["https://app.test"]);
    assert_eq!(good(&origins("http://localhost:3000")).sign_in.return_origins, ["http://localhost:3000"]);
}

#[test]
fn the_private_listener_stays_private_unless_its_address_is_written_out() {
    // R07
    assert!(good(SHORTEST).admin_listen.ip().is_loopback());
    one_fault("admin_listen", &top("admin_listen: ':44180'\n"), &top("admin_listen: 0.0.0.0:44180\n"));
    assert!(warnings(&top("admin_listen: 0.0.0.0:44180\n")).iter().any(|w| w.contains("admin_listen")));
    one_fault("shares its port", &top("admin_listen: 127.0.0.1:4180\n"), &top("admin_listen: 127.0.0.1:4181\n"));
    let upstream = |to: &str| with("http://127.0.0.1:3000", to);
    one_fault("is the gateway's own admin_listen", &upstream("http://127.0.0.1:44180"), SHORTEST);
    one_fault("is the gateway's own listen", &upstream("http://127.0.0.1:4180"), SHORTEST);
}

#[test]
fn stores_are_what_they_say() {
    let store = |more: &str| good(&sessions(more)).sessions.store;
    assert_eq!(store("  store: memory\n"), StoreChoice::Memory);
    assert_eq!(store("  idle: 5m\n"), StoreChoice::Embedded { path: "zengate.redb".into() });
    assert_eq!(store("  path: /x/y\n"), StoreChoice::Embedded { path: "/x/y".into() });
    assert_eq!(store("  store: file:///x/y\n"), StoreChoice::Embedded { path: "/x/y".into() });
    assert!(matches!(store("  store: unix:///run/redis.sock\n"), StoreChoice::Redis { .. }));
    one_fault("sessions.path", &sessions("  store: file:///x/y\n  path: z\n"), SHORTEST);
    one_fault("sessions.store", &sessions("  store: file://x\n"), SHORTEST);
    one_fault("sessions.store", &sessions("  store: redsi\n"), SHORTEST);
    let (config, _) = Machine::new()
        .env("STATE_DIRECTORY", "/var/lib/zengate:/other")
        .read_config(&sessions("  idle: 5m\n"))
        .unwrap();
    assert_eq!(config.sessions.store, StoreChoice::Embedded { path: "/var/lib/zengate/zengate.redb".into() });
}

#[test]
fn a_file_is_loaded_with_its_directory_as_the_beginning_of_relative_paths() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zengate.yaml");
    std::fs::write(dir.path().join("secret"), "canary\n").unwrap();
    std::fs::write(&path, with("/run/secrets/zenkey", "secret")).unwrap();
    let (config, _) = Config::load(&path).unwrap();
    assert_eq!(config.provider.settings.authentication.secret.as_ref().unwrap().expose(), "canary");
    let missing = Config::load(&dir.path().join("other.yaml")).unwrap_err().to_string();
    assert!(missing.contains("other.yaml: cannot be read"), "{missing}");
    std::fs::write(&path, [b'a', 0xff]).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("UTF-8"));
    let (config, _) =
        Config::parse(&with("{ file: /run/secrets/zenkey }", "{ env: X }"), "a.yaml", &|_| Some("y".into())).unwrap();
    assert_eq!(config.provider.settings.authentication.secret.as_ref().unwrap().expose(), "y");
}

mod admin;
mod advice;
mod approvals;
mod bearer;
mod carriers;
mod claims;
mod damage;
mod documents;
mod edits;
mod listeners;
mod own_answers;
mod providers;
mod routes;
mod secrets;
mod sim_tenure;
