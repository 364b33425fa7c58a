//! Several who vouch for people.

use super::*;

const TWO: &str = "\
public_url: https://apps.example.com
providers:
  - id: staff
    name: Staff & friends
    oidc: { issuer: 'https://staff.example.com', client_id: a, client_secret: { env: A }, acr_values: [high] }
  - id: partners
    oidc: { issuer: 'https://partners.example.com', client_id: b, client_secret: { env: A } }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }
  - { host: apps.example.com, path: /staff, access: session, upstream: 'http://127.0.0.1:1', providers: [staff] }
";

fn read(text: &str) -> Result<(Config, Vec<Warning>), Faults> {
    Machine::new().env("A", "s").read_config(text)
}

/// [`TWO`] with `from` replaced by `to`, which is one fault that begins with `expected`.
fn fault(from: &str, to: &str, expected: &str) {
    assert!(TWO.contains(from), "{from:?}");
    let faults = read(&TWO.replacen(from, to, 1)).unwrap_err().to_string();
    assert_eq!(faults.lines().count(), 1, "{faults}");
    assert!(faults.contains(expected), "{faults}\nlacks {expected:?}");
}

#[test]
fn each_has_an_id_a_name_and_what_it_is_asked_for() {
    let config = read(TWO).unwrap_or_else(|faults| panic!("{faults}")).0;
    let first = &config.provider;
    assert_eq!((first.id.as_str(), first.name.as_str()), ("staff", "Staff & friends"));
    assert_eq!((first.acr_values.as_slice(), first.require_acr), (["high".to_owned()].as_slice(), true));
    let [second] = config.further_providers.as_slice() else { panic!("two providers") };
    assert_eq!((second.id.as_str(), second.name.as_str()), ("partners", "partners"));
    assert_eq!((second.settings.client_id.as_str(), second.require_acr), ("b", false));
    let providers: Vec<_> = config.routes.iter().map(|route| route.providers.as_slice()).collect();
    assert_eq!(providers, [&[][..], &["staff".to_owned()][..]]);
}

#[test]
fn what_could_be_taken_for_another_is_a_fault() {
    fault("id: partners", "id: staff", "providers[1].id: \"staff\" stands twice");
    fault("https://partners.", "https://staff.", "providers[1]: \"https://staff.example.com\" is an issuer of `staff`");
    for other in ["https://staff.example.com/", "https://Staff.example.com:443"] {
        let other = other.to_lowercase();
        fault("https://partners.example.com", &other, "is an issuer of `staff` in another spelling");
    }
    fault("providers: [staff]", "providers: [stuff]", "routes[1].providers[0]: \"stuff\" is the id of none");
    fault("  - id: partners\n    oidc", "  - oidc", "providers[1]: lacks an `id`");
    for id in ["Staff", "a/b", "..", "a b", "-a", "ä"] {
        fault("id: partners", &format!("id: '{id}'"), "providers[1].id");
    }
}

#[test]
fn one_is_not_written_beside_several_and_none_is_a_fault() {
    let one =
        "provider:\n  oidc: { issuer: 'https://a.example', client_id: a, client_secret: { env: A } }\nproviders:\n";
    fault("providers:\n", one, "providers: stands beside provider");
    let start = TWO.find("providers:").unwrap();
    let end = TWO.find("routes:").unwrap();
    let none = format!("{}{}", &TWO[..start], &TWO[end..]).replace(", providers: [staff]", "");
    let faults = read(&none).unwrap_err().to_string();
    assert!(faults.contains("provider: is missing"), "{faults}");
    let single = format!("{}{}{}", &TWO[..start], one.replace("providers:\n", ""), &TWO[end..]);
    let single = single.replace(", providers: [staff]", "");
    assert!(read(&single).is_ok());
    let faults = read(&single.replace("provider:\n", "provider:\n  id: a\n")).unwrap_err().to_string();
    assert!(faults.contains("provider.id: tells one of `providers` from the others"), "{faults}");
}

// PM14
#[test]
fn plain_http_is_refused_unless_a_key_says_that_it_is_meant() {
    let with = |issuer: &str, more: &str| {
        let text = format!(
            "public_url: https://apps.example.com\nprovider:\n  oidc:\n    issuer: {issuer}\n    client_id: a\n    \
             client_secret: {{ env: A }}\n{more}routes:\n  - {{ host: apps.example.com, access: session, upstream: \
             'http://127.0.0.1:1' }}\n"
        );
        read(&text)
    };
    let (inside, outside) = ("http://keycloak:8080/realms/main", "https://login.example.com");
    let refused = with(inside, "").unwrap_err().to_string();
    assert!(refused.contains("provider.oidc.issuer: is plain http"), "{refused}");
    assert!(refused.contains("`provider.oidc.allow_plain_http: true`"), "{refused}");
    let endpoint = "    endpoints: { token: 'http://inside:8080/token' }\n";
    let refused = with(outside, endpoint).unwrap_err().to_string();
    assert!(refused.contains("provider.oidc.endpoints.token: is plain http"), "{refused}");
    for (issuer, more) in [(inside, ""), (outside, endpoint)] {
        let (config, warnings) = with(issuer, &format!("{more}    allow_plain_http: true\n")).unwrap();
        assert!(config.provider.settings.allow_plain_http);
        assert!(warnings.iter().any(|warning| warning.text.contains("can sign in as anybody")), "{warnings:?}");
    }
    let secure = "    endpoints: { token: 'https://inside.example/token?p=1' }\n    allow_plain_http: true\n";
    let (config, warnings) = with(outside, secure).unwrap();
    assert_eq!(config.provider.settings.endpoints.token.unwrap().query(), Some("p=1"));
    assert!(!warnings.iter().any(|warning| warning.text.contains("plain http")), "{warnings:?}");
    let private = "    endpoints: { jwks: 'https://10.0.0.1/keys' }\n";
    let refused = with(outside, private).unwrap_err().to_string();
    assert!(
        refused.contains("provider.oidc.endpoints.jwks: \"https://10.0.0.1/keys\" is at a private address"),
        "{refused}"
    );
    for bent in ["https://a.example/x#y", "ftp://a.example", "https://u@a.example"] {
        assert!(with(outside, &format!("    endpoints: {{ token: '{bent}' }}\n")).is_err(), "{bent}");
    }
}

// XM09
#[test]
fn an_issuer_of_many_tenants_needs_the_list_of_those_that_count() {
    let with = |issuer: &str, tenants: &str| {
        let text = format!(
            "public_url: https://apps.example.com\nproviders:\n  - id: one\n    oidc: {{ issuer: '{issuer}', client_id: a, \
             client_secret: {{ env: A }}{tenants} }}\n  - id: two\n    oidc: {{ issuer: \
             'https://login.microsoftonline.com/t-9/v2.0', client_id: b, client_secret: {{ env: A }} }}\nroutes:\n  - {{ host: \
             apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }}\n"
        );
        read(&text)
    };
    let many = "https://login.microsoftonline.com/organizations/v2.0";
    let config = with(many, ", tenants: [t-1, t-2]").unwrap_or_else(|faults| panic!("{faults}")).0;
    let [member] = config.provider.settings.federation.members.as_slice() else { panic!("one member") };
    assert!(member.names("https://login.microsoftonline.com/t-2/v2.0") && !member.names(many));
    for (issuer, tenants, expected) in [
        (many, "", "list the tenants that may sign in in `providers[0].oidc.tenants`"),
        (many, ", tenants: []", "providers[0].oidc.tenants"),
        (many, ", tenants: ['*']", "providers[0].oidc.tenants[0]"),
        (many, ", tenants: ['a/b']", "providers[0].oidc.tenants[0]"),
        (many, ", tenants: ['{tenantid}']", "providers[0].oidc.tenants[0]"),
        (many, ", tenants: [t-1, t-1]", "providers[0].oidc.tenants[1]: \"t-1\" stands twice"),
        (many, ", tenants: [t-1, t-9]", "is an issuer of `one` already"),
        ("https://login.example.com", ", tenants: [t-1]", "providers[0].oidc.tenants: is for an issuer with `common`"),
    ] {
        let faults = with(issuer, tenants).unwrap_err().to_string();
        assert!(faults.contains(expected), "{tenants}: {faults}");
    }
}

pub(super) const CUSTOM: &str = "\
public_url: https://apps.example.com
provider:
  oauth2:
    profile: custom
    client_id: a
    client_secret: { env: A }
    scopes: [read]
    api:
      issuer: https://git.example.com
      authorization: https://git.example.com/authorize
      token: https://git.example.com/token
      account: https://api.git.example.com/user
      subject: id
      claims: { name: full_name }
      email: { field: mail, verified: mail_ok }
      lists:
        - { address: 'https://api.git.example.com/orgs', claim: groups, fields: [org, team], page_size_parameter: limit, page_size: 50 }
        - { address: 'https://api.git.example.com/mails', addresses: true }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }
";

#[test]
fn an_api_is_described_by_addresses_fields_and_lists() {
    let config = read(CUSTOM).unwrap_or_else(|faults| panic!("{faults}")).0;
    let api = config.provider.settings.federation.api.unwrap();
    assert_eq!((api.issuer.as_str(), api.subject.as_str()), ("https://git.example.com", "id"));
    assert_eq!(api.account_endpoint.as_str(), "https://api.git.example.com/user");
    assert_eq!(api.email, Some(("mail".to_owned(), "mail_ok".to_owned())));
    let [orgs, mails] = api.lists.as_slice() else { panic!("two lists") };
    assert_eq!((orgs.page_size_parameter.as_str(), orgs.page_size), ("limit", 50));
    assert_eq!((mails.page_size_parameter.as_str(), mails.page_size), ("per_page", 100));
    assert_eq!(config.provider.scopes, ["read"]);
}

#[test]
fn an_api_cannot_be_described_so_that_it_proves_what_it_does_not() {
    let bend = |from: &str, to: &str| {
        assert!(CUSTOM.contains(from), "{from}");
        read(&CUSTOM.replacen(from, to, 1)).unwrap_err().to_string()
    };
    for (from, to, expected) in [
        ("name: full_name", "acr: level", "provider.oauth2.api.claims.acr: is a claim that proves something"),
        ("name: full_name", "sub: login", "provider.oauth2.api.claims.sub"),
        ("name: full_name", "email_verified: x", "provider.oauth2.api.claims.email_verified"),
        ("name: full_name", "email: mail", "provider.oauth2.api.claims.email: is read with its proof"),
        ("claim: groups", "claim: email", "provider.oauth2.api.lists[0].claim"),
        ("claim: groups", "claim: amr", "provider.oauth2.api.lists[0].claim"),
        ("claim: groups, fields: [org, team]", "claim: groups", "provider.oauth2.api.lists[0]: is neither"),
        ("addresses: true", "addresses: true, claim: groups", "provider.oauth2.api.lists[1]: is neither"),
        (", verified: mail_ok", "", "provider.oauth2.api.email"),
        ("token: https://git", "token: http://git", "provider.oauth2.api.token"),
        ("    scopes: [read]\n", "", "provider.oauth2.scopes: is missing"),
        ("profile: custom", "profile: github", "provider.oauth2.api: is for `profile: custom`"),
        (
            "scopes: [read]",
            "scopes: [read]\n    api_url: https://a.example",
            "provider.oauth2.api_url: is for `profile: github`",
        ),
    ] {
        let faults = bend(from, to);
        assert!(faults.contains(expected), "{to}: {faults}");
    }
}

// XM03, PM12
#[test]
fn the_proxy_of_the_environment_counts_where_the_file_names_none() {
    const ONE: &str = "\
public_url: https://apps.example.com
provider: { oidc: { issuer: 'https://a.test', client_id: a, client_secret: { env: A } } }
routes:
  - { host: apps.example.com, access: session, upstream: 'http://127.0.0.1:1' }
";
    let read = |text: &str, env: &[(&str, &str)]| {
        let machine = env.iter().fold(Machine::new().env("A", "s"), |machine, (name, value)| machine.env(name, value));
        let (config, warnings) = machine.read_config(text).unwrap_or_else(|faults| panic!("{faults}"));
        let warnings: Vec<String> = warnings.iter().map(|remark| format!("{} {}", remark.key, remark.text)).collect();
        (config.provider.settings.proxy, warnings.join("\n"))
    };
    let found =
        |proxy: Option<crate::provider::OutboundProxy>| proxy.map(|proxy| (proxy.url.to_string(), proxy.exempt));
    assert_eq!(read(ONE, &[]).0, None);
    let both = [("HTTPS_PROXY", "http://proxy.test:3128/"), ("NO_PROXY", "a.test,.corp.test")];
    let expected = Some(("http://proxy.test:3128/".to_owned(), "a.test,.corp.test".to_owned()));
    assert_eq!(found(read(ONE, &both).0), expected);
    assert_eq!(found(read(ONE, &both.map(|(name, value)| (&*name.to_lowercase().leak(), value))).0), expected);
    assert_eq!(read(ONE, &[("HTTPS_PROXY", ""), ("HTTP_PROXY", "http://proxy.test:1")]).0, None);
    // What the file says wins, `direct` too; and NO_PROXY is not mixed with the file's own.
    let own = ONE.replace("provider: { ", "provider: { proxy: 'http://own.test:1', no_proxy: [b.test], ");
    assert_eq!(found(read(&own, &both).0), Some(("http://own.test:1/".to_owned(), "b.test".to_owned())));
    assert_eq!(read(&ONE.replace("provider: { ", "provider: { proxy: direct, "), &both).0, None);
    // With a password, which nobody reads anywhere; and what cannot be used is said without it.
    let (proxy, warnings) = read(ONE, &[("HTTPS_PROXY", "http://us:canary@proxy.test:3128")]);
    let proxy = proxy.unwrap();
    assert_eq!((proxy.url.username(), proxy.url.password()), ("us", Some("canary")));
    assert!(!format!("{proxy:?}{warnings}").contains("canary"), "{proxy:?} {warnings}");
    let (proxy, warnings) = read(ONE, &[("HTTPS_PROXY", "socks5://us:canary@proxy.test:1080")]);
    assert!(proxy.is_none() && warnings.contains("provider.proxy") && !warnings.contains("canary"), "{warnings}");
}
