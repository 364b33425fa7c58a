use super::super::super::path::tests::Rng;
use super::super::tests::route;
use super::super::{Found, RouteTable};
use super::*;
use crate::policy::{RecentSim, SimRule};

/// What judges a spelling among these routes: a path, `refused`, or `-` where the target itself is no path.
fn judged(table: &RouteTable, spelling: &str) -> String {
    let raw: String = spelling
        .bytes()
        .map(|byte| match byte {
            b'!'..=b'~' if byte != b'"' && byte != b'<' && byte != b'>' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let Ok(target) = NormalTarget::parse(raw.as_bytes()) else { return "-".to_owned() };
    match table.find("app.test", &target, Traits::page()) {
        Found::Route(route) => route.path.clone(),
        Found::NoRoute | Found::UnknownHost => "refused".to_owned(),
    }
}

fn table(routes: &[(&str, Access)]) -> RouteTable {
    RouteTable::compile(routes.iter().map(|(path, access)| route("app.test", path, *access)).collect()).unwrap()
}

fn demanding(path: &str, group: &str) -> RouteSettings {
    let mut route = route("app.test", path, Access::Session);
    route.require.claims = vec![("groups".to_owned(), vec![group.to_owned()])];
    route
}

// Attacks, class D
#[test]
fn each_folding_of_a_protected_prefix_is_judged_by_its_route_or_refused() {
    let table = table(&[("/", Access::Anonymous), ("/admin", Access::Session), ("/administration", Access::Session)]);
    let mut spellings: Vec<String> = FOLDINGS.iter().map(|(spelling, _)| (*spelling).to_owned()).collect();
    spellings.extend(
        [
            "/Admin",
            "/adMin/users",
            "/admin ",
            "/admin. . ",
            "/admin../x",
            "/ADMIN;jsessionid=1/x",
            "/admin:x",
            "/Admin::$INDEX_ALLOCATION",
            "/admin:$I30:$INDEX_ALLOCATION/x",
            "/ADMINI~12/x",
            "/ad1f2c~5",
            "/\u{1d4d0}dmin",
            "/\u{24d0}\u{24d3}min",
            "/admin\u{a0}",
            "/admin\u{3000}",
            "/admin\u{ff0e}",
            "/\u{feff}admin",
            "/x/\u{ff0e}\u{ff0e}/admin",
            "/x\u{ff3c}..\u{ff3c}admin",
        ]
        .map(str::to_owned),
    );
    for spelling in spellings {
        let by = judged(&table, &spelling);
        let fine = by.starts_with("/admin") || by == "refused" || by == "-";
        assert!(fine, "{spelling:?} was judged by {by}");
    }
}

#[test]
fn the_operators_page_lists_every_folding() {
    let page = include_str!("../../../../docs/SECURITY.md");
    for (spelling, who) in FOLDINGS {
        assert!(page.contains(who), "{who}");
        assert!(!spelling.is_ascii() || page.contains(&format!("`{spelling}`")), "{spelling}");
    }
}

#[test]
fn what_is_no_spelling_of_it_stays_with_the_wider_route() {
    let table = table(&[("/", Access::Anonymous), ("/admin", Access::Session)]);
    for other in [
        "/",
        "/Administrator",
        "/ADMINX",
        "/x/ADMIN",
        "/admin-guide",
        "/Static/App.js",
        "/b~1",
        "/a:dmin",
        "/k\u{e4}se",
        "/a.b.",
    ] {
        assert_eq!(judged(&table, other), "/", "{other}");
    }
    for own in ["/admin", "/admin/", "/admin/X", "/admin/x."] {
        assert_eq!(judged(&table, own), "/admin", "{own}");
    }
}

#[test]
fn where_no_route_is_weaker_every_spelling_means_itself() {
    for routes in [
        &[("/", Access::Session), ("/admin", Access::Session)][..],
        &[("/", Access::Session), ("/public", Access::Anonymous)],
        &[("/", Access::Bearer), ("/either", Access::SessionOrBearer)],
    ] {
        let table = table(routes);
        for spelling in ["/ADMIN", "/PUBLIC", "/Either.", "/x"] {
            assert_eq!(judged(&table, spelling), "/", "{spelling} {routes:?}");
        }
    }
}

#[test]
fn a_demand_makes_a_route_narrower_as_well_as_an_access_does() {
    let settings = vec![route("app.test", "/", Access::Session), demanding("/admin", "admins")];
    let table = RouteTable::compile(settings).unwrap();
    assert_eq!(judged(&table, "/ADMIN"), "/admin");
    let mut scoped = route("app.test", "/api", Access::Bearer);
    scoped.token.scopes = vec!["write".to_owned()];
    let table = RouteTable::compile(vec![route("app.test", "/", Access::Bearer), scoped]).unwrap();
    assert_eq!(judged(&table, "/Api"), "/api");
}

#[test]
fn of_two_that_could_be_meant_the_one_that_guards_as_much_judges_or_none() {
    let open = || route("app.test", "/", Access::Anonymous);
    let outer = || demanding("/admin", "admins");
    let table = RouteTable::compile(vec![open(), outer(), demanding("/admin/root", "root")]).unwrap();
    assert_eq!(judged(&table, "/ADMIN/ROOT"), "refused", "who is root need not be an admin");
    let mut both = demanding("/admin/root", "root");
    both.require.claims.extend(outer().require.claims);
    let table = RouteTable::compile(vec![open(), outer(), both]).unwrap();
    assert_eq!(judged(&table, "/ADMIN/ROOT"), "/admin/root");
    assert_eq!(judged(&table, "/ADMIN/x"), "/admin");
}

#[test]
fn another_spelling_of_a_route_that_looks_at_sims_looks_at_them() {
    let rule = |recent, allow_unknown| Some(SimRule { recent, allow_unknown });
    let looking = |path: &str, rule| {
        let mut route = route("app.test", path, Access::Session);
        route.require.sim_tenure = rule;
        route
    };
    for weaker in [None, rule(RecentSim::StepUp, false), rule(RecentSim::Refuse, true)] {
        let guarded = looking("/pay", rule(RecentSim::Refuse, false));
        let table = RouteTable::compile(vec![looking("/", weaker), guarded]).unwrap();
        assert_eq!(judged(&table, "/PAY"), "/pay", "{weaker:?}");
    }
    // The twin: what covers it as written guards as much.
    let strict = rule(RecentSim::Refuse, false);
    let table =
        RouteTable::compile(vec![looking("/", strict), looking("/pay", rule(RecentSim::StepUp, false))]).unwrap();
    assert_eq!(judged(&table, "/PAY"), "/");
}

#[test]
fn a_spelling_that_the_operator_wrote_down_means_itself() {
    let both = table(&[("/", Access::Anonymous), ("/a", Access::Session), ("/A", Access::Anonymous)]);
    assert_eq!(judged(&both, "/A/x"), "/A");
    assert_eq!(judged(&both, "/a/x"), "/a");
    let capital = table(&[("/", Access::Anonymous), ("/Admin", Access::Session), ("/x.", Access::Session)]);
    for spelling in ["/admin", "/ADMIN", "/Admin"] {
        assert_eq!(judged(&capital, spelling), "/Admin", "{spelling}");
    }
    assert_eq!(judged(&capital, "/x"), "/x.");
    let inner = table(&[("/", Access::Anonymous), ("/admin", Access::Session), ("/admin/public", Access::Anonymous)]);
    assert_eq!(judged(&inner, "/admin/public/x"), "/admin/public");
    assert_eq!(judged(&inner, "/admin/Public"), "/admin");
}

/// Folds as the servers of the table do, one kind at a time, written without looking at the product's own reading.
fn spelled(rng: &mut Rng, name: &str) -> String {
    let mut text: String = name
        .chars()
        .map(|letter| match rng.below(6) {
            0 => letter.to_ascii_uppercase(),
            1 if letter.is_ascii_graphic() => char::from_u32(letter as u32 + 0xfee0).unwrap(),
            _ => letter,
        })
        .collect();
    if rng.below(4) == 0 {
        let place = text.char_indices().map(|(place, _)| place).nth(rng.below(3)).unwrap();
        text.insert(place, ['\u{200b}', '\u{feff}', '\u{ad}'][rng.below(3)]);
    }
    for _ in 0..rng.below(3) {
        text.push_str([".", " ", "\u{ff0e}", "\u{3000}", ""][rng.below(5)]);
    }
    text.push_str(["", "", ";x", ":s", "::$DATA", ";", ". "][rng.below(7)]);
    text
}

// Attacks, class D
#[test]
fn no_folding_of_a_protected_prefix_ever_reaches_the_weaker_route() {
    let table = table(&[
        ("/", Access::Anonymous),
        ("/open", Access::Anonymous),
        ("/admin", Access::Session),
        ("/srv/long-name.d", Access::Bearer),
    ]);
    let mut rng = Rng(20);
    let (mut guarded, mut refused) = (0, 0);
    for _ in 0..50_000 {
        let path = match rng.below(3) {
            0 => format!("/{}/x", spelled(&mut rng, "admin")),
            1 => format!("/{}/{}", spelled(&mut rng, "srv"), spelled(&mut rng, "long-name.d")),
            _ => format!("/open/\u{ff0e}\u{ff0e}/{}", spelled(&mut rng, "admin")),
        };
        match judged(&table, &path).as_str() {
            "/" | "/open" => panic!("{path:?} reached the weaker route"),
            "refused" | "-" => refused += 1,
            _ => guarded += 1,
        }
    }
    assert!(guarded > 20_000, "{guarded} {refused}");
    assert_eq!(judged(&table, "/srv/LONG-N~1.D"), "/srv/long-name.d");
}
