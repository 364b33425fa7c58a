//! Envoy, from PyPI: alone, with its own sign-in, with tokens, and asking an authorizer.

use serde_json::{Value, json};

use super::{Credential, ENVOY, Running, program, signed_in};
use crate::common::process::Process;
use crate::stage::scene::{AUDIENCE, Place, Scene, free_port};

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http";

pub fn plain(scene: &Scene, path: &str) -> Result<Running, String> {
    let (process, place, port) = start(scene, free_port()?, None)?;
    Ok(Running { _place: Some(place), ..Running::open(vec![process], port, path) })
}

pub fn ext_authz(scene: &Scene, path: &str) -> Result<Running, String> {
    let one = |name: &str| json!({ "patterns": [{ "exact": name }] });
    let filter = json!({
        "@type": format!("{HTTP}.ext_authz.v3.ExtAuthz"),
        "allowed_headers": one("cookie"),
        "http_service": {
            "server_uri": { "uri": format!("http://{}", scene.authorizer.address), "cluster": "authorizer", "timeout": "2s" },
            "authorization_response": { "allowed_upstream_headers": one("x-auth-user") },
        },
    });
    let (process, place, port) = start(scene, free_port()?, Some(("ext_authz", filter)))?;
    let running = Running::open(vec![process], port, path).asking_authorizer();
    Ok(Running { _place: Some(place), ..running })
}

pub fn jwt(scene: &Scene, path: &str) -> Result<Running, String> {
    start_jwt(scene, path, None)
}

pub fn jwt_cached(scene: &Scene, path: &str) -> Result<Running, String> {
    start_jwt(scene, path, Some(json!({ "jwt_cache_size": 1000, "jwt_max_token_size": 4096 })))
}

fn start_jwt(scene: &Scene, path: &str, cache: Option<Value>) -> Result<Running, String> {
    let tokens = scene.tokens()?;
    let mut provider = json!({
        "issuer": scene.issuers.get(1),
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": tokens.jwks.to_string() },
        "claim_to_headers": [{ "header_name": "x-auth-user", "claim_name": "sub" }],
    });
    if let Some(cache) = cache {
        provider["jwt_cache_config"] = cache;
    }
    let filter = json!({
        "@type": format!("{HTTP}.jwt_authn.v3.JwtAuthentication"),
        "providers": { "issuer": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } }],
    });
    let (process, place, port) = start(scene, free_port()?, Some(("jwt_authn", filter)))?;
    let running = Running::open(vec![process], port, path).guarding(
        path,
        Credential::Bearer(tokens.all[0].clone()),
        "X-Auth-User",
    );
    Ok(Running { _place: Some(place), ..running })
}

pub fn oauth2(scene: &Scene, path: &str) -> Result<Running, String> {
    let metadata = scene.issuer()?;
    let port = free_port()?;
    let authority = format!("localhost:{port}");
    let (id, secret) = scene.register(&format!("http://{authority}/callback"));
    let secrets = scene.place("envoy-secrets")?;
    let kept = |name: &str, value: &str| {
        let resource = json!({ "resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": name,
            "generic_secret": { "secret": { "inline_string": value } },
        }] });
        let file = secrets.file(&format!("{name}.json"), &resource.to_string())?;
        Ok::<_, String>(json!({ "name": name, "sds_config": { "path_config_source": { "path": file } } }))
    };
    let filter = json!({
        "@type": format!("{HTTP}.oauth2.v3.OAuth2"),
        "config": {
            "token_endpoint": { "cluster": "issuer", "uri": metadata["token_endpoint"], "timeout": "5s" },
            "authorization_endpoint": metadata["authorization_endpoint"],
            "redirect_uri": "http://%REQ(:authority)%/callback",
            "redirect_path_matcher": { "path": { "exact": "/callback" } },
            "signout_path": { "path": { "exact": "/signout" } },
            "forward_bearer_token": true,
            "auth_scopes": ["openid", "name", "email"],
            "credentials": {
                "client_id": id,
                "token_secret": kept("token", &secret)?,
                "hmac_secret": kept("hmac", "0123456789abcdef0123456789abcdef")?,
            },
        },
    });
    let (process, place, _) = start(scene, port, Some(("oauth2", filter)))?;
    let credential = signed_in(&authority)?;
    let running = Running::open(vec![process], port, path).guarding(path, credential, "Authorization");
    Ok(Running { _place: Some(place), ..running })
}

fn start(scene: &Scene, port: u16, guard: Option<(&str, Value)>) -> Result<(Process, Place, u16), String> {
    let mut command = program(ENVOY)?;
    let place = scene.place("envoy")?;
    let guard =
        guard.map(|(name, filter)| json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": filter }));
    let router =
        json!({ "name": "envoy.filters.http.router", "typed_config": { "@type": format!("{HTTP}.router.v3.Router") } });
    let filters: Vec<Value> = guard.into_iter().chain([router]).collect();
    let issuer = scene.issuers.get(1).and_then(|issuer| issuer.strip_prefix("http://")).ok_or("no issuer")?;
    let clusters = [
        cluster("app", &scene.upstream.address)?,
        cluster("authorizer", &scene.authorizer.address)?,
        cluster("issuer", &issuer.replace("localhost", "127.0.0.1"))?,
    ];
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "people",
        "codec_type": "HTTP1",
        "http_filters": filters,
        "route_config": { "virtual_hosts": [{
            "name": "app",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "app" } }],
        }] },
    });
    let config = json!({ "node": { "id": "bench", "cluster": "bench" }, "static_resources": {
        "clusters": clusters,
        "listeners": [{
            "address": socket("127.0.0.1", port),
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }] }],
        }],
    } });
    let file = place.file("envoy.json", &config.to_string())?;
    command.args(["-c", &file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
    let process = scene.launch(command, &place, port)?;
    Ok((process, place, port))
}

fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn cluster(name: &str, address: &str) -> Result<Value, String> {
    let (host, port) = address.trim_end_matches('/').rsplit_once(':').ok_or("no port")?;
    let port = port.parse().map_err(|_| format!("{address} has no port"))?;
    Ok(json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(host, port) } }] }],
        },
    }))
}
