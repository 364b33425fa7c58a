//! What issuers say about people, in all the shapes they say it in: what rules see, what apps are told.

use serde_json::{Value, json};

use super::{assert_refused, at_once, is_signed_in};
use crate::support::browser::Browser;
use crate::support::redis::Redis;
use crate::support::rig::{Choices, Rig};

/// A rig in front of one plain issuer, with these keys of it and these routes beside the usual ones.
async fn rig(keys: &str, routes: &str) -> Rig {
    let plain = Some(format!("    scopes: [openid]\n{keys}"));
    let rig = Rig::with(Choices { plain, routes: routes.to_owned(), ..Choices::default() }).await;
    at_once(&rig, "maya");
    rig
}

/// From now on the ID token says this.
fn id_token_says(rig: &Rig, claims: &Value) {
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.id_token_claims.extend(claims.as_object().unwrap().clone()));
}

fn group(number: usize) -> String {
    format!("{number:064}")
}

// XS04, PF01, MV02
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_groups_are_judged_to_the_last_and_told_as_the_route_wants() {
    let routes = format!(
        "  - {{ host: localhost, path: /last, access: session, upstream: UPSTREAM,
      require: {{ claims: {{ groups: ['{}'] }} }} }}
  - {{ host: localhost, path: /other, access: session, upstream: UPSTREAM,
      require: {{ claims: {{ groups: ['{}'] }} }} }}
  - {{ host: localhost, path: /wide, access: session, upstream: UPSTREAM,
      identity_headers: {{ map: {{ X-Groups: groups }}, max_value: 64KiB, max_total: 64KiB }} }}
  - {{ host: localhost, path: /cut, access: session, upstream: UPSTREAM,
      identity_headers: {{ map: {{ X-Groups: {{ claim: groups, too_long: truncate }}, X-Sub: sub }} }} }}
  - {{ host: localhost, path: /whole, access: session, upstream: UPSTREAM,
      identity_headers: {{ map: {{ X-Groups: {{ claim: groups, too_long: refuse }} }} }} }}
",
        group(499),
        group(500)
    );
    let server = Redis::start("five hundred groups in Redis");
    let stores = [
        Some("  store: memory\n".to_owned()),
        Some("  store: embedded\n  path: DIR/sessions.redb\n".to_owned()),
        server.as_ref().map(Redis::sessions),
    ];
    for sessions in stores.into_iter().flatten() {
        let plain = Some("    scopes: [openid]\n".to_owned());
        let choices = Choices { plain, routes: routes.clone(), sessions: sessions.clone(), ..Choices::default() };
        let mut rig = Rig::with(choices).await;
        at_once(&rig, "maya");
        let groups: Vec<String> = (0..500).map(group).collect();
        id_token_says(&rig, &json!({"groups": groups}));
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/app")).await.status, 200, "{sessions}");
        let metrics = rig.admin("/metrics").await.body;
        for reason in ["header_too_long", "truncated"] {
            let counted = format!("zengate_claims_left_out_total{{reason=\"{reason}\"}} 1\n");
            assert!(metrics.contains(&counted), "{metrics}");
        }
        for again in [false, true] {
            if again {
                if sessions.contains("memory") {
                    break;
                }
                // What the store gives back is what was put into it.
                rig.restart().await;
            }
            assert_eq!(browser.open(rig.url("/last")).await.status, 200, "{sessions}");
            assert_eq!(browser.open(rig.url("/app")).await.status, 200);
            let seen = rig.upstream.last();
            assert!(seen.one("x-auth-request-groups").is_none() && seen.one("x-auth-request-user").is_some());
            assert_eq!(browser.open(rig.url("/wide")).await.status, 200);
            assert_eq!(rig.upstream.last().one("x-groups").unwrap(), groups.join(","));
            assert_eq!(browser.open(rig.url("/cut")).await.status, 200);
            let cut = rig.upstream.last().one("x-groups").unwrap();
            // 63 of 64 letters with the commas between them: one more would be beyond 4 KiB.
            assert_eq!(cut, groups[..63].join(","));
            let before = rig.upstream.count();
            assert_eq!(browser.open(rig.url("/other")).await.status, 403);
            assert_refused(&browser.open(rig.url("/whole")).await, 403, "policy_unmet");
            assert_eq!(rig.upstream.count(), before);
        }
        // The twin: who is in few groups is told everywhere.
        id_token_says(&rig, &json!({"groups": [group(499)]}));
        let other = Browser::new();
        assert_eq!(other.go(rig.url("/last")).await.status, 200);
        for path in ["/wide", "/cut", "/whole"] {
            assert_eq!(other.open(rig.url(path)).await.status, 200, "{path}");
            assert_eq!(rig.upstream.last().one("x-groups").unwrap(), group(499), "{path}");
        }
    }
}

// XM07, PM04, PF01, PF10
#[tokio::test(flavor = "multi_thread")]
async fn rules_and_headers_reach_the_same_claims_in_every_shape() {
    let names = [
        ("My-A", "realm_access.roles", "staff,ops"),
        ("My-B", "resource_access.my.app.roles", "editor"),
        ("My-C", "urn:zitadel:iam:org:project:roles", "admin,user"),
        ("My-D", "https://example.com/claims.roles", "url"),
        ("My-E", "teams.name", "one,two"),
        ("My-F", "split", "a,b"),
        ("My-G", "numbers", "7,x"),
        ("My-H", "address", "1 Main St, LA"),
    ];
    let claims = json!({
        "realm_access": {"roles": ["staff", "ops"]},
        "resource_access": {"my.app": {"roles": ["editor"]}},
        "urn:zitadel:iam:org:project:roles": {"admin": {"1": "acme"}, "user": {"1": "acme"}},
        "https://example.com/claims": {"roles": ["url"]},
        "teams": [{"name": "one"}, {"name": "two"}],
        "split": " a , b",
        "numbers": [7, null, "x"],
        "address": {"street_address": "1 Main St", "locality": "LA"},
    });
    let map: Vec<String> = names.iter().map(|(header, claim, _)| format!("{header}: '{claim}'")).collect();
    let mut routes = format!(
        "  - {{ host: localhost, path: /told, access: session, upstream: UPSTREAM, identity_headers: {{ map: {{ {} }} }} }}\n",
        map.join(", ")
    );
    for (header, claim, value) in names {
        let value = if claim == "address" { value } else { value.rsplit(',').next().unwrap() };
        routes.push_str(&format!(
            "  - {{ host: localhost, path: /{header}, access: session, upstream: UPSTREAM,
      require: {{ claims: {{ '{claim}': ['{value}'] }} }} }}
  - {{ host: localhost, path: /not/{header}, access: session, upstream: UPSTREAM,
      require: {{ claims: {{ '{claim}': ['{value}x'] }} }} }}\n"
        ));
    }
    for by_userinfo in [false, true] {
        let rig = rig("    userinfo: true\n    split_claims: { split: ',' }\n", &routes).await;
        if by_userinfo {
            let aurora = rig.simulator.carrier("aurora").unwrap();
            aurora.set(|rules| rules.userinfo.extend(claims.as_object().unwrap().clone()));
        } else {
            id_token_says(&rig, &claims);
        }
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/told")).await.status, 200);
        let seen = rig.upstream.last();
        for (header, claim, value) in names {
            assert_eq!(seen.one(&header.to_lowercase()).as_deref(), Some(value), "{claim} {by_userinfo}");
            assert_eq!(browser.open(rig.url(&format!("/{header}"))).await.status, 200, "{claim} {by_userinfo}");
            assert_eq!(browser.open(rig.url(&format!("/not/{header}"))).await.status, 403, "{claim} {by_userinfo}");
        }
    }
}

// XS14, PF05, MV04, XM08, KC16
#[tokio::test(flavor = "multi_thread")]
async fn an_address_counts_for_a_domain_in_every_spelling_of_yes_and_in_none_of_no() {
    let routes = "  - { host: localhost, path: /corp, access: session, upstream: UPSTREAM,
      require: { email_domains: [corp.test] } }\n";
    let absent = "    email_verified_absent: verified\n";
    for (keys, word, opens) in [
        ("", Some(json!(true)), true),
        ("", Some(json!("true")), true),
        ("", Some(json!(1)), true),
        ("", Some(json!("false")), false),
        ("", Some(json!("TRUE")), false),
        ("", None, false),
        (absent, None, true),
        (absent, Some(json!(false)), false),
        (absent, Some(json!("false")), false),
        (absent, Some(json!(null)), false),
    ] {
        let rig = rig(keys, routes).await;
        id_token_says(&rig, &json!({"email": "ann@corp.test"}));
        if let Some(word) = &word {
            id_token_says(&rig, &json!({"email_verified": word}));
        }
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/corp")).await.status, if opens { 200 } else { 403 }, "{keys} {word:?}");
        assert!(is_signed_in(&rig, &browser).await);
    }
}

// MV08
#[tokio::test(flavor = "multi_thread")]
async fn userinfo_is_not_asked_for_what_the_id_token_says() {
    let all = json!({
        "name": "Ann Lee", "given_name": "Ann", "family_name": "Lee", "email": "ann@corp.test", "email_verified": true,
        "phone_number": "+15550100", "phone_number_verified": true, "postal_code": "90210", "birthdate": "1990-01-31",
        "address": {"formatted": "1 Main St"}, "groups": ["staff"], "preferred_username": "ann",
    });
    let rig = rig("    userinfo: true\n", "").await;
    let aurora = rig.simulator.carrier("aurora").unwrap();
    aurora.set(|rules| rules.status = [("userinfo".to_owned(), 500)].into());
    id_token_says(&rig, &all);
    assert_eq!(Browser::new().go(rig.url("/app")).await.status, 200);
    assert_eq!(rig.upstream.last().one("x-zenkey-address").as_deref(), Some("1 Main St"));
    assert_eq!(aurora.count("userinfo"), 0);
    // The twins: something that a header carries, or the word about an address, is missing.
    for missing in ["groups", "email_verified", "address"] {
        aurora.set(|rules| drop(rules.id_token_claims.remove(missing)));
        assert_refused(&Browser::new().go(rig.url("/app")).await, 502, "provider_invalid");
        id_token_says(&rig, &all);
    }
    assert_eq!(aurora.count("userinfo"), 3);
}

// PF08
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_issuers_words_for_authentication_contexts_pass_as_they_are() {
    let routes = "  - { host: localhost, path: /loa2, access: session, upstream: UPSTREAM, require: { acr: [loa2] } }
  - { host: localhost, path: /aal2, access: session, upstream: UPSTREAM, require: { acr: [aal2] } }
  - { host: localhost, path: /a1, access: session, upstream: UPSTREAM, require: { acr: [a1] } }\n";
    let rig = rig("    acr_values: [aal2, loa2]\n    require_acr: false\n", routes).await;
    for (acr, open) in [("loa2", "/loa2"), ("aal2", "/aal2"), ("a1", "/a1"), ("a3", "")] {
        id_token_says(&rig, &json!({"acr": acr}));
        let browser = Browser::new();
        assert_eq!(browser.go(rig.url("/app")).await.status, 200);
        assert_eq!(rig.upstream.last().one("x-zenkey-acr").as_deref(), Some(acr));
        for path in ["/loa2", "/aal2", "/a1"] {
            let status = browser.open(rig.url(path)).await.status;
            assert_eq!(status, if path == open { 200 } else { 302 }, "{acr} at {path}: else they are to confirm");
        }
    }
}
