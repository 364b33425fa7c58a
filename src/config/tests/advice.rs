//! What a first file often lacks, and what somebody brings from elsewhere: said at once, with what to write.

use super::*;

/// A file with one plain issuer, `keys` below it, and `routes` below a route.
fn oidc(issuer: &str, keys: &str, route: &str) -> String {
    format!(
        "public_url: https://apps.example.com
provider:
  oidc:
    issuer: {issuer}
    client_id: wiki
    client_secret: {{ env: OIDC_CLIENT_SECRET }}
{keys}sessions:
  store: rediss://redis:6379
routes:
  - host: wiki.example.com
    access: session
    upstream: http://127.0.0.1:3000
{route}"
    )
}

const ISSUER: &str = "https://login.example.com";

// FD09
#[test]
fn claims_that_no_scope_brings_are_told() {
    let told = |keys: &str, route: &str| warnings(&oidc(ISSUER, keys, route));
    assert_eq!(
        told("", ""),
        ["zengate.yaml:4:5: provider.oidc.scopes: bring no claim for the headers x-auth-request-email, \
              x-auth-request-preferred-username; add email, profile, or choose other headers"]
    );
    assert_eq!(
        told("    scopes: [openid, email]\n", ""),
        ["zengate.yaml:7:13: provider.oidc.scopes: bring no claim for the headers x-auth-request-preferred-username; \
              add profile, or choose other headers"]
    );
    let all = "    scopes: [openid, email, profile]\n";
    assert_eq!(told(all, ""), Vec::<String>::new());
    // Headers of one's own, and rules.
    let phone = told(all, "    identity_headers: { map: { X-Phone: phone_number, X-Team: team, X-Sub: sub } }\n");
    assert_eq!(phone.len(), 1, "{phone:?}");
    assert!(phone[0].contains("headers x-phone; add phone"), "{phone:?}");
    let rule = "    require: { claims: { phone_number: ['+15550100'], groups: [staff] } }\n";
    let rules = told(all, rule);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(rules[0].contains("routes[0].require.claims.phone_number: demands a claim"), "{rules:?}");
    // Rules that nobody could meet: everybody would be refused.
    let domains = "    require: { email_domains: [example.com] }\n    identity_headers: { map: { X-Sub: sub } }\n";
    let rules = told("", domains);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(rules[0].contains("routes[0].require.email_domains: demands an e-mail"), "{rules:?}");
    assert!(rules[0].contains("add `email` to the provider's scopes"), "{rules:?}");
    assert_eq!(told("    scopes: [openid, email]\n", domains), Vec::<String>::new());
    let acr = "    require: { acr: [gold] }\n";
    let rules = told(all, acr);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(rules[0].contains("routes[0].require.acr: demands what no sign-in asks"), "{rules:?}");
    assert_eq!(told(&format!("{all}    acr_values: [gold]\n"), acr), Vec::<String>::new());
    // Who asks for nobody wants nothing of anybody.
    let open = oidc(ISSUER, "", "").replace("access: session", "access: anonymous");
    assert_eq!(warnings(&open), Vec::<String>::new());
}

// OF1: RFC 6749 A.1 allows blanks in a client id.
#[test]
fn a_client_id_may_hold_blanks_and_not_end_in_one() {
    let all = "    scopes: [openid, email, profile]\n";
    let with = |id: &str| oidc(ISSUER, all, "").replace("client_id: wiki", &format!("client_id: '{id}'"));
    one_fault("provider.oidc.client_id", &with("my wiki "), &with("my wiki, 2nd"));
}

// KC19
#[test]
fn a_refresh_token_that_nothing_uses_is_told_of_each_provider() {
    let entry = |id: &str, scopes: &str| {
        format!(
            "  - id: {id}
    oidc: {{ issuer: 'https://{id}.example.com', client_id: a, client_secret: {{ env: OIDC_CLIENT_SECRET }}, scopes: [{scopes}] }}
"
        )
    };
    let text = |sessions: &str| {
        let providers =
            entry("one", "openid, email, profile") + &entry("two", "openid, email, profile, offline_access");
        let plain = oidc(ISSUER, "", "");
        let (head, _) = plain.split_once("provider:").unwrap();
        let (_, tail) = plain.split_once("sessions:\n").unwrap();
        format!("{head}providers:\n{providers}sessions:\n{sessions}{tail}")
    };
    let told = warnings(&text(""));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(" providers[1].oidc.scopes: asks for `offline_access`"), "{told:?}");
    assert_eq!(warnings(&text("  recheck: 10m\n")), Vec::<String>::new());
}

// FD08, KC17
#[test]
fn an_issuer_at_a_private_address_names_the_switch() {
    let all = "    scopes: [openid, email, profile]\n";
    for issuer in ["http://localhost:8080/realms/a", "https://10.1.2.3", "https://192.168.0.7:8443", "'http://[::1]:9'"]
    {
        let switched = oidc(issuer, &format!("{all}  allow_private_addresses: true\n"), "");
        one_fault("allow_private_addresses: true", &oidc(issuer, all, ""), &switched);
    }
    // Nothing makes a multicast address, or one that stands for no address, an issuer.
    for issuer in ["https://224.0.0.1", "https://0.0.0.0"] {
        let faults = bad(&oidc(issuer, &format!("{all}  allow_private_addresses: true\n"), ""));
        assert!(faults.iter().any(|fault| fault.contains("at which no provider can be")), "{faults:?}");
    }
    let bearer = |issuer: &str| {
        let issuers = format!("bearer: {{ issuers: [{{ issuer: '{issuer}', audiences: [api] }}] }}\nroutes:");
        oidc(ISSUER, all, "").replace("routes:", &issuers)
    };
    one_fault("bearer.issuers[0].issuer", &bearer("https://10.0.0.1"), &bearer("https://tokens.example.com"));
}

// XM09
#[test]
fn an_issuer_that_stands_for_many_tenants_is_refused() {
    let entra = |tenant: &str| oidc(&format!("https://login.microsoftonline.com/{tenant}/v2.0"), "", "");
    for tenant in ["common", "organizations", "consumers"] {
        one_fault(
            &format!("write your tenant's id in place of `{tenant}`"),
            &entra(tenant),
            &entra("72f988bf-86f1-41af-91ab-2d7cd011db47"),
        );
    }
}

// MV17
#[test]
fn keys_of_oauth2_proxy_are_answered_with_what_does_the_same_here() {
    for (line, here) in [
        ("cookie_secret: canary", "`sessions.keys`"),
        ("email_domains: ['*']", "`routes.require.email_domains`"),
        ("redirect-url: https://apps.example.com/oauth2/callback", "`public_url`"),
        ("upstreams: ['http://127.0.0.1:3000']", "`routes.upstream`"),
        ("oidcIssuerURL: https://login.example.com", "`provider.oidc.issuer`"),
        ("skip_auth_routes: ['^/public']", "`access: anonymous`"),
    ] {
        let faults = bad(&format!("{line}\n{SHORTEST}"));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].contains("unknown key; it is one of oauth2-proxy; here:") && faults[0].contains(here),
            "{faults:?}"
        );
        assert!(!faults[0].contains("canary"), "{faults:?}");
    }
}
