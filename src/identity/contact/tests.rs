use super::*;
use crate::identity::headers::{HeaderPlan, HeaderRule, IdentityHeaderSettings, Preset};
use crate::identity::{Identity, IdentityParts};
use crate::policy::{Requirement, Unmet};

fn text(text: &str) -> ClaimValue {
    ClaimValue::Text(text.to_owned())
}

fn claims(pairs: &[(&str, ClaimValue)]) -> BTreeMap<String, ClaimValue> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn parts(pairs: &[(&str, ClaimValue)], accept_unverified: bool) -> IdentityParts {
    IdentityParts {
        issuer: "https://id.test".to_owned(),
        subject: "s-1".to_owned(),
        mccmnc: None,
        acr: None,
        assurance: None,
        amr: Vec::new(),
        auth_time: None,
        claims: claims(pairs),
        accept_unverified,
        absent_is_verified: false,
    }
}

/// Every header that any preset or mapping would write from a contact.
fn told(identity: &Identity) -> Vec<String> {
    let map = ["email", "phone_number", "phone", "preferred_username", "emails", "upn"];
    let map = map.iter().map(|claim| HeaderRule {
        name: format!("X-Auth-{}", claim.replace('_', "-")),
        claim: (*claim).to_owned(),
        encoding: Default::default(),
        too_long: Default::default(),
    });
    let presets = vec![Preset::Zenkey, Preset::XAuthRequest, Preset::XForwarded, Preset::RemoteUser];
    let plan =
        HeaderPlan::compile(&IdentityHeaderSettings { presets, map: map.collect(), ..Default::default() }).unwrap();
    plan.render(identity).iter().map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
}

fn opens(identity: &Identity, claim: &str, value: &str) -> bool {
    let claims = vec![(claim.to_owned(), vec![value.to_owned()])];
    Requirement { claims, ..Requirement::default() }.check(identity, std::time::UNIX_EPOCH)
        != Err(Unmet::Claim(claim.to_owned()))
}

// MV01, KC01
#[test]
fn an_address_that_the_issuer_calls_unverified_names_nobody_and_opens_nothing() {
    let words = [
        ClaimValue::Bool(false),
        ClaimValue::Integer(0),
        ClaimValue::Integer(2),
        text("false"),
        text("False"),
        text(""),
        text("yes"),
        ClaimValue::List(vec!["true".to_owned()]),
    ];
    for word in words {
        let bent = parts(
            &[
                ("email", text("boss@corp.test")),
                ("email_verified", word.clone()),
                ("phone_number", text("+15550100")),
                ("phone", text("+15550100")),
                ("phone_number_verified", word.clone()),
                ("preferred_username", text(" Boss@Corp.test")),
                ("upn", text("boss@corp.test")),
                ("emails", ClaimValue::List(vec!["other@corp.test".to_owned(), "BOSS@corp.test".to_owned()])),
            ],
            false,
        );
        let identity = Identity::restore(bent.clone());
        let told = told(&identity);
        assert!(
            !told.iter().any(|value| value.to_lowercase().contains("corp.test") || value.contains("555")),
            "{told:?}"
        );
        assert!(!opens(&identity, "email", "boss@corp.test"), "{word:?}");
        assert!(!opens(&identity, "phone_number", "+15550100"), "{word:?}");
        assert!(!opens(&identity, "preferred_username", " Boss@Corp.test"), "{word:?}");
        assert!(!opens(&identity, "emails", "BOSS@corp.test"), "{word:?}");
        let shown = format!("{:?}", identity.parts().claims);
        assert!(!shown.to_lowercase().contains("corp.test") && !shown.contains("555"), "{shown}");
        // The twin: the operator accepts what the issuer does not stand by.
        let accepted = Identity::restore(IdentityParts { accept_unverified: true, ..bent.clone() });
        assert!(opens(&accepted, "email", "boss@corp.test") && opens(&accepted, "phone_number", "+15550100"));
        assert_eq!(accepted.parts().claims, bent.claims);
    }
}

// MV01, MV04: some issuers never say the word. Absent is not false.
#[test]
fn an_address_that_is_vouched_for_or_not_spoken_of_is_told() {
    for word in [None, Some(ClaimValue::Bool(true)), Some(ClaimValue::Integer(1)), Some(text("true"))] {
        let mut sound = parts(&[("email", text("ann@corp.test")), ("phone_number", text("+15550100"))], false);
        if let Some(word) = word {
            sound.claims.insert("email_verified".to_owned(), word.clone());
            sound.claims.insert("phone_number_verified".to_owned(), word);
        }
        let identity = Identity::restore(sound.clone());
        assert!(opens(&identity, "email", "ann@corp.test") && opens(&identity, "phone_number", "+15550100"));
        assert!(told(&identity).contains(&"ann@corp.test".to_owned()));
        assert_eq!(identity.parts(), sound);
    }
}

#[test]
fn one_unverified_address_takes_nothing_else_along() {
    let identity = Identity::restore(parts(
        &[
            ("email", text("boss@corp.test")),
            ("email_verified", ClaimValue::Bool(false)),
            ("phone_number", text("+15550100")),
            ("phone_number_verified", ClaimValue::Bool(true)),
            ("name", text("Ann")),
            ("groups", ClaimValue::List(vec!["staff".to_owned(), String::new()])),
        ],
        false,
    ));
    let left: Vec<_> = identity.parts().claims.into_keys().collect();
    assert_eq!(left, ["email_verified", "groups", "name", "phone_number", "phone_number_verified"]);
}

#[test]
fn a_record_keeps_what_the_operator_accepted_and_an_older_record_accepts_nothing() {
    let bent = parts(&[("email", text("boss@corp.test")), ("email_verified", ClaimValue::Bool(false))], true);
    let kept: IdentityParts = serde_json::from_str(&serde_json::to_string(&bent).unwrap()).unwrap();
    assert!(Identity::restore(kept).claim("email").is_some());
    let old = serde_json::to_string(&IdentityParts { accept_unverified: false, ..bent }).unwrap();
    assert!(!old.contains("accept"), "{old}");
    assert!(Identity::restore(serde_json::from_str(&old).unwrap()).claim("email").is_none());
}

// C29, MV01
#[test]
fn of_two_words_about_one_address_both_must_say_yes() {
    let (yes, no) = (ClaimValue::Bool(true), ClaimValue::Bool(false));
    let joined = |userinfo: &[&(&str, ClaimValue)], token: &[&(&str, ClaimValue)]| {
        let of = |pairs: &[&(&str, ClaimValue)]| claims(&pairs.iter().map(|pair| (*pair).clone()).collect::<Vec<_>>());
        let mut all = of(userinfo);
        join(&mut all, &of(token));
        (all.get("email").cloned(), all.get("email_verified").cloned())
    };
    let (a, b) = (("email", text("a@x.test")), ("email", text("b@x.test")));
    let (said_yes, said_no) = (("email_verified", yes.clone()), ("email_verified", no.clone()));
    let (of_a, of_b) = (Some(a.1.clone()), Some(b.1.clone()));
    // One address, one word.
    assert_eq!(joined(&[&a, &said_yes], &[&a]), (of_a.clone(), Some(yes.clone())));
    assert_eq!(joined(&[&a, &said_no], &[&a]), (of_a.clone(), Some(no.clone())));
    // One address, two words.
    assert_eq!(joined(&[&a, &said_no], &[&a, &said_yes]), (of_a.clone(), Some(no.clone())));
    assert_eq!(joined(&[&a, &said_yes], &[&a, &said_no]), (of_a.clone(), Some(no.clone())));
    // The token says yes about an address that only userinfo knows, and userinfo says no.
    assert_eq!(joined(&[&a, &said_no], &[&said_yes]), (of_a.clone(), Some(no.clone())));
    // Words about another address.
    assert_eq!(joined(&[&a, &said_yes], &[&b]), (of_b.clone(), None));
    assert_eq!(joined(&[&a, &said_no], &[&b]), (of_b.clone(), None));
    // Words about none: a no may be about the token's, a yes must not be.
    assert_eq!(joined(&[&said_no], &[&b]), (of_b.clone(), Some(no)));
    assert_eq!(joined(&[&said_yes], &[&b]), (of_b.clone(), None));
    assert_eq!(joined(&[], &[&b, &said_yes]), (of_b, Some(yes)));
}
