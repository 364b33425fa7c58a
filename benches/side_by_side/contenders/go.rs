//! Proxies written in Go: Caddy and Traefik from PyPI, oauth2-proxy if its program is named.

use std::process::Command;

use super::{CADDY, OAUTH2_PROXY, Running, TRAEFIK, program, signed_in};
use crate::stage::scene::{Place, Scene, free_port};

pub fn caddy(scene: &Scene, path: &str) -> Result<Running, String> {
    start_caddy(scene, path, "")
}

pub fn caddy_forward_auth(scene: &Scene, path: &str) -> Result<Running, String> {
    let guard = format!(
        "forward_auth {} {{
    uri /authorize
    copy_headers X-Auth-User
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}",
        scene.authorizer.address
    );
    start_caddy(scene, path, &guard).map(Running::asking_authorizer)
}

fn start_caddy(scene: &Scene, path: &str, guard: &str) -> Result<Running, String> {
    let mut command = program(CADDY)?;
    let place = scene.place("caddy")?;
    let port = free_port()?;
    let config = format!(
        "{{
  admin off
  auto_https off
  persist_config off
  storage file_system {dir}
}}
http://:{port} {{
  bind 127.0.0.1
  {guard}
  reverse_proxy {upstream} {{
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
",
        dir = place.text(),
        upstream = scene.upstream.address,
    );
    let file = place.file("Caddyfile", &config)?;
    command.args(["run", "--adapter", "caddyfile", "--config", &file]);
    start(scene, command, place, port, path)
}

pub fn traefik(scene: &Scene, path: &str) -> Result<Running, String> {
    start_traefik(scene, path, "", "")
}

pub fn traefik_forward_auth(scene: &Scene, path: &str) -> Result<Running, String> {
    let guard = format!(
        "  middlewares:
    guard:
      forwardAuth:
        address: http://{}/authorize
        authResponseHeaders: [X-Auth-User]
",
        scene.authorizer.address
    );
    start_traefik(scene, path, "      middlewares: [guard]\n", &guard).map(Running::asking_authorizer)
}

fn start_traefik(scene: &Scene, path: &str, guarded: &str, guard: &str) -> Result<Running, String> {
    let mut command = program(TRAEFIK)?;
    let place = scene.place("traefik")?;
    let port = free_port()?;
    let config = format!(
        "http:
  routers:
    app:
      rule: PathPrefix(`/`)
      service: app
      entryPoints: [people]
{guarded}{guard}  services:
    app:
      loadBalancer:
        passHostHeader: true
        servers:
          - url: http://{}
",
        scene.upstream.address
    );
    let file = place.file("routes.yaml", &config)?;
    command.arg(format!("--entrypoints.people.address=127.0.0.1:{port}"));
    command.arg(format!("--providers.file.filename={file}")).arg("--providers.file.watch=false");
    command.args(["--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=ERROR"]);
    let running = start(scene, command, place, port, path)?;
    // It listens before it has read its routes.
    for _ in 0..200 {
        let fields = running.credential.field();
        let answer = crate::common::client::ask("GET", &running.authority, "/app/echo", &fields, "");
        if answer.is_ok_and(|answer| answer.status == 200) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    Ok(running)
}

/// Not in any registry used here: set `OAUTH2_PROXY_BIN` to a program of one's own.
pub fn oauth2_proxy(scene: &Scene, path: &str) -> Result<Running, String> {
    let mut command = program(OAUTH2_PROXY).map_err(|why| format!("{why}; set OAUTH2_PROXY_BIN"))?;
    let place = scene.place("oauth2-proxy")?;
    let port = free_port()?;
    let authority = format!("localhost:{port}");
    let callback = format!("http://{authority}/oauth2/callback");
    let (id, secret) = scene.register(&callback);
    let issuer = scene.issuers.get(1).ok_or("no issuer")?;
    command.args([
        "--provider=oidc",
        "--scope=openid name email",
        "--email-domain=*",
        "--cookie-secure=false",
        "--cookie-secret=0123456789abcdef0123456789abcdef",
        "--skip-provider-button=true",
        "--insecure-oidc-allow-unverified-email=true",
        "--pass-user-headers=true",
        "--code-challenge-method=S256",
    ]);
    command.arg(format!("--http-address=127.0.0.1:{port}")).arg(format!("--redirect-url={callback}"));
    command.arg(format!("--oidc-issuer-url={issuer}")).arg(format!("--upstream=http://{}/", scene.upstream.address));
    command.arg(format!("--client-id={id}")).arg(format!("--client-secret={secret}"));
    let running = start(scene, command, place, port, path)?;
    let credential = signed_in(&authority)?;
    Ok(running.guarding(path, credential, "X-Forwarded-User"))
}

fn start(scene: &Scene, mut command: Command, place: Place, port: u16, path: &str) -> Result<Running, String> {
    // One thread runs at a time, as everywhere here; and nothing is written outside the contender's own directory.
    command.env("GOMAXPROCS", "1");
    for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(variable, &place.dir);
    }
    let process = scene.launch(command, &place, port)?;
    Ok(Running { _place: Some(place), ..Running::open(vec![process], port, path) })
}
