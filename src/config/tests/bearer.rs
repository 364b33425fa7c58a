//! Promises about access tokens in the file.

use super::*;
use crate::snapshot::BearerIssuer;

const BEARER: &str = "\
bearer:
  issuers:
    - issuer: https://login.example.com
      audiences: [https://api.example.com, https://b.example.com]
routes:
  - host: wiki.example.com
    access: bearer
";

/// The shortest file with tokens, `from` replaced by `to`.
fn bent(from: &str, to: &str) -> String {
    assert!(BEARER.contains(from), "{from:?}");
    with("routes:\n  - host: wiki.example.com\n    access: session\n", &BEARER.replacen(from, to, 1))
}

fn plain() -> String {
    bent("", "")
}

#[test]
fn a_route_for_tokens_has_strict_defaults() {
    let config = good(&plain());
    let issuer = BearerIssuer {
        issuer: "https://login.example.com".into(),
        audiences: vec!["https://api.example.com".into(), "https://b.example.com".into()],
        trusted_audiences: vec![],
        algorithms: vec!["RS256".into()],
        accept_untyped: false,
        claims: Default::default(),
        acr_vocabulary: crate::oidc::acr::Vocabulary::PLAIN,
        assurance: vec![],
    };
    assert_eq!(config.bearer.issuers, [std::sync::Arc::new(issuer)]);
    assert_eq!((config.bearer.cache_entries, config.bearer.failures_per_minute), (100_000, 60));
    assert_eq!(config.provider.settings.token_issuers[0].jwks_uri, None);
    let [route] = config.routes.as_slice() else { panic!("one route") };
    assert_eq!((route.access, route.pass_authorization), (Access::Bearer, false));
    assert_eq!(route.identity_headers.presets, [Preset::Zenkey]);
    let narrowed = bent(
        "access: bearer\n",
        "access: session-or-bearer\n    audiences: [https://b.example.com]\n    require: { scopes: [read, write] }\n",
    );
    let route = &good(&narrowed).routes[0];
    assert_eq!(route.access, Access::SessionOrBearer);
    assert_eq!(
        (route.token.audiences.as_slice(), route.token.scopes.len()),
        (["https://b.example.com".to_owned()].as_slice(), 2)
    );
}

// K05
#[test]
fn an_issuer_without_audiences_is_a_fault() {
    one_fault(
        "bearer.issuers[0].audiences: is missing",
        &bent("      audiences: [https://api.example.com, https://b.example.com]\n", ""),
        &plain(),
    );
    one_fault("is an empty list", &bent("[https://api.example.com, https://b.example.com]", "[]"), &plain());
    one_fault("looks like a pattern", &bent("https://b.example.com", "'https://*.example.com'"), &plain());
}

// K05
#[test]
fn a_route_takes_tokens_only_where_somebody_may_issue_them() {
    let alone = with("access: session", "access: bearer");
    one_fault("routes[0].access: takes access tokens, but", &alone, &plain());
    let narrowed = |to: &str| bent("access: bearer\n", &format!("access: bearer\n    audiences: [{to}]\n"));
    one_fault("is an audience of no issuer", &narrowed("https://c.example.com"), &narrowed("https://b.example.com"));
    let scopes =
        |access: &str| bent("access: bearer\n", &format!("access: {access}\n    require: {{ scopes: [read] }}\n"));
    one_fault("routes[0].require.scopes: is about access tokens", &scopes("session"), &scopes("session-or-bearer"));
    let audiences =
        |access: &str| bent("access: bearer\n", &format!("access: {access}\n    audiences: [https://b.example.com]\n"));
    one_fault("routes[0].audiences: is about access tokens", &audiences("anonymous"), &audiences("bearer"));
}

// K04
#[test]
fn an_id_token_for_the_gateway_itself_can_never_be_an_access_token() {
    let bend = |audience: &str, more: &str| {
        bent("[https://api.example.com, https://b.example.com]\n", &format!("[{audience}]\n{more}"))
    };
    let untyped = "      accept_untyped: true\n";
    one_fault(
        "client id of our own sign-in",
        &bend("ccid-0123456789abcdef", untyped),
        &bend("https://api.example.com", untyped),
    );
    good(&bend("ccid-0123456789abcdef", ""));
}

#[test]
fn issuers_of_tokens_are_named_once_and_never_by_forgeable_algorithms() {
    // D13, Q04
    let twice = bent("routes:", "    - { issuer: 'https://login.example.com', audiences: [x] }\nroutes:");
    let other = bent("routes:", "    - { issuer: 'https://other.example.com', audiences: [x] }\nroutes:");
    one_fault("is already bearer.issuers[0]", &twice, &other);
    let algorithm = |name: &str| bent("routes:", &format!("      algorithms: [{name}]\nroutes:"));
    one_fault("would accept tokens without a signature", &algorithm("none"), &algorithm("ES256"));
    one_fault("shared secret", &algorithm("HS256"), &algorithm("EdDSA"));
}

#[test]
fn origins_for_scripts_are_literals_and_a_route_has_its_own() {
    // A11
    let origins = |top: &str, own: &str| {
        bent("routes:", &format!("cors_origins: {top}\nroutes:"))
            .replace("access: bearer\n", &format!("access: bearer\n{own}"))
    };
    let config = good(&origins("['https://spa.example.com:443']", ""));
    assert_eq!(config.routes[0].cors_origins, ["https://spa.example.com"]);
    let config = good(&origins("['https://spa.example.com']", "    cors_origins: []\n"));
    assert!(config.routes[0].cors_origins.is_empty());
    one_fault("cors_origins[0]", &origins("['*']", ""), &origins("['https://spa.example.com']", ""));
    one_fault("cors_origins[0]", &origins("['null']", ""), &origins("['https://spa.example.com']", ""));
}

// MV01
#[test]
fn whoever_accepts_unverified_addresses_is_warned() {
    let accepting = bent("audiences:", "accept_unverified_contacts: true\n      audiences:");
    assert!(good(&accepting).bearer.issuers[0].claims.accept_unverified);
    let key = "bearer.issuers[0].accept_unverified_contacts";
    let said = |text: &str| warnings(text).iter().filter(|warning| warning.contains(key)).count();
    assert_eq!((said(&accepting), said(&plain())), (1, 0));
    let issuer = "{ issuer: https://oidc.idp.xlogin.att.com, accept_unverified_contacts: true }";
    let trusting = with("[https://oidc.idp.xlogin.att.com]", &format!("[{issuer}]"));
    let warned = warnings(&trusting);
    assert!(
        warned.iter().any(|warning| warning.contains("trusted_issuers[0].accept_unverified_contacts")),
        "{warned:?}"
    );
}

// Issue 11, item 4: what a word of an issuer of tokens assures is the operator's to say.
#[test]
fn what_the_words_of_a_token_issuer_assure_is_written_down() {
    use crate::oidc::acr::Assurance;
    let demanding = bent("    access: bearer\n", "    access: bearer\n    require: { assurance: person }\n");
    let said = |words: &str| {
        demanding.replace("      audiences: [", &format!("      assurance: {{ {words} }}\n      audiences: ["))
    };
    let config = good(&said("silver: device, gold: person"));
    let issuer = &config.bearer.issuers[0];
    let ranks = ["gold", "silver", "a3"].map(|word| issuer.assurance_of(word));
    assert_eq!(ranks, [Some(Assurance::Person), Some(Assurance::Device), None]);
    assert_eq!(issuer.words_assuring(Assurance::Person), ["gold"]);
    one_fault("demands `person`, and of no word of an issuer it is known", &demanding, &said("gold: person"));
    one_fault(
        "demands `person`, and of no word of an issuer it is known",
        &said("silver: device"),
        &said("gold: strong"),
    );
}
