//! nginx and HAProxy, from Debian's packages.

use super::{HAPROXY, NGINX, Running, program};
use crate::stage::scene::{Scene, free_port};

pub fn nginx(scene: &Scene, path: &str) -> Result<Running, String> {
    start_nginx(scene, path, "", "")
}

pub fn nginx_auth_request(scene: &Scene, path: &str) -> Result<Running, String> {
    let guard = "auth_request /authorize;
      auth_request_set $person $upstream_http_x_auth_user;
      proxy_set_header X-Auth-User $person;";
    let place = "location = /authorize {
      internal;
      proxy_pass http://authorizer;
      proxy_pass_request_body off;
      proxy_set_header Content-Length \"\";
      proxy_set_header Connection \"\";
      proxy_http_version 1.1;
    }";
    start_nginx(scene, path, guard, place).map(Running::asking_authorizer)
}

fn start_nginx(scene: &Scene, path: &str, guard: &str, authorize: &str) -> Result<Running, String> {
    let mut command = program(NGINX)?;
    let place = scene.place("nginx")?;
    let port = free_port()?;
    let config = format!(
        "daemon off;
worker_processes 1;
pid {dir}/pid;
error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log /dev/null;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  keepalive_requests 1000000000;
  upstream app {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
  upstream authorizer {{ server {authorizer}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      {guard}
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $http_host;
    }}
    {authorize}
  }}
}}
",
        dir = place.text(),
        upstream = scene.upstream.address,
        authorizer = scene.authorizer.address,
    );
    let file = place.file("nginx.conf", &config)?;
    let errors = format!("{}/error.log", place.text());
    command.args(["-c", &file, "-p", &place.text(), "-e", &errors]);
    let process = scene.launch(command, &place, port)?;
    Ok(Running::open(vec![process], port, path))
}

pub fn haproxy(scene: &Scene, path: &str) -> Result<Running, String> {
    let mut command = program(HAPROXY)?;
    let place = scene.place("haproxy")?;
    let port = free_port()?;
    let config = format!(
        "global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend people
  bind 127.0.0.1:{port}
  default_backend app
backend app
  server app {}
",
        scene.upstream.address
    );
    let file = place.file("haproxy.cfg", &config)?;
    command.args(["-db", "-f", &file]);
    let process = scene.launch(command, &place, port)?;
    Ok(Running::open(vec![process], port, path))
}
