//! Apache with mod_auth_openidc, from Debian's packages; its people sign in at the carrier that serves as plain issuer.

use super::{APACHE, Running, program, signed_in};
use crate::stage::scene::{Helper, Scene, free_port};

/// Where Debian puts modules.
const MODULES: &str = "/usr/lib/apache2/modules";

pub fn shm(scene: &Scene, path: &str) -> Result<Running, String> {
    start(scene, path, "OIDCCacheType shm")
}

pub fn redis(scene: &Scene, path: &str) -> Result<Running, String> {
    let cache = format!("OIDCCacheType redis\nOIDCRedisCacheServer 127.0.0.1:{}", scene.redis()?);
    Ok(Running { helper: Helper::Redis, ..start(scene, path, &cache)? })
}

fn start(scene: &Scene, path: &str, cache: &str) -> Result<Running, String> {
    let mut command = program(APACHE)?;
    if !std::path::Path::new(MODULES).join("mod_auth_openidc.so").is_file() {
        return Err("mod_auth_openidc is not installed".to_owned());
    }
    let place = scene.place("apache")?;
    let port = free_port()?;
    let authority = format!("localhost:{port}");
    let callback = format!("http://{authority}/app/callback");
    let (id, secret) = scene.register(&callback);
    let modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc"];
    let modules: String =
        modules.iter().map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n")).collect();
    let issuer = scene.issuers.get(1).ok_or("no issuer")?;
    let config = format!(
        "ServerRoot {dir}
PidFile {dir}/pid
DefaultRuntimeDir {dir}
Mutex file:{dir} default
ServerName {authority}
Listen 127.0.0.1:{port}
{modules}<IfModule unixd_module>
User www-data
Group www-data
</IfModule>
ErrorLog {dir}/error.log
LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined
CustomLog /dev/null combined
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 75
ServerLimit 1
StartServers 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {id}
OIDCClientSecret {secret}
OIDCProviderTokenEndpointAuth client_secret_post
OIDCRedirectURI {callback}
OIDCScope \"openid name email\"
OIDCCryptoPassphrase 0123456789abcdef0123456789abcdef
OIDCSessionType server-cache
OIDCSessionInactivityTimeout 3600
{cache}
<Location />
AuthType openid-connect
Require valid-user
</Location>
ProxyPass / http://{upstream}/ keepalive=On
",
        dir = place.text(),
        upstream = scene.upstream.address,
    );
    let file = place.file("apache.conf", &config)?;
    command.args(["-f", &file, "-DFOREGROUND"]);
    let process = scene.launch(command, &place, port)?;
    let credential = signed_in(&authority).map_err(|why| {
        let log = std::fs::read_to_string(place.dir.join("error.log")).unwrap_or_default();
        let last: Vec<_> = log.lines().filter(|line| line.contains("error")).rev().take(3).collect();
        format!("{why}: {}", last.join(" / "))
    })?;
    let running = Running::open(vec![process], port, path).guarding(path, credential, "OIDC_CLAIM_sub");
    Ok(Running { _place: Some(place), ..running })
}
