use std::time::UNIX_EPOCH;

use super::*;
use crate::identity::{ClaimValue, IdentityParts};

fn parts() -> IdentityParts {
    IdentityParts {
        issuer: "https://carrier.test".to_owned(),
        subject: "mccmnc-1".to_owned(),
        mccmnc: Some("310010".to_owned()),
        acr: Some("a3".to_owned()),
        assurance: Some(Assurance::Person),
        amr: vec!["hwk".to_owned(), "pin".to_owned()],
        auth_time: Some(1_800_000_000),
        claims: [
            ("groups".to_owned(), ClaimValue::List(vec!["staff".to_owned(), "ops".to_owned()])),
            ("level".to_owned(), ClaimValue::Integer(7)),
            ("adult".to_owned(), ClaimValue::Bool(true)),
            ("role".to_owned(), ClaimValue::Text("admin".to_owned())),
        ]
        .into(),
        accept_unverified: false,
        absent_is_verified: false,
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn check(requirement: &Requirement, parts: IdentityParts) -> Result<(), Unmet> {
    requirement.check(&Identity::restore(parts), at(1_800_000_000))
}

fn claim(name: &str, values: &[&str]) -> Requirement {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Requirement { claims: vec![(name.to_owned(), values)], ..Requirement::default() }
}

fn with_email(email: &str, verified: Option<ClaimValue>) -> Result<(), Unmet> {
    let mut parts = parts();
    parts.claims.insert("email".to_owned(), ClaimValue::Text(email.to_owned()));
    if let Some(verified) = verified {
        parts.claims.insert("email_verified".to_owned(), verified);
    }
    let domains = vec!["corp.test".to_owned(), "Other.Test".to_owned()];
    check(&Requirement { email_domains: domains, ..Requirement::default() }, parts)
}

#[test]
fn a_route_that_demands_nothing_takes_anyone() {
    assert_eq!(check(&Requirement::default(), parts()), Ok(()));
}

#[test]
fn a_weaker_authentication_context_is_not_enough() {
    // C25
    let words = crate::carrier::profile::ZENKEY.acr_words;
    let strong = Requirement { acr: vec!["a3".to_owned()], acr_vocabulary: words, ..Requirement::default() };
    for acr in [None, Some("a1"), Some(""), Some("A3"), Some("a3 "), Some("a1 a3"), Some("a33"), Some("aal3")] {
        let parts = IdentityParts { acr: acr.map(str::to_owned), ..parts() };
        assert_eq!(check(&strong, parts), Err(Unmet::Acr), "{acr:?}");
    }
    assert_eq!(check(&strong, parts()), Ok(()));
    let either = Requirement { acr: vec!["a1".to_owned(), "a3".to_owned()], ..Requirement::default() };
    assert_eq!(check(&either, IdentityParts { acr: Some("a1".to_owned()), ..parts() }), Ok(()));
    let tap = Requirement { acr: vec!["a1".to_owned()], acr_vocabulary: words, ..Requirement::default() };
    assert_eq!(check(&tap, parts()), Ok(()), "a PIN is more than a tap");
    // PF08: elsewhere the same words have no order.
    let plain = Requirement { acr: vec!["a1".to_owned()], ..Requirement::default() };
    assert_eq!(check(&plain, parts()), Err(Unmet::Acr));
    // An `acr` among the claims is not the token's.
    let mut forged = IdentityParts { acr: None, ..parts() };
    forged.claims.insert("acr".to_owned(), ClaimValue::Text("a3".to_owned()));
    assert_eq!(check(&strong, forged), Err(Unmet::Acr));
}

#[test]
fn a_claim_matches_one_of_its_values_exactly() {
    for (name, values) in [
        ("role", &["admin"][..]),
        ("role", &["x", "admin"]),
        ("groups", &["ops"]),
        ("level", &["7"]),
        ("adult", &["true"]),
        ("amr", &["pin"]),
        ("sub", &["mccmnc-1"]),
        ("iss", &["https://carrier.test"]),
        ("mccmnc", &["310010"]),
        ("acr", &["a3"]),
        ("auth_time", &["1800000000"]),
    ] {
        assert_eq!(check(&claim(name, values), parts()), Ok(()), "{name} {values:?}");
    }
    for (name, values) in [
        ("role", &["Admin"][..]),
        ("role", &["adm"]),
        ("role", &["admin "]),
        ("role", &[]),
        ("groups", &["staff,ops"]),
        ("groups", &["op"]),
        ("groups", &[""]),
        ("level", &["07"]),
        ("level", &["true"]),
        ("adult", &["1"]),
        ("adult", &["True"]),
        ("amr", &["hwk,pin"]),
        ("nothing", &[""]),
        ("", &[""]),
    ] {
        assert_eq!(check(&claim(name, values), parts()), Err(Unmet::Claim(name.to_owned())), "{name} {values:?}");
    }
    let mut both = claim("role", &["admin"]);
    both.claims.push(("groups".to_owned(), vec!["board".to_owned()]));
    assert_eq!(check(&both, parts()), Err(Unmet::Claim("groups".to_owned())));
}

#[test]
fn the_verified_parts_cannot_be_spoken_for_by_a_claim() {
    let mut forged = IdentityParts { mccmnc: None, acr: None, ..parts() };
    for name in ["sub", "iss", "mccmnc", "acr", "amr", "auth_time"] {
        forged.claims.insert(name.to_owned(), ClaimValue::Text("forged".to_owned()));
        assert_eq!(check(&claim(name, &["forged"]), forged.clone()), Err(Unmet::Claim(name.to_owned())), "{name}");
    }
}

#[test]
fn an_email_domain_is_met_by_a_plain_verified_address_only() {
    // C29
    let verified = || Some(ClaimValue::Bool(true));
    for email in ["a@corp.test", "Victim@CORP.Test", "a.b+c@corp.test", "x@other.test", "'o@corp.test"] {
        assert_eq!(with_email(email, verified()), Ok(()), "{email}");
    }
    for email in [
        "victim@corp.test@evil.test",
        "victim@evil.test@corp.test",
        "@corp.test",
        "corp.test",
        "victim@",
        "",
        "@",
        "@@corp.test",
        "victim@@corp.test",
        " Victim@corp.test",
        "victim@corp.test ",
        "victim@ corp.test",
        "victim@corp.test\n",
        "victim\0@corp.test",
        "vic tim@corp.test",
        "victim@corp.test\tx",
        "victim@c\u{43e}rp.test",
        "v\u{ed}ctim@corp.test",
        "victim@\u{ff43}orp.test",
        "victim\u{ff20}corp.test",
        "victim@corp\u{3002}test",
        "victim@corp.te\u{17f}t",
        "victim@sub.corp.test",
        "victim@evilcorp.test",
        "victim@corp.test.evil.test",
        "victim@corp.test.",
        "victim@.corp.test",
        "victim@corp.test,evil.test",
        "victim@evil.test,a@corp.test",
        "<victim@corp.test>",
        "\"a@evil.test\"@corp.test",
        "victim@corp.test(x)",
        "victim@[corp.test]",
        "a;b@corp.test",
        "a\\@corp.test",
        "a:b@corp.test",
        "victim@evil.test",
        "victim%40evil.test@corp.test@",
    ] {
        assert_eq!(with_email(email, verified()), Err(Unmet::EmailDomain), "{email:?}");
    }
}

#[test]
fn an_address_nobody_vouches_for_opens_nothing() {
    // C29
    let text = |text: &str| Some(ClaimValue::Text(text.to_owned()));
    assert_eq!(with_email("a@corp.test", None), Err(Unmet::EmailVerifiedAbsent));
    for unverified in [
        Some(ClaimValue::Bool(false)),
        text("true"),
        text("1"),
        Some(ClaimValue::Integer(1)),
        Some(ClaimValue::List(vec!["true".to_owned()])),
    ] {
        assert_eq!(with_email("a@corp.test", unverified.clone()), Err(Unmet::EmailNotVerified), "{unverified:?}");
    }
    assert_eq!(with_email("a@corp.test", Some(ClaimValue::Bool(true))), Ok(()));
    let only = Requirement { email_domains: vec!["corp.test".to_owned()], ..Requirement::default() };
    let mut listed = parts();
    listed.claims.insert("email".to_owned(), ClaimValue::List(vec!["a@corp.test".to_owned()]));
    listed.claims.insert("email_verified".to_owned(), ClaimValue::Bool(true));
    assert_eq!(check(&only, listed), Err(Unmet::EmailDomain));
    assert_eq!(check(&only, parts()), Err(Unmet::EmailMissing));
}

// MV04, XM08: absent is not false, where the operator says so of an issuer.
#[test]
fn an_issuer_that_never_says_the_word_is_believed_where_the_operator_says_so() {
    let only = Requirement { email_domains: vec!["corp.test".to_owned()], ..Requirement::default() };
    let with = |word: Option<ClaimValue>, absent_is_verified: bool| {
        let mut parts = IdentityParts { absent_is_verified, ..parts() };
        parts.claims.insert("email".to_owned(), ClaimValue::Text("a@corp.test".to_owned()));
        parts.claims.extend(word.map(|word| ("email_verified".to_owned(), word)));
        check(&only, parts)
    };
    assert_eq!(with(None, true), Ok(()));
    assert_eq!(with(None, false), Err(Unmet::EmailVerifiedAbsent));
    // The abuse: a no stays a no.
    assert_eq!(with(Some(ClaimValue::Bool(false)), true), Err(Unmet::EmailNotVerified));
    assert_eq!(check(&only, IdentityParts { absent_is_verified: true, ..parts() }), Err(Unmet::EmailMissing));
}

#[test]
fn a_list_of_hundreds_is_judged_to_its_last_element() {
    // XS04, MV02
    let mut many = parts();
    let groups: Vec<String> = (0..500).map(|number| format!("{number:064}")).collect();
    many.claims.insert("groups".to_owned(), ClaimValue::List(groups));
    for number in [0, 111, 250, 499] {
        assert_eq!(check(&claim("groups", &[&format!("{number:064}")]), many.clone()), Ok(()), "{number}");
    }
    let other = format!("{:064}", 500);
    assert_eq!(check(&claim("groups", &[&other]), many), Err(Unmet::Claim("groups".to_owned())));
}

#[test]
fn a_sign_in_that_assures_less_or_nothing_meets_no_rank() {
    // Issue 11, item 4
    let person = Requirement { assurance: Some(Assurance::Person), ..Requirement::default() };
    for found in [None, Some(Assurance::Network), Some(Assurance::Device)] {
        assert_eq!(check(&person, IdentityParts { assurance: found, ..parts() }), Err(Unmet::Assurance), "{found:?}");
    }
    for found in [Assurance::Person, Assurance::Strong] {
        assert_eq!(check(&person, IdentityParts { assurance: Some(found), ..parts() }), Ok(()));
    }
    // The rank is the sign-in's, whatever a claim of that name says.
    let mut forged = IdentityParts { assurance: None, ..parts() };
    forged.claims.insert("assurance".to_owned(), ClaimValue::Text("strong".to_owned()));
    assert_eq!(check(&person, forged.clone()), Err(Unmet::Assurance));
    assert_eq!(check(&claim("assurance", &["strong"]), forged), Err(Unmet::Claim("assurance".to_owned())));
    assert_eq!(check(&claim("assurance", &["person"]), parts()), Ok(()));
}

#[test]
fn an_authentication_of_unknown_or_impossible_time_is_never_recent() {
    // C26
    let recent = Requirement { max_auth_age: Some(Duration::from_secs(600)), ..Requirement::default() };
    let with = |auth_time: Option<i64>| check(&recent, IdentityParts { auth_time, ..parts() });
    for fine in [1_800_000_000, 1_799_999_400, 1_800_000_060] {
        assert_eq!(with(Some(fine)), Ok(()), "{fine}");
    }
    for bad in [None, Some(1_799_999_399), Some(0), Some(i64::MIN), Some(i64::MAX), Some(1_800_000_000 + 301)] {
        assert_eq!(with(bad), Err(Unmet::AuthenticationTooOld), "{bad:?}");
    }
}

#[test]
fn of_each_group_of_methods_one_was_used() {
    let demands = |groups: &[&[&str]]| {
        let amr = groups.iter().map(|group| group.iter().map(|method| (*method).to_owned()).collect()).collect();
        check(&Requirement { amr, ..Requirement::default() }, parts())
    };
    assert_eq!(demands(&[&["hwk"]]), Ok(()));
    assert_eq!(demands(&[&["hwk"], &["fpt", "pin"]]), Ok(()));
    for unmet in [&[&["fpt"][..]][..], &[&["hwk"], &["fpt", "fid"]], &[&["hwk,pin"]], &[&["HWK"]], &[&[]]] {
        assert_eq!(demands(unmet), Err(Unmet::Amr), "{unmet:?}");
    }
}

#[test]
fn nobody_is_asked_to_confirm_for_a_page_that_stays_closed() {
    let mut both = claim("role", &["board"]);
    both.assurance = Some(Assurance::Strong);
    assert_eq!(check(&both, parts()), Err(Unmet::Claim("role".to_owned())), "what no sign-in changes comes first");
    assert!(Unmet::Assurance.is_about_the_sign_in() && !Unmet::Claim("role".to_owned()).is_about_the_sign_in());
}

// Dossier 15: what was kept back is simply absent, and an empty list of demands wants nothing.
#[test]
fn an_attribute_that_is_kept_back_is_named() {
    let wants = |names: &[&str]| {
        let attributes = names.iter().map(|name| (*name).to_owned()).collect();
        check(&Requirement { attributes, ..Requirement::default() }, parts())
    };
    assert_eq!(wants(&[]), Ok(()));
    assert_eq!(wants(&["role", "adult", "level", "groups"]), Ok(()));
    assert_eq!(wants(&["role", "email"]), Err(Unmet::Attribute("email".to_owned())));
    assert!(!Unmet::Attribute(String::new()).is_about_the_sign_in());
}
