use super::super::tests::{Rng, suspicious_target};
use super::*;

/// Payloads of our own making: slashes, backslashes, white space, encodings, user information, look-alike hosts and
/// letters, scheme and port variants, header injection, and the gateway's own prefix.
const CORPUS: &str = include_str!("redirect_corpus.json");

fn corpus() -> Vec<String> {
    serde_json::from_str(CORPUS).unwrap()
}

fn policy() -> ReturnPolicy {
    ReturnPolicy::new("/oauth2", ["https://app.test", "https://other.test:8443"]).unwrap()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn decode(text: &str) -> String {
    let fixed = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(fixed.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Where a browser on `https://first.test/oauth2/callback` goes, by an opinion that is not ours.
fn lands_on(location: &str) -> Url {
    Url::parse("https://first.test/oauth2/callback").unwrap().join(location).unwrap()
}

fn assert_harmless(rd: &str) -> bool {
    let Ok(place) = ReturnTo::parse(rd, &policy()) else { return false };
    let landed = lands_on(&place.location());
    let expected = place.origin().unwrap_or("https://first.test");
    assert_eq!(landed.origin().ascii_serialization(), expected, "{rd:?}");
    assert!(landed.username().is_empty() && landed.password().is_none() && landed.fragment().is_none(), "{rd:?}");
    let first = landed.path_segments().unwrap().next().unwrap().to_ascii_lowercase();
    // PF04: what another origin has under that path is its own business.
    let reserved = place.origin().is_none();
    assert!(
        !reserved || first != "oauth2" && !first.starts_with("oauth2;") && !first.starts_with("oauth2%3b"),
        "{rd:?}"
    );
    assert!(place.location().bytes().all(|byte| byte.is_ascii_graphic()), "{rd:?}");
    true
}

#[test]
fn no_payload_of_the_corpus_leads_away() {
    // A02 A03 A04 A05 A06 A07 A08 A09 A12 A13
    let corpus = corpus();
    let distinct: std::collections::BTreeSet<_> = corpus.iter().collect();
    assert!(distinct.len() == corpus.len() && corpus.len() >= 300, "{}", corpus.len());
    let kept: Vec<_> = corpus.iter().filter(|payload| assert_harmless(payload)).collect();
    // A query is its page's own business: it stands in `Location` as it stands in the address bar, and makes no header. On
    // another origin the path is that origin's as well. Every other payload is refused.
    let pages = [
        "/app?x=%0d%0aSet-Cookie:%20a=b",
        "/app?x=1%0aLocation:%20//evil.test",
        "/app?%00",
        "https://app.test?@evil.test",
        "https://app.test?x=%0d%0a",
        "https://app.test/oauth2/sign_out",
        "https://app.test/OAUTH2/sign_out",
        "https://app.test:443/oauth2/sign_out",
        "https://other.test:8443/oauth2/sign_out",
    ];
    let mut kept: Vec<_> = kept.iter().map(|page| page.as_str()).collect();
    kept.sort_by_key(|page| pages.iter().position(|known| known == page));
    assert_eq!(kept, pages);
}

#[test]
fn a_payload_that_is_encoded_once_more_or_once_less_leads_nowhere_either() {
    // A09
    for payload in corpus() {
        for variant in [encode(&payload), decode(&payload), decode(&decode(&payload))] {
            for rd in [
                variant.clone(),
                format!("/{variant}"),
                format!("/app/{variant}"),
                format!("https://app.test{variant}"),
            ] {
                assert_harmless(&rd);
            }
        }
    }
}

#[test]
fn a_path_on_our_own_host_is_returned_to_exactly() {
    // A01 (the part that is decided here); the twin of the corpus.
    for rd in [
        "/",
        "/app?x=1",
        "/app/a%20b?q=%C3%A4&r=a+b",
        "/wiki/K%C3%A4se",
        "/a?next=https://x.test/&y=//z",
        "/oauth2x",
        "/x/oauth2/y",
        "/a@b:c",
        "/a?b?c\\d",
    ] {
        let place = ReturnTo::parse(rd, &policy()).unwrap();
        assert_eq!((place.origin(), place.target(), place.location().as_str()), (None, rd, rd));
        assert!(assert_harmless(rd));
    }
}

#[test]
fn what_is_emitted_is_what_was_understood_and_not_what_was_sent() {
    let location = |rd| ReturnTo::parse(rd, &policy()).unwrap().location();
    assert_eq!(location("/%61pp/{x}?q='a'"), "/app/%7Bx%7D?q=%27a%27");
    assert_eq!(location("HTTPS://App.Test:443/x"), "https://app.test/x");
    assert_eq!(location("https://app.test"), "https://app.test/");
    assert_eq!(location("https://app.test?x=1"), "https://app.test/?x=1");
}

#[test]
fn an_absolute_url_is_followed_only_to_an_origin_on_the_list() {
    // A05 A08, each with its twin
    let place = ReturnTo::parse("https://other.test:8443/x?y=1", &policy()).unwrap();
    assert_eq!((place.origin(), place.target()), (Some("https://other.test:8443"), "/x?y=1"));
    for foreign in [
        "https://other.test/x",
        "http://other.test:8443/x",
        "https://other.test:84430/x",
        "https://a.other.test:8443/x",
    ] {
        assert_eq!(ReturnTo::parse(foreign, &policy()), Err(ReturnFault::ForeignOrigin), "{foreign}");
    }
    let nobody = ReturnPolicy::new("/oauth2", Vec::<String>::new()).unwrap();
    assert_eq!(ReturnTo::parse("https://app.test/", &nobody), Err(ReturnFault::ForeignOrigin));
}

// XS12
#[test]
fn a_return_address_may_be_as_long_as_what_can_be_opened() {
    let policy = policy().for_hosts([], Vec::new(), 8192);
    let longest = format!("/{}", "a".repeat(8191));
    assert_eq!(ReturnTo::parse(&longest, &policy).unwrap().target(), longest);
    assert_eq!(ReturnTo::parse(&format!("{longest}a"), &policy), Err(ReturnFault::TooLong));
    let abroad = format!("https://app.test{longest}");
    assert_eq!(ReturnTo::parse(&abroad, &policy).unwrap().location(), abroad);
    // Writing `{` as `%7B` must not carry it over the limit.
    assert_eq!(ReturnTo::parse(&format!("/{}", "{".repeat(3000)), &policy), Err(ReturnFault::TooLong));
    assert!(ReturnTo::parse(&format!("/{}", "a".repeat(70_000)), &self::policy()).is_err());
}

// XS11
#[test]
fn whatever_a_page_has_in_its_query_it_may_be_returned_to_with() {
    for page in [
        "/issues/new?body=line1%0Aline2",
        "/explore?q=select%20*%0afrom%20t",
        "/x?a=%0D%0ASet-Cookie:%20a=b",
        "/x?a=%00",
        "/x?a=%09&b=%zz&c=%",
        "/x?a=%250a",
        "/x?;&=&&",
    ] {
        let opened = NormalTarget::parse(page.as_bytes()).unwrap();
        let place = ReturnTo::parse(page, &policy()).unwrap();
        assert_eq!((place.location().as_str(), opened.as_str()), (page, page));
        assert!(assert_harmless(page));
    }
    // The twins: what makes no page is no place to return to either.
    for none in ["/x%0Ay", "/x%00", "/x?a=\n", "/x?a=\r\nSet-Cookie: a=b", "/x?a=\u{0}", "/x%0d%0aSet-Cookie:%20a=b"] {
        assert!(NormalTarget::parse(none.as_bytes()).is_err(), "{none:?}");
        assert!(ReturnTo::parse(none, &policy()).is_err(), "{none:?}");
    }
}

// XS09
#[test]
fn an_origin_of_ours_is_no_foreign_one() {
    let own = policy().for_hosts(["https://first.test", "https://second.test"].map(str::to_owned), Vec::new(), 8192);
    let place = |rd| ReturnTo::parse(rd, &own).map(|place| place.seen_from("https://first.test").location());
    assert_eq!(place("https://first.test/x?y=1").unwrap(), "/x?y=1");
    assert_eq!(place("https://first.test").unwrap(), "/");
    assert_eq!(place("HTTPS://First.Test:443/x").unwrap(), "/x");
    assert_eq!(place("https://second.test/x?y=1").unwrap(), "https://second.test/x?y=1");
    assert_eq!(place("/x").unwrap(), "/x");
    for foreign in [
        "http://first.test/x",
        "https://first.test:8443/x",
        "https://first.test.evil.test/x",
        "https://first.test@evil.test/",
        "https://user@first.test/",
        "https://third.test/",
        "https://first.test/oauth2/sign_out",
        "https://second.test//evil.test",
    ] {
        assert!(place(foreign).is_err(), "{foreign}");
    }
}

#[test]
fn an_allow_list_takes_plain_origins_and_nothing_that_needs_reading() {
    // A11
    for plain in [
        "https://app.test",
        "https://app.test:8443",
        "http://localhost:3000",
        "http://127.0.0.1:4180",
        "https://[::1]:8443",
        "https://xn--kse-qla.test",
    ] {
        assert!(ReturnPolicy::new("/oauth2", [plain]).is_ok(), "{plain}");
    }
    for other in [
        "",
        "app.test",
        "https://",
        "https://app.test/",
        "https://app.test/x",
        "https://app.test?",
        "https://app.test#",
        "https://*.app.test",
        "https://app.*",
        "https://app\\.test",
        "^https://app.test$",
        "https://app.test$",
        "https://(app|b).test",
        "https://[a-z].test",
        "https://app.test|b.test",
        "https://.app.test",
        "https://app.test.",
        "https://app..test",
        "https://App.test",
        "HTTPS://app.test",
        "https://app.test:443",
        "http://app.test:80",
        "https://app.test:",
        "https://app.test:08443",
        "https://user@app.test",
        "https://@app.test",
        "https://app.test ",
        " https://app.test",
        "https://app.test\n",
        "https://k\u{e4}se.test",
        "https://app%2etest",
        "https://127.1",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[::1",
        "https://[*]",
        "https://app.+",
        "https://app.?est",
        "https://app.{1,3}",
        "ftp://app.test",
        "javascript:x",
        "null",
        "*",
    ] {
        assert_eq!(ReturnPolicy::new("/oauth2", [other]), Err(vec![ReturnPolicyFault::NotAnOrigin(0)]), "{other:?}");
    }
    // The dot is a dot.
    assert!(ReturnTo::parse("https://appXtest/", &policy()).is_err());
    assert!(ReturnTo::parse("https://app.test/", &policy()).is_ok());
    assert_eq!(
        ReturnPolicy::new("oauth2", ["https://a.test", "x", "https://b.test", "y"]),
        Err(vec![
            ReturnPolicyFault::NotAnOrigin(1),
            ReturnPolicyFault::NotAnOrigin(3),
            ReturnPolicyFault::ReservedPrefix
        ])
    );
    for prefix in ["", "/", "oauth2", "/oauth2/", "/a/../b", "//x", "/a b", "/a;b", "/%61"] {
        assert!(ReturnPolicy::new(prefix, ["https://a.test"]).is_err(), "{prefix:?}");
    }
}

#[test]
fn the_reserved_prefix_is_no_place_to_return_to() {
    // A12
    let reserved = ["/oauth2/sign_out", "/oauth2", "/OAUTH2/start", "/%6fauth2/x", "/oauth2;a/x"];
    for rd in reserved {
        assert_eq!(ReturnTo::parse(rd, &policy()), Err(ReturnFault::Reserved), "{rd}");
    }
    let moved = ReturnPolicy::new("/gate/auth", ["https://app.test"]).unwrap();
    // PF04: elsewhere it is nobody's secret: LemonLDAP::NG and Okta end their sessions under /oauth2.
    for there in ["https://app.test/oauth2/sign_out", "https://other.test:8443/oauth2/v1/logout?client_id=x"] {
        assert_eq!(ReturnTo::parse(there, &policy()).map(|place| place.location()), Ok(there.to_owned()));
    }
    assert!(ReturnTo::parse("/oauth2/sign_out", &moved).is_ok());
    assert_eq!(ReturnTo::parse("/gate/auth/sign_out", &moved), Err(ReturnFault::Reserved));
    assert!(ReturnTo::parse("/gate/author", &moved).is_ok());
}

#[test]
fn a_stored_place_is_checked_again_when_it_is_read() {
    let place = ReturnTo::parse("https://other.test:8443/x?y=1", &policy()).unwrap();
    let text = serde_json::to_string(&place).unwrap();
    assert_eq!(serde_json::from_str::<ReturnTo>(&text).unwrap(), place);
    let local = ReturnTo::local(&NormalTarget::parse(b"/a{b}?x=%0d%0a'").unwrap());
    assert_eq!(serde_json::from_str::<ReturnTo>(&serde_json::to_string(&local).unwrap()).unwrap(), local);
    for forged in [
        r#"{"origin":null,"target":"//evil.test"}"#,
        r#"{"origin":null,"target":"/%61"}"#,
        r#"{"origin":null,"target":"https://evil.test"}"#,
        r#"{"origin":null,"target":""}"#,
        r#"{"origin":"https://app.test@evil.test","target":"/"}"#,
        r#"{"origin":"javascript:alert(1)//","target":"/"}"#,
        r#"{"origin":"","target":"/"}"#,
        r#"{"origin":"https://app.test/","target":"/"}"#,
    ] {
        assert!(serde_json::from_str::<ReturnTo>(forged).is_err(), "{forged}");
    }
}

#[test]
fn whatever_is_accepted_stays_where_it_says() {
    const PIECES: &[&str] = &[
        "https:",
        "http:",
        "//",
        "/",
        "\\",
        "app.test",
        "other.test",
        "evil.test",
        ":8443",
        ":443",
        "@",
        "?",
        "#",
        ".",
        "..",
        "%2f",
        "%5c",
        "\t",
        "\n",
        " ",
        "oauth2",
        "%6f",
        ";",
        "x",
        "[::1]",
        "\u{3002}",
        "%0a",
        "'",
        "{",
        "^",
    ];
    let mut rng = Rng(3);
    let mut accepted = 0;
    for _ in 0..30_000 {
        let pieces: String = (0..rng.below(8)).map(|_| PIECES[rng.below(PIECES.len())]).collect();
        accepted += usize::from(assert_harmless(&pieces));
        accepted += usize::from(assert_harmless(&format!("https://app.test{pieces}")));
        assert_harmless(&suspicious_target(&mut rng));
    }
    assert!(accepted > 600, "{accepted}");
}

#[test]
fn what_is_logged_of_a_return_address_has_no_query() {
    // R02
    let place = ReturnTo::parse("/a?token=canary", &policy()).unwrap();
    assert!(!format!("{place:?}").contains("canary"));
}

// A06, A08, W39
#[test]
fn below_a_wildcard_one_label_is_ours_and_nothing_else() {
    let below = vec![("https".to_owned(), "apps.test:8443".to_owned())];
    let own = policy().for_hosts([], below, 8192);
    let place = ReturnTo::parse("https://wiki.apps.test:8443/x", &own).unwrap();
    assert_eq!(place.location(), "https://wiki.apps.test:8443/x");
    for foreign in [
        "https://apps.test:8443/x",
        "https://a.b.apps.test:8443/x",
        "https://evilapps.test:8443/x",
        "https://.apps.test:8443/x",
        "https://wiki.apps.test/x",
        "http://wiki.apps.test:8443/x",
        "https://wiki.apps.test:8443.evil.test/x",
        "https://evil.test/.apps.test:8443",
        "https://evil.test#.apps.test:8443",
        "https://evil.test@wiki.apps.test:8443/x",
        "https://x:y@wiki.apps.test:8443/x",
        "https://wiki%2eapps.test:8443/x",
    ] {
        assert_eq!(ReturnTo::parse(foreign, &own), Err(ReturnFault::ForeignOrigin), "{foreign}");
    }
    // Our own addresses are no pages there either.
    assert_eq!(ReturnTo::parse("https://wiki.apps.test:8443/oauth2/sign_out", &own), Err(ReturnFault::Reserved));
}
