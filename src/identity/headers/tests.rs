mod long;
mod reserved;

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::identity::{ClaimValue, Identity, IdentityParts};

fn text(text: &str) -> ClaimValue {
    ClaimValue::Text(text.to_owned())
}

fn parts() -> IdentityParts {
    IdentityParts {
        issuer: "https://carrier.test".to_owned(),
        subject: "mccmnc-1".to_owned(),
        mccmnc: Some("310010".to_owned()),
        acr: Some("a3".to_owned()),
        assurance: Some(crate::oidc::acr::Assurance::Person),
        amr: vec!["hwk".to_owned(), "pin".to_owned()],
        auth_time: Some(1_800_000_000),
        claims: BTreeMap::new(),
        accept_unverified: false,
        absent_is_verified: false,
    }
}

fn with_claim(name: &str, value: ClaimValue) -> IdentityParts {
    IdentityParts { claims: [(name.to_owned(), value)].into(), ..parts() }
}

fn rule(name: &str, claim: &str, encoding: Encoding) -> HeaderRule {
    HeaderRule { name: name.to_owned(), claim: claim.to_owned(), encoding, too_long: TooLong::LeaveOut }
}

fn plan(presets: &[Preset], map: &[(&str, &str)]) -> HeaderPlan {
    let map = map.iter().map(|(name, claim)| rule(name, claim, Encoding::Percent)).collect();
    HeaderPlan::compile(&IdentityHeaderSettings { presets: presets.to_vec(), map, ..Default::default() }).unwrap()
}

fn shown(plan: &HeaderPlan, parts: IdentityParts) -> Vec<String> {
    let set = plan.render(&Identity::restore(parts));
    set.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

/// The one value of claim `c` in this encoding, and how many were left out.
fn written(value: ClaimValue, encoding: Encoding) -> (Option<String>, usize) {
    let settings = IdentityHeaderSettings { map: vec![rule("X-Auth-C", "c", encoding)], ..Default::default() };
    let set = HeaderPlan::compile(&settings).unwrap().render(&Identity::restore(with_claim("c", value)));
    let value = set.iter().next().map(|(_, value)| value.to_str().unwrap().to_owned());
    (value, set.omitted())
}

fn faults(map: &[HeaderRule], presets: &[Preset]) -> Vec<HeaderFault> {
    HeaderPlan::compile(&IdentityHeaderSettings { presets: presets.to_vec(), map: map.to_vec(), ..Default::default() })
        .unwrap_err()
}

#[test]
fn presets_say_what_apps_expect_and_user_is_the_subject() {
    let mut full = parts();
    for (name, value) in [
        ("name", "Ada Lovelace"),
        ("given_name", "Ada"),
        ("family_name", "Lovelace"),
        ("email", "ada@corp.test"),
        ("phone_number", "+15550100"),
        ("postal_code", "12345"),
        ("birthdate", "1815-12-10"),
        ("address", "1 St James Sq"),
        ("preferred_username", "ada"),
    ] {
        full.claims.insert(name.to_owned(), text(value));
    }
    full.claims.insert("groups".to_owned(), ClaimValue::List(vec!["staff".to_owned(), "ops".to_owned()]));
    assert_eq!(
        shown(&plan(&[Preset::Zenkey], &[]), full.clone()),
        [
            "x-zenkey-sub: mccmnc-1",
            "x-zenkey-issuer: https://carrier.test",
            "x-zenkey-mccmnc: 310010",
            "x-zenkey-acr: a3",
            "x-zenkey-amr: hwk,pin",
            "x-zenkey-auth-time: 1800000000",
            "x-zenkey-name: Ada Lovelace",
            "x-zenkey-given-name: Ada",
            "x-zenkey-family-name: Lovelace",
            "x-zenkey-email: ada@corp.test",
            "x-zenkey-phone: +15550100",
            "x-zenkey-postal-code: 12345",
            "x-zenkey-birthdate: 1815-12-10",
            "x-zenkey-address: 1 St James Sq",
        ]
    );
    for (preset, prefix) in [(Preset::XAuthRequest, "x-auth-request"), (Preset::XForwarded, "x-forwarded")] {
        let expected = ["user: mccmnc-1", "email: ada@corp.test", "groups: staff,ops", "preferred-username: ada"];
        assert_eq!(shown(&plan(&[preset], &[]), full.clone()), expected.map(|line| format!("{prefix}-{line}")));
    }
    assert_eq!(
        shown(&plan(&[Preset::RemoteUser], &[]), full),
        [
            "remote-user: mccmnc-1",
            "remote-email: ada@corp.test",
            "remote-name: Ada Lovelace",
            "remote-groups: staff,ops"
        ]
    );
}

#[test]
fn a_header_without_a_value_is_absent_but_still_ours() {
    // G04
    let plan =
        plan(&[Preset::XAuthRequest], &[("X-Auth-Sub", "sub"), ("X-Auth-Issuer", "iss"), ("X-Auth-Email", "email")]);
    let expected = ["x-auth-request-user: mccmnc-1", "x-auth-sub: mccmnc-1", "x-auth-issuer: https://carrier.test"];
    assert_eq!(shown(&plan, parts()), expected);
    let empty = with_claim("email", text(""));
    assert_eq!(shown(&plan, empty), expected);
    let reserved = Reserved::build([&plan].into_iter(), &[]);
    assert!(reserved.covers("x-auth-email") && reserved.covers("x-auth-request-email"));
}

#[test]
fn a_mapped_name_replaces_the_presets() {
    let plan =
        plan(&[Preset::RemoteUser, Preset::RemoteUser], &[("Remote_User", "preferred_username"), ("X-Who", "sub")]);
    let person = with_claim("preferred_username", text("ada"));
    assert_eq!(shown(&plan, person), ["remote_user: ada", "x-who: mccmnc-1"]);
}

#[test]
fn verified_parts_cannot_be_spoken_for_by_claims() {
    let mut forged = IdentityParts { mccmnc: None, acr: None, auth_time: None, ..parts() };
    for name in ["sub", "iss", "mccmnc", "acr", "amr", "auth_time"] {
        forged.claims.insert(name.to_owned(), text("forged"));
    }
    let seen = shown(&plan(&[Preset::Zenkey], &[]), forged);
    assert_eq!(seen, ["x-zenkey-sub: mccmnc-1", "x-zenkey-issuer: https://carrier.test", "x-zenkey-amr: hwk,pin"]);
}

#[test]
fn no_value_can_break_out_of_its_header() {
    // C30 G16
    let percent = |value: &str| written(text(value), Encoding::Percent);
    assert_eq!(percent("a b"), (Some("a b".to_owned()), 0));
    assert_eq!(percent("a\r\nX-Auth-Sub: root\0\t\x7f"), (Some("a%0D%0AX-Auth-Sub: root%00%09%7F".to_owned()), 0));
    assert_eq!(percent("K\u{e4}se 100%"), (Some("K%C3%A4se 100%25".to_owned()), 0));
    assert_eq!(percent(" a  b "), (Some("%20a  b%20".to_owned()), 0));
    assert_eq!(percent("   "), (Some("%20%20%20".to_owned()), 0));
    assert_eq!(percent("a,b"), (Some("a%2Cb".to_owned()), 0), "one text, not two elements");
    let base64 = |value: &str| written(text(value), Encoding::Base64Url);
    assert_eq!(base64("K\u{e4}se\r\n?>"), (Some("S8Okc2UNCj8-".to_owned()), 0));
    assert_eq!(base64("a"), (Some("YQ".to_owned()), 0));
    let ascii = |value: &str| written(text(value), Encoding::Ascii);
    assert_eq!(ascii("a b,c%"), (Some("a b%2Cc%25".to_owned()), 0));
    for unfit in ["K\u{e4}se", "a\tb", "a\n", "a\0", " a", "a ", "\x7f", "\u{2028}"] {
        assert_eq!(ascii(unfit), (None, 1), "{unfit:?}");
    }
    assert_eq!(written(ClaimValue::Bool(false), Encoding::Percent), (Some("false".to_owned()), 0));
    assert_eq!(written(ClaimValue::Integer(-7), Encoding::Ascii), (Some("-7".to_owned()), 0));
    // Every character there is, in every encoding: visible ASCII and inner spaces only.
    for character in (0..=0x10_ffff_u32).step_by(1009).chain(0..0x300).filter_map(char::from_u32) {
        for encoding in [Encoding::Percent, Encoding::Base64Url, Encoding::Ascii] {
            if let (Some(value), _) = written(text(&format!("{character}x{character}")), encoding) {
                assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{character:?} {value:?}");
            }
        }
    }
}

#[test]
fn an_element_of_a_list_cannot_become_two() {
    // C30
    let list = |elements: &[&str]| ClaimValue::List(elements.iter().map(|element| (*element).to_owned()).collect());
    let tricky = list(&["staff,admin", "a%2Cb", " admin", "", "K\u{e4}se"]);
    assert_eq!(
        written(tricky.clone(), Encoding::Percent),
        (Some("staff%2Cadmin,a%252Cb,%20admin,K%C3%A4se".to_owned()), 0)
    );
    assert_eq!(written(tricky, Encoding::Ascii), (None, 1));
    assert_eq!(
        written(list(&["staff,admin", "a%2Cb"]), Encoding::Ascii),
        (Some("staff%2Cadmin,a%252Cb".to_owned()), 0)
    );
    assert_eq!(written(list(&["a,b", "c"]), Encoding::Base64Url), (Some("YSUyQ2IsYw".to_owned()), 0));
    assert_eq!(written(list(&[]), Encoding::Percent), (None, 0));
    assert_eq!(written(list(&["", ""]), Encoding::Percent), (None, 0));
}

// Attacks, class G
#[test]
fn one_text_with_a_comma_and_a_list_of_two_are_two_headers_as_they_are_two_values_to_a_rule() {
    let list = |elements: &[&str]| ClaimValue::List(elements.iter().map(|element| (*element).to_owned()).collect());
    let values = [
        text("a,b"),
        list(&["a", "b"]),
        text("a%2Cb"),
        list(&["a", "b,c"]),
        list(&["a,b", "c"]),
        text("a,b,c"),
        text("a%252Cb"),
        list(&["a%2Cb", "c"]),
        list(&["a", "b", "c"]),
    ];
    for encoding in [Encoding::Percent, Encoding::Base64Url, Encoding::Ascii] {
        let all: Vec<_> = values.iter().map(|value| written(value.clone(), encoding).0.unwrap()).collect();
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{encoding:?}: {all:?}");
        assert_eq!(written(text("a,b"), encoding), written(list(&["a,b"]), encoding), "and the same to a rule");
    }
    // A name, an address and a subject are never a list.
    let mut full = with_claim("name", text("Lee, Ann"));
    full.subject = "cn=ann,ou=staff".to_owned();
    let plan = plan(&[Preset::RemoteUser], &[]);
    assert_eq!(shown(&plan, full), ["remote-user: cn=ann,ou=staff", "remote-name: Lee, Ann"]);
}

#[test]
fn a_value_that_is_too_long_is_left_out_whole_and_counted() {
    // C30 R11
    for encoding in [Encoding::Percent, Encoding::Ascii] {
        assert_eq!(written(text(&"a".repeat(MAX_VALUE)), encoding), (Some("a".repeat(MAX_VALUE)), 0));
        assert_eq!(written(text(&"a".repeat(MAX_VALUE + 1)), encoding), (None, 1));
    }
    // It is the written form that counts.
    assert_eq!(written(text(&"\u{e4}".repeat(683)), Encoding::Percent), (None, 1));
    assert_eq!(written(text(&"a".repeat(3073)), Encoding::Base64Url), (None, 1));
    assert_eq!(written(ClaimValue::List(vec!["a".repeat(500); 9]), Encoding::Percent), (None, 1));
}

#[test]
fn all_identity_headers_together_stay_below_8_kib() {
    // R11
    let mut heavy = parts();
    for name in ["a", "b", "c", "d"] {
        heavy.claims.insert(name.to_owned(), text(&name.repeat(3000)));
    }
    let plan = plan(&[], &[("My-A", "a"), ("My-B", "b"), ("My-C", "c"), ("My-D", "d"), ("X-Auth-Sub", "sub")]);
    let set = plan.render(&Identity::restore(heavy));
    let names: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["my-a", "my-b", "x-auth-sub"], "what still fits is written");
    assert_eq!(set.omitted(), 2);
    assert!(set.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() <= MAX_TOTAL);
}

#[test]
fn a_set_is_shared_and_shows_nothing_to_a_log() {
    // R01
    let set = plan(&[Preset::Zenkey], &[]).render(&Identity::restore(with_claim("email", text("canary@corp.test"))));
    let again = set.clone();
    let pointers = |set: &HeaderSet| set.iter().map(|(_, value)| value.as_bytes().as_ptr()).collect::<Vec<_>>();
    assert_eq!(pointers(&set), pointers(&again));
    assert!(set.iter().all(|(_, value)| value.is_sensitive()));
    assert!(!format!("{set:?}").contains("canary"));
    assert_eq!(HeaderSet::default().iter().count(), 0);
}

#[test]
fn identity_and_values_lie_in_one_piece_of_memory_and_no_text_lies_there_twice() {
    let mut full = with_claim("email", text("person@corp.test"));
    full.claims.insert("name".to_owned(), text("Åsa Öst"));
    full.claims.insert("groups".to_owned(), ClaimValue::List(vec!["a,b".to_owned(), "c".to_owned()]));
    let plans = [
        plan(&[Preset::Zenkey], &[]),
        plan(&[], &[]),
        plan(&[Preset::XAuthRequest, Preset::RemoteUser], &[("X-Auth-Acr", "acr")]),
    ];
    let bare = Identity::restore(full);
    let (identity, sets) = render_all(&plans, &bare, Beside::default());
    assert_eq!(identity, bare);
    let memory = identity.subject().as_ptr() as usize - 64..identity.subject().as_ptr() as usize + 512;
    let sets = plans.each_ref().map(|plan| sets.of(plan).unwrap());
    for (set, plan) in sets.iter().zip(&plans) {
        let alone = plan.render(&bare);
        let all = |set: &HeaderSet| -> Vec<(HeaderName, HeaderValue)> {
            set.iter().map(|(name, value)| (name.clone(), value)).collect()
        };
        assert_eq!(all(set), all(&alone), "the same as rendered alone");
        assert_eq!(set.len(), all(set).len());
        assert!(set.iter().all(|(_, value)| memory.contains(&(value.as_bytes().as_ptr() as usize))));
    }
    let place = |set: usize, name: &str| {
        let (_, value) = sets[set].iter().find(|(found, _)| found.as_str() == name).unwrap();
        value.as_bytes().as_ptr()
    };
    assert_eq!(place(0, "x-zenkey-sub"), identity.subject().as_ptr());
    assert_eq!(place(2, "remote-user"), identity.subject().as_ptr());
    assert_eq!(place(0, "x-zenkey-name"), place(2, "remote-name"), "encoded once for all plans");
    assert_eq!(sets.map(HeaderSet::len), [8, 0, 8]);
}

#[test]
fn values_of_the_largest_identity_are_found_behind_it() {
    let mut large = parts();
    for number in 0..63 {
        large.claims.insert(format!("claim-{number:02}"), text(&"x".repeat(4096)));
    }
    large.claims.insert("zuletzt".to_owned(), text("Åsa, 100%"));
    let map = [("X-Auth-Sub", "sub"), ("X-Auth-Last", "zuletzt"), ("X-Auth-Acr", "acr"), ("X-Auth-Long", "claim-62")];
    let plan = plan(&[], &map);
    let expected =
        ["x-auth-sub: mccmnc-1", "x-auth-last: %C3%85sa%2C 100%25", "x-auth-acr: a3"].map(str::to_owned).to_vec();
    let shown = shown(&plan, large);
    assert_eq!(shown[..3], expected);
    assert_eq!(shown[3].len(), "x-auth-long: ".len() + 4096);
}

#[test]
fn a_plan_writes_only_names_that_are_free() {
    for taken in [
        "Host",
        "Cookie",
        "Set-Cookie",
        "Authorization",
        "Proxy-Authorization",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Transfer_Encoding",
        "Upgrade",
        "Content-Length",
        "content_type",
        "Content-Anything",
        "X-Forwarded-For",
        "X_Forwarded_Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Hostname",
        "X-Forwarded",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Request-Id",
        "Via",
        "Sec-Fetch-Mode",
        "If-None-Match",
        "Accept",
        "Accept-Language",
        "Acc",
        "c",
        "X",
        "X-",
        "_",
        "User-Agent",
        "Proxy",
        "Expect",
        "Range",
        "CF-Connecting-IP",
    ] {
        let fault = HeaderFault::Forbidden { name: taken.to_owned() };
        assert_eq!(faults(&[rule(taken, "sub", Encoding::Percent)], &[]), [fault], "{taken}");
    }
    for invalid in ["", "X Auth", "X-Auth:", "X-\u{e4}", "X-Auth\r\n"] {
        let fault = HeaderFault::Invalid { name: invalid.to_owned() };
        assert_eq!(faults(&[rule(invalid, "sub", Encoding::Percent)], &[]), [fault], "{invalid:?}");
    }
    for free in [
        "X-Auth-Sub",
        "X-Forwarded-User",
        "Remote-User",
        "X-User",
        "X-Goog-Authenticated-User-Email",
        "OIDC_CLAIM_sub",
        "X-WEBAUTH-USER",
        "Company-Person",
    ] {
        plan(&[], &[(free, "sub")]);
    }
    assert_eq!(
        faults(
            &[
                rule("X-Sub", "sub", Encoding::Percent),
                rule("X_Sub", "iss", Encoding::Ascii),
                rule("Host", "", Encoding::Ascii)
            ],
            &[Preset::Zenkey]
        ),
        [
            HeaderFault::Duplicate { first: "x-sub".to_owned(), second: "X_Sub".to_owned() },
            HeaderFault::ClaimMissing { name: "Host".to_owned() },
            HeaderFault::Forbidden { name: "Host".to_owned() },
        ]
    );
}
