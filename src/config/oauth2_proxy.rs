//! The names of oauth2-proxy's settings, for those who come from there: where a file has one of them, the fault says what
//! does the same here.

/// What to say of `key`, if it is a setting of oauth2-proxy: as a flag (`cookie-secret`), in its TOML file
/// (`cookie_secret`), or in its YAML (`cookieSecret`).
pub(crate) fn counterpart(key: &str) -> Option<String> {
    let name = plain(key);
    let (_, here) = COUNTERPARTS.iter().find(|(names, _)| names.split(' ').any(|one| plain(one) == name))?;
    Some(format!("it is one of oauth2-proxy; here: {here}"))
}

fn plain(key: &str) -> String {
    key.to_ascii_lowercase().replace(['-', '_'], "")
}

/// Names as its flags have them, and what does the same here. Keys of ours stand in backticks; a test compares them with
/// the schema.
pub(crate) const COUNTERPARTS: &[(&str, &str)] = &[
    (
        "allowed_groups allowed_group allowed_roles allowed_role",
        "`routes.require.claims` of a route: `{ groups: [staff] }`",
    ),
    ("approval_prompt", "nothing: it is older than OpenID Connect"),
    (
        "authenticated_emails_file",
        "`routes.require.claims` of a route: `{ email: [maya@example.com] }`, or `routes.require.email_domains`",
    ),
    ("banner footer custom_templates_dir custom_sign_in_logo display_htpasswd_form", "nothing: the pages are fixed"),
    (
        "basic_auth_password pass_basic_auth prefer_email_to_user",
        "`routes.identity_headers`: apps get headers, no password",
    ),
    ("bearer_token_login_fallback", "nothing: a token that is not good is refused"),
    ("client_secret_file", "`client_secret: { file: … }`"),
    ("code_challenge_method", "nothing: S256 is always used"),
    ("cookie_csrf_expire", "`sessions.attempt`"),
    ("cookie_csrf_per_request cookie_csrf_per_request_limit", "nothing: each tab has a sign-in of its own"),
    (
        "cookie_domains cookie_domain",
        "nothing: a cookie belongs to one host; other hosts are signed in through `public_url`",
    ),
    ("cookie_expire", "`sessions.absolute`, and `sessions.idle` for sessions that are not used"),
    (
        "cookie_httponly cookie_secure cookie_samesite cookie_path",
        "nothing: cookies are always Secure, HttpOnly and SameSite=Lax",
    ),
    ("cookie_name session_cookie_minimal", "nothing: the cookie is `__Host-gw` and holds no more than a secret"),
    ("cookie_refresh", "`sessions.idle`: each use keeps a session alive"),
    ("cookie_secret cookie_secret_file", "`sessions.keys`; without any a key is derived from the client secret"),
    (
        "email_domains email_domain",
        "`routes.require.email_domains` of a route; without it everybody who can sign in may pass",
    ),
    ("extra_jwt_issuers skip_jwt_bearer_tokens", "`bearer.issuers` and `access: session-or-bearer`"),
    ("force_https tls_cert_file tls_key_file https_address tls_min_version", "nothing: TLS ends at the proxy in front"),
    ("htpasswd_file htpasswd_user_groups", "nothing: people sign in with the provider"),
    ("http_address server", "`listen`"),
    ("inject_request_headers", "`routes.identity_headers.map`"),
    ("inject_response_headers set_basic_auth", "nothing"),
    ("insecure_oidc_allow_unverified_email", "`provider.oidc.accept_unverified_contacts`"),
    (
        "login_url redeem_url oidc_jwks_url profile_url validate_url skip_oidc_discovery",
        "`provider.oidc.issuer`, which publishes its addresses",
    ),
    (
        "logging_filename logging_max_size logging_max_age logging_compress logging_max_backups",
        "nothing: the log goes to standard error",
    ),
    (
        "metrics_address metrics_server ping_path ready_path ping_user_agent silence_ping_logging",
        "`admin_listen`, with /metrics, /livez and /readyz",
    ),
    (
        "oidc_email_claim oidc_groups_claim user_id_claim",
        "`routes.identity_headers.map` and `routes.require.claims`, which name any claim",
    ),
    ("oidc_issuer_url issuer_url", "`provider.oidc.issuer`"),
    (
        "pass_access_token set_authorization_header pass_authorization_header",
        "nothing: tokens of the provider are dropped after the sign-in",
    ),
    ("pass_host_header", "nothing: the host is always passed on"),
    ("pass_user_headers", "`routes.identity_headers`: `{ preset: x-forwarded }`"),
    ("provider_ca_files provider_ca_file ca_files use_system_trust_store", "`provider.ca_file`"),
    ("provider_display_name skip_provider_button", "nothing: people are sent to the provider at once"),
    ("proxy_prefix", "`prefix`"),
    ("redirect_url", "`public_url`: the redirect URI is made of it"),
    (
        "redis_connection_url session_store_type redis_sentinel_connection_urls redis_cluster_connection_urls redis_use_sentinel redis_use_cluster",
        "`sessions.store`: the address of one Redis",
    ),
    ("request_logging auth_logging standard_logging request_logging_format", "`log.access` and `log.format`"),
    (
        "reverse_proxy real_client_ip_header trusted_proxy_ips",
        "`trusted_proxies`: the addresses of the proxies in front",
    ),
    ("set_xauthrequest", "`routes.identity_headers`: `{ preset: x-auth-request }`"),
    (
        "skip_auth_routes skip_auth_route skip_auth_regex skip_auth_preflight api_routes",
        "a route with `access: anonymous`; scripts are known by what their browser says",
    ),
    (
        "ssl_insecure_skip_verify ssl_upstream_insecure_skip_verify",
        "nothing: certificates are always checked; `provider.ca_file` adds an authority",
    ),
    ("trusted_ips trusted_ip", "nothing: an address is no proof of anybody"),
    ("upstream_timeout", "`routes.timeouts` of a route"),
    ("upstreams upstream upstream_config", "`routes.upstream` of each route"),
    ("whitelist_domains whitelist_domain", "`sign_in.return_origins`"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::schema;

    #[test]
    fn each_name_stands_once_and_leads_to_keys_that_exist() {
        let mut names = BTreeSet::new();
        for name in COUNTERPARTS.iter().flat_map(|(names, _)| names.split(' ')) {
            assert!(names.insert(name), "{name} stands twice");
        }
        let known: BTreeSet<String> = schema::keys().into_iter().map(|key| key.path.replace("[]", "")).collect();
        let quoted = |text: &'static str| text.split('`').skip(1).step_by(2);
        for word in COUNTERPARTS.iter().flat_map(|(_, here)| quoted(here)) {
            let example = word.contains([' ', '{']) || word.starts_with("__Host-");
            assert!(example || known.contains(word), "{word} is no key");
        }
    }

    #[test]
    fn every_way_of_writing_a_name_is_known() {
        for key in ["cookie_secret", "cookie-secret", "cookieSecret"] {
            assert!(counterpart(key).is_some_and(|text| text.contains("`sessions.keys`")), "{key}");
        }
        assert_eq!(counterpart("colour"), None);
    }
}
