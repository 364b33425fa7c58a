//! Claims in the configuration: names that can never be there, rules that can never be met.

use super::*;

fn plain(more: &str, route: &str) -> String {
    format!(
        "public_url: https://apps.example.com
provider:
  oidc: {{ issuer: 'https://issuer.example', client_id: a, client_secret: {{ env: S }}, scopes: [openid, email]{more} }}
sessions: {{ store: memory }}
bearer: {{ issuers: [ {{ issuer: 'https://api.example', audiences: [api] }} ] }}
routes:
  - {{ host: apps.example.com, upstream: 'http://127.0.0.1:9', {route} }}
"
    )
}

fn machine() -> Machine {
    Machine::new().env("S", "a secret that is long enough")
}

fn faults(text: &str) -> Vec<String> {
    machine()
        .read_config(text)
        .err()
        .map(|faults| faults.to_string().lines().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = machine().read_config(text).unwrap_or_else(|faults| panic!("{faults}"));
    warnings.into_iter().map(|warning| format!("{}: {}", warning.key, warning.text)).collect()
}

// KC08b
#[test]
fn a_claim_that_can_never_be_there_is_a_fault_that_says_what_to_write() {
    for (access, name, word) in [
        ("session", "aud", "`audiences`"),
        ("bearer", "aud", "`audiences`"),
        ("bearer", "scope", "`require.scopes`"),
        ("session", "sid", "belongs to the protocol"),
        ("session", "nonce", "belongs to the protocol"),
        ("session", "azp", "access: session"),
        ("session", "client_id", "access: session"),
    ] {
        let rule = faults(&plain("", &format!("access: {access}, require: {{ claims: {{ {name}: [x] }} }}")));
        assert!(rule.iter().any(|fault| fault.contains(word) && fault.contains(name)), "{access} {name}: {rule:#?}");
        let header = faults(&plain("", &format!("access: {access}, identity_headers: {{ map: {{ My-A: {name} }} }}")));
        assert!(header.iter().any(|fault| fault.contains(word) && fault.contains("My-A")), "{name}: {header:#?}");
    }
    for (access, name) in [("bearer", "azp"), ("bearer", "client_id"), ("session", "act.sub"), ("session", "groups")] {
        assert!(faults(&plain("", &format!("access: {access}, require: {{ claims: {{ {name}: [x] }} }}"))).is_empty());
    }
    let either = warnings(&plain("", "access: session-or-bearer, require: { claims: { azp: [x] } }"));
    assert!(either.iter().any(|warning| warning.contains("never there for sessions")), "{either:#?}");
}

// MV04, XM08
#[test]
fn a_rule_by_domain_that_an_issuer_can_never_meet_is_said() {
    let rule = "access: session, require: { email_domains: [corp.test] }";
    let entra =
        |more: &str| plain(more, rule).replace("https://issuer.example", "https://login.microsoftonline.com/t/v2.0");
    let said = |text: &str| warnings(text).into_iter().filter(|text| text.contains("can never be met")).count();
    assert_eq!(said(&entra("")), 1);
    assert_eq!(said(&entra(", email_verified_absent: unverified")), 1);
    // The twins.
    assert_eq!(said(&entra(", email_verified_absent: verified")), 0);
    assert_eq!(said(&plain("", rule)), 0);
    let risky = warnings(&plain(", email_verified_absent: verified", rule));
    assert!(risky.iter().any(|warning| warning.contains("make sure that people cannot choose")), "{risky:#?}");
}

// PF08
#[test]
fn old_words_of_zenkey_are_refused_at_carriers_and_a_plain_issuers_own() {
    let words = ", acr_values: [aal2, loa2]";
    assert!(faults(&plain(words, "access: session, require: { acr: [aal2] }")).is_empty());
    let carrier = "public_url: https://apps.example.com
provider:
  zenkey:
    client_id: ccid-a
    client_secret: { env: S }
    trusted_issuers: ['https://carrier.example']
    acr_values: [a1, aal3]
sessions: { store: memory }
routes:
  - { host: apps.example.com, upstream: 'http://127.0.0.1:9', access: session, require: { acr: [loa2] } }
";
    let refused = faults(carrier);
    assert!(
        refused.iter().any(|fault| fault.contains("acr_values[1]") && fault.contains("write `a3`")),
        "{refused:#?}"
    );
    assert!(
        refused.iter().any(|fault| fault.contains("require.acr[0]")
            && fault.contains("withdrawn")
            && fault.contains("write one of `a1`, `a3`")),
        "{refused:#?}"
    );
    assert!(faults(&carrier.replace("aal3", "a3").replace("loa2", "a1")).is_empty());
}

#[test]
fn what_separates_values_is_short_and_for_claims_that_can_be_several() {
    let split = |text: &str| plain(&format!(", split_claims: {text}"), "access: session");
    for (bad, word) in [
        ("{ name: ',' }", "one text by definition"),
        ("{ aud: ',' }", "audiences"),
        ("{ groups: '' }", "is empty"),
        ("{ groups: 'longer than eight' }", "separator"),
    ] {
        let refused = faults(&split(bad));
        assert!(refused.iter().any(|fault| fault.contains(word)), "{bad}: {refused:#?}");
    }
    let (config, _) =
        machine().read_config(&split("{ groups: ',', roles: ' ' }")).unwrap_or_else(|faults| panic!("{faults}"));
    let issuer = config.provider.settings.federation.fixed().expect("one issuer");
    assert_eq!(issuer.claims.split.len(), 2);
}

#[test]
fn a_header_may_be_no_longer_than_all_of_them() {
    let headers =
        |text: &str| plain("", &format!("access: session, identity_headers: {{ preset: x-auth-request, {text} }}"));
    assert!(faults(&headers("max_value: 16KiB")).iter().any(|fault| fault.contains("max_total")));
    assert!(faults(&headers("max_value: 16KiB, max_total: 16KiB")).is_empty());
    let (config, _) = machine().read_config(&headers("max_total: 1KiB")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.routes[0].identity_headers.max_total, 1024, "a default that is larger gives way");
}
