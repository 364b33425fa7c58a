//! The room from outside: a real client against small servers on loopback that can be bent at will.

mod accounts;
mod client;
mod client_auth;
mod configurations;
mod endpoints;
mod exchanges;
mod keys;
mod networks;
mod peer;
mod refreshes;
mod tls;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::carrier::find::Way;
use crate::carrier::profile;
use peer::Peer;

const MCCMNC: &str = "310380";
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// `seconds` after a moment in 2027.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn issuer(base: &str) -> IssuerSettings {
    IssuerSettings::of("provider.oidc", base)
}

/// One OpenID Connect issuer.
pub(super) fn one_issuer(issuer: IssuerSettings) -> FederationSettings {
    FederationSettings {
        profile: &profile::OIDC,
        find: vec![Way::Fixed],
        discovery: None,
        members: vec![issuer],
        api: None,
    }
}

pub(super) fn settings(federation: FederationSettings) -> ProviderSettings {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    ProviderSettings {
        section: "provider".to_owned(),
        federation,
        token_issuers: vec![],
        key_memory: None,
        client_id: "client".to_owned(),
        authentication: ClientAuthentication::with_secret(SecretString::new("secret")),
        userinfo: true,
        backchannel_base_url: None,
        endpoints: Endpoints::default(),
        allow_plain_http: false,
        proxy: None,
        connect_timeout: Duration::from_secs(3),
        total_timeout: Duration::from_secs(20),
        sim_tenure_timeout: Duration::from_secs(2),
        max_answer: 1 << 20,
        max_id_token: 256 << 10,
        ca_file: None,
        allow_private_addresses: true,
        jwks_refresh: Duration::from_secs(15 * MINUTE),
        jwks_max_stale: Duration::from_secs(24 * HOUR),
        jwks_cooldown: Duration::from_secs(MINUTE),
        metadata_max_age: Duration::from_secs(15 * MINUTE),
    }
}

fn plain(base: &str) -> ProviderSettings {
    settings(one_issuer(issuer(base)))
}

/// ZenKey with `discovery` as discovery issuer and UI, and the carriers at `bases`.
fn zenkey(discovery: &Peer, bases: &[&str]) -> ProviderSettings {
    settings(FederationSettings {
        profile: &profile::ZENKEY,
        find: vec![Way::UiWithState],
        discovery: Some(DiscoveryAddresses {
            issuer: Url::parse(&discovery.base).unwrap(),
            ui: Url::parse(&format!("{}/ui", discovery.base)).unwrap(),
            optimized: Url::parse(&format!("{}/auth", discovery.base)).unwrap(),
        }),
        members: bases.iter().map(|base| issuer(base)).collect(),
        api: None,
    })
}

/// What an issuer at `base` says of itself.
fn document(base: &str) -> Value {
    let own = base.strip_suffix('/').unwrap_or(base);
    json!({
        "issuer": base,
        "authorization_endpoint": format!("{own}/authorize"),
        "token_endpoint": format!("{own}/token"),
        "userinfo_endpoint": format!("{own}/userinfo"),
        "jwks_uri": format!("{own}/jwks"),
        "mccmnc": MCCMNC,
    })
}

fn carrier(base: &str) -> Carrier {
    let endpoint = |path: &str| Url::parse(&format!("{base}/{path}")).unwrap();
    Carrier {
        issuer: base.to_owned(),
        authorization_endpoint: endpoint("authorize"),
        token_endpoint: endpoint("token"),
        userinfo_endpoint: Some(endpoint("userinfo")),
        end_session_endpoint: None,
        jwks_uri: endpoint("jwks"),
        mccmnc: None,
        mccmnc_confirmed: false,
        iss_parameter_supported: false,
        auth_method: Default::default(),
        pushed_endpoint: None,
        server_initiated_endpoint: None,
        server_initiated_cancel_endpoint: None,
        sim_tenure_endpoint: None,
        requires_pushed_requests: false,
    }
}

fn key(kid: &str) -> Value {
    json!({ "kty": "RSA", "kid": kid, "n": URL_SAFE_NO_PAD.encode([0xff; 256]), "e": "AQAB" })
}

fn key_set(kids: &[&str]) -> Value {
    json!({ "keys": kids.iter().map(|kid| key(kid)).collect::<Vec<_>>() })
}
