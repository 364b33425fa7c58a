//! Routes: one for each place, exact, and each says who may pass.

use super::*;

#[test]
fn one_place_has_one_route_and_one_carrier_one_entry() {
    // Q01, D13
    let second = |host: &str, path: &str| {
        route(&format!("  - {{ host: {host}, path: {path}, access: anonymous, upstream: 'http://127.0.0.1:1' }}\n"))
    };
    one_fault(
        "zengate.yaml:13:37: routes[1].path: wiki.example.com/ is already routes[0]",
        &second("wiki.example.com", "/"),
        &second("wiki.example.com", "/public"),
    );
    one_fault("is already routes[0]", &second("Wiki.Example.Com", "/"), &second("other.example.com", "/"));
    let named = |a: &str, b: &str| {
        route(&format!(
            "    name: {a}\n  - {{ name: {b}, host: b.test, access: session, upstream: 'http://127.0.0.1:1' }}\n"
        ))
    };
    one_fault("is already the name of routes[0]", &named("x", "x"), &named("x", "y"));
    one_fault("is already the name of routes[0]", &named("b.test/", "b.test/"), SHORTEST);
    let issuers = |two: &str| with("[https://oidc.idp.xlogin.att.com]", &format!("[https://a.test/x, {two}]"));
    for twice in [
        "https://a.test/x",
        "{ issuer: https://a.test/x }",
        "https://A.test/x",
        "https://a.test:443/x",
        "https://a.test/x/",
    ] {
        one_fault("trusted_issuers[1]", &issuers(twice), &issuers("https://a.test/y"));
    }
}

#[test]
fn every_route_says_who_may_pass() {
    // Q06
    one_fault("routes[0].access: is missing", &with("    access: session\n", ""), SHORTEST);
    one_fault(
        "routes[0].access",
        &with("access: session", "access: public"),
        &with("access: session", "access: anonymous"),
    );
    one_fault("routes[0].access", &with("access: session", "access: Session"), SHORTEST);
    one_fault("routes[0].access", &with("access: session", "access: [session]"), SHORTEST);
    one_fault("routes[0].access", &with("access: session", "access: no"), SHORTEST);
    let anonymous = with("access: session", "access: anonymous");
    one_fault("routes[0].require", &format!("{anonymous}    require: {{ acr: [a1] }}\n"), &anonymous);
}

#[test]
fn the_most_specific_route_is_listed_first_whatever_the_order() {
    // Q07
    let routes = |order: &[(&str, &str)]| {
        let mut text = SHORTEST.split("  - host").next().unwrap().to_owned();
        for (path, access) in order {
            text.push_str(&format!(
                "  - {{ host: a.test, path: {path}, access: {access}, upstream: 'http://127.0.0.1:1' }}\n"
            ));
        }
        let shown = effective(&good(&text));
        shown.split("Routes").nth(1).unwrap().to_owned()
    };
    let one = routes(&[("/", "anonymous"), ("/admin", "session"), ("/admin/open", "anonymous")]);
    assert_eq!(one, routes(&[("/admin/open", "anonymous"), ("/admin", "session"), ("/", "anonymous")]));
    let paths: Vec<_> = one.lines().skip(2).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(paths, ["/admin/open", "/admin", "/"]);
}

#[test]
fn routes_are_exact_and_outside_our_own_prefix() {
    let path = |path: &str| route(&format!("    path: {path}\n"));
    one_fault("lies under the gateway's own prefix", &path("/oauth2/x"), &path("/oauth2x"));
    one_fault("lies under the gateway's own prefix", &path("/oauth2"), &format!("prefix: /_gate\n{}", path("/oauth2")));
    for wrong in ["app", "/app/", "//", "/a/../b", "'/a*'", "'/%61'"] {
        one_fault("routes[0].path", &path(wrong), &path("/app"));
    }
    assert_eq!(good(&with("wiki.example.com", "'*.Apps.example.com'")).routes[0].host, "*.apps.example.com");
    for wrong in [
        "'*'",
        "'w*.example.com'",
        "'a.*.example.com'",
        "'*.10.0.0.1'",
        "'*.[::1]'",
        "wiki.example.com:443",
        "https://wiki.example.com",
        "bücher.example",
    ] {
        one_fault("routes[0].host", &with("wiki.example.com", wrong), SHORTEST);
    }
    let upstream = |to: &str| with("http://127.0.0.1:3000", to);
    // Whether a name has an address now says nothing about a minute from now: that is no fault of the file.
    let named = good(&upstream("http://app.internal:8080")).routes.remove(0).upstream;
    assert_eq!(named.group.to_string(), "http://app.internal:8080");
    for wrong in ["http://app.internal/x", "http://u:canary@app.internal", "unix:run/app", "app.internal:80"] {
        let faults = bad(&upstream(wrong));
        assert!(faults[0].contains("routes[0].upstream") && !faults[0].contains("canary"), "{faults:#?}");
    }
}

#[test]
fn an_apps_own_path_is_said_once() {
    // W31
    let app = |keys: &str| route(&format!("    path: /app\n{keys}"));
    let strips = app("    strip_prefix: true\n");
    one_fault(
        "routes[0].replace_prefix: and `strip_prefix` both say",
        &app("    strip_prefix: true\n    replace_prefix: /x\n"),
        &strips,
    );
    one_fault("routes[0].strip_prefix: has nothing to take away", &route("    strip_prefix: true\n"), &strips);
    one_fault("routes[0].replace_prefix", &app("    replace_prefix: x\n"), &app("    replace_prefix: /x\n"));
    let inner = |text: &str| Machine::new().read_config(text).unwrap().0.routes[0].inner_path.clone();
    assert_eq!(inner(&strips).as_deref(), Some("/"));
    assert_eq!(inner(&app("    replace_prefix: /x\n")).as_deref(), Some("/x"));
    assert_eq!(inner(&app("    replace_prefix: /app\n")), None);
    assert_eq!(inner(&app("    strip_prefix: false\n")), None);
    // `as-is` passes what each reading leads to the same path of the app: cut at two places, it does not.
    let below = |second: &str| {
        app(&format!(
            "    paths: as-is\n  - {{ host: wiki.example.com, path: /app/x, access: session, upstream: \
             'http://127.0.0.1:3000'{second} }}\n"
        ))
    };
    one_fault("routes[0].paths: `as-is` needs one set of rules", &below(", strip_prefix: true"), &below(""));
}

#[test]
fn conditions_tell_routes_of_one_path_apart() {
    // W39, Q01
    let beside = |one: &str, other: &str| {
        let route_of =
            |more: &str| format!("{{ host: b.test, access: session, upstream: 'http://127.0.0.1:1'{more} }}");
        route(&format!("  - {}\n  - {}\n", route_of(one), route_of(other)))
    };
    let fine = beside(", methods: [GET]", ", methods: [POST], headers: { X-Env: beta }");
    let routes = good(&fine).routes;
    assert_eq!((routes[1].name.as_str(), routes[2].name.as_str()), ("b.test/:GET", "b.test/:POST:x-env=beta"));
    one_fault("is already routes[1]", &beside(", methods: [GET]", ", methods: [GET, POST]"), &fine);
    one_fault("routes[2].methods[0]", &beside("", ", exact: true, methods: [get]"), &fine);
    one_fault("routes[2].methods[0]", &beside("", ", exact: true, methods: [TRACE]"), &fine);
    for name in ["Host", "Cookie", "X-Forwarded-For", "Authorization"] {
        one_fault("is no condition", &beside("", &format!(", headers: {{ {name}: x }}")), &fine);
    }
}

#[test]
fn a_whole_route_is_read_as_it_is_meant() {
    let text = route(
        "    path: /app\n    name: app\n    identity_headers:\n      preset: [x-auth-request, remote-user]\n      map:\n        X-Name: { claim: name, encoding: base64url }\n        X-User: sub\n    \
         require:\n      acr: [a3]\n      claims: { groups: [staff, editors], verified: 'true' }\n      email_domains: [Example.com]\n    websocket: true\n    max_body: 10MB\n    \
         pass_authorization: true\n    preserve_header_case: true\n    timeouts: { connect: 1s, read: 1h }\n",
    );
    let (config, warnings) = Machine::new().read_config(&text).unwrap();
    let route = &config.routes[0];
    assert_eq!(route.identity_headers.presets, [Preset::XAuthRequest, Preset::RemoteUser]);
    let rule = |name: &str, claim: &str, encoding| HeaderRule {
        name: name.into(),
        claim: claim.into(),
        encoding,
        too_long: Default::default(),
    };
    assert_eq!(
        route.identity_headers.map,
        [rule("X-Name", "name", Encoding::Base64Url), rule("X-User", "sub", Encoding::Percent)]
    );
    assert_eq!(route.require.acr, ["a3"]);
    assert_eq!(route.require.email_domains, ["example.com"]);
    let claims: BTreeMap<_, _> = route.require.claims.iter().cloned().collect();
    assert_eq!(claims["groups"], ["staff", "editors"]);
    assert_eq!(claims["verified"], ["true"]);
    assert_eq!(
        (&route.websocket, route.pass_authorization, route.max_body),
        (&WebSockets::SameOrigin, true, 10_000_000)
    );
    assert!(route.preserve_header_case);
    assert_eq!((route.upstream.connect_timeout.as_secs(), route.upstream.read_timeout.as_secs()), (1, 3600));
    let keys: BTreeSet<_> = warnings.iter().map(|w| w.key.as_str()).collect();
    assert!(keys.contains("routes[0].require.acr") && keys.contains("routes[0].require.email_domains"), "{keys:?}");

    let headers = |map: &str| super::tests::route(&format!("    identity_headers: {{ map: {map} }}\n"));
    one_fault(
        "are the same name to many apps",
        &headers("{ X-User: sub, x-user: email }"),
        &headers("{ X-User: sub }"),
    );
    one_fault("identity_headers.map.Connection", &headers("{ Connection: sub }"), &headers("{ X-User: sub }"));
    one_fault("are the same name to many apps", &headers("{ X-User: sub, X_User: sub }"), &headers("{ X_User: sub }"));
    one_fault("is not a header name", &headers("{ 'X User': sub }"), SHORTEST);
    one_fault("identity_headers.map.Accept", &headers("{ Accept: sub }"), &headers("{ X-Accept: sub }"));
    one_fault(
        "map.X-User.claim: is missing",
        &headers("{ X-User: {} }").replace("{}", "{ encoding: ascii }"),
        SHORTEST,
    );
}
