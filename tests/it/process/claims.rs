//! What was left out of a person's claims is said once, at sign-in, by the names of the configuration.

use serde_json::{Value, json};

use super::reasons::gateway;
use crate::support::browser::Browser;

const LEFT_OUT: &str = "Claims that the configuration names were left out or cut";

// XS04, PF01, MV02, XM11: must show 4
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_groups_are_one_line_in_the_log_and_a_pointer_is_another() {
    let route = "  - { host: localhost, path: /last, access: session, upstream: UPSTREAM,
      require: { claims: { groups: ['GROUP499'], realm_access.roles: [staff] } } }\n";
    let group = |number: usize| format!("{number:064}");
    let groups: Vec<String> = (0..500).map(group).collect();
    let rules = |rules: &mut zengate_simulator::CarrierRules| {
        rules.id_token_claims.insert("groups".into(), json!(groups));
        rules.id_token_claims.insert("realm_access".into(), json!({"roles": ["staff", {"odd": 1}]}));
    };
    let (rig, process, _home) = gateway(rules, |rig, text| {
        let upstream = format!("http://{}", rig.upstream.address);
        format!("{text}{route}").replace("UPSTREAM", &upstream).replace("GROUP499", &group(499))
    })
    .await;
    let browser = Browser::new();
    for path in ["/last", "/app", "/last", "/app"] {
        assert_eq!(browser.go(rig.url(path)).await.status, 200, "{path}");
    }
    let line: Value = serde_json::from_str(&process.line(LEFT_OUT)).unwrap();
    let reason = line["reason"].as_str().unwrap();
    for part in ["groups: it is longer than a header's value may be", "realm_access.roles: elements that are neither"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains(&group(7)) && !reason.contains("odd"), "nothing of the person: {reason}");
    let said = process.stderr().matches(LEFT_OUT).count();
    assert_eq!(said, 1, "once a sign-in, not once a request");

    // Entra's overage: the claim is a pointer, and the rule is not met.
    rig.simulator.carrier("aurora").unwrap().set(|rules| {
        rules.id_token_claims.remove("groups");
        rules.id_token_claims.insert("_claim_names".into(), json!({"groups": "src1"}));
        let source = json!({"src1": {"endpoint": "https://graph.test/getMemberObjects", "access_token": "canary"}});
        rules.id_token_claims.insert("_claim_sources".into(), source);
    });
    let other = Browser::new();
    assert_eq!(other.go(rig.url("/last")).await.status, 403);
    let pointed = process.line("groups: the issuer sends a pointer to it");
    assert!(pointed.contains(LEFT_OUT) && !process.stderr().contains("canary"));
    let refusal = process.line("\"code\":\"policy_unmet\"");
    assert!(refusal.contains(r#"claim \"groups\" is missing"#), "{refusal}");
}

// MV08
#[tokio::test(flavor = "multi_thread")]
async fn a_userinfo_that_only_our_own_page_needs_may_fail() {
    let rules = |rules: &mut zengate_simulator::CarrierRules| {
        let claims = json!({
            "email": "ann@corp.test", "email_verified": true, "groups": ["admins"], "preferred_username": "ann",
        });
        rules.id_token_claims.extend(claims.as_object().unwrap().clone());
        rules.status = [("userinfo".to_owned(), 500)].into();
    };
    let (rig, process, _home) = gateway(rules, |_, text| {
        text.replace("userinfo: false", "userinfo: true")
            .replace("preset: [zenkey, x-auth-request, x-forwarded, remote-user]", "preset: []")
    })
    .await;
    let browser = Browser::new();
    assert_eq!(browser.go(rig.url("/admin")).await.status, 200);
    process.line("Userinfo was not answered; the sign-in goes on");
    assert_eq!(rig.simulator.carrier("aurora").unwrap().count("userinfo"), 1);
    let shown = browser.open(rig.url("/oauth2/userinfo")).await.json();
    assert_eq!((&shown["email"], &shown["name"]), (&json!("ann@corp.test"), &Value::Null));
    // The twin: what a header carries is missing.
    rig.simulator.carrier("aurora").unwrap().set(|rules| drop(rules.id_token_claims.remove("groups")));
    assert_eq!(Browser::new().go(rig.url("/admin")).await.status, 502);
}
