use super::*;
use crate::config::Config;
use crate::identity::headers::{Encoding, HeaderRule};
use crate::oidc::acr::Assurance;

fn compile(routes: &str) -> Result<Snapshot, Vec<SnapshotFault>> {
    let text = format!(
        "public_url: https://apps.example:8443
provider: {{ oidc: {{ issuer: 'https://issuer.example', client_id: a, client_secret: s }} }}
routes:
{routes}"
    );
    let (config, _) = Config::parse(&text, "s.yaml", &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
    Snapshot::compile(crate::app::auth_settings(&config), config.routes)
}

fn good() -> Snapshot {
    compile(
        "  - { host: apps.example, path: /a, access: session, upstream: 'http://127.0.0.1:1' }
  - { host: apps.example, path: /b, access: session, upstream: 'http://127.0.0.1:2' }
  - { host: b.example, access: session, upstream: 'http://127.0.0.1:1', identity_headers: { preset: remote-user } }
",
    )
    .unwrap()
}

fn route<'a>(snapshot: &'a Snapshot, host: &str, path: &str) -> &'a Arc<CompiledRoute> {
    match snapshot.find(host, &NormalTarget::parse(path.as_bytes()).unwrap(), Traits::page()) {
        Found::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

// RB13
#[test]
fn a_route_holds_its_own_header_plan_and_upstream_and_shares_what_is_the_same() {
    let snapshot = good();
    let (a, b, other) = (
        route(&snapshot, "apps.example", "/a/x"),
        route(&snapshot, "apps.example", "/b"),
        route(&snapshot, "b.example", "/"),
    );
    assert!(Arc::ptr_eq(a.headers(), b.headers()));
    assert_eq!(snapshot.plans().len(), 2);
    assert_eq!(other.headers().names().next().unwrap(), "remote-user");
    let group = |route: &CompiledRoute| Arc::clone(&route.upstream().group);
    assert_eq!(group(a).settings().to_string(), "http://127.0.0.1:1");
    assert_eq!(group(b).settings().to_string(), "http://127.0.0.1:2");
    assert!(Arc::ptr_eq(&group(a), &group(other)), "one server, one set of connections");
    assert!(group(a).number().abs_diff(group(b).number()) >= 2);
}

#[test]
fn each_snapshot_has_a_number_of_its_own_and_says_how_it_is_reached() {
    let (first, second) = (good(), good());
    assert!(second.generation() > first.generation());
    assert_eq!(first.redirect_uri(first.settings().registrations.first()), "https://apps.example:8443/oauth2/callback");
    assert_eq!((first.scheme(), first.port(), first.public_host()), ("https", ":8443", "apps.example"));
    assert_eq!(first.origin_of("b.example"), "https://b.example:8443");
    assert!(first.serves("b.example") && first.serves("apps.example") && !first.serves("c.example"));
}

#[test]
fn all_faults_come_together_and_name_their_route() {
    let mut routes: Vec<RouteSettings> = good().routes().iter().map(|route| (***route).clone()).collect();
    routes[0].identity_headers.map.push(HeaderRule {
        name: "Cookie".to_owned(),
        claim: "sub".to_owned(),
        encoding: Encoding::Ascii,
        too_long: Default::default(),
    });
    routes[1].path = "/a".to_owned();
    routes[2].host = "B.example".to_owned();
    let mut settings = AuthSettings::clone(good().settings());
    settings.return_origins = vec!["https://*.example".to_owned()];
    let faults = Snapshot::compile(settings, routes).unwrap_err();
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 4, "{texts:#?}");
    assert!(texts[0].starts_with("routes[0].identity_headers"), "{texts:#?}");
    assert!(texts[1].starts_with("sign_in.return_origins"), "{texts:#?}");
    assert!(texts[2].starts_with("routes[1] covers the same requests as routes[0]"), "{texts:#?}");
    assert!(texts[3].starts_with("routes[2].host"), "{texts:#?}");
}

// K09: routes that say the same of tokens share what was found good, and no others.
#[test]
fn token_rules_that_differ_have_different_digests() {
    let issuer = |audiences: &[&str], algorithms: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        vec![Arc::new(BearerIssuer {
            issuer: "https://i.example".into(),
            audiences: own(audiences),
            trusted_audiences: Vec::new(),
            algorithms: own(algorithms),
            accept_untyped: false,
            claims: Default::default(),
            acr_vocabulary: Default::default(),
            assurance: Vec::new(),
        })]
    };
    let by = |issuers: &[Arc<BearerIssuer>], narrowed: &[String], names: &[&str]| {
        let named = NamedClaims::new(names.iter().copied(), [], NamedClaims::MOST_BYTES);
        *TokenRule::of(issuers, narrowed, &named).digest()
    };
    let digest = |issuers: &[Arc<BearerIssuer>], narrowed: &[String]| by(issuers, narrowed, &["groups"]);
    let bent = |bend: &dyn Fn(&mut BearerIssuer)| {
        let mut one = (*issuer(&["a", "b"], &["RS256"])[0]).clone();
        bend(&mut one);
        digest(&[Arc::new(one)], &[])
    };
    let (plain, narrow) = (issuer(&["a", "b"], &["RS256"]), ["a".to_owned()]);
    assert_eq!(digest(&plain, &[]), digest(&plain, &["a".to_owned(), "b".to_owned()]), "narrowed to all of them");
    let all = [
        digest(&plain, &[]),
        digest(&plain, &narrow),
        digest(&issuer(&["ab"], &["RS256"]), &[]),
        digest(&issuer(&["a"], &["b", "RS256"]), &[]),
        digest(&issuer(&["a", "b", "RS256"], &[]), &[]),
        digest(&[], &[]),
        // What is read of a token is part of what was judged.
        by(&plain, &[], &["groups", "roles"]),
        bent(&|one| one.claims.accept_unverified = true),
        bent(&|one| one.claims.absent_is_verified = true),
        bent(&|one| drop(one.claims.split.insert("groups".into(), ",".into()))),
        bent(&|one| drop(one.claims.split.insert("groups".into(), " ".into()))),
        bent(&|one| one.acr_vocabulary = crate::carrier::profile::ZENKEY.acr_words),
        bent(&|one| one.assurance = vec![("gold".into(), Assurance::Device)]),
        bent(&|one| one.assurance = vec![("gold".into(), Assurance::Person)]),
        bent(&|one| one.assurance = vec![("silver".into(), Assurance::Person)]),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}
