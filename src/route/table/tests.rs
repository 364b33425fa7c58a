use std::time::Duration;

use super::super::path::tests::{Rng, suspicious_target};
use super::super::upstream::{GroupSettings, HostRule, ServerAddress, ServerSettings, UpstreamSettings};
use super::super::{Access, HeaderEdits, Paths, WebSockets};
use super::*;

pub(super) fn route(host: &str, path: &str, access: Access) -> RouteSettings {
    RouteSettings {
        name: format!("{host}{path}"),
        host: host.to_owned(),
        path: path.to_owned(),
        conditions: Default::default(),
        paths: Paths::Strict,
        access,
        providers: Vec::new(),
        step_up_context: None,
        attributes_for: None,
        linked_account: false,
        require: Default::default(),
        token: Default::default(),
        cors_origins: vec![],
        upstream: UpstreamSettings {
            group: Arc::new(GroupSettings::of(
                ServerSettings { at: ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: 3000 }, weight: 1 },
                None,
            )),
            host: HostRule::Keep,
            connect_timeout: Duration::from_secs(2),
            first_byte_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            stream_idle: Duration::from_secs(900),
            total_timeout: None,
        },
        identity_headers: Default::default(),
        max_body: 1 << 20,
        pass_authorization: false,
        inner_path: None,
        maintenance: None,
        own_answer: None,
        request_headers: HeaderEdits::default(),
        response_headers: HeaderEdits::default(),
        preserve_header_case: false,
        websocket: WebSockets::default(),
    }
}

fn table(paths: &[&str]) -> RouteTable {
    let access = |path: &str| if path == "/" || path == "/public" { Access::Anonymous } else { Access::Session };
    RouteTable::compile(paths.iter().map(|path| route("app.test", path, access(path))).collect()).unwrap()
}

fn path_of(table: &RouteTable, target: &str) -> Option<String> {
    match table.find("app.test", &NormalTarget::parse(target.as_bytes()).unwrap(), Traits::page()) {
        Found::Route(route) => Some(route.path.clone()),
        Found::NoRoute => None,
        Found::UnknownHost => panic!("the host is configured"),
    }
}

#[test]
fn the_most_specific_route_wins_whatever_the_order() {
    // Q07
    let paths = ["/", "/admin", "/admin/users", "/public", "/a"];
    let cases = [
        ("/", "/"),
        ("/x", "/"),
        ("/admin", "/admin"),
        ("/admin/", "/admin"),
        ("/admin/x", "/admin"),
        ("/admin/users", "/admin/users"),
        ("/admin/users/7?x=/public", "/admin/users"),
        ("/admin/usersx", "/admin"),
        ("/a", "/a"),
        ("/ab", "/"),
        ("/public?/admin", "/public"),
    ];
    for turn in 0..paths.len() {
        let mut order = paths;
        order.rotate_left(turn);
        for order in [order.to_vec(), order.into_iter().rev().collect()] {
            let table = table(&order);
            for (target, expected) in cases {
                assert_eq!(path_of(&table, target).as_deref(), Some(expected), "{target} in {order:?}");
            }
        }
    }
}

#[test]
fn a_prefix_covers_whole_segments_and_minds_case() {
    // H08 H11
    let table = table(&["/admin", "/svc"]);
    for (inside, path) in [
        ("/admin", "/admin"),
        ("/admin/", "/admin"),
        ("/%61dmin", "/admin"),
        ("/admin/x", "/admin"),
        ("/svc/a", "/svc"),
    ] {
        assert_eq!(path_of(&table, inside).as_deref(), Some(path), "{inside}");
    }
    for outside in ["/", "/ADMIN", "/adminX", "/admin.", "/admi", "/svc../admin", "/svcx", "/x/admin", "/?/admin"] {
        assert_eq!(path_of(&table, outside), None, "{outside}");
    }
}

#[test]
fn the_query_has_no_say() {
    // H05
    let table = table(&["/app", "/admin", "/public"]);
    for (target, path) in [("/app?x=/public", "/app"), ("/admin?/public/", "/admin"), ("/admin?skip=/public", "/admin")]
    {
        assert_eq!(path_of(&table, target).as_deref(), Some(path));
    }
}

#[test]
fn an_escaped_spelling_of_a_protected_path_is_the_protected_path() {
    // H08
    for configured in ["/a@b:c", "/a%40b%3ac", "/%61%40b:c/"] {
        let table = table(&["/", configured]);
        for request in ["/a@b:c/x", "/a%40b:c/x", "/a@b%3Ac/x", "/%61%40b%3ac/x"] {
            assert_ne!(path_of(&table, request).as_deref(), Some("/"), "{configured} {request}");
        }
        assert_eq!(path_of(&table, "/a@b:d").as_deref(), Some("/"));
    }
    let table = table(&["/", "/k%c3%a4se"]);
    assert_eq!(path_of(&table, "/k%C3%A4se/1").as_deref(), Some("/k%C3%A4se"));
}

#[test]
fn a_path_parameter_opens_no_other_route() {
    // H09
    let mixed = table(&["/", "/admin", "/public"]);
    for doubtful in ["/admin;x=1", "/admin;x/users", "/admin%3bx/users", "/admin;/users", "/public;x=1/a"] {
        assert_eq!(path_of(&mixed, doubtful), None, "{doubtful}");
    }
    for (clear, path) in
        [("/admin/x;y=1", "/admin"), ("/other;x=1", "/"), ("/admin/x%3by/z;", "/admin"), ("/public/a;b", "/public")]
    {
        assert_eq!(path_of(&mixed, clear).as_deref(), Some(path), "{clear}");
    }
    let one = table(&["/"]);
    assert_eq!(path_of(&one, "/admin;x=1").as_deref(), Some("/"));
}

#[test]
fn an_unknown_host_and_an_uncovered_path_are_told_apart() {
    // H14 H18
    let table = table(&["/app"]);
    let target = NormalTarget::parse(b"/app").unwrap();
    assert!(
        matches!(table.find("app.test", &target, Traits::page()), Found::Route(route) if route.access == Access::Session)
    );
    for host in ["", "evil.test", "App.test", "app.test.", "app.test:80", "x.app.test", "pp.test"] {
        assert!(matches!(table.find(host, &target, Traits::page()), Found::UnknownHost), "{host}");
    }
    assert!(matches!(table.find("app.test", &NormalTarget::parse(b"/").unwrap(), Traits::page()), Found::NoRoute));
    let empty = RouteTable::compile(Vec::new()).unwrap();
    assert!(matches!(empty.find("app.test", &target, Traits::page()), Found::UnknownHost));
}

#[test]
fn hosts_do_not_share_routes() {
    let settings = vec![
        route("a.test", "/", Access::Anonymous),
        route("b.test", "/x", Access::Session),
        route("[::1]", "/", Access::Session),
    ];
    let table = RouteTable::compile(settings).unwrap();
    let mut hosts: Vec<_> = table.hosts().collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["[::1]", "a.test", "b.test"]);
    assert!(matches!(table.find("b.test", &NormalTarget::parse(b"/").unwrap(), Traits::page()), Found::NoRoute));
    assert_eq!(table.routes().iter().map(|route| route.index).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn all_faults_of_a_list_come_together() {
    // Q01 (routes), Q06 (there is no default access to forget: the field has no default)
    let settings = [
        "/a",
        "/a/",
        "/%61",
        "x",
        "/a/../b",
        "//x",
        "/x?y",
        "/x;y",
        "/oauth2",
        "/OAuth2/start",
        "/%6fauth2",
        "/a b",
        "/A",
        "/oauth2x",
    ];
    let faults = RouteTable::compile(settings.iter().map(|path| route("app.test", path, Access::Session)).collect())
        .unwrap_err();
    let not_normal = |index, fault| RouteFault::PathNotNormal { index, fault };
    assert_eq!(
        faults,
        [
            RouteFault::Duplicate { first: 0, second: 1 },
            RouteFault::Duplicate { first: 0, second: 2 },
            not_normal(3, TargetFault::NotOriginForm),
            not_normal(4, TargetFault::DotSegment),
            not_normal(5, TargetFault::EmptySegment),
            not_normal(6, TargetFault::Parameter),
            not_normal(7, TargetFault::Parameter),
            RouteFault::Reserved { index: 8 },
            RouteFault::Reserved { index: 9 },
            RouteFault::Reserved { index: 10 },
            not_normal(11, TargetFault::Unsafe),
        ]
    );
    assert!(RouteTable::compile_beside("/gate", vec![route("app.test", "/oauth2", Access::Session)]).is_ok());
    assert!(RouteTable::compile_beside("/gate", vec![route("app.test", "/gate/x", Access::Session)]).is_err());
}

#[test]
fn a_host_is_written_as_requests_are_compared_with_it() {
    for host in ["app.test", "localhost", "a-b.c_d.test", "127.0.0.1", "[::1]", "xn--kse-qla.test"] {
        assert!(RouteTable::compile(vec![route(host, "/", Access::Session)]).is_ok(), "{host}");
    }
    for host in [
        "App.test",
        "app.test:80",
        "app.test.",
        ".app.test",
        "a..b",
        "*app.test",
        "*",
        "k\u{e4}se.test",
        "app.test/",
        "::1",
        "[::1]:80",
        "[0::1]",
        "a b",
        "a@b",
    ] {
        let fault = RouteTable::compile(vec![route(host, "/", Access::Session)]).unwrap_err();
        assert_eq!(fault, [RouteFault::HostNotPlain { index: 0 }], "{host}");
    }
    let fault = RouteTable::compile(vec![route("", "/", Access::Session)]).unwrap_err();
    assert_eq!(fault, [RouteFault::EmptyHost { index: 0 }]);
}

/// How a forgiving app could read a path: decoded as often as it pleases, parameters cut off, empty and dot segments
/// resolved. Written without looking at the product's own readings.
fn forgiving(path: &str, rounds: usize, cut: bool) -> Vec<String> {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..rounds {
        let mut out = Vec::new();
        let mut bytes = text.iter().copied();
        while let Some(byte) = bytes.next() {
            let mut ahead = bytes.clone();
            let digits = [ahead.next(), ahead.next()].map(|digit| (digit.unwrap_or(b'x') as char).to_digit(16));
            match (byte, digits) {
                (b'%', [Some(high), Some(low)]) => (out.push((high * 16 + low) as u8), bytes = ahead).0,
                _ => out.push(byte),
            }
        }
        text = out;
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut resolved: Vec<String> = Vec::new();
    for segment in text.split(['/', '\\']) {
        match if cut { segment.split(';').next().unwrap() } else { segment } {
            "" | "." => {}
            ".." => drop(resolved.pop()),
            other => resolved.push(other.to_owned()),
        }
    }
    resolved
}

#[test]
fn no_spelling_carries_a_guest_into_a_protected_path() {
    // H01 H02 H03 H04 H07 H08 H09
    let table = table(&["/", "/admin", "/admin/public", "/a@a"]);
    let mut rng = Rng(4);
    let (mut open, mut shut) = (0, 0);
    for _ in 0..200_000 {
        let Ok(target) = NormalTarget::parse(suspicious_target(&mut rng).as_bytes()) else { continue };
        let Found::Route(found) = table.find("app.test", &target, Traits::page()) else { continue };
        if found.access != Access::Anonymous {
            shut += 1;
            continue;
        }
        open += 1;
        for (rounds, cut) in [(0, false), (1, false), (2, false), (1, true), (2, true)] {
            let seen = forgiving(target.path(), rounds, cut);
            let first = seen.first().map(String::as_str).unwrap_or_default();
            assert!(first != "admin" && first != "a@a", "{target:?}, {rounds} rounds: {seen:?}");
        }
    }
    assert!(open > 5_000 && shut > 500, "{open} {shut}");
}

/// How routes of a host were found before prefixes were gathered by length: one after another, the longest first.
fn one_by_one<'a>(table: &'a RouteTable, host: &str, target: &NormalTarget) -> Option<&'a Arc<Route>> {
    let mut routes: Vec<_> = table.routes().iter().filter(|route| route.host == host).collect();
    routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
    let by = |reading| routes.iter().find(|route| target.is_covered_by(&route.prefix, reading)).copied();
    let found = by(Reading::Plain);
    let same = by(Reading::WithoutParameters).map(|route| route.index) == found.map(|route| route.index);
    found.filter(|_| same || !target.has_parameters())
}

/// A path of a few segments, most of which begin alike.
fn some_path(rng: &mut Rng, segments: &[&str]) -> String {
    (0..rng.below(5)).map(|_| format!("/{}", segments[rng.below(segments.len())])).collect()
}

#[test]
fn a_look_up_by_length_finds_what_asking_route_by_route_finds() {
    // H08 H09
    const SEGMENTS: &[&str] = &["a", "aa", "b", "a-b", "a%40b", "a@b", "A", "admin", "%c3%a4", "a%2Cb"];
    const ASKED: &[&str] = &["a", "aa", "b", "a@b", "%61", "a%40b", "a;x", "b;a", "admin%3Bx", "%C3%A4", "aaa", "a,b"];
    let mut rng = Rng(11);
    let (mut found, mut refused) = (0, 0);
    for _ in 0..300 {
        let count = 1 + rng.below(60);
        let mut settings: Vec<RouteSettings> = Vec::new();
        for _ in 0..count {
            let host = ["a.test", "b.test"][rng.below(2)];
            let path = match some_path(&mut rng, SEGMENTS) {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            };
            settings.push(route(host, &path, Access::Session));
        }
        // Of two with one meaning the first stays.
        let table = loop {
            match RouteTable::compile(settings.clone()) {
                Ok(table) => break table,
                Err(faults) => {
                    for fault in faults.iter().rev() {
                        let RouteFault::Duplicate { second, .. } = fault else { panic!("{fault}") };
                        settings.remove(*second);
                    }
                }
            }
        };
        for turn in 0..300 {
            let raw = match turn % 3 {
                0 => suspicious_target(&mut rng),
                1 => some_path(&mut rng, ASKED) + "?x=/a",
                _ => some_path(&mut rng, SEGMENTS) + "/",
            };
            let Ok(target) = NormalTarget::parse(raw.as_bytes()) else { continue };
            for host in ["a.test", "b.test"] {
                let expected = one_by_one(&table, host, &target).map(|route| route.index);
                let got = match table.find(host, &target, Traits::page()) {
                    Found::Route(route) => Some(route.index),
                    Found::NoRoute => None,
                    Found::UnknownHost => {
                        assert!(!table.serves(host));
                        None
                    }
                };
                assert_eq!(got, expected, "{target:?} of {host} among {settings:#?}");
                *(if got.is_some() { &mut found } else { &mut refused }) += 1;
            }
        }
    }
    assert!(found > 30_000 && refused > 10_000, "{found} {refused}");
}

fn as_is(host: &str, path: &str, access: Access) -> RouteSettings {
    RouteSettings { paths: Paths::AsIs, ..route(host, path, access) }
}

fn judged(table: &RouteTable, target: &str) -> Result<String, TargetFault> {
    let target = NormalTarget::read(target.as_bytes())?;
    table.takes("app.test", &target, Traits::page())?;
    match table.find("app.test", &target, Traits::page()) {
        Found::Route(route) => Ok(route.path.clone()),
        _ => panic!("what is taken has a route: {target:?}"),
    }
}

#[test]
fn a_route_that_takes_paths_as_they_are_stands_alone_or_among_its_like() {
    // W07
    let beside = |other: RouteSettings| {
        let faults =
            RouteTable::compile(vec![other, as_is("app.test", "/", Access::Session)]).err().unwrap_or_default();
        faults
            .into_iter()
            .map(|fault| matches!(fault, RouteFault::OtherRulesBelow { first: 1, second: 0 }))
            .collect::<Vec<bool>>()
    };
    let fine: Vec<bool> = vec![];
    assert_eq!(beside(route("app.test", "/a", Access::Session)), fine);
    assert_eq!(beside(route("other.test", "/a", Access::Anonymous)), fine);
    assert_eq!(beside(route("app.test", "/a", Access::Anonymous)), [true]);
    let plain = route("app.test", "/a", Access::Session);
    assert_eq!(beside(RouteSettings { providers: vec!["x".to_owned()], ..plain.clone() }), [true]);
    assert_eq!(beside(RouteSettings { linked_account: true, ..plain.clone() }), [true]);
    assert_eq!(beside(RouteSettings { pass_authorization: true, ..plain.clone() }), [true]);
    let upstream = UpstreamSettings { read_timeout: Duration::from_secs(1), ..plain.upstream.clone() };
    assert_eq!(beside(RouteSettings { upstream, ..plain.clone() }), [true]);
    // Above it or beside it may be what wants to: no reading leads there. What only looks as if it lay beside does not.
    for (path, fits) in [("/", true), ("/b", true), ("/rabbits", true), ("/rabbit/x", false), ("/RABBIT/x", false)] {
        let routes = vec![route("app.test", path, Access::Anonymous), as_is("app.test", "/rabbit", Access::Session)];
        assert_eq!(RouteTable::compile(routes).is_ok(), fits, "{path}");
    }
}

#[test]
fn an_odd_path_passes_below_a_route_that_takes_it_as_it_is() {
    // W07, W09, H13
    let routes = vec![
        route("app.test", "/", Access::Anonymous),
        route("app.test", "/admin", Access::Session),
        as_is("app.test", "/rabbit", Access::Session),
    ];
    let table = RouteTable::compile(routes).unwrap();
    for target in
        ["/rabbit/%2F", "/rabbit//x", "/rabbit/a%2fb?x=//", "/rabbit//oauth2/x", "/rabbit/a%252eb", "/rabbit/%E9"]
    {
        assert_eq!(judged(&table, target).as_deref(), Ok("/rabbit"), "{target}");
    }
    for target in [
        "//rabbit/x",
        "/%2Frabbit/x",
        "/rabbit%2Fx",
        "/rabbi%74//x",
        "/x//y",
        "/%2F",
        "/...",
        "/;x",
        "/caf%E9",
        "/%2Fadmin",
        "/rabbit/..%2fadmin",
        "/rabbit/%2e%2e%2fadmin",
    ] {
        assert!(judged(&table, target).is_err(), "{target}");
    }
    // Alone on its host nothing is beside it, but for our own addresses.
    let table = RouteTable::compile(vec![as_is("app.test", "/", Access::Session)]).unwrap();
    for target in
        ["//rabbit/x", "/%2F", "/x//oauth2/start", "/caf%E9", "/...", "/;x", "/a%2foauth2/start", "/oauth2x//y"]
    {
        assert_eq!(judged(&table, target).as_deref(), Ok("/"), "{target}");
    }
    for target in [
        "//oauth2/start",
        "/%2foauth2/start",
        "/oauth2%2fstart",
        "/oauth2//start",
        "/OAUTH2//start",
        "/;x/oauth2/start",
        "/%5coauth2",
        "//evil.test/oauth2/start",
        "/%2F/evil.test/oauth2",
        "/oauth2;x//y",
        "/%6fauth2%2fstart",
        "/%256fauth2//x",
        "/oauth2%252fstart",
        "//%EF%BD%8Fauth2/start",
    ] {
        assert!(judged(&table, target).is_err(), "{target}");
    }
}

#[test]
fn what_changes_no_segment_passes_where_no_route_is_weaker_than_another() {
    // W11
    let even =
        RouteTable::compile(vec![route("app.test", "/", Access::Session), route("app.test", "/a", Access::Session)]);
    let uneven =
        RouteTable::compile(vec![route("app.test", "/", Access::Session), route("app.test", "/a", Access::Bearer)]);
    let (even, uneven) = (even.unwrap(), uneven.unwrap());
    for target in ["/caf%E9", "/...", "/;x", "/x/%3b"] {
        assert_eq!(judged(&even, target).as_deref(), Ok("/"), "{target}");
        assert!(judged(&uneven, target).is_err(), "{target}");
    }
    // Three dots are no name where they could lead out of a prefix, and the rest is for routes that say so.
    for target in ["/a/...", "/x//y", "/%2F", "/;x/oauth2/start"] {
        assert!(judged(&even, target).is_err(), "{target}");
    }
}

#[test]
fn a_spelling_is_forwarded_only_where_it_reads_as_what_was_judged() {
    // H08, W11
    let table = table(&["/", "/admin", "/k%c3%a4se", "/public"]);
    let reads = |target: &str| table.reads_as_sent("app.test", &NormalTarget::read(target.as_bytes()).unwrap());
    for target in ["/%7Eu", "/admin/%7eu", "/k%c3%a4se/x", "/public/%61?%61", "/a%2Db"] {
        assert!(reads(target), "{target}");
    }
    for target in ["/%61dmin", "/p%75blic/x", "/publi%63"] {
        assert!(!reads(target), "{target}");
    }
}
