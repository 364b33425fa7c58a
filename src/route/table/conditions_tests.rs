//! Routes with conditions and wildcard hosts.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::tests::route;
use super::*;
use crate::route::{Access, Conditions, Paths};

struct Rule(RouteSettings);

impl Rule {
    fn new(path: &str, access: Access) -> Self {
        Self(route("app.test", path, access))
    }

    fn when(mut self, change: impl Fn(&mut Conditions)) -> Self {
        change(&mut self.0.conditions);
        self
    }

    fn exact(self) -> Self {
        self.when(|conditions| conditions.exact = true)
    }

    fn methods(self, methods: &[&str]) -> Self {
        self.when(|conditions| conditions.methods = methods.iter().map(|method| method.parse().unwrap()).collect())
    }

    fn header(self, name: &'static str, value: &'static str) -> Self {
        self.when(|conditions| {
            conditions.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        })
    }
}

/// The table of `rules`, in this order and in the reverse one: the order says nothing.
fn tables(rules: &[&dyn Fn() -> Rule]) -> [RouteTable; 2] {
    let compile = |rules: Vec<Rule>| RouteTable::compile(rules.into_iter().map(|rule| rule.0).collect()).unwrap();
    [compile(rules.iter().map(|rule| rule()).collect()), compile(rules.iter().rev().map(|rule| rule()).collect())]
}

/// Access of the route that judges; `None` if there is none.
fn judged(table: &RouteTable, method: &str, target: &str, headers: &[(&'static str, &'static str)]) -> Option<Access> {
    let (method, target) = (method.parse::<Method>().unwrap(), NormalTarget::parse(target.as_bytes()).unwrap());
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
    match table.find("app.test", &target, Traits { method: &method, headers: &headers }) {
        Found::Route(route) => Some(route.access),
        Found::NoRoute | Found::UnknownHost => None,
    }
}

const OPEN: Option<Access> = Some(Access::Anonymous);
const GUARDED: Option<Access> = Some(Access::Session);
const PROGRAMS: Option<Access> = Some(Access::Bearer);

#[test]
fn the_most_specific_wins_whatever_the_order() {
    // W39, Q07
    let rules: [&dyn Fn() -> Rule; 6] = [
        &|| Rule::new("/", Access::Session),
        &|| Rule::new("/", Access::Anonymous).exact(),
        &|| Rule::new("/api", Access::Bearer),
        &|| Rule::new("/api", Access::Anonymous).methods(&["GET"]),
        &|| Rule::new("/api", Access::Session).header("x-release", "beta"),
        &|| Rule::new("/health", Access::Anonymous).exact(),
    ];
    for table in tables(&rules) {
        for (method, target, headers, access) in [
            ("GET", "/", &[][..], OPEN),
            ("GET", "/?x=/health", &[], OPEN),
            ("GET", "/x", &[], GUARDED),
            ("GET", "/health", &[], OPEN),
            ("GET", "/health?x", &[], OPEN),
            ("GET", "/health/", &[], GUARDED),
            ("GET", "/health/x", &[], GUARDED),
            ("GET", "/healthy", &[], GUARDED),
            ("GET", "/api", &[], OPEN),
            ("HEAD", "/api/x", &[], OPEN),
            ("POST", "/api/x", &[], PROGRAMS),
            ("POST", "/api/x", &[("x-release", "beta")], GUARDED),
            ("GET", "/api/x", &[("x-release", "beta")], GUARDED),
            ("GET", "/api/x", &[("x-release", "beta"), ("x-release", "other")], OPEN),
            // Some servers take it for GET; where methods count, nobody guesses.
            ("get", "/api/x", &[], None),
            ("Post", "/api/x", &[], None),
            ("PROPFIND", "/api/x", &[], PROGRAMS),
        ] {
            assert_eq!(judged(&table, method, target, headers), access, "{method} {target} {headers:?}");
        }
    }
}

#[test]
fn a_condition_that_is_not_met_leads_to_the_route_that_remains_and_to_none_if_there_is_none() {
    let rules: [&dyn Fn() -> Rule; 2] = [&|| Rule::new("/upload", Access::Anonymous).methods(&["PUT"]), &|| {
        Rule::new("/upload/private", Access::Session).methods(&["PUT", "GET"])
    }];
    for table in tables(&rules) {
        assert_eq!(judged(&table, "PUT", "/upload/x", &[]), OPEN);
        assert_eq!(judged(&table, "GET", "/upload/x", &[]), None);
        assert_eq!(judged(&table, "GET", "/upload/private/x", &[]), GUARDED);
        assert_eq!(judged(&table, "DELETE", "/upload/private/x", &[]), None);
    }
}

#[test]
fn look_alikes_of_a_conditional_path_are_judged_by_it_too() {
    // H-rows: another spelling is no way around a rule that counts for this method, or for this very path
    let rules: [&dyn Fn() -> Rule; 3] =
        [&|| Rule::new("/", Access::Anonymous), &|| Rule::new("/admin", Access::Session).methods(&["POST"]), &|| {
            Rule::new("/setup", Access::Session).exact()
        }];
    for table in tables(&rules) {
        for target in ["/admin/x", "/ADMIN/x", "/admin./x", "/Admin%20/x", "/ADMINI~1".trim_end_matches("I~1")] {
            assert_eq!(judged(&table, "POST", target, &[]), GUARDED, "{target}");
            assert_eq!(judged(&table, "GET", target, &[]), OPEN, "{target}");
        }
        for target in ["/setup", "/setup/", "/SETUP", "/setup.", "/Setup/"] {
            assert_eq!(judged(&table, "GET", target, &[]), GUARDED, "{target}");
        }
        for target in ["/setup/x", "/SETUP/x", "/setups"] {
            assert_eq!(judged(&table, "GET", target, &[]), OPEN, "{target}");
        }
        // Two readings, two routes: nobody's.
        assert_eq!(judged(&table, "POST", "/admin;x/y", &[]), None);
    }
}

#[test]
fn a_home_page_that_is_open_opens_nothing_below_it() {
    // Alone on its host: no longer prefix makes the look-up read further
    let rules: [&dyn Fn() -> Rule; 2] =
        [&|| Rule::new("/", Access::Anonymous).exact(), &|| Rule::new("/", Access::Session)];
    for table in tables(&rules) {
        for (target, access) in [("/", OPEN), ("/?x", OPEN), ("/x", GUARDED), ("/x/", GUARDED), ("/%78", GUARDED)] {
            assert_eq!(judged(&table, "GET", target, &[]), access, "{target}");
        }
    }
}

#[test]
fn an_exact_route_is_stricter_than_the_one_that_covers_the_rest() {
    let rules: [&dyn Fn() -> Rule; 2] =
        [&|| Rule::new("/x", Access::Anonymous), &|| Rule::new("/x", Access::Session).exact()];
    for table in tables(&rules) {
        for (target, access) in [("/x", GUARDED), ("/x/", GUARDED), ("/x/y", OPEN), ("/X", None)] {
            assert_eq!(judged(&table, "GET", target, &[]), access, "{target}");
        }
    }
}

#[test]
fn routes_that_could_both_be_meant_are_a_fault() {
    let twice = |a: Rule, b: Rule| RouteTable::compile(vec![a.0, b.0]).err();
    let fault = Some(vec![RouteFault::Duplicate { first: 0, second: 1 }]);
    let x = || Rule::new("/x", Access::Session);
    assert_eq!(twice(x().methods(&["GET", "PUT"]), x().methods(&["PUT"])), fault);
    assert_eq!(twice(x().header("a", "1"), x().header("b", "1")), fault);
    assert_eq!(twice(x().exact(), x().exact()), fault);
    assert_eq!(twice(x().methods(&["GET"]), x().methods(&["PUT"])), None);
    assert_eq!(twice(x().header("a", "1"), x().header("a", "2")), None);
    assert_eq!(twice(x().exact(), x()), None);
}

#[test]
fn paths_as_they_are_need_one_rule_whatever_the_conditions() {
    let as_is = |access| {
        let mut rule = Rule::new("/api", access);
        rule.0.paths = Paths::AsIs;
        rule
    };
    let fault = |other: Rule| RouteTable::compile(vec![as_is(Access::Session).0, other.0]).is_err();
    assert!(fault(Rule::new("/api", Access::Anonymous).methods(&["GET"])));
    assert!(fault(Rule::new("/api/open", Access::Anonymous).exact()));
    assert!(!fault(Rule::new("/api", Access::Session).methods(&["GET"])));
}

#[test]
fn a_wildcard_is_one_label_and_a_host_with_routes_of_its_own_is_judged_by_them() {
    // W39, H14
    let mut own = route("wiki.apps.test", "/", Access::Anonymous);
    own.path = "/open".to_owned();
    let routes = vec![own, route("*.apps.test", "/", Access::Session), route("*.test", "/x", Access::Bearer)];
    let table = RouteTable::compile(routes).unwrap();
    let found =
        |host: &str, path: &str| match table.find(host, &NormalTarget::parse(path.as_bytes()).unwrap(), Traits::page())
        {
            Found::Route(route) => Some(Some(route.index)),
            Found::NoRoute => Some(None),
            Found::UnknownHost => None,
        };
    assert_eq!(found("a.apps.test", "/"), Some(Some(1)));
    assert_eq!(found("wiki.apps.test", "/open"), Some(Some(0)));
    assert_eq!(found("wiki.apps.test", "/"), Some(None));
    assert_eq!(found("apps.test", "/x/y"), Some(Some(2)));
    assert_eq!(found("apps.test", "/"), Some(None));
    for nobodys in ["a.b.apps.test", "test", ".apps.test", "aapps.test.", "", "*.apps.tes", "x.apps.test.evil"] {
        assert_eq!(found(nobodys, "/"), None, "{nobodys}");
    }
    assert_eq!(table.wildcards().count(), 2);
    for wrong in ["*", "*.", "a*.test", "*a.test", "a.*.test", "*.*.test", "*.[::1]"] {
        let fault = RouteTable::compile(vec![route(wrong, "/", Access::Session)]);
        assert!(fault.is_err(), "{wrong}");
    }
}
