//! Forgers are cheap to refuse and cannot spend our time.

use serde_json::json;

use super::Api;

fn forged(token: &str, number: usize) -> String {
    let (body, _) = token.rsplit_once('.').unwrap();
    format!("{body}.{}", format!("{number:04}").repeat(85) + "AA")
}

// K03, L11
#[tokio::test]
async fn whoever_forges_too_much_is_answered_without_a_signature_being_looked_at() {
    let api = Api::with("  failures_per_minute: 5\n").await;
    let (known, fresh) = (api.token(json!({})).await, api.token(json!({"jti": "2"})).await);
    api.passes("/api", &known).await;
    for number in 0..5 {
        api.refuses("/api", &forged(&known, number)).await;
    }
    let verified = || api.rig.app().metrics().bearer_tokens.with_label_values(&["verified"]).get();
    let before = (verified(), api.rig.upstream.count());
    for token in [forged(&known, 6), fresh.clone()] {
        let page = api.call("/api", &token).await;
        assert_eq!((page.status.as_u16(), page.json()["error"].as_str()), (429, Some("too_many_failures")));
        assert!(page.headers.contains_key("retry-after") && !page.headers.contains_key("www-authenticate"));
    }
    assert_eq!((verified(), api.rig.upstream.count()), before);
    // What was good before needs no signature, and what is wrong at first sight never did.
    api.passes("/api", &known).await;
    api.refuses("/api", &api.token(json!({"aud": "x"})).await).await;
    assert_eq!(api.rig.app().metrics().limit_hits.with_label_values(&["bearer_failures"]).get(), 2);
}

// K03
#[tokio::test]
async fn tokens_that_are_only_old_or_foreign_use_up_nothing() {
    let api = Api::with("  failures_per_minute: 1\n").await;
    for _ in 0..5 {
        api.refuses("/api", &api.token(json!({"exp": super::now() - 10})).await).await;
        api.refuses("/api", &api.token(json!({"aud": "x"})).await).await;
        api.refuses("/api", "not.a.token").await;
    }
    api.passes("/api", &api.token(json!({})).await).await;
}
